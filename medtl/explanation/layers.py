"""At which layers of a network a map can be made: one at the end of each stage, by what the layers really give.

Nothing is decided by a network's name: a small forward pass tells which outputs are picture-like.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from medtl.errors import BadInput, NotFound
from medtl.sources.network import Network

Reshape = Callable[[Tensor], Tensor]
_FINEST = 112  # cells a side above which a layer is too near the pixels to be a map


@dataclass(frozen=True)
class Layer:
    """`name` is that of the stage it ends, `module` gives (B, C, h, w) once `reshape` has been applied, if there is
    one; `grid` is (h, w) for the picture it was looked at with."""

    name: str
    module: nn.Module
    reshape: Reshape | None
    channels: int
    grid: tuple[int, int]


def last(network: Network, x: Tensor) -> Layer:
    """The layer a map is made at unless another is chosen: the network's last picture-like map."""
    return layers(network, x)[-1]


def named(network: Network, x: Tensor, name: str) -> Layer:
    """The layer at the end of the stage of this name; "" for the last."""
    known = layers(network, x)
    if not name:
        return known[-1]
    for layer in known:
        if layer.name == name:
            return layer
    raise NotFound(
        f"This network has no picture-like layer '{name}'.", f"Its layers: {', '.join(layer.name for layer in known)}."
    )


def layers(network: Network, x: Tensor) -> tuple[Layer, ...]:
    """Every layer for pictures like `x` (B, C, S, S), input side first; the last is the network's own `map_layer`.

    A stage that runs its last module several times, or gives no grid of at least two cells a side, has none.
    """
    if network.map_layer is None:
        raise BadInput("This network has no picture-like layer.", "A map can be made for image networks only.")
    ends = [(stage.name, stage.modules[-1]) for stage in network.stages[:-1]]
    asked = [*ends, (network.stages[-1].name, network.map_layer)]
    asked = [(name, module) for name, module in asked if name == asked[-1][0] or module is not network.map_layer]
    with caught([module for _, module in asked]) as seen, torch.inference_mode():
        network.eval().features(x[:1])
    found = []
    for (name, module), outputs in zip(asked, seen, strict=True):
        shape, reshape = _picture_like(outputs, network.map_reshape)
        if shape is not None:
            found.append(Layer(name, module, reshape, shape[1], (shape[2], shape[3])))
    if not found or found[-1].module is not network.map_layer:
        raise BadInput("This network has no picture-like layer.", "A map can be made for image networks only.")
    return tuple(found)


@contextmanager
def caught(modules: list[nn.Module]) -> Iterator[list[list[Tensor]]]:
    """What each of these modules gives while the block runs."""
    seen: list[list[Tensor]] = [[] for _ in modules]

    def keeper(at: int) -> Callable[[nn.Module, object, object], None]:
        def keep(module: nn.Module, given: object, made: object) -> None:
            if isinstance(made, Tensor):
                seen[at].append(made)

        return keep

    with ExitStack() as hooks:
        for at, module in enumerate(modules):
            hooks.callback(module.register_forward_hook(keeper(at)).remove)
        yield seen


def _picture_like(outputs: list[Tensor], reshape: Reshape | None) -> tuple[tuple[int, ...] | None, Reshape | None]:
    """The shape (B, C, h, w) of a layer's map and how it is reached, or (None, None)."""
    if len(outputs) != 1:
        return None, None
    for way in (reshape, None) if reshape else (None,):
        try:
            shape = tuple((way(outputs[0]) if way else outputs[0]).shape)
        except (RuntimeError, ValueError, IndexError, TypeError):
            continue
        if len(shape) == 4 and min(shape[2:]) >= 2 and max(shape[2:]) <= _FINEST:
            return shape, way
    return None, None
