"""A smooth curve of the share that has it over the score, with a band from the draws. Knows no bins and no words.

A logistic regression on a natural cubic spline of logit(score) (Harrell, Regression Modeling Strategies, 2nd ed., sect.
2.4.5; that smooth curves show what bins hide: Austin and Steyerberg, Stat Med 2014;33:517). Letters: n cases, m points
of the curve, b groups of cases of like score, p columns of the spline, d draws.
"""

from dataclasses import dataclass

import numpy as np

from medtl.evaluation.calibration import logit
from medtl.evaluation.resampling import Bools, Floats, Ints, Resampling

KNOTS = (0.05, 0.35, 0.65, 0.95)  # quantiles of the scores (Harrell, table 2.3)
POINTS = 51
GROUPS = 200  # cases of like score are put together for the draws; the fit hardly notices
STEPS = 12
RIDGE = 1e-3  # on the bent columns, so that a draw with too little to bend by is straight


@dataclass(frozen=True)
class Curve:
    """At each score (m,) the share that has it, and its band of 95 % at that point."""

    score: tuple[float, ...]
    share: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    how: str


def curve(has: Bools, score: Floats, resampling: Resampling) -> Curve | None:
    """From the 1st to the 99th percentile of the scores. None where the scores are too alike for a spline."""
    x = logit(score)
    knots = np.unique(np.quantile(x, KNOTS)) if len(x) else np.zeros(0)
    if len(knots) < len(KNOTS) or has.all() or not has.any():
        return None
    middle, spread = float(x.mean()), float(x.std())
    columns = _spline((x - middle) / spread, (knots - middle) / spread)  # (n, p)
    whole = _fit(columns, has[:, None].astype(float), np.ones((len(x), 1)), None)  # (p, 1)
    label, groups = _groups(x)
    size = np.bincount(label, minlength=groups)
    means = np.stack([np.bincount(label, column, groups) for column in columns.T], axis=1) / size[:, None]  # (b, p)
    ill, every = resampling.sums(label, groups, has.astype(float)), resampling.sums(label, groups)  # (b, d)
    drawn = _fit(means, ill, every, whole)  # (p, d)
    first, last = (float(end) for end in np.quantile(score, [0.01, 0.99]))
    at = np.linspace(first, last, POINTS)
    shown = _spline((logit(at) - middle) / spread, (knots - middle) / spread)  # (m, p)
    share = _share(shown, whole)[:, 0]
    low, high = np.percentile(_share(shown, drawn), [2.5, 97.5], axis=1)
    return Curve(
        _told(at), _told(share), _told(low), _told(high), f"logistic spline of {len(KNOTS)} knots, {resampling.how}"
    )


def _told(values: Floats) -> tuple[float, ...]:
    return tuple(round(float(one), 5) for one in values)


def _groups(x: Floats) -> tuple[Ints, int]:
    """Each case's group (n,), equal scores together, and how many there are."""
    values, inverse = np.unique(x, return_inverse=True)
    if len(values) <= GROUPS:
        return inverse, len(values)
    edges = np.unique(np.quantile(x, np.arange(1, GROUPS) / GROUPS))
    _, label = np.unique(np.searchsorted(edges, x, side="right"), return_inverse=True)
    return label, int(label.max()) + 1


def _spline(x: Floats, knots: Floats) -> Floats:
    """(n, p): one, x, and p - 2 columns that bend between the knots and are straight beyond them (Harrell eq. 2.25)."""

    def cubed(knot: float) -> Floats:
        return np.maximum(x - knot, 0) ** 3

    first, last, before = knots[0], knots[-1], knots[-2]
    bent = [
        (cubed(t) - cubed(before) * (last - t) / (last - before) + cubed(last) * (before - t) / (last - before))
        / (last - first) ** 2
        for t in knots[:-2]
    ]
    return np.stack([np.ones_like(x), x, *bent], axis=1)


def _fit(columns: Floats, ill: Floats, every: Floats, start: Floats | None) -> Floats:
    """(p, d) coefficients of as many logistic fits: `ill` of `every` (b, d) cases have it at columns (b, p)."""
    p, d = columns.shape[1], every.shape[1]
    beta = np.zeros((p, d)) if start is None else np.repeat(start, d, axis=1)
    ridge = np.diag([0.0, *[RIDGE] * (p - 1)])
    pairs = np.einsum("bp,bq->pqb", columns, columns).reshape(p * p, -1)
    exact = start is None
    for _ in range(STEPS):
        mu = _share(columns, beta)
        pull = np.einsum("bp,bd->pd", columns, ill - every * mu) - ridge @ beta
        bend = np.einsum("kb,bd->dk", pairs, every * mu * (1 - mu)).reshape(d, p, p) + ridge + 1e-9 * np.eye(p)
        step = np.clip(np.linalg.solve(bend, pull.T[:, :, None])[:, :, 0].T, -5, 5)
        beta = beta + step
        if np.abs(step).max() < (1e-8 if exact else 1e-3):
            break
    return beta


def _share(columns: Floats, beta: Floats) -> Floats:
    return 1 / (1 + np.exp(-np.clip(np.einsum("bp,pd->bd", columns, beta), -30, 30)))
