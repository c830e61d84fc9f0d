"""A network with what the app does around it, as one graph that can be exported: standardising before it, several looks
at a picture where the run takes several (`medtl.vocabulary.Look`), softmax after it.

A look is fixed, so its values are drawn once here, in the order in which `medtl.training.tensors.look` draws them, and
become constants. The self-test of the export holds the two against each other.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from medtl.errors import MedtlError
from medtl.sources.network import Network
from medtl.training.tensors import CHANGES
from medtl.vocabulary import Source


class Whole(nn.Module):
    """(B, C, S, S) float32 in [0, 1] -> (B, K) scores, rows sum to 1."""

    mean: Tensor
    std: Tensor

    def __init__(self, network: Network, model: Source) -> None:
        super().__init__()
        spec = model.input
        self.network = network
        self.looks = nn.ModuleList(
            FixedLook(model.looks_like, number, spec.channels, spec.size) for number in range(1, 1 + model.looks)
        )
        self.register_buffer("mean", torch.tensor(spec.mean[: spec.channels]).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(spec.std[: spec.channels]).view(1, -1, 1, 1))

    def forward(self, image: Tensor) -> Tensor:
        features = self.network.features((image - self.mean) / self.std)
        for look in self.looks:
            features = features + self.network.features((look(image) - self.mean) / self.std)
        return torch.softmax(self.network.head(features / (1 + len(self.looks))), dim=1)


class FixedLook(nn.Module):
    """The `number`th small change of a kind, (B, C, S, S) in [0, 1] -> the same."""

    grid: Tensor
    colour: Tensor

    def __init__(self, kind: str, number: int, channels: int, size: int) -> None:
        super().__init__()
        by, generator = CHANGES[kind], torch.Generator().manual_seed(1_000 + number)
        if by.erase:
            raise MedtlError("A look that erases part of the picture cannot be exported.", "Use --as-source.")

        def uniform(low: float, high: float) -> Tensor:
            return torch.rand(1, generator=generator) * (high - low) + low

        angle, scale = uniform(-by.turn, by.turn) * (math.pi / 180), uniform(1 - by.size, 1 + by.size)
        mirror = torch.ones(1)
        if by.mirror:
            mirror = torch.where(uniform(0, 1) < 0.5, -1.0, 1.0)
        if by.quarters:
            angle = angle + uniform(0, 4).floor() * (math.pi / 2)
        cos, sin = torch.cos(angle) / scale, torch.sin(angle) / scale
        across = torch.stack([cos * mirror, -sin, uniform(-by.move, by.move)], dim=1)
        down = torch.stack([sin * mirror, cos, uniform(-by.move, by.move)], dim=1)
        affine = torch.stack([across, down], dim=1)  # (1, 2, 3)
        self.register_buffer("grid", functional.affine_grid(affine, [1, channels, size, size], align_corners=False))
        self.brightness = float(uniform(1 - by.light, 1 + by.light) - 1)
        self.contrast = float(uniform(1 - by.light, 1 + by.light))
        self.coloured = bool(by.colour or by.gamma)
        if self.coloured:
            weights = [uniform(1 - by.colour, 1 + by.colour) for _ in range(channels)]
            self.register_buffer("colour", torch.cat(weights).view(1, -1, 1, 1))
            self.gamma = float(uniform(1 - by.gamma, 1 + by.gamma))

    def forward(self, x: Tensor) -> Tensor:
        grid = self.grid.expand(x.shape[0], -1, -1, -1)
        x = functional.grid_sample(x, grid, padding_mode="border", align_corners=False)
        mean = x.mean(dim=(1, 2, 3), keepdim=True)
        x = ((x - mean) * self.contrast + mean + self.brightness).clamp(0, 1)
        return x.pow(self.gamma).mul(self.colour).clamp(0, 1) if self.coloured else x
