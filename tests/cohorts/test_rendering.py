import numpy as np
import pytest
from pydicom.pixels.processing import apply_windowing

from medtl.cohorts.formats.images import grey_if_equal
from medtl.cohorts.formats.lookup import Table
from medtl.cohorts.formats.rendering import Palette, Rendering, Rescale, Window, eight_bits
from tests.cohorts.made_dicom import dataset

VALUES = np.arange(-2000, 3000, 7, dtype=np.int16).reshape(-1, 5)


@pytest.mark.filterwarnings("ignore:overflow")  # of pydicom's sigmoid
@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize(("centre", "width"), [(40, 400), (-600, 1500), (3, 2), (0, 1), (12.5, 0.25)])
def test_windows_agree_with_pydicom(function, centre, width):
    window = Window(centre, width, function)
    if not window.usable:
        pytest.skip("a linear window is at least 1 wide (PS3.3 C.11.2.1.2.1)")
    words = {"WindowCenter": centre, "WindowWidth": width, "VOILUTFunction": function}
    theirs = apply_windowing(VALUES, dataset(VALUES, **words))  # -32768..32767
    assert np.allclose(window(VALUES), (theirs + 32_768) / 65_535, atol=1e-6)


@pytest.mark.parametrize(("centre", "width"), [(0, 0), (0, -5), (float("nan"), 9), (0, float("inf"))])
def test_a_window_that_means_nothing_is_not_usable(centre, width):
    assert not Window(centre, width).usable


@pytest.mark.parametrize("modality", [Rescale(), Rescale(2.5, -1000), Table(-2000, np.arange(5000) % 900, 10)])
@pytest.mark.parametrize("voi", [Window(40, 400), Window(40, 400, "SIGMOID"), Table(0, np.arange(0, 4096, 3), 12)])
@pytest.mark.parametrize("padding", [None, (-2000, -1500), (-7, -7)])
def test_worked_out_by_value_or_by_pixel_it_is_the_same(modality, voi, padding):
    rendering = Rendering(modality, voi, inverted=True, padding=padding)
    large = np.tile(VALUES, (60, 30))
    assert np.array_equal(rendering(large), rendering._shown(large, voi))


@pytest.mark.parametrize("kind", [np.uint8, np.int8, np.uint16, np.int16, np.int32])
def test_values_at_both_ends_of_their_kind_are_shown(kind):
    ends = np.iinfo(kind)
    stored = np.tile(np.array([ends.min, ends.max], kind), (400, 400))
    window = Window((int(ends.min) + int(ends.max)) / 2, int(ends.max) - int(ends.min), "LINEAR_EXACT")
    assert Rendering(voi=window)(stored)[0, :2].tolist() == [0, 255]


def test_monochrome1_is_inverted_exactly_once_and_padding_is_black_in_both():
    stored = np.array([[0, 0, 10, 20]], np.int16)
    plain = Rendering(padding=(0, 0))
    assert plain(stored).tolist() == [[0, 0, 0, 255]]
    assert Rendering(padding=(0, 0), inverted=True)(stored).tolist() == [[0, 0, 255, 0]]


def test_one_value_and_no_number_are_black():
    assert Rendering()(np.full((2, 2), 7, np.int16)).tolist() == [[0, 0], [0, 0]]
    assert Rendering()(np.array([[np.nan, 0.0], [1.0, np.inf]])).tolist() == [[0, 0], [255, 0]]


def test_a_palette_of_16_bits_keeps_its_upper_8_and_one_filled_with_8_is_left_alone():
    full, low = Table(0, np.array([0, 65_535], np.uint16), 16), Table(0, np.array([0, 255], np.uint16), 16)
    stored = np.array([[0, 1]])
    assert Palette(full, low, low)(stored).tolist() == [[[0, 0, 0], [255, 0, 0]]]
    assert Palette(low, low, low)(stored).tolist() == [[[0, 0, 0], [255, 255, 255]]]


def test_colour_of_many_bits_keeps_its_upper_8():
    assert eight_bits(np.array([[[65_535, 256, 255]]], np.uint16), 16).tolist() == [[[255, 1, 0]]]
    assert eight_bits(np.array([[[4095, 16, 15]]], np.uint16), 12).tolist() == [[[255, 1, 0]]]


def test_grey_that_was_saved_as_colour_becomes_grey():
    grey = np.arange(6, dtype=np.uint8).reshape(2, 3)
    assert np.array_equal(grey_if_equal(np.stack([grey] * 3, -1)), grey)
    assert grey_if_equal(np.stack([grey, grey, grey + 1], -1)).shape == (2, 3, 3)
