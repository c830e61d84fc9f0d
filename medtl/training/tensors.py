"""From stored pixels to what a network is shown, and the small changes made to it while training.

Letters: B cases, C channels, S pixels a side.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from medtl.vocabulary import InputSpec


def to_input(pixels: np.ndarray | Tensor, spec: InputSpec, device: torch.device) -> Tensor:
    """(B, 1 or 3, S, S) uint8 -> (B, spec.channels, S, S) float32, normalised as the source wants, channels-last."""
    return normalise(to_unit(pixels, spec, device), spec)


def to_unit(pixels: np.ndarray | Tensor, spec: InputSpec, device: torch.device) -> Tensor:
    """(B, 1 or 3, S, S) uint8 -> (B, spec.channels, S, S) float32 in [0, 1]; grey is repeated for colour."""
    x = pixels if isinstance(pixels, Tensor) else torch.from_numpy(np.ascontiguousarray(pixels))
    x = x.to(device).float().div_(255)
    if x.shape[1] == 1 and spec.channels == 3:
        x = x.expand(-1, 3, -1, -1)
    elif x.shape[1] == 3 and spec.channels == 1:
        x = x.mul(x.new_tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True)
    return x


def normalise(x: Tensor, spec: InputSpec) -> Tensor:
    """(B, C, S, S) in [0, 1] -> (x - mean) / std per channel."""
    mean = x.new_tensor(spec.mean[: spec.channels]).view(1, -1, 1, 1)
    std = x.new_tensor(spec.std[: spec.channels]).view(1, -1, 1, 1)
    return ((x - mean) / std).contiguous(memory_format=torch.channels_last)


AUGMENTATIONS = ("none", "mild", "with flips", "strong", "film", "ultrasound", "microscopy")


@dataclass(frozen=True)
class _Changes:
    """How far a picture may be changed. Shares of 1, except `turn` in degrees; `light` varies brightness and contrast,
    `gamma` and `colour` (each channel's weight) on top. `quarters`: turned by 0, 90, 180 or 270 degrees first."""

    turn: float = 10
    size: float = 0.1
    move: float = 0.1  # 5 % of the side, since the grid runs from -1 to 1
    light: float = 0.15
    gamma: float = 0.0
    colour: float = 0.0
    mirror: bool = False
    quarters: bool = False
    erase: bool = False


CHANGES = {
    "mild": _Changes(),
    "with flips": _Changes(mirror=True),
    "strong": _Changes(25, 0.3, 0.2, 0.35, gamma=0.35, colour=0.2, mirror=True, erase=True),
    "film": _Changes(turn=7, size=0.1, move=0.1, light=0.2, gamma=0.2),
    "ultrasound": _Changes(turn=5, size=0.2, move=0.1, light=0.2, gamma=0.2),
    "microscopy": _Changes(turn=20, size=0.15, light=0.15, colour=0.1, mirror=True, quarters=True),
}


def augment(x: Tensor, kind: str, generator: torch.Generator) -> Tensor:
    """(B, C, S, S) in [0, 1] -> the same, a little changed, by the name of `AUGMENTATIONS`.

    "mild": turned up to 10 degrees, scaled 0.9 to 1.1, shifted up to 5 %, brightness and contrast up to 15 %; what
    comes in from outside repeats the border. "with flips" also mirrors left and right half of the time. "strong", for
    sources that are to serve many targets: turned up to 25 degrees, scaled 0.7 to 1.3, shifted up to 10 %, mirrored,
    brightness, contrast and gamma up to 35 %, the weight of each colour up to 20 %, half of the time a patch of up to
    a third of the side greyed out (random erasing, Zhong et al. 2017, arXiv:1708.04896). "film": upright and never
    mirrored (the heart is on the left), exposure varied. "ultrasound": the probe is on top, depth and gain vary.
    "microscopy": no side is up, so also mirrored and turned by quarters, and the weight of each colour varies a little.
    """
    n = len(x)
    return _changed(x, kind, lambda low, high: (torch.rand(n, generator=generator) * (high - low) + low).to(x.device))


def look(x: Tensor, kind: str, number: int) -> Tensor:
    """(B, C, S, S) in [0, 1] -> the same, all changed alike: the `number`th of the fixed small changes of this kind."""
    n, generator = len(x), torch.Generator().manual_seed(1_000 + number)
    return _changed(
        x, kind, lambda low, high: (torch.rand(1, generator=generator) * (high - low) + low).expand(n).to(x.device)
    )


def _changed(x: Tensor, kind: str, uniform: Callable[[float, float], Tensor]) -> Tensor:
    """`uniform(low, high)` draws a value for each picture."""
    if kind == "none":
        return x
    n, by = len(x), CHANGES[kind]

    def around(one: float) -> Tensor:
        return uniform(1 - one, 1 + one).view(-1, 1, 1, 1)

    angle, scale = uniform(-by.turn, by.turn) * (math.pi / 180), uniform(1 - by.size, 1 + by.size)
    mirror = torch.ones(n, device=x.device)
    if by.mirror:
        mirror = torch.where(uniform(0, 1) < 0.5, -1.0, 1.0)
    if by.quarters:
        angle = angle + uniform(0, 4).floor() * (math.pi / 2)
    cos, sin = torch.cos(angle) / scale, torch.sin(angle) / scale
    affine = torch.stack(
        [
            torch.stack([cos * mirror, -sin, uniform(-by.move, by.move)], dim=1),
            torch.stack([sin * mirror, cos, uniform(-by.move, by.move)], dim=1),
        ],
        dim=1,
    )  # (B, 2, 3)
    grid = functional.affine_grid(affine, list(x.shape), align_corners=False)
    x = functional.grid_sample(x, grid, padding_mode="border", align_corners=False)
    brightness, contrast = around(by.light) - 1, around(by.light)
    mean = x.mean(dim=(1, 2, 3), keepdim=True)
    x = ((x - mean) * contrast + mean + brightness).clamp_(0, 1)
    if by.colour or by.gamma:
        colour = torch.cat([around(by.colour) for _ in range(x.shape[1])], dim=1)
        x = x.pow(around(by.gamma)).mul(colour).clamp_(0, 1)
    return _erase(x, uniform) if by.erase else x


def _erase(x: Tensor, uniform: Callable[[float, float], Tensor]) -> Tensor:
    """In half of the cases a square of up to a third of the side becomes middle grey."""
    side = x.shape[-1]
    half = uniform(0.05, 1 / 6) * side * (uniform(0, 1) < 0.5)
    down, across = uniform(0, 1) * side, uniform(0, 1) * side
    at = torch.arange(side, device=x.device)
    rows = (at - down.view(-1, 1)).abs() < half.view(-1, 1)  # (B, S)
    columns = (at - across.view(-1, 1)).abs() < half.view(-1, 1)
    return x.masked_fill((rows[:, :, None] & columns[:, None, :])[:, None], 0.5)
