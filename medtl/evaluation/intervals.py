"""95 % intervals in closed form. They hold where a bootstrap gives up: no error at all, or very few cases."""

from collections.abc import Callable
from math import sqrt
from statistics import NormalDist

Z = NormalDist().inv_cdf(0.975)
# With fewer patients of a kind than this, a bootstrap is too sure of itself: of simulated test parts with 1, 5 and 8
# ill, 40 well and an AUROC of 0.92, its 95 % interval held the truth in 76, 83 and 85 %, Newcombe's in 94, 98 and 97 %.
FEW = 10
Interval = tuple[float, float]


def wilson(hits: float, n: float, z: float = Z) -> Interval:
    """Wilson's score interval of `hits` of `n` (J Am Stat Assoc 1927;22:209). Never of zero width; 0 to 1 for n = 0.

    `hits` need not be whole: for a mean of values between 0 and 1 the interval is too wide rather than too narrow, as
    such values vary at most as much as a proportion with the same mean.
    """
    if n == 0:
        return 0.0, 1.0
    p = hits / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * sqrt(max(0.0, p * (1 - p)) / n + z * z / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def newcombe(auroc: float, ill: int, well: int, z: float = Z) -> Interval:
    """Newcombe's method 5 for the Mann-Whitney AUROC (Stat Med 2006;25:559-573): where |a - t| = z sqrt(V(t)).

    V is Hanley and McNeil's variance with both sample sizes replaced by their mean, taken at t and not at a, so that
    the interval keeps its width when no pair is misranked.
    """
    more = (ill + well) / 2 - 1

    def reach(t: float) -> float:
        spread = t * (1 - t) / (ill * well) * (1 + more * ((1 - t) / (2 - t) + t / (1 + t)))
        return z * sqrt(max(0.0, spread))

    low = _bisect(lambda t: auroc - t <= reach(t), 0.0, auroc)
    high = 1 - _bisect(lambda t: (1 - t) - auroc <= reach(1 - t), 0.0, 1 - auroc)
    return low, high


def square_and_add(
    first: float, of_first: Interval, second: float, of_second: Interval, together: float = 0.0
) -> Interval:
    """Interval of first - second from the interval of each (Newcombe, Stat Med 1998;17:873, method 10).

    `together` is how far the two go together (-1 to 1; Zou and Donner, Stat Med 2008;27:1693). At 0 they are taken for
    independent: too wide rather than narrow for two scores of the same cases.
    """
    below, above = first - of_first[0], of_first[1] - first
    under, over = second - of_second[0], of_second[1] - second
    down = sqrt(max(0.0, below**2 - 2 * together * below * over + over**2))
    up = sqrt(max(0.0, above**2 - 2 * together * above * under + under**2))
    return first - second - down, first - second + up


def _bisect(holds: Callable[[float], bool], low: float, high: float) -> float:
    """The smallest t in [low, high] from which on `holds` is true; it is at `high`."""
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
