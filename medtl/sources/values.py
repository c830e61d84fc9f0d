"""Which values of a network a strategy may single out: scale and shift of norms, biases, layers that take an addition.

Asked by whoever trains them and by whoever counts them for an outline, so that both mean the same. Knows no stage.
"""

from collections.abc import Iterable, Iterator

from torch import Tensor, nn

# A layer with fewer rows or columns is left alone: a low-rank addition to it would have as many values as it has.
LEAST = 16


def norm_values(modules: Iterable[nn.Module]) -> Iterator[nn.Parameter]:
    """Scale and shift of batch, layer and group norms."""
    for module in modules:
        if isinstance(module, (nn.modules.batchnorm._BatchNorm, nn.LayerNorm, nn.GroupNorm)):
            yield from (value for value in (module.weight, module.bias) if value is not None)


def biases(modules: Iterable[nn.Module]) -> Iterator[nn.Parameter]:
    """All biases, those of norms included (they are what a convolution before a norm has for one)."""
    for module in modules:
        for name, value in module.named_parameters(recurse=False):
            if name.endswith("bias"):
                yield value


def wide_layers(modules: Iterable[nn.Module]) -> Iterator[tuple[nn.Module, str]]:
    """(module, name of its weight) of the convolutions and linear layers that can take a low-rank addition."""
    for module in modules:
        if isinstance(module, nn.MultiheadAttention) and module.in_proj_weight is not None:
            yield module, "in_proj_weight"
        elif _is_whole(module) and min(as_matrix(module.weight)) >= LEAST:  # type: ignore[arg-type]
            yield module, "weight"


def as_matrix(weight: Tensor) -> tuple[int, int]:
    """Rows and columns of a weight; a convolution's kernel has a row for each channel that comes out."""
    return weight.shape[0], weight[0].numel()


def _is_whole(module: nn.Module) -> bool:
    """A layer of one matrix: a convolution in groups is many small ones."""
    return isinstance(module, nn.Linear) or (isinstance(module, nn.Conv2d) and module.groups == 1)
