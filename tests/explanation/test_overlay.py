"""A map over its picture: the same size, the same colours, and the picture stays visible."""

import numpy as np
import pytest

from medtl.explanation.overlay import colours, legend, overlay

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (40, 60)).astype(np.uint8)
COLOUR = RNG.integers(0, 256, (33, 20, 3)).astype(np.uint8)


@pytest.mark.parametrize("picture", [GREY, COLOUR], ids=["grey", "colour"])
@pytest.mark.parametrize("side", [1, 7, 56])
def test_the_picture_keeps_its_size(picture: np.ndarray, side: int) -> None:
    drawn = overlay(picture, RNG.random((side, side)))
    assert drawn.shape == (*picture.shape[:2], 3) and drawn.dtype == np.uint8


def test_at_no_opacity_the_picture_is_itself() -> None:
    assert np.array_equal(overlay(GREY, RNG.random((7, 7)), 0), np.repeat(GREY[..., None], 3, axis=2))
    assert np.array_equal(overlay(COLOUR, RNG.random((7, 7)), 0), COLOUR)


def test_where_the_map_is_low_the_picture_shows_through_more() -> None:
    values = np.zeros((4, 4))
    values[:, 2:] = 1
    changed = np.abs(overlay(GREY, values, 0.6).astype(int) - GREY[..., None])
    low = np.corrcoef(GREY[:, :20].ravel(), overlay(GREY, values, 0.6)[:, :20, 0].ravel())[0, 1]
    assert low > 0.99 and changed[:, :20].mean() < changed[:, 40:].mean()
    # Half of 0.6 or more of the picture is left under the strongest part too.
    high = overlay(GREY, values, 0.6)[:, 45:, 1]
    assert np.corrcoef(GREY[:, 45:].ravel(), high.ravel())[0, 1] > 0.99


def test_the_same_value_has_the_same_colour_in_every_picture() -> None:
    assert np.array_equal(colours(np.array([0.3]))[0], colours(np.array([0.0, 0.3, 1.0]))[1])
    black = np.zeros((5, 5), np.uint8)
    assert np.array_equal(overlay(black, np.full((2, 2), 0.7), 1)[0, 0], overlay(black, np.full((9, 9), 0.7), 1)[4, 4])


def test_values_outside_of_the_scale_are_its_ends() -> None:
    assert np.array_equal(colours(np.array([-1.0, 2.0])), colours(np.array([0.0, 1.0])))


def test_the_legend_runs_from_least_to_most() -> None:
    drawn = legend()
    assert drawn.shape == (16, 256, 3) and drawn.dtype == np.uint8
    assert np.array_equal(drawn[0, 0], colours(np.array(0.0))) and np.array_equal(drawn[0, -1], colours(np.array(1.0)))
    assert drawn[0, 0, 2] > drawn[0, 0, 0] and drawn[0, -1, 0] > drawn[0, -1, 2]  # blue to red
    assert (drawn == drawn[:1]).all()


def test_what_speaks_against_is_blue_and_what_says_nothing_is_the_picture() -> None:
    from medtl.explanation.overlay import overlay_signed

    grey = np.full((30, 30), 128, np.uint8)
    signed = np.zeros((3, 3))
    signed[0, 0], signed[2, 2] = 1, -1
    drawn = overlay_signed(grey, signed, 0.8).astype(int)
    red, blue, middle = drawn[2, 2], drawn[-3, -3], drawn[2, -3]
    assert red[0] > red[2] + 60 and blue[2] > blue[0] + 60 and (abs(middle - 128) <= 2).all()
