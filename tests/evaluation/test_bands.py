"""Everybody gets one group, bands are not too small, and nothing unreadable is guessed."""

import numpy as np
import pytest

from medtl.evaluation.bands import MISSING, age_bands, folded, groups, in_order, number_bands


def test_ages_fall_into_decades_that_hold_enough() -> None:
    ages = list(np.random.default_rng(0).normal(58, 11, 400).clip(1, 99))
    bands = age_bands(ages)
    sizes = {band: bands.count(band) for band in set(bands)}
    assert min(sizes.values()) >= 20
    for age, band in zip(ages, bands, strict=True):
        low, _, high = band.partition("–")
        if high:
            assert int(low) <= age < int(high) + 1
    names = in_order(bands)
    assert names[0].startswith("under") and names[-1].endswith("and over") and "50–59" in names


def test_ages_are_read_as_dicom_writes_them() -> None:
    ages = ["063Y", "63", 63.0, "018M", "003W", None, "", "old", -1, float("nan")]
    assert age_bands(ages, least=1) == ["2 and over"] * 3 + ["under 2"] * 2 + [None] * 5
    assert age_bands(["030Y"] * 3) == ["all ages"] * 3


@pytest.mark.parametrize("values", [[], [None, None], [3.0, 3.0, None]])
def test_numbers_without_spread_have_no_bands(values: list[float | None]) -> None:
    assert set(number_bands(values)) <= {None, "3"}


def test_numbers_fall_into_quarters() -> None:
    bands = number_bands(list(np.arange(400)))
    assert {name: bands.count(name) for name in set(bands)} == {
        "under 99.8": 100, "99.8 to 200": 100, "200 to 299": 99, "from 299": 101,
    }  # fmt: skip


def test_numbers_are_put_into_bands_and_bands_are_left_alone() -> None:
    ages = [float(age) for age in range(20, 90)] * 3
    made = groups("age", [*ages, None])
    assert "50–59" in made and made[-1] == MISSING and made[:210] == groups("Age (years)", [f"{a:.0f}Y" for a in ages])
    assert groups("age", ["50–59"] * 6 + ["60–69"] * 6) == ["50–59"] * 6 + ["60–69"] * 6
    assert groups("width", list(range(100)))[0] == "under 24.8"
    assert groups("stage", [1, 2, 3, 4] * 10)[:4] == ["1", "2", "3", "4"]
    assert groups("age", [None, ""]) == [MISSING] * 2


def test_rare_values_are_folded_and_missing_ones_kept_apart() -> None:
    values = ["A"] * 30 + ["B"] * 20 + ["C", "D", None, " "]
    made = folded(values)
    assert made[-4:] == ["other (2 values)", "other (2 values)", MISSING, MISSING]
    assert folded(["A"] * 30 + ["C"]) == ["A"] * 30 + ["C"]
    many = folded([f"site {i}" for i in range(20) for _ in range(10 + i)])
    assert len(set(many)) == 8 and "other (13 values)" in many
    assert in_order(["other (2 values)", MISSING, "b", "A", "70 and over", "under 40", "40–69"]) == [
        "under 40", "40–69", "70 and over", "A", "b", "other (2 values)", MISSING,
    ]  # fmt: skip
