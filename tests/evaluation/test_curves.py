"""The ROC rises from left to right inside its band, and its area is the AUROC."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score, roc_curve

from medtl.evaluation.curves import roc


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
