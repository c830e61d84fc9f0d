"""Changes that images undergo between a scanner and a network: darker, blurred, turned, compressed. No network here.

Each is made on a decoded picture (longer side at most 512 px), before it is brought to the network's size, in two
strengths. "Mild" is what goes unnoticed between two rooms of one department: exposure or display 10 % off, a little
noise, a lens or probe slightly out of focus, a patient not lying straight, an ordinary JPEG. "Strong" is what a reader
sees at once and still reads: a phone's photo of a screen, an under-exposed film, a picture sent by messenger. The
numbers lie within the five severities of Hendrycks and Dietterich (arXiv:1903.12261), whose higher ones no clinic
would accept. An amount of 0 is the picture as it is.
"""

import io
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

Picture = NDArray[np.uint8]  # (H, W) grey or (H, W, 3)


@dataclass(frozen=True)
class Perturbation:
    """One change in one strength. `kind` names a function of `KINDS`, `amount` is what it takes; `name` is how a
    sentence calls it ("strong blur"), `does` says it with its number."""

    id: str
    kind: str
    strength: str
    name: str
    does: str
    amount: float


def applied(picture: Picture, kind: str, amount: float, seed: int) -> Picture:
    """The picture after the change, as large as before. The same seed makes the same noise and turns the same way."""
    if amount == 0:
        return picture
    return KINDS[kind](picture, amount, seed)


def _brightness(picture: Picture, amount: float, seed: int) -> Picture:
    """`amount` of the whole range is added to every pixel."""
    return _pixels(picture.astype(np.float32) + 255 * amount)


def _contrast(picture: Picture, amount: float, seed: int) -> Picture:
    """Every pixel moves from (or to) the picture's mean: its distance is multiplied by 1 + `amount`."""
    values = picture.astype(np.float32)
    mean = values.mean()
    return _pixels((values - mean) * (1 + amount) + mean)


def _noise(picture: Picture, amount: float, seed: int) -> Picture:
    """Gaussian noise of `amount` of the whole range on every pixel, the same on all colours, as a detector's is."""
    noise = np.random.default_rng(seed).standard_normal(picture.shape[:2], dtype=np.float32) * (255 * amount)
    return _pixels(picture + (noise if picture.ndim == 2 else noise[..., None]))


def _blur(picture: Picture, amount: float, seed: int) -> Picture:
    """A Gaussian of standard deviation `amount` of the longer side, so that it does not depend on the resolution."""
    return np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(amount * max(picture.shape[:2]))))


def _rotation(picture: Picture, amount: float, seed: int) -> Picture:
    """Turned by `amount` degrees, one picture to the left, another to the right; what comes in repeats the border."""
    height, width = picture.shape[:2]
    reach = math.ceil(math.hypot(height, width) / 2 * math.sin(math.radians(abs(amount)))) + 1
    edges = ((reach, reach), (reach, reach), (0, 0))[: picture.ndim]
    padded = Image.fromarray(np.pad(picture, edges, mode="edge"))
    turned = np.asarray(padded.rotate(amount if seed % 2 else -amount, Image.Resampling.BILINEAR))
    return np.ascontiguousarray(turned[reach : reach + height, reach : reach + width])


def _compression(picture: Picture, amount: float, seed: int) -> Picture:
    """Saved as JPEG of quality 100 - `amount` and opened again."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=round(100 - amount))
    return np.asarray(Image.open(file))


def _resolution(picture: Picture, amount: float, seed: int) -> Picture:
    """Reduced by `amount` of each side and enlarged again."""
    image = Image.fromarray(picture)
    small = (max(1, round(image.width * (1 - amount))), max(1, round(image.height * (1 - amount))))
    return np.asarray(image.resize(small, Image.Resampling.BOX).resize(image.size, Image.Resampling.BILINEAR))


def _pixels(values: NDArray[np.float32]) -> Picture:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


KINDS: dict[str, Callable[[Picture, float, int], Picture]] = {
    "brightness": _brightness,
    "contrast": _contrast,
    "noise": _noise,
    "blur": _blur,
    "rotation": _rotation,
    "compression": _compression,
    "resolution": _resolution,
}

_TABLE: tuple[tuple[str, str, str, float, str], ...] = (
    ("brightness", "mild", "darkening", -0.1, "Darker by 10 % of the full range."),
    ("brightness", "strong", "darkening", -0.2, "Darker by 20 % of the full range."),
    ("brightness", "mild", "brightening", 0.1, "Brighter by 10 % of the full range."),
    ("brightness", "strong", "brightening", 0.2, "Brighter by 20 % of the full range."),
    ("contrast", "mild", "loss of contrast", -0.25, "Contrast reduced to 75 %."),
    ("contrast", "strong", "loss of contrast", -0.5, "Contrast reduced to half."),
    ("contrast", "mild", "gain of contrast", 1 / 3, "Contrast raised by a third."),
    ("contrast", "strong", "gain of contrast", 1.0, "Contrast doubled."),
    ("noise", "mild", "noise", 0.05, "Noise of 5 % of the full range on every pixel."),
    ("noise", "strong", "noise", 0.1, "Noise of 10 % of the full range on every pixel."),
    ("blur", "mild", "blur", 0.005, "Blurred by 0.5 % of the longer side (2.6 pixels of 512)."),
    ("blur", "strong", "blur", 0.015, "Blurred by 1.5 % of the longer side (7.7 pixels of 512)."),
    ("rotation", "mild", "rotation", 5, "Turned by 5 degrees, to either side."),
    ("rotation", "strong", "rotation", 15, "Turned by 15 degrees, to either side."),
    ("compression", "mild", "JPEG compression", 50, "Saved as JPEG of quality 50."),
    ("compression", "strong", "JPEG compression", 80, "Saved as JPEG of quality 20."),
    ("resolution", "mild", "loss of resolution", 0.5, "Reduced to half its side and enlarged again."),
    ("resolution", "strong", "loss of resolution", 0.75, "Reduced to a quarter of its side and enlarged again."),
)

PERTURBATIONS: tuple[Perturbation, ...] = tuple(
    Perturbation(f"{name.lower().replace(' ', '-')}-{strength}", kind, strength, f"{strength} {name}", does, amount)
    for kind, strength, name, amount, does in _TABLE
)
