"""A recipe as a file: all choices of a run, with what they were made on, so that the run can be repeated.

On the CPU the repetition is the same bit for bit, when data, source and versions are. What differs is said.
"""

import json
from pathlib import Path
from typing import Any

from medtl import start
from medtl.cohorts import library as cohorts
from medtl.errors import BadInput, MedtlError
from medtl.reporting import content
from medtl.reporting.content import Facts
from medtl.runs import store
from medtl.sources import library as sources
from medtl.vocabulary import Recipe, to_dict
from medtl.workspace import Workspace, write_whole

NAME = "recipe.json"
KIND = "medtl recipe"
MORE = ("budget", "unlabelled", "teacher", "size")  # handed on only when chosen


def write(facts: Facts, path: Path) -> None:
    """The run's recipe with the hash of its data; ids of other runs and groups are not part of it."""
    recipe = {**to_dict(facts.recipe), "group": "", "control_for": "", "automatic": False}
    said = {"kind": KIND, "recipe": recipe, "data_sha256": facts.fingerprint, "device_used": facts.result.device}
    write_whole(path, json.dumps(said, indent=1, ensure_ascii=False))


def read(path: Path) -> tuple[Recipe, str]:
    """The recipe and the hash of its data. A run's own recipe.json is taken, too, without a hash."""
    try:
        said = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(f"'{path.name}' cannot be read as a recipe.", "Give a file that `export` wrote.") from error
    if not isinstance(said, dict) or not isinstance(said.get("recipe", said), dict):
        raise BadInput(f"'{path.name}' holds no recipe.", "Give a file that `export RUN --out recipe.json` wrote.")
    try:
        return store.recipe_of(said.get("recipe", said)), str(said.get("data_sha256", ""))
    except MedtlError as error:
        raise BadInput(
            f"'{path.name}' is no whole recipe: {error.message}", "Give a file that `export` wrote."
        ) from error


def repeat(
    ws: Workspace, path: Path, title: str | None = None, device: str = "", launch: bool = True
) -> tuple[str, list[str]]:
    """Start the run of a recipe again; returns its id and what is not as it was, a sentence each.

    Other data or another source are refused: that would be another run. Other versions are said.
    """
    recipe, data = read(path)
    cohort = cohorts.load(ws, recipe.cohort)
    if data and content.fingerprint(cohort) != data:
        raise BadInput(
            "The cohort is not the one of this recipe: files, labels or parts differ.",
            "Restore it, or start a new run.",
        )
    source = sources.sources(ws)[recipe.source]
    if recipe.source_sha256 and source.sha256 != recipe.source_sha256:
        raise BadInput(
            f"The source '{source.title}' is no longer the one of this recipe.", "Restore it, or start a new run."
        )
    more: dict[str, Any] = {name: value for name in MORE if (value := getattr(recipe, name))}
    run = start.start(
        ws, recipe.cohort, recipe.source, recipe.strategy, settings=recipe.settings, seed=recipe.seed,
        uncertain=recipe.uncertain, weigh_tasks=recipe.weigh_tasks, operating=recipe.operating,
        device=device or recipe.device, title=title or recipe.title, launch=launch, **more,
    )  # fmt: skip
    return run, _differences(recipe)


def _differences(recipe: Recipe) -> list[str]:
    now = start.versions()
    return [
        f"{name} is {now.get(name, 'not here')}, the recipe was made with {version}: numbers may differ slightly."
        for name, version in recipe.versions.items()
        if now.get(name) != version
    ]
