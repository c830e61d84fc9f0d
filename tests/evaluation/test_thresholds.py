"""The threshold is Youden's on the tune part; equal choices favour finding the ill."""

import numpy as np
import pytest
from sklearn.metrics import roc_curve

from medtl.evaluation.thresholds import calls, choose

TWO = ("ill", "well")  # the positive class need not be the last


def scores(p: object) -> np.ndarray:
    ill = np.asarray(p, float)
    return np.column_stack([ill, 1 - ill])


@pytest.mark.parametrize("digits", [1, 2, 8])
def test_it_reaches_the_best_sum_of_sensitivity_and_specificity(digits: int) -> None:
    random = np.random.default_rng(digits)
    y = random.integers(0, 2, 150)
    p = np.round(1 / (1 + np.exp(-random.normal(1.0 * (y == 0)))), digits)
    threshold = choose(y, scores(p), TWO, "ill")
    called = calls(scores(p), threshold, TWO, "ill")
    gain = np.mean(called[y == 0] == 0) - np.mean(called[y == 1] == 0)
    false, true, _ = roc_curve(y == 0, p)
    assert gain == pytest.approx(max(true - false))
    assert threshold.chosen_on == "tune" and "150 cases" in threshold.rule


def test_of_equal_choices_the_one_that_finds_more() -> None:
    # From 0.9 up: 1 of 2 found, no false alarm. From 0.4 up: 2 of 2 found, 1 of 2 alarms. Both sums are 1.5.
    threshold = choose(np.array([0, 1, 0, 1]), scores([0.9, 0.6, 0.5, 0.1]), TWO, "ill")
    assert threshold.value == pytest.approx(0.3)


def test_separated_scores_are_parted_in_the_middle() -> None:
    assert choose(np.array([0, 0, 1, 1]), scores([0.9, 0.8, 0.2, 0.1]), TWO, "ill").value == pytest.approx(0.5)


def test_neighbouring_floats_are_told_apart() -> None:
    p = [np.nextafter(0.3, 1), 0.3]
    y = np.array([0, 1])
    assert calls(scores(p), choose(y, scores(p), TWO, "ill"), TWO, "ill").tolist() == [0, 1]


@pytest.mark.parametrize(
    "y, p", [([0, 0], [0.2, 0.3]), ([1, 1], [0.2, 0.3]), ([0, 1], [0.4, 0.4]), ([0, 1], [0.1, 0.9]), ([], [])]
)
def test_a_hopeless_tune_part_falls_back_to_one_half_in_words(y: list[int], p: list[float]) -> None:
    threshold = choose(np.array(y, int), scores(p), TWO, "ill")
    assert threshold.value == 0.5 and "0.5" in threshold.rule


def test_with_more_classes_the_highest_score_decides() -> None:
    three = np.array([[0.2, 0.5, 0.3], [0.4, 0.3, 0.3]])
    threshold = choose(np.array([0, 1]), three, ("a", "b", "c"), None)
    assert threshold.value is None and "highest" in threshold.rule
    assert calls(three, threshold, ("a", "b", "c"), None).tolist() == [1, 0]
