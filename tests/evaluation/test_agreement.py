"""Kappa is scikit-learn's and that of the label readers, and its interval holds the truth by patient."""

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from medtl.cohorts import agreement as cohorts
from medtl.evaluation import grades
from medtl.evaluation.agreement import Weighting, agreed, kappa, kappa_of
from medtl.evaluation.intervals import wilson
from medtl.evaluation.resampling import resample, whose


def readings(n: int, k: int, seed: int = 0, images: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    one = np.repeat(random.integers(0, k, n // images), images)
    wrong = np.repeat(random.random(n // images) < 0.3, images)
    return one, np.where(wrong, random.integers(0, k, n), one), np.repeat(np.arange(n // images), images)


@pytest.mark.parametrize("weighting", ["none", "linear", "quadratic"])
@pytest.mark.parametrize("k", [2, 4])
def test_kappa_is_scikit_learns(weighting: Weighting, k: int) -> None:
    one, other, _ = readings(80, k)
    made = kappa(one, other, k, whose(80, None), weighting)
    weights = None if weighting == "none" else weighting
    assert made.value == pytest.approx(cohen_kappa_score(one, other, weights=weights))
    assert made.low < made.value < made.high
    if weighting == "quadratic":
        assert made.value == pytest.approx(grades.kappa(one, other, k))


@pytest.mark.parametrize("weighting", ["none", "quadratic"])
@pytest.mark.parametrize("images", [1, 4])
def test_kappa_and_its_interval_are_those_of_the_label_readers(weighting: Weighting, images: int) -> None:
    one, other, who = readings(60, 3, images=images)
    names = list("abc")
    theirs = cohorts.agree(
        [str(i) for i in range(60)], [names[i] for i in one], [names[i] for i in other], names,
        weights=weighting, patients=[str(i) for i in who],
    ).kappa  # fmt: skip
    ours = kappa(one, other, 3, whose(60, who.astype(object)), weighting)
    assert (ours.value, ours.low, ours.high) == pytest.approx((theirs.value, theirs.low, theirs.high))


def test_several_images_of_a_patient_are_drawn_together() -> None:
    one, other, who = readings(400, 2, images=5)
    draws = resample(one, who.astype(object), 1, 0, 1000)
    tables = np.stack([np.bincount(2 * one + other, draws.counts[:, d], 4).reshape(2, 2) for d in range(1000)])
    spread = np.std([kappa_of(table) for table in tables])
    made, alone = (kappa(one, other, 2, whose(400, patients)) for patients in (who.astype(object), None))
    assert (made.high - made.low) / 3.92 == pytest.approx(spread, rel=0.15)
    assert made.high - made.low > 1.3 * (alone.high - alone.low)


def test_full_agreement_keeps_its_width_and_one_class_has_no_kappa() -> None:
    one = np.array([0, 1] * 10)
    made = kappa(one, one, 2, whose(20, None))
    assert made.value == 1.0 and made.low < 0.9
    assert kappa(np.zeros(5, int), np.zeros(5, int), 2, whose(5, None)) is None
    assert kappa(one[:0], one[:0], 2, whose(0, None)) is None
    share = agreed(one, one, whose(20, None))
    assert (share.low, share.high) == wilson(20, 20)
    assert agreed(one[:0], one[:0], whose(0, None)) is None
