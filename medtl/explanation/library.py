"""The catalogue's methods carried out: most by pytorch-grad-cam and captum, Ablation-CAM by us. Raw maps, not scaled.

Every function takes one picture x (1, C, S, S), normalised, and `target`, which makes of the outputs (O,) the scalar
that speaks for a class; it answers (h, w) float64, not cut off at zero, so that what speaks against a class is seen.
"""

import contextlib
import io
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from medtl.explanation.layers import Layer, caught
from medtl.sources.network import Network

Target = Callable[[Tensor], Tensor]
STEPS = 32  # of the way of integrated gradients
_WINDOW, _STRIDE = 1 / 7, 1 / 14  # of the picture's side: what occlusion covers, and how far it moves on
_FINEST = 56  # cells a side of a map that is made pixel by pixel
_AT_ONCE = 16  # pictures in hand where a method needs very many passes


def raw(method: str, network: Network, layer: Layer, x: Tensor, target: Target, black: Tensor | None = None) -> Any:
    """The map of one method, by its id in `methods.METHODS`. `black` is a black picture, normalised, where the way of
    integrated gradients begins; without it, the mean colour."""
    network.eval()
    with _only_the_picture(network):
        if method == "ablationcam":
            return _ablation(network, layer, x, target)
        if method == "integrated-gradients":
            return _integrated(network, x, target, black)
        if method == "occlusion":
            return _occlusion(network, x, target)
        return _cam(method, network, layer, x, target)


@contextlib.contextmanager
def _only_the_picture(network: Network) -> Iterator[None]:
    """No gradients of weights: nobody needs them here, and they are half of the work of a backward pass."""
    wanted = {name for name, p in network.named_parameters() if p.requires_grad}
    network.requires_grad_(False)
    try:
        yield
    finally:
        for name, p in network.named_parameters():
            p.requires_grad_(name in wanted)


def _cam(method: str, network: Network, layer: Layer, x: Tensor, target: Target) -> np.ndarray:
    import pytorch_grad_cam as library

    kinds = {
        "gradcam": library.GradCAM, "hirescam": library.HiResCAM, "gradcam++": library.GradCAMPlusPlus,
        "layercam": library.LayerCAM, "eigencam": library.EigenCAM, "scorecam": library.ScoreCAM,
    }  # fmt: skip
    with kinds[method](network, [layer.module], reshape_transform=layer.reshape) as cam:
        cam.compute_input_gradient = cam.uses_gradients
        cam.batch_size = _AT_ONCE
        seen = _catch(cam)
        with contextlib.redirect_stderr(io.StringIO()):  # Score-CAM draws a progress bar
            cam(x, [target])
    values = np.asarray(seen[0], np.float64)
    if method == "eigencam" and abs(values.min()) > abs(values.max()):
        return -values  # the sign of a principal component is chance: doi 10.3390/app15137562 eq. 13
    return values


def _catch(cam: Any) -> list[np.ndarray]:
    """The library's map before it cuts off what is negative and stretches the rest, which makes noise look like an
    answer."""
    seen: list[np.ndarray] = []
    original = cam.get_cam_image

    def catch(*args: object, **kwargs: object) -> np.ndarray:
        image = np.asarray(original(*args, **kwargs))
        seen.append(image[0])
        return image

    cam.get_cam_image = catch
    return seen


def _ablation(network: Network, layer: Layer, x: Tensor, target: Target) -> np.ndarray:
    """The library swaps modules by name, which our stages do not follow; so each channel is set to 0 where it crosses,
    as the paper does (the library uses a very low number)."""
    at = next(i for i, stage in enumerate(network.stages) if any(m is layer.module for m in stage.members()))
    ends_stage = network.stages[at].modules[-1] is layer.module
    with torch.inference_mode():
        before = x
        for stage in network.stages[:at]:
            before = stage(before)
        with caught([layer.module]) as seen:
            score = float(target(network.head(network.features_from(before, at))[0]))
        made = seen[0][0].clone()
        maps = (layer.reshape(made) if layer.reshape else made)[0].float()
        dim = 1 if layer.reshape is None else made.dim() - 1
        falls = []
        for start in range(0, layer.channels, _AT_ONCE):
            channels = range(start, min(start + _AT_ONCE, layer.channels))
            without = made.repeat(len(channels), *[1] * (made.dim() - 1))
            for row, channel in enumerate(channels):
                without[row].select(dim - 1, channel).zero_()
            outputs = _from_there(network, layer, at, ends_stage, before, without)
            falls += [score - float(target(row)) for row in outputs]
        weights = torch.tensor(falls, dtype=maps.dtype, device=maps.device)
        return np.asarray(torch.einsum("c,chw->hw", weights, maps).double().cpu().numpy())


def _from_there(network: Network, layer: Layer, at: int, ends: bool, before: Tensor, made: Tensor) -> Tensor:
    """Outputs when `layer` gives `made`; what comes before it is not worked out again where it ends its stage."""
    if ends:
        return network.head(network.features_from(made, at + 1))
    hook = layer.module.register_forward_hook(lambda module, given, own: made)
    try:
        many = before.expand(len(made), *before.shape[1:])
        return network.head(network.features_from(many, at))
    finally:
        hook.remove()


def _integrated(network: Network, x: Tensor, target: Target, black: Tensor | None) -> np.ndarray:
    from captum.attr import IntegratedGradients

    start = torch.zeros_like(x) if black is None else black
    found = IntegratedGradients(_asked(network, target)).attribute(
        x, baselines=start, n_steps=STEPS, internal_batch_size=_AT_ONCE
    )
    return _coarse(found.sum(dim=1))


def _occlusion(network: Network, x: Tensor, target: Target) -> np.ndarray:
    from captum.attr import Occlusion

    side, channels = x.shape[-1], x.shape[1]
    window, stride = max(2, round(side * _WINDOW)), max(1, round(side * _STRIDE))
    with torch.no_grad():
        found = Occlusion(_asked(network, target)).attribute(
            x, sliding_window_shapes=(channels, window, window), strides=(channels, stride, stride), baselines=0.0,
            perturbations_per_eval=_AT_ONCE,
        )  # fmt: skip
    return _coarse(found[:, 0], round(1 / _STRIDE))


def _asked(network: Network, target: Target) -> Callable[[Tensor], Tensor]:
    def ask(x: Tensor) -> Tensor:
        return torch.stack([target(row) for row in network(x)])

    return ask


def _coarse(values: Tensor, cells: int = _FINEST) -> np.ndarray:
    """(1, S, S) -> means of at most `cells` squares a side."""
    cells = min(cells, values.shape[-1])
    small = torch.nn.functional.adaptive_avg_pool2d(values[:, None].detach().double(), cells)
    return np.asarray(small[0, 0].cpu().numpy())
