"""PPV and NPV elsewhere: the table shown to users, Bayes with counts, and intervals that come from the ratios."""

import numpy as np
import pytest

from medtl.errors import BadInput
from medtl.evaluation.operating import Point, count
from medtl.evaluation.prevalence import at_prevalence


def point(found: int, ill: int, alarms: int, well: int, images: int = 1) -> Point:
    has = np.repeat([True, False], [ill * images, well * images])
    called = np.repeat(np.concatenate([np.arange(ill) < found, np.arange(well) < alarms]), images)
    return count(has, called, np.arange(len(has)) // images)


@pytest.mark.parametrize("prevalence, ppv", [(0.5, 90), (0.2, 69), (0.1, 50), (0.05, 32), (0.02, 16), (0.01, 8)])
def test_the_table_of_a_test_of_90_and_90_per_cent(prevalence: float, ppv: int) -> None:
    told = at_prevalence(point(90, 100, 10, 100), prevalence)
    assert told.ppv is not None and round(100 * told.ppv.value) == ppv
    assert told.npv is not None
    assert told.npv.value == pytest.approx(0.9 * (1 - prevalence) / (0.9 * (1 - prevalence) + 0.1 * prevalence))


def test_at_the_test_part_s_own_prevalence_they_are_its_own() -> None:
    one = point(31, 40, 9, 110)
    told = at_prevalence(one, 40 / 150)
    assert told.ppv is not None and told.npv is not None
    assert told.ppv.value == pytest.approx(31 / 40) and told.npv.value == pytest.approx(101 / 110)


def test_intervals_are_those_of_mercaldo_lau_and_zhou() -> None:
    """Their standard logit interval: logit(PPV) -+ z sqrt((1 - se) / (se n1) + sp / ((1 - sp) n0))."""
    told = at_prevalence(point(80, 100, 30, 200), 0.1)
    assert told.ppv is not None and told.npv is not None
    for one, spread in ((told.ppv, 0.2 / 80 + 0.85 / 30), (told.npv, 0.8 / 20 + 0.15 / (0.85 * 200))):
        middle = np.log(one.value / (1 - one.value))
        bounds = 1 / (1 + np.exp(-(middle + 1.959964 * np.sqrt(spread) * np.array([-1, 1]))))
        assert (one.low, one.high) == pytest.approx(tuple(bounds), abs=1e-6)


def test_a_thousand_people_add_up() -> None:
    told = at_prevalence(point(88, 100, 10, 100), 0.1)
    people = told.people
    assert people is not None and (people.of, people.have, people.found, people.missed) == (1000, 100, 88, 12)
    assert people.alarmed == 90 and people.have + people.alarmed + people.passed == 1000
    assert told.says.startswith("In 1,000 of your patients 100 have it: the model finds 88 and misses 12")
    assert "This holds if" in told.assumes
    rare = at_prevalence(point(88, 100, 10, 100), 0.0002)
    assert rare.people is not None and rare.people.of == 100_000 and rare.people.have == 20


def test_copies_of_cases_add_no_certainty() -> None:
    plain, copied = (at_prevalence(point(30, 40, 6, 60, images), 0.1).ppv for images in (1, 4))
    assert plain is not None and copied is not None and copied.how.endswith("clustered by patient")
    assert copied.high - copied.low == pytest.approx(plain.high - plain.low, rel=0.06)


@pytest.mark.parametrize("counts", [(10, 10, 0, 10), (0, 10, 0, 10), (10, 10, 10, 10), (0, 10, 10, 10), (0, 0, 1, 9)])
def test_degenerate_counts_are_answered_in_words(counts: tuple[int, int, int, int]) -> None:
    told = at_prevalence(point(*counts), 0.1)
    assert told.says
    for one in (told.ppv, told.npv):
        assert one is None or (0 <= one.low <= one.value <= one.high <= 1 and one.low < one.high)
    if counts == (0, 10, 0, 10):
        assert told.ppv is None and "Nobody is called" in told.says


@pytest.mark.parametrize("prevalence", [0.0, 1.0, -0.1, np.nan, np.inf])
def test_a_prevalence_that_is_none_is_refused(prevalence: float) -> None:
    with pytest.raises(BadInput):
        at_prevalence(point(8, 10, 1, 10), prevalence)


def test_images_are_not_counted_as_people() -> None:
    one, several = (at_prevalence(point(30, 40, 6, 60, images), 0.1) for images in (1, 4))
    assert "of your patients" in one.says and "images of your patients" not in one.says
    assert (
        several.says.startswith("In 1,000 images of your patients 100 have it") and "images that are" in several.assumes
    )
