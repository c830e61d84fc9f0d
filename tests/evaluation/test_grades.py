"""Grades: kappa against a second implementation, distances by hand, and what is said when there is nothing to say."""

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from medtl.evaluation import grades
from medtl.evaluation.evaluation import evaluate
from medtl.evaluation.resampling import resample

CLASSES = ("0", "1", "2", "3")


def simulated(n: int = 120, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 4, n)
    near = np.exp(-np.abs(y[:, None] - np.arange(4) + rng.normal(0, 0.6, (n, 1))) * 2)
    return y, near / near.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("seed", range(5))
def test_quadratic_kappa_is_that_of_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    y, calls = rng.integers(0, 4, 60), rng.integers(0, 4, 60)
    calls = np.where(rng.random(60) < 0.6, y, calls)
    assert grades.kappa(y, calls, 4) == pytest.approx(cohen_kappa_score(y, calls, weights="quadratic"))


def test_the_numbers_by_hand() -> None:
    y, calls = np.array([0, 1, 2, 3, 3, 0]), np.array([0, 1, 1, 3, 1, 1])
    made = {one.name: one.value for one in grades.estimates(y, calls, CLASSES, resample(y, None, None, 0, 200))}
    assert made["exact_agreement"] == pytest.approx(3 / 6) and made["within_one"] == pytest.approx(5 / 6)
    assert made["mean_grade_error"] == pytest.approx(4 / 6)


def test_the_grade_called_is_the_middle_of_the_scores_and_not_the_highest() -> None:
    scores = np.array([[0.4, 0.25, 0.35], [0.6, 0.2, 0.2], [0.1, 0.2, 0.7], [0.5, 0.5, 0.0]])
    assert grades.middle(scores).tolist() == [1, 0, 2, 0]


def test_every_number_has_an_interval_around_it_and_patients_are_drawn_whole() -> None:
    y, scores = simulated()
    patients = np.array([f"p{i // 3}" for i in range(len(y))], dtype=object)
    alone, together = (evaluate(y, scores, y, scores, CLASSES, None, who, task="ordinal") for who in (None, patients))
    for made in (alone, together):
        names = [one.name for one in made.estimates]
        assert names[:4] == list(grades.NAMES) and "accuracy" not in names and "auroc" in names
        assert all(one.low <= one.value <= one.high and one.low < one.high for one in made.estimates)
    assert together.estimates[0].how.endswith("by patient") and "patient" not in alone.estimates[0].how
    assert together.estimates[0].value == alone.estimates[0].value
    assert made.threshold.middle and made.sentence.startswith("Gave ") and "quadratic kappa" in made.sentence


def test_a_perfect_reader_gets_no_interval_of_zero_width() -> None:
    y = np.arange(40) % 4
    made = evaluate(y, np.eye(4)[y], y, np.eye(4)[y], CLASSES, None, None, task="ordinal")
    assert all(one.high > one.low for one in made.estimates)
    assert "kappa_quadratic" in {one.name for one in made.estimates}
    one_grade = evaluate(y, np.eye(4)[y], y * 0, np.eye(4)[y * 0], CLASSES, None, None, task="ordinal")
    assert "kappa_quadratic" not in {one.name for one in one_grade.estimates}
    assert any("kappa is not defined" in note for note in one_grade.notes)


def test_two_grades_are_called_by_their_threshold() -> None:
    y = np.arange(30) % 2
    scores = np.stack([0.8 - 0.3 * y, 0.2 + 0.3 * y], axis=1)
    made = evaluate(y, scores, y, scores, ("low", "high"), None, None, task="ordinal")
    assert made.threshold.value == pytest.approx(0.35) and not made.threshold.middle
    assert "exact_agreement" in {one.name for one in made.estimates}
