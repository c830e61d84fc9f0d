"""timm's networks in stages give timm's own features, and are as large as their entries say."""

import copy

import pytest
import torch

from medtl.errors import NotFound, NotReady
from medtl.sources import optional, optional_weights
from medtl.sources.foreign import outlined
from medtl.sources.network import reinitialise
from medtl.training.inference import Eye
from medtl.vocabulary import Source
from medtl.workspace import Workspace
from tests.builders import CPU

pytest.importorskip("timm", reason="timm is an optional library")
from medtl.sources import timm_nets

SMALL = [one for one in optional.TIMM if "base" not in one.name]


@pytest.mark.parametrize("one", SMALL, ids=lambda one: one.name)
def test_a_network_is_timms_own_and_fits_its_entry(one: optional.Optional) -> None:
    torch.manual_seed(0)
    network = timm_nets.build(one.id, 3).eval()
    assert outlined(network, one.input) == one.outline
    of_stages = {id(p) for stage in network.stages for p in stage.parameters()}
    assert of_stages == {id(p) for p in network.trunk.parameters()}
    x = torch.randn(2, 3, 224, 224)
    with torch.no_grad():
        plain = network.features(x)
        assert torch.allclose(plain, network.trunk.net.eval()(x), atol=1e-5)  # type: ignore[union-attr, operator]
        assert torch.allclose(copy.deepcopy(network).features(x), plain, atol=1e-6)
    seen = Eye(network, one.input, CPU).network
    with torch.no_grad():
        assert torch.allclose(seen(x), plain, atol=1e-3)
    before = {key: value.clone() for key, value in network.trunk.state_dict().items()}
    reinitialise(network)
    assert any(not torch.equal(before[key], value) for key, value in network.trunk.state_dict().items())


def test_only_listed_names_reach_timm() -> None:
    with pytest.raises(NotFound):
        timm_nets.build("timm:hf-hub:somebody/network", 2)


def test_no_network_is_said(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    def offline(*given: object, **more: object) -> None:
        raise OSError("no route to host")

    ws = Workspace(tmp_path).ensure()
    monkeypatch.setattr(timm_nets, "made", offline)
    source: Source = next(one for one in optional.sources(ws) if one.builder.startswith("timm:"))
    with pytest.raises(NotReady, match="could not be fetched"):
        optional_weights.fetch(source)
    assert not list(ws.weights.iterdir())


def test_what_timm_fetched_is_kept_once_converted(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    from medtl.sources.weights import load_network

    ws = Workspace(tmp_path).ensure()
    real = timm_nets.made
    monkeypatch.setattr(timm_nets, "made", lambda name, pretrained, **more: real(name, False))
    source = next(one for one in optional.sources(ws) if "mobilenetv4" in one.builder)
    load_network(source, ws.weights, 2)
    again = next(one for one in optional.sources(ws) if one.id == source.id)
    assert (
        again.on_disk
        and again.sha256
        and sorted(f.suffix for f in ws.weights.iterdir())
        == [
            ".safetensors",
            ".sha256",
        ]
    )
    load_network(again, ws.weights, 2)
