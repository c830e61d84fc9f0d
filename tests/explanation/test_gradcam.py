"""Where a network looked, on networks of which we know where they look; and the empty answers by their names."""

import numpy as np
import pytest
import torch
from torch import nn

from medtl.errors import BadInput
from medtl.explanation.gradcam import explain
from medtl.explanation.states import heat_map as to_heat_map
from medtl.sources.image_nets import build
from medtl.sources.network import Network, Stage
from tests.builders import image_network, same_state, state_of, table_network


def bright_spot_network() -> Network:
    """One stage that keeps the brightness of each 4 x 4 cell; class 1 is its mean, class 0 the opposite."""
    trunk = nn.Sequential(nn.AvgPool2d(4), nn.Conv2d(3, 1, 1, bias=False), nn.ReLU())
    network = Network(
        trunk, [Stage("only", list(trunk))], [nn.AdaptiveAvgPool2d(1), nn.Flatten(1)], 1, 2, map_layer=trunk[2]
    )
    with torch.no_grad():
        trunk[1].weight.fill_(1 / 3)
        assert isinstance(network.head, nn.Linear)
        network.head.weight.copy_(torch.tensor([[-1.0], [1.0]]))
        network.head.bias.zero_()
    return network


def spot(row: int, column: int) -> torch.Tensor:
    """(1, 3, 32, 32): dark but for a bright cell of 8 x 8."""
    x = torch.zeros(1, 3, 32, 32)
    x[..., 8 * row : 8 * row + 8, 8 * column : 8 * column + 8] = 1
    return x


@pytest.mark.parametrize(("row", "column"), [(0, 0), (0, 3), (2, 1), (3, 3)])
def test_the_map_is_bright_where_the_evidence_is(row: int, column: int) -> None:
    said = explain(bright_spot_network(), spot(row, column), 1, "malignant")
    assert said.state == "ok" and said.label == "malignant" and said.method == "Grad-CAM" and said.layer == "only"
    values = np.array(said.values)
    assert values.shape == (8, 8) and values.min() == 0 and values.max() == 1  # the network's own grid
    inside = np.zeros((8, 8), bool)
    inside[2 * row : 2 * row + 2, 2 * column : 2 * column + 2] = True
    assert values[inside].min() == 1 and values[~inside].max() == 0


def test_evidence_against_a_class_is_no_evidence_for_it() -> None:
    said = explain(bright_spot_network(), spot(1, 1), 0, "benign")
    assert said.state == "empty" and said.values is None
    assert np.array(said.signed).min() == -1 and np.array(said.signed).max() == 0  # but it is kept, as evidence against
    assert "benign" in said.says and said.says.startswith("No map")


def test_a_network_that_looks_nowhere_is_said_to() -> None:
    network = bright_spot_network()
    with torch.no_grad():
        network.head.weight.zero_()  # type: ignore[union-attr, operator]
    assert explain(network, spot(0, 0), 1, "malignant").state == "empty"
    assert explain(bright_spot_network(), torch.zeros(1, 3, 32, 32), 1, "malignant").state == "empty"


def test_numbers_that_are_none_are_never_drawn() -> None:
    x = spot(0, 0)
    x[0, 0, 5, 5] = float("nan")
    said = explain(bright_spot_network(), x, 1, "malignant")
    assert said.state == "invalid" and said.values is None and said.says


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_one_wrong_number_spoils_a_map(value: float) -> None:
    values = np.ones((7, 7))
    values[3, 3] = value
    assert to_heat_map(values, "a", "layer").state == "invalid"


def test_a_map_of_tiny_differences_is_flat() -> None:
    assert to_heat_map(np.full((7, 7), 0.4), "a", "layer").state == "flat"
    noise = 0.4 + 1e-9 * np.random.default_rng(0).random((7, 7))
    assert to_heat_map(noise, "a", "layer").state == "flat"
    assert to_heat_map(np.eye(7) * 1e-3, "a", "layer").state == "ok"


def test_explaining_changes_nothing() -> None:
    network = image_network()
    before, x = state_of(network), torch.randn(1, 3, 16, 16)
    first, second = explain(network, x, 0, "a"), explain(network, x, 0, "a")
    assert first == second and same_state(before, state_of(network)) and not network.training


def test_a_table_has_no_map() -> None:
    with pytest.raises(BadInput) as error:
        explain(table_network(), torch.randn(1, 1, 4, 4), 0, "a")
    assert "picture" in error.value.message and error.value.advice


@pytest.mark.parametrize("builder", ["mobilenet_v3_small", "resnet18", "densenet121"])
def test_every_kind_of_network_gives_a_map(builder: str) -> None:
    torch.manual_seed(0)
    network = build(builder, 2)
    with torch.no_grad():
        nn.init.normal_(network.head.weight)  # type: ignore[arg-type]
        for _ in range(8):  # running statistics of noise, or its signal fades from layer to layer
            network.train()(torch.randn(2, 3, 64, 64))
    said = [explain(network, torch.randn(1, 3, 224, 224), k, "a") for k in (0, 1)]
    assert "ok" in {heat_map.state for heat_map in said} and "invalid" not in {heat_map.state for heat_map in said}
