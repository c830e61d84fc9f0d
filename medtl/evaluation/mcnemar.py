"""McNemar's test: whether two models call the same cases right equally often. One case a patient."""

from dataclasses import dataclass
from math import comb, erfc, sqrt

import numpy as np
from numpy.typing import NDArray

from medtl.evaluation.intervals import wilson
from medtl.vocabulary import Estimate

EXACT_BELOW = 25  # discordant cases; with fewer the binomial distribution itself is taken


@dataclass(frozen=True)
class McNemar:
    """Of n cases, how many only the first and only the second called right, the difference of the shares called right
    with its interval, and the two-sided p."""

    only_first: int
    only_second: int
    difference: Estimate
    p: float
    how: str


def mcnemar(first: NDArray[np.bool_], second: NDArray[np.bool_], name: str) -> McNemar | None:
    """`first`, `second` (n,): whether each model was right. `name` is what the share of right calls is called among
    these cases (sensitivity among the ill, specificity among the well). None without cases."""
    n = len(first)
    if not n:
        return None
    b, c = int((first & ~second).sum()), int((~first & second).sum())
    exact = b + c < EXACT_BELOW
    p = _exact(b, c) if exact else erfc(sqrt(max(0, abs(b - c) - 1) ** 2 / (b + c) / 2))
    low, high = _interval(int((first & second).sum()), b, c, n)
    gap = Estimate(name, (b - c) / n, low, high, n, "Newcombe, paired")
    return McNemar(b, c, gap, p, "exact" if exact else "with continuity correction")


def _exact(b: int, c: int) -> float:
    """Both tails of a fair coin thrown b + c times."""
    tail = sum(comb(b + c, k) for k in range(min(b, c) + 1))
    return min(1.0, 2 * tail / 2 ** (b + c))


def _interval(both: int, b: int, c: int, n: int) -> tuple[float, float]:
    """Newcombe's method 10 for the difference of paired proportions (Stat Med 1998;17:2635): the Wilson intervals of
    either, put together by how far the two go together. Never of zero width."""
    neither = n - both - b - c
    one, other = (both + b) / n, (both + c) / n
    (low_one, high_one), (low_other, high_other) = wilson(both + b, n), wilson(both + c, n)
    margins = (both + b) * (c + neither) * (both + c) * (b + neither)
    together = float(both * neither - b * c)
    together = max(0.0, together - n / 2) if together > 0 else together  # corrected for continuity
    phi = together / sqrt(margins) if margins else 0.0

    def reach(down: float, up: float) -> float:
        return sqrt(max(0.0, down * down - 2 * phi * down * up + up * up))

    gap = one - other
    low = gap - reach(one - low_one, high_other - other)
    high = gap + reach(high_one - one, other - low_other)
    return max(-1.0, low), min(1.0, high)
