"""Cohorts: bring one, mend it, look deeper, delete it."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from medtl.commands import aloud, typed
from medtl.commands.typed import Answer
from medtl.errors import BadInput
from medtl.workspace import Workspace

if TYPE_CHECKING:
    from medtl.vocabulary import Blank


def add(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl.cohorts import library
    from medtl.vocabulary import Reading, Skipped, to_dict

    skipped: list[Skipped] = []
    on_progress = aloud.progress()
    path, name = _brought(ws, options, on_progress)
    cohort = library.add(
        ws,
        path,
        name=options.name or name,
        labels=typed.path(options.labels),
        split=typed.path(options.split),
        patient_pattern=options.patient_pattern,
        exclude_findings=typed.codes(options.exclude_findings),
        positive=options.positive,
        seed=options.seed,
        reading=Reading(options.frames, options.window, options.slices),
        task=options.task,
        outcome=options.outcome,
        uncertain=options.uncertain,
        file_names=options.file_names,
        keep_key=options.keep_key,
        on_progress=on_progress,
        on_skipped=skipped.append,
    )
    # Here the files are called as the user knows them; the cohort itself keeps coded names.
    return {**library.describe(cohort), "skipped": [to_dict(file) for file in skipped]}


def _brought(
    ws: Workspace, options: argparse.Namespace, on_progress: Callable[[int, int], None] | None
) -> tuple[Path, str | None]:
    """The path to read, fetched first when it is a published set; and the title that set has."""
    from medtl.cohorts.importing import PUBLISHED

    if not options.path.startswith(PUBLISHED):
        return Path(options.path), None
    from medtl import published

    name = options.path.removeprefix(PUBLISHED)
    path = published.fetch(ws, name, options.size, on_progress)
    return path, published.named(name).title


def listed(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl.cohorts import library
    from medtl.vocabulary import to_dict

    return {"cohorts": [to_dict(summary) for summary in library.cohorts(ws)]}


def show(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl.cohorts import library

    return library.describe(library.load(ws, options.id))


def edit(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl.cohorts import library

    cohort = library.edit(
        ws,
        options.id,
        exclude=options.exclude or (),
        relabel=typed.pairs(options.relabel, "CASE=LABEL", "--relabel 3fa9c1d2e4b5=benign"),
        exclude_findings=typed.codes(options.exclude_findings),
        patient_pattern=options.patient_pattern,
        positive=options.positive,
        name=options.name,
        merge=typed.pairs(options.merge, "CLASS=CLASS", "--merge adenoma=benign"),
        patients=typed.pairs(options.patient, "CASE=PATIENT", "--patient 3fa9c1d2e4b5=p12"),
        accept=typed.codes(options.accept),
        blank=[_box(text) for text in options.blank or ()],
        outcome=options.outcome,
        uncertain=options.uncertain,
        who=options.who,
    )
    return library.describe(cohort)


def _box(text: str) -> "Blank":
    from medtl.vocabulary import Blank

    try:
        size, _, shares = text.partition(":")
        width, height = (int(side) for side in size.split("x"))
        left, top, right, bottom = (float(share) for share in shares.split(","))
    except ValueError as error:
        raise BadInput(f"'{text}' is no rectangle.", "Write for example --blank 640x480:0,0,1,0.1") from error
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        raise BadInput("A rectangle is given in shares from 0 to 1, left before right, top before bottom.", text)
    return Blank(width, height, left, top, right, bottom)


def check(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl import checkup
    from medtl.vocabulary import to_dict

    on_progress = aloud.progress()
    found = checkup.run(ws, options.id, options.source, text=not options.no_text, on_progress=on_progress)
    return {"id": options.id, **to_dict(found)}


def agreement(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl.cohorts import library, readings
    from medtl.vocabulary import to_dict

    cohort = library.load(ws, options.id)
    found = readings.compare(ws, cohort, options.one, options.other or readings.OWN)
    return {"id": cohort.id, **to_dict(found)}


def delete(ws: Workspace, options: argparse.Namespace) -> Answer:
    from medtl import housekeeping

    return {"deleted": options.id, **housekeeping.delete_cohort(ws, options.id, options.all_versions).as_dict()}
