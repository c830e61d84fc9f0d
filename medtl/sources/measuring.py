"""Measures every network torchvision publishes weights for, and writes the table `published.json`.

    python -m medtl.sources.measuring

Nothing in that table is typed by hand. It needs torchvision and no network: all is asked of its weights API and of
networks without values.
"""

import json
from dataclasses import astuple
from pathlib import Path
from typing import Any

import torchvision

from medtl.sources.builders import PUBLISHED
from medtl.sources.image_nets import cut, hollow, measure, torchvision_net
from medtl.sources.network import Network
from medtl.workspace import write_whole

# Of some networks torchvision publishes several files. We take the first recipe (V1): label smoothing, mixed images and
# the like raise the score on ImageNet and lower the worth of frozen features (Kornblith et al. 2019, arXiv:1805.08974).
# These three came with MedTL before and stay as they were, because users' caches and recipes name them.
_SECOND_RECIPE = ("mobilenet_v2", "mobilenet_v3_large", "resnet50")
# Left out: the networks of `torchvision.models.quantization` (8-bit, cannot be trained), VGG-16's `FEATURES` (for
# detection; in Caffe's pixel range), and all `SWAG` weights: their licence (CC BY-NC 4.0) allows no commercial use, and
# a hospital cannot tell whether its own is none. RegNetY-128GF and ViT-H/14 have these weights only (2.4 GB each).
_MEANT = "IMAGENET1K_V"


def table() -> dict[str, dict[str, Any]]:
    """Name -> its row, for every network that has weights we can offer."""
    names = torchvision.models.list_models(module=torchvision.models)
    return {id: row(weights, *hollow_nets(id)) for id in names if (weights := weights_for(id)) is not None}


def weights_for(id: str) -> Any:
    """The published weights we offer for torchvision's network `id`, or None when there are none."""
    wanted = _MEANT + ("2" if id in _SECOND_RECIPE else "1")
    return next((one for one in torchvision.models.get_model_weights(id) if one.name == wanted), None)


def hollow_nets(id: str) -> tuple[Network, Any]:
    """Our network and torchvision's, both without values."""
    with hollow():
        return cut(id, 2), torchvision_net(id)


def row(weights: Any, network: Network, theirs: Any) -> dict[str, Any]:
    shown = weights.transforms()
    # The size of the crop is the size the network learned at. We stretch the whole image to it instead of cutting out
    # the middle, as torchvision does: disease may lie at the border.
    (size,) = shown.crop_size
    mean, std = list(shown.mean), list(shown.std)
    if hasattr(theirs, "transform_input"):  # weights of Google's: torchvision shifts pixels to this range on the way in
        mean = std = [0.5, 0.5, 0.5]
    outline = measure(network, size)
    return {
        "weights": str(weights),
        "file": weights.url.rsplit("/", 1)[1],
        "size_mb": round(weights.meta["_file_size"], 1),
        "recipe": weights.meta.get("recipe") or "",
        "input": {"size": size, "mean": mean, "std": std},
        "head": head_of(theirs, network),
        "features": outline.features,
        "stages": [list(astuple(stage)) for stage in outline.stages],
    }


def head_of(theirs: Any, network: Network) -> str:
    """What torchvision calls the last layer, where that is one linear layer on our features; else nothing."""
    kept = network.trunk.state_dict()
    matrices = [
        (key, value) for key, value in theirs.state_dict().items() if key not in kept and key.endswith(".weight")
    ]
    if len(matrices) == 1 and matrices[0][1].shape[1:] == (network.width,):
        return str(matrices[0][0]).removesuffix(".weight")
    return ""


def write(path: Path = PUBLISHED) -> None:
    """One network a line, so that a change of torchvision's reads as a change of one line."""
    lines = ",\n".join(f"{json.dumps(id)}: {json.dumps(row)}" for id, row in table().items())
    write_whole(path, "{\n" + lines + "\n}\n")


if __name__ == "__main__":
    write()
