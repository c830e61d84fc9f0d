"""The user's own weights become a source: checked against the network they name, or refused whole."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from medtl.errors import BadInput, MedtlError, NotFound
from medtl.sources import library
from medtl.sources.importing import add_file
from medtl.sources.weights import load_network
from medtl.workspace import Workspace
from tests.builders import add_source, write_weights

BUILDER = "mobilenet_v3_small"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_weights(tmp_path_factory.mktemp("weights") / "whole.safetensors")


@pytest.fixture
def ws(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "home").ensure()


def test_a_file_becomes_a_source_that_can_be_used(ws: Workspace, whole: Path) -> None:
    given, match = add_file(ws, whole, BUILDER, "Our own")
    assert match.matched == len(load_file(whole)) and not match.unused
    found = library.sources(ws)[given.id]
    assert found == given and found.available and found.origin == "imported" and found.title == "Our own"
    network = load_network(found, ws.weights, 3)
    assert torch.equal(network.trunk.state_dict()["features.0.0.weight"], load_file(whole)["features.0.0.weight"])


def test_the_card_is_filled_from_the_users_words(ws: Workspace, whole: Path, tmp_path: Path) -> None:
    card = tmp_path / "card.toml"
    card.write_text('says = "Saw chests."\ntrained_on = "chests"\nlabels = ["a", "b"]\nlicence = "CC0"\n')
    given, _ = add_file(ws, whole, BUILDER, "Ours", card)
    assert given.card.says == "Saw chests." and given.trained_on == "chests"
    assert given.labels == ("a", "b") and given.licence == "CC0" and given.cases == "not stated"
    for bad in ("{", "\x00"):
        card.write_text(bad)
        with pytest.raises(BadInput):
            add_file(ws, whole, BUILDER, "Ours", card)


def test_the_same_title_twice_gives_two_sources(ws: Workspace, whole: Path) -> None:
    assert add_file(ws, whole, BUILDER, "Ours")[0].id != add_file(ws, whole, BUILDER, "Ours")[0].id


def test_what_does_not_fit_leaves_no_trace(ws: Workspace, whole: Path, tmp_path: Path) -> None:
    spoiled = load_file(whole)
    spoiled["features.0.0.weight"][0] = float("nan")
    save_file(spoiled, tmp_path / "nan.safetensors")
    (tmp_path / "cut.safetensors").write_bytes(whole.read_bytes()[:5000])
    (tmp_path / "w.pt").write_bytes(b"PK\x03\x04")
    for path, builder in (
        (tmp_path / "nan.safetensors", BUILDER),
        (tmp_path / "cut.safetensors", BUILDER),
        (tmp_path / "w.pt", BUILDER),
        (whole, "squeezenet1_0"),
        (tmp_path / "gone.safetensors", BUILDER),
    ):
        with pytest.raises(MedtlError) as error:
            add_file(ws, path, builder, "Ours")
        assert error.value.message and error.value.advice
    with pytest.raises(NotFound):
        add_file(ws, whole, "resnet19", "Ours")
    assert not list(ws.sources.iterdir())


def test_the_helper_of_other_tests_makes_a_usable_source(ws: Workspace, tmp_path: Path) -> None:
    id = add_source(ws, tmp_path / "s")
    assert library.sources(ws)[id].available
