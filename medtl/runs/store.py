"""Runs on disk: make, list, read, ask to stop, delete. Doesn't start or judge them (launch, status)."""

import contextlib
import dataclasses
import json
import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from medtl.errors import MedtlError, NotFound, NotReady
from medtl.runs import events, locks
from medtl.vocabulary import Estimate, OperatingRule, Recipe, to_dict
from medtl.workspace import Workspace, whole_folder, write_whole

RECIPE = "recipe.json"
ESTIMATE = "estimate.json"
STOP = "stop"
LIFE = "worker.lock"
RESULT = "result"
WISH = "cross-validate"

T = TypeVar("T")


@dataclass(frozen=True)
class RunSummary:
    """One line of the list of runs. `headline` is the AUROC on the test part; `message` says what is wrong, if so."""

    id: str
    title: str
    cohort: str
    source: str
    strategy: str
    status: str
    created: str
    seconds: float | None
    headline: Estimate | None
    control_for: str = ""
    message: str = ""
    group: str = ""


def new_id() -> str:
    """Such as `r-20261122-191530-042ab12f`: UTC to the millisecond, so that ids sort by creation, then chance."""
    now = datetime.now(UTC)
    return f"r-{now:%Y%m%d-%H%M%S}-{now.microsecond // 1000:03d}{secrets.token_hex(2)}"


def create(ws: Workspace, recipe: Recipe, estimate: Mapping[str, Any] | None = None) -> Path:
    """Make the run's folder, queued. It appears with recipe and first event in it, or not at all.

    `estimate`: "seconds" it will take, and their "basis"; written now, so that it cannot be made afterwards.
    """
    place = ws.ensure().run(recipe.run)
    if place.exists():
        raise MedtlError(
            f"A run called {recipe.run} exists already.", "Start it again; it then gets a name of its own."
        )
    if not recipe.created:
        recipe = dataclasses.replace(recipe, created=datetime.now(UTC).isoformat(timespec="seconds"))
    with whole_folder(place) as part:
        write_whole(part / RECIPE, json.dumps(to_dict(recipe), indent=1, ensure_ascii=False))
        if estimate:
            write_whole(part / ESTIMATE, json.dumps(dict(estimate)))
        events.append(part, "queued")
    return place


def folder(ws: Workspace, id: str) -> Path:
    """The run's folder. The same words for an unknown id and for one that tries to leave the workspace."""
    place = ws.run(id)
    if not place.is_dir():
        raise NotFound("There is no such run.", "Pick one from the Library.")
    return place


def recipe(folder: Path) -> Recipe:
    """All choices of the run. Keys that a newer MedTL added are passed over; a damaged file is said in words."""
    return recipe_of(read_json(folder / RECIPE, "recipe"))


def recipe_of(content: Mapping[str, Any]) -> Recipe:
    """A recipe from what was written of it, here or in an exported file."""
    rule = known(OperatingRule, content.get("operating") or {}, "recipe")
    return known(Recipe, {**content, "operating": rule}, "recipe")


def estimate(folder: Path) -> dict[str, Any] | None:
    """What was told of its length before it started; None where nothing was, or it cannot be read."""
    try:
        said = json.loads((folder / ESTIMATE).read_bytes())
        return {"seconds": float(said["seconds"]), "basis": str(said["basis"])}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def runs(ws: Workspace) -> tuple[RunSummary, ...]:
    """Every run, newest first. One with a damaged recipe is listed too, so that it can be seen and deleted."""
    return tuple(_summary(ws.runs / id) for id in sorted(ids(ws.runs), reverse=True))


def recipes(ws: Workspace) -> tuple[Recipe, ...]:
    """The recipe of every run, oldest first; damaged ones are passed over."""
    found = []
    for id in ids(ws.runs):
        with contextlib.suppress(MedtlError):  # it is listed, with what is wrong, by `runs`
            found.append(recipe(ws.runs / id))
    return tuple(found)


def ids(runs_folder: Path) -> tuple[str, ...]:
    """Names of the run folders, oldest first; folders still being made or deleted (with a dot) are not runs."""
    if not runs_folder.is_dir():
        return ()
    return tuple(sorted(entry.name for entry in os.scandir(runs_folder) if entry.is_dir() and entry.name[0] != "."))


def delete(ws: Workspace, id: str) -> int:
    """Remove a run that nobody is carrying out; says how many bytes that gave back."""
    from medtl.runs import status  # which reads what this module writes

    place = folder(ws, id)
    patience = 0.2
    if status.status(place) == "finished":  # what is still worked out beside the result is given up at once
        request_stop(place)
        patience = 5.0
    with locks.held(place / LIFE, patience=patience) as free:
        if not free:
            raise NotReady("This run is still being carried out.", "Stop it first, then delete it.")
    doomed = place.with_name(f".{id}.deleted-{secrets.token_hex(4)}")
    place.replace(doomed)  # gone from every list at once, also when the next line is interrupted
    freed = sum(file.lstat().st_size for file in doomed.rglob("*") if file.is_file() and file.lstat().st_nlink == 1)
    shutil.rmtree(doomed)
    return freed


def request_stop(folder: Path) -> None:
    """Leave the wish to stop; the worker looks for it at every step. Safe to repeat."""
    (folder / STOP).touch()


def stop_requested(folder: Path) -> bool:
    return (folder / STOP).exists()


def wish_cross_validation(folder: Path, repeats: int) -> None:
    """Leave the wish that the run be cross-validated; the worker does so after the result, or when launched again."""
    write_whole(folder / WISH, json.dumps({"repeats": repeats}))


def cross_validation_wished(folder: Path) -> int:
    """How many repeats are wished for; 0: none."""
    if not (folder / WISH).exists():
        return 0
    try:
        return max(1, int(read_json(folder / WISH, "wish to cross-validate")["repeats"]))
    except (KeyError, TypeError, ValueError):
        return 1


def requeue(folder: Path) -> None:
    """Make a run that was stopped, interrupted or failed ready to be launched again."""
    with locks.held(folder / LIFE, patience=0.2) as free:
        if not free:
            raise NotReady("This run is still being carried out.", "Wait until it ends, or stop it first.")
        (folder / STOP).unlink(missing_ok=True)
        events.append(folder, "queued")


def read_json(path: Path, what: str) -> dict[str, Any]:
    """A JSON object of a run folder, or an error that names the file and says what to do."""
    advice = "The run cannot be used as it is: delete it and start it again."
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise MedtlError(f"The {what} of run {_run_of(path)} cannot be read ({error.strerror}).", advice) from error
    except ValueError as error:
        raise MedtlError(f"The {what} of run {_run_of(path)} is damaged ({path.name} is not JSON).", advice) from error
    if not isinstance(content, dict):
        raise MedtlError(f"The {what} of run {_run_of(path)} is damaged ({path.name} holds no object).", advice)
    return content


def known(cls: type[T], content: Mapping[str, Any], what: str) -> T:
    """A vocabulary value from JSON: unknown keys are passed over, missing ones are said."""
    fields = dataclasses.fields(cls)  # type: ignore[arg-type]  # T is always a dataclass here
    needed = [f.name for f in fields if f.default is f.default_factory is dataclasses.MISSING]
    missing = [name for name in needed if name not in content]
    if missing:
        raise MedtlError(
            f"The {what} of this run is damaged: {', '.join(missing)} is missing.",
            "The run cannot be used as it is: delete it and start it again.",
        )
    return cls(**{f.name: content[f.name] for f in fields if f.name in content})


def _run_of(path: Path) -> str:
    return path.parent.parent.name if path.parent.name == RESULT else path.parent.name


def _summary(place: Path) -> RunSummary:
    from medtl.runs import results, status  # they read what this module writes

    try:
        chosen = recipe(place)
    except MedtlError as error:
        return RunSummary(place.name, place.name, "", "", "", "failed", "", None, None, message=str(error))
    headline, seconds, message = results.headline(place)
    return RunSummary(
        id=place.name,
        title=chosen.title,
        cohort=chosen.cohort,
        source=chosen.source,
        strategy=chosen.strategy,
        status=status.status(place),
        created=chosen.created,
        seconds=seconds,
        headline=headline,
        control_for=chosen.control_for,
        message=message,
        group=chosen.group,
    )
