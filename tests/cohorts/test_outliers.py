from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageFilter

from medtl.cohorts.findings import outliers
from medtl.cohorts.findings.looks import measure
from medtl.cohorts.formats import images
from tests.cohorts.cases import USUAL, alike, case, many

CASES = many("a", 300)
FACTS = {"width": 640, "height": 480, "format": "PNG"}


def found(cases, looks, constant=()):
    return {one.code: one for one in outliers.findings(cases, looks, constant) if one}


def with_facts(count: int, *changed: dict) -> list:
    """`count` cases of one size, the first ones changed."""
    facts = [{**FACTS, **(changed[n] if n < len(changed) else {})} for n in range(count)]
    return [case(f"c{n}", facts=one) for n, one in enumerate(facts)]


@pytest.mark.parametrize("count", [2, 8, 12, 60, 300, 5000])
@pytest.mark.parametrize("seed", range(5))
def test_a_cohort_of_one_kind_has_no_outliers(count, seed):
    cases = many("a", count)
    assert found(cases, alike(cases, seed)) == {}


@pytest.mark.parametrize("count", [8, 60, 300])
def test_identical_looks_have_no_outliers_either(count):
    cases = many("a", count)
    nearly = {
        one.id: replace(USUAL, brightness=0.4 + 1e-4 * n, sharpness=0.3 + 1e-4 * n) for n, one in enumerate(cases)
    }
    assert found(cases, dict.fromkeys((one.id for one in cases), USUAL)) == {}
    assert found(cases, nearly) == {}


@pytest.mark.parametrize("count", [8, 300])
def test_dark_and_blurred_pictures_are_found_worst_first(count):
    looks = alike(CASES[:count])
    looks["a3"] = replace(USUAL, brightness=0.03, contrast=0.04)
    looks["a5"] = replace(USUAL, brightness=0.01, contrast=0.01)
    looks["a7"] = replace(USUAL, sharpness=0.02)
    by_code = found(CASES[:count], looks)
    assert set(by_code) == {"dark-image", "blurred-image"}
    assert by_code["dark-image"].cases == ("a5", "a3") and by_code["dark-image"].severity == "warn"
    assert by_code["blurred-image"].cases == ("a7",)


def test_a_film_that_is_mostly_black_is_not_dark():
    """Black for the most, and bright where the hand is."""
    looks = dict.fromkeys((one.id for one in CASES), USUAL) | {
        "a1": replace(USUAL, brightness=0.08, contrast=0.18, dark=0.8)
    }
    assert found(CASES, looks) == {}


def test_a_cohort_that_is_dark_throughout_is_said_once_and_no_case_is_blamed():
    dim = replace(USUAL, brightness=0.05, contrast=0.05)
    dark = found(CASES, dict.fromkeys((one.id for one in CASES), dim))["dark-image"]
    assert "Most images" in dark.message and dark.cases == ()


def test_blank_pictures_are_their_own_finding_and_not_dark_as_well():
    looks = alike(CASES) | {"a1": replace(USUAL, brightness=0, contrast=0, sharpness=0)}
    by_code = found(CASES, looks, constant=["a1"])
    assert set(by_code) == {"constant-image"} and by_code["constant-image"].cases == ("a1",)


def test_colour_among_grey_and_grey_among_colour():
    grey, colour = USUAL, replace(USUAL, colour=0.2)
    of = lambda odd, rest: {one.id: odd if one.id == "a4" else rest for one in CASES}  # noqa: E731
    assert "in colour among grey" in found(CASES, of(colour, grey))["colour-outlier"].message
    among = found(CASES, of(grey, colour))["colour-outlier"]
    assert "grey among coloured" in among.message and among.cases == ("a4",)
    mixed = {one.id: colour if n % 3 == 0 else grey for n, one in enumerate(CASES)}
    assert found(CASES, mixed) == {}


def test_a_thumbnail_and_a_turned_picture_are_odd_and_similar_sizes_are_not():
    cases = with_facts(100, {"width": 64, "height": 48}, {"width": 480, "height": 640})
    odd = found(cases, {})["odd-size"]
    assert odd.cases == ("c0", "c1") and "64 x 48" in odd.message and "640 x 480" in odd.message
    assert found(with_facts(100, {"width": 600, "height": 480}), {}) == {}


def test_cropped_images_all_have_their_own_size():
    random = np.random.default_rng(0)
    cases = with_facts(100, *({"width": int(w), "height": int(h)} for w, h in random.integers(300, 900, (100, 2))))
    assert found(cases, {}) == {}


def test_two_sizes_of_which_many_are_is_no_slip():
    assert found(with_facts(100, *[{"width": 64, "height": 64}] * 30), {}) == {}


def test_several_modalities_warn_and_few_files_of_another_format_are_a_note():
    mixed = with_facts(100, *[{"format": "DICOM", "modality": "CT"}] * 97, *[{"format": "DICOM", "modality": "MR"}] * 3)
    odd = found(mixed, {})["odd-modality"]
    assert odd.severity == "warn" and "CT 97 and MR 3" in odd.message and odd.cases == ("c97", "c98", "c99")
    few = found(with_facts(100, {"format": "BMP"}), {})["odd-modality"]
    assert few.severity == "note" and few.cases == ("c0",)
    assert found(with_facts(100, *[{"format": "BMP"}] * 40), {}) == {}


def test_cases_of_which_nothing_is_known_are_passed_over():
    assert found(CASES, {}) == {} and found([], {}) == {}


@pytest.mark.parametrize(("name", "every"), [("breast-ultrasound-busi-256", 6), ("chest-xray-kermany-224", 40)])
def test_real_images_have_no_outliers_and_a_spoilt_one_is_found(shared, name, every):
    files = sorted(
        file for file in (shared / "data" / "images" / name).rglob("*.*") if file.suffix in (".png", ".jpeg")
    )
    pictures = {f"c{n}": images.read(file).pixels for n, file in enumerate(files[::every])}
    cases = [case(id, facts={"width": 256, "height": 256}) for id in pictures]
    assert len(cases) > 100
    looks = {id: measure(picture) for id, picture in pictures.items()}
    assert found(cases, looks) == {}
    blurred = np.asarray(Image.fromarray(pictures["c1"]).filter(ImageFilter.GaussianBlur(4)))
    looks |= {"c1": measure(blurred), "c2": measure((pictures["c2"] // 12).astype(np.uint8))}
    assert {code: one.cases for code, one in found(cases, looks).items()} == {
        "dark-image": ("c2",),
        "blurred-image": ("c1",),
    }
