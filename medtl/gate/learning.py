"""What the gate needs of a cohort's own cases, from the cohort's cache of pictures."""

from collections.abc import Sequence

import numpy as np

from medtl.cohorts.appearance import appearance
from medtl.cohorts.pixels import Pixels
from medtl.cohorts.pool import in_order
from medtl.gate.gate import MOST
from medtl.gate.photometry import Seen, seen
from medtl.vocabulary import Case


def some(rows: np.ndarray) -> np.ndarray:
    """At most MOST of these rows, always the same ones."""
    if len(rows) <= MOST:
        return rows
    return np.sort(np.random.default_rng(0).permutation(rows)[:MOST])


def seen_of(pixels: Pixels, cases: Sequence[Case]) -> Seen:
    found = list(in_order(lambda case: appearance(pixels.image(case.id)), cases))
    return seen(found, [case.facts for case in cases])
