"""Cohorts on disk: add, load, list, edit, delete. The upload is copied once and never changed; edits make versions.

cohorts/<id>/ holds header.json (what a list shows), cohort.json (everything), originals/ (the files as they came, under
names of our own) and the pixel cache. A folder with an id is complete: it is filled under a hidden name and renamed.
"""

import hashlib
import json
import os
import re
import secrets
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from medtl.cohorts import archive, checks, limits, patients, splits
from medtl.cohorts import labels as labelling
from medtl.cohorts.images import SUFFIXES, read, read_bytes, too_large
from medtl.cohorts.likeness import near_copies
from medtl.cohorts.names import shown
from medtl.cohorts.pixels import BIN, INDEX, Pixels, PixelWriter, Prepared, prepare
from medtl.cohorts.pool import in_order
from medtl.errors import BadInput, MedtlError, NotFound
from medtl.vocabulary import Case, Cohort, Edit, Finding, Skipped, Split, to_dict
from medtl.workspace import Workspace, write_whole

HEADER = "header.json"
WHOLE = "cohort.json"
ORIGINALS = "originals"
UNFINISHED = re.compile(r"\.(?:import|delete)-(\d+)-[0-9a-f]+")
Progress = Callable[[int, int], None]


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


def add(
    ws: Workspace,
    path: Path,
    *,
    name: str | None = None,
    labels: Path | None = None,
    split: Path | None = None,
    patient_pattern: str | None = None,
    exclude_findings: Sequence[str] = (),
    positive: str | None = None,
    seed: int = 0,
    synthetic: bool = False,
    on_progress: Progress | None = None,
) -> Cohort:
    """Read a zip, a folder or a table of files into a cohort. What cannot be read is named in `skipped`.

    Adding the same again gives the cohort that is already there. Raises BadInput when nothing can be used.
    """
    checks.check_codes(exclude_findings)
    ws.ensure()
    _sweep(ws)
    with _labelled(Path(path), labels, split) as (title, wanted, skipped):
        _check_space(ws, wanted)
        if patient_pattern:
            patients.match(patient_pattern, [])  # a wrong pattern should be known before the reading, not after
        with _unfinished(ws) as folder:
            seeds, unreadable = _read_all(wanted, folder, ws.salt(), on_progress)
            skipped = (*skipped, *unreadable)
            if not seeds:
                raise _nothing_readable(skipped)
            pixels = Pixels(folder)
            who, rule = patients.assign([seed.claim for seed in seeds], patient_pattern)
            cases = [replace(seed.case, patient=who[seed.case.id]) for seed in seeds]
            cohort = _judged(cases, pixels, positive, seed, exclude_findings)
            cohort = replace(
                cohort,
                title=shown(name or title, 200) or "Cohort",
                skipped=skipped,
                patient_rule=rule,
                synthetic=synthetic,
            )
            return _settle(ws, folder, cohort, name)


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


def edit(
    ws: Workspace,
    id: str,
    *,
    exclude: Iterable[str] = (),
    relabel: Mapping[str, str] | None = None,
    exclude_findings: Sequence[str] = (),
    patient_pattern: str | None = None,
    positive: str | None = None,
    name: str | None = None,
) -> Cohort:
    """A new version with the same originals: cases left out or relabelled. The old version stays as it is.

    Cases stay in the part they were in, so that a test part is not mixed with what was learned from before; only a new
    patient pattern splits anew. A new name alone makes no new version.
    """
    old = load(ws, id)
    relabel = relabel or {}
    excluded = _excluded(old, exclude, exclude_findings)
    _check_edit(old, excluded, relabel)
    if name and not (excluded or relabel or patient_pattern or positive):
        return _rename(ws, old, name)
    cases = [replace(case, label=relabel.get(case.id, case.label)) for case in old.cases if case.id not in excluded]
    rule = old.patient_rule
    if patient_pattern:
        who, rule = patients.assign([patients.Claim(case.id, case.name) for case in cases], patient_pattern)
        cases = [replace(case, patient=who[case.id]) for case in cases]
    before = None if patient_pattern else old.split.part_of()
    kept_positive = old.positive if old.positive in {case.label for case in cases} else None
    wanted = positive or (kept_positive if len({case.label for case in cases}) == 2 else None)
    new = _judged(cases, Pixels(ws.cohort(id)), wanted, old.split.seed, before=before)
    history = (*old.history, *_edits(old, excluded, exclude_findings, relabel, patient_pattern, positive))
    new = replace(
        new,
        title=shown(name, 200) if name else old.title,
        skipped=old.skipped,
        patient_rule=rule,
        parent=old.id,
        history=history,
        synthetic=old.synthetic,
    )
    if new.id == old.id:
        return _rename(ws, old, name) if name else old
    _sweep(ws)
    with _unfinished(ws) as folder:
        _share(ws.cohort(id), folder, new)
        return _settle(ws, folder, new, name)


def delete(ws: Workspace, id: str) -> int:
    """Remove a cohort; returns the bytes that came free (files shared with another version stay there)."""
    folder = ws.cohort(id)
    if not (folder / WHOLE).exists():
        raise NotFound("There is no such cohort.", "Pick one from the Library.")
    doomed = _hidden(ws, "delete")
    folder.replace(doomed)  # gone from every list at once, whatever happens next
    stats = [file.lstat() for file in doomed.rglob("*") if file.is_file()]
    shutil.rmtree(doomed)
    return sum(stat.st_size for stat in stats if stat.st_nlink == 1)


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
        "parent": cohort.parent,
        "history": [to_dict(line) for line in cohort.history],
        "synthetic": cohort.synthetic,
        "created": cohort.created,
    }


# ---- what is to be read ---------------------------------------------------------------------------------------------


@contextmanager
def _labelled(
    path: Path, table: Path | None, split: Path | None
) -> Iterator[tuple[str, list[labelling.Labelled], tuple[Skipped, ...]]]:
    """Title, labelled files, and what was left out with the reason; open as long as the block lasts."""
    if path.is_file() and path.suffix.casefold() in (".csv", ".tsv"):
        rows = _table(path)
        bundle = archive.named(path.resolve().parent, [row.file for row in rows.rows])
        yield path.stem, *_with_split(*labelling.from_table(bundle.entries, rows), split)
        return
    with archive.opened(path) as bundle:
        wanted, skipped = _by_table_or_folders(bundle, table)
        wanted, all_skipped = _with_split(wanted, [*bundle.skipped, *skipped], split)
        if not wanted:
            raise _nothing_labelled(bundle, all_skipped)
        yield bundle.title, wanted, all_skipped


def _by_table_or_folders(bundle: archive.Bundle, table: Path | None) -> labelling.Answer:
    if table:
        return labelling.from_table(bundle.entries, _table(table))
    inside = next((entry for entry in bundle.entries if entry.name.casefold() == "labels.csv"), None)
    if inside and len(labelling.class_folders(bundle.entries)) < 2:
        others = [entry for entry in bundle.entries if entry is not inside]
        return labelling.from_table(others, labelling.read_table(inside.read(), "labels.csv"))
    return labelling.from_folders(bundle.entries)


def _table(path: Path, needs: Sequence[str] = ("file", "label")) -> labelling.Table:
    return labelling.read_table(read_bytes(path), shown(path.name), needs)


def _with_split(
    wanted: list[labelling.Labelled], skipped: list[Skipped], split: Path | None
) -> tuple[list[labelling.Labelled], tuple[Skipped, ...]]:
    if split is None:
        return wanted, tuple(skipped)
    parted, faults = labelling.with_parts(wanted, _table(split, ("file", "part")))
    return parted, (*skipped, *faults)


def _nothing_labelled(bundle: archive.Bundle, skipped: Sequence[Skipped]) -> BadInput:
    if not bundle.entries:
        return BadInput(
            f"{shown(bundle.title)} is empty.", "Give a folder or a zip with one sub-folder for each class."
        )
    return BadInput(
        f"There are {len(bundle.entries):,} files, but we know the label of none. {_first(skipped)}",
        "Put the images of each class into a folder named after the class, or give a CSV with the columns file and "
        "label.",
    )


def _nothing_readable(skipped: Sequence[Skipped]) -> BadInput:
    advice = skipped[0].advice if skipped else "Give a folder or a zip with one sub-folder for each class."
    return BadInput(f"None of the files could be used as an image. {_first(skipped)}", advice)


def _first(skipped: Sequence[Skipped], count: int = 3) -> str:
    return " ".join(f"{file.file}: {file.reason}" for file in skipped[:count])


def _check_space(ws: Workspace, wanted: Sequence[labelling.Labelled]) -> None:
    need = 2 * sum(item.entry.size for item in wanted)
    if ws.free() < need:
        raise MedtlError(
            f"The disk has {ws.free() / limits.GB:.1f} GB free; these files need {need / limits.GB:.1f}.",
            "Delete cohorts or runs that are no longer needed, or choose another folder with --home DIR.",
        )


# ---- reading --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Seed:
    """A case before its patient is settled."""

    case: Case
    claim: patients.Claim


@dataclass(frozen=True)
class _Taken:
    seed: _Seed
    prepared: Prepared


def _read_all(
    wanted: Sequence[labelling.Labelled], folder: Path, salt: bytes, on_progress: Progress | None
) -> tuple[list[_Seed], list[Skipped]]:
    """Read, check, copy and shrink every file; memory holds a few pictures at a time, and the thumbnails at the end."""
    originals = folder / ORIGINALS
    originals.mkdir()
    wanted = sorted(wanted, key=lambda item: item.entry.name)
    writer = PixelWriter(folder)
    seeds: list[_Seed] = []
    skipped: list[Skipped] = []
    ids: set[str] = set()
    try:
        for done, taken in enumerate(in_order(lambda item: _take(item, originals, salt), wanted), start=1):
            if isinstance(taken, Skipped):
                skipped.append(taken)
            else:
                seed = _unique(taken.seed, ids)
                writer.add(seed.case.id, taken.prepared)
                seeds.append(seed)
            if on_progress:
                on_progress(done, len(wanted))
    finally:
        writer.close()
    if seeds:
        case_ids = [seed.case.id for seed in seeds]
        pairs = near_copies(Pixels(folder).thumbnails(case_ids))
        writer.write_index([(case_ids[one], case_ids[other]) for one, other in pairs])
    return seeds, skipped


def _take(item: labelling.Labelled, originals: Path, salt: bytes) -> _Taken | Skipped:
    name = shown(item.entry.name)
    try:
        if item.entry.size > limits.FILE_BYTES:
            raise too_large(item.entry.size)
        data = item.entry.read()
        decoded = read(data, item.entry.name)
    except BadInput as error:
        return Skipped(name, error.message, error.advice)
    except MemoryError:
        return Skipped(name, "The image is too large for the memory of this computer.", "Save it smaller.")
    sha256 = hashlib.sha256(data).hexdigest()
    at = f"{ORIGINALS}/{sha256}{SUFFIXES[decoded.facts['format']][0]}"
    _copy(data, originals.parent / at)
    id = hashlib.sha256(f"{name}\0{sha256}".encode()).hexdigest()[:12]
    case = Case(id, name, item.label, at, sha256, part=item.part, facts=decoded.facts)
    claim = patients.Claim(id, name, item.patient, patients.code(decoded.patient_id, salt))
    return _Taken(_Seed(case, claim), prepare(decoded.pixels))


def _copy(data: bytes, to: Path) -> None:
    """As it came, except that the 128 bytes before a DICOM mark, which may hold a program, are written as zeros."""
    if data[128:132] == b"DICM":
        data = bytes(128) + data[128:]
    with suppress(FileExistsError), to.open("xb") as file:
        file.write(data)


def _unique(seed: _Seed, ids: set[str]) -> _Seed:
    id = seed.case.id
    number = 1
    while id in ids:
        number += 1
        id = f"{seed.case.id}-{number}"
    ids.add(id)
    return _Seed(replace(seed.case, id=id), replace(seed.claim, case=id))


# ---- judging --------------------------------------------------------------------------------------------------------


def _judged(
    cases: Sequence[Case],
    pixels: Pixels,
    positive: str | None,
    seed: int,
    exclude_findings: Sequence[str] = (),
    before: Mapping[str, str] | None = None,
) -> Cohort:
    """Split, findings and id of these cases; findings that are to go take their cases with them, and all is redone."""
    split, found = _split_and_findings(cases, pixels, seed, before)
    gone = {id for finding in found if finding.code in exclude_findings for id in finding.cases}
    if gone:
        cases = [case for case in cases if case.id not in gone]
        if not cases:
            raise BadInput("Leaving out these findings would leave no case.", "Leave out fewer.")
        split, found = _split_and_findings(cases, pixels, seed, before)
    classes = tuple(sorted({case.label for case in cases}, key=lambda label: (label.casefold(), label)))
    chosen = checks.positive_class(cases, classes, positive)
    return Cohort(
        id=_identity(cases, classes, chosen, split),
        title="",
        modality="image",
        task="single-label",
        classes=classes,
        positive=chosen,
        cases=tuple(cases),
        split=split,
        findings=found,
        created=datetime.now(UTC).isoformat(timespec="milliseconds"),
    )


def _split_and_findings(
    cases: Sequence[Case], pixels: Pixels, seed: int, before: Mapping[str, str] | None
) -> tuple[Split, tuple[Finding, ...]]:
    here = {case.id for case in cases}
    twins = checks.twins_of(cases, {id: pixels.stored[id].fingerprint for id in here})
    near = [pair for pair in pixels.near if here.issuperset(pair)]
    constant = [case.id for case in cases if pixels.stored[case.id].constant]
    split = splits.make(cases, twins, near, seed, before)
    return split, checks.findings(cases, twins, near, constant, split)


def _identity(cases: Sequence[Case], classes: Sequence[str], positive: str | None, split: Split) -> str:
    content = {
        "cases": sorted([case.id, case.sha256, case.label, case.patient, case.part] for case in cases),
        "classes": list(classes),
        "positive": positive,
        "split": to_dict(split),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]


# ---- editing --------------------------------------------------------------------------------------------------------


def _excluded(old: Cohort, exclude: Iterable[str], codes: Sequence[str]) -> set[str]:
    checks.check_codes(codes)
    return {*exclude, *(id for finding in old.findings if finding.code in codes for id in finding.cases)}


def _check_edit(old: Cohort, excluded: set[str], relabel: Mapping[str, str]) -> None:
    known = {case.id for case in old.cases}
    unknown = sorted({*excluded, *relabel} - known)
    if unknown:
        raise NotFound(f"There is no case '{shown(unknown[0], 40)}' in this cohort.", "Pick one from the gallery.")
    for label in relabel.values():
        if label not in old.classes:
            raise BadInput(f"There is no class '{shown(label, 100)}'.", f"The classes are {', '.join(old.classes)}.")
    if excluded >= known:
        raise BadInput("This would leave no case in the cohort.", "Leave out fewer, or delete the cohort.")


def _edits(
    old: Cohort,
    excluded: set[str],
    codes: Sequence[str],
    relabel: Mapping[str, str],
    pattern: str | None,
    positive: str | None,
) -> list[Edit]:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    edits = []
    if excluded:
        reason = f" for the finding {', '.join(codes)}" if codes else ""
        edits.append(Edit(now, f"left out{reason}", len(excluded)))
    for label, count in sorted(Counter(relabel.values()).items()):
        edits.append(Edit(now, f"relabelled as {label}", count))
    if pattern:
        edits.append(Edit(now, f"patients by the file-name pattern {pattern}; split anew", len(old.cases)))
    if positive:
        edits.append(Edit(now, f"positive class {positive}", len(old.cases)))
    return edits


def _rename(ws: Workspace, cohort: Cohort, name: str) -> Cohort:
    renamed = replace(cohort, title=shown(name, 200) or cohort.title)
    _write(ws.cohort(cohort.id), renamed)
    return renamed


def _share(old: Path, folder: Path, new: Cohort) -> None:
    """Hard links to what a version has in common with its parent; copies where the disk knows no links."""
    (folder / ORIGINALS).mkdir()
    for at in sorted({BIN, INDEX, *(case.at for case in new.cases)}):
        try:
            os.link(old / at, folder / at)
        except OSError:
            shutil.copyfile(old / at, folder / at)


# ---- disk -----------------------------------------------------------------------------------------------------------


def _settle(ws: Workspace, folder: Path, cohort: Cohort, name: str | None) -> Cohort:
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
    return _rename(ws, known, name) if name and shown(name, 200) != known.title else known


def _drop_unused(folder: Path, cohort: Cohort) -> None:
    """Originals of cases that findings excluded."""
    used = {case.at for case in cohort.cases}
    for file in (folder / ORIGINALS).iterdir():
        if f"{ORIGINALS}/{file.name}" not in used:
            file.unlink()


def _write(folder: Path, cohort: Cohort) -> None:
    """The header last: a folder is listed once everything else is there."""
    write_whole(folder / WHOLE, json.dumps(to_dict(cohort), ensure_ascii=False))
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
    )
    write_whole(folder / HEADER, json.dumps(to_dict(header), ensure_ascii=False))


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
    return Cohort(**known)


def _hidden(ws: Workspace, what: str) -> Path:
    return ws.cohorts / f".{what}-{os.getpid()}-{secrets.token_hex(4)}"


@contextmanager
def _unfinished(ws: Workspace) -> Iterator[Path]:
    """A hidden folder that is gone after the block unless `_settle` has given it its place."""
    folder = _hidden(ws, "import")
    folder.mkdir(parents=True, mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sweep(ws: Workspace) -> None:
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
