"""Which of several measured sources to recommend: the best, or, where data cannot tell, the one expected to be best.

On small cohorts the highest score out of fold is partly luck: over sixty draws taking it cost 0.015 AUROC, the rule for
ties 0.005, on the cases the rule was made on (docs/benchmarks.md).

Letters: n cases, K classes.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from medtl.evaluation.comparison import difference
from medtl.evaluation.resampling import Floats, Ints
from medtl.vocabulary import Source

ENOUGH = 200  # training images from which on being close to a target is a reason
MARGIN = 0.10  # of measured AUROC that is given up at most for what is expected
DRAWS = 1000  # of patients, for an interval
BROAD = 100_000  # training images from which on a source counts as broadly trained


class Standing(IntEnum):
    """What is expected of a source before anything is measured; the smaller, the better."""

    CLOSE = 0  # it learned from images like these, as the distance of its features says
    BROAD = 1  # it learned from very many images of all sorts, and forgot little of it since
    NARROW = 2  # it was adapted to a few thousand images of another kind, or nobody knows


@dataclass(frozen=True)
class Candidate:
    """`scores` (n, K) out of fold, `value` their AUROC."""

    source: str
    scores: Floats
    value: float
    standing: Standing


def expected(source: Source, nearness: str) -> Standing:
    """From how near the target is to what it learned from ("close"), and from how much that was, as its card says."""
    number = re.match(r"\d[\d,]*", source.cases)
    learned_from = int(number[0].replace(",", "")) if number else 0
    if nearness == "close" and learned_from >= ENOUGH:
        return Standing.CLOSE
    return Standing.BROAD if learned_from >= BROAD and source.origin != "run" else Standing.NARROW


def choose(
    candidates: Sequence[Candidate],
    y: Ints,
    classes: Sequence[str],
    positive: str | None,
    patients: NDArray[np.object_] | None,
) -> tuple[Candidate, tuple[Candidate, ...]]:
    """The recommended one, and those that cannot be told from the one of highest score (it among them, best first).

    A source stays in while no other is shown to be better than it (95 % interval of their paired difference) and it
    lies within `MARGIN` of the highest. Of those the best standing is taken, and of equal standing the highest score.
    """
    ranked = sorted(candidates, key=lambda one: -one.value)
    tied = [
        one
        for one in ranked
        if one.value >= ranked[0].value - MARGIN
        and not any(
            difference(y, other.scores, one.scores, classes, positive, patients, draws=DRAWS).low > 0
            for other in ranked
            if other.value > one.value
        )
    ]
    return min(tied, key=lambda one: (one.standing, -one.value)), tuple(tied)
