"""The score that decides: out of fold, by group, repeated, and blind to how features are turned."""

import numpy as np
import pytest

from medtl.evaluation.ranking import macro_auroc
from medtl.transferability import crossvalidation
from medtl.transferability.crossvalidation import out_of_fold


def cases(n: int, strength: float, width: int = 60, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    x = rng.normal(size=(n, width))
    x[:, 0] += strength * labels
    return x.astype(np.float32), labels


def test_what_says_nothing_scores_as_guessing_and_what_says_all_is_found() -> None:
    for strength, low, high in ((0.0, 0.3, 0.65), (8.0, 0.97, 1.0)):
        x, y = cases(120, strength)
        found = out_of_fold(x, y, np.arange(120), 2)
        assert found is not None and np.allclose(found.scores.sum(axis=1), 1)
        assert low <= macro_auroc(y, found.scores) <= high


def test_a_group_is_never_divided() -> None:
    """Pairs of identical cases with labels by chance: a head that saw the twin would know the answer."""
    rng = np.random.default_rng(0)
    half, y = rng.normal(size=(60, 200)).astype(np.float32), np.repeat(rng.integers(0, 2, 60), 2)
    x, groups = np.repeat(half, 2, axis=0), np.repeat(np.arange(60), 2)
    together, apart = out_of_fold(x, y, groups, 2), out_of_fold(x, y, np.arange(120), 2)
    assert together is not None and apart is not None
    assert macro_auroc(y, apart.scores) > 0.9 and macro_auroc(y, together.scores) < 0.7


def test_the_same_cases_give_the_same_scores_and_a_turn_of_the_features_does_not_matter() -> None:
    x, y = cases(90, 2.0)
    one, again = out_of_fold(x, y, np.arange(90), 2), out_of_fold(x, y, np.arange(90), 2)
    mirrored = out_of_fold(np.ascontiguousarray(x[:, ::-1]), y, np.arange(90), 2)
    assert one is not None and again is not None and mirrored is not None
    assert np.array_equal(one.scores, again.scores)
    assert np.allclose(one.scores, mirrored.scores, atol=0.02)


@pytest.mark.parametrize(("n", "repeats"), [(40, 5), (250, 3), (450, 1)])
def test_small_cohorts_are_asked_more_often(n: int, repeats: int) -> None:
    found = out_of_fold(*cases(n, 2.0, width=5), np.arange(n), 2)
    assert found is not None and (found.repeats, found.folds) == (repeats, crossvalidation.FOLDS)
    assert "5 folds" in found.how and (repeats == 1) == ("times" not in found.how)


def test_a_class_of_one_patient_cannot_be_scored() -> None:
    x, y = cases(20, 2.0, width=5)
    groups = np.where(y == 1, 0, np.arange(20) + 1)
    assert out_of_fold(x, y, groups, 2) is None


def test_a_class_of_three_patients_is_asked_in_three_folds() -> None:
    x, y = cases(40, 2.0, width=5)
    groups = np.where(y == 1, np.arange(40) % 3, np.arange(40) + 3)
    found = out_of_fold(x, y, groups, 2)
    assert found is not None and found.folds == 3


def test_features_that_do_not_vary_are_no_accident() -> None:
    found = out_of_fold(np.ones((30, 8), np.float32), np.arange(30) % 2, np.arange(30), 2)
    assert found is not None and np.isfinite(found.scores).all()
