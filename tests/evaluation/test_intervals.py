"""Intervals in closed form, against the published table and against what they are defined by."""

import pytest

from medtl.evaluation.intervals import Z, newcombe, square_and_add, wilson

# The table shown to users, in per cent.
TABLE = [
    (10, 11, 62, 98), (9, 10, 60, 98), (18, 20, 70, 97), (45, 50, 79, 96), (90, 100, 83, 94), (180, 200, 85, 93),
    (5, 5, 57, 100), (10, 10, 72, 100), (20, 20, 84, 100), (50, 50, 93, 100), (100, 100, 96, 100),
]  # fmt: skip


@pytest.mark.parametrize("hits, n, low, high", TABLE)
def test_wilson_on_the_table(hits: int, n: int, low: int, high: int) -> None:
    assert [round(100 * bound) for bound in wilson(hits, n)] == [low, high]


@pytest.mark.parametrize("n", [1, 2, 7, 50, 1000])
def test_wilson_is_symmetric_inside_0_and_1_and_never_of_zero_width(n: int) -> None:
    for hits in range(0, n + 1, max(1, n // 7)):
        low, high = wilson(hits, n)
        assert 0 <= low < high <= 1
        assert wilson(n - hits, n) == pytest.approx((1 - high, 1 - low))
    assert wilson(0, 0) == (0, 1)


@pytest.mark.parametrize("ill, well", [(1, 1), (1, 40), (10, 10), (42, 87), (500, 500)])
@pytest.mark.parametrize("auroc", [0.0, 0.3, 0.5, 0.81, 1.0])
def test_newcombe_solves_its_equation_and_is_never_of_zero_width(auroc: float, ill: int, well: int) -> None:
    low, high = newcombe(auroc, ill, well)
    assert 0 <= low <= auroc <= high <= 1 and high - low > 0.001
    for bound in (low, high):
        if 0 < bound < 1:
            # Hanley and McNeil's variance in its first form (Q1, Q2), with the mean of both sample sizes.
            q1, q2, n = bound / (2 - bound), 2 * bound**2 / (1 + bound), (ill + well) / 2
            variance = (bound * (1 - bound) + (n - 1) * (q1 + q2 - 2 * bound**2)) / (ill * well)
            assert abs(auroc - bound) == pytest.approx(Z * variance**0.5, abs=1e-6)
    assert newcombe(1 - auroc, ill, well) == pytest.approx((1 - high, 1 - low), abs=1e-6)


def test_newcombe_narrows_with_more_cases() -> None:
    lows = [newcombe(1.0, n, n)[0] for n in (5, 10, 50, 500)]
    assert lows == sorted(lows) and lows[-1] > 0.99


def test_a_difference_of_equals_holds_zero() -> None:
    low, high = square_and_add(0.9, (0.8, 0.95), 0.9, (0.8, 0.95))
    assert low == pytest.approx(-high) and low < 0 < high
