"""The numbers against scikit-learn, the intervals against simulation, and every hopeless input answered in words."""

from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from sklearn import metrics
from sklearn.linear_model import LogisticRegression

from medtl.errors import BadInput
from medtl.evaluation import ranking
from medtl.evaluation.calibration import logit
from medtl.evaluation.estimates import estimates, measure, wilson
from medtl.evaluation.resampling import resample
from medtl.evaluation.values import NAMES
from medtl.vocabulary import Estimate

TWO = ("benign", "malignant")
THREE = ("benign", "malignant", "normal")


def simulate(n: int, k: int, seed: int = 0, ties: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """y (n,), scores (n, k) that know something of y, calls (n,)."""
    random = np.random.default_rng(seed)
    y = np.concatenate([np.arange(k), random.integers(0, k, n - k)])
    z = random.normal(size=(n, k)) + 1.2 * np.eye(k)[y]
    scores = np.exp(np.round(z) if ties else z)
    scores /= scores.sum(axis=1, keepdims=True)
    return y, scores, scores.argmax(axis=1)


def binary(p: Any) -> np.ndarray:
    """Scores of (healthy, ill) from the score of ill."""
    return np.column_stack([1 - np.asarray(p, float), np.asarray(p, float)])


def named(found: tuple[Estimate, ...]) -> dict[str, Estimate]:
    return {one.name: one for one in found}


def all_well(found: tuple[Estimate, ...]) -> bool:
    return all(one.low <= one.value + 1e-6 and one.value <= one.high + 1e-6 and one.low < one.high for one in found)


@pytest.mark.parametrize("ties", [False, True])
def test_two_classes_against_scikit_learn(ties: bool) -> None:
    y, scores, calls = simulate(300, 2, ties=ties)
    found = estimates(y, scores, calls, TWO, "malignant", None, draws=100)
    assert [one.name for one in found] == list(NAMES)
    value = {one.name: one.value for one in found}
    for name, oracle in {
        "auroc": metrics.roc_auc_score(y, scores[:, 1]),
        "auprc": metrics.average_precision_score(y, scores[:, 1]),
        "sensitivity": metrics.recall_score(y, calls),
        "specificity": metrics.recall_score(y, calls, pos_label=0),
        "ppv": metrics.precision_score(y, calls),
        "npv": metrics.precision_score(y, calls, pos_label=0),
        "accuracy": metrics.accuracy_score(y, calls),
        "balanced_accuracy": metrics.balanced_accuracy_score(y, calls),
        "brier": metrics.brier_score_loss(y, scores[:, 1]),
    }.items():
        assert value[name] == pytest.approx(oracle, abs=1e-6), name
    x = logit(scores[:, 1])[:, None]
    fit = LogisticRegression(C=np.inf, tol=1e-9).fit(x, y)
    assert value["calibration_slope"] == pytest.approx(fit.coef_[0, 0], abs=1e-3)
    assert all_well(found)


def test_the_positive_class_is_the_one_that_was_named() -> None:
    y, scores, calls = simulate(200, 2)
    as_first = named(estimates(y, scores, calls, TWO, "benign", None, draws=50))
    as_last = named(estimates(y, scores, calls, TWO, None, None, draws=50))
    assert as_first["sensitivity"].value == as_last["specificity"].value
    assert as_first["auroc"].value == pytest.approx(as_last["auroc"].value)
    assert as_first["auprc"].value == pytest.approx(metrics.average_precision_score(1 - y, scores[:, 0]))


@pytest.mark.parametrize("ties", [False, True])
def test_three_classes_against_scikit_learn(ties: bool) -> None:
    y, scores, calls = simulate(300, 3, ties=ties)
    found = estimates(y, scores, calls, THREE, None, None, draws=100)
    assert [one.name for one in found] == [*NAMES[:9], *(f"auroc[{name}]" for name in THREE)]
    value = {one.name: one.value for one in found}
    truth = np.eye(3)[y]
    for name, oracle in {
        "auroc": metrics.roc_auc_score(y, scores, multi_class="ovr"),
        "auroc[normal]": metrics.roc_auc_score(truth[:, 2], scores[:, 2]),
        "auprc": metrics.average_precision_score(truth, scores),
        "sensitivity": metrics.recall_score(y, calls, average="macro"),
        "ppv": metrics.precision_score(y, calls, average="macro"),
        "specificity": np.mean([metrics.recall_score(y == i, calls == i, pos_label=False) for i in range(3)]),
        "npv": np.mean([metrics.precision_score(y == i, calls == i, pos_label=False) for i in range(3)]),
        "accuracy": metrics.accuracy_score(y, calls),
        "balanced_accuracy": metrics.balanced_accuracy_score(y, calls),
        "brier": np.mean(((scores - truth) ** 2).sum(axis=1)),
    }.items():
        assert value[name] == pytest.approx(oracle, abs=1e-6), name
    assert all_well(found)


def test_weighted_areas_are_those_of_the_drawn_cases() -> None:
    y, scores, _ = simulate(60, 2, ties=True)
    patients = np.array([f"p{i // 2}" for i in range(60)], dtype=object)
    draws = resample(y, patients, 1, seed=3, draws=40)
    order = ranking.rank(y == 1, scores[:, 1])
    (weights,) = draws.chunks()
    true, false = ranking.found(order, weights)
    for j, (auroc, auprc) in enumerate(zip(ranking.auroc(true, false), ranking.auprc(true, false), strict=True)):
        drawn = np.repeat(np.arange(60), draws.counts[:, j])
        assert auroc == pytest.approx(metrics.roc_auc_score(y[drawn], scores[drawn, 1]), abs=1e-6)
        assert auprc == pytest.approx(metrics.average_precision_score(y[drawn], scores[drawn, 1]), abs=1e-6)


def test_proportions_are_wilson_unless_a_patient_has_several_cases() -> None:
    y, scores, calls = simulate(120, 2)
    once = np.array([f"p{i}" for i in range(120)], dtype=object)
    twice = np.array([f"p{i // 2}" for i in range(120)], dtype=object)
    found = named(estimates(y, scores, calls, TWO, None, once, draws=200))
    hits = int(((y == 1) & (calls == 1)).sum())
    one = found["sensitivity"]
    assert (one.n, one.how, (one.low, one.high)) == ((y == 1).sum(), "Wilson", wilson(hits, (y == 1).sum()))
    assert found["ppv"].n == (calls == 1).sum() and found["npv"].n == (calls == 0).sum()
    assert found["auroc"].how == "DeLong" and found["auroc"].n == 120
    assert found["auprc"].how == "bootstrap by patient, 200, on the logit scale"
    in_pairs = named(estimates(y, scores, calls, TWO, None, twice, draws=200))
    assert in_pairs["ppv"].how.startswith("Wilson, clustered in ") and in_pairs["auroc"].how.endswith("by patient")
    alone = named(estimates(y, scores, calls, TWO, None, None, draws=200))
    assert alone["brier"].how == "by case, on the logit scale"


def test_copies_of_a_case_add_no_certainty() -> None:
    y, scores, calls = simulate(80, 2)
    patients = np.array([f"p{i}" for i in range(80)] * 4, dtype=object)
    single = named(estimates(y, scores, calls, TWO, None, patients[:80]))
    y4, scores4, calls4 = (np.concatenate([one] * 4) for one in (y, scores, calls))
    copied = named(estimates(y4, scores4, calls4, TWO, None, patients))
    fooled = named(estimates(y4, scores4, calls4, TWO, None, None))
    for name in ("auroc", "brier", "sensitivity"):
        width = {kind: one[name].high - one[name].low for kind, one in (("1", single), ("4", copied), ("?", fooled))}
        assert width["4"] == pytest.approx(width["1"], rel=0.15)
        assert width["?"] < 0.7 * width["1"]


def test_the_same_seed_gives_the_same_numbers() -> None:
    y, scores, calls = simulate(100, 3)
    first, again, other = (estimates(y, scores, calls, THREE, None, None, seed, 200) for seed in (5, 5, 6))
    assert first == again and first != other


def test_well_calibrated_scores_have_slope_1_and_intercept_0() -> None:
    random = np.random.default_rng(0)
    p = 1 / (1 + np.exp(-random.normal(0, 1.5, 4000)))
    y = (random.random(4000) < p).astype(int)
    found = named(estimates(y, binary(p), (p > 0.5).astype(int), TWO, None, None, draws=200))
    assert found["calibration_slope"].low < 1 < found["calibration_slope"].high
    assert found["calibration_intercept"].low < 0 < found["calibration_intercept"].high
    assert found["calibration_slope"].high - found["calibration_slope"].low < 0.2
    extreme = named(estimates(y, binary(1 / (1 + np.exp(-2 * logit(p)))), y, TWO, None, None, draws=200))
    assert extreme["calibration_slope"].value == pytest.approx(found["calibration_slope"].value / 2, abs=0.01)
    low = named(estimates(y, binary(1 / (1 + np.exp(1 - logit(p)))), y, TWO, None, None, draws=200))
    assert low["calibration_intercept"].value == pytest.approx(1 + found["calibration_intercept"].value, abs=0.01)


def _covered(auroc: float, patients: int, images: int, trials: int) -> float:
    """Share of simulated test parts whose interval holds the true AUROC; images of a patient resemble each other."""
    random, shift, held = np.random.default_rng(0), NormalDist().inv_cdf(auroc) * 2**0.5, 0
    y = np.repeat(np.arange(patients) % 3 == 0, images).astype(int)
    who = np.repeat([f"p{i}" for i in range(patients)], images).astype(object)
    for trial in range(trials):
        own = np.repeat(random.normal(0, 0.8**0.5, patients), images)
        z = shift * y + own + random.normal(0, 0.2**0.5, len(y))
        p = 1 / (1 + np.exp(-z))
        one = estimates(y, binary(p), y, TWO, None, who, trial, draws=200)[0]
        held += one.low <= auroc <= one.high
    return held / trials


@pytest.mark.parametrize("patients, images", [(90, 1), (90, 3), (18, 3)])
def test_intervals_of_95_per_cent_hold_the_truth_about_that_often(patients: int, images: int) -> None:
    assert 0.89 <= _covered(0.85, patients, images, trials=150) <= 1.0


# ---- hopeless and odd inputs ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("images", [1, 3])
def test_a_perfect_model_gets_no_interval_of_zero_width(k: int, images: int) -> None:
    classes = THREE[:k]
    y = np.repeat(np.arange(12 * k) % k, images)
    patients = np.repeat([f"p{i}" for i in range(12 * k)], images).astype(object)
    found = estimates(y, np.eye(k)[y], y, classes, None, patients)
    assert all_well(found)
    value = named(found)
    assert value["auroc"].value == 1 and 0.7 < value["auroc"].low < 1
    if k == 2:
        assert value["auroc"].how == "Newcombe, no misranked pair"
        assert value["sensitivity"].low == pytest.approx(wilson(12, 12)[0])
        assert value["sensitivity"].how == ("Wilson" if images == 1 else "Wilson, clustered in 12 patients")
    else:
        assert value["auroc"].how == "mean of the classes' bounds (Newcombe)"


@pytest.mark.parametrize("k", [2, 3])
def test_a_constant_score_ranks_nobody(k: int) -> None:
    y = np.arange(30 * k) % k
    found = estimates(y, np.full((30 * k, k), 1 / k), np.zeros(30 * k, int), THREE[:k], None, None)
    assert all_well(found)
    assert named(found)["auroc"].value == 0.5


def test_one_class_in_the_test_part_is_said() -> None:
    y = np.zeros(20, int)
    p = np.linspace(0.1, 0.9, 20)
    measured = measure(y, binary(p), (p > 0.5).astype(int), TWO, "malignant", resample(y, None, 1, 0, 100))
    names = [one.name for one in measured.estimates]
    assert "auroc" not in names and "sensitivity" not in names and "calibration_slope" not in names
    assert "specificity" in names and "brier" in names
    assert "No malignant case in the test part." in measured.notes
    assert any(note.startswith("AUROC and AUPRC cannot be computed") for note in measured.notes)
    assert all_well(measured.estimates)


def test_an_absent_class_is_left_out_of_the_averages_and_named() -> None:
    y, scores, calls = simulate(90, 3)
    keep = y != 2
    measured = measure(y[keep], scores[keep], calls[keep], THREE, None, resample(y[keep], None, None, 0, 200))
    value = named(measured.estimates)
    assert "auroc[normal]" not in value
    assert value["auroc"].value == pytest.approx((value["auroc[benign]"].value + value["auroc[malignant]"].value) / 2)
    assert "The averages leave out normal." in measured.notes
    assert all_well(measured.estimates)


def test_a_class_that_is_never_called_is_named() -> None:
    y, scores, _ = simulate(60, 2)
    measured = measure(y, scores, np.zeros(60, int), TWO, None, resample(y, None, 1, 0, 100))
    assert "ppv" not in named(measured.estimates)
    assert "No case was called malignant: PPV cannot be computed." in measured.notes
    measured = measure(y, scores, np.ones(60, int), TWO, None, resample(y, None, 1, 0, 100))
    assert "Every case was called malignant: NPV cannot be computed." in measured.notes


@pytest.mark.parametrize(
    "p, why",
    [
        ([0.1, 0.2, 0.3, 0.7, 0.8, 0.9], "the scores separate the classes wholly"),
        ([0.5] * 6, "all scores are the same"),
        ([0.1, 0.2, 0.6, 0.6, 0.8, 0.9], "the errors are too few for it"),
    ],
)
def test_a_calibration_that_cannot_be_fitted_is_said(p: list[float], why: str) -> None:
    y = np.repeat([0, 0, 0, 1, 1, 1], 6)
    scores = binary(np.repeat(p, 6))
    measured = measure(y, scores, y, TWO, None, resample(y, None, 1, 0, 100))
    assert "calibration_slope" not in named(measured.estimates)
    assert f"The calibration slope cannot be computed: {why}." in measured.notes


@pytest.mark.parametrize("n", [2, 3, 5])
def test_tiny_test_parts_answer_with_wide_intervals(n: int) -> None:
    y = np.arange(n) % 2
    found = estimates(y, binary(np.linspace(0.2, 0.7, n)), y, TWO, None, None)
    assert all_well(found)
    assert named(found)["auroc"].high - named(found)["auroc"].low > 0.3


def test_an_empty_test_part_is_said() -> None:
    none = np.zeros(0, int)
    measured = measure(none, np.zeros((0, 2)), none, TWO, None, resample(none, None, 1, 0, 10))
    assert measured.estimates == () and measured.notes == ("There is no case in the test part.",)


@pytest.mark.parametrize(
    "scores, y",
    [(np.full((4, 2), np.nan), [0, 1, 0, 1]), (np.ones((4, 3)), [0, 1, 0, 1]), (np.full((2, 2), 0.5), [0, 2])],
)
def test_what_is_no_score_or_no_label_is_refused_in_words(scores: np.ndarray, y: list[int]) -> None:
    with pytest.raises(BadInput) as error:
        estimates(np.array(y), scores, np.array(y), TWO, None, None)
    assert error.value.advice
