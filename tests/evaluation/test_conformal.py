"""Prediction sets hold the true class about as often as promised; with too few tune cases nothing is ruled out."""

import numpy as np

from medtl.evaluation import conformal


def test_sets_hold_the_true_class_about_nine_times_in_ten() -> None:
    random = np.random.default_rng(0)
    y = random.integers(0, 3, 4000)
    z = random.normal(size=(4000, 3)) + np.eye(3)[y]
    scores = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    least = conformal.limit(y[:2000], scores[:2000])
    held = [int(true) in conformal.members(row, least) for true, row in zip(y[2000:], scores[2000:], strict=True)]
    assert 0.88 <= np.mean(held) <= 0.92


def test_few_tune_cases_rule_nothing_out() -> None:
    scores = np.tile([0.9, 0.1], (8, 1))
    least = conformal.limit(np.zeros(8, int), scores)
    assert least == 0.0 and conformal.members(scores[0], least) == [0, 1]
