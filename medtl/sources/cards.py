"""A source's card on disk: `card.toml` beside `weights.safetensors`. Reads and writes; no torch."""

import json
import tomllib
from pathlib import Path
from typing import Any

from medtl.errors import BadInput, NotFound
from medtl.sources.builders import BUILDERS
from medtl.vocabulary import Card, InputSpec, Source, SourceOrigin
from medtl.workspace import write_whole

WEIGHTS = "weights.safetensors"
CARD = "card.toml"
# What a source keeps of the images it learned from, beside its card (written by `medtl.transferability`).
TRACES = ("statistics.npz", "seen.npz")


def read(folder: Path, origin: SourceOrigin, id: str | None = None) -> Source:
    """The source in `folder`. Raises BadInput when the card is damaged; a missing weights file makes it unavailable."""
    try:
        card = tomllib.loads((folder / CARD).read_text("utf-8"))
        builder = BUILDERS[card["builder"]]
        spec = card.get("input", {})
        weights = folder / WEIGHTS
        present = weights.is_file()
        return Source(
            card=Card(id or card["id"], card["title"], card["says"], card.get("reference", ""), card.get("limits", "")),
            builder=builder.id,
            input=InputSpec(
                channels=spec.get("channels", 3),
                size=spec.get("size", 224),
                mean=tuple(spec.get("mean", InputSpec.mean)),
                std=tuple(spec.get("std", InputSpec.std)),
            ),
            outline=builder.outline,
            origin=origin,
            trained_on=card["trained_on"],
            cases=card.get("cases", "not stated"),
            labels=tuple(card.get("labels", ())),
            licence=card.get("licence", "not stated"),
            attribution=card.get("attribution", ""),
            sha256=card.get("sha256", ""),
            weights=str(weights),
            figures=tuple(card.get("figures", ())),
            better_for=tuple(card.get("better_for", ())),
            hidden=card.get("hidden", 0),
            size_mb=round(weights.stat().st_size / 1e6, 1) if present else 0.0,
            on_disk=present,
            available=present,
            why_not="" if present else f"The file {WEIGHTS} is missing beside its card.",
        )
    except (OSError, tomllib.TOMLDecodeError, NotFound, AttributeError, KeyError, TypeError, ValueError) as error:
        raise BadInput(
            f"The card of the source in '{folder.name}' cannot be read ({type(error).__name__}: {error}).",
            "Add the source again, or delete it in the Library.",
        ) from error


def write(folder: Path, source: Source, recipe: str = "") -> None:
    """Write `card.toml` for `source`; `recipe` says how the weights can be made again."""
    card: dict[str, Any] = {
        "id": source.id,
        "title": source.title,
        "says": source.card.says,
        "reference": source.card.reference,
        "limits": source.card.limits,
        "builder": source.builder,
        "trained_on": source.trained_on,
        "cases": source.cases,
        "labels": list(source.labels),
        "licence": source.licence,
        "attribution": source.attribution,
        "figures": list(source.figures),
        "better_for": list(source.better_for),
        "hidden": source.hidden,
        "recipe": recipe,
        "sha256": source.sha256,
    }
    lines = [f"{key} = {_toml(value)}" for key, value in card.items() if value not in ("", [])]
    spec = source.input
    lines += [
        "",
        "[input]",
        f"channels = {spec.channels}",
        f"size = {spec.size}",
        f"mean = {_toml(list(spec.mean))}",
        f"std = {_toml(list(spec.std))}",
    ]
    write_whole(folder / CARD, "\n".join(lines) + "\n")


def _toml(value: Any) -> str:
    """TOML of a string, number, boolean or list of them: JSON's writing is valid for these once DEL is escaped."""
    if isinstance(value, list) and any(isinstance(v, str) for v in value):
        return "[\n" + "".join(f"  {_toml(v)},\n" for v in value) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
