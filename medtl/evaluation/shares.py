"""Shares and means of cases with an interval by patient, and differences of two numbers: what groups, sets, readers and
pooled answers have in common. Knows no metric by name."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medtl.evaluation.intervals import FEW, Interval, newcombe, square_and_add, wilson
from medtl.evaluation.resampling import Bools, Floats, Resampling, Weights, percentiles
from medtl.vocabulary import Estimate


def sums(columns: Sequence[NDArray[Any]], resampling: Resampling) -> Floats:
    """(c, draws): the sum of each column (n,) over the cases of each draw, exact for whole numbers."""
    places = [np.flatnonzero(column) for column in columns]
    parts = [
        np.stack([_sum(column[at], weights[at]) for column, at in zip(columns, places, strict=True)])
        for weights in resampling.chunks()
    ]
    return np.concatenate(parts, axis=1) if parts else np.zeros((len(columns), 0))


def share(name: str, hits: Bools, of: Bools, resampling: Resampling) -> Estimate | None:
    """Of the cases `of` (n,), how many are hits. Wilson where a patient has one case, else draws of patients, or Wilson
    on the patients where the draws agree or the patients are few. None of nobody."""
    if not of.any():
        return None
    drawn = None
    if resampling.repeats:
        hit, every = sums([hits & of, of], resampling)
        drawn = ratio(hit, every)
    return share_from(name, int((hits & of).sum()), of, drawn, resampling)


def share_from(name: str, hits: int, of: Bools, drawn: Floats | None, resampling: Resampling) -> Estimate | None:
    """`share` from what it is in each draw (draws,), for those who have many to work out at once."""
    n = int(of.sum())
    if not n:
        return None
    units, value = resampling.units(of), hits / n
    if not resampling.repeats:
        return Estimate(name, value, *wilson(hits, n), n, "Wilson")
    low, high = percentiles(drawn) if drawn is not None else (0.0, 0.0)
    if high > low and units >= FEW:
        return Estimate(name, value, low, high, n, resampling.how)
    how = f"Wilson on {units} {resampling.unit}{'' if units == 1 else 's'}"
    return Estimate(name, value, *wilson(value * units, units), n, how)


def auroc_bounds(value: float, drawn: Floats, units: tuple[int, int], resampling: Resampling) -> tuple[Interval, str]:
    """The draws' percentiles, or Newcombe's interval where they all agree or the patients of a kind are too few.
    `units` are the patients with and without."""
    low, high = percentiles(drawn)
    if high > low and min(units) >= FEW:
        return (low, high), resampling.how
    why = {1.0: "no misranked pair", 0.0: "every pair misranked"}.get(value, "all draws agree")
    if high > low:
        why = f"fewer than {FEW} {resampling.unit}s of a kind"
    return newcombe(value, *units), f"Newcombe, {why}"


def mean(name: str, values: Floats, resampling: Resampling, top: float) -> Estimate | None:
    """Mean over all cases of values (n,) between 0 and `top`."""
    n = len(values)
    if not n:
        return None
    value, units = float(np.mean(values)), resampling.units(np.ones(n, bool))
    total, every = sums([values, np.ones(n, bool)], resampling)
    low, high = percentiles(ratio(total, every))
    if high > low and units >= FEW:
        return Estimate(name, value, low, high, n, resampling.how)
    low, high = wilson(value / top * units, units)
    return Estimate(name, value, low * top, high * top, n, f"Wilson on {units} {resampling.unit}s")


def difference(
    name: str, one: Estimate, other: Estimate, drawn: Floats, how: str, n: int, believed: bool = True
) -> Estimate:
    """One minus the other. `drawn` (draws,) is that difference in each draw; where the draws agree, or are not to be
    believed as somebody has too few patients, the two intervals are squared and added."""
    value = one.value - other.value
    low, high = percentiles(drawn)
    if not (believed and high > low):
        low, high = square_and_add(one.value, (one.low, one.high), other.value, (other.low, other.high))
        how = f"square and add, {'all draws agree' if believed else f'fewer than {FEW} patients of a kind'}"
    return Estimate(name, value, low, high, n, how)


def ratio(top: Floats, bottom: Floats) -> Floats:
    """NaN where a draw holds nobody."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(bottom > 0, top / bottom, np.nan), float)


def _sum(values: NDArray[Any], weights: Weights) -> Floats:
    if values.dtype == bool:
        return np.asarray(weights.sum(axis=0, dtype=float))
    return np.asarray(np.einsum("n,nd->d", values.astype(float), weights))
