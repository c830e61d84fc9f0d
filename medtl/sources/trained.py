"""A finished run becomes a source: its card in words, and its export."""

import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from medtl.errors import BadInput, NotReady
from medtl.sources import cards, library
from medtl.sources.heads import KEPT
from medtl.sources.weights import HEAD, file_sha256, read_safetensors
from medtl.vocabulary import Card, Cohort, Estimate, NewHead, Plan, Recipe, Source
from medtl.workspace import whole_folder

FIGURES = {"auroc": "AUROC", "balanced_accuracy": "balanced accuracy", "kappa_quadratic": "quadratic kappa"}


class Judged(Protocol):
    @property
    def estimates(self) -> Iterable[Estimate]: ...


def source_of(recipe: Recipe, cohort: Cohort, start: Source, plan: Plan, judged: Judged, result: Path) -> Source:
    """The card of what this run trained; `result` holds its weights already."""
    counts = ", ".join(f"{n} {label}" for label, n in cohort.counts.items())
    patients = f" of {cohort.patients} patients" if cohort.patients else ""
    return Source(
        card=Card(
            id=recipe.run,
            title=recipe.title,
            says=f"Trained on this computer on '{cohort.title}', starting from '{start.title}'.",
            reference=start.card.reference,
            limits="Internal test only: measured on a held-out part of the same cohort, not at another site.",
        ),
        builder=start.builder,
        input=start.input,
        outline=start.outline,
        origin="run",
        trained_on=f"{cohort.title} ({cohort.id}){', SYNTHETIC' if cohort.synthetic else ''}",
        cases=f"{len(cohort.split.train)} training cases (cohort: {counts}{patients})",
        labels=cohort.classes,
        licence=f"Yours, as far as your data allow; started from weights under: {start.licence}",
        attribution=start.attribution,
        sha256=file_sha256(result / cards.WEIGHTS),
        figures=tuple(_figure(e) for e in judged.estimates if e.name in FIGURES),
        graph=start.graph,  # `cards.write` puts the file beside the card
        needs=start.needs,
        task=cohort.task,
        hidden=max((step.hidden for step in plan if isinstance(step, NewHead)), default=0),
    )


def recipe_in_words(recipe: Recipe) -> str:
    settings = " ".join(f"--set {key}='{value}'" for key, value in recipe.settings.items())
    settings += "".join(f" --uncertain '{finding}={policy}'" for finding, policy in recipe.uncertain.items())
    settings += " --weigh-findings" if recipe.weigh_tasks else ""
    aids = f" --unlabelled {recipe.unlabelled}" if recipe.unlabelled else ""
    aids += f" --teacher {recipe.teacher}" if recipe.teacher else ""
    aids += f" --size {recipe.size}" if recipe.size else ""
    return (
        f"python -m medtl train {recipe.cohort} --source {recipe.source} --strategy {recipe.strategy} {settings} "
        f"--seed {recipe.seed}{aids}".strip()
    )


def export_as_source(run_folder: Path, folder: Path, card: dict[str, Any] | None = None) -> Source:
    """Write `card.toml` and fp16 weights (the head as it was) of a finished run to `folder`, to be shipped or shared.

    `card` overrides fields of the card (title, says, limits, licence, ...). Raises BadInput when `folder` exists.
    """
    from safetensors.torch import save_file

    if not (run_folder / "result" / cards.CARD).exists():
        raise NotReady("This run has no result to export.", "Wait until it has finished.")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadInput(f"'{folder}' is there already.", "Name a new or an empty folder.")
    source = library.from_run(run_folder)
    state = read_safetensors(Path(source.weights))
    # A new cohort brings its own classes and leaves the head unused; it is kept because it tells how well the source
    # suits other data (its answers, compared with their labels), and in full precision, because it is small.
    # Not so a head that carries what the source saw in each training case: that stays where the cases are.
    carries = HEAD + KEPT in state
    half = {
        key: value.half() if value.is_floating_point() and not key.startswith(HEAD) else value
        for key, value in state.items()
        if not (carries and key.startswith(HEAD))
    }
    recipe = _recipe(run_folder)
    if folder.exists():
        folder.rmdir()
    with whole_folder(folder) as part:
        save_file(half, part / cards.WEIGHTS)
        source = replace(_with(source, card or {}), sha256=file_sha256(part / cards.WEIGHTS), origin="imported")
        cards.write(part, source, recipe)
        for trace in cards.TRACES:
            if (kept := run_folder / "result" / trace).exists():
                shutil.copyfile(kept, part / trace)
    folder.chmod(0o755)  # meant to be shared, unlike what lies in a workspace
    for file in folder.iterdir():
        file.chmod(0o644)
    return cards.read(folder, "imported")


def _with(source: Source, said: dict[str, Any]) -> Source:
    on_card = {key: said[key] for key in ("id", "title", "says", "reference", "limits") if key in said}
    rest = {key: said[key] for key in ("trained_on", "cases", "licence", "attribution") if key in said}
    lists: dict[str, Any] = {key: tuple(said[key]) for key in ("labels", "figures", "better_for") if key in said}
    return replace(source, card=replace(source.card, **on_card), **rest, **lists)


def _recipe(run_folder: Path) -> str:
    import tomllib

    return str(tomllib.loads((run_folder / "result" / cards.CARD).read_text("utf-8")).get("recipe", ""))


def _figure(e: Estimate) -> str:
    return (
        f"{FIGURES[e.name]} {e.value:.3f} ({e.low:.3f} to {e.high:.3f}; n = {e.n}; {e.how}) on the internal test part"
    )
