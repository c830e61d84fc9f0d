"""What a picture looks like, in numbers: brightness and colour, grey values, fineness, and where bright and dark lie.

It is for asking whether a new picture is of the kind a cohort is of, whatever network will look at it. Knows no labels
and no files. The numbers do not depend on the size of the picture.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from functools import cache

import numpy as np
from PIL import Image

from medtl.cohorts.findings.looks import Looks, measure
from medtl.cohorts.formats.images import Picture

SIDE = 128  # px; what a picture is stretched to before its grey values and its spectrum are taken
LEVELS = 16  # of grey, counted
BANDS = 12  # of the spectrum, from coarse to fine, each 1.4 times as fine as the one before
GRID = 8  # cells a side of the coarse picture
NUMBERS = LEVELS + BANDS + GRID * GRID + 3
COLOURED = 20  # of 255 between the channels of a pixel; below that lies what JPEG does to grey
LIT = 40  # of 255; darker pixels have no colour to speak of
LEAST = 1e-2  # added to a band's power, squared grey levels of the 128 px picture: the noise of rounding


@dataclass(frozen=True)
class Appearance:
    """`looks` in words one can say; `coloured` the share of what is not dark that is in colour; `numbers` (NUMBERS,)
    float32: how often each of 16 grey levels is there (square roots of shares), the logarithm of the power in 12 bands
    of fineness, the mean brightness (0 to 1) of 8 x 8 cells, then `coloured` and the mean of red and of blue over green
    (-1 to 1)."""

    looks: Looks
    coloured: float
    numbers: np.ndarray

    def plain(self) -> list[float]:
        """For another process: `of_plain` makes the same of it, to five digits."""
        return [float(f"{value:.5g}") for value in (*astuple(self.looks), self.coloured, *self.numbers.tolist())]


def of_plain(values: Sequence[float]) -> Appearance:
    looks = len(fields(Looks))
    return Appearance(Looks(*values[:looks]), values[looks], np.array(values[looks + 1 :], np.float32))


def appearance(picture: Picture) -> Appearance:
    """Of one picture (H, W) or (H, W, 3) uint8, longer side at most 512 px as it is stored. Half a millisecond."""
    image = Image.fromarray(picture)
    grey = image if image.mode == "L" else image.convert("L")
    small = np.asarray(grey.resize((SIDE, SIDE), Image.Resampling.BILINEAR, reducing_gap=2.0))
    colours = _colours(picture)
    return Appearance(measure(picture), colours[0], np.array([*_grey(small), *colours], np.float32))


def negative(numbers: np.ndarray) -> np.ndarray:
    """(n, NUMBERS) of pictures -> those of their negatives; exact up to the rounding of grey levels."""
    turned = numbers.copy()
    turned[:, :LEVELS] = numbers[:, :LEVELS][:, ::-1]
    turned[:, LEVELS + BANDS : -3] = 1 - numbers[:, LEVELS + BANDS : -3]
    turned[:, -2:] = -numbers[:, -2:]
    return turned


def _colours(picture: Picture) -> tuple[float, float, float]:
    if picture.ndim == 2:
        return 0.0, 0.0, 0.0
    some = picture[:: max(1, picture.shape[0] // 64), :: max(1, picture.shape[1] // 64)].astype(np.int16)
    red, green, blue = some[..., 0], some[..., 1], some[..., 2]
    most = some.max(axis=2)
    share = (most - some.min(axis=2) > COLOURED).sum() / max((most > LIT).sum(), 0.01 * most.size)
    return float(min(1.0, share)), float((red - green).mean()) / 255, float((blue - green).mean()) / 255


def _grey(small: Picture) -> np.ndarray:
    """(128, 128) grey uint8 -> all numbers but those of colour."""
    shares = np.bincount((small >> 4).ravel(), minlength=LEVELS) / small.size
    values = small.astype(np.float32)
    cells = values.reshape(GRID, SIDE // GRID, GRID, SIDE // GRID).mean(axis=(1, 3)) / 255
    return np.concatenate([np.sqrt(shares), _spectrum(values), cells.ravel()])


def _spectrum(values: np.ndarray) -> np.ndarray:
    """(128, 128) -> (BANDS,) logarithm of the mean power; a window keeps the border from passing for fine detail."""
    window, band, count = _bands()
    power = np.abs(np.fft.rfft2((values - values.mean()) * window)) ** 2 / values.size
    return np.asarray(np.log10(np.bincount(band, power.ravel(), BANDS + 2)[1:-1] / count + LEAST))


@cache
def _bands() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The window, for each coefficient of the transform the number of its band (0: the mean, BANDS + 1: the corners),
    and how many are in each band."""
    rows, columns = np.fft.fftfreq(SIDE)[:, None] * SIDE, np.arange(SIDE // 2 + 1)[None]
    radius = np.hypot(rows, columns)
    edges = (SIDE / 2) ** (np.arange(BANDS + 1) / BANDS)  # from 1 to 64 cycles
    band = np.digitize(radius, edges).ravel()
    hann = np.hanning(SIDE).astype(np.float32)
    return np.outer(hann, hann), band, np.maximum(np.bincount(band, minlength=BANDS + 2)[1:-1], 1)
