"""How a picture looks, in six numbers: bright, flat, sharp, dark, framed, coloured. Knows no labels and no files.

The numbers are for comparing pictures of one cohort with each other (`outliers`, `shortcuts`), so each is a share that
does not depend on the size of the picture: one larger than 256 px is first reduced to that, as a viewer would.
"""

from dataclasses import dataclass

import numpy as np

from medtl.cohorts.formats.images import Picture

SIDE = 256  # px; what a picture is reduced to before it is measured
NEAR_BLACK = 10  # of 255; the black of a film or of a screen, with the noise that JPEG adds
FLAT = 6  # levels; a row that varies by no more is the frame, not the picture
ROUNDING = 20 / 12  # levels squared: rounding varies by 1/12, and the Laplacian has 4 squared and four times 1 squared


@dataclass(frozen=True)
class Looks:
    """`brightness` mean and `contrast` standard deviation (0 black, 1 white); `sharpness` how much neighbours differ,
    measured in contrasts (films and ultrasound 0.1 to 0.6, out of focus below 0.06, pure noise 4.5); `dark` the share
    of near-black pixels; `border` the share of the picture that lies in rows and columns of one value at its edges
    (letterbox, frame, collimation); `colour` the mean distance between the channels (0 grey, 1 pure colour).
    """

    brightness: float
    contrast: float
    sharpness: float
    dark: float
    border: float
    colour: float


def measure(picture: Picture) -> Looks:
    """Look at one picture, (H, W) or (H, W, 3) uint8. Some 0.1 ms for 224 x 224 grey pixels, twice that in colour.

    Every image of an import pays for this, so the sharpness is taken from every fourth row and the rest from every
    other pixel of every other row.
    """
    small = _reduced(picture)
    colour = 0.0
    if small.ndim == 3:
        small, colour = _grey_and_colour(small)
    some = np.ascontiguousarray(small[::2, ::2])  # a quarter of the pixels knows these as well as all do
    values = some.ravel().astype(np.float32)
    brightness = float(values.sum()) / values.size
    values -= brightness
    contrast = (float(values @ values) / values.size) ** 0.5
    return Looks(
        brightness=brightness / 255,
        contrast=contrast / 255,
        sharpness=_sharpness(small, contrast),
        dark=int(np.count_nonzero(some <= NEAR_BLACK)) / some.size,
        border=_border(some),
        colour=colour,
    )


def _reduced(picture: Picture) -> Picture:
    """Longer side at most 256 px: every new pixel is the mean of the first and the last of those that fall into it.

    What is measured is stored, so at most 512 px (`pixels.shrunk`), and these two are then all there are.
    """
    largest = max(picture.shape[:2])
    for axis in (0, 1) if largest > SIDE else ():
        length = picture.shape[axis]
        edges = np.arange(max(1, round(length * SIDE / largest)) + 1)
        edges = edges * length // edges[-1]
        first, last = picture.take(edges[:-1], axis), picture.take(edges[1:] - 1, axis)
        picture = (first >> 1) + (last >> 1) + (first & last & 1)
    return picture


def _grey_and_colour(small: Picture) -> tuple[Picture, float]:
    """(h, w), half of it green as the eye has it; and the mean of largest minus smallest channel of every 4th pixel."""
    red, green, blue = (np.ascontiguousarray(small[..., channel]) for channel in range(3))
    some = [np.ascontiguousarray(channel[::2, ::2]) for channel in (red, green, blue)]
    spread = np.maximum(np.maximum(some[0], some[1]), some[2]) - np.minimum(np.minimum(some[0], some[1]), some[2])
    return (red >> 2) + (green >> 1) + (blue >> 2), float(spread.mean()) / 255


def _sharpness(small: Picture, contrast: float) -> float:
    """Root mean square of the Laplacian (Pech-Pacheco and others, ICPR 2000), in contrasts: pale is not blurred.

    What rounding to whole levels adds by itself is taken off; in a smooth picture it is all that there is.
    """
    if contrast < 0.5 or min(small.shape) < 3:
        return 0.0
    last = small.shape[0] - 1
    rows = small[1:last:4].astype(np.int16)  # every fourth row that has neighbours above and below
    laplacian = rows[:, 1:-1] * np.int16(-4)
    laplacian += small[0 : last - 1 : 4, 1:-1]
    laplacian += small[2 : last + 1 : 4, 1:-1]
    laplacian += rows[:, :-2]
    laplacian += rows[:, 2:]
    flat = laplacian.ravel().astype(np.float32)
    variance = float(flat @ flat) / flat.size
    return max(0.0, variance - ROUNDING) ** 0.5 / contrast


def _border(small: Picture) -> float:
    return 1 - _kept(small.max(axis=1) - small.min(axis=1)) * _kept(small.max(axis=0) - small.min(axis=0))


def _kept(spread: Picture) -> float:
    """The share of the rows (or columns) that is left once those of one value are gone from both ends."""
    lively = np.flatnonzero(spread > FLAT)
    return int(lively[-1] - lively[0] + 1) / len(spread) if len(lively) else 0.0
