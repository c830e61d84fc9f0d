"""Every network on offer, as `published.json` describes it without torch, held against torchvision's own.

All of them without values (`hollow`), so that the largest costs nothing; the smallest of each family with values.
"""

import copy
import functools
import itertools
import json
import re
from dataclasses import dataclass
from typing import Any

import pytest
import torch
import torchvision
from torch import Tensor, nn

from medtl.errors import BadInput, NotFound
from medtl.explanation.gradcam import explain
from medtl.sources import measuring
from medtl.sources.builders import BUILDERS, PUBLISHED
from medtl.sources.image_nets import build, torchvision_net
from medtl.sources.network import Network, first_convolution, reinitialise
from medtl.sources.weights import HEAD, fill_trunk, weights_of
from tests.builders import same_state, state_of

IDS = BUILDERS.ids
CLASSIFIER = ("classifier.", "fc.", "heads.", "head.")


def family(id: str) -> str:
    return re.findall("^[a-z]+", id)[0]


# The smallest of each family, and those whose maker goes another way than its family's smallest.
SMALL = sorted({
    *(
        min(members, key=lambda id: BUILDERS[id].outline.gflop)
        for _, members in itertools.groupby(sorted(IDS), family)
    ),
    "mobilenet_v2", "regnet_x_400mf", "squeezenet1_0", "swin_v2_t",
} - {"wide_resnet50_2"})  # fmt: skip  # the widest of all is cut as its brothers are
# Where features are not the plain mean of the map that Grad-CAM looks at.
NO_PLAIN_MEAN = ("alexnet", "vgg", "convnext", "maxvit", "vit")
FIXED = ("maxvit", "vit")  # cannot look at other sizes than their own
SMALLEST = {"inception_v3": 128}  # px of a picture that leaves a map of more than one cell, where 64 do not


hollow_nets = functools.cache(measuring.hollow_nets)


def stirred(net: Any) -> Any:
    """Every value moved, so that nothing is hidden by a zero or a one of the random start."""
    with torch.no_grad():
        for key, value in net.state_dict().items():
            if key.endswith("running_var"):
                value.uniform_(0.5, 1.5)
            elif key.endswith("layer_scale"):
                value.fill_(0.5)
            elif value.is_floating_point() and value.dim() <= 3:
                value.add_(0.05 * torch.randn_like(value))
    return net.eval()


@dataclass(frozen=True)
class Pair:
    """torchvision's network and ours with the same values."""

    id: str
    theirs: Any
    ours: Network


@pytest.fixture(scope="module", params=SMALL)
def pair(request: pytest.FixtureRequest) -> Pair:
    """All tests of one network follow one another, so that no two lie in memory."""
    return pair_of(request.param)


def pair_of(id: str) -> Pair:
    torch.manual_seed(0)
    theirs = stirred(torchvision_net(id))
    ours = build(id, 3).eval()
    fill_trunk(ours, theirs.state_dict())
    return Pair(id, theirs, ours)


def pictures(id: str, channels: int = 3) -> Tensor:
    """(B, C, S, S): two small ones, or one where the network cannot look at small pictures."""
    n, size = (1, BUILDERS[id].input.size) if family(id) in FIXED else (2, SMALLEST.get(id, 64))
    torch.manual_seed(1)
    return torch.randn(n, channels, size, size)


def alike(one: Tensor, other: Tensor) -> bool:
    return torch.allclose(one, other, rtol=1e-4, atol=1e-4 * float(other.abs().max()))


# ---- the table ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("id", IDS)
def test_the_table_says_what_is_measured(id: str) -> None:
    """Stages, their parameters and cost, width, input, file, size: everything is what a new table would say."""
    stored = json.loads(PUBLISHED.read_text())[id]
    weights = measuring.weights_for(id)
    measured = measuring.row(weights, *hollow_nets(id))
    stages, now = stored.pop("stages"), measured.pop("stages")
    assert stored == measured
    assert [stage[:2] + stage[3:] for stage in stages] == [stage[:2] + stage[3:] for stage in now]
    assert [stage[2] for stage in stages] == pytest.approx([stage[2] for stage in now], abs=2e-3)
    if stored["head"]:  # what is left is the cost torchvision says, less the classifier's
        classifier = 2e-9 * 1000 * stored["features"]
        assert BUILDERS[id].outline.gflop == pytest.approx(2 * weights.meta["_ops"] - classifier, rel=0.02, abs=0.005)


def test_the_table_is_whole_and_every_row_has_words() -> None:
    offered = {id for id in torchvision.models.list_models(module=torchvision.models) if measuring.weights_for(id)}
    assert set(json.loads(PUBLISHED.read_text())) == offered == set(IDS)
    assert len({builder.title for builder in BUILDERS}) == len(IDS)
    for builder in BUILDERS:
        assert builder.says.endswith(".") and re.search(r"\d{4}, arXiv:\d{4}\.\d{4,5}$", builder.reference)
        assert "\\" not in builder.title and "_" not in builder.title
        assert builder.url == torchvision.models.get_weight(builder.weights).url
        assert re.fullmatch("[0-9a-f]{8,10}", builder.hash)


def test_what_came_with_medtl_before_is_called_as_before() -> None:
    """Caches and recipes name these."""
    before = {
        "mobilenet_v2": "MobileNet_V2_Weights.IMAGENET1K_V2",
        "mobilenet_v3_small": "MobileNet_V3_Small_Weights.IMAGENET1K_V1",
        "mobilenet_v3_large": "MobileNet_V3_Large_Weights.IMAGENET1K_V2",
        "efficientnet_b0": "EfficientNet_B0_Weights.IMAGENET1K_V1",
        "resnet18": "ResNet18_Weights.IMAGENET1K_V1",
        "resnet50": "ResNet50_Weights.IMAGENET1K_V2",
        "densenet121": "DenseNet121_Weights.IMAGENET1K_V1",
        "convnext_tiny": "ConvNeXt_Tiny_Weights.IMAGENET1K_V1",
        "vit_b_16": "ViT_B_16_Weights.IMAGENET1K_V1",
        "squeezenet1_0": "SqueezeNet1_0_Weights.IMAGENET1K_V1",
    }
    assert {builder.id: builder.weights for builder in list(BUILDERS)[:10]} == before


def test_nothing_with_a_licence_of_its_own_is_offered() -> None:
    for builder in BUILDERS:
        weights = torchvision.models.get_weight(builder.weights)
        assert "license" not in weights.meta and "SWAG" not in builder.weights


# ---- all of them, without values ------------------------------------------------------------------------------------


@pytest.mark.parametrize("id", IDS)
def test_the_keys_are_those_of_its_library(id: str) -> None:
    ours, theirs = hollow_nets(id)
    own = {key: value.shape for key, value in ours.trunk.state_dict().items()}
    published = {key: value.shape for key, value in theirs.state_dict().items()}
    assert set(own) <= set(published)
    assert all(own[key] == published[key] for key in own)
    left = set(published) - set(own)
    assert left and all(key.startswith(CLASSIFIER) for key in left)


@pytest.mark.parametrize("id", IDS)
def test_every_value_of_the_trunk_is_in_exactly_one_stage(id: str) -> None:
    network, _ = hollow_nets(id)
    owned = list(map(address, network.trunk.parameters()))
    staged = [address(p) for stage in network.stages for p in stage.parameters()]
    assert sorted(owned) == sorted(staged)
    assert network.map_layer in set(network.trunk.modules())


def address(value: Tensor) -> int:
    """Whether it is the same tensor, not merely an equal one."""
    return id(value)


# ---- the smallest of each family, with values -----------------------------------------------------------------------


def test_the_same_weights_give_what_torchvision_gives(pair: Pair) -> None:
    """Its logits, where its classifier is one linear layer on our features; else its pooled last map."""
    theirs, ours = pair.theirs, pair.ours
    x, head = pictures(pair.id), BUILDERS[pair.id].head
    with torch.inference_mode():
        features = ours.features(x)
        if head:
            state = theirs.state_dict()
            said = nn.functional.linear(features, state[f"{head}.weight"], state.get(f"{head}.bias"))
            assert alike(said, theirs(x))
        else:
            assert alike(features, theirs.features(x).mean(dim=(2, 3)))
        assert features.shape == (len(x), BUILDERS[pair.id].outline.features) and ours(x).shape == (len(x), 3)
        assert alike(ours.head(features), ours(x))
    assert all(key.startswith(HEAD) or key in ours.trunk.state_dict() for key in weights_of(ours))


def test_stages_one_after_the_other_give_the_features(pair: Pair) -> None:
    ours, x = pair.ours, pictures(pair.id)
    with torch.inference_mode():
        features, halfway = ours.features(x), x
        for n, stage in enumerate(ours.stages, start=1):
            halfway = stage(halfway)
            if n in (1, len(ours.stages) - 1, len(ours.stages)):
                assert alike(ours.features_from(halfway, n), features)


def test_the_map_is_a_picture_and_grad_cam_can_use_it(pair: Pair) -> None:
    ours, x, layer = pair.ours, pictures(pair.id), pair.ours.map_layer
    seen: list[Tensor] = []
    assert layer is not None
    hook = layer.register_forward_hook(lambda module, given, output: seen.append(output))
    with torch.inference_mode():
        features = ours.features(x)
    hook.remove()
    shown = (ours.map_reshape or (lambda map: map))(seen[0])  # (B, D, h, w)
    assert shown.dim() == 4 and len(shown) == len(x) and shown.shape[2] == shown.shape[3] > 1
    if family(pair.id) not in NO_PLAIN_MEAN:
        assert alike(shown.mean(dim=(2, 3)), features)
    assert explain(ours, x[:1], 1, "ill").state != "invalid"


def test_one_channel_sees_a_grey_picture_as_three_do(pair: Pair) -> None:
    three, grey = copy.deepcopy(pair.ours), pictures(pair.id, channels=1)
    one = build(pair.id, 3, channels=1).eval()
    match = fill_trunk(one, three.trunk.state_dict())
    name, layer = first_convolution(one.trunk)
    assert layer.in_channels == 1 and name in match.adapted
    with torch.inference_mode():
        wanted = three.features(grey.expand(-1, 3, -1, -1))
        assert alike(one.features(grey), wanted)
        again = fill_trunk(three, one.trunk.state_dict())  # and back: the same for grey, though not for colour
        assert "spread" in again.adapted and alike(three.features(grey.expand(-1, 3, -1, -1)), wanted)


@pytest.mark.parametrize("id", ["googlenet", "inception_v3"])
def test_pixels_are_scaled_as_googles_weights_want_them(id: str) -> None:
    """torchvision takes ImageNet's scaling and turns it into -1 to 1 inside; our input is in that range already."""
    pair = pair_of(id)
    theirs, ours = pair.theirs, pair.ours
    pixels, spec = torch.rand(1, 3, 96, 96), BUILDERS[id].input
    given = torchvision.models.get_weight(BUILDERS[id].weights).transforms()

    def scaled(mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
        return (pixels - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)

    theirs.transform_input = True
    with torch.inference_mode():
        logits = theirs(scaled(given.mean, given.std))
        mine = theirs.fc(ours.features(scaled(spec.mean, spec.std)))
    assert alike(mine, logits)


@pytest.mark.parametrize("id", SMALL)
def test_a_copy_stands_by_itself(id: str) -> None:
    first, _ = hollow_nets(id)
    network = copy.deepcopy(first)
    owned = list(map(address, network.trunk.parameters()))
    assert sorted(owned) == sorted(address(p) for stage in network.stages for p in stage.parameters())
    assert not set(owned) & set(map(address, first.trunk.parameters()))
    assert network.map_layer in set(network.trunk.modules())


@pytest.mark.parametrize("id", ["mobilenet_v3_small", "squeezenet1_0", "resnet18", "swin_t", "swin_v2_t"])
def test_reinitialised_it_forgets_everything_and_still_answers(id: str) -> None:
    network = build(id, 2)
    learned = [key for key, value in network.state_dict().items() if value.is_floating_point()]
    learned = [key for key in learned if "relative_coords" not in key]  # where windows lie, not what was learned
    with torch.no_grad():
        for key in learned:
            network.state_dict()[key].fill_(7)
    torch.manual_seed(5)
    reinitialise(network)
    assert not any(bool((network.state_dict()[key] == 7).any()) for key in learned)
    first = state_of(network)
    torch.manual_seed(5)
    reinitialise(network)
    assert same_state(first, state_of(network))
    with torch.inference_mode():
        said = network.eval()(pictures(id))
    assert torch.isfinite(said).all()


# ---- what cannot be built -------------------------------------------------------------------------------------------


def test_an_unknown_network_names_those_that_exist() -> None:
    with pytest.raises(NotFound) as error:
        build("vit_h_14", 2)
    assert all(id in error.value.advice for id in IDS)


@pytest.mark.parametrize("channels", [0, 2, 4])
def test_pictures_have_one_channel_or_three(channels: int) -> None:
    with pytest.raises(BadInput) as error:
        build("squeezenet1_1", 2, channels=channels)
    assert "1 channel" in error.value.advice
