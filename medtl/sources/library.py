"""All sources a user can pick: shipped, imported, finished runs, torchvision's. Lists and deletes; no torch."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

from medtl.catalogue import Catalogue
from medtl.errors import BadInput, NotFound
from medtl.sources import cards, torch_hub
from medtl.sources.builders import BUILDERS, Builder
from medtl.vocabulary import Card, Source
from medtl.workspace import SHIPPED_SOURCES, Workspace

_IMAGENET_LIMITS = (
    "Learned on photographs of everyday things, in colour. Grey images are shown to it three times over. ImageNet's "
    "images carry terms of their own (research); whether they reach the weights is unsettled."
)


def sources(workspace: Workspace) -> Catalogue[Source]:
    """Every source in the order of the screen: shipped first, then the user's own, runs, and torchvision's."""
    found = [*_in(SHIPPED_SOURCES, "shipped"), *_in(workspace.sources, "imported"), *_runs(workspace)]
    found += [_published(builder, workspace) for builder in BUILDERS]
    return Catalogue("source", *_told_apart(found))


def from_run(run_folder: Path) -> Source:
    """A finished run as a source. Raises BadInput when it has no readable result."""
    return cards.read(run_folder / "result", "run", id=run_folder.name)


def delete(workspace: Workspace, id: str) -> int:
    """Delete an imported source; returns the bytes freed. Shipped and published sources cannot be deleted."""
    if not (id in sources(workspace) and sources(workspace)[id].origin == "imported"):
        raise NotFound(
            f"There is no imported source called '{id}'.", "Only sources you added yourself can be deleted here."
        )
    folder = workspace.source(id)
    if not folder.is_dir():  # listed under a number, as its own name was taken: see `_told_apart`
        folder = workspace.source(id.rsplit("-", 1)[0])
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    shutil.rmtree(folder)
    return size


def slug(title: str, taken: Catalogue[Source]) -> str:
    """An id made from a title: lower case, digits and dashes, not yet taken."""
    base = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:40] or "source"
    id, number = base, 2
    while id in taken:
        id, number = f"{base}-{number}", number + 1
    return id


def _told_apart(found: list[Source]) -> list[Source]:
    """A later source whose id is taken (MedTL ships one of a name the user had used before) gets a number."""
    taken: set[str] = set()
    for i, source in enumerate(found):
        id, number = source.id, 2
        while id in taken:
            id, number = f"{source.id}-{number}", number + 1
        taken.add(id)
        found[i] = replace(source, card=replace(source.card, id=id))
    return found


def _in(parent: Path, origin: str) -> list[Source]:
    folders = sorted(card.parent for card in parent.glob(f"[!.]*/{cards.CARD}"))  # a dot: still being made
    return [source for folder in folders if (source := _readable(folder, origin)) is not None]


def _runs(workspace: Workspace) -> list[Source]:
    folders = sorted((f.parent.parent for f in workspace.runs.glob(f"[!.]*/result/{cards.CARD}")), reverse=True)
    found = []
    for folder in folders:
        try:
            found.append(from_run(folder))
        except BadInput:
            continue  # the Library shows the run itself as damaged
    return found


def _readable(folder: Path, origin: str) -> Source | None:
    """The source, or one that says what is wrong with its card; a bad card must not hide the others."""
    try:
        return cards.read(folder, origin, id=folder.name)  # type: ignore[arg-type]
    except BadInput as error:
        builder = BUILDERS["mobilenet_v2"]
        return Source(
            card=Card(folder.name, folder.name, "This source cannot be read."),
            builder=builder.id, input=builder.input, outline=builder.outline,
            origin=origin,  # type: ignore[arg-type]
            trained_on="unknown", cases="unknown", labels=(), licence="unknown",
            available=False, why_not=str(error), on_disk=False,
        )  # fmt: skip


def _published(builder: Builder, workspace: Workspace) -> Source:
    here = torch_hub.find(workspace.weights, builder.file) is not None
    return Source(
        card=Card(
            id=builder.id.replace("_", "-") + "-imagenet",
            title=f"Everyday photos (ImageNet), {builder.title}",
            says=f"Knows shapes and textures from 1.3 million photographs of everyday things. {builder.says}",
            reference=builder.reference,
            limits=_IMAGENET_LIMITS,
        ),
        builder=builder.id,
        input=builder.input,
        outline=builder.outline,
        origin="torchvision",
        trained_on="ImageNet-1k: photographs of animals, plants, food, things and scenes",
        cases="1,281,167 photographs",
        labels=("1,000 everyday things",),
        licence="BSD-3-Clause (torchvision); see the limits for ImageNet's own terms",
        attribution=f"Weights {builder.weights} of torchvision, made as described at {builder.recipe}",
        sha256=builder.file,  # its name ends in the hash, which is checked at every use
        url=builder.url,
        size_mb=builder.size_mb,
        on_disk=here,
        why_not="" if here else f"Fetched over the network on first use ({builder.size_mb:.0f} MB, hash checked).",
    )
