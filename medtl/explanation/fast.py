"""Maps in closed form: every class at once from one forward pass, with no backward pass through the network.

Where a network averages its last map A (B, C, h, w) over places before everything else, the gradient of any output with
respect to A is the same at every place: that with respect to the mean, divided by h w. So Grad-CAM's map is the sum of
w_c A_c with w = d evidence / d mean(A) / (h w), which only the small part after the pooling is needed for (the head,
and ConvNeXt's norm): arXiv:1610.02391 section 3.1; CAM, arXiv:1512.04150.

Letters: B pictures, C channels, h and w cells, K classes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from medtl.explanation import layers
from medtl.explanation.layers import Layer
from medtl.sources.network import Network

Evidence = Callable[[Tensor, int], Tensor]  # (O,) outputs of one picture, class -> the scalar that speaks for it
_ALIKE = 1e-4  # largest difference, as a share of the largest feature, at which two ways to the features are the same


@dataclass(frozen=True)
class FastMaps:
    """A network for which the closed form holds; `tail` makes features of the mean of its last map."""

    network: Network
    layer: Layer
    tail: tuple[nn.Module, ...]

    def signed(self, x: Tensor, classes: Sequence[int], evidence: Evidence) -> tuple[np.ndarray, np.ndarray]:
        """(B, C, S, S) normalised pictures -> (B, len(classes), h, w) maps, negative where a place speaks against the
        class, and (B, O) outputs of the head."""
        return self.weighed(self.look(x), classes, evidence)

    def look(self, x: Tensor, start: int = 0) -> Tensor:
        """One forward pass, from stage `start` on -> the last maps (B, C, h, w), which serve every class and head."""
        with layers.caught([self.layer.module]) as seen, torch.inference_mode():
            self.network.eval().features_from(x, start)
        made = seen[0][0]
        return (self.layer.reshape(made) if self.layer.reshape else made).clone().float()

    def weighed(self, maps: Tensor, classes: Sequence[int], evidence: Evidence) -> tuple[np.ndarray, np.ndarray]:
        """As `signed`, from the last maps (B, C, h, w)."""
        weights, outputs = self._weights(maps.mean(dim=(2, 3)), classes, evidence)
        shown = torch.einsum("kbc,bchw->bkhw", weights, maps) / (maps.shape[2] * maps.shape[3])
        return shown.cpu().numpy(), outputs.cpu().numpy()

    def _weights(self, pooled: Tensor, classes: Sequence[int], evidence: Evidence) -> tuple[Tensor, Tensor]:
        """(B, C) -> (len(classes), B, C) d evidence / d mean, and (B, O)."""
        with torch.enable_grad():
            mean = pooled.clone().requires_grad_(True)
            outputs = self.network.head(_through(self.tail, mean))
            found = []
            for k in classes:
                total = torch.stack([evidence(row, k) for row in outputs]).sum()
                (weight,) = torch.autograd.grad(total, mean, retain_graph=True, allow_unused=True)
                found.append(torch.zeros_like(mean) if weight is None else weight)
        return torch.stack(found).detach(), outputs.detach()


def of(network: Network, x: Tensor, layer: Layer | None = None) -> FastMaps | None:
    """The closed form for this network, or None where it does not hold.

    Measured, not looked up: for a picture of noise of the shape of `x`, the features must be what some end of the
    pooling makes of the mean of the last map. They are not for a map before a further pooling (VGG, AlexNet), nor where
    features are a class token (ViT). `layer`: the last one, where it is known already.
    """
    if network.map_layer is None:
        return None
    noise = torch.randn(x[:1].shape, generator=torch.Generator().manual_seed(0)).to(x.device)
    layer = layer or layers.last(network, noise)
    with layers.caught([layer.module]) as seen, torch.inference_mode():
        features = network.eval().features(noise)
        made = layer.reshape(seen[0][0]) if layer.reshape else seen[0][0]
        if not bool(torch.isfinite(made).all()) or float(made.std(dim=(2, 3)).max()) == 0:
            return None  # such a map would agree with anything
        for tail in _tails(network):
            if _same(tail, made.mean(dim=(2, 3)), features):
                return FastMaps(network, layer, tail)
    return None


def _tails(network: Network) -> list[tuple[nn.Module, ...]]:
    """What may follow the mean over places: nothing, or what stands in the pooling after each of its parts."""
    parts = list(_leaves(network.pool))
    return [(), *(tuple(parts[i + 1 :]) for i in range(len(parts)))]


def _leaves(modules: Sequence[nn.Module]) -> list[nn.Module]:
    """Sequences opened, in order."""
    found: list[nn.Module] = []
    for module in modules:
        found += _leaves(list(module)) if isinstance(module, nn.Sequential) else [module]
    return found


def _same(tail: tuple[nn.Module, ...], mean: Tensor, features: Tensor) -> bool:
    try:
        reached = _through(tail, mean)
    except (RuntimeError, ValueError, IndexError, TypeError):
        return False
    if reached.shape != features.shape:
        return False
    return float((reached - features).abs().max()) <= _ALIKE * max(float(features.abs().max()), 1e-12)


def _through(tail: tuple[nn.Module, ...], mean: Tensor) -> Tensor:
    """(B, C) through what follows the pooling, which is used to (B, C, 1, 1)."""
    x = mean[:, :, None, None]
    for module in tail:
        x = module(x)
    return x.flatten(1)
