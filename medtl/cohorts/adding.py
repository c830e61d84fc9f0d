"""From what a user brings to a cohort: find the labels, have the files read, say who is who, judge, store.

The files themselves are opened by `reader` processes only. What names somebody stays in the memory of this import; on
the disk there are codes.
"""

import csv
import io
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any, Literal

from medtl.cohorts import archive, folders, limits, patients, reading
from medtl.cohorts.findings import checks
from medtl.cohorts.formats.images import read_bytes
from medtl.cohorts.judging import Wishes, identified, judged
from medtl.cohorts.labelling import labels, npz
from medtl.cohorts.labelling.dates import days_of
from medtl.cohorts.names import shown, suffix
from medtl.cohorts.originals import Span, write_index
from medtl.cohorts.pixels import SHARD, Pixels, Row, Shard, assemble, find_near
from medtl.cohorts.pseudonyms import Pseudonyms
from medtl.errors import BadInput, MedtlError
from medtl.vocabulary import Case, Cohort, Edit, Privacy, Reading, Removed, Skipped, Task, Uncertain
from medtl.workspace import Workspace, write_whole

Progress = Callable[[int, int], None]
Names = Literal["replaced", "kept"]
DICOM_ENDINGS = (".dcm", ".dicom", ".dic", ".ima", "")
UNPACKED = "unpacked"  # pictures of an .npz archive, while they are read
PERIODS = 5  # a date of acquisition becomes the fifth of the cohort's time it lies in


@dataclass(frozen=True)
class Codes:
    """How names become codes: the workspace's secret, and what the user wished. Every process makes its own."""

    salt: bytes
    names: Names
    keep_key: bool

    def pseudonyms(self) -> Pseudonyms:
        return Pseudonyms(self.salt, names=self.names, keep_key=self.keep_key)


@dataclass(frozen=True)
class Wanted:
    """What is to be read, and what is known of it before any file is opened."""

    title: str
    items: list[labels.Labelled]
    skipped: tuple[Skipped, ...] = ()
    task: Task = "single-label"
    order: tuple[str, ...] = ()
    says: tuple[str, ...] = ()  # how a table was understood
    by_patient: Mapping[str, labels.Row] = field(
        default_factory=dict
    )  # DICOM PatientID -> row of a table without files


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
    reading: Reading = Reading(),
    task: Task | None = None,
    outcome: str | None = None,
    uncertain: Uncertain = "leave-out",
    file_names: Names = "replaced",
    keep_key: bool = False,
    on_progress: Progress | None = None,
    on_skipped: Callable[[Skipped], None] | None = None,
) -> Cohort:
    """Read a zip, a folder, a table of files or a MedMNIST archive into a cohort.

    What cannot be read is named in `skipped`; `on_skipped` hears the names as the user knows them (the cohort keeps
    coded ones). Of a table with several labels, `outcome` picks one to learn. With `keep_key` a table of what became
    which code is written to the workspace's folder keys/, apart from the cohort.

    Adding the same again gives the cohort that is already there. Raises BadInput when nothing can be used.
    """
    checks.check_codes(exclude_findings)
    ws.ensure()
    folders.sweep(ws)
    codes = Codes(ws.salt(), file_names, keep_key)
    pseudonyms = codes.pseudonyms()
    with folders.unfinished(ws) as folder, _wanted(Path(path), labels, split, folder, task) as wanted:
        if outcome:
            wanted = _chosen(wanted, outcome, uncertain)
        _check_space(ws, wanted.items)
        if patient_pattern:
            patients.match(patient_pattern, [])  # a wrong pattern should be known before the reading, not after
        read = _read(wanted, folder, codes, pseudonyms, reading, on_progress)
        shutil.rmtree(folder / UNPACKED, ignore_errors=True)
        skipped = [*wanted.skipped, *read.skipped]
        if not read.seeds:
            raise _nothing_readable(skipped)
        cases, rule = _who_is_who(read.seeds, patient_pattern, pseudonyms if file_names == "replaced" else None)
        wishes = Wishes(wanted.task, wanted.order, positive, seed, exclude_findings=tuple(exclude_findings))
        pixels = Pixels(folder)
        cohort = judged(cases, pixels, wishes)
        words = _words(wanted)
        cohort = replace(
            cohort,
            title=shown(name or wanted.title, 200) or "Cohort",
            skipped=tuple(replace(file, file=pseudonyms.file_name(file.file, words)) for file in skipped),
            patient_rule=rule,
            history=_history(cohort, wanted.says, len(cases), exclude_findings),
            synthetic=synthetic,
            reading=reading,
            privacy=Privacy(file_names, "kept" if keep_key else "thrown away", read.removed),
        )
        cohort = identified(cohort, pixels)
        if on_skipped:
            for file in skipped:
                on_skipped(_said(file, pseudonyms, words))
        stored = folders.settle(ws, folder, cohort, name)
        if keep_key:
            _write_key(ws, stored.first, [*read.key, *pseudonyms.key])
        return stored


def _history(cohort: Cohort, says: Sequence[str], read: int, excluded: Sequence[str]) -> tuple[Edit, ...]:
    """How it was read, and what was left out at once: a report counts cases from the files on."""
    at = cohort.created[:19] + "+00:00"
    lines = [Edit(at, f"read: {said}", read) for said in says]
    if left := read - len(cohort.cases):
        lines.append(Edit(at, f"left out for the finding {', '.join(excluded)}", left))
    return tuple(lines)


# ---- what is to be read ---------------------------------------------------------------------------------------------


@contextmanager
def _wanted(path: Path, table: Path | None, split: Path | None, folder: Path, task: Task | None) -> Iterator[Wanted]:
    """Labelled files, and what was left out with the reason; open as long as the block lasts."""
    ending = path.suffix.casefold()
    if path.is_file() and ending == ".npz":
        yield _from_npz(path, folder)
        return
    if path.is_file() and ending in (".csv", ".tsv"):
        rows = _table(path, task=task)
        bundle = archive.named(path.resolve().parent, [row.file for row in rows.rows])
        yield _with_split(_from_table(bundle, rows, path.stem), split)
        return
    with archive.opened(path) as bundle:
        wanted = _with_split(_by_table_or_folders(bundle, table, task), split)
        if not wanted.items:
            raise _nothing_labelled(bundle, wanted.skipped)
        yield wanted


def _by_table_or_folders(bundle: archive.Bundle, table: Path | None, task: Task | None) -> Wanted:
    if table:
        return _from_table(bundle, _table(table, task=task))
    inside = _table_inside(bundle)
    if inside and len(labels.class_folders(bundle.entries)) < 2:
        others = replace(bundle, entries=tuple(entry for entry in bundle.entries if entry is not inside))
        return _from_table(others, labels.read_table(inside.read(), shown(inside.name), task=task))
    found, skipped = labels.from_folders(bundle.entries)
    return Wanted(bundle.title, found, (*bundle.skipped, *skipped), task or "single-label")


def _table_inside(bundle: archive.Bundle) -> archive.Entry | None:
    """labels.csv, or the only table there is."""
    tables = [entry for entry in bundle.entries if suffix(entry.name) in (".csv", ".tsv")]
    named = [entry for entry in tables if entry.name.casefold() == "labels.csv"]
    return named[0] if named else tables[0] if len(tables) == 1 else None


def _from_table(bundle: archive.Bundle, table: labels.Table, title: str = "") -> Wanted:
    found, skipped = labels.from_table(bundle.entries, table)
    skipped = [*bundle.skipped, *skipped]
    return Wanted(
        title or bundle.title, found, tuple(skipped), table.task, table.classes, _says(table), table.by_patient
    )


def _says(table: labels.Table) -> tuple[str, ...]:
    ignored = f"columns not used: {', '.join(table.ignored)}"
    return (*table.says, *([ignored] if table.ignored else []))


def _table(path: Path, needs: Sequence[str] = ("file", "label"), task: Task | None = None) -> labels.Table:
    return labels.read_table(read_bytes(path), shown(path.name), needs, task=task)


def _with_split(wanted: Wanted, split: Path | None) -> Wanted:
    if split is None:
        return wanted
    parted, faults = labels.with_parts(wanted.items, _table(split, ("file", "part")))
    return replace(wanted, items=parted, skipped=(*wanted.skipped, *faults))


def _from_npz(path: Path, folder: Path) -> Wanted:
    """The pictures as files of their own, which go with the unfinished folder."""
    place = folder / UNPACKED
    place.mkdir()
    found = npz.unpacked(path, place)
    return Wanted(found.title, list(found.items), found.skipped, found.task, found.classes, found.says)


def _chosen(wanted: Wanted, outcome: str, uncertain: Uncertain) -> Wanted:
    if wanted.task != "multi-label":
        raise BadInput("There is one label for each image; no outcome can be picked.", "Leave the outcome out.")
    items, faults = labels.choose(wanted.items, outcome, uncertain)
    return replace(wanted, items=items, skipped=(*wanted.skipped, *faults), task="single-label", order=())


def _words(wanted: Wanted) -> frozenset[str]:
    """Words that may stand in a file name: those of the classes, which are said everywhere anyway."""
    return frozenset({item.label for item in wanted.items if item.label} | set(wanted.order))


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


def _check_space(ws: Workspace, wanted: Sequence[labels.Labelled]) -> None:
    need = 2 * sum(item.entry.size for item in wanted)
    if ws.free() < need:
        raise MedtlError(
            f"The disk has {ws.free() / limits.GB:.1f} GB free; these files need {need / limits.GB:.1f}.",
            "Delete cohorts or runs that are no longer needed, or choose another folder with --home DIR.",
        )


# ---- reading --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Seed:
    """A case before its patient is settled. `name` is the file's own, `date` that of acquisition: neither is stored."""

    case: Case
    name: str
    said: str | None  # what the table says of the patient
    code: str | None  # of the DICOM PatientID
    date: str


@dataclass
class _Found:
    seeds: list[_Seed] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    removed: tuple[Removed, ...] = ()
    key: list[tuple[str, str, str]] = field(default_factory=list)


def _read(
    wanted: Wanted,
    folder: Path,
    codes: Codes,
    pseudonyms: Pseudonyms,
    how: Reading,
    on_progress: Progress | None,
) -> _Found:
    """Every file read by a process of its own kind; this one sees facts and codes, a few answers at a time."""
    items = sorted(wanted.items, key=lambda item: item.entry.name)
    setup = {
        "desk": "keep",
        "folder": str(folder),
        "salt": codes.salt.hex(),
        "names": codes.names,
        "keep_key": codes.keep_key,
        "reading": asdict(how),
    }
    jobs = [reading.job(number, item.entry.name, item.entry.place) for number, item in enumerate(items)]
    numbers = count()
    found, removed = _Found(), Counter[tuple[str, str, str]]()
    words = _words(wanted)
    spans: dict[str, Span] = {}
    rows: dict[str, dict[str, Row]] = {}
    ids: set[str] = set()
    answers = reading.answers(setup, jobs, lambda: f"{SHARD}{next(numbers)}")
    for item, answer in zip(items, _in_order(answers, len(jobs), on_progress), strict=True):
        if "skipped" in answer:
            found.skipped.append(Skipped(shown(item.entry.name), *answer["skipped"]))
            continue
        spans |= answer["originals"]
        removed.update(tuple(row) for row in answer["removed"])
        found.key += [(row[0], row[1], row[2]) for row in answer["key"]]
        for one in answer["cases"]:
            seed = _seed(item, one, answer["sha256"], pseudonyms, words, ids)
            found.seeds.append(seed)
            rows.setdefault(answer["shard"], {})[seed.case.id] = one["row"]
        if len(found.seeds) > limits.CASES:
            raise BadInput(
                f"These files hold more than {limits.CASES:,} pictures.",
                "Take the middle frame of each, or fewer slices of a volume.",
            )
    assemble(folder, [Shard(folder / shard, rows[shard]) for shard in sorted(rows)])
    write_index(folder, spans)
    if found.seeds:
        find_near(folder)
    if codes.names == "replaced":
        removed["file name", "The name each file had", "replaced"] += len(items)
    found.removed = tuple(Removed(*what, files) for what, files in sorted(removed.items()))
    found.seeds = _labelled_by_patient(found, wanted, pseudonyms) if wanted.by_patient else found.seeds
    return found


def _in_order(answers: Iterator[reading.Answer], total: int, on_progress: Progress | None) -> Iterator[reading.Answer]:
    """As soon as all before are there, so that most of what is done with them is done while others are read."""
    early: dict[int, reading.Answer] = {}
    following = 0
    for done, answer in enumerate(answers, start=1):
        early[answer["job"]] = answer
        if on_progress:
            on_progress(done, total)
        while following in early:
            yield early.pop(following)
            following += 1


def _seed(
    item: labels.Labelled,
    one: Mapping[str, Any],
    sha256: str,
    pseudonyms: Pseudonyms,
    words: frozenset[str],
    ids: set[str],
) -> _Seed:
    raw = shown(item.entry.name)
    name = pseudonyms.file_name(raw, words)
    if one["frame"] is not None:
        name = f"{name} [{one['frame'] + 1}]"
    facts = {**one["facts"], **_known(item.facts, pseudonyms)}
    id = _unique(folders.case_id(name, sha256), ids)
    case = Case(
        id, name, item.label, one["at"], sha256, None, item.part, facts, one["group"], one["frame"], dict(item.labels)
    )
    return _Seed(case, raw, item.patient, one["patient"], str(item.facts.get("date", "") or one["date"] or ""))


def _known(facts: Mapping[str, Any], pseudonyms: Pseudonyms) -> dict[str, Any]:
    """What a table says of a case, as it may be kept: a site as a code, and no date."""
    kept = {key: value for key, value in facts.items() if key != "date"}
    return {**kept, "site": pseudonyms.site(str(kept["site"]))} if kept.get("site") else kept


def _unique(id: str, ids: set[str]) -> str:
    found, number = id, 1
    while found in ids:
        number += 1
        found = f"{id}-{number}"
    ids.add(found)
    return found


def _labelled_by_patient(found: _Found, wanted: Wanted, pseudonyms: Pseudonyms) -> list[_Seed]:
    """A table that names patients and no files: the DICOM PatientID of each picture finds its row."""
    rows = {pseudonyms.patient(patient): row for patient, row in wanted.by_patient.items()}
    labelled = []
    for seed in found.seeds:
        row = rows.get(seed.code)
        if row is None:
            reason = "Its patient is not in the labels file." if seed.code else "It names no patient."
            found.skipped.append(Skipped(seed.name, reason, "Add a row for the patient, or leave the file out."))
        else:
            facts = {**seed.case.facts, **_known(row.facts, pseudonyms)}
            case = replace(seed.case, label=labels.class_name(row.label), labels=dict(row.labels), facts=facts)
            labelled.append(replace(seed, case=case, date=str(row.facts.get("date", "") or seed.date)))
    return labelled


# ---- who is who -----------------------------------------------------------------------------------------------------


def _who_is_who(seeds: Sequence[_Seed], pattern: str | None, pseudonyms: Pseudonyms | None) -> tuple[list[Case], str]:
    """Cases with their patient, as a code if `pseudonyms` are given, and with the period they were taken in."""
    claims = [patients.Claim(seed.case.id, seed.name, seed.said, seed.code) for seed in seeds]
    who, rule = patients.assign(claims, pattern)
    periods = _periods([seed.date for seed in seeds])
    cases = []
    for seed, period in zip(seeds, periods, strict=True):
        patient = who[seed.case.id]
        if pseudonyms and patient not in (None, seed.code, patients.alone(seed.case.id)):
            patient = pseudonyms.patient(str(patient))
        facts = {**seed.case.facts, **({"period": period} if period else {})}
        cases.append(replace(seed.case, patient=patient, facts=facts))
    return cases, rule


def _periods(dates: Sequence[str]) -> list[str]:
    """Which fifth of the cohort a date belongs to, by rank: enough to see that time tells the label, too little to
    tell a day. Empty where a date is missing or cannot be understood, or all are alike."""
    days = days_of(dates)
    known = sorted(day for day in days if day)
    if len(set(known)) < PERIODS:
        return [""] * len(dates)
    first = {day: at for at, day in reversed(list(enumerate(known)))}
    share = {day: min(PERIODS - 1, PERIODS * at // len(known)) for day, at in first.items()}
    return [f"{share[day] + 1} of {PERIODS}" if day else "" for day in days]


# ---- names ----------------------------------------------------------------------------------------------------------


def _said(file: Skipped, pseudonyms: Pseudonyms, words: frozenset[str]) -> Skipped:
    """To the user who has just brought it a file is called by its own name; a DICOM file's may be the patient's."""
    ending = file.file[file.file.rfind(".") :].casefold() if "." in file.file.rsplit("/", 1)[-1] else ""
    dicom = ending in DICOM_ENDINGS or ending[1:].isdigit()
    return replace(file, file=pseudonyms.file_name(file.file, words)) if dicom else file


def key_path(ws: Workspace, id: str) -> Path:
    return ws.keys / f"{id}.csv"


def _write_key(ws: Workspace, id: str, rows: Sequence[tuple[str, str, str]]) -> None:
    ws.keys.mkdir(parents=True, exist_ok=True, mode=0o700)
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(["what", "original", "code"])
    for row in sorted(set(rows)):
        table.writerow([f"'{cell}" if cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell for cell in row])
    path = key_path(ws, id)
    write_whole(path, text.getvalue())
    path.chmod(0o600)
