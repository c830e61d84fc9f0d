"""Which file has which label, part and patient: from class folders, or from a table (CSV).

It reads names and tables only, never an image. Faults of a table are named by row and never stop the rest.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from medtl.cohorts import limits
from medtl.cohorts.archive import Entry
from medtl.cohorts.images import KIND_OF_SUFFIX, KNOWN
from medtl.cohorts.names import part_named, path_key, shown, suffix
from medtl.errors import BadInput
from medtl.vocabulary import Skipped

COLUMNS = {
    "file": ("file", "filename", "filepath", "path", "image", "imagename", "imagefile", "imagepath", "imageid", "img"),
    "label": ("label", "class", "classname", "diagnosis", "target", "category", "groundtruth", "dx", "labels"),
    "patient": ("patient", "patientid", "patientcode", "subject", "subjectid", "person", "personid", "pid", "caseid"),
    "part": ("part", "split", "set", "subset", "partition", "fold"),
}
MISSING = {"", "nan", "null", "?", "#n/a"}
DOCUMENTS = {
    *(".txt", ".md", ".rst", ".csv", ".tsv", ".json", ".jsonl", ".xml", ".html", ".htm", ".yaml", ".yml", ".toml"),
    *(".pdf", ".doc", ".docx", ".xls", ".xlsx", ".ods", ".odt", ".ppt", ".pptx", ".py", ".ipynb", ".log", ".ini"),
    *(".zip", ".gz", ".tar", ".7z", ".rar", ".npz", ".npy", ".mp4", ".avi", ".mov", ".db"),
}


@dataclass(frozen=True)
class Labelled:
    """A file that is to become a case. `part` and `patient` only where the user said so."""

    entry: Entry
    label: str
    patient: str | None = None
    part: str = ""


@dataclass(frozen=True)
class Row:
    number: int  # as a spreadsheet counts, the header is row 1
    file: str
    label: str
    patient: str
    part: str


@dataclass(frozen=True)
class Table:
    title: str
    rows: tuple[Row, ...]
    faults: tuple[Skipped, ...]
    has_patients: bool = False


Answer = tuple[list[Labelled], list[Skipped]]


def class_name(text: str) -> str:
    return shown(text, limits.CLASS_NAME)


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
    if end not in DOCUMENTS:
        return None
    return Skipped(shown(entry.name), f"This is not an image we read ({end}).", f"We read {KNOWN}.")


def _skip(entry: Entry, reason: str) -> Skipped:
    return Skipped(shown(entry.name), reason, "Put it into the folder of its class, or leave it out.")


# ---- tables ---------------------------------------------------------------------------------------------------------


def read_table(data: bytes, title: str, needs: Sequence[str] = ("file", "label")) -> Table:
    """A CSV as people make them: comma, semicolon or tab; UTF-8, UTF-16 or Latin-1; any order of columns."""
    text = _text(data).replace("\0", "")
    lines = _lines(text, title)
    header = next(lines, (0, []))[1]
    columns = _columns(header, title, needs)
    rows: list[Row] = []
    faults: list[Skipped] = []
    for number, cells in lines:
        if number > limits.TABLE_ROWS + 1:
            raise BadInput(f"{title} has more than {limits.TABLE_ROWS:,} rows.", "Keep the rows of your images only.")
        if not any(cell.strip() for cell in cells):
            continue
        row = Row(number, *(_cell(cells, columns.get(word)) for word in ("file", "label", "patient", "part")))
        fault = _row_fault(row, cells, columns, needs)
        if fault:
            faults.append(Skipped(f"{title}, row {number}", fault, "Correct the row and add the cohort again."))
        else:
            rows.append(row)
    return Table(title, tuple(rows), tuple(faults), has_patients="patient" in columns)


def from_table(entries: Sequence[Entry], table: Table) -> Answer:
    """Rows meet files by path, else by file name, else by file name without its ending, if that is unambiguous."""
    find = _finder(entries)
    chosen: dict[str, tuple[Row, Labelled]] = {}
    contradicted: set[str] = set()
    skipped = list(table.faults)
    for row in table.rows:
        entry, why = find(row.file)
        label = class_name(row.label)
        if entry is None:
            skipped.append(_row_skip(table, row, why))
        elif entry.name in chosen and chosen[entry.name][1].label != label:
            first = chosen[entry.name][0].number
            contradicted.add(entry.name)
            skipped.append(_row_skip(table, row, f"It names the same file as row {first}, with another label."))
        elif entry.name not in chosen:
            patient = None if row.patient.casefold() in MISSING else shown(row.patient, 200)
            part = part_named(row.part) or (part_named(entry.name.split("/")[0]) if "/" in entry.name else "")
            chosen[entry.name] = (row, Labelled(entry, label, patient, part))
    labelled = [item for name, (_, item) in chosen.items() if name not in contradicted]
    known = {item.entry.name for item in labelled}
    for entry in entries:
        if entry.name not in known:
            contradiction = "The labels file gives it two labels." if entry.name in contradicted else ""
            reason = contradiction or "The labels file does not name it."
            skipped.append(_document(entry) or Skipped(shown(entry.name), reason, "Give it one row, or leave it out."))
    return labelled, _shortened(skipped, table)


def with_parts(labelled: Sequence[Labelled], table: Table) -> Answer:
    """The parts of a split file (columns file and part) laid over labels found elsewhere."""
    find = _finder([item.entry for item in labelled])
    parts: dict[str, str] = {}
    skipped = list(table.faults)
    for row in table.rows:
        entry, why = find(row.file)
        if entry is None:
            skipped.append(_row_skip(table, row, why))
        else:
            parts[entry.name] = part_named(row.part)
    return [replace(item, part=parts.get(item.entry.name, "")) for item in labelled], _shortened(skipped, table)


def _text(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def _lines(text: str, title: str) -> Iterator[tuple[int, list[str]]]:
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(",;\t|", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    number = 0
    try:
        for number, cells in enumerate(reader, start=1):
            yield number, cells
    except csv.Error as error:
        raise BadInput(f"{title} cannot be read after row {number}.", "Save it again as CSV (UTF-8).") from error


def _columns(header: list[str], title: str, needs: Sequence[str]) -> dict[str, int]:
    words = [re.sub(r"[^a-z0-9]", "", cell.casefold()) for cell in header]
    columns: dict[str, int] = {}
    for column, names in COLUMNS.items():
        best = min((names.index(word) for word in words if word in names), default=None)
        if best is not None:
            columns[column] = words.index(names[best])
    missing = [column for column in needs if column not in columns]
    if missing:
        got = ", ".join(shown(cell, 40) or "(empty)" for cell in header[:12]) or "nothing"
        raise BadInput(
            f"{title} has the columns {got}; we need {' and '.join(needs)}.",
            f"Name the column{'s' if len(missing) > 1 else ''} {' and '.join(missing)} in the first row.",
        )
    return columns


def _cell(cells: list[str], at: int | None) -> str:
    return cells[at].strip() if at is not None and at < len(cells) else ""


def _row_fault(row: Row, cells: list[str], columns: dict[str, int], needs: Sequence[str]) -> str:
    if max(columns[word] for word in needs) >= len(cells):
        return f"The row has {len(cells)} cell{'' if len(cells) == 1 else 's'}, fewer than the header says."
    if not row.file:
        return "The row names no file."
    if "label" in needs and (row.label.casefold() in MISSING or not class_name(row.label)):
        return "The row has no label."
    if "part" in needs and not part_named(row.part):
        return f"The row names the part '{shown(row.part, 40)}'; we know train, tune and test."
    return ""


def _row_skip(table: Table, row: Row, reason: str) -> Skipped:
    return Skipped(f"{table.title}, row {row.number}", reason, "Correct the row and add the cohort again.")


def _shortened(skipped: list[Skipped], table: Table) -> list[Skipped]:
    if len(skipped) <= limits.LISTED:
        return skipped
    rest = len(skipped) - limits.LISTED
    more = Skipped(table.title, f"There are {rest:,} more faults like these.", "Correct these first.")
    return [*skipped[: limits.LISTED], more]


def _finder(entries: Sequence[Entry]) -> Callable[[str], tuple[Entry | None, str]]:
    by_path = {entry.name: entry for entry in entries}
    images = [entry for entry in entries if suffix(entry.name) in KIND_OF_SUFFIX or not suffix(entry.name)]
    by_last: dict[str, Entry] = {entry.name.rsplit("/", 1)[-1]: entry for entry in images}
    last_count = Counter(entry.name.rsplit("/", 1)[-1] for entry in images)
    by_stem = {_stem(entry.name): entry for entry in images}
    stem_count = Counter(_stem(entry.name) for entry in images)

    def find(text: str) -> tuple[Entry | None, str]:
        key = path_key(text)
        last = key.rsplit("/", 1)[-1]
        if key in by_path:
            return by_path[key], ""
        if last_count[last] == 1:
            return by_last[last], ""
        if stem_count[last] == 1:
            return by_stem[last], ""
        if last_count[last] > 1 or stem_count[last] > 1:
            return None, f"More than one file is called '{shown(last, 100)}'; give its folder too."
        return None, f"There is no file '{shown(key, 100)}'."

    return find


def _stem(name: str) -> str:
    last = name.rsplit("/", 1)[-1]
    return last[: len(last) - len(suffix(last))]
