"""Which column of a table is what, from its header and, for columns of answers, from what stands below it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from medtl.cohorts import limits
from medtl.cohorts.labelling.facts import MISSING
from medtl.cohorts.names import shown
from medtl.errors import BadInput

COLUMNS = {
    "file": (
        *("file", "filename", "filepath", "path", "image", "imagename", "imagefile", "imagepath", "imageid"),
        *("imageindex", "img", "imgname", "imgpath", "dicom", "dicompath", "seriesfolder", "folder", "directory"),
    ),
    "label": (
        *("label", "class", "classname", "diagnosis", "target", "category", "groundtruth", "dx", "labels"),
        *("findinglabels", "findinglabel"),
    ),
    "patient": ("patient", "patientid", "patientcode", "subject", "subjectid", "person", "personid", "pid", "caseid"),
    "part": ("part", "split", "set", "subset", "partition", "fold"),
}
GRADES = (  # a label under such a name is a step of a scale
    *("grade", "grading", "stage", "score", "severity", "level", "birads", "pirads", "lirads", "tirads", "kl"),
    *("klgrade", "drlevel", "drgrade", "isup", "isupgrade", "gleason", "retinopathygrade", "diagnosisgrade"),
)
ABOUT = {  # fact -> names of its column; two columns of one fact ("AP/PA", "Frontal/Lateral") are put together
    "age": ("age", "patientage", "ageyears", "ageinyears", "ageapprox", "ageatexam", "ageatstudy", "ageatscan"),
    "sex": ("sex", "gender", "patientsex", "patientgender"),
    "site": ("site", "hospital", "center", "centre", "institution", "clinic"),
    "scanner": ("scanner", "device", "machine", "vendor", "manufacturer", "model", "scannermodel", "devicemodel"),
    "date": ("date", "studydate", "acquisitiondate", "examdate", "examinationdate", "scandate", "imagedate"),
    "view": ("view", "viewposition", "projection", "frontallateral", "appa"),
    "side": ("side", "laterality", "imagelaterality"),
    "modality": ("modality",),
}
ANSWERS = {
    **dict.fromkeys(("1", "1.0", "1,0", "true", "yes"), 1),
    **dict.fromkeys(("0", "0.0", "0,0", "false", "no"), 0),
    **dict.fromkeys(("-1", "-1.0", "-1,0"), -1),
}
NUMBERED = re.compile(r"(unnamed[: _]*\d*|index|row|no|nr|id|#)?", re.IGNORECASE)  # a row counter is no finding


@dataclass(frozen=True)
class Columns:
    """Where what stands in the header. `answers` are the columns that each say whether one finding is there."""

    at: Mapping[str, int] = field(default_factory=dict)  # file, label, patient, part -> column
    about: tuple[tuple[str, int], ...] = ()  # (fact, column)
    answers: tuple[tuple[str, int], ...] = ()  # (finding, column)
    graded: bool = False
    ignored: tuple[str, ...] = ()


def class_name(text: str) -> str:
    return shown(text, limits.CLASS_NAME)


def columns_of(header: Sequence[str]) -> Columns:
    words = [re.sub(r"[^a-z0-9]", "", cell.casefold()) for cell in header]
    at = {column: _place(words, names) for column, names in COLUMNS.items()}
    graded = at["label"] < 0
    if graded:
        at["label"] = _place(words, GRADES)
    at = {column: place for column, place in at.items() if place >= 0}
    used = set(at.values())
    about = [(fact, n) for fact, names in ABOUT.items() for n, word in enumerate(words) if word in names]
    about = [(fact, n) for fact, n in about if n not in used]
    used |= {n for _, n in about}
    ignored = tuple(shown(cell, 60) for n, cell in enumerate(header) if n not in used and cell.strip())
    return Columns(at, tuple(about), graded=graded and "label" in at, ignored=ignored)


def _place(words: Sequence[str], names: Sequence[str]) -> int:
    """The column whose name stands first in `names`; -1 when there is none."""
    best = min((names.index(word) for word in words if word in names), default=None)
    return -1 if best is None else words.index(names[best])


def with_answers(
    columns: Columns, header: Sequence[str], lines: Iterator[tuple[int, list[str]]], header_at: int
) -> Columns:
    """Columns of nothing but 1, 0, -1 and gaps. A single one counts only when no other column could be the label."""
    used = {*columns.at.values(), *(n for _, n in columns.about)}
    names = {n: class_name(cell) for n, cell in enumerate(header) if n not in used and class_name(cell)}
    open_ = {n for n, name in names.items() if not NUMBERED.fullmatch(name)}
    answered: set[int] = set()
    kinds: dict[str, bool | None] = {}  # cell -> an answer, a gap, or neither, which ends the looking at its column
    for number, cells in lines:
        if number <= header_at:
            continue
        for n in tuple(open_):
            cell = cells[n] if n < len(cells) else ""
            if cell not in kinds:
                word = cell.strip().casefold()
                kinds[cell] = word in ANSWERS if word in ANSWERS or word in MISSING else None
            if kinds[cell]:
                answered.add(n)
            elif kinds[cell] is None:
                open_.discard(n)
    found = sorted(open_ & answered)
    if len({names[n] for n in found}) < len(found) or len(found) > limits.CLASSES:
        found = []
    if len(found) == 1 and len(names) > 1:
        found = []
    ignored = tuple(shown(header[n], 60) for n in names if n not in found)
    return replace(columns, answers=tuple((names[n], n) for n in found), ignored=ignored)


def check(columns: Columns, header: Sequence[str], title: str, needs: Sequence[str]) -> None:
    missing = [column for column in needs if column not in columns.at]
    if columns.answers and "label" in missing:
        missing.remove("label")
    if missing == ["file"] and "patient" in columns.at and "label" in needs:
        missing = []
    if missing:
        got = ", ".join(shown(cell, 40) or "(empty)" for cell in header[:12]) or "nothing"
        got += f" and {len(header) - 12} more" if len(header) > 12 else ""
        advice = f"Name the column{'s' if len(missing) > 1 else ''} {' and '.join(missing)} in the first row."
        if "label" in missing:
            advice += " Several findings can stand in a column each, with 1 for present and 0 for absent."
        raise BadInput(f"{title} has the columns {got}; we need {' and '.join(needs)}.", advice)
