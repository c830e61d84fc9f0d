"""Makes the demo images: ultrasound-like, drawn from random numbers, no patient behind them. Numpy only.

The two kinds differ as textbooks say (BI-RADS): benign is oval, wider than tall, smooth, with a brighter shadow-free
band below; malignant is irregular, taller than wide, with a dark shadow below. The ranges overlap and some are
drawn as the other kind, so that no model can be perfect.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

HEIGHT, WIDTH = 192, 256  # px
MALIGNANT = 0.375  # share of the cases
SWAPPED = 0.06  # share drawn with the looks of the other kind
TWO_IMAGES = 0.35  # share of the patients who have two images

Plane = NDArray[np.float32]  # (H, W)
Y, X = (axis.astype(np.float32) for axis in np.mgrid[0:HEIGHT, 0:WIDTH])


def write_demo(folder: Path, *, seed: int = 7, cases: int = 240) -> None:
    """Fill `folder` with benign/ and malignant/; names look like SYNTHETIC_p012_1.png (pattern `p\\d+`)."""
    random = np.random.default_rng(seed)
    sheet = _speckle(random)
    quota = {"malignant": round(cases * MALIGNANT), "benign": cases - round(cases * MALIGNANT)}
    patient = 0
    for label, wanted in quota.items():
        (folder / label).mkdir(parents=True, exist_ok=True)
        left = wanted
        while left > 0:
            patient += 1
            lesion = _lesion(random, label == "malignant")
            for image in range(1, 1 + min(left, 2 if random.random() < TWO_IMAGES else 1)):
                left -= 1
                pixels = _image(random, sheet, _seen_again(random, lesion) if image == 2 else lesion)
                path = folder / label / f"SYNTHETIC_p{patient:03d}_{image}.png"
                Image.fromarray(pixels).save(path, compress_level=1)


def _lesion(random: np.random.Generator, malignant: bool) -> dict[str, float]:
    """Looks of one lesion, in px and shares. Every range overlaps with that of the other kind."""
    bad = malignant != (random.random() < SWAPPED)

    def around(malign: float, benign: float, spread: float, low: float, high: float) -> float:
        return float(np.clip(random.normal(malign if bad else benign, spread), low, high))

    return {
        "x": random.uniform(0.38, 0.62) * WIDTH,
        "y": random.uniform(0.36, 0.52) * HEIGHT,
        "size": random.uniform(26, 44),
        "tall": around(0.86, 0.72, 0.17, 0.45, 1.4),  # height / width
        "rough": around(0.15, 0.07, 0.06, 0.01, 0.4),  # of the border, share of size
        "spikes": around(0.11, 0.02, 0.07, 0.0, 0.4),
        "dark": random.uniform(0.08, 0.30),  # brightness inside
        "below": around(-0.12, 0.25, 0.40, -0.8, 1.5),  # shadow (negative) or enhancement below
        "blur": random.uniform(1.5, 6.0),  # px; width of the border
        "turn": random.uniform(0, 6.28),
    }


def _seen_again(random: np.random.Generator, lesion: dict[str, float]) -> dict[str, float]:
    """The same lesion under another angle of the probe."""
    again = {key: value * random.uniform(0.9, 1.1) for key, value in lesion.items()}
    return {**again, "turn": random.uniform(0, 6.28)}


def _image(random: np.random.Generator, sheet: Plane, lesion: dict[str, float]) -> NDArray[np.uint8]:
    inside, below = _lesion_planes(random, lesion)
    echo = _tissue(random) * (1 - inside * (1 - lesion["dark"])) * (1 + lesion["below"] * below)
    # A scanner shows the logarithm of the echo, here over 38 dB.
    decibels = 20 * np.log10(np.maximum(echo * _cut(random, sheet), 1e-3)) + random.uniform(-3, 3)
    return np.clip((decibels + 34) / 38 * 255, 0, 255).astype(np.uint8)


def _speckle(random: np.random.Generator) -> Plane:
    """A sheet to cut images from: Rayleigh noise, smoothed more across the beam, four looks averaged (compounding)."""
    sheet = np.zeros((2 * HEIGHT, 2 * WIDTH), np.float32)
    for _ in range(4):
        real, imaginary = (_smooth(random.standard_normal(sheet.shape, np.float32)) for _ in range(2))
        sheet += np.hypot(real, imaginary)
    return np.asarray(sheet / sheet.mean(), np.float32)


def _cut(random: np.random.Generator, sheet: Plane) -> Plane:
    top, left = random.integers(0, HEIGHT), random.integers(0, WIDTH)
    piece = sheet[top : top + HEIGHT, left : left + WIDTH]
    return piece[:, ::-1] if random.random() < 0.5 else piece


def _tissue(random: np.random.Generator) -> Plane:
    """Layers of skin, fat and gland, gently waved, and darker with depth."""
    plane = np.full((HEIGHT, WIDTH), 0.5, np.float32)
    for _ in range(4):
        depth, side, phase = random.uniform(1.5, 6), random.uniform(-0.8, 0.8), random.uniform(0, 6.28)
        plane += random.uniform(0.03, 0.10) * np.cos(6.28 * (depth * Y / HEIGHT + side * X / WIDTH) + phase)
    return np.asarray(np.clip(plane, 0.15, 1.2) * np.exp(-random.uniform(0.2, 1.0) * Y / HEIGHT), np.float32)


def _lesion_planes(random: np.random.Generator, lesion: dict[str, float]) -> tuple[Plane, Plane]:
    """How much of each pixel is lesion, and how much lies in the band below it; both in [0, 1]."""
    across, down = (X - lesion["x"]) / lesion["size"], (Y - lesion["y"]) / (lesion["size"] * lesion["tall"])
    angle = np.arctan2(down, across)
    border = np.ones_like(angle)
    for waves in (2, 3, 5, 7):
        border += lesion["rough"] / waves**0.5 * np.cos(waves * angle + random.uniform(0, 6.28))
    border += lesion["spikes"] * np.maximum(np.cos(int(random.integers(8, 15)) * angle + lesion["turn"]), 0) ** 3
    distance = (border - np.hypot(across, down)) * lesion["size"]  # px, positive inside
    inside = 1 / (1 + np.exp(-np.clip(2 * distance / lesion["blur"], -30, 30)))
    beside = np.clip((1 - np.abs(across)) * 3, 0, 1)
    under = np.clip((down - 0.6) * 2, 0, 1) * np.exp(-np.clip(down - 1, 0, None) / 3)
    return inside, beside * under * (1 - inside)


def _smooth(plane: Plane) -> Plane:
    for axis, weights in ((0, (0.25, 0.5, 0.25)), (1, (0.1, 0.2, 0.4, 0.2, 0.1))):
        middle = len(weights) // 2
        plane = np.sum([weight * np.roll(plane, at - middle, axis) for at, weight in enumerate(weights)], axis=0)
    return np.asarray(plane, np.float32)
