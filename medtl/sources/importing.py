"""A user's own weights file becomes a source: checked against a named network, copied, given a card."""

import shutil
import tomllib
from dataclasses import replace
from pathlib import Path

from medtl.errors import BadInput
from medtl.sources import cards, library
from medtl.sources.builders import BUILDERS
from medtl.sources.image_nets import build
from medtl.sources.weights import Match, file_sha256, fill_trunk, read_safetensors
from medtl.vocabulary import Card, Source
from medtl.workspace import Workspace, whole_folder


def add_file(
    workspace: Workspace, path: Path, builder: str, title: str, card: Path | None = None
) -> tuple[Source, Match]:
    """Add a safetensors file for a named builder. `card` is a TOML file whose fields are put on the card.

    Returns the source and what matched. Raises MedtlError when the file is not safetensors or does not fit.
    """
    if not path.is_file():
        raise BadInput(f"There is no file '{path}'.", "Give the path of a .safetensors file.")
    network = BUILDERS[builder]
    match = fill_trunk(build(builder, 2), read_safetensors(path))
    said = _said(card)
    id = library.slug(title, library.sources(workspace))
    source = Source(
        card=Card(
            id=id,
            title=title,
            says=said.get("says", f"Your own {network.title} weights, from the file {path.name}."),
            reference=said.get("reference", network.reference),
            limits=said.get("limits", "What it was trained on, and how well it does, is known only as far as stated."),
        ),
        builder=builder,
        input=network.input,
        outline=network.outline,
        origin="imported",
        trained_on=said.get("trained_on", "not stated"),
        cases=said.get("cases", "not stated"),
        labels=tuple(said.get("labels", ())),
        licence=said.get("licence", "not stated"),
        attribution=said.get("attribution", ""),
        sha256=file_sha256(path),
    )
    with whole_folder(workspace.source(id)) as folder:
        shutil.copyfile(path, folder / cards.WEIGHTS)
        cards.write(folder, source)
    return replace(cards.read(workspace.source(id), "imported"), available=True), match


def _said(card: Path | None) -> dict[str, str]:
    if card is None:
        return {}
    try:
        return tomllib.loads(card.read_text("utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"The card '{card.name}' cannot be read ({error}).", "Give a TOML file.") from error
