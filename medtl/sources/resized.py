"""A source that is shown pictures at another size than it learned at: its card as it then is. No torch.

Convolutions take any size and cost its square; what they learned to look for has the size it had (Touvron et al. 2019,
arXiv:1906.06423), so far from the source's own size its features fit less well.
"""

from dataclasses import replace

from medtl.errors import BadInput
from medtl.vocabulary import Outline, Source

SMALLEST, LARGEST = 32, 1024
# Networks whose positions or windows are laid out for one size, by the beginning of their builder's name.
_FIXED = ("vit_", "maxvit", "swin")


def at(source: Source, size: int) -> Source:
    """The source at `size` pixels a side; 0: as it is. Raises BadInput where it takes its own size only."""
    if size in (0, source.input.size):
        return source
    if not SMALLEST <= size <= LARGEST:
        raise BadInput(f"A size of {size} pixels is out of range.", f"Give {SMALLEST} to {LARGEST}, or none.")
    if source.graph or source.origin == "optional" or source.builder.startswith(_FIXED):
        raise BadInput(
            f"'{source.title}' takes pictures of {source.input.size} pixels a side only.",
            "Leave the size out, or choose a convolutional source such as MobileNetV2.",
        )
    share = (size / source.input.size) ** 2
    stages = tuple(replace(stage, gflop=stage.gflop * share) for stage in source.outline.stages)
    return replace(source, input=replace(source.input, size=size), outline=Outline(stages, source.outline.features))
