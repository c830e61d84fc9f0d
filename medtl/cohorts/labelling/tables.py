"""Reads a table (CSV) of labels: which rows are of use, and what kind of question it asks.

It knows no files and opens no image; faults are named by row and never stop the rest. It keeps cells that say who
somebody is (patient, date, site) as they are, for others to code: nothing here is stored or shown. A table of a million
rows is read in one or two passes; of each row only the cells that are of use stay in memory.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from medtl.cohorts import limits
from medtl.cohorts.labelling import columns as columning
from medtl.cohorts.labelling import delimited, grades
from medtl.cohorts.labelling.columns import ANSWERS, Columns, class_name
from medtl.cohorts.labelling.facts import MISSING, facts_of
from medtl.cohorts.names import part_named
from medtl.errors import BadInput
from medtl.vocabulary import Skipped, Task

FEWEST_GRADES = 3
CORRECT = "Correct the row and add the cohort again."


class Row(NamedTuple):
    """`number` counts as a spreadsheet does: the header is row 1. `values` answer the table's `classes` in order (None:
    nobody said); `cells` are those of the columns about the case. A tuple, as there may be a million."""

    number: int
    file: str
    label: str
    patient: str
    part: str
    values: tuple[int | None, ...] = ()
    cells: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    about: tuple[str, ...] = ()

    @property
    def labels(self) -> dict[str, int]:
        """Finding -> 1 present, 0 absent, -1 uncertain; not named when the cell is empty."""
        return {name: value for name, value in zip(self.classes, self.values, strict=True) if value is not None}

    @property
    def facts(self) -> dict[str, Any]:
        """What is known besides: age, sex, site, scanner, view, side, modality, and the raw date under "date"."""
        return facts_of(zip(self.about, self.cells, strict=True))


@dataclass(frozen=True)
class Table:
    """`classes`: the findings of a multi-label table in column order, the grades of an ordinal one from low to high,
    else empty. `by_patient` has the rows of a table that names patients and no files. `ignored` are columns that were
    not used, `says` what a person should know of how the table was understood. `more_faults` counts those not listed.
    """

    title: str
    rows: tuple[Row, ...]
    faults: tuple[Skipped, ...] = ()
    more_faults: int = 0
    has_patients: bool = False
    task: Task = "single-label"
    classes: tuple[str, ...] = ()
    by_patient: Mapping[str, Row] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    says: tuple[str, ...] = ()


class Faults:
    """What was left out of one table, a thousand listed one by one and the rest counted."""

    def __init__(self, title: str, listed: Sequence[Skipped] = (), more: int = 0) -> None:
        self.title, self.listed, self.more = title, list(listed), more

    def row(self, number: int, reason: str) -> None:
        self.add(Skipped(f"{self.title}, row {number}", reason, CORRECT))

    def add(self, skipped: Skipped) -> None:
        if len(self.listed) < limits.LISTED:
            self.listed.append(skipped)
        else:
            self.more += 1

    def told(self) -> list[Skipped]:
        if not self.more:
            return self.listed
        rest = Skipped(self.title, f"There are {self.more:,} more faults like these.", "Correct these first.")
        return [*self.listed, rest]


def read_table(data: bytes, title: str, needs: Sequence[str] = ("file", "label"), *, task: Task | None = None) -> Table:
    """A CSV as people make them: comma, semicolon or tab; UTF-8, UTF-16 or Latin-1; any order of columns.

    With a label column the table has one label a row; without, the columns of 1, 0 and -1 are findings that may be
    there together (as in CheXpert, arXiv:1901.07031), or one label written as columns when every row has a single 1
    (as in ISIC). Grades are put in order when the column is called so, or when `task` asks for "ordinal".
    """
    delimited.refuse_other_files(data, title)
    header_at, header = next(delimited.lines(data, title), (1, []))
    columns = columning.columns_of(header)
    if "label" in needs and "label" not in columns.at:
        columns = columning.with_answers(columns, header, delimited.lines(data, title), header_at)
    columning.check(columns, header, title, needs)
    faults = Faults(title)
    rows = list(_rows(data, title, header_at, columns, needs, faults))
    table = Table(title, (), has_patients="patient" in columns.at, ignored=columns.ignored)
    table, rows = _understood(table, rows, columns, task)
    if "file" not in columns.at:
        return replace(table, by_patient=_by_patient(rows, faults), **_left_out(faults))
    return replace(table, rows=tuple(rows), **_left_out(faults))


# ---- rows -----------------------------------------------------------------------------------------------------------


def _rows(
    data: bytes, title: str, header_at: int, columns: Columns, needs: Sequence[str], faults: Faults
) -> Iterator[Row]:
    needed = [columns.at[word] for word in needs if word in columns.at]
    needed += [columns.at["patient"]] if "file" not in columns.at else []
    classes, about = (tuple(name for name, _ in pairs) for pairs in (columns.answers, columns.about))
    at = [columns.at.get(word, -1) for word in ("file", "label", "patient", "part")]
    same: dict[Any, Any] = {}  # equal cells and answers are kept once
    named: dict[str, str] = {}
    for number, cells in delimited.lines(data, title):
        if number <= header_at:
            continue
        file, label, patient, part = [_cell(cells, n) for n in at]
        if label not in named:
            named[label] = class_name(label)
        values = tuple([ANSWERS.get(_cell(cells, n).casefold()) for _, n in columns.answers])
        said = tuple([_cell(cells, n)[:100] for _, n in columns.about])
        row = Row(
            number,
            file,
            named[label],
            "" if patient.casefold() in MISSING else patient,
            same.setdefault(part, part),
            same.setdefault(values, values),
            same.setdefault(said, said),
            classes,
            about,
        )
        if fault := _fault(row, len(cells), needed, needs, columns):
            faults.row(number, fault)
        else:
            yield row


def _cell(cells: Sequence[str], at: int) -> str:
    return cells[at].strip() if 0 <= at < len(cells) else ""


def _fault(row: Row, width: int, needed: Collection[int], needs: Sequence[str], columns: Columns) -> str:
    if max(needed) >= width:
        return f"The row has {width} cell{'' if width == 1 else 's'}, fewer than the header says."
    if "file" in columns.at and not row.file:
        return "The row names no file."
    if "file" not in columns.at and not row.patient:
        return "The row names no patient."
    if columns.answers:
        return "" if any(value is not None for value in row.values) else "The row says nothing about any finding."
    if "label" in needs and row.label.casefold() in MISSING:
        return "The row has no label."
    if "part" in needs and not part_named(row.part):
        return "The row names a part that we do not know; we know train, tune and test."
    return ""


def _by_patient(rows: Sequence[Row], faults: Faults) -> dict[str, Row]:
    found: dict[str, Row] = {}
    contradicted: set[str] = set()
    for row in rows:
        first = found.setdefault(row.patient, row)
        if (first.label, first.values) != (row.label, row.values):
            contradicted.add(row.patient)
            faults.row(row.number, f"It names the same patient as row {first.number}, with another label.")
    return {patient: row for patient, row in found.items() if patient not in contradicted}


def _left_out(faults: Faults) -> dict[str, Any]:
    return {"faults": tuple(faults.listed), "more_faults": faults.more}


# ---- what the table asks --------------------------------------------------------------------------------------------


def _understood(table: Table, rows: list[Row], columns: Columns, task: Task | None) -> tuple[Table, list[Row]]:
    if columns.answers:
        return _by_columns(table, rows, columns, task)
    if task in (None, "multi-label") and "label" in columns.at and any("|" in row.label for row in rows):
        return _by_list(table, rows)
    if task == "multi-label":
        raise BadInput(
            f"{table.title} gives one label for each image.",
            "For several findings give a column for each, with 1 for present and 0 for absent.",
        )
    if task == "ordinal" or (task is None and columns.graded):
        return _by_grade(table, rows, asked=task == "ordinal")
    return table, rows


def _by_columns(table: Table, rows: list[Row], columns: Columns, task: Task | None) -> tuple[Table, list[Row]]:
    names = tuple(name for name, _ in columns.answers)
    if len(names) == 1:
        return _yes_or_no(table, rows, names[0])
    if task != "multi-label" and rows and all(row.values.count(1) == 1 and -1 not in row.values for row in rows):
        says = f"Every row has a 1 in exactly one of the {len(names)} columns, so each image has one label."
        rows = [row._replace(label=names[row.values.index(1)]) for row in rows]
        return replace(table, says=(*table.says, says)), _single(rows)
    says = f"Each of {len(names)} columns says whether one finding is there; an image may have several or none."
    return replace(table, task="multi-label", classes=names, says=(*table.says, says)), rows


def _yes_or_no(table: Table, rows: list[Row], name: str) -> tuple[Table, list[Row]]:
    sure = [row._replace(label=name if row.values[0] == 1 else f"no {name}") for row in rows if row.values[0] != -1]
    says = f"The column {name} says yes or no, so the classes are '{name}' and 'no {name}'."
    if len(sure) < len(rows):
        says += f" {len(rows) - len(sure):,} rows say uncertain (-1) and were left out."
    return replace(table, says=(*table.says, says)), _single(sure)


def _single(rows: list[Row]) -> list[Row]:
    return [row._replace(values=(), classes=()) for row in rows]


def _by_list(table: Table, rows: list[Row]) -> tuple[Table, list[Row]]:
    """`Mass|Nodule`, as in ChestX-ray14 (arXiv:1705.02315): what is not named is absent."""
    cells = {row.label: tuple(filter(None, (class_name(piece) for piece in row.label.split("|")))) for row in rows}
    names = tuple(sorted({name for found in cells.values() for name in found}, key=str.casefold))
    if len(names) > limits.CLASSES:
        raise BadInput(
            f"{table.title} names {len(names):,} findings; at most {limits.CLASSES} are taken.",
            "Keep the findings that you want to learn.",
        )
    values = {cell: tuple(int(name in found) for name in names) for cell, found in cells.items()}
    rows = [row._replace(label="", values=values[row.label], classes=names) for row in rows]
    says = "Some rows name several findings (parted by |); what a row does not name is taken as absent."
    return replace(table, task="multi-label", classes=names, says=(*table.says, says)), rows


def _by_grade(table: Table, rows: list[Row], asked: bool) -> tuple[Table, list[Row]]:
    spelled: dict[str, str] = {}
    for row in rows:
        spelled.setdefault(grades.plain(row.label).casefold(), grades.plain(row.label))
    order = grades.in_order(spelled.values()) if len(spelled) <= limits.CLASSES else None
    if order is None and asked:
        raise BadInput(
            f"The labels in {table.title} cannot be put in order.",
            "Write the grades as numbers, for example 0, 1, 2, 3.",
        )
    if order is None or (len(order) < FEWEST_GRADES and not asked):
        return table, rows
    says = f"The labels are grades, from {order[0]} to {order[-1]}."
    rows = [row._replace(label=spelled[grades.plain(row.label).casefold()]) for row in rows]
    return replace(table, task="ordinal", classes=order, says=(*table.says, says)), rows
