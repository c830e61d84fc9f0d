"""Whether scores mean what they say: slope and intercept, for many weightings of the cases at once (two classes)."""

import numpy as np
from numpy.typing import NDArray

from medtl.evaluation.resampling import Floats, Weights

EDGE = 1e-6  # a score nearer to 0 or 1 counts as this near, or its logit would be infinite
# A Newton step smaller than this ends the search, as the next one would be near its square: of draws, whose intervals
# are hundreds of times wider, and of weights in double precision, as the whole test part has them.
ENOUGH, EXACT = 0.03, 1e-6
STEPS = 25


def logit(score: Floats) -> Floats:
    inside = np.clip(score, EDGE, 1 - EDGE)
    return np.log(inside / (1 - inside))


def line(
    x: Floats, has: NDArray[np.bool_], weights: Weights, start: dict[str, float] | None = None
) -> dict[str, Floats]:
    """Name -> (d,): slope with its constant, and intercept. `start` is what the whole test part gave: where that has no
    fit, neither has a draw of it. NaN where all cases are of one kind."""
    start = {"_constant": 0.0, "calibration_slope": 1.0, "calibration_intercept": 0.0} if start is None else start
    values = {name: np.full(weights.shape[1], np.nan) for name in start}
    if has.all() or not has.any():
        return values
    if np.isfinite(start["calibration_slope"]):
        fitted = slope(x, has, weights, (start["_constant"], start["calibration_slope"]))
        values["calibration_slope"], values["_constant"] = fitted
    if np.isfinite(start["calibration_intercept"]):
        values["calibration_intercept"] = intercept(x, has, weights, start["calibration_intercept"])
    return values


def slope(
    x: Floats, has: NDArray[np.bool_], weights: Weights, start: tuple[float, float] = (0.0, 1.0)
) -> tuple[Floats, Floats]:
    """Coefficient of x = logit(score) in a logistic fit of the outcome on x, and its constant: (d,) each.

    Below 1: scores too extreme. NaN where the fit has no end, as when the scores separate the classes wholly.
    """
    d, kind = weights.shape[1], weights.dtype
    enough = _enough(weights)
    constant, coefficient = np.full(d, start[0], kind), np.full(d, start[1], kind)
    going = np.ones(d, bool)
    xs, ys = x.astype(kind), has.astype(kind)
    sums = np.stack([np.ones_like(xs), xs, xs * xs])  # (3, n)
    for _ in range(STEPS):
        w = weights if going.all() else weights[:, going]
        pull, curve = _derivatives(xs[:, None] * coefficient[going] + constant[going], ys, w)
        g0, g1 = np.einsum("kn,nd->kd", sums[:2], pull).astype(float)
        h0, h1, h2 = np.einsum("kn,nd->kd", sums, curve).astype(float)
        with np.errstate(divide="ignore", invalid="ignore"):
            determinant = h0 * h2 - h1 * h1
            steps = np.stack([(h2 * g0 - h1 * g1) / determinant, (h0 * g1 - h1 * g0) / determinant])
        steps = np.clip(np.where(determinant > 1e-9 * h0 * h2, steps, np.nan), -5, 5)
        constant[going] += steps[0]
        coefficient[going] += steps[1]
        going[going] = ~(np.abs(steps).max(axis=0) < enough) & ~np.isnan(steps[0])
        if not going.any():
            break
    coefficient[going] = np.nan
    return coefficient.astype(float), constant.astype(float)


def intercept(x: Floats, has: NDArray[np.bool_], weights: Weights, start: float = 0.0) -> Floats:
    """Constant of the same fit with the slope held at 1, (d,). Above 0: scores too low. NaN where it has no end."""
    kind, enough = weights.dtype, _enough(weights)
    constant = np.full(weights.shape[1], start, kind)
    xs, ys = x.astype(kind), has.astype(kind)
    for _ in range(STEPS):
        pull, curve = _derivatives(xs[:, None] + constant, ys, weights)
        with np.errstate(divide="ignore", invalid="ignore"):
            step = np.clip(pull.sum(axis=0, dtype=float) / curve.sum(axis=0, dtype=float), -2, 2)
        constant += step.astype(kind)
        if not (np.abs(step) >= enough).any():
            return constant.astype(float)
    return np.where(np.abs(step) < enough, constant, np.nan).astype(float)


def _enough(weights: Weights) -> float:
    return EXACT if weights.dtype == np.float64 else ENOUGH


def _derivatives(eta: Weights, y: Weights, weights: Weights) -> tuple[Weights, Weights]:
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
