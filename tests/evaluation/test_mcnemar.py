"""McNemar against the coin and the chi-square of another library; the interval against simulation."""

import numpy as np
import pytest
from scipy import stats

from medtl.evaluation.mcnemar import McNemar, mcnemar


def table(both: int, first: int, second: int, neither: int) -> McNemar:
    a = np.repeat([True, True, False, False], [both, first, second, neither])
    b = np.repeat([True, False, True, False], [both, first, second, neither])
    found = mcnemar(a, b, "sensitivity")
    assert found is not None
    return found


@pytest.mark.parametrize("first, second", [(0, 0), (1, 0), (3, 9), (12, 12), (0, 24), (20, 4)])
def test_few_that_disagree_are_thrown_like_a_coin(first: int, second: int) -> None:
    found = table(30, first, second, 5)
    wanted = stats.binomtest(first, first + second).pvalue if first + second else 1.0
    assert found.p == pytest.approx(wanted) and found.how == "exact"


@pytest.mark.parametrize("first, second", [(25, 0), (10, 15), (40, 60), (13, 13)])
def test_many_that_disagree_are_held_against_chi_square(first: int, second: int) -> None:
    found = table(30, first, second, 5)
    square = max(0, abs(first - second) - 1) ** 2 / (first + second)
    assert found.p == pytest.approx(stats.chi2.sf(square, 1)) and "continuity" in found.how


def test_the_difference_is_that_of_the_shares_and_never_without_width() -> None:
    found = table(40, 6, 2, 12)
    assert found.difference.value == pytest.approx(46 / 60 - 42 / 60)
    assert (found.only_first, found.only_second, found.difference.n) == (6, 2, 60)
    same = table(60, 0, 0, 0).difference
    assert same.value == 0 and same.low < 0 < same.high
    assert mcnemar(np.zeros(0, bool), np.zeros(0, bool), "sensitivity") is None


def test_a_published_interval_is_met() -> None:
    """Newcombe, Stat Med 1998;17:2635, table III: e = 36, f = 12, g = 2, h = 0 gives 0.0569 to 0.3404 by method 10."""
    found = table(36, 12, 2, 0).difference
    assert (found.low, found.high) == pytest.approx((0.0569, 0.3404), abs=6e-5)


def test_the_interval_holds_the_truth_nineteen_times_in_twenty() -> None:
    random = np.random.default_rng(0)
    shares = np.array([0.6, 0.15, 0.05, 0.2])
    held = []
    for counts in random.multinomial(40, shares, 800):
        gap = table(*map(int, counts)).difference
        held.append(gap.low <= 0.1 <= gap.high)
    assert 0.93 < np.mean(held) < 0.985
