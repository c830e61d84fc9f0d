"""How often a map agrees with what clinicians marked, over many cases, with intervals. numpy only."""

from collections.abc import Sequence

import numpy as np

from medtl.evaluation.intervals import wilson
from medtl.explanation.attention import Overlap
from medtl.explanation.badges import mean
from medtl.vocabulary import Estimate


def over_cases(found: Sequence[Overlap], patients: Sequence[str | None] | None = None) -> tuple[Estimate, ...]:
    """Named "pointing" (share of cases whose strongest point lies in the region), "iou", "inside" (share of the map's
    mass in the region) and "area" (what "inside" would be for a map that points nowhere). Empty without a case."""
    if not found:
        return ()
    hits = np.array([one.hit for one in found], float)
    several = patients is not None and len({p for p in patients if p}) < sum(1 for p in patients if p)
    made = []
    if several:
        made.append(Estimate("pointing", *_in_order(hits, patients)))
    else:
        low, high = wilson(float(hits.sum()), len(hits))
        made.append(Estimate("pointing", float(hits.mean()), low, high, len(hits), "Wilson"))
    for name in ("iou", "inside", "area"):
        values = np.array([getattr(one, name) for one in found], float)
        values = np.where(np.isfinite(values), values, 0.0)  # an empty map has nothing inside
        made.append(Estimate(name, *_in_order(values, patients)))
    return tuple(made)


def _in_order(values: np.ndarray, patients: Sequence[str | None] | None) -> tuple[float, float, float, int, str]:
    value, low, high, how = mean(values, patients)
    return value, low, high, len(values), how
