"""Cohort folders: written whole or not at all, read back, shared between versions, swept after a crash.

cohorts/<id>/ holds header.json (what a list shows), cohort.json (everything), the originals (de-identified, packed)
and the pixel cache. A folder with an id is complete: it is filled under a hidden name and
renamed. It judges nothing.
"""

import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from medtl.cohorts import originals, pixels
from medtl.cohorts.names import shown
from medtl.errors import MedtlError, NotFound
from medtl.vocabulary import Case, Cohort, Edit, Finding, Privacy, Reading, Removed, Skipped, Split
from medtl.workspace import Workspace, write_whole

HEADER = "header.json"
WHOLE = "cohort.json"
UNFINISHED = re.compile(r"\.(?:import|delete)-(\d+)-[0-9a-f]+")


@dataclass(frozen=True)
class CohortSummary:
    """One line of the library. `bytes` counts what a version shares with its parent, too."""

    id: str
    title: str
    classes: Mapping[str, int]
    cases: int
    patients: int | None
    created: str
    parent: str | None
    synthetic: bool
    blocked: bool
    bytes: int
    root: str = ""

    @property
    def first(self) -> str:
        """The id of the first version."""
        return self.root or self.id


def load(ws: Workspace, id: str) -> Cohort:
    try:
        return _from_dict(json.loads((ws.cohort(id) / WHOLE).read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise NotFound("There is no such cohort.", "Pick one from the Library.") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MedtlError("The description of this cohort is damaged.", "Add the images again.") from error


def cohorts(ws: Workspace) -> tuple[CohortSummary, ...]:
    """Newest first. Reads the small header of each; a folder whose header is damaged is left out."""
    found = []
    for header in ws.cohorts.glob(f"[!.]*/{HEADER}"):
        try:
            found.append(CohortSummary(**json.loads(header.read_text(encoding="utf-8"))))
        except (OSError, ValueError, TypeError):
            continue  # `load` says so when it is opened by its id
    return tuple(sorted(found, key=lambda summary: (summary.created, summary.id), reverse=True))


def case_id(name: str, sha256: str) -> str:
    return hashlib.sha256(f"{name}\0{sha256}".encode()).hexdigest()[:12]


def settle(ws: Workspace, folder: Path, cohort: Cohort, name: str | None) -> Cohort:
    """Give the finished folder its id; when that cohort is there already, it stays and this one goes."""
    home = ws.cohort(cohort.id)
    if not (home / WHOLE).exists():
        _drop_unused(folder, cohort)
        _write(folder, cohort)
        try:
            folder.replace(home)
            return cohort
        except OSError:
            if not (home / WHOLE).exists():
                raise
    known = load(ws, cohort.id)
    if known.privacy != cohort.privacy:  # the same content; what is said of the key is that of today
        known = replace(known, privacy=cohort.privacy)
        _write(home, known)
    return rename(ws, known, name) if name and shown(name, 200) != known.title else known


def rename(ws: Workspace, cohort: Cohort, name: str) -> Cohort:
    renamed = replace(cohort, title=shown(name, 200) or cohort.title)
    _write(ws.cohort(cohort.id), renamed)
    return renamed


def hidden(ws: Workspace, what: str) -> Path:
    return ws.cohorts / f".{what}-{os.getpid()}-{secrets.token_hex(4)}"


@contextmanager
def unfinished(ws: Workspace) -> Iterator[Path]:
    """A hidden folder that is gone after the block unless `settle` has given it its place."""
    folder = hidden(ws, "import")
    folder.mkdir(parents=True, mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep(ws: Workspace) -> None:
    """Clear away what a killed import or delete left: hidden folders whose process no longer lives."""
    for folder in ws.cohorts.glob(".*-*-*"):
        left_by = UNFINISHED.fullmatch(folder.name)
        if left_by and not _alive(int(left_by[1])):
            shutil.rmtree(folder, ignore_errors=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # somebody else's
    return True


def _drop_unused(folder: Path, cohort: Cohort) -> None:
    """Of a first version: what was read and is no case of it. Packs that nothing points into."""
    if cohort.parent is None:
        originals.keep_only([folder], {case.at for case in cohort.cases})
        pixels.keep_only([folder], {case.id for case in cohort.cases})
    packs = {pack.name for pack in originals.Originals(folder).files()}
    for pack in folder.glob(originals.PACK.format("*")):
        if pack.name not in packs:
            pack.unlink()


def compact(ws: Workspace, ids: Sequence[str]) -> None:
    """Take off the disk what none of these versions of a cohort holds any more; those that share go on sharing."""
    held = {id: load(ws, id) for id in ids}
    by_cache: dict[object, list[str]] = {}
    by_packs: dict[tuple[int, ...], list[str]] = {}
    for id in held:
        folder = ws.cohort(id)
        by_cache.setdefault((folder / pixels.Pixels(folder).bin).stat().st_ino, []).append(id)
        packs = tuple(pack.stat().st_ino for pack in originals.Originals(folder).files())
        by_packs.setdefault(packs, []).append(id)
    for group in by_cache.values():
        pixels.keep_only([ws.cohort(id) for id in group], {case.id for id in group for case in held[id].cases})
    for shared, group in by_packs.items():
        if shared:
            originals.keep_only([ws.cohort(id) for id in group], {case.at for id in group for case in held[id].cases})


def _write(folder: Path, cohort: Cohort) -> None:
    """The header last: a folder is listed once everything else is there."""
    write_whole(folder / WHOLE, json.dumps(cohort, default=vars, ensure_ascii=False))
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    header = CohortSummary(
        cohort.id,
        cohort.title,
        cohort.counts,
        len(cohort.cases),
        cohort.patients,
        cohort.created,
        cohort.parent,
        cohort.synthetic,
        bool(cohort.blocks),
        size,
        cohort.root,
    )
    write_whole(folder / HEADER, json.dumps(header, default=vars, ensure_ascii=False))


def _from_dict(data: dict[str, Any]) -> Cohort:
    if data["schema_version"] > Cohort.schema_version:
        raise MedtlError("This cohort was made by a newer MedTL.", "Update MedTL, or add the images again.")
    known = {key: value for key, value in data.items() if key in Cohort.__dataclass_fields__}
    split = data["split"]
    known["split"] = Split(**{**split, **{part: tuple(split[part]) for part in ("train", "tune", "test")}})
    known["classes"] = tuple(data["classes"])
    known["cases"] = tuple(Case(**case) for case in data["cases"])
    known["findings"] = tuple(Finding(**{**item, "cases": tuple(item["cases"])}) for item in data["findings"])
    known["skipped"] = tuple(Skipped(**item) for item in data["skipped"])
    known["history"] = tuple(Edit(**item) for item in data["history"])
    known["accepted"] = tuple(data.get("accepted", ()))
    if "reading" in data:
        known["reading"] = Reading(**data["reading"])
    if "privacy" in data:
        removed = tuple(Removed(**item) for item in data["privacy"]["removed"])
        known["privacy"] = Privacy(**{**data["privacy"], "removed": removed})
    return Cohort(**known)
