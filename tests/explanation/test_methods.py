"""Every method on every kind of network: numbers, the network's own grid, the same twice; and the closed form beside
the library."""

import functools
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torchvision
from torch import Tensor, nn
from torchvision.models.convnext import CNBlockConfig

from medtl.errors import NotFound
from medtl.explanation import fast, layers, library, states
from medtl.explanation.gradcam import Maps
from medtl.explanation.methods import METHODS
from medtl.sources import heads, image_nets
from medtl.sources.network import Network, hidden_head
from tests.builders import image_network, same_state, state_of

SIDE = 64
POOLED = (  # a real network of every family that averages its last map over places
    "convnext_tiny", "densenet121", "efficientnet_b0", "mnasnet0_5", "mobilenet_v2", "mobilenet_v3_small",
    "regnet_y_400mf", "resnet18", "shufflenet_v2_x0_5", "squeezenet1_1",
)  # fmt: skip


def pictures(n: int = 1, side: int = SIDE, seed: int = 0) -> Tensor:
    return torch.randn(n, 3, side, side, generator=torch.Generator().manual_seed(seed))


def alive(network: Network) -> Network:
    """With running statistics of noise, so that its signal does not fade from layer to layer, and a head that says
    something."""
    with torch.no_grad():
        nn.init.normal_(network.head.weight)  # type: ignore[arg-type]
        network.train()
        for _ in range(4):
            network(pictures(4))
    return network.eval()


# ---- small ones of every kind ---------------------------------------------------------------------------------------


def tiny_vit() -> Network:
    net = torchvision.models.VisionTransformer(SIDE, 16, 4, 2, 16, 32)
    nn.init.normal_(net.encoder.pos_embedding)
    return image_nets._vit(net, 3)


def tiny_swin() -> Network:
    return image_nets._swin(torchvision.models.SwinTransformer([4, 4], 8, [1, 1, 1, 1], [1, 1, 1, 1], [2, 2]), 3)


def tiny_convnext() -> Network:
    blocks = [CNBlockConfig(8, 8, 1), CNBlockConfig(8, 16, 1), CNBlockConfig(16, 16, 1), CNBlockConfig(16, None, 1)]
    return image_nets._sequence((2, 4, 6), pool_norm=True)(torchvision.models.ConvNeXt(blocks, layer_scale=1.0), 3)


def tiny_densenet() -> Network:
    return image_nets._densenet(torchvision.models.DenseNet(8, (1, 1, 1, 1), 8), 3)


def tiny_vgg() -> Network:
    net = nn.Module()
    pair = lambda a, b: [nn.Conv2d(a, b, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2)]  # noqa: E731
    net.features = nn.Sequential(*pair(3, 8), *pair(8, 16), *pair(16, 16))
    return image_nets._pooled_sequence(16)(net, 3)


TINY: dict[str, Callable[[], Network]] = {
    "ResNet-like": lambda: image_network(3),
    "DenseNet": tiny_densenet,
    "ConvNeXt": tiny_convnext,
    "Swin": tiny_swin,
    "ViT": tiny_vit,
    "VGG": tiny_vgg,
}
CLOSED = {"ResNet-like": True, "DenseNet": True, "ConvNeXt": True, "Swin": True, "ViT": False, "VGG": False}


@functools.cache
def tiny(kind: str) -> Network:
    torch.manual_seed(0)
    return alive(TINY[kind]())


@pytest.mark.parametrize("kind", TINY)
def test_whether_the_closed_form_holds_is_found_out(kind: str) -> None:
    assert (fast.of(tiny(kind), pictures()) is not None) == CLOSED[kind]


@pytest.mark.parametrize("method", METHODS.ids)
@pytest.mark.parametrize("kind", TINY)
def test_every_method_gives_numbers_at_the_network_s_grid_and_the_same_twice(kind: str, method: str) -> None:
    network, x = tiny(kind), pictures(seed=1)
    before, maps = state_of(network), Maps(network, x)
    first, second = (maps.raw(x, [0, 2], method) for _ in range(2))
    assert np.isfinite(first).all() and np.array_equal(first, second) and same_state(before, state_of(network))
    if METHODS[method].kind != "pixels":
        assert first.shape == (1, 2, *maps.layers[-1].grid)
    assert float(np.abs(first).max()) > 0, "a map of nothing"
    assert np.array_equal(first[0, 0], first[0, 1]) == (not METHODS[method].of_class)
    said = maps.maps(x, ("a", "b", "c"), method)
    assert [one.label for one in said] == ["a", "b", "c"] and "invalid" not in {one.state for one in said}
    assert all((one.signed is not None) == METHODS[method].signed for one in said)


@pytest.mark.parametrize("kind", TINY)
def test_a_map_can_be_made_at_the_end_of_every_stage(kind: str) -> None:
    network, x = tiny(kind), pictures()
    maps = Maps(network, x)
    assert [layer.name for layer in maps.layers] == [stage.name for stage in network.stages]
    assert maps.layers[0].grid[0] >= maps.layers[-1].grid[0] >= 2
    for layer in maps.layers:
        for method in ("gradcam", "layercam", "ablationcam"):
            assert maps.raw(x, [1], method, layer.name).shape == (1, 1, *layer.grid)
    with pytest.raises(NotFound) as error:
        maps.raw(x, [1], "layercam", "nowhere")
    assert maps.last in error.value.advice
    with pytest.raises(NotFound):
        maps.raw(x, [1], "no such way")


# ---- the closed form beside the library -----------------------------------------------------------------------------


def difference(network: Network, x: Tensor, k: int = 1) -> float:
    """The largest difference of the closed form from the library, both cut off at zero and stretched to 0..1."""
    maps = Maps(network, x)
    assert maps.fast is not None, "the closed form should hold"
    ours = maps.raw(x, [0, k])[:, 1]
    at = layers.last(network, x)
    theirs = [library.raw("gradcam", network, at, one[None], lambda outputs: outputs[k]) for one in x]
    return max(float(np.abs(states.scaled(a) - states.scaled(b)).max()) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("builder", POOLED)
def test_the_closed_form_is_grad_cam(builder: str) -> None:
    torch.manual_seed(0)
    assert difference(alive(image_nets.build(builder, 2)), pictures(2)) < 1e-4


@pytest.mark.parametrize("kind", [kind for kind, holds in CLOSED.items() if holds])
def test_also_on_small_ones_of_every_kind(kind: str) -> None:
    assert difference(tiny(kind), pictures(2)) < 1e-4


def heads_of(d: int) -> dict[str, nn.Module]:
    torch.manual_seed(1)
    centre, kept, votes = torch.randn(d), torch.randn(12, d), torch.eye(2).repeat(6, 1)
    one = torch.tensor(1.0)
    kept = nn.functional.normalize(kept, dim=1)
    return {
        "hidden": hidden_head(d, 8, 2, 0.5),
        "class means": heads.class_means_head(centre, torch.randn(2, d), torch.randn(2)),
        "neighbours": heads.Neighbours(centre, kept, votes, torch.tensor([0.5, 0.5]), torch.tensor(5), one),
        "examples": heads.ExampleCache(centre, kept, votes / 6, torch.randn(2, d), torch.randn(2), one / 2, one),
    }


@pytest.mark.parametrize("head", heads_of(16))
def test_through_every_head(head: str) -> None:
    network = image_network()
    network.head = heads_of(network.width)[head]
    assert difference(network, pictures(3)) < 1e-4


def test_one_picture_does_not_change_the_map_of_another() -> None:
    maps, x = Maps(tiny("ConvNeXt"), pictures()), pictures(3)
    assert np.allclose(maps.raw(x, [0])[1], maps.raw(x[1:2], [0])[0], atol=1e-5)
