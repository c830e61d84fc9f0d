"""What of a network trains, and that a low-rank addition is nothing at first and part of the weights at last."""

import pytest
import torch
from torch import nn

from medtl.sources.image_nets import build
from medtl.sources.network import Network
from medtl.sources.values import wide_layers
from medtl.training import trainable
from tests.builders import KINDS, same_state, state_of


def network(kind: str = "image") -> Network:
    return KINDS[kind][0](width=16) if kind == "image" else KINDS[kind][0]()


def moving(net: Network) -> set[str]:
    return {name for name, p in net.named_parameters() if p.requires_grad}


@pytest.mark.parametrize("kind", KINDS)
def test_only_what_is_named_gets_gradients(kind: str) -> None:
    net = network(kind)
    last = net.stages[-1].name
    chosen = trainable.choose(net, {last, "head"}, "all", 0)
    assert [name for name, _ in chosen] == [last, "head"]
    own = {id(p) for stage in net.stages[-1:] for p in stage.parameters()} | {id(p) for p in net.head.parameters()}
    assert {id(p) for p in net.parameters() if p.requires_grad} == own


def test_norms_and_biases_are_what_their_names_say() -> None:
    net = network()
    names = {stage.name for stage in net.stages}
    trainable.choose(net, names, "norms", 0)
    norms = {f"trunk.{n}.1.{v}" for n in range(4) for v in ("weight", "bias")}
    assert moving(net) == norms
    trainable.choose(net, names, "biases", 0)
    assert moving(net) == {name for name in norms if name.endswith("bias")}


@pytest.mark.parametrize("kind", KINDS)
def test_a_low_rank_addition_changes_nothing_at_first_and_is_merged_at_last(kind: str) -> None:
    net = network(kind)
    x = torch.randn(4, 3, 16, 16) if kind == "image" else torch.randn(4, 1, 4, 4)
    before, said = state_of(net), net(x)
    trainable.choose(net, {stage.name for stage in net.stages} | {"head"}, "low-rank", 2)
    assert torch.equal(net(x), said)
    assert any("parametrizations" in name for name in moving(net))
    added = [p for name, p in net.named_parameters() if name.endswith(".up")]
    with torch.no_grad():
        for one in added:
            one.normal_()
    changed = net(x)
    assert not torch.allclose(changed, said)
    trainable.merge(net)
    after = state_of(net)
    assert after.keys() == before.keys() and not same_state(before, after)
    assert torch.allclose(net(x), changed, atol=1e-5)
    same = [key for key in before if not key.endswith("weight")]
    assert all(torch.equal(before[key], after[key]) for key in same)
    assert list(after) == list(before)


@pytest.mark.parametrize("id", ["mobilenet_v3_small", "vit_b_32"])
def test_real_networks_take_low_rank_additions_and_give_them_back(id: str) -> None:
    net = build(id, 2)
    keys = list(net.state_dict())
    last = net.stages[-1].name
    chosen = trainable.choose(net, {last}, "low-rank", 4)
    assert sum(p.numel() for _, ps in chosen for p in ps) < sum(p.numel() for p in net.stages[-1].parameters()) / 2
    x = torch.randn(1, 3, 224, 224)
    net.train(False)
    loss = net(x).sum()
    loss.backward()  # type: ignore[no-untyped-call]
    assert all(p.grad is not None for _, ps in chosen for p in ps)
    trainable.merge(net)
    assert list(net.state_dict()) == keys


def test_small_and_grouped_layers_are_left_alone() -> None:
    net = network()
    block = nn.Sequential(nn.Conv2d(8, 64, 1), nn.Conv2d(64, 64, 3, groups=64), nn.Conv2d(64, 64, 1))
    stage = type(net.stages[0])("block", [block])
    assert [module for module, _ in wide_layers(stage.members())] == [block[2]]
