"""The ROC rises from left to right inside its band, and its area is the AUROC."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

from medtl.evaluation.curves import pr, roc
from medtl.evaluation.resampling import resample


@pytest.mark.parametrize("digits", [1, 8])
def test_the_curve_is_the_empirical_one_on_the_grid(digits: int) -> None:
    random = np.random.default_rng(0)
    y = random.integers(0, 2, 200)
    p = np.round(1 / (1 + np.exp(-random.normal(y))), digits)
    (name, curve), *none = roc(y, np.column_stack([1 - p, p]), ("a", "b"), "b", None, draws=200).items()
    assert name == "b" and not none
    assert curve["auroc"] == pytest.approx(roc_auc_score(y, p))
    fpr, tpr, low, high = (np.array(curve[key]) for key in ("fpr", "tpr", "low", "high"))
    assert len(fpr) == 101 and (fpr[0], fpr[-1], tpr[-1]) == (0, 1, 1)
    false, true, _ = roc_curve(y, p, drop_intermediate=False)
    assert tpr == pytest.approx(np.interp(fpr, false, true), abs=1e-4)
    assert (np.diff(tpr) >= 0).all() and (low <= tpr + 0.02).all() and (tpr <= high + 0.02).all()
    assert np.trapezoid(tpr, fpr) == pytest.approx(curve["auroc"], abs=0.02)


def test_a_perfect_curve_has_a_band_all_the_same() -> None:
    y = np.repeat([0, 1], 15)
    curve = roc(y, np.column_stack([1 - y, y]).astype(float), ("a", "b"), None, None, draws=50)["b"]
    assert set(curve["tpr"]) == {1.0} and curve["low"][50] < 0.9


def test_every_class_that_can_be_ranked_has_a_curve() -> None:
    y = np.array([0, 1] * 15)
    scores = np.random.default_rng(0).dirichlet(np.ones(3), 30)
    assert list(roc(y, scores, ("a", "b", "c"), None, None, draws=20)) == ["a", "b"]
    assert roc(np.zeros(30, int), scores, ("a", "b", "c"), None, None, draws=20) == {}


@pytest.mark.parametrize("images", [1, 3])
@pytest.mark.parametrize("digits", [1, 8])
def test_precision_is_scikit_learn_s_at_each_recall(digits: int, images: int) -> None:
    random = np.random.default_rng(1)
    has = np.arange(240) % 4 == 0
    p = np.round(1 / (1 + np.exp(1 - random.normal(1.5 * has))), digits)
    who = np.array([f"p{i // images}" for i in range(240)], dtype=object)
    curve = pr(has, p, resample(has.astype(int), who, 1, 0, 200))
    assert curve is not None and curve["prevalence"] == 0.25 and len(curve["recall"]) == 100
    assert curve["auprc"] == pytest.approx(average_precision_score(has, p), abs=1e-6)
    precision, recall, _ = precision_recall_curve(has, p)
    oracle = [precision[recall >= wanted - 1e-9][-1] for wanted in curve["recall"]]
    assert curve["precision"] == pytest.approx(oracle, abs=1e-4)
    low, middle, high = (np.array(curve[key]) for key in ("low", "precision", "high"))
    assert (low <= middle).all() and (middle <= high).all() and (low < high).all()
    assert middle[-1] == pytest.approx(0.25, abs=0.25) and (low >= 0).all() and (high <= 1).all()


@pytest.mark.parametrize("ill", [4, 30])
def test_a_perfect_precision_has_a_band_all_the_same(ill: int) -> None:
    has = np.arange(60) < ill
    curve = pr(has, has.astype(float), resample(has.astype(int), None, 1, 0, 50))
    assert curve is not None and set(curve["precision"]) == {1.0} and max(curve["low"]) < 0.95


@pytest.mark.parametrize("has", [np.zeros(9, bool), np.ones(9, bool), np.zeros(0, bool)])
def test_one_kind_alone_has_no_precision_recall_curve(has: np.ndarray) -> None:
    assert pr(has, np.linspace(0, 1, len(has)), resample(has.astype(int), None, 1, 0, 20)) is None
