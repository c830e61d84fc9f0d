"""Grades in order: how far the model's lie from the reference. Counts cases; knows no score but for the middle one."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from medtl.evaluation import intervals
from medtl.evaluation.resampling import Floats, Ints, Resampling, Weights, percentiles
from medtl.vocabulary import Estimate

NAMES = ("kappa_quadratic", "mean_grade_error", "exact_agreement", "within_one")
MIDDLE = "The grade in the middle: the lowest that is not exceeded with a score above one half."


def middle(scores: Floats) -> Ints:
    """(n, K) scores of the grades -> (n,) the grade called: as many as are exceeded with more than one half
    (arXiv:2111.08851 eq. 5), the median of the scores; of no other is the expected distance smaller."""
    beyond = np.cumsum(np.asarray(scores, float)[:, ::-1], axis=1)[:, ::-1]  # (n, K) P(y >= k)
    called: Ints = (beyond[:, 1:] > 0.5).sum(axis=1)
    return called


def kappa(y: Ints, calls: Ints, classes: int) -> float:
    """Cohen's kappa with quadratic weights (Psychol Bull 1968;70:213); nan where neither ever leaves one grade."""
    table = np.bincount(np.asarray(y) * classes + calls, minlength=classes**2).reshape(classes, classes, 1)
    return float(_kappa(table.astype(float))[0])


def estimates(y: Ints, calls: Ints, classes: Sequence[str], resampling: Resampling) -> list[Estimate]:
    """The numbers of NAMES, from the draws of patients that serve the others, too. One without a value is left out;
    where all draws agree, Wilson's interval on the patients (for kappa none: it has no closed form that holds)."""
    if not len(y):
        return []
    k = len(classes)
    whole = _values(y, calls, k, np.ones((len(y), 1), np.float32))
    parts = [_values(y, calls, k, weights) for weights in resampling.chunks()]
    made = []
    for name in NAMES:
        value, drawn = float(whole[name][0]), np.concatenate([part[name] for part in parts])
        if not np.isfinite(value):
            continue
        (low, high), how = percentiles(drawn), resampling.how
        if not high > low:
            if name == "kappa_quadratic":
                continue
            units, top = resampling.units(np.ones(len(y), bool)), (k - 1 if name == "mean_grade_error" else 1)
            low, high = (top * bound for bound in intervals.wilson(value / top * units, units))
            how = f"Wilson on {units} {resampling.unit}s"
        made.append(Estimate(name, value, low, high, len(y), how))
    return made


def sentence(found: Sequence[Estimate], y: Ints, calls: Ints) -> str:
    """In counts first, as every headline."""
    said = {one.name: one for one in found}
    n, right, near = len(y), int((y == calls).sum()), int((np.abs(y - calls) <= 1).sum())
    text = f"Gave {right} of {n} test cases the grade of the reference, and {near} of {n} that or the one next to it"
    if (one := said.get("kappa_quadratic")) is not None:
        text += f" (quadratic kappa {one.value:.2f}, {one.low:.2f} to {one.high:.2f})"
    return text + "."


def _values(y: Ints, calls: Ints, k: int, weights: Weights) -> dict[str, Floats]:
    """Name -> (d,) for weights (n, d)."""
    cell = y * k + calls
    order = np.argsort(cell, kind="stable")
    there, starts = np.unique(cell[order], return_index=True)
    cells = np.zeros((k * k, weights.shape[1]))
    cells[there] = np.add.reduceat(weights[order], starts, axis=0)
    table: NDArray[np.float64] = cells.reshape(k, k, -1)
    away = np.abs(np.subtract.outer(np.arange(k), np.arange(k)))
    share = table / table.sum(axis=(0, 1))
    return {
        "kappa_quadratic": _kappa(table),
        "mean_grade_error": np.einsum("ij,ijd->d", away.astype(float), share),
        "exact_agreement": np.einsum("ij,ijd->d", (away == 0).astype(float), share),
        "within_one": np.einsum("ij,ijd->d", (away <= 1).astype(float), share),
    }


def _kappa(table: Floats) -> Floats:
    """(k, k, d) counts -> (d,): 1 less the squared distances seen, over those of the same grades given by chance."""
    k = len(table)
    square = (np.subtract.outer(np.arange(k), np.arange(k)) ** 2).astype(float)
    n = table.sum(axis=(0, 1))
    seen = np.einsum("ij,ijd->d", square, table)
    by_chance = np.einsum("ij,id,jd->d", square, table.sum(axis=1), table.sum(axis=0)) / n
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(1 - seen / by_chance)
