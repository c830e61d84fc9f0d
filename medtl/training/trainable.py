"""What of a network trains: whole stages, the scale and shift of their norms, their biases, or a low-rank addition.

Letters: o and i channels out and in of a layer, c columns of its weight laid out as a matrix (o, c), r rank.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from medtl.sources.network import Network, Stage
from medtl.vocabulary import What

# A layer with fewer rows or columns is left alone: a low-rank addition to it would have as many values as it has.
LEAST = 16
_SCALE = 2.0  # alpha over rank, arXiv:2106.09685 section 4.1


class LowRank(nn.Module):
    """W -> W + scale * B A, with B (o, r) zero at first, so that nothing changes before training.

    Hu et al. 2021, arXiv:2106.09685 eq. 3; a convolution's kernel is taken as a matrix of o rows.
    """

    def __init__(self, weight: Tensor, rank: int) -> None:
        super().__init__()
        rows, columns = as_matrix(weight)
        self.down = nn.Parameter(weight.new_empty(rank, columns).normal_(std=columns**-0.5))
        self.up = nn.Parameter(weight.new_zeros(rows, rank))

    def forward(self, weight: Tensor) -> Tensor:
        return weight + (_SCALE * self.up @ self.down).view(weight.shape)


def as_matrix(weight: Tensor) -> tuple[int, int]:
    return weight.shape[0], weight[0].numel()


def choose(network: Network, names: set[str], what: What, rank: int) -> list[tuple[str, list[nn.Parameter]]]:
    """(stage or "head", its parameters that train); everything else is cut off from gradients.

    The head trains as a whole. For "low-rank" the stages are given their additions here; `merge` takes them away again.
    """
    network.requires_grad_(False)
    chosen = []
    for stage in network.stages:
        if stage.name in names:
            chosen.append((stage.name, list(_of_stage(stage, what, rank))))
    if "head" in names:
        chosen.append(("head", list(network.head.parameters())))
    for _, parameters in chosen:
        for parameter in parameters:
            parameter.requires_grad_(True)
    return [(name, parameters) for name, parameters in chosen if parameters]


def merge(network: Network) -> None:
    """Add low-rank additions into the weights they belong to: the network is again what its library made."""
    for module in network.modules():
        if parametrize.is_parametrized(module):
            for name in list(module.parametrizations):  # type: ignore[arg-type]
                with torch.no_grad():
                    parametrize.remove_parametrizations(module, name, leave_parametrized=True)
                # Weights come before biases again: optimisers and files know parameters by their order.
                module._parameters = {name: module._parameters.pop(name), **module._parameters}


def norm_values(stage: Stage) -> Iterator[nn.Parameter]:
    """Scale and shift of batch, layer and group norms."""
    for module in _modules(stage):
        if isinstance(module, (nn.modules.batchnorm._BatchNorm, nn.LayerNorm, nn.GroupNorm)):
            yield from (value for value in (module.weight, module.bias) if value is not None)


def biases(stage: Stage) -> Iterator[nn.Parameter]:
    """All biases, those of norms included (they are what a convolution before a norm has for one)."""
    for module in _modules(stage):
        for name, value in module.named_parameters(recurse=False):
            if name.endswith("bias"):
                yield value


def wide_layers(stage: Stage) -> Iterator[tuple[nn.Module, str]]:
    """(module, name of its weight) of the convolutions and linear layers that can take a low-rank addition."""
    for module in _modules(stage):
        if isinstance(module, nn.MultiheadAttention) and module.in_proj_weight is not None:
            yield module, "in_proj_weight"
        elif _is_whole(module) and min(as_matrix(module.weight)) >= LEAST:  # type: ignore[arg-type]
            yield module, "weight"


def _of_stage(stage: Stage, what: What, rank: int) -> Iterator[nn.Parameter]:
    if what == "norms":
        yield from norm_values(stage)
    elif what == "biases":
        yield from biases(stage)
    elif what == "low-rank":
        for module, name in list(wide_layers(stage)):
            addition = LowRank(getattr(module, name), rank)
            parametrize.register_parametrization(module, name, addition)
            yield from addition.parameters()
    else:
        yield from stage.parameters()


def _is_whole(module: nn.Module) -> bool:
    """A layer of one matrix: a convolution in groups is many small ones."""
    return isinstance(module, nn.Linear) or (isinstance(module, nn.Conv2d) and module.groups == 1)


def _modules(stage: Stage) -> Iterator[nn.Module]:
    seen: set[int] = set()
    for top in stage.modules + stage.also:
        for module in top.modules():
            if id(module) not in seen:
                seen.add(id(module))
                yield module
