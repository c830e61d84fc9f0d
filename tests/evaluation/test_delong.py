"""DeLong's test against the definition written out, pair by pair, and against chance."""

import numpy as np
import pytest
from scipy import stats

from medtl.evaluation.delong import DeLong, delong


def by_definition(has: np.ndarray, first: np.ndarray, second: np.ndarray) -> tuple[float, float, float]:
    """Difference, standard error and p from the kernel of every (ill, well) pair: DeLong 1988, equations 3 to 6."""
    placed = []
    for score in (first, second):
        ill, well = score[has][:, None], score[~has][None, :]
        kernel = (ill > well) + 0.5 * (ill == well)
        placed.append((kernel.mean(axis=1), kernel.mean(axis=0), kernel.mean()))
    s10, s01 = (np.cov(placed[0][i], placed[1][i]) for i in (0, 1))
    s = s10 / has.sum() + s01 / (~has).sum()
    se = float(np.sqrt(s[0, 0] + s[1, 1] - 2 * s[0, 1]))
    gap = float(placed[0][2] - placed[1][2])
    return gap, se, float(2 * stats.norm.sf(abs(gap) / se))


def drawn(seed: int, n: int = 60, gap: float = 0.0, digits: int = 8) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores that go together, as those of two models of the same cases do; few digits make ties."""
    random = np.random.default_rng(seed)
    has = np.arange(n) % 3 == 0
    common = random.normal(size=n) + has
    return has, *(np.round(common + 0.7 * random.normal(size=n) + more * has, digits) for more in (gap, 0))


def asked(*cases: np.ndarray) -> DeLong:
    found = delong(*cases)
    assert found is not None
    return found


@pytest.mark.parametrize("digits", [8, 0], ids=["no ties", "many ties"])
@pytest.mark.parametrize("seed", range(4))
def test_it_is_what_the_definition_says(seed: int, digits: int) -> None:
    cases = drawn(seed, gap=0.3, digits=digits)
    gap, se, p = by_definition(*cases)
    found = asked(*cases)
    assert found.difference.value == pytest.approx(gap, abs=1e-12) and found.p == pytest.approx(p, rel=1e-9)
    assert (found.difference.high - found.difference.low) / 2 == pytest.approx(1.959964 * se, rel=1e-5)
    assert found.difference.n == len(cases[0]) and found.difference.how == "DeLong"


def test_turned_around_it_says_the_same_of_the_other() -> None:
    has, first, second = drawn(3, gap=0.5)
    there, back = asked(has, first, second), asked(has, second, first)
    assert there.p == pytest.approx(back.p) and there.difference.value == pytest.approx(-back.difference.value)


def test_where_nothing_differs_p_is_below_a_twentieth_once_in_twenty() -> None:
    said = [asked(*drawn(seed)).p < 0.05 for seed in range(600)]
    assert 0.03 < np.mean(said) < 0.075


@pytest.mark.parametrize(
    "has, first, second",
    [
        (np.arange(20) % 2 == 0, np.arange(20.0), np.arange(20.0)),  # the same ranking twice
        (np.arange(20) < 10, -np.arange(20.0), -2 * np.arange(20.0)),  # two perfect ones
        (np.arange(20) == 0, np.arange(20.0), -np.arange(20.0)),  # one ill case
        (np.zeros(20, bool), np.arange(20.0), -np.arange(20.0)),
    ],
)
def test_without_spread_there_is_no_test(has: np.ndarray, first: np.ndarray, second: np.ndarray) -> None:
    assert delong(has, first, second) is None
