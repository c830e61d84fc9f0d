"""How well a score ranks those who have it above those who don't, for many weightings of the cases at once."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medtl.evaluation.resampling import Floats, Ints, Weights


@dataclass(frozen=True)
class Ranking:
    """Cases from the highest score down. `ends` (g,) are the last places of the g groups of equal scores."""

    order: Ints  # (n,)
    has: NDArray[np.bool_]  # (n,) in that order: whether the case has it
    ends: Ints  # (g,)


def rank(has: NDArray[np.bool_], score: Floats) -> Ranking:
    order = np.argsort(-score, kind="stable")
    falling = score[order]
    ends = np.flatnonzero(np.append(falling[1:] != falling[:-1], True)) if len(score) else np.zeros(0, int)
    return Ranking(order, has[order], ends)


def found(ranking: Ranking, weights: Weights) -> tuple[Weights, Weights]:
    """(g, d) true and false positives when everything down to each group is called: the ROC's corners, (0, 0) left out.

    Weights are counts, so float32 is exact up to 16 million cases.
    """
    sorted_weights = weights[ranking.order]
    every = np.cumsum(sorted_weights, axis=0)
    sorted_weights[~ranking.has] = 0
    true = np.cumsum(sorted_weights, axis=0)
    if len(ranking.ends) < len(ranking.order):  # ties: only the ends of their groups are operating points
        every, true = every[ranking.ends], true[ranking.ends]
    return true, every - true


def auroc(true: Weights, false: Weights) -> Floats:
    """Chance that one who has it scores above one who hasn't, ties counting half, (d,); NaN where a kind is missing."""
    ill, well = true[-1].astype(float), false[-1].astype(float)
    # Those with it in each group beat all others below the group, and half of those in it.
    beaten = false[-1] - false + _steps(false) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray((_steps(true) * beaten).sum(axis=0, dtype=float) / (ill * well))


def auprc(true: Weights, false: Weights) -> Floats:
    """Average precision, (d,): precision x gain in recall, summed over the groups; NaN where a kind is missing."""
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = np.nan_to_num(true / (true + false))  # where nobody is called yet, the gain is 0 too
        area = (_steps(true) * precision).sum(axis=0, dtype=float) / true[-1]
    return np.where(false[-1] > 0, area, np.nan)


def placed(ranking: Ranking) -> tuple[Floats, float]:
    """How well each case is ranked among those of the other kind, (n,) in the ranking's order, and the mean, the AUROC.

    Of one that has it the share of the others below it, of one that hasn't the share above it; ties count half.
    """
    true, false = (one[:, 0].astype(float) for one in found(ranking, np.ones((len(ranking.order), 1))))
    size = np.diff(ranking.ends, prepend=-1)
    below = np.repeat(false[-1] - false + _steps(false) / 2, size) / false[-1]
    above = np.repeat(true - _steps(true) / 2, size) / true[-1]
    each = np.where(ranking.has, below, above)
    return each, float(each[ranking.has].mean())


def macro_auroc(y: Ints, scores: Floats) -> float:
    """AUROC of each class against the rest, averaged; NaN where no class can be ranked. No interval: for plots only."""
    one = np.ones((len(y), 1), dtype=np.float32)
    known = [k for k in range(scores.shape[1]) if 0 < (y == k).sum() < len(y)]
    each = [auroc(*found(rank(y == k, scores[:, k]), one))[0] for k in known]
    return float(np.mean(each)) if each else float("nan")


def _steps(counts: Weights) -> Weights:
    """What each group adds to the counts above it, (g, d)."""
    return np.diff(counts, axis=0, prepend=counts.dtype.type(0))
