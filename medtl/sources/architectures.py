"""A source's network with random weights: from a builder MedTL names, or from what the source itself brings."""

from medtl.sources.image_nets import build
from medtl.sources.network import Network
from medtl.vocabulary import Source


def build_for(source: Source, classes: int) -> Network:
    """The architecture of `source` under a fresh head of `classes` outputs; nothing of its weights."""
    return build(source.builder, classes, source.input.channels)
