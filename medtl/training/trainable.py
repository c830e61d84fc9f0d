"""What of a network trains: whole stages, the scale and shift of their norms, their biases, or a low-rank addition.

Letters: o and i channels out and in of a layer, c columns of its weight laid out as a matrix (o, c), r rank.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from medtl.sources.network import Network, Stage
from medtl.sources.values import as_matrix, biases, norm_values, wide_layers
from medtl.vocabulary import What

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


def _of_stage(stage: Stage, what: What, rank: int) -> Iterator[nn.Parameter]:
    if what == "norms":
        yield from norm_values(stage.members())
    elif what == "biases":
        yield from biases(stage.members())
    elif what == "low-rank":
        for module, name in list(wide_layers(stage.members())):
            addition = LowRank(getattr(module, name), rank)
            parametrize.register_parametrization(module, name, addition)
            yield from addition.parameters()
    else:
        yield from stage.parameters()
