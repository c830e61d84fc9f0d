"""Whether scores mean what they say: slope and intercept, for many weightings of the cases at once (two classes)."""

import numpy as np
from numpy.typing import NDArray

from medtl.evaluation.resampling import Floats, Weights

EDGE = 1e-6  # a score nearer to 0 or 1 counts as this near, or its logit would be infinite
ENOUGH = 1e-3  # a Newton step smaller than this ends the search; intervals are hundreds of times wider
STEPS = 25


def logit(score: Floats) -> Floats:
    inside = np.clip(score, EDGE, 1 - EDGE)
    return np.log(inside / (1 - inside))


def slope(
    x: Floats, has: NDArray[np.bool_], weights: Weights, start: tuple[float, float] = (0.0, 1.0)
) -> tuple[Floats, Floats]:
    """Coefficient of x = logit(score) in a logistic fit of the outcome on x, and its constant: (d,) each.

    Below 1: scores too extreme. NaN where the fit has no end, as when the scores separate the classes wholly.
    """
    d = weights.shape[1]
    constant, coefficient = np.full(d, start[0], np.float32), np.full(d, start[1], np.float32)
    going = np.ones(d, bool)
    x32, y32 = x.astype(np.float32), has.astype(np.float32)
    sums = np.stack([np.ones_like(x32), x32, x32 * x32])  # (3, n)
    for _ in range(STEPS):
        w = weights if going.all() else weights[:, going]
        pull, curve = _derivatives(x32[:, None] * coefficient[going] + constant[going], y32, w)
        g0, g1 = np.einsum("kn,nd->kd", sums[:2], pull).astype(float)
        h0, h1, h2 = np.einsum("kn,nd->kd", sums, curve).astype(float)
        with np.errstate(divide="ignore", invalid="ignore"):
            determinant = h0 * h2 - h1 * h1
            steps = np.stack([(h2 * g0 - h1 * g1) / determinant, (h0 * g1 - h1 * g0) / determinant])
        steps = np.clip(np.where(determinant > 1e-9 * h0 * h2, steps, np.nan), -5, 5)
        constant[going] += steps[0]
        coefficient[going] += steps[1]
        going[going] = ~(np.abs(steps).max(axis=0) < ENOUGH) & ~np.isnan(steps[0])
        if not going.any():
            break
    coefficient[going] = np.nan
    return coefficient.astype(float), constant.astype(float)


def intercept(x: Floats, has: NDArray[np.bool_], weights: Weights, start: float = 0.0) -> Floats:
    """Constant of the same fit with the slope held at 1, (d,). Above 0: scores too low. NaN where it has no end."""
    constant = np.full(weights.shape[1], start, np.float32)
    x32, y32 = x.astype(np.float32), has.astype(np.float32)
    for _ in range(STEPS):
        pull, curve = _derivatives(x32[:, None] + constant, y32, weights)
        with np.errstate(divide="ignore", invalid="ignore"):
            step = np.clip(pull.sum(axis=0, dtype=float) / curve.sum(axis=0, dtype=float), -2, 2)
        constant += step.astype(np.float32)
        if not (np.abs(step) >= ENOUGH).any():
            return constant.astype(float)
    return np.where(np.abs(step) < ENOUGH, constant, np.nan).astype(float)


def _derivatives(eta: Weights, y: NDArray[np.float32], weights: Weights) -> tuple[Weights, Weights]:
    """First and (negative) second derivative of each case's weighted log-likelihood in eta; all (n, d)."""
    np.clip(eta, -30, 30, out=eta)
    np.negative(eta, out=eta)
    np.exp(eta, out=eta)
    eta += 1
    mu = np.reciprocal(eta, out=eta)  # the fitted probability
    pull = (y[:, None] - mu) * weights
    curve = mu * (1 - mu)
    curve *= weights
    return pull, curve
