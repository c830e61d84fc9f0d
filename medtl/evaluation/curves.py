"""The ROC and the precision-recall curve with their bands, on a fixed grid, ready to be drawn."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medtl.evaluation import ranking
from medtl.evaluation.estimates import check
from medtl.evaluation.intervals import FEW, wilson
from medtl.evaluation.operating import checked
from medtl.evaluation.resampling import Bools, Floats, Ints, Resampling, Weights, resample
from medtl.evaluation.thresholds import positive_index

GRID = np.arange(101) / 100  # false positive rates, or recalls, at which a curve is told


def roc(
    y: Ints,
    scores: Floats,
    classes: Sequence[str],
    positive: str | None,
    patients: NDArray[np.object_] | None,
    seed: int = 0,
    draws: int = 2000,
) -> dict[str, dict[str, Any]]:
    """Class -> {fpr (101), tpr, low, high, auroc}: the positive class of two, each against the rest of more."""
    y, scores = check(y, scores, classes)
    at = positive_index(classes, positive) if len(classes) == 2 else None
    return roc_with(y, scores, classes, positive, resample(y, patients, at, seed, draws))


def roc_with(
    y: Ints, scores: Floats, classes: Sequence[str], positive: str | None, resampling: Resampling
) -> dict[str, dict[str, Any]]:
    """`roc` from draws made elsewhere. A class of which there is no case, or nothing else, has no curve."""
    views = [positive_index(classes, positive)] if len(classes) == 2 else range(len(classes))
    return {
        classes[view]: _curve(y == view, scores[:, view], resampling)
        for view in views
        if 0 < np.sum(y == view) < len(y)
    }


def pr(has: Bools, score: Floats, resampling: Resampling) -> dict[str, Any] | None:
    """{recall (100), precision, low, high, auprc, prevalence} of one score; None where a kind is missing.

    The precision at the highest threshold that reaches each recall from 0.01 up. Where the draws agree or would say too
    little, Wilson's interval of the cases called there, clustered by patient.
    """
    has, score = checked(has, score)
    if has.all() or not has.any():
        return None
    order = ranking.rank(has, score)
    true, false = ranking.found(order, np.ones((len(has), 1), np.float32))
    at = _reached(true[:, 0])
    precision = (true / (true + false))[at, 0].astype(float)
    drawn = np.concatenate([_precisions(order, weights) for weights in resampling.chunks()])  # (draws, 100)
    low, high = np.nanpercentile(drawn, [2.5, 97.5], axis=0)
    few = resampling.units(has) < FEW
    falling = score[order.order][order.ends]
    for i in np.flatnonzero((high <= low) | few | (precision <= low) | (precision >= high)):
        called = score >= falling[at[i]]
        bounds = resampling.share(has & called, called).interval
        low[i], high[i] = min(low[i], bounds[0]), max(high[i], bounds[1])
    return {
        "recall": [float(x) for x in GRID[1:]],
        "precision": [round(float(x), 4) for x in precision],
        "low": [round(float(x), 4) for x in low],
        "high": [round(float(x), 4) for x in high],
        "auprc": float(ranking.auprc(true, false)[0]),
        "prevalence": float(has.mean()),
    }


def _precisions(order: ranking.Ranking, weights: Weights) -> Floats:
    """(d, 100) precision at each recall."""
    true, false = (np.ascontiguousarray(one.T, float) for one in ranking.found(order, weights))  # (d, g)
    made = np.full((len(true), len(GRID) - 1), np.nan)
    for row, t, f in zip(made, true, false, strict=True):
        if t[-1]:
            at = _reached(t)
            row[:] = t[at] / (t[at] + f[at])
    return made


def _reached(true: Weights) -> Ints:
    """The first of the rising true positives (g,) at which each recall is reached, (100,)."""
    return np.asarray(np.searchsorted(true, GRID[1:] * true[-1] - 1e-6, side="left"))


def _curve(has: NDArray[np.bool_], score: Floats, resampling: Resampling) -> dict[str, Any]:
    order = ranking.rank(has, score)
    one = np.ones((len(has), 1), np.float32)
    tpr = _on_grid(order, one)[0]
    drawn = np.concatenate([_on_grid(order, weights) for weights in resampling.chunks()])  # (draws, 101)
    low, high = np.nanpercentile(drawn, [2.5, 97.5], axis=0)
    units = resampling.units(has)
    too_few = units < FEW
    for i in np.flatnonzero(((high <= low) | too_few) & (GRID < 1)):  # draws that agree, or say too little
        low[i], high[i] = wilson(float(tpr[i]) * units, units)
    # A curve never falls, so neither does its band; where two ways of reckoning meet, the wider one is drawn.
    low, high = np.minimum.accumulate(low[::-1])[::-1], np.maximum.accumulate(high)
    return {
        "fpr": [float(x) for x in GRID],
        "tpr": [round(float(x), 4) for x in tpr],
        "low": [round(float(x), 4) for x in low],
        "high": [round(float(x), 4) for x in high],
        "auroc": float(ranking.auroc(*ranking.found(order, one))[0]),
    }


def _on_grid(order: ranking.Ranking, weights: Weights) -> Floats:
    """(d, 101) true positive rates; on a vertical piece of the curve its upper end."""
    true, false = (np.ascontiguousarray(one.T, float) for one in ranking.found(order, weights))  # (d, g)
    return np.stack([_interpolate(t, f) for t, f in zip(true, false, strict=True)])


def _interpolate(true: Floats, false: Floats) -> Floats:
    if not (true[-1] and false[-1]):  # a draw of one kind only has no curve
        return np.full(len(GRID), np.nan)
    return np.asarray(np.interp(GRID, np.append(0.0, false / false[-1]), np.append(0.0, true / true[-1])))
