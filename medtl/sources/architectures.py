"""A source's network with random weights: from a builder MedTL names, or from what the source itself brings."""

from pathlib import Path

from medtl.sources.image_nets import build
from medtl.sources.network import Network
from medtl.vocabulary import Source


def build_for(source: Source, classes: int) -> Network:
    """The architecture of `source` under a fresh head of `classes` outputs; nothing of its weights.

    Raises NotReady when the library that makes it is not installed.
    """
    if source.builder == "onnx":
        from medtl.sources import onnx_nets

        return onnx_nets.build(Path(source.graph), source.input, classes)
    if source.builder == "keras":
        from medtl.sources import keras_nets

        return keras_nets.build(Path(source.graph), source.input, classes)
    if source.builder.startswith("timm:"):
        from medtl.sources import timm_nets

        return timm_nets.build(source.builder, classes)
    return build(source.builder, classes, source.input.channels)
