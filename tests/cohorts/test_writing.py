"""Writing in pictures is found, pictures without are left alone, and what was read is told to nobody."""

import dataclasses
import logging
import socket
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from medtl.cohorts import writing
from medtl.errors import NotReady

pytest.importorskip("rapidocr", reason="writing is looked for with rapidocr")

# (text, size in px, grey, picture); grey values a person can see.
WRITTEN = [
    ("ANNA SCHMIDT", 12, 255, "plain"),
    ("DOB 01/02/1950", 14, 180, "plain"),
    ("St. Mary Hospital", 18, 200, "plain"),
    ("ID 4711-88", 22, 150, "plain"),
    ("J. DOE", 30, 255, "speckle"),
    ("2021-05-04 11:32", 40, 255, "speckle"),
]
UNWRITTEN = ["plain", "speckle", "discs", "black", "rings", "speckle"]


def picture(kind: str, seed: int, side: int = 360) -> np.ndarray:
    """(side, side) uint8, as if from a scanner: a soft gradient, speckle as of ultrasound, cells, or nothing."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:side, :side] / side
    if kind == "speckle":
        grains = Image.fromarray(np.clip(rng.rayleigh(30, (side // 3, side // 3)), 0, 255).astype(np.uint8))
        return np.asarray(grains.resize((side, side), Image.Resampling.BILINEAR))
    if kind == "plain":
        return (
            (40 * rows + 30 * np.sin(7 * columns + seed) + 30 + rng.normal(0, 3, (side, side)))
            .clip(0, 255)
            .astype(np.uint8)
        )
    found = np.zeros((side, side), np.uint8)
    if kind == "rings":  # red cells in a row, which look like noughts
        for x in (0.25, 0.5, 0.75):
            far = np.hypot(rows - 0.2, columns - x)
            found[(far < 0.11) & (far > 0.06)] = 170
    if kind == "discs":
        for x, y, size in rng.uniform(0.1, 0.9, (9, 3)):
            found[(rows - y) ** 2 + (columns - x) ** 2 < (0.02 + 0.08 * size) ** 2] = 120 + int(100 * size)
    return found


def with_text(text: str, size: int, grey: int, kind: str, seed: int) -> tuple[np.ndarray, tuple[int, int, int, int]]:
    image = Image.fromarray(picture(kind, seed))
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(size)
    left, top, right, bottom = (int(v) for v in draw.textbbox((0, 0), text, font=font))
    rng = np.random.default_rng(seed)
    x, y = int(rng.integers(4, image.width - right - 4)), int(rng.integers(4, image.height - bottom - 4))
    draw.text((x, y), text, fill=grey, font=font)
    return np.asarray(image), (x + left, y + top, x + right, y + bottom)


@pytest.fixture(scope="module")
def glasses() -> Iterator[writing.Glasses]:
    """Made and used without any network: what is not on this computer is not looked for."""
    before = socket.socket.connect

    def refused(self: Any, address: Any) -> None:
        raise AssertionError("a connection was opened")

    socket.socket.connect = refused  # type: ignore[method-assign]
    try:
        yield writing.Glasses(threads=1)
    finally:
        socket.socket.connect = before  # type: ignore[method-assign]


def test_nine_of_ten_pictures_with_writing_are_found_where_it_is(glasses: writing.Glasses) -> None:
    hits = 0
    for seed, (text, size, grey, kind) in enumerate(WRITTEN):
        pixels, (left, top, right, bottom) = with_text(text, size, grey, kind, seed)
        for found in glasses.look(pixels):
            across = min(found.right * pixels.shape[1], right) - max(found.left * pixels.shape[1], left)
            down = min(found.bottom * pixels.shape[0], bottom) - max(found.top * pixels.shape[0], top)
            if across > 0.8 * (right - left) and down > 0.6 * (bottom - top):
                hits += 1
                assert found.kind == "text" and found.letters >= 3
                break
    assert hits >= 0.9 * len(WRITTEN)


def test_pictures_without_writing_are_left_alone(glasses: writing.Glasses) -> None:
    flagged = [kind for seed, kind in enumerate(UNWRITTEN) if glasses.look(picture(kind, 50 + seed))]
    assert not flagged


@pytest.mark.parametrize("text", ["PORTABLE", "LEFT"])
def test_a_marker_is_told_from_text(glasses: writing.Glasses, text: str) -> None:
    pixels, _ = with_text(text, 24, 255, "plain", 3)
    assert [found.kind for found in glasses.look(pixels)] == ["marker"]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("L", "marker"), ("R", "marker"), ("A-P", "marker"), ("RT 8", "marker"), ("LT11", "marker"),
        ("RIGHT BREAST", "marker"), ("portable erect", "marker"), ("R. Hans", "text"), ("RT 13", "text"),
        ("4711", "text"), ("Li", "marker"), ("Xu", "text"), ("12", None), ("Q", None), ("+", None), ("", None),
    ],
)  # fmt: skip
def test_markers_are_words_of_position_and_nothing_else(text: str, kind: str | None) -> None:
    """A short name that is also a word for a side is taken for the side: one more reason for a person to look."""
    assert writing._kind(text, 0.95) == kind
    assert writing._kind(text, 0.3) is None


def test_colour_is_looked_at_as_it_is(glasses: writing.Glasses) -> None:
    grey, _ = with_text("ANNA SCHMIDT", 20, 0, "black", 1)
    colour = np.stack([np.full_like(grey, 40)] * 3, axis=2)
    ink, _ = with_text("ANNA SCHMIDT", 20, 255, "black", 1)
    colour[ink > 100] = (230, 200, 20)
    assert [found.kind for found in glasses.look(colour)] == ["text"]


def test_what_was_read_is_told_to_nobody(
    glasses: writing.Glasses, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """The names of the fields are the promise: a place, a length and a kind."""
    pixels, _ = with_text("ANNA SCHMIDT", 20, 255, "plain", 2)
    with caplog.at_level(logging.DEBUG):
        (found,) = glasses.look(pixels)
    said = caplog.text + "".join(capfd.readouterr()) + repr(dataclasses.asdict(found))
    assert "anna" not in said.casefold() and "schmidt" not in said.casefold()
    assert [field.name for field in dataclasses.fields(found)] == ["left", "top", "right", "bottom", "letters", "kind"]
    assert 0 <= found.left < found.right <= 1 and 0 <= found.top < found.bottom <= 1


def test_a_picture_too_small_to_read_is_not_looked_at(glasses: writing.Glasses) -> None:
    assert glasses.look(np.zeros((63, 400), np.uint8)) == ()


def test_without_the_library_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rapidocr", None)
    with pytest.raises(NotReady, match="not installed"):
        writing.Glasses()
