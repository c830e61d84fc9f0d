"""Grad-CAM through pytorch-grad-cam, with its empty answers named instead of drawn."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from medtl.errors import BadInput
from medtl.sources.network import Network
from medtl.vocabulary import HeatMap

GRID = 56  # side of the map handed on; the network's own grid is 7 or 14 cells wide, so nothing is lost
# A map whose strongest cell is above its weakest by less than this share of itself says nothing about place.
FLAT = 1e-3


def explain(
    network: Network, x: Tensor, k: int, label: str, evidence: Callable[[Tensor], Tensor] | None = None
) -> HeatMap:
    """Where the network looked for class `k` in one input (1, C, S, S), already normalised. `evidence` makes of its
    outputs (O,) what speaks for the class; where none is given it is output `k`.

    Selvaraju et al. 2017, arXiv:1610.02391 eq. 1 and 2, at the network's last map. Values run from 0 to 1 within this
    image; `state` is "flat" when no region speaks for the class and "invalid" when the numbers are not finite.
    """
    from pytorch_grad_cam import GradCAM

    if network.map_layer is None:
        raise BadInput("This network has no picture-like layer.", "A map can be made for image networks only.")
    network.eval()
    network.requires_grad_(True)
    layer = network.stages[-1].name
    with GradCAM(network, [network.map_layer], reshape_transform=network.map_reshape) as cam:
        raw = _Raw(cam)
        cam(x, [evidence or (lambda outputs: outputs[k])])
        values = raw.values
    return to_heat_map(values, label, layer)


def to_heat_map(values: np.ndarray, label: str, layer: str) -> HeatMap:
    """(h, w) Grad-CAM before scaling (negative evidence already cut to zero) -> a map in [0, 1], or what is wrong."""
    if not np.isfinite(values).all():
        return HeatMap(
            label, "Grad-CAM", layer, None, "invalid",
            "No map: the calculation did not give numbers for this image. Do not read anything into its absence.",
        )  # fmt: skip
    spread = float(values.max() - values.min())
    if spread <= FLAT * float(values.max()):
        return HeatMap(
            label, "Grad-CAM", layer, None, "flat",
            f"No map: no region of this image spoke for '{label}' more than another. The network did not use one "
            "place for this class.",
        )  # fmt: skip
    scaled = (values - values.min()) / spread
    grid = nn.functional.interpolate(
        torch.from_numpy(scaled).float()[None, None], size=(GRID, GRID), mode="bilinear", align_corners=False
    )
    return HeatMap(label, "Grad-CAM", layer, np.round(grid[0, 0].numpy(), 3).tolist(), "ok", "")


class _Raw:
    """Catches the library's map before it is stretched to 0..1, which would make noise look like an answer."""

    def __init__(self, cam: object) -> None:
        self.values = np.full((1, 1), np.nan)
        original = cam.get_cam_image  # type: ignore[attr-defined]

        def catch(*args: object, **kwargs: object) -> np.ndarray:
            image = np.asarray(original(*args, **kwargs))
            self.values = np.maximum(image[0], 0)
            return image

        cam.get_cam_image = catch  # type: ignore[attr-defined]
