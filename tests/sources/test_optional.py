"""Sources of optional libraries: listed whether or not the library is there, and saying how to get it."""

import os
import sys
import types
from pathlib import Path

import pytest
import torch
from torch import nn

from medtl.errors import BadInput, NotFound, NotReady
from medtl.sources import library, optional, optional_weights
from medtl.sources.image_nets import build
from medtl.sources.weights import load_network
from medtl.workspace import Workspace

ALL = (*optional.FILMS, *optional.TIMM)


@pytest.fixture
def ws(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "home").ensure()


@pytest.mark.parametrize("there", [False, True])
def test_they_are_listed_and_say_what_is_missing(ws: Workspace, there: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optional, "installed", lambda name: there)
    listed = [source for source in library.sources(ws) if source.origin == "optional"]
    assert len(listed) == len(ALL) >= 7
    for source in listed:
        assert source.available is there and not source.on_disk and source.licence and source.card.limits
        assert source.needs.startswith("pip install ") and source.outline.parameters > 1e6
        assert (f"Needs an optional library: {source.needs}" == source.why_not) is not there
        assert ("on first use" in source.why_not) is there


def test_they_are_found_without_importing_the_library(ws: Workspace) -> None:
    before = set(sys.modules)
    optional.sources(ws)
    assert not {"timm", "torchxrayvision", "keras", "onnx2torch"} & (set(sys.modules) - before)


def test_an_unknown_one_is_not_found() -> None:
    with pytest.raises(NotFound):
        optional.named("resnet50-imagenet")
    assert optional.named("timm-vit-small-patch16-224").name == "vit_small_patch16_224.dino"


def test_films_are_shown_in_the_range_of_their_library() -> None:
    for one in optional.FILMS:
        (mean,), (std,) = one.input.mean, one.input.std
        assert one.input.channels == 1 and [(x - mean) / std for x in (0, 0.5, 1)] == [-1024, 0, 1024]


def test_without_the_library_it_is_said(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optional_weights, "need", lambda library, what: (_ for _ in ()).throw(NotReady("x", "y")))
    with pytest.raises(NotReady):
        load_network(optional.sources(ws)[0], ws.weights, 2)


# ---- torchxrayvision -------------------------------------------------------------------------------------------------


def as_their_module(network: nn.Module) -> nn.Module:
    """Our DenseNet under the class names of torchxrayvision's pickles."""
    renamed = {"DenseNet": "DenseNet", "_DenseBlock": "_DenseBlock", "_DenseLayer": "_DenseLayer",
               "_Transition": "_Transition"}  # fmt: skip
    theirs = types.ModuleType("torchxrayvision.models")
    made: dict[str, type] = {}
    for module in network.modules():
        name = type(module).__name__
        if name in renamed:
            made.setdefault(name, type(name, (nn.Module,), {"__module__": "torchxrayvision.models"}))
            module.__class__ = made[name]
            module.__dict__.pop("_non_persistent_buffers_set", None)  # written by an older torch
    vars(theirs).update(made)
    sys.modules["torchxrayvision"] = sys.modules.get("torchxrayvision", types.ModuleType("torchxrayvision"))
    sys.modules["torchxrayvision.models"] = theirs
    return network


@pytest.fixture
def pickled(tmp_path: Path) -> tuple[Path, dict[str, torch.Tensor]]:
    """A whole DenseNet pickled, as torchxrayvision publishes it."""
    import torchvision

    before = {name: sys.modules.get(name) for name in ("torchxrayvision", "torchxrayvision.models")}
    net = torchvision.models.densenet121(weights=None, num_classes=18)
    net.features.conv0 = nn.Conv2d(1, 64, 7, 2, 3, bias=False)
    state = {key: value.clone() for key, value in net.state_dict().items()}
    for module in net.features.modules():  # their blocks are sequences
        if type(module).__name__ in ("_DenseBlock",):
            module.__dict__.pop("forward", None)
    torch.save(as_their_module(net), tmp_path / "published.pt")
    for name, module in before.items():
        sys.modules.pop(name, None)
        if module is not None:
            sys.modules[name] = module
    return tmp_path / "published.pt", state


def test_a_whole_pickled_network_is_read_as_tensors(pickled: tuple[Path, dict[str, torch.Tensor]]) -> None:
    path, state = pickled
    read = optional_weights.read_films(path)
    assert read.keys() == state.keys() and all(torch.equal(read[key], state[key]) for key in state)


def test_a_published_file_becomes_a_source_of_one_channel(
    ws: Workspace, pickled: tuple[Path, dict[str, torch.Tensor]], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, state = pickled
    theirs = types.ModuleType("torchxrayvision.models")
    theirs.model_urls = {"densenet121-res224-all": {"weights_url": "file"}}  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torchxrayvision", types.ModuleType("torchxrayvision"))
    monkeypatch.setitem(sys.modules, "torchxrayvision.models", theirs)
    monkeypatch.setattr(optional_weights, "need", lambda library, what: None)
    monkeypatch.setattr(optional, "installed", lambda library: True)
    monkeypatch.setattr(optional_weights, "_download", lambda url, to, progress: to.write_bytes(path.read_bytes()))
    network = load_network(library.sources(ws)["xrv-densenet121-224"], ws.weights, 2)
    assert torch.equal(network.trunk.state_dict()["features.conv0.weight"], state["features.conv0.weight"])
    source = library.sources(ws)["xrv-densenet121-224"]
    assert source.available and source.on_disk and len(source.sha256) == 64 and not source.why_not
    assert network.features(torch.zeros(1, 1, 64, 64)).shape == (1, 1024)
    file = Path(source.weights)
    file.write_bytes(file.read_bytes()[:-4] + b"\0\0\1\1")
    with pytest.raises(BadInput, match="hash"):
        load_network(source, ws.weights, 2)


class Trap:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch trapped",)


def test_a_pickle_that_wants_to_run_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"weight": Trap()}, tmp_path / "trap.pt")
    with pytest.raises(BadInput):
        optional_weights.read_films(tmp_path / "trap.pt")
    assert not (tmp_path / "trapped").exists()


def test_a_state_of_another_network_is_not_kept(ws: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save(build("squeezenet1_0", 2).trunk.state_dict(), tmp_path / "other.pt")
    theirs = types.ModuleType("torchxrayvision.models")
    theirs.model_urls = {"resnet50-res512-all": {"weights_url": "file"}}  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torchxrayvision", types.ModuleType("torchxrayvision"))
    monkeypatch.setitem(sys.modules, "torchxrayvision.models", theirs)
    monkeypatch.setattr(optional_weights, "need", lambda library, what: None)
    monkeypatch.setattr(optional, "installed", lambda library: True)
    monkeypatch.setattr(
        optional_weights, "_download", lambda url, to, p: to.write_bytes((tmp_path / "other.pt").read_bytes())
    )
    with pytest.raises(BadInput):
        load_network(library.sources(ws)["xrv-resnet50-512"], ws.weights, 2)
    assert not list(ws.weights.iterdir())


def test_no_network_is_said(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = types.ModuleType("torchxrayvision.models")
    theirs.model_urls = {"resnet50-res512-all": {"weights_url": "http://127.0.0.1:9/w.pt"}}  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torchxrayvision", types.ModuleType("torchxrayvision"))
    monkeypatch.setitem(sys.modules, "torchxrayvision.models", theirs)
    monkeypatch.setattr(optional_weights, "need", lambda library, what: None)
    monkeypatch.setattr(optional, "installed", lambda library: True)
    with pytest.raises(NotReady, match="could not be fetched") as error:
        load_network(library.sources(ws)["xrv-resnet50-512"], ws.weights, 2)
    assert "Connect to the network" in error.value.advice and not list(ws.weights.iterdir())
