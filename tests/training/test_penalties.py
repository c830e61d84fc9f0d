"""Penalties against plain sums."""

import pytest
import torch

from medtl.training import trainable
from medtl.training.penalties import Penalties
from medtl.vocabulary import Penalty
from tests.builders import image_network, state_of


def test_l2_sp_is_half_the_squared_distance_from_the_source_and_of_the_head_from_zero() -> None:
    net = image_network()
    source = state_of(net.trunk)
    trainable.choose(net, {"stage 3", "head"}, "all", 0)
    head = sum(float((p.detach() ** 2).sum()) for p in net.head.parameters())
    with torch.no_grad():
        moved = net.stages[3].modules[0][0].weight
        moved += 0.5
        net.stages[0].modules[0][0].weight += 9.0  # frozen: not its business
    asked = Penalties((Penalty("l2-sp", 0.1),), net, source)
    wanted = 0.1 * 0.5 * (0.25 * moved.numel() + head)
    assert float(asked(torch.zeros(2, 16), 1.0).detach()) == pytest.approx(wanted, rel=1e-4)
    assert float(asked(torch.zeros(2, 16), 0.25).detach()) == pytest.approx(wanted / 4, rel=1e-4)


def test_bss_is_the_squares_of_the_smallest_singular_values() -> None:
    net = image_network()
    features = torch.randn(6, 16, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(features)
    for smallest in (1, 3):
        asked = Penalties((Penalty("bss", 0.01, smallest),), net, {})
        assert float(asked(features, 1.0)) == pytest.approx(0.01 * float((values[-smallest:] ** 2).sum()), rel=1e-4)
