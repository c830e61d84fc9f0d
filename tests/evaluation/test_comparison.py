"""Differences on the same patients: what is common cancels out, and only a clear interval is a verdict."""

import numpy as np
import pytest

from medtl.errors import BadInput
from medtl.evaluation.comparison import compare, difference, verdict
from medtl.evaluation.estimates import estimates
from medtl.vocabulary import Estimate

TWO = ("well", "ill")


def model(y: np.ndarray, skill: float, seed: int) -> np.ndarray:
    k = int(y.max()) + 1
    z = np.random.default_rng(seed).normal(size=(len(y), k)) + skill * np.eye(k)[y]
    return np.asarray(np.exp(z) / np.exp(z).sum(axis=1, keepdims=True))


@pytest.mark.parametrize("k, n", [(2, 200), (3, 200), (2, 6)])
def test_a_model_does_not_differ_from_itself(k: int, n: int) -> None:
    y = np.arange(n) % k
    same = model(y, 1, 0)
    gap = difference(y, same, same.copy(), ("a", "b", "c")[:k], None, None)
    assert gap.value == 0 and gap.low < 0 < gap.high
    assert verdict(gap) == "no difference seen"


def test_two_perfect_models_are_not_said_to_be_equal() -> None:
    y = np.repeat([0, 1], 15)
    a, b = (np.column_stack([1 - p, p]) for p in (y * 0.9, y * 0.5 + 0.1))
    gap = difference(y, a, b, TWO, None, None)
    assert gap.value == 0 and gap.high > 0.02 and gap.how.startswith("square and add")


def test_better_helps_and_worse_hurts_by_as_much() -> None:
    y = np.arange(300) % 2
    good, poor = model(y, 2.5, 0), model(y, 0.3, 1)
    up, down = difference(y, good, poor, TWO, None, None), difference(y, poor, good, TWO, None, None)
    assert (verdict(up), verdict(down)) == ("helps", "hurts")
    assert (up.value, up.low) == pytest.approx((-down.value, -down.high), abs=0.01)


def test_pairing_sees_what_two_separate_intervals_would_not() -> None:
    y = np.arange(400) % 2
    base = model(y, 1.0, 0)[:, 1]
    logit = np.log(base / (1 - base))
    a, b = (1 / (1 + np.exp(-(logit + more * (2 * y - 1)))) for more in (0.35, 0.0))
    a, b = (np.column_stack([1 - p, p]) for p in (a, b))
    gap = difference(y, a, b, TWO, None, None)
    of_a = estimates(y, a, y, TWO, None, None)[0]
    of_b = estimates(y, b, y, TWO, None, None)[0]
    assert gap.high - gap.low < 0.6 * ((of_a.high - of_a.low) + (of_b.high - of_b.low))
    assert verdict(gap) == "helps"


def test_the_values_are_those_of_the_estimates() -> None:
    y = np.arange(150) % 3
    classes, a, b = ("x", "y", "z"), model(y, 1, 0), model(y, 1, 1)
    patients = np.array([f"p{i // 2}" for i in range(150)], dtype=object)
    said = compare(y, a, b, classes, None, patients, name="from-scratch", run="r-2")
    of_b = estimates(y, b, y, classes, None, patients)[0]
    assert (said["auroc"]["value"], said["auroc"]["low"], said["auroc"]["high"]) == (of_b.value, of_b.low, of_b.high)
    assert said["difference"]["value"] == pytest.approx(
        estimates(y, a, y, classes, None, patients)[0].value - of_b.value
    )
    assert said["run"] == "r-2" and said["difference"]["how"] == "bootstrap by patient, 2000"


@pytest.mark.parametrize(
    "name, control", [("thumbnails", "32 x 32 thumbnails"), ("from-scratch", "trained from scratch")]
)
def test_the_sentence_says_the_verdict(name: str, control: str) -> None:
    y = np.arange(200) % 2
    good, poor = model(y, 2.5, 0), model(y, 0.3, 1)
    for (a, b), words in {
        (0, 1): "helps here",
        (1, 0): "hurts here",
        (0, 0): "no difference seen on 200 cases",
    }.items():
        said = compare(y, (good, poor)[a], (good, poor)[b], TWO, None, None, name=name)
        assert control in said["says"] and words in said["says"] and " nan" not in said["says"]
        assert said["verdict"] in ("helps", "hurts", "no difference seen")
        assert " lower by -" not in said["says"]


@pytest.mark.parametrize(
    "low, high, wanted", [(0.01, 0.2, "helps"), (-0.2, -0.01, "hurts"), (0, 0.2, "no difference seen")]
)
def test_an_interval_that_touches_zero_proves_nothing(low: float, high: float, wanted: str) -> None:
    assert verdict(Estimate("auroc", (low + high) / 2, low, high, 9, "")) == wanted


def test_few_patients_seldom_give_a_verdict_where_there_is_no_difference() -> None:
    y = np.repeat([1, 0], [4, 40])
    said = [verdict(difference(y, model(y, 1, i), model(y, 1, 1000 + i), TWO, None, None, i, 200)) for i in range(100)]
    assert said.count("no difference seen") >= 94


def test_one_class_cannot_be_compared() -> None:
    y = np.zeros(5, int)
    with pytest.raises(BadInput, match="one class only"):
        difference(y, np.full((5, 2), 0.5), np.full((5, 2), 0.5), TWO, None, None)
