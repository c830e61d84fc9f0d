"""A source folder somebody gave away is taken whole and used; what is wrong in it is said and never kept."""

import dataclasses
import os
import shutil
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from medtl.cli import main
from medtl.errors import BadInput, MedtlError, NotFound
from medtl.sources import cards, library, limits, shared
from medtl.sources.builders import BUILDERS
from medtl.sources.importing import add_file
from medtl.sources.weights import file_sha256, load_network, read_safetensors
from medtl.transferability import seen, statistics
from medtl.vocabulary import Card, Source
from medtl.workspace import Workspace
from tests import foreign_files
from tests.builders import write_weights

BUILDER = BUILDERS["mobilenet_v3_small"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `export --as-source` leaves it."""
    folder = tmp_path_factory.mktemp("given") / "whole"
    folder.mkdir()
    write_weights(folder / cards.WEIGHTS)
    source = Source(
        card=Card("theirs", "Their source", "Knows discs.", "", "Discs only."),
        builder=BUILDER.id, input=BUILDER.input, outline=BUILDER.outline, origin="imported",
        trained_on="discs", cases="12", labels=("round", "not round"), licence="CC0",
        sha256=file_sha256(folder / cards.WEIGHTS), figures=("AUROC 0.9 (n = 3)",),
    )  # fmt: skip
    cards.write(folder, source, "python -m medtl train ...")
    learned = statistics.learn(np.random.default_rng(0).standard_normal((40, BUILDER.outline.features)))
    assert learned is not None
    statistics.save(folder, [learned])
    seen.save(folder, np.arange(64, dtype=np.uint8).reshape(2, 32))
    return folder


@pytest.fixture
def given(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "given"))


@pytest.fixture
def ws(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "home")  # a folder may be the first thing it is given


def test_it_is_taken_with_card_weights_and_traces_and_nothing_else(ws: Workspace, given: Path) -> None:
    (given / "run.py").write_text("print(1)")
    (given / "model.onnx").write_bytes(b"of no use to this network")
    (given / "more").mkdir()
    source, found = add_file(ws, given, "", "")
    assert source.id == "their-source" and source.available and source.labels == ("round", "not round")
    assert source.trained_on == "discs" and source.figures and source.outline == BUILDER.outline
    assert "stated by whoever gave it" in source.card.limits and "Discs only." in source.card.limits
    assert "matched" in found.describe() and "left out" not in found.describe()
    folder = ws.source(source.id)
    assert {f.name for f in folder.iterdir()} == {cards.CARD, cards.WEIGHTS, *cards.TRACES}
    assert "medtl train" in tomllib.loads((folder / cards.CARD).read_text())["recipe"]
    network = load_network(source, ws.weights, 3)
    assert torch.equal(
        network.trunk.state_dict()["features.0.0.weight"],
        read_safetensors(given / cards.WEIGHTS)["features.0.0.weight"],
    )
    (theirs,), (ours,) = statistics.load(given), statistics.load(folder)
    for one, other in zip(dataclasses.astuple(theirs), dataclasses.astuple(ours), strict=True):
        assert np.array_equal(one, other)
    assert np.array_equal(seen.load(given), seen.load(folder))
    assert not [f for f in ws.sources.iterdir() if f.name.startswith(".")]


def test_the_shell_takes_it_twice_under_two_names(
    ws: Workspace, given: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--json", "--home", str(ws.home), "source", "add", str(given)]
    assert main([*words, "--title", "Mine"]) == 0 and main(words) == 0
    assert {"mine", "their-source"} <= set(library.sources(ws).ids)
    assert main([*words, "--builder", "resnet18"]) == 2
    (given / cards.CARD).unlink()
    assert main(words) == 2


def test_what_is_wrong_leaves_nothing(ws: Workspace, given: Path) -> None:
    with (given / cards.WEIGHTS).open("ab") as file:
        file.write(b"x")
    with pytest.raises(BadInput, match="hash differs"):
        add_file(ws, given, "", "")
    assert not list(ws.sources.iterdir())


@pytest.mark.parametrize("name", [cards.CARD, cards.WEIGHTS, cards.TRACES[0]])
def test_links_and_pipes_are_not_followed(name: str, given: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (given / name).rename(tmp_path / "elsewhere")
    (given / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BadInput, match="is a link"):
        shared.take(given, tmp_path / "out")
    (given / name).unlink()
    os.mkfifo(given / name)
    with pytest.raises(BadInput, match="not a plain file"):
        shared.take(given, tmp_path / "out")


def test_what_is_too_large_is_not_copied(given: Path, tmp_path: Path) -> None:
    with (given / cards.CARD).open("ab") as file:
        file.truncate(limits.CARD_BYTES + 1)
    with pytest.raises(BadInput, match="it may have 1"):
        shared.take(given, tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('title = "Their source"', f'title = "{"x" * 201}"', "200 characters"),
        ('says = "Knows discs."', f'says = "{"x" * 2001}"', "2,000 characters"),
        ('says = "Knows discs."', "says = 3", "text"),
        ('cases = "12"', 'cases = ["12"]', "text"),
        ("labels = [", 'labels = [ ["a"],', "text"),
        ("hidden = 0", "hidden = true", "whole number"),
        ("hidden = 0", "hidden = -1", "whole number"),
        ("size = 224", "size = 1000000", "whole number"),
        ("channels = 3", "channels = 2", "1 or 3"),
        ("mean = [", "mean = [nan, ", "3 numbers"),
        ("std = [0.229", "std = [0.0", "greater than 0"),
        (f'builder = "{BUILDER.id}"', 'builder = "resnet18"', "do not fit"),
        (f'builder = "{BUILDER.id}"', 'builder = "onnx"', "no model.onnx"),
        (f'builder = "{BUILDER.id}"', "builder = 1", "not known"),
        ('sha256 = "', 'sha256 = "0', "hash differs"),
        ("[input]", "[elsewhere]", "a table"),
        ("[input]", "x = " + "[" * 5000, "cannot be read"),
    ],
)
def test_a_card_is_text_and_numbers_within_limits(old: str, new: str, says: str, given: Path) -> None:
    text = (given / cards.CARD).read_text()
    assert old in text
    (given / cards.CARD).write_text(text.replace(old, new))
    with pytest.raises(MedtlError) as error:
        shared.checked(given)
    assert says in error.value.message and error.value.advice


@pytest.mark.parametrize("name", ["timm:hf-hub:somebody/net", "../resnet18", "keras/../x", "__class__"])
def test_no_other_network_is_made_by_name(name: str, given: Path) -> None:
    text = (given / cards.CARD).read_text()
    (given / cards.CARD).write_text(text.replace(f'builder = "{BUILDER.id}"', f'builder = "{name}"'))
    with pytest.raises(NotFound):
        shared.checked(given)


def test_what_cannot_be_seen_is_taken_out_of_texts(given: Path) -> None:
    text = (given / cards.CARD).read_text()
    (given / cards.CARD).write_text(text.replace("Knows discs.", "Knows\\u202E \\u001B[31mdiscs.\\n"))
    assert shared.checked(given).texts["says"] == "Knows [31mdiscs. "


def no_numbers(arrays: dict[str, Any]) -> None:
    arrays["mean-0"][0] = np.nan


def another_shape(arrays: dict[str, Any]) -> None:
    arrays["directions-0"] = arrays["directions-0"][:, 1:]


def an_object(arrays: dict[str, Any]) -> None:
    arrays["rest-0"] = np.array([{}], dtype=object)


def one_more(arrays: dict[str, Any]) -> None:
    arrays["code"] = np.zeros(1)


@pytest.mark.parametrize("change", [no_numbers, another_shape, an_object, one_more])
def test_statistics_that_are_none_are_left_out_and_said(change: Callable[[dict[str, Any]], None], given: Path) -> None:
    with np.load(given / statistics.FILE) as kept:
        arrays = dict(kept)
    change(arrays)
    np.savez(given / statistics.FILE, **arrays)
    found = shared.checked(given)
    assert "statistics.npz was left out" in " ".join(found.notes) and not (given / statistics.FILE).exists()
    assert (given / seen.FILE).exists()


def test_fingerprints_that_are_none_are_left_out_and_said(given: Path) -> None:
    def kept(write: Callable[[Path], Any]) -> bool:
        write(given / seen.FILE)
        said = "seen.npz was left out" in " ".join(shared.checked(given).notes)
        assert said is not (given / seen.FILE).exists()
        return not said

    def bomb(path: Path) -> None:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("fingerprints.npy", bytes(limits.TRACE_BYTES + 1))

    def header_only(path: Path) -> None:
        head = b"{'descr': '|u1', 'fortran_order': False, 'shape': (999999999999999, 32), }".ljust(117) + b"\n"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("fingerprints.npy", b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head)

    assert kept(lambda path: np.savez(path, fingerprints=np.zeros((3, 32), np.uint8)))
    assert not kept(lambda path: np.savez(path, fingerprints=np.zeros((3, 31), np.uint8)))
    assert not kept(lambda path: path.write_bytes(b"\x80\x04hello"))
    assert not kept(bomb)
    assert not kept(header_only)


@pytest.mark.parametrize("kind", ["onnx", "keras"])
def test_a_network_of_its_own_is_looked_through_again(kind: str, ws: Workspace, tmp_path: Path) -> None:
    {"onnx": foreign_files.onnx, "keras": foreign_files.keras}[kind]()
    write = {"onnx": foreign_files.write_onnx, "keras": foreign_files.write_keras}[kind]
    first, _ = add_file(ws, write(tmp_path / f"tiny.{kind}"), "", "Tiny")
    given = Path(shutil.copytree(ws.source(first.id), tmp_path / "given"))
    text = (given / cards.CARD).read_text()
    (given / cards.CARD).write_text(text.replace("features = 16", "features = 99"))
    again, _ = add_file(ws, given, "", "Given")
    assert again.outline == first.outline and again.input == first.input and again.available  # measured, not believed
    states = [load_network(source, ws.weights, 2).trunk.state_dict() for source in (first, again)]
    assert all(torch.equal(value, states[1][key]) for key, value in states[0].items() if value.is_floating_point())
    (given / f"model.{kind}").write_bytes(b"hello")
    with pytest.raises(BadInput):
        add_file(ws, given, "", "Broken")
    assert len(list(ws.sources.iterdir())) == 2
