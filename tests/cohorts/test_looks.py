import time
from dataclasses import astuple

import numpy as np
import pytest
from PIL import Image, ImageFilter

from medtl.cohorts.findings.looks import Looks, measure


def picture(shape: tuple[int, ...] = (224, 224), seed: int = 0) -> np.ndarray:
    """Soft blobs with fine noise: smooth, but in focus."""
    random = np.random.default_rng(seed)
    rough = Image.fromarray(random.integers(0, 256, (14, 14), np.uint8)).resize(shape[1::-1], Image.Resampling.BICUBIC)
    noise = random.normal(0, 8, shape[:2])
    grey = np.clip(np.asarray(rough) * 0.8 + 20 + noise, 0, 255).astype(np.uint8)
    return grey if len(shape) == 2 else np.repeat(grey[..., None], 3, axis=2)


def blurred(pixels: np.ndarray, radius: float) -> np.ndarray:
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(radius)))


def test_each_number_means_what_it_says():
    black, white = measure(np.zeros((40, 30), np.uint8)), measure(np.full((40, 30), 255, np.uint8))
    assert black == Looks(brightness=0, contrast=0, sharpness=0, dark=1, border=1, colour=0)
    assert white == Looks(brightness=1, contrast=0, sharpness=0, dark=0, border=1, colour=0)
    halves = np.zeros((40, 40), np.uint8)
    halves[:, 20:] = 255
    assert (measure(halves).brightness, measure(halves).contrast, measure(halves).dark) == (0.5, 0.5, 0.5)


def test_sharpness_falls_with_blur_and_not_with_contrast():
    sharp = picture()
    values = [measure(blurred(sharp, radius)).sharpness for radius in (0, 1, 2, 4)]
    assert values == sorted(values, reverse=True) and values[-1] < 0.06 < values[0]
    pale = (sharp // 2 + 60).astype(np.uint8)
    assert measure(pale).sharpness == pytest.approx(measure(sharp).sharpness, rel=0.15)


def test_a_frame_is_measured_as_its_share_of_the_picture():
    framed = np.zeros((100, 100), np.uint8)
    framed[10:90, 20:80] = picture((80, 60))
    assert measure(framed).border == pytest.approx(1 - 0.8 * 0.6, abs=0.02)
    assert measure(picture()).border == 0


def test_grey_saved_as_colour_is_grey_and_colour_is_not():
    grey = picture((64, 64, 3))
    assert measure(grey).colour == 0
    assert measure(grey).brightness == pytest.approx(measure(grey[..., 0]).brightness, abs=0.01)
    red = np.zeros((64, 64, 3), np.uint8)
    red[..., 0] = 255
    assert measure(red).colour == 1


@pytest.mark.parametrize("shape", [(512, 512), (512, 301), (300, 512), (257, 256), (512, 400, 3)])
def test_a_large_picture_is_measured_as_if_it_had_been_reduced(shape):
    small = picture(tuple(max(1, round(side * 256 / max(shape[:2]))) for side in shape[:2]))
    large = np.asarray(Image.fromarray(small).resize(shape[1::-1], Image.Resampling.NEAREST))
    large = large if len(shape) == 2 else np.repeat(large[..., None], 3, axis=2)
    one, other = astuple(measure(small)), astuple(measure(large))
    assert other == pytest.approx(one, rel=0.25, abs=0.01)


@pytest.mark.parametrize("shape", [(2, 2), (2, 2, 3), (1, 512), (512, 2), (3, 3), (512, 512, 3)])
def test_any_shape_gives_plain_finite_numbers(shape):
    for pixels in (np.zeros(shape, np.uint8), np.random.default_rng(0).integers(0, 256, shape, np.uint8)):
        values = astuple(measure(pixels))
        assert all(type(value) is float and np.isfinite(value) for value in values)
        assert all(
            0 <= value <= 1 for name, value in zip(Looks.__annotations__, values, strict=True) if name != "sharpness"
        )


def test_it_changes_nothing_and_needs_no_writable_array():
    pixels = picture((300, 300, 3))
    before = pixels.copy()
    pixels.setflags(write=False)
    assert measure(pixels) == measure(before)
    assert np.array_equal(pixels, before)


def test_it_takes_a_fraction_of_a_millisecond():
    """0.2 ms on one quiet core; the bound leaves room for a busy one."""
    pixels = picture()
    times = []
    for _ in range(30):
        start = time.perf_counter()
        measure(pixels)
        times.append(time.perf_counter() - start)
    assert min(times) < 1e-3
