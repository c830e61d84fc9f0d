"""Shares and means of cases with an interval by patient, and differences of two numbers: what groups, sets, readers and
pooled answers have in common. Knows no metric by name."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medtl.evaluation.intervals import FEW, Interval, Z, square_and_add, wilson
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


def share_from(
    name: str, hits: int, of: Bools, drawn: Floats | None, resampling: Resampling, z: float = Z
) -> Estimate | None:
    """`share` from what it is in each draw (draws,), for those who have many to work out at once."""
    n = int(of.sum())
    if not n:
        return None
    units, value = resampling.units(of), hits / n
    if not resampling.repeats:
        return Estimate(name, value, *wilson(hits, n, z), n, "Wilson")
    low, high = stretched(value, percentiles(drawn), z) if drawn is not None else (0.0, 0.0)
    if high > low and units >= FEW:
        return Estimate(name, value, max(0.0, low), min(1.0, high), n, resampling.how)
    how = f"Wilson on {units} {resampling.unit}{'' if units == 1 else 's'}"
    return Estimate(name, value, *wilson(value * units, units, z), n, how)


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
    name: str, one: Estimate, other: Estimate, drawn: Floats, how: str, n: int, believed: bool = True, z: float = Z
) -> Estimate:
    """One minus the other. `drawn` (draws,) is that difference in each draw; where the draws agree, or are not to be
    believed as somebody has too few patients, the two intervals are squared and added."""
    value = one.value - other.value
    low, high = stretched(value, percentiles(drawn), z)
    if not (believed and high > low):
        low, high = square_and_add(one.value, (one.low, one.high), other.value, (other.low, other.high))
        how = f"square and add, {'all draws agree' if believed else f'fewer than {FEW} patients of a kind'}"
    return Estimate(name, value, max(-1.0, low), min(1.0, high), n, how)


def stretched(value: float, interval: Interval, z: float) -> Interval:
    """A 95 % interval made as wide as a normal one of `z` would be. The far tails of 2,000 draws hold a draw or
    none, so their percentiles say nothing; the spread, which all draws tell, is stretched instead."""
    low, high = interval
    return value - (value - low) * z / Z, value + (high - value) * z / Z


def ratio(top: Floats, bottom: Floats) -> Floats:
    """NaN where a draw holds nobody."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(bottom > 0, top / bottom, np.nan), float)


def _sum(values: NDArray[Any], weights: Weights) -> Floats:
    if values.dtype == bool:
        return np.asarray(weights.sum(axis=0, dtype=float))
    return np.asarray(np.einsum("n,nd->d", values.astype(float), weights))
