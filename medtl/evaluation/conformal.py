"""Prediction sets: every class that cannot be ruled out at a wanted error, from the scores of the tune part."""

import math

import numpy as np

from medtl.evaluation.resampling import Floats, Ints

ERROR = 0.1


def limit(y: Ints, scores: Floats, error: float = ERROR) -> float:
    """The least score a class must have to stay in the set (split conformal, LAC: Sadinle et al., arXiv:1609.00451).

    With n tune cases the ceil((n + 1)(1 - error))-th smallest of 1 - score of the true class; with too few cases for
    that (n < 1/error - 1) nothing can be ruled out and the limit is 0. The tune part also chose the model, so coverage
    is near 1 - error, not guaranteed.
    """
    n = len(y)
    rank = math.ceil((n + 1) * (1 - error))
    if rank > n:
        return 0.0
    return float(1 - np.sort(1 - scores[np.arange(n), y])[rank - 1])


def members(scores: Floats, least: float) -> list[int]:
    """Indices of the classes in the set of one case (k,), highest score first; empty means unlike anything."""
    return [int(i) for i in np.argsort(-scores) if scores[i] >= least]
