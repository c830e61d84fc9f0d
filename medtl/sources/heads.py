"""Heads that are not one linear layer: nearest class average, neighbours, examples; and which head a state is of.

Knows their architecture only; they are fitted in `medtl.training.heads`. All take (B, D) features to (B, K) logits.

Letters: B cases in hand, D features, K classes, n training cases that the head keeps.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from medtl.sources.network import hidden_head

KEPT = "kept"  # what the training cases are called in the state of a head that carries them
WARMTH = 0.07  # how fast a neighbour's word weakens with its distance: tau of Wu et al. 2018, arXiv:1805.01978
SHARPNESS = 5.5  # how fast an example's word does: beta of Zhang et al. 2022, arXiv:2207.09519
_AT_ONCE = 1024  # cases compared with all that are kept; more would take much memory
_LEAST = 1e-6  # a share whose logarithm is still a number


class Direction(nn.Module):
    """Features as directions from the centre: centred, then of length one (CL2N of Wang et al. 2019,
    arXiv:1911.04623)."""

    def __init__(self, centre: Tensor) -> None:
        super().__init__()
        self.centre: Tensor
        self.register_buffer("centre", centre)  # (D,)

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.normalize(x - self.centre, dim=1)


def class_means_head(centre: Tensor, weight: Tensor, bias: Tensor) -> nn.Sequential:
    """Cosine to each class's mean, times a sharpness that lies in `weight` (K, D); `bias` (K,) says how frequent a
    class is."""
    linear = nn.Linear(weight.shape[1], weight.shape[0])
    linear.load_state_dict({"weight": weight, "bias": bias})
    return nn.Sequential(Direction(centre), linear)


class Neighbours(nn.Module):
    """The `nearest` training cases vote, near ones louder; what is frequent is expected with the weight of one vote."""

    def __init__(self, centre: Tensor, kept: Tensor, votes: Tensor, expected: Tensor, nearest: Tensor, power: Tensor):
        super().__init__()
        self.direction = Direction(centre)
        self.kept: Tensor
        self.votes: Tensor
        self.expected: Tensor
        self.nearest: Tensor
        self.power: Tensor
        self.register_buffer("kept", kept)  # (n, D) directions
        self.register_buffer("votes", votes)  # (n, K) the class of each, by its weight
        self.register_buffer("expected", expected)  # (K,) shares that sum to 1
        self.register_buffer("nearest", nearest)  # () how many vote
        self.register_buffer("power", power)  # () logits are multiplied by it

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self._answer(part) for part in x.split(_AT_ONCE)])

    def _answer(self, x: Tensor) -> Tensor:
        k = min(int(self.nearest), len(self.kept))
        near, at = (self.direction(x) @ self.kept.T).topk(k, dim=1)
        loud = (near / WARMTH).softmax(dim=1)  # (B, k)
        said = (loud[:, :, None] * self.votes[at]).sum(dim=1)  # (B, K)
        said = said / said.sum(dim=1, keepdim=True).clamp_min(_LEAST)
        shares = (k * said + self.expected) / (k + 1)
        return self.power * shares.clamp_min(_LEAST).log()


class ExampleCache(nn.Module):
    """Cosine to each class's mean, mixed with how near the training cases of each class are.

    Tip-Adapter without training, arXiv:2207.09519 section 3.1, with class means in place of a text's classifier, and
    the mean over a class's cases in place of their sum, so that a frequent class is not heard for its number alone.
    """

    def __init__(
        self, centre: Tensor, kept: Tensor, shares: Tensor, means: Tensor, bias: Tensor, mix: Tensor, power: Tensor
    ):
        super().__init__()
        self.direction = Direction(centre)
        self.kept: Tensor
        self.shares: Tensor
        self.means: Tensor
        self.bias: Tensor
        self.mix: Tensor
        self.power: Tensor
        self.register_buffer("kept", kept)  # (n, D) directions
        self.register_buffer("shares", shares)  # (n, K) one over the cases of its class, else 0
        self.register_buffer("means", means)  # (K, D) directions
        self.register_buffer("bias", bias)  # (K,) how frequent a class is, as a logarithm
        self.register_buffer("mix", mix)  # () share of the cases in the answer
        self.register_buffer("power", power)  # ()

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self._answer(part) for part in x.split(_AT_ONCE)])

    def _answer(self, x: Tensor) -> Tensor:
        x = self.direction(x)
        cases = (SHARPNESS * (x @ self.kept.T - 1)).exp() @ self.shares
        return self.power * ((1 - self.mix) * (x @ self.means.T) + self.mix * cases) + self.bias


def restored(state: Mapping[str, Tensor]) -> nn.Module:
    """The head a state is of, with its values; told by its names and shapes."""
    values = {key: value.float() for key, value in state.items()}
    head: nn.Module
    if "weight" in values:
        head = nn.Linear(values["weight"].shape[1], len(values["weight"]))
    elif "3.weight" in values:
        hidden, features = values["0.weight"].shape
        head = hidden_head(features, hidden, len(values["3.weight"]), 0.0)
    elif "1.weight" in values:
        return class_means_head(values["0.centre"], values["1.weight"], values["1.bias"]).eval()
    elif "votes" in values:
        head = Neighbours(**_arguments(values)).eval()
    else:
        head = ExampleCache(**_arguments(values)).eval()
    head.load_state_dict(values)
    return head.eval()


def _arguments(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {key.removeprefix("direction."): torch.empty_like(value) for key, value in state.items()}
