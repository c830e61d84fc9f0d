"""What is added to the loss so that training keeps to the source.

Letters: n cases in hand, D features.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from medtl.sources.network import Network
from medtl.vocabulary import Penalty


class Penalties:
    """Asked once a chunk; `share` is the chunk's part of its batch, so that a batch is penalised once."""

    def __init__(self, wanted: Sequence[Penalty], network: Network, source: Mapping[str, Tensor]) -> None:
        self.wanted = wanted
        self.network = network
        trained = {name: p for name, p in network.named_parameters() if p.requires_grad}
        self.from_source = [
            (p, source[name.removeprefix("trunk.")].to(p))
            for name, p in trained.items()
            if name.startswith("trunk.") and name.removeprefix("trunk.") in source
        ]
        self.of_head = [p for name, p in trained.items() if name.startswith("head.")]

    def __call__(self, features: Tensor, share: float) -> Tensor:
        """(n, D) features of the chunk -> a scalar to add to its loss."""
        total = features.new_zeros(())
        for one in self.wanted:
            value = self._l2_sp() if one.kind == "l2-sp" else _bss(features, one.smallest)
            total = total + one.strength * share * value
        return total

    def _l2_sp(self) -> Tensor:
        """Li et al. 2018, arXiv:1802.01483 eq. 3, with one strength for trunk and head."""
        away = [((p - began) ** 2).sum() for p, began in self.from_source] + [(p**2).sum() for p in self.of_head]
        return 0.5 * torch.stack(away).sum()


def _bss(features: Tensor, smallest: int) -> Tensor:
    """Chen et al. 2019 (Catastrophic forgetting meets negative transfer, NeurIPS), eq. 4: directions that this batch
    hardly uses are not carried along."""
    with torch.autocast(features.device.type, enabled=False):
        values = torch.linalg.svdvals(features.float())
    total: Tensor = (values[-smallest:] ** 2).sum()
    return total
