"""Which file has which label, part and patient: from class folders, or from the rows of a table.

It reads names only, never an image. What a table says is read in `tables`, which file a row means in `finder`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from medtl.cohorts.archive import Entry
from medtl.cohorts.formats.images import KNOWN
from medtl.cohorts.labelling.finder import Finder
from medtl.cohorts.labelling.tables import Faults, Row, Table, class_name, read_table
from medtl.cohorts.names import part_named, shown, suffix
from medtl.errors import BadInput
from medtl.vocabulary import Skipped

__all__ = [
    "Answer",
    "Labelled",
    "Row",
    "Table",
    "Uncertain",
    "choose",
    "class_folders",
    "class_name",
    "from_folders",
    "from_table",
    "outcome_classes",
    "outcome_named",
    "outcome_of",
    "read_table",
    "with_parts",
]

DOCUMENTS = {
    *(".txt", ".md", ".rst", ".csv", ".tsv", ".json", ".jsonl", ".xml", ".html", ".htm", ".yaml", ".yml", ".toml"),
    *(".pdf", ".doc", ".docx", ".xls", ".xlsx", ".ods", ".odt", ".ppt", ".pptx", ".py", ".ipynb", ".log", ".ini"),
    *(".zip", ".gz", ".tar", ".7z", ".rar", ".npz", ".npy", ".mp4", ".avi", ".mov", ".db"),
}
PAPERS = {"license", "licence", "copying", "notice", "readme", "authors", "changelog", "makefile", "version"}
GIVE_ONE_ROW = "Give it one row, or leave it out."
Uncertain = Literal["leave-out", "positive", "negative"]


@dataclass(frozen=True)
class Labelled:
    """A file that is to become a case. `part`, `patient` and `facts` only where the user said so.

    With several labels an image `label` is empty, and `labels` says 1 present, 0 absent, -1 uncertain of those that
    were answered. `facts["date"]` is raw: it is for making a rank of it, and is never stored or shown.
    """

    entry: Entry
    label: str
    patient: str | None = None
    part: str = ""
    labels: Mapping[str, int] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)


Answer = tuple[list[Labelled], list[Skipped]]


# ---- class folders --------------------------------------------------------------------------------------------------


def from_folders(entries: Sequence[Entry]) -> Answer:
    """`benign/a.png`, or `train/benign/a.png` when the folders on top are parts. Deeper folders don't matter."""
    under_parts = _parts_on_top(entries)
    labelled: list[Labelled] = []
    skipped: list[Skipped] = []
    for entry in entries:
        pieces = entry.name.split("/")
        part = part_named(pieces[0]) if under_parts and len(pieces) > 1 else ""
        folders = pieces[1:-1] if part else pieces[:-1]
        label = class_name(folders[0]) if folders else ""
        if document := _document(entry):
            skipped.append(document)
        elif under_parts and not part:
            skipped.append(_skip(entry, "It lies beside the folders train and test, not in one of them."))
        elif not label:
            skipped.append(_skip(entry, "It lies in no class folder, so we do not know its label."))
        else:
            labelled.append(Labelled(entry, label, part=part))
    return labelled, skipped


def class_folders(entries: Sequence[Entry]) -> set[str]:
    """Names of the classes that the folders would give."""
    return {item.label for item in from_folders(entries)[0]}


def _parts_on_top(entries: Sequence[Entry]) -> bool:
    """Folders train/ or test/ with folders inside. A class may be called "test" when it has no folders inside."""
    tops = {entry.name.split("/")[0] for entry in entries if entry.name.count("/") >= 2}
    return any(part_named(top) in ("train", "test") for top in tops)


def _document(entry: Entry) -> Skipped | None:
    end = suffix(entry.name)
    if end in DOCUMENTS:
        return Skipped(shown(entry.name), f"This is not an image we read ({end}).", f"We read {KNOWN}.")
    last = entry.name.rsplit("/", 1)[-1].casefold()
    if last == "dicomdir":
        return Skipped(shown(entry.name), "This is the table of contents of a DICOM disc, not an image.", "Leave it.")
    if not end and last in PAPERS:
        return Skipped(shown(entry.name), "This is a document, not an image.", f"We read {KNOWN}.")
    return None


def _skip(entry: Entry, reason: str) -> Skipped:
    return Skipped(shown(entry.name), reason, "Put it into the folder of its class, or leave it out.")


# ---- tables ---------------------------------------------------------------------------------------------------------


def from_table(entries: Sequence[Entry], table: Table) -> Answer:
    """Each row finds its file (see `finder`), or the folder whose images it labels; each file has one row.

    Of a table that names patients and no files every image is returned without a label: who it is of is known only
    after it was opened, and `table.by_patient` has the rows.
    """
    if table.by_patient:
        return _all_images(entries)
    finder = Finder(entries)
    claims = _Claims(table)
    for row in table.rows:
        found = finder.file(row.file)
        if found.entry is not None:
            (claims.loose if found.loose else claims.firm)(found.entry, row)
        elif not found.why and (below := finder.under(row.file)):
            claims.below(below, row)
        else:
            claims.faults.row(row.number, found.why or "There is no file of this name.")
    return claims.settled(entries)


def with_parts(labelled: Sequence[Labelled], table: Table) -> Answer:
    """The parts of a split file (columns file and part) laid over labels found elsewhere."""
    finder = Finder([item.entry for item in labelled])
    faults = Faults(table.title, table.faults, table.more_faults)
    parts: dict[str, str] = {}
    for row in table.rows:
        found = finder.file(row.file)
        entries = (found.entry,) if found.entry is not None else () if found.why else finder.under(row.file)
        for entry in entries:
            parts[entry.name] = part_named(row.part)
        if not entries:
            faults.row(row.number, found.why or "There is no file of this name.")
    return [replace(item, part=parts.get(item.entry.name, "")) for item in labelled], faults.told()


class _Claims:
    """Which row speaks for which file. A row that names the file itself comes before one that names its folder; one
    whose folder differs counts only when no other row could mean the file."""

    def __init__(self, table: Table) -> None:
        self.faults = Faults(table.title, table.faults, table.more_faults)
        self._chosen: dict[str, tuple[Row, Entry]] = {}
        self._loose: dict[str, list[tuple[Row, Entry]]] = {}
        self._below: list[tuple[Row, tuple[Entry, ...]]] = []
        self._contradicted: set[str] = set()

    def firm(self, entry: Entry, row: Row) -> None:
        first = self._chosen.setdefault(entry.name, (row, entry))[0]
        if differs := _differs(first, row):
            self._contradicted.add(entry.name)
            self.faults.row(row.number, f"It names the same file as row {first.number}, with another {differs}.")

    def loose(self, entry: Entry, row: Row) -> None:
        claims = self._loose.setdefault(entry.name, [])
        if claims:
            self.faults.row(row.number, "Only files in other folders are called so, and more than one row names them.")
        if len(claims) < 2:
            claims.append((row, entry))

    def below(self, entries: tuple[Entry, ...], row: Row) -> None:
        self._below.append((row, entries))

    def settled(self, entries: Sequence[Entry]) -> Answer:
        self._take_loose()
        self._take_below()
        labelled = [
            _labelled(entry, row) for name, (row, entry) in self._chosen.items() if name not in self._contradicted
        ]
        known = {item.entry.name for item in labelled}
        for entry in entries:
            if entry.name not in known:
                self.faults.add(_document(entry) or Skipped(shown(entry.name), self._why_not(entry), GIVE_ONE_ROW))
        return labelled, self.faults.told()

    def _take_loose(self) -> None:
        for name, claims in self._loose.items():
            if name in self._chosen:
                continue
            if len(claims) == 1:
                self._chosen[name] = claims[0]
            else:
                self.faults.row(claims[0][0].number, "Only files in other folders are called so; give its own folder.")

    def _take_below(self) -> None:
        named = set(self._chosen)
        for row, entries in self._below:
            for entry in entries:
                if entry.name not in named:
                    self.firm(entry, row)

    def _why_not(self, entry: Entry) -> str:
        contradicted = entry.name in self._contradicted
        return "The labels file contradicts itself about it." if contradicted else "The labels file does not name it."


def _differs(first: Row, row: Row) -> str:
    if (first.label, first.values) != (row.label, row.values):
        return "label"
    return "patient" if first.patient != row.patient else ""


def _labelled(entry: Entry, row: Row) -> Labelled:
    part = part_named(row.part) or (part_named(entry.name.split("/")[0]) if "/" in entry.name else "")
    return Labelled(entry, row.label, shown(row.patient, 200) or None, part, row.labels, row.facts)


def _all_images(entries: Sequence[Entry]) -> Answer:
    documents = {entry.name: _document(entry) for entry in entries}
    skipped = [document for document in documents.values() if document]
    return [Labelled(entry, "") for entry in entries if not documents[entry.name]], skipped


# ---- one of several findings ----------------------------------------------------------------------------------------


def choose(labelled: Sequence[Labelled], outcome: str, uncertain: Uncertain = "leave-out") -> Answer:
    """Of several findings one to learn: the classes are "<outcome>" and "no <outcome>".

    A file whose row leaves the finding open is left out; an uncertain one too, or it counts as asked (CheXpert calls
    these U-Ignore, U-Ones and U-Zeros; arXiv:1901.07031).
    """
    findings = list(dict.fromkeys(name for item in labelled for name in item.labels))
    name = outcome_named(outcome, findings)
    chosen: list[Labelled] = []
    silent = unsure = 0
    for item in labelled:
        label = outcome_of(item.labels, name, uncertain)
        silent += name not in item.labels
        unsure += label is None and name in item.labels
        if label is not None:
            chosen.append(replace(item, label=label, labels={}))
    return chosen, _left_open(name, silent, unsure)


def outcome_named(outcome: str, findings: Sequence[str]) -> str:
    """The finding that was meant; capitals don't matter."""
    for name in findings:
        if name == outcome:
            return name
    for name in findings:
        if name.casefold() == outcome.strip().casefold():
            return name
    raise BadInput(f"There is no finding '{shown(outcome, 100)}'.", f"Pick one of: {', '.join(findings) or 'none'}.")


def outcome_of(labels: Mapping[str, int], outcome: str, uncertain: Uncertain = "leave-out") -> str | None:
    """The class of one case, or None when nobody said (or it is uncertain, and such are left out)."""
    counted = {1: 1, 0: 0, -1: {"positive": 1, "negative": 0}.get(uncertain)}
    value = counted[labels[outcome]] if outcome in labels else None
    return None if value is None else outcome_classes(outcome)[1 - value]


def outcome_classes(outcome: str) -> tuple[str, str]:
    return outcome, f"no {outcome}"


def _left_open(name: str, silent: int, unsure: int) -> list[Skipped]:
    skipped = []
    if silent:
        reason = (
            f"For {silent:,} image{'' if silent == 1 else 's'} the table does not say whether it is there; left out."
        )
        skipped.append(Skipped(name, reason, "Fill in 1 or 0 in this column, or pick another finding."))
    if unsure:
        reason = f"For {unsure:,} image{'' if unsure == 1 else 's'} the table says uncertain (-1); left out."
        skipped.append(Skipped(name, reason, "Uncertain can also be counted as present or as absent."))
    return skipped
