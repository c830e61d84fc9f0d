"""A user's own file becomes a source: looked through, checked, kept, given a card. The ending says what kind it is.

Weights (.safetensors) are for a network MedTL names; an ONNX or Keras file brings its own; a source folder that
somebody gave away brings its card, too. What could run code when it is opened is refused unopened.
"""

import os
import shutil
import tempfile
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from medtl.errors import BadInput, NotFound
from medtl.sources import cards, library, optional, receiving, shared
from medtl.sources.builders import BUILDERS
from medtl.sources.foreign import Stated, need
from medtl.sources.image_nets import build
from medtl.sources.weights import Match, file_sha256, fill_trunk, read_safetensors
from medtl.vocabulary import Card, Source
from medtl.workspace import Workspace, whole_folder

_LIMITS = "What it was trained on, and how well it does, is known only as far as stated."
_TENSORFLOW = {".pb", ".tflite", ".tf"}


@dataclass(frozen=True)
class Found:
    """What was found in a file that brings its own network, a sentence each."""

    notes: tuple[str, ...]

    def describe(self) -> str:
        return " ".join(self.notes)


def add_file(
    workspace: Workspace, path: Path, builder: str, title: str, card: Path | None = None, stated: Stated | None = None
) -> tuple[Source, Match | Found]:
    """Add a file, or a source folder that was given away.

    `builder` names the network of a safetensors file, `stated` how pictures are shown to another's; `card` is a TOML
    file whose fields are put on the card. A folder says all this itself, and its title.

    Returns the source and what matched or was found. Raises MedtlError when the file cannot be used; nothing of it is
    kept then.
    """
    if shared.is_source(path):
        if builder or card or (stated or Stated()) != Stated():
            raise BadInput("A source folder says itself what it is.", "Give the folder and, if you wish, a title.")
        return _add_shared(workspace, path, title)
    if not title:
        raise BadInput("The source has no title.", 'Give it one, for example --title "Our network".')
    said = _said(card)
    if kind := _kind(path):
        return _add_network(workspace, path, kind, title, said, stated or Stated())
    network, match = BUILDERS[_named(builder)], _look_at_weights(path, builder)
    id = library.slug(title, library.sources(workspace))
    source = _source(
        id, title, said, f"Your own {network.title} weights, from the file {path.name}.", network.reference, _LIMITS,
        builder=builder, input=network.input, outline=network.outline, sha256=file_sha256(path),
    )  # fmt: skip
    with whole_folder(workspace.source(id)) as folder:
        shutil.copyfile(path, folder / cards.WEIGHTS)
        cards.write(folder, source)
    return cards.read(workspace.source(id), "imported"), match


def look(path: Path, builder: str, stated: Stated | None = None) -> Match | Found:
    """What `add_file` would find; nothing is kept."""
    if kind := _kind(path):
        with tempfile.TemporaryDirectory(prefix="medtl-look-") as folder:
            return Found(receiving.network(path, kind, stated or Stated(), Path(folder)).notes)
    return _look_at_weights(path, builder)


def _kind(path: Path) -> str:
    """The builder of a file that brings its own network; "" for weights of a named one, and what is refused as such."""
    ending = path.suffix.lower()
    if path.is_dir() or ending in _TENSORFLOW:
        raise BadInput(
            f"'{path.name}' is no file that is read here.",
            f"A source folder has a {cards.CARD}; this has none. From TensorFlow: model.save('model.keras') in Keras "
            "3, or python -m tf2onnx.convert --saved-model FOLDER --output model.onnx. Then bring that file.",
        )
    if not path.is_file():
        raise BadInput(f"There is no file '{path}'.", "Give the path of a .safetensors, .onnx or .keras file.")
    if ending == ".onnx":
        need("onnx2torch", "An ONNX file")
    elif ending == ".keras":
        need("keras", "A .keras file")
    else:
        return ""
    return ending[1:]


def _look_at_weights(path: Path, builder: str) -> Match:
    state = read_safetensors(path)  # first: a file that is refused is refused whatever network was named
    return fill_trunk(build(_named(builder), 2), state)


def _named(builder: str) -> str:
    if not builder:
        raise BadInput(
            "A safetensors file holds numbers, not the network they belong to.",
            f"Name the network, for example --builder resnet50. Known: {', '.join(BUILDERS.ids)}.",
        )
    if builder not in BUILDERS:
        raise NotFound(f"There is no network called '{builder}'.", f"Known: {', '.join(BUILDERS.ids)}.")
    return builder


def _add_network(
    workspace: Workspace, path: Path, kind: str, title: str, said: dict[str, Any], stated: Stated
) -> tuple[Source, Found]:
    """Keep the architecture and the weights apart, as the process that may open such a file has left them."""
    id = library.slug(title, library.sources(workspace))
    name = {"onnx": "ONNX", "keras": "Keras"}[kind]
    with whole_folder(workspace.source(id)) as folder:
        got = receiving.network(path, kind, stated, folder)
        source = _source(
            id, title, said, f"Your own network, from the {name} file {path.name}.", "",
            f"{_LIMITS} {' '.join(got.notes)}",
            builder=kind, input=got.input, outline=got.outline, sha256=file_sha256(folder / cards.WEIGHTS),
            graph=str(folder / cards.GRAPHS[kind]), needs=optional.needs(kind),
        )  # fmt: skip
        cards.write(folder, source)
    return cards.read(workspace.source(id), "imported"), Found(got.notes)


def _add_shared(workspace: Workspace, path: Path, title: str) -> tuple[Source, Found]:
    """Keep what is known by name of a source folder, when the process that may open it finds it whole."""
    known = library.sources(workspace.ensure())
    with tempfile.TemporaryDirectory(dir=workspace.sources, prefix=".received-") as aside:
        folder = Path(aside) / "source"
        folder.mkdir(mode=0o700)
        shared.take(path, folder)
        got = receiving.folder(folder)
        card = replace(got.source.card, title=title or got.source.title)
        source = replace(got.source, card=replace(card, id=library.slug(card.title, known)))
        cards.write(folder, source, got.recipe)
        os.replace(folder, workspace.source(source.id))
    return cards.read(workspace.source(source.id), "imported"), Found(got.notes)


def _source(id: str, title: str, said: dict[str, Any], says: str, reference: str, limits: str, **facts: Any) -> Source:
    return Source(
        card=Card(
            id=id,
            title=title,
            says=said.get("says", says),
            reference=said.get("reference", reference),
            limits=said.get("limits", limits),
        ),
        origin="imported",
        trained_on=said.get("trained_on", "not stated"),
        cases=said.get("cases", "not stated"),
        labels=tuple(said.get("labels", ())),
        licence=said.get("licence", "not stated"),
        attribution=said.get("attribution", ""),
        **facts,
    )


def _said(card: Path | None) -> dict[str, Any]:
    if card is None:
        return {}
    try:
        return tomllib.loads(card.read_text("utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"The card '{card.name}' cannot be read ({error}).", "Give a TOML file.") from error
