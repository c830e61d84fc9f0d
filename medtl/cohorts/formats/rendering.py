"""From stored values to what a viewer shows. It knows arrays and tables, and no file.

Order (PS3.4 N.2, PS3.3 C.11): stored values -> modality LUT or rescale -> VOI LUT or window -> and only then, once,
MONOCHROME1 inverted. Every step looks at one value at a time, so a picture with many pixels and few different values
is worked out by value and not by pixel.
"""

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from medtl.cohorts.formats.images import Picture
from medtl.cohorts.formats.lookup import Table

WindowFunction = Literal["LINEAR", "LINEAR_EXACT", "SIGMOID"]


@dataclass(frozen=True)
class Rescale:
    """Stored value x slope + intercept, for CT in Hounsfield units."""

    slope: float = 1.0
    intercept: float = 0.0

    def __call__(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return values * self.slope + self.intercept


@dataclass(frozen=True)
class Window:
    """The values between black and white; see `usable` for what a file may say and mean nothing by."""

    centre: float
    width: float
    function: WindowFunction = "LINEAR"

    @property
    def usable(self) -> bool:
        least = 1.0 if self.function == "LINEAR" else 1e-6
        return math.isfinite(self.centre) and math.isfinite(self.width) and self.width >= least

    def __call__(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Values to [0, 1] (PS3.3 C.11.2.1.2.1 LINEAR, C.11.2.1.3.1 SIGMOID, C.11.2.1.3.2 LINEAR_EXACT)."""
        values = np.asarray(values, np.float64)
        if self.function == "SIGMOID":
            return 1 / (1 + np.exp(np.clip(-4 * (values - self.centre) / self.width, -80, 80)))
        if self.function == "LINEAR_EXACT":
            return np.clip((values - self.centre) / self.width + 0.5, 0, 1)
        if self.width == 1:  # the ramp has no length: a step
            return (values > self.centre - 0.5).astype(np.float64)
        return np.clip((values - (self.centre - 0.5)) / (self.width - 1) + 0.5, 0, 1)


@dataclass(frozen=True)
class Range:
    """From the smallest value, black, to the largest, white. One single value is black."""

    low: float
    high: float

    def __call__(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Values to [0, 1]."""
        values = np.asarray(values, np.float64)
        if not self.low < self.high:
            return np.zeros(values.shape)
        with np.errstate(over="ignore", invalid="ignore"):  # two floats may lie further apart than a float can say
            return np.clip((values - self.low) / (self.high - self.low), 0, 1)


@dataclass(frozen=True)
class Rendering:
    """How one frame of grey values is to be shown.

    `voi` None: the frame's own full range, no percentiles. `padding`: stored values, both ends included, that belong to
    no tissue; they become black and do not count for the range, and so with values that are no number. `inverted`:
    MONOCHROME1, where the smallest is white.
    """

    modality: Rescale | Table = Rescale()
    voi: Window | Table | None = None
    inverted: bool = False
    padding: tuple[float, float] | None = None

    def __call__(self, stored: NDArray[Any]) -> Picture:
        """(H, W) stored values to (H, W) uint8."""
        voi = self.voi or self._range(stored)
        if not np.issubdtype(stored.dtype, np.integer) or stored.dtype.itemsize > 4:
            return self._shown(stored, voi)
        low, high = int(stored.min()), int(stored.max())
        if high - low >= stored.size:
            return self._shown(stored, voi)
        by_value = self._shown(np.arange(low, high + 1), voi)
        return by_value[np.subtract(stored, low, dtype=np.intp)]

    def _range(self, stored: NDArray[Any]) -> Range:
        outside = self._outside(stored)
        seen = stored if outside is None else stored[~outside]
        if seen.size == 0:
            return Range(0, 0)
        if isinstance(self.modality, Rescale):  # its ends are the ends of the stored values
            seen = np.array([seen.min(), seen.max()])
        real = self.modality(seen.astype(np.float64))
        return Range(float(real.min()), float(real.max()))

    def _shown(self, stored: NDArray[Any], voi: Window | Table | Range) -> Picture:
        values = self.modality(stored.astype(np.float64))
        share = voi(values) / np.float64(2**voi.bits - 1) if isinstance(voi, Table) else voi(values)
        grey = as_grey(share)
        if self.inverted:
            grey = 255 - grey
        outside = self._outside(stored)
        if outside is not None:
            grey[outside] = 0
        return grey

    def _outside(self, stored: NDArray[Any]) -> NDArray[np.bool_] | None:
        outside = ~np.isfinite(stored) if stored.dtype.kind == "f" else None
        if self.padding is None:
            return outside
        low, high = sorted(self.padding)
        padded = np.asarray((stored >= low) & (stored <= high))
        return padded if outside is None else padded | outside


@dataclass(frozen=True)
class Palette:
    """A colour for every stored value."""

    red: Table
    green: Table
    blue: Table

    def __call__(self, stored: NDArray[Any]) -> Picture:
        """(H, W) stored values to (H, W, 3) uint8. 16-bit entries keep their upper 8 bits.

        Old files fill 16-bit entries with 8-bit values; the whole palette tells, so that all frames are treated alike.
        """
        channels = (self.red, self.green, self.blue)
        shift = 8 if max(int(channel.entries.max()) for channel in channels) > 255 else 0
        return np.stack([(channel(stored) >> shift).astype(np.uint8) for channel in channels], axis=-1)


def as_grey(share: NDArray[Any]) -> Picture:
    """0 to 1 as 0 to 255; no number is black."""
    return np.round(np.nan_to_num(np.clip(share, 0, 1)) * 255).astype(np.uint8)


def eight_bits(colour: NDArray[Any], bits: int) -> Picture:
    """(H, W, 3) colour values of so many bits to uint8, by their upper eight."""
    if colour.dtype == np.uint8:
        return colour
    return (np.maximum(colour, 0).astype(np.uint64) >> np.uint64(max(0, bits - 8))).clip(0, 255).astype(np.uint8)
