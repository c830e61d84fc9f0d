"""How far the target's images lie from what a source learned from, as the source sees both.

Letters: n cases, D features.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from threadpoolctl import threadpool_limits

from medtl.transferability.statistics import Statistics

Nearness = Literal["close", "related", "far"]
# Of the Fréchet distance as a share of the source's own spread (docs/benchmarks.md tells what was measured): unseen
# images of the source's own kind stay below the first, another organ or modality lies above the second.
CLOSE, RELATED = 0.8, 1.3


@dataclass(frozen=True)
class Distance:
    """`frechet` is the squared Fréchet distance of the two normal distributions, `share` that over the source's total
    variance: 0 the same, 1 as far apart as the source's own images are spread."""

    frechet: float
    share: float

    @property
    def nearness(self) -> Nearness:
        return "close" if self.share < CLOSE else "related" if self.share < RELATED else "far"


@threadpool_limits.wrap(limits=1)
def between(source: Statistics, target: Statistics) -> Distance:
    """Fréchet distance of two normal distributions, |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^1/2).

    Dowson and Landau 1982, J Multivar Anal 12:450; on features, Heusel et al. 2017, arXiv:1706.08500. Both covariances
    are "some directions and one variance for the rest", so outside of all kept directions the roots are known.
    """
    shift = float(((source.mean.astype(np.float64) - target.mean) ** 2).sum())
    both = np.linalg.qr(np.vstack([source.directions, target.directions]).T.astype(np.float64))[0].T  # (q, D)
    one, other = _within(source, both), _within(target, both)
    root = _root(one)
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ other @ root), 0)).sum()
    inside = float(np.trace(one) + np.trace(other) - 2 * cross)
    outside = (len(source.mean) - len(both)) * (np.sqrt(source.rest) - np.sqrt(target.rest)) ** 2
    found = max(0.0, shift + inside + float(outside))
    return Distance(found, found / max(source.total, 1e-12))


def nearest(kinds: Sequence[Statistics], target: Statistics) -> Distance | None:
    """To the nearest of the kinds of images a source learned from; None where it keeps none, or of another width."""
    of_width = [kind for kind in kinds if len(kind.mean) == len(target.mean)]
    return min((between(kind, target) for kind in of_width), key=lambda found: found.share, default=None)


def told_apart(source: np.ndarray, target: np.ndarray, groups: np.ndarray, seed: int = 0) -> float:
    """AUROC, out of fold, of a linear classifier that tells source cases (m, D) from target cases (n, D) apart.

    0.5: nobody can; 1: no overlap, and no weighting of source cases can help. Classifier two-sample test, Lopez-Paz and
    Oquab 2017, arXiv:1610.06545. `groups` (m + n,) are never divided.
    """
    from medtl.evaluation.ranking import macro_auroc
    from medtl.transferability.crossvalidation import out_of_fold

    labels = np.repeat([0, 1], [len(source), len(target)])
    found = out_of_fold(np.concatenate([source, target]), labels, groups, 2, seed)
    return macro_auroc(labels, found.scores) if found else float("nan")


def _within(of: Statistics, axes: np.ndarray) -> np.ndarray:
    """The covariance within the space of the rows of `axes` (q, D), which holds all its kept directions."""
    kept = of.directions.astype(np.float64) @ axes.T  # (r, q)
    return np.asarray((kept.T * (of.variances - of.rest)) @ kept + of.rest * np.eye(len(axes)))


def _root(matrix: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T)
