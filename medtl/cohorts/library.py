"""The cohorts of a workspace: add, load, list, edit, delete, describe. The front door of this package."""

import shutil
from pathlib import Path
from typing import Any

from medtl.cohorts import folders
from medtl.cohorts.adding import add, key_path
from medtl.cohorts.editing import edit
from medtl.cohorts.folders import CohortSummary, cohorts, load
from medtl.errors import NotFound
from medtl.vocabulary import Cohort, to_dict
from medtl.workspace import Workspace

__all__ = ["CohortSummary", "add", "cohorts", "delete", "delete_key", "describe", "edit", "key_file", "load"]


def delete(ws: Workspace, id: str) -> int:
    """Remove a cohort; returns the bytes that came free (files shared with another version stay there).

    Pictures that no other version holds are off the disk afterwards. The key goes with the last version. What other
    parts of the workspace made of it (features, readings) goes with `medtl.housekeeping`.
    """
    first = _first(ws, id)
    doomed = folders.hidden(ws, "delete")
    ws.cohort(id).replace(doomed)  # gone from every list at once, whatever happens next
    stats = [file.lstat() for file in doomed.rglob("*") if file.is_file()]
    shutil.rmtree(doomed)
    others = [one.id for one in cohorts(ws) if one.first == first]
    folders.compact(ws, others)
    if not others:
        key_path(ws, first).unlink(missing_ok=True)
    return sum(stat.st_size for stat in stats if stat.st_nlink == 1)


def key_file(ws: Workspace, id: str) -> Path | None:
    """The table of what became which code, if it was kept; all versions of a cohort share it."""
    path = key_path(ws, _first(ws, id))
    return path if path.exists() else None


def delete_key(ws: Workspace, id: str) -> bool:
    """Throw the key away; from then on nobody can tell from a code who it was, unless by trying."""
    path = key_path(ws, _first(ws, id))
    found = path.exists()
    path.unlink(missing_ok=True)
    return found


def _first(ws: Workspace, id: str) -> str:
    """Also of a cohort whose description is damaged: then of itself."""
    if not (ws.cohort(id) / folders.WHOLE).exists():
        raise NotFound("There is no such cohort.", "Pick one from the Library.")
    return next((one.first for one in cohorts(ws) if one.id == id), id)


def describe(cohort: Cohort) -> dict[str, Any]:
    """The JSON of `cohort add` and `cohort show`."""
    return {
        "id": cohort.id,
        "title": cohort.title,
        "modality": cohort.modality,
        "task": cohort.task,
        "classes": cohort.counts,
        "cases": len(cohort.cases),
        "patients": cohort.patients,
        "skipped": [to_dict(file) for file in cohort.skipped],
        "findings": [{**to_dict(finding), "cases": list(finding.cases)} for finding in cohort.findings],
        "split": {
            "train": len(cohort.split.train),
            "tune": len(cohort.split.tune),
            "test": len(cohort.split.test),
            "rule": cohort.split.rule,
            "seed": cohort.split.seed,
            "patients_shared": cohort.split.patients_shared,
            "near_duplicates_across": cohort.split.near_duplicates_across,
        },
        "positive": cohort.positive,
        "patient_rule": cohort.patient_rule,
        "reading": to_dict(cohort.reading),
        "privacy": {**to_dict(cohort.privacy), "removed": [to_dict(item) for item in cohort.privacy.removed]},
        "accepted": list(cohort.accepted),
        "parent": cohort.parent,
        "history": [to_dict(line) for line in cohort.history],
        "synthetic": cohort.synthetic,
        "created": cohort.created,
    }
