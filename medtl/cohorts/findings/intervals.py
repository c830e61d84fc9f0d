"""95 % intervals of a share and of an AUROC, in closed form, for the few cases a check may have to speak of.

`medtl.evaluation` has the same formulas for results; the two packages do not see each other, and a test holds them to
the same numbers.
"""

from collections.abc import Callable
from math import sqrt
from statistics import NormalDist

Z = NormalDist().inv_cdf(0.975)
Interval = tuple[float, float]


def wilson(hits: float, n: float, z: float = Z) -> Interval:
    """Score interval of `hits` of `n`, whole or not (Wilson, J Am Stat Assoc 1927;22:209): never of zero width."""
    if n == 0:
        return 0.0, 1.0
    p = hits / n
    centre, half = p + z * z / (2 * n), z * sqrt(max(0.0, p * (1 - p)) / n + z * z / (4 * n * n))
    return max(0.0, (centre - half) / (1 + z * z / n)), min(1.0, (centre + half) / (1 + z * z / n))


def of_auroc(auroc: float, ill: float, well: float, z: float = Z) -> Interval:
    """Newcombe's method 5 (Stat Med 2006;25:559): all values within `z` of their own Hanley-McNeil standard errors.

    It keeps its width when every pair is ranked right, which DeLong's and a bootstrap do not.
    """
    more = (ill + well) / 2 - 1

    def reaches(value: float, from_: float) -> bool:
        spread = 1 + more * ((1 - value) / (2 - value) + value / (1 + value))
        return abs(from_ - value) <= z * sqrt(value * (1 - value) * spread / (ill * well))

    low = _nearest(lambda value: reaches(value, auroc), 0.0, auroc)
    high = 1 - _nearest(lambda value: reaches(1 - value, auroc), 0.0, 1 - auroc)
    return low, high


def _nearest(holds: Callable[[float], bool], low: float, high: float) -> float:
    """The smallest value in [low, high] from which on `holds` is true; it is at `high`."""
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
