"""What a network is shown, and the small changes made while training."""

import numpy as np
import pytest
import torch

from medtl.training.tensors import AUGMENTATIONS, augment, normalise, to_input, to_unit
from medtl.vocabulary import InputSpec

CPU = torch.device("cpu")
KINDS = AUGMENTATIONS


def pictures(n: int = 6, channels: int = 3, side: int = 20) -> torch.Tensor:
    return torch.rand(n, channels, side, side, generator=torch.Generator().manual_seed(0))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_grey_is_repeated_for_colour() -> None:
    pixels = np.arange(2 * 16, dtype=np.uint8).reshape(2, 1, 4, 4)
    x = to_unit(pixels, InputSpec(channels=3, size=4), CPU)
    assert x.shape == (2, 3, 4, 4) and x.dtype == torch.float32
    assert torch.allclose(x[:, 0], torch.from_numpy(pixels[:, 0] / 255).float())
    assert torch.equal(x[:, 0], x[:, 1]) and torch.equal(x[:, 0], x[:, 2])


def test_colour_becomes_luminance_for_grey() -> None:
    pixels = np.zeros((1, 3, 1, 1), np.uint8)
    pixels[0, :, 0, 0] = (200, 100, 50)
    x = to_unit(pixels, InputSpec(channels=1, size=1), CPU)
    assert x.shape == (1, 1, 1, 1)
    assert float(x) == pytest.approx((0.299 * 200 + 0.587 * 100 + 0.114 * 50) / 255, abs=1e-6)


def test_the_scale_is_that_of_the_source() -> None:
    spec = InputSpec(channels=3, size=2, mean=(0.1, 0.2, 0.3), std=(0.5, 1.0, 2.0))
    white = to_input(np.full((1, 3, 2, 2), 255, np.uint8), spec, CPU)
    assert torch.allclose(white[0, :, 0, 0], torch.tensor([0.9 / 0.5, 0.8, 0.7 / 2]))
    x = pictures(side=2)
    assert torch.allclose(normalise(x, spec)[:, 1], (x[:, 1] - 0.2) / 1.0)


def test_the_pixels_handed_in_are_left_alone() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 3, 8, 8)).astype(np.uint8)
    before = pixels.copy()
    augment(to_unit(pixels, InputSpec(size=8), CPU), "mild", generator())
    assert np.array_equal(pixels, before)


def test_none_changes_nothing() -> None:
    x = pictures()
    assert torch.equal(augment(x, "none", generator()), x)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("channels", [1, 3])
def test_shape_and_range_are_kept(kind: str, channels: int) -> None:
    x = pictures(channels=channels)
    y = augment(x, kind, generator())
    assert y.shape == x.shape and y.dtype == x.dtype
    assert float(y.min()) >= 0 and float(y.max()) <= 1
    assert (kind == "none") == torch.equal(x, y)


@pytest.mark.parametrize("kind", KINDS)
def test_the_generator_decides_alone(kind: str) -> None:
    x = pictures()
    torch.manual_seed(1)
    one = augment(x, kind, generator(5))
    torch.manual_seed(2)
    assert torch.equal(one, augment(x, kind, generator(5)))
    assert kind == "none" or not torch.equal(one, augment(x, kind, generator(6)))


def test_each_picture_is_changed_in_its_own_way() -> None:
    x = pictures(1).repeat(8, 1, 1, 1)
    y = augment(x, "mild", generator())
    assert len({tuple(row.flatten().tolist()) for row in y}) == 8


def flipped_share(kind: str) -> float:
    """A picture that is bright on the left: how often it comes out bright on the right."""
    x = torch.zeros(300, 1, 16, 16)
    x[..., :8] = 1
    y = augment(x, kind, generator())
    return float((y[..., 8:].mean(dim=(1, 2, 3)) > y[..., :8].mean(dim=(1, 2, 3))).float().mean())


def test_left_and_right_are_mirrored_only_when_asked() -> None:
    assert flipped_share("mild") == 0
    assert flipped_share("with flips") == pytest.approx(0.5, abs=0.1)
    assert flipped_share("strong") == pytest.approx(0.5, abs=0.1)
    assert flipped_share("film") == flipped_share("ultrasound") == 0, "the side matters in a body"


def test_under_a_microscope_no_side_is_up() -> None:
    """A picture that is bright at the top has its bright side anywhere, equally often."""
    x = torch.zeros(400, 1, 16, 16)
    x[:, :, :8] = 1
    y = augment(x, "microscopy", generator())
    halves = [y[:, :, :8], y[:, :, 8:], y[..., :8], y[..., 8:]]
    brightest = torch.stack([half.mean(dim=(1, 2, 3)) for half in halves]).argmax(dim=0)
    assert (brightest.bincount(minlength=4).float() / 400 - 0.25).abs().max() < 0.08


def test_up_and_down_are_never_mirrored() -> None:
    x = torch.zeros(300, 1, 16, 16)
    x[:, :, :8] = 1
    for kind in ("mild", "with flips", "strong", "film", "ultrasound"):
        y = augment(x, kind, generator())
        assert (y[:, :, :8].mean(dim=(1, 2, 3)) > y[:, :, 8:].mean(dim=(1, 2, 3))).all()


def test_strong_changes_more_than_mild_and_leaves_out_a_patch_in_half_of_the_pictures() -> None:
    x = torch.full((400, 3, 24, 24), 0.9)
    moved = {kind: (augment(x, kind, generator()) - x).abs().mean() for kind in ("mild", "strong")}
    assert moved["strong"] > 1.5 * moved["mild"]
    grey = (augment(x, "strong", generator()) == 0.5).all(dim=1).flatten(1)
    assert float(grey.any(dim=1).float().mean()) == pytest.approx(0.5, abs=0.1)
    assert float(grey.float().mean(dim=1).max()) < 0.15  # a third of the side at most


def test_the_changes_are_small() -> None:
    x = torch.zeros(200, 1, 41, 41)
    x[:, :, 20, 20] = 1
    x = torch.nn.functional.avg_pool2d(x, 5, 1, 2) * 25  # a square of 5 in the middle
    y = augment(x, "mild", generator())
    weight = (y - y.amin(dim=(2, 3), keepdim=True)).squeeze(1)
    at = torch.arange(41).float()
    row = (weight.sum(dim=2) * at).sum(dim=1) / weight.sum(dim=(1, 2))
    column = (weight.sum(dim=1) * at).sum(dim=1) / weight.sum(dim=(1, 2))
    assert float((row - 20).abs().max()) < 3 and float((column - 20).abs().max()) < 3  # 5 % of 41 px, and a little
