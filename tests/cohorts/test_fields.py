import numpy as np
import pytest

from medtl.cohorts.findings.fields import BINS, LEVELS, UNKNOWN, recorded
from medtl.vocabulary import Case
from tests.cohorts.cases import alike, case, many


def with_facts(key: str, values) -> list[Case]:
    return [case(f"c{n}", facts={key: value}) for n, value in enumerate(values)]


def only(cases):
    (levels,) = recorded(cases, {})
    assert len(levels.codes) == len(cases) and set(levels.codes) == set(range(len(levels.names)))
    return levels


def test_what_is_unknown_constant_or_mostly_missing_is_left_out():
    assert recorded(with_facts("scanner", [None] * 20), {}) == []
    assert recorded(with_facts("scanner", ["GE"] * 20), {}) == []
    assert recorded(with_facts("scanner", ["GE", "S", None, None, None]), {}) == []


def test_not_recorded_is_a_level_of_its_own():
    assert set(only(with_facts("scanner", ["GE"] * 12 + [None] * 8)).names) == {"'GE'", UNKNOWN}
    ages = only(with_facts("age", [*range(20, 60), *[None] * 10]))
    assert ages.ordered and ages.names[-1] == UNKNOWN and (ages.codes[-10:] == len(ages.names) - 1).all()


def test_many_categories_are_gathered():
    levels = only(with_facts("scanner", [f"device {n % 100}" for n in range(1000)]))
    assert len(levels.names) == LEVELS and levels.names[-1] == "any other"


def test_numbers_become_bins_of_about_equal_size_in_order():
    levels = only(with_facts("age", np.random.default_rng(0).permutation(1000).tolist()))
    assert levels.ordered and len(levels.names) == BINS
    assert np.bincount(levels.codes).tolist() == [100] * BINS
    assert levels.names[0] == "0 to 99"


@pytest.mark.parametrize("few", [0.02, 0.2])
@pytest.mark.parametrize("above", [True, False])
def test_a_few_unlike_a_great_mass_of_equal_numbers_keep_a_bin(few, above):
    count = round(1000 * few)
    ages = [50.0] * (1000 - count) + [50 + (1 if above else -1) * (1 + n) for n in range(count)]
    levels = only(with_facts("age", ages))
    assert not set(levels.codes[: 1000 - count]) & set(levels.codes[1000 - count :])


def test_fields_that_divide_alike_count_once():
    cases = [
        case(f"c{n}", facts={"scanner": "AB"[n % 2], "site": "yx"[n % 2], "view": "uv"[n % 3 > 0]}) for n in range(30)
    ]
    names = [(levels.field.name, levels.also) for levels in recorded(cases, {})]
    assert names == [("scanner", ("site",)), ("view", ())]


def test_few_sizes_are_names_and_many_are_measured():
    def sized(widths):
        return {
            levels.field.name
            for levels in recorded([case(f"c{n}", facts={"width": w, "height": 500}) for n, w in enumerate(widths)], {})
        }

    assert sized([400, 500, 600] * 10) == {"size"}
    assert "number of pixels" in sized(range(400, 500))


def test_the_bytes_of_a_clip_are_nobodys():
    facts = [{"width": 10, "height": 10, "bytes": 100 + n} for n in range(20)]
    single = [case(f"c{n}", facts=one) for n, one in enumerate(facts)]
    frames = [case(f"c{n}", facts=one, frame=n) for n, one in enumerate(facts)]
    assert [levels.field.name for levels in recorded(single, {})] == ["file size"]
    assert recorded(frames, {}) == []


def test_looks_are_fields_too():
    cases = many("a", 100)
    assert {levels.field.name for levels in recorded(cases, alike(cases))} == {"brightness", "contrast", "sharpness"}
