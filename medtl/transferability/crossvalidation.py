"""The column that decides for frozen strategies: what a well-fitted head on these features reaches out of fold.

Letters: n cases, D features, r directions, K classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from medtl.training.folds import folds as cut
from medtl.training.folds import most
from medtl.training.head import log_loss, path, softly, softmax
from medtl.transferability.spectrum import spectrum

FOLDS = 5
# Coarser than a training's path, and the same for every source.
STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
# Directions of the features that are kept: all of them for fewer cases; beyond, the head's own regularisation would
# leave next to nothing of the others (docs/benchmarks.md).
WIDEST = 256
MANY, CHOOSING = 200, 2  # from so many cases on, so many folds are enough to choose the strength by
TOLERANCE = 1e-3  # of the solver: a comparison of sources needs no third decimal of a weight


@dataclass(frozen=True)
class OutOfFold:
    """Scores (n, K) of each case by heads that saw neither it nor anything of its group, averaged over repeats.

    `turned` (n, r) are the standardised features in their own directions, widest first.
    """

    scores: np.ndarray
    turned: np.ndarray
    strength: float
    loss: float
    folds: int
    repeats: int

    @property
    def how(self) -> str:
        again = f", {self.repeats} times" if self.repeats > 1 else ""
        return f"out of fold, {self.folds} folds{again}"


@threadpool_limits.wrap(limits=1)  # several pools of threads fight over the cores (see `training.head`)
def out_of_fold(
    features: np.ndarray, labels: np.ndarray, groups: np.ndarray, classes: int, seed: int = 0
) -> OutOfFold | None:
    """None when a class has too few groups to stand in two folds. `groups` (n,) are never divided.

    Repeated for small n, where one draw of folds means little. The strength is the one of least log-loss in the first
    draw (with many cases, in two of its folds): chosen on cases it is judged by, among five, alike for every source.
    """
    fewest = most(labels, groups, classes)
    if fewest < 2:
        return None
    folds, repeats = min(FOLDS, fewest), _repeats(len(labels))
    ready = turned(features)
    first = cut(labels, groups, folds, seed)
    strength = _strength(ready, labels, first[:CHOOSING] if len(labels) >= MANY else first, classes)
    logits = np.zeros((len(labels), classes))
    for repeat in range(repeats):
        again = cut(labels, groups, folds, seed + repeat) if repeat else first
        logits += _once(ready, labels, again, classes, (strength,))[0]
    scores = softmax(logits / repeats)
    return OutOfFold(scores, ready, strength, log_loss(scores, labels), folds, repeats)


def _strength(features: np.ndarray, labels: np.ndarray, folds: Sequence[np.ndarray], classes: int) -> float:
    asked = np.concatenate(folds)
    logits = _once(features, labels, folds, classes, STRENGTHS)[:, asked]
    return STRENGTHS[int(np.argmin([log_loss(softmax(one), labels[asked]) for one in logits]))]


def _once(
    features: np.ndarray, labels: np.ndarray, folds: Sequence[np.ndarray], classes: int, strengths: Sequence[float]
) -> np.ndarray:
    """(strengths, n, K) log scores of every case by the head that did not see its fold."""
    found = np.zeros((len(strengths), len(labels), classes))
    for unseen in folds:
        rest = np.setdiff1d(np.arange(len(labels)), unseen)
        heads = path(features[rest], labels[rest], classes, strengths, standardise=False, tolerance=TOLERANCE)
        for row, head in enumerate(heads):
            found[row, unseen] = np.log(np.clip(head.scores(features[unseen]), 1e-12, 1))
    return found


def _repeats(n: int) -> int:
    return 1 if n >= 2 * MANY else 3 if n >= MANY else 5


@threadpool_limits.wrap(limits=1)
def turned(features: np.ndarray) -> np.ndarray:
    """(n, D) -> (n, r): standardised as a training would and turned into their own directions, which a head with an L2
    penalty does not feel but a solver does: of 1,280 features of 300 cases 300 are left."""
    mean, scale = softly(features)
    standard = ((features - mean) / scale).astype(np.float32)
    if not np.any(standard):
        return standard[:, :1]
    _, directions = spectrum(standard)
    return np.asarray(standard @ directions[:WIDEST].T.astype(np.float32))
