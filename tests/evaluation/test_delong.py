"""DeLong's test against the definition written out, pair by pair, and against chance."""

import numpy as np
import pytest
from scipy import stats

from medtl.evaluation.delong import DeLong, delong, interval
from medtl.evaluation.ranking import rank


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


def by_patient(has: np.ndarray, score: np.ndarray, group: np.ndarray) -> tuple[float, float]:
    """AUROC and standard error written out, patient by patient: Obuchowski 1997, section 2.2."""
    ill, well = score[has][:, None], score[~has][None, :]
    kernel = (ill > well) + 0.5 * (ill == well)
    area, m, n = kernel.mean(), has.sum(), (~has).sum()
    tens = {g: sum(kernel.mean(axis=1)[group[has] == g]) - area * sum(group[has] == g) for g in set(group)}
    ones = {g: sum(kernel.mean(axis=0)[group[~has] == g]) - area * sum(group[~has] == g) for g in set(group)}
    i10, i01, i = len(set(group[has])), len(set(group[~has])), len(set(group))
    s10 = i10 / ((i10 - 1) * m) * sum(v**2 for v in tens.values())
    s01 = i01 / ((i01 - 1) * n) * sum(v**2 for v in ones.values())
    s11 = i / (i - 1) * sum(tens[g] * ones[g] for g in tens)
    return float(area), float(np.sqrt(s10 / m + s01 / n + 2 * s11 / (m * n)))


@pytest.mark.parametrize("digits", [8, 0], ids=["no ties", "many ties"])
@pytest.mark.parametrize("images", [1, 4])
def test_the_interval_of_one_auroc_is_obuchowski_s_on_the_logit_scale(images: int, digits: int) -> None:
    has, score, _ = drawn(5, n=80, digits=digits)
    group = np.arange(80) // images  # patients of four images have both kinds
    area, se = by_patient(has, score, group)
    if images == 1:  # then it is DeLong's: the paired test against a score that ranks nobody
        flat = asked(has, score, np.zeros(80)).difference
        assert (flat.high - flat.low) / 2 / 1.959964 == pytest.approx(se, rel=1e-5)
    found = interval(rank(has, score), group)
    assert found is not None
    low, high = (np.log(bound / (1 - bound)) for bound in found)
    assert (low + high) / 2 == pytest.approx(np.log(area / (1 - area)), abs=1e-9)
    reach = (high - low) / 2 / (se / (area * (1 - area)))
    assert 1.96 < reach < 2.15  # Student's t of the degrees of freedom


def test_copies_of_cases_add_no_certainty() -> None:
    has, score, _ = drawn(2)
    plain = interval(rank(has, score), np.arange(60))
    copied = interval(rank(np.repeat(has, 3), np.repeat(score, 3)), np.repeat(np.arange(60), 3))
    assert plain is not None and copied == pytest.approx(plain, abs=1e-9)


@pytest.mark.parametrize("has", [np.arange(20) < 10, np.arange(20) == 0, np.zeros(20, bool), np.zeros(0, bool)])
def test_without_errors_or_patients_there_is_no_such_interval(has: np.ndarray) -> None:
    assert interval(rank(has, -np.arange(len(has), dtype=float)), np.arange(len(has))) is None
