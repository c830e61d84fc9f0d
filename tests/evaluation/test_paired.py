"""Pairs of models in words: never equal, always with the interval, tests only where a patient has one case."""

import numpy as np
import pytest

from medtl.evaluation import comparison
from medtl.evaluation.paired import Asked, Pair, pair, signed
from medtl.evaluation.resampling import resample

TWO = ("well", "ill")


def scores(y: np.ndarray, skill: float, seed: int) -> np.ndarray:
    k = int(y.max()) + 1
    z = np.random.default_rng(seed).normal(size=(len(y), k)) + skill * np.eye(k)[y]
    return np.asarray(np.exp(z) / np.exp(z).sum(axis=1, keepdims=True))


def set_against(
    y: np.ndarray, a: np.ndarray, b: np.ndarray, patients: np.ndarray | None = None, classes: tuple[str, ...] = TWO
) -> Pair:
    positive = classes[-1] if len(classes) == 2 else None
    draws = resample(y, patients, 1 if len(classes) == 2 else None, 0, 400)
    asked = tuple(
        Asked(name, s, s.argmax(axis=1), comparison.scored(y, s, classes, positive, draws))
        for name, s in (("A", a), ("B", b))
    )
    return pair(("r-a", "r-b"), asked, y, classes, positive, draws)  # type: ignore[arg-type]


def test_a_clear_difference_is_said_with_its_interval_before_p() -> None:
    y = np.arange(200) % 2
    said = set_against(y, scores(y, 2.5, 0), scores(y, 0.3, 1))
    assert said.standing == "higher" and said.auroc.low > 0 and said.delong and said.delong.p < 0.001
    assert said.says.startswith("A against B: AUROC higher by ") and said.says.index(" to ") < said.says.index("p <")
    assert set_against(y, scores(y, 0.3, 1), scores(y, 2.5, 0)).standing == "lower"


def test_what_cannot_be_told_apart_is_said_with_its_n_and_never_equal() -> None:
    y = np.arange(60) % 2
    said = set_against(y, scores(y, 1, 0), scores(y, 1, 1))
    assert said.standing == "cannot be told apart"
    assert "these two cannot be told apart on 60 cases" in said.says and "equal" not in said.says


def test_the_calls_are_compared_among_the_ill_and_among_the_well() -> None:
    y = np.arange(80) % 2
    a, b = scores(y, 2, 0), scores(y, 1, 1)
    ill, well = set_against(y, a, b).calls
    assert (ill.name, well.name) == ("sensitivity", "specificity")
    for kind, called in ((y == 1, ill), (y == 0, well)):
        right_a, right_b = (s.argmax(axis=1)[kind] == y[kind] for s in (a, b))
        assert called.only_first == (right_a & ~right_b).sum() and called.only_second == (~right_a & right_b).sum()
        assert called.difference.value == pytest.approx(right_a.mean() - right_b.mean())
        assert called.p is not None and called.how.startswith("McNemar")


def test_several_cases_of_a_patient_are_left_to_draws_of_patients() -> None:
    y = np.repeat(np.arange(30) % 2, 4)
    patients = np.repeat([f"p{i}" for i in range(30)], 4).astype(object)
    one, other = scores(y, 1, 0), scores(y, 0.8, 1)
    said = set_against(y, one, other, patients)
    assert said.delong is None and "p =" not in said.says and "30 patients" in said.says
    for called in said.calls:
        assert called.p is None and called.how == "bootstrap by patient, 400"
        assert called.difference.low <= called.difference.value <= called.difference.high


def test_copies_of_one_case_do_not_narrow_a_patients_interval() -> None:
    y = np.arange(40) % 2
    a, b = scores(y, 1, 0), scores(y, 0.5, 1)
    one = set_against(y, a, b, np.array([f"p{i}" for i in range(40)], dtype=object))
    many = set_against(
        np.repeat(y, 5), np.repeat(a, 5, axis=0), np.repeat(b, 5, axis=0),
        np.repeat([f"p{i}" for i in range(40)], 5).astype(object),
    )  # fmt: skip
    for few, more in zip(one.calls, many.calls, strict=True):
        width = [called.difference.high - called.difference.low for called in (few, more)]
        assert width[1] > 0.8 * width[0]


def test_more_than_two_classes_are_judged_by_the_average_and_by_all_calls() -> None:
    y = np.arange(90) % 3
    said = set_against(y, scores(y, 3, 0), scores(y, 0, 1), classes=("a", "b", "c"))
    assert said.standing == "higher" and said.delong is None and [c.name for c in said.calls] == ["accuracy"]


@pytest.mark.parametrize(("value", "text"), [(0.02, "+0.02"), (-0.031, "−0.03"), (-0.001, "0.00"), (0.0, "0.00")])
def test_signs(value: float, text: str) -> None:
    assert signed(value) == text
