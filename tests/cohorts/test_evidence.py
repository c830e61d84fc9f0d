import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from medtl.cohorts.findings.evidence import FOLDS, Question, Trial


def trial(truth, people=None, seed=0):
    truth = np.asarray(truth)
    people = np.arange(len(truth)) if people is None else np.asarray(people)
    return Trial(Question("ill", "", "", ("ill", "well"), truth), people, seed)


def test_a_patient_is_in_one_fold_and_the_folds_are_alike():
    random = np.random.default_rng(0)
    people = np.sort(random.integers(0, 100, 300))
    _, people = np.unique(people, return_inverse=True)
    one = trial(random.integers(0, 2, 300), people)
    assert all(len(set(one._fold[people == who])) == 1 for who in set(people))
    per_fold = trial([1] * 20 + [0] * 80)
    assert per_fold.counts(np.zeros(100, int), 1, 1).ravel().tolist() == [4] * FOLDS


def test_counting_levels_gives_the_auroc_of_the_scores_and_that_of_scikit_learn():
    random = np.random.default_rng(1)
    truth = random.integers(-1, 2, 500)
    codes = random.integers(0, 6, 500)
    one = trial(truth)
    weights = one.weights(codes, 6)
    right = pairs = 0.0
    for fold in range(FOLDS):
        here = (one._fold == fold) & (truth >= 0)
        count = (truth[here] == 1).sum() * (truth[here] == 0).sum()
        right, pairs = right + count * roc_auc_score(truth[here], weights[here].round(9)), pairs + count
    assert one.auroc_of(codes, 6) == pytest.approx(one.auroc(weights)) == pytest.approx(right / pairs)


def test_a_telling_level_is_found_and_an_unknown_answer_counts_for_nothing():
    truth = np.array([0, 1, -1] * 40)
    one = trial(truth)
    assert one.auroc_of(np.maximum(truth, 0), 2) == 1
    assert (one.fewest, one.n, one.patients) == (40, 80, 80)


def test_a_patient_with_many_images_does_not_count_as_many_patients():
    def effective(images):
        return trial([0] * 30 + [1] * sum(images), [*range(30), *np.repeat(range(30, 30 + len(images)), images)]).ill

    assert effective([1] * 20) == pytest.approx(20 * 51 / 55)
    assert effective([5] * 20) == pytest.approx(effective([1] * 20))
    assert effective([81, *[1] * 19]) < 2


def test_a_patients_own_images_do_not_teach_what_is_asked_of_them():
    """A level for every patient tells each label within a patient, and nothing of others."""
    people = np.repeat(np.arange(40), 5)
    truth = np.repeat(np.arange(40) % 2, 5)
    assert trial(truth, people).auroc_of(people, 40) == pytest.approx(0.5, abs=0.02)


def test_chance_is_not_ranked_by_fold():
    """Pooled scores of folds that differ in their usual odds would lie well below .5."""
    random = np.random.default_rng(2)
    found = [
        trial(random.permutation([0, 1] * 50), seed=seed).auroc_of(random.integers(0, 4, 100), 4) for seed in range(200)
    ]
    assert 0.48 < np.mean(found) < 0.52
