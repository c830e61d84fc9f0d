"""A source's card on disk: `card.toml` beside `weights.safetensors`. Reads and writes; no torch.

A network that no builder of ours makes brings its architecture as a third file, and its outline on the card.
"""

import json
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

from medtl.errors import BadInput, NotFound, NotReady
from medtl.sources import optional
from medtl.sources.builders import BUILDERS
from medtl.vocabulary import Card, InputSpec, Outline, Source, SourceOrigin, StageOutline
from medtl.workspace import write_whole

WEIGHTS = "weights.safetensors"
CARD = "card.toml"
# What a source keeps of the images it learned from, beside its card (written by `medtl.transferability`).
TRACES = ("statistics.npz", "seen.npz")
_COUNTED = ("norms", "biases", "low_rank")  # of a stage; left out where nobody counted
GRAPHS = {"onnx": "model.onnx", "keras": "model.keras"}  # builder -> the file that holds the architecture


def read(folder: Path, origin: SourceOrigin, id: str | None = None) -> Source:
    """The source in `folder`. Raises BadInput when the card is damaged; a missing weights file makes it unavailable."""
    try:
        card = tomllib.loads((folder / CARD).read_text("utf-8"))
        builder, outline = str(card["builder"]), _outline(card)
        spec = card.get("input", {})
        weights = folder / WEIGHTS
        graph = folder / GRAPHS[builder] if builder in GRAPHS else None
        gone = [file.name for file in (weights, graph) if file is not None and not file.is_file()]
        needs = optional.needs(builder)
        why_not = f"The file {gone[0]} is missing beside its card." if gone else optional.why_not(needs)
        return Source(
            card=Card(id or card["id"], card["title"], card["says"], card.get("reference", ""), card.get("limits", "")),
            builder=builder,
            input=InputSpec(
                channels=spec.get("channels", 3),
                size=spec.get("size", 224),
                mean=tuple(spec.get("mean", InputSpec.mean)),
                std=tuple(spec.get("std", InputSpec.std)),
            ),
            outline=outline,
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
            task=card.get("task", "single-label"),
            looks=card.get("looks", 0),
            looks_like=card.get("looks_like", Source.looks_like),
            graph=str(graph or ""),
            needs=needs,
            size_mb=round(weights.stat().st_size / 1e6, 1) if weights.is_file() else 0.0,
            on_disk=not gone,
            available=not why_not,
            why_not=why_not,
        )
    except (OSError, tomllib.TOMLDecodeError, NotFound, AttributeError, KeyError, TypeError, ValueError) as error:
        raise BadInput(
            f"The card of the source in '{folder.name}' cannot be read ({type(error).__name__}: {error}).",
            "Add the source again, or delete it in the Library.",
        ) from error


def write(folder: Path, source: Source, recipe: str = "") -> None:
    """Write `card.toml` for `source`, and its architecture file beside it; `recipe` says how the weights can be made
    again."""
    source = keep_graph(source, folder)
    card: dict[str, Any] = {
        "id": source.id,
        "title": source.title,
        "says": source.card.says,
        "reference": source.card.reference,
        "limits": source.card.limits,
        "builder": source.builder,
        "graph": Path(source.graph).name if source.graph else "",
        "trained_on": source.trained_on,
        "cases": source.cases,
        "labels": list(source.labels),
        "licence": source.licence,
        "attribution": source.attribution,
        "figures": list(source.figures),
        "better_for": list(source.better_for),
        "hidden": source.hidden,
        "task": source.task,
        "looks": source.looks,
        "looks_like": source.looks_like if source.looks else "",
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
    if source.builder in GRAPHS:
        lines += ["", "[outline]", f"features = {source.outline.features}"]
        for stage in source.outline.stages:
            lines += [
                "",
                "[[outline.stages]]",
                f"name = {_toml(stage.name)}",
                f"parameters = {stage.parameters}",
                f"gflop = {_toml(float(stage.gflop))}",
                *(f"{name} = {count}" for name in _COUNTED if (count := getattr(stage, name)) >= 0),
            ]
    write_whole(folder / CARD, "\n".join(lines) + "\n")


def keep_graph(source: Source, folder: Path) -> Source:
    """The source with its architecture file in `folder`, copied there if it lies elsewhere: whoever deletes the source
    does not take it from what was made of it."""
    if not source.graph:
        return source
    kept = folder / Path(source.graph).name
    if not kept.is_file():
        try:
            write_whole(kept, Path(source.graph).read_bytes())
        except OSError as error:
            raise NotReady(
                f"The architecture of '{source.title}' cannot be read or kept ({error.strerror}).",
                "Add the source again, and see that the disk has room.",
            ) from error
    return replace(source, graph=str(kept))


def _outline(card: dict[str, Any]) -> Outline:
    """Of a network of ours from its builder, of an optional library's from its list, of one that was brought from the
    card itself. Raises NotFound for a builder that is not known."""
    builder = card["builder"]
    if builder in GRAPHS:
        said = card["outline"]
        stages = tuple(
            StageOutline(
                str(one["name"]),
                int(one["parameters"]),
                float(one["gflop"]),
                *(int(one.get(name, -1)) for name in _COUNTED),
            )
            for one in said["stages"]
        )
        return Outline(stages, int(said["features"]))
    return optional.TIMM[builder].outline if builder in optional.TIMM else BUILDERS[builder].outline


def _toml(value: Any) -> str:
    """TOML of a string, number, boolean or list of them: JSON's writing is valid for these once DEL is escaped."""
    if isinstance(value, list) and any(isinstance(v, str) for v in value):
        return "[\n" + "".join(f"  {_toml(v)},\n" for v in value) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
