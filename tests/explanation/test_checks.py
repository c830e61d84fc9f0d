"""Badges that can be failed: a map that ignores the weights, a region that does not matter, a map that jumps."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from medtl.explanation import attention, badges, checks, examples, neighbours, overlap, states
from medtl.explanation.gradcam import Maps
from medtl.sources.network import Network, Stage
from tests.builders import image_network


class Means(nn.Module):
    """Brightness of cells of 8 px, red and green apart: class 1 looks at red, class 0 at green."""

    def __init__(self) -> None:
        super().__init__()
        self.pool, self.conv, self.relu = nn.AvgPool2d(8), nn.Conv2d(3, 2, 1, bias=False), nn.ReLU()


def red_network() -> Network:
    trunk = Means()
    network = Network(
        trunk, [Stage("only", [trunk.pool, trunk.conv, trunk.relu])], [nn.AdaptiveAvgPool2d(1), nn.Flatten(1)], 2, 2,
        trunk.relu,
    )  # fmt: skip
    with torch.no_grad():
        trunk.conv.weight.copy_(torch.tensor([[1.0, 0, 0], [0, 1.0, 0]])[:, :, None, None])
        network.head.weight.copy_(torch.tensor([[-3.0, 8.0], [8.0, -3.0]]))  # type: ignore[union-attr, operator]
        network.head.bias.zero_()  # type: ignore[union-attr, operator]
    return network.eval()


def picture() -> Tensor:
    """(1, 3, 56, 56): a red cell at one place, a green one at another, on dark noise."""
    x = 0.02 * torch.rand(1, 3, 56, 56, generator=torch.Generator().manual_seed(0))
    x[0, 0, 8:24, 32:48] = 1
    x[0, 1, 32:48, 8:24] = 1
    return x


def score(network: Network, k: int) -> checks.Score:
    def of(x: Tensor) -> np.ndarray:
        with torch.no_grad():
            return np.asarray(network(x).softmax(dim=1)[:, k].double().numpy())

    return of


def test_the_right_region_carries_the_score_and_a_wrong_one_does_not() -> None:
    network, x = red_network(), picture()
    values = np.maximum(Maps(network, x).raw(x, [1])[0, 0], 0)
    right = checks.regions(score(network, 1), x, values, randoms=9)
    wrong = checks.regions(score(network, 1), x, np.maximum(Maps(network, x).raw(x, [0])[0, 0], 0), randoms=9)
    for name in ("deletion", "insertion", "road"):
        least = 0.005 if name == "insertion" else 0.1  # of a mean of places blurring takes little
        assert right[name].than_random.mean() > least and right[name].than_centre > 0
        assert wrong[name].than_random.mean() < 0
        assert right[name].change > wrong[name].change


def test_shuffling_the_weights_changes_a_real_map() -> None:
    network = image_network(2, width=16)
    x = torch.randn(6, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    lost = checks.shuffled(Maps(network, x), x, [0, 1] * 3)
    assert lost.names == ("head", "stage 3", "stage 2", "stage 1", "stage 0") and lost.kept.shape == (6, 5)
    assert lost.kept.min() >= 0 and lost.kept[:, -1].mean() < 0.5


def test_a_map_that_does_not_ask_the_last_layer_fails() -> None:
    network, x = image_network(2), torch.randn(2, 3, 32, 32)
    lost = checks.shuffled(Maps(network, x), x, [0, 1], "eigencam")
    assert np.allclose(lost.kept[:, 0], 1)
    assert badges.of_many("shuffled-head", np.repeat(lost.kept[:, 0], 4), None).passed is False


def test_checking_leaves_the_network_as_it_was() -> None:
    network, x = image_network(2), torch.randn(1, 3, 32, 32)
    before = Maps(network, x).raw(x, [1])
    checks.shuffled(Maps(network, x), x, [1])
    checks.steady(Maps(network, x), x, [1])
    assert np.array_equal(before, Maps(network, x).raw(x, [1]))


def test_a_map_that_follows_the_picture_is_steady_and_one_that_jumps_is_not() -> None:
    network, x = red_network(), picture()
    maps = Maps(network, x)
    assert checks.steady(maps, x, [1]).mean() > 0.7
    draw = np.random.default_rng(0)
    maps.fast = None
    maps.raw = lambda x, classes, *rest: draw.random((len(x), len(classes), 7, 7))  # type: ignore[method-assign]
    assert checks.steady(maps, x, [1]).mean() < 0.5


def test_filling_in_is_smooth_and_touches_only_the_hole() -> None:
    rows, columns = np.mgrid[:12, :12].astype(float)
    ramp = (2 * rows + columns)[None]
    hole = np.zeros((12, 12), bool)
    hole[3:9, 4:9] = True
    filled = checks.filled_in(np.where(hole, 99.0, ramp), hole)
    assert np.allclose(filled, ramp)  # what is linear is filled in exactly
    assert np.array_equal(checks.filled_in(ramp, ~np.zeros_like(hole)), ramp)


def test_filling_in_is_that_of_the_library() -> None:
    from pytorch_grad_cam.metrics.road import NoisyLinearImputer

    draw = np.random.default_rng(0)
    whole, hole = draw.random((3, 16, 16)), draw.random((16, 16)) < 0.4
    theirs = NoisyLinearImputer(noise=0)(torch.from_numpy(whole).float(), torch.from_numpy(~hole).float())
    assert np.allclose(checks.filled_in(whole, hole), theirs.numpy(), atol=1e-4)


# ---- badges ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("low", "high", "passed"), [(0.0, 0.2, True), (0.7, 0.9, False), (0.2, 0.8, None)])
def test_a_badge_is_passed_only_when_its_whole_interval_is(low: float, high: float, passed: bool | None) -> None:
    values = np.random.default_rng(0).uniform(low, high, 40)
    check = badges.of_many("shuffled", values if passed is not None else np.tile([0.2, 0.8], 6), None)
    assert check.passed is passed and check.says.count("(") == 2
    assert ("cannot be told" in check.short) == (passed is None)


def test_few_cases_and_none_earn_no_badge() -> None:
    assert badges.of_many("steady", np.array([0.9, 0.95, 0.99]), None).passed is None
    empty = badges.of_many("steady", np.array([np.nan, np.nan]), ["a", "b"])
    assert empty.n == 0 and empty.passed is None and "No case" in empty.says


def test_cases_of_one_patient_count_as_one_draw() -> None:
    values = np.repeat(np.random.default_rng(0).normal(0.5, 0.2, 6), 20)
    apart = badges.mean(values, None)
    together = badges.mean(values, [f"p{i // 20}" for i in range(120)])
    assert together[2] - together[1] > 2 * (apart[2] - apart[1]) and "patient" in together[3]


# ---- states ----------------------------------------------------------------------------------------------------------


def frame(side: int) -> np.ndarray:
    values = np.ones((side, side))
    values[1:-1, 1:-1] = 0
    return values


@pytest.mark.parametrize(
    ("values", "state"),
    [
        (np.full((7, 7), np.nan), "invalid"), (-np.eye(7), "empty"), (np.zeros((7, 7)), "empty"),
        (np.full((7, 7), 3.0), "flat"), (np.full((7, 7), 3.0) - 2.9 * np.eye(7), "everywhere"), (frame(7), "border"),
        (np.eye(7), "ok"), (np.pad([[1.0]], ((0, 6), (0, 6))), "ok"), (frame(4), "everywhere"),
    ],
)  # fmt: skip
def test_states_are_named(values: np.ndarray, state: str) -> None:
    made = states.heat_map(values, "a", "layer")
    assert made.state == state and bool(made.says) == (state != "ok")
    assert "disease" not in made.says and (made.values is None) == (state in ("invalid", "empty", "flat"))


def test_a_spot_is_drawable_wherever_it_lies() -> None:
    rows, columns = np.mgrid[:7, :7]
    for i in range(7):
        for j in range(7):
            spot = np.exp(-0.5 * ((rows - i) ** 2 + (columns - j) ** 2))
            assert states.judged(spot) == "ok", (i, j)


def test_maps_that_do_not_tell_classes_apart_are_said_to_be_the_same() -> None:
    one = states.heat_map(np.eye(7) + 0.1 * np.random.default_rng(0).random((7, 7)), "a", "layer")
    alike = states.told_apart((one, replace(one, label="b")))
    assert {m.state for m in alike} == {"same"} and "'b'" in alike[1].says
    other = states.heat_map(np.rot90(np.eye(7)), "b", "layer")
    assert [m.state for m in states.told_apart((one, other))] == ["ok", "ok"]


def test_rank_correlation_is_spearman_s() -> None:
    from scipy.stats import spearmanr

    draw = np.random.default_rng(0)
    a, b = draw.integers(0, 5, 60).astype(float), draw.random(60)
    assert states.rank_correlation(a, b) == pytest.approx(spearmanr(a, b).statistic)
    assert states.rank_correlation(a, np.ones(60)) == 0.0


# ---- where a map lies ------------------------------------------------------------------------------------------------


def test_the_body_is_told_from_the_ground_and_from_writing() -> None:
    film = np.zeros((100, 120), np.uint8)
    film[20:80, 30:90] = 120
    film[40:60, 50:70] = 0  # dark inside the body
    film[4:8, 4:16] = 255  # a marker on the ground
    mask = attention.body(film)
    assert mask[20:80, 30:90].all() and mask[:18].sum() == 0 and not mask[5, 5]
    full = np.random.default_rng(0).integers(60, 200, (64, 64), dtype=np.uint8)
    assert attention.body(full).all() and attention.body(np.zeros((32, 32), np.uint8)).all()


def test_shares_add_up() -> None:
    mask = attention.boxes([(0.0, 0.0, 0.5, 1.0)], 70, 70)
    assert attention.share(np.ones((7, 7)), mask) == pytest.approx(0.5)
    left = np.pad(np.ones((7, 3)), ((0, 0), (0, 4)))
    assert attention.share(left, mask) > 0.95 and np.isnan(attention.share(np.zeros((7, 7)), mask))
    assert attention.edge(140, 140).mean() == pytest.approx(1 - (6 / 7) ** 2)


def test_a_map_is_held_against_a_drawn_region() -> None:
    spot = np.zeros((7, 7))
    spot[1:3, 4:6] = 1
    region = attention.polygons([[(4 / 7, 1 / 7), (6 / 7, 1 / 7), (6 / 7, 3 / 7), (4 / 7, 3 / 7)]], 140, 140)
    found = attention.overlap(spot, region)
    assert found.hit and found.iou > 0.6 and found.inside > 0.7 and found.area == pytest.approx(4 / 49, abs=0.01)
    assert not attention.overlap(np.fliplr(spot), region).hit
    said = {e.name: e for e in overlap.over_cases([found] * 17 + [attention.Overlap(0.0, 0.0, 0.1, False)] * 7)}
    assert said["pointing"].value == pytest.approx(17 / 24) and said["pointing"].low < 17 / 24 < said["pointing"].high
    assert overlap.over_cases([]) == ()


# ---- by example ------------------------------------------------------------------------------------------------------


def test_prototypes_and_the_plane_know_the_classes() -> None:
    draw = np.random.default_rng(0)
    labels = [f"c{i % 3}" for i in range(60)]
    features = np.eye(8)[[i % 3 for i in range(60)]] + 0.1 * draw.normal(size=(60, 8))
    features[5] = np.eye(8)[2]  # exactly the middle of its class
    known = neighbours.learn([f"x{i}" for i in range(60)], features, features[:9])
    said = examples.prototypes(known, {f"x{i}": label for i, label in enumerate(labels)})
    assert [one.label for one in said] == ["c0", "c1", "c2"] and all(one.of == 20 for one in said)
    assert next(one for one in said if one.label == "c2").case == "x5"
    plane = examples.plane(known)
    assert plane.explained > 0.8 and np.allclose(plane.place(features[7]), plane.points[7], atol=0.01)
    assert np.array_equal(plane.points, examples.plane(known).points)
