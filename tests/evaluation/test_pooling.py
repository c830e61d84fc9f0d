"""One answer a patient: pooled as said, chosen on the tune part, and beside the images with a paired difference."""

from itertools import pairwise

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from medtl.errors import BadInput
from medtl.evaluation import operating, pooling
from medtl.evaluation.resampling import Resampling, whose
from medtl.evaluation.views import View, views
from medtl.vocabulary import Threshold


def simulated(patients: int, seed: int, lesion: float = 1.0, images: int = 4) -> tuple[View, Resampling]:
    """Each ill patient shows it in a share `lesion` of the images (at least one)."""
    random = np.random.default_rng(seed)
    who = np.repeat(np.arange(patients), random.integers(1, images + 1, patients))
    ill = (who % 2) == 0
    first = np.append(True, np.diff(who) > 0)
    has = ill & (first | (random.random(len(who)) < lesion))
    raw = random.normal(0, 0.6, patients)[who] + random.normal(0, 1, len(who)) + 2.6 * has - 1.3
    shuffled = random.permutation(len(who))
    view = View("ill", "well", has[shuffled], 1 / (1 + np.exp(-raw[shuffled])), np.arange(len(who)))
    return view, whose(len(who), who[shuffled].astype(object))


@pytest.mark.parametrize("rule", list(pooling.RULES))
def test_scores_are_pooled_as_the_rule_says(rule: pooling.Rule) -> None:
    random = np.random.default_rng(0)
    scores, group = random.random((50, 3)), random.permutation(np.repeat(np.arange(10), 5))
    made = pooling.pooled(scores, group, rule)
    for g in range(10):
        own = scores[group == g]
        wanted = {"mean": own.mean(0), "max": own.max(0), "noisy-or": 1 - np.prod(1 - own, axis=0)}[rule]
        assert made[g] == pytest.approx(wanted)
    assert pooling.pooled(scores[:, 0], group, rule) == pytest.approx(made[:, 0])
    assert pooling.pooled(np.array([1.0, 0.0]), np.array([0, 1]), rule) == pytest.approx([1.0, 0.0], abs=1e-9)
    with pytest.raises(BadInput, match="mean, max"):
        pooling.pooled(scores, group, "median")


def test_a_patient_has_it_as_soon_as_one_image_shows_it() -> None:
    view, of = simulated(40, 0, lesion=0.3)
    rows, who = pooling.by_patient(view, of, "mean")
    for i, patient in enumerate(who.group):
        own = of.group == patient
        assert rows.has[i] == view.has[own].any() and rows.score[i] == pytest.approx(view.score[own].mean())
        assert of.group[rows.index[i]] == patient
    assert not who.repeats and who.unit == "patient"


@pytest.mark.parametrize("rule", list(pooling.RULES))
def test_pooled_grades_never_cross(rule: pooling.Rule) -> None:
    random = np.random.default_rng(0)
    y, scores = random.integers(0, 4, 60), random.dirichlet(np.ones(4), 60)
    of = whose(60, np.repeat(np.arange(20), 3).astype(object))
    made = [pooling.by_patient(one, of, rule)[0].score for one in views("ordinal", tuple("abcd"), None, y, scores)]
    assert all((low >= high - 1e-12).all() for low, high in pairwise(made))


def test_the_rule_is_chosen_on_tune_patients_and_the_mean_by_default() -> None:
    few = pooling.choose([simulated(15, 0)[0]], simulated(15, 0)[1])
    assert few.rule == "mean" and "too few to choose" in few.why
    same = [pooling.choose([view], of).rule for view, of in (simulated(60, seed) for seed in range(30))]
    assert same.count("mean") >= 24
    rare = [
        pooling.choose([view], of).rule
        for view, of in (simulated(150, seed, lesion=0.0, images=9) for seed in range(6))
    ]
    assert rare.count("max") + rare.count("noisy-or") == 6
    assert pooling.rules_for("single-label", ("a", "b", "c")) == ("mean",)
    assert pooling.choose([], whose(0, None), ("mean",)).rule == "mean"


def test_patients_stand_beside_images_with_their_own_threshold() -> None:
    tune, test = simulated(80, 1, 0.5), simulated(120, 2, 0.5)
    made = pooling.pool(tune[0], test[0], tune[1], test[1], pooling.Pooling("max", "The highest."))
    rows, _ = pooling.by_patient(test[0], test[1], "max")
    tune_rows, _ = pooling.by_patient(tune[0], tune[1], "max")
    assert made.patients.threshold.value == operating.choose(tune_rows.has, tune_rows.score).value
    assert made.patients.n == 120 and made.images.n == len(test[0])
    assert made.patients.get("auroc").value == pytest.approx(roc_auc_score(rows.has, rows.score))
    assert made.images.get("auroc").value == pytest.approx(roc_auc_score(test[0].has, test[0].score))
    called = rows.score >= made.patients.threshold.value
    assert made.patients.get("sensitivity").value == pytest.approx(called[rows.has].mean())
    difference = next(one for one in made.differences if one.name == "auroc")
    assert difference.value == pytest.approx(made.patients.get("auroc").value - made.images.get("auroc").value)
    mixed = int(sum(0 < test[0].has[test[1].group == g].mean() < 1 for g in range(120)))
    assert made.mixed == mixed and any(f"{mixed} of 120 patients have both ill and well" in t for t in made.says)
    assert made.says[0].startswith(f"Found {made.patients.found} of {made.patients.present} ill patients (sensitivity")


def test_the_paired_difference_holds_the_truth_about_that_often() -> None:
    truth = pooling.pool(*_both(simulated(100, 0), simulated(20000, 77)), pooling.Pooling("mean", "The mean."))
    true = next(one.value for one in truth.differences if one.name == "auroc")
    held = 0
    for seed in range(150):
        made = pooling.pool(*_both(simulated(100, 0), simulated(60, seed + 500)), pooling.Pooling("mean", "The mean."))
        one = next(one for one in made.differences if one.name == "auroc")
        held += one.low <= true <= one.high
    assert 135 <= held <= 149


def _both(tune: tuple[View, Resampling], test: tuple[View, Resampling]) -> tuple[View, View, Resampling, Resampling]:
    return tune[0], test[0], tune[1], test[1]


def test_degenerate_parts_answer_in_words() -> None:
    one = (View("ill", "well", np.array([True, False]), np.array([0.9, 0.2]), np.arange(2)), whose(2, None))
    empty = (View("ill", "well", np.zeros(0, bool), np.zeros(0), np.zeros(0, int)), whose(0, None))
    assert "one image" in pooling.pool(*_both(one, one)).says[0]
    assert "no case" in pooling.pool(*_both(one, empty)).says[0]
    made = pooling.pool(*_both(empty, simulated(10, 0)))
    assert made.patients.threshold.value == 0.5 and "no case" in made.patients.threshold.rule
    frozen = Threshold(0.3, "tune", "As it was.")
    kept = pooling.pool(*_both(simulated(30, 0), simulated(30, 1)), threshold=frozen)
    assert kept.images.threshold is frozen
    for level in (kept.images, kept.patients):
        assert all(estimate.low < estimate.high for estimate in level.estimates)
