"""Every network on offer, as it is described in `builders` without torch, held against the network itself."""

import functools

import pytest
import torch
import torchvision

from medtl.errors import NotFound
from medtl.sources.builders import BUILDERS
from medtl.sources.image_nets import build, measure
from medtl.sources.network import Network, reinitialise
from medtl.sources.weights import HEAD, fill_trunk, weights_of
from tests.builders import same_state, state_of

IDS = BUILDERS.ids
CLASSIFIER = ("classifier.", "fc.", "heads.")


@functools.cache
def network_of(id: str) -> Network:
    """Built once: tests look at it and leave it as it was."""
    torch.manual_seed(0)
    return build(id, 3).eval()


@functools.cache
def theirs(id: str) -> dict[str, torch.Size]:
    """Names and shapes of torchvision's own network, without the memory for its values."""
    with torch.device("meta"):
        net = getattr(torchvision.models, id)(weights=None)
    return {key: value.shape for key, value in net.state_dict().items()}


@pytest.mark.parametrize("id", IDS)
def test_the_outline_on_the_shelf_is_the_one_measured(id: str) -> None:
    network, outline = network_of(id), BUILDERS[id].outline
    measured = measure(network)
    assert [s.name for s in measured.stages] == [s.name for s in outline.stages]
    assert [s.parameters for s in measured.stages] == [s.parameters for s in outline.stages]
    assert [s.gflop for s in measured.stages] == pytest.approx([s.gflop for s in outline.stages], abs=2e-3)
    assert measured.features == outline.features == network.width
    assert outline.parameters == sum(p.numel() for p in network.trunk.parameters())  # every value is in one stage


@pytest.mark.parametrize("id", IDS)
def test_the_published_file_exists_under_the_name_we_check(id: str) -> None:
    builder = BUILDERS[id]
    weights = torchvision.models.get_weight(builder.weights)
    assert weights.url.rsplit("/", 1)[1] == builder.file
    assert len(builder.file.rsplit("-", 1)[1].removesuffix(".pth")) == 8
    assert weights.meta["num_params"] >= builder.outline.parameters
    assert builder.size_mb == pytest.approx(weights.meta["_file_size"], abs=0.1)
    assert builder.says.endswith(".") and builder.reference


@pytest.mark.parametrize("id", IDS)
def test_it_answers_with_one_logit_for_each_class(id: str) -> None:
    network, size = network_of(id), BUILDERS[id].input.size
    x = torch.randn(2, 3, size, size)
    with torch.inference_mode():
        features, logits = network.features(x), network(x)
        assert features.shape == (2, BUILDERS[id].outline.features) and logits.shape == (2, 3)
        assert torch.allclose(network.head(features), logits)
        halfway = x
        for n, stage in enumerate(network.stages, start=1):
            halfway = stage(halfway)
            assert torch.allclose(network.features_from(halfway, n), features, atol=1e-5)


@pytest.mark.parametrize("id", IDS)
def test_the_keys_are_those_of_its_library(id: str) -> None:
    own = {key: value.shape for key, value in network_of(id).trunk.state_dict().items()}
    published = theirs(id)
    assert set(own) <= set(published)
    assert all(own[key] == published[key] for key in own)
    left = set(published) - set(own)
    assert left and all(key.startswith(CLASSIFIER) for key in left)


@pytest.mark.parametrize("id", IDS)
def test_the_published_features_are_its_features(id: str) -> None:
    """The same weights in torchvision's network give the same input to its classifier."""
    if id in ("vit_b_16", "convnext_tiny"):
        pytest.skip("the heavy ones are held by their keys alone")
    torch.manual_seed(1)
    net = getattr(torchvision.models, id)(weights=None).eval()
    network = build(id, 3).eval()
    fill_trunk(network, net.state_dict())
    seen: list[torch.Tensor] = []
    last = net.fc if hasattr(net, "fc") else net.classifier
    last.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    x = torch.randn(1, 3, 96, 96)
    with torch.inference_mode():
        net(x)
        features = network.features(x)
    given = seen[0].mean(dim=(2, 3)) if seen[0].ndim == 4 else seen[0]
    assert torch.allclose(given, features, atol=1e-4 * float(features.abs().max()))


@pytest.mark.parametrize("id", IDS)
def test_stages_and_the_map_belong_to_the_trunk(id: str) -> None:
    network = network_of(id)
    owned = list(map(address, network.trunk.parameters()))
    staged = [address(p) for stage in network.stages for p in stage.parameters()]
    assert sorted(owned) == sorted(staged)
    assert network.map_layer in set(network.trunk.modules())
    assert all(key.startswith(HEAD) or key in network.trunk.state_dict() for key in weights_of(network))


def address(value: torch.Tensor) -> int:
    """Whether it is the same tensor, not merely an equal one."""
    return id(value)


@pytest.mark.parametrize("id", ["mobilenet_v3_small", "squeezenet1_0", "resnet18"])
def test_reinitialised_it_forgets_everything_and_still_answers(id: str) -> None:
    network = build(id, 2)
    with torch.no_grad():
        for value in network.state_dict().values():
            value.fill_(7)
    torch.manual_seed(5)
    reinitialise(network)
    assert not any(bool((value == 7).any()) for value in network.state_dict().values())
    first = state_of(network)
    torch.manual_seed(5)
    reinitialise(network)
    assert same_state(first, state_of(network))
    with torch.inference_mode():
        said = network.eval()(torch.randn(2, 3, 96, 96))
    assert torch.isfinite(said).all()


def test_an_unknown_network_names_those_that_exist() -> None:
    with pytest.raises(NotFound) as error:
        build("alexnet", 2)
    assert all(id in error.value.advice for id in IDS)
