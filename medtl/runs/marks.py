"""What clinicians answer to a map: the region that matters in a case, and "it looked at the wrong thing".

One line of marks.jsonl in the run's folder for each answer, never overwritten; the latest of a case and class counts.
Knows no picture and no map.
"""

import json
import math
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

from medtl.errors import BadInput

FILE = "marks.jsonl"
MOST_POINTS = 500
MOST_REGIONS = 50
MOST_WORDS = 1000

Point = tuple[float, float]  # (x, y) as shares of the picture's width and height, 0 to 1
Said = Literal["", "right", "wrong"]  # whether it looked at the right thing; "": nothing said


@dataclass(frozen=True)
class Mark:
    """`regions` are outlines of what matters in the picture for `label`, each at least three points; a box has four.
    `withdrawn`: the answer was taken back."""

    case: str
    label: str
    regions: tuple[tuple[Point, ...], ...] = ()
    said: Said = ""
    words: str = ""
    who: str = ""
    at: str = ""
    withdrawn: bool = False


def box(left: float, top: float, right: float, bottom: float) -> tuple[Point, ...]:
    """The outline of a rectangle."""
    return ((left, top), (right, top), (right, bottom), (left, bottom))


def add(folder: Path, mark: Mark) -> Mark:
    """Append an answer, with the time; a line is written whole or not at all."""
    _check(mark)
    said = asdict(mark) | {"at": mark.at or datetime.now(UTC).isoformat(timespec="seconds")}
    line = json.dumps(said, ensure_ascii=False) + "\n"
    handle = os.open(folder / FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(handle, line.encode())
        os.fsync(handle)
    finally:
        os.close(handle)
    return _mark(said)


def withdraw(folder: Path, case: str, label: str, who: str = "") -> None:
    """Take the answer to a case back; what was said stays on record."""
    add(folder, Mark(case, label, who=who, withdrawn=True))


def history(folder: Path) -> tuple[Mark, ...]:
    """Every answer ever given, oldest first; a line that was cut off by a crash is passed over."""
    try:
        lines = (folder / FILE).read_text("utf-8").splitlines()
    except FileNotFoundError:
        return ()
    found = []
    for line in lines:
        try:
            mark = _mark(json.loads(line))
            _check(mark)
        except (ValueError, KeyError, TypeError, AttributeError, BadInput):
            continue
        found.append(mark)
    return tuple(found)


def load(folder: Path) -> tuple[Mark, ...]:
    """What counts now: the latest answer of each case and class, in the order they were first given."""
    latest = {(mark.case, mark.label): mark for mark in history(folder)}
    return tuple(mark for mark in latest.values() if not mark.withdrawn)


def wrong(folder: Path) -> tuple[str, ...]:
    """The cases in which it looked at the wrong thing, each once: a list that a next run can use."""
    return tuple(dict.fromkeys(mark.case for mark in load(folder) if mark.said == "wrong"))


def _check(mark: Mark) -> None:
    if not mark.case or not mark.label:
        raise BadInput("An answer needs a case and a class.", "Say which map it is about.")
    if mark.said not in get_args(Said):
        raise BadInput(f"'{mark.said}' is not an answer.", "Say right or wrong, or leave it out.")
    if len(mark.regions) > MOST_REGIONS or len(mark.words) > MOST_WORDS:
        raise BadInput("This answer is too long.", f"Draw at most {MOST_REGIONS} regions and write less.")
    for region in mark.regions:
        _check_region(region)


def _check_region(region: Sequence[Point]) -> None:
    if not 3 <= len(region) <= MOST_POINTS:
        raise BadInput(f"A region of {len(region)} points cannot be used.", f"Draw 3 to {MOST_POINTS} points.")
    if not all(len(point) == 2 and all(math.isfinite(v) and 0 <= v <= 1 for v in point) for point in region):
        raise BadInput("A region lies outside the picture.", "Draw it within the picture.")


def _mark(said: dict[str, object]) -> Mark:
    regions = tuple(tuple((float(x), float(y)) for x, y in region) for region in said.get("regions") or ())  # type: ignore[attr-defined]
    return Mark(
        str(said["case"]), str(said["label"]), regions, str(said.get("said") or ""),  # type: ignore[arg-type]
        str(said.get("words") or ""), str(said.get("who") or ""), str(said.get("at") or ""),
        bool(said.get("withdrawn")),
    )  # fmt: skip
