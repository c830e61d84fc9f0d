"""A draft: what was decided about single cases and is not yet a version, so that a closed tab loses nothing.

cohorts/<id>/draft.jsonl is a diary: a line a decision, each one write at the end of the file, and taking back is a line
of its own. It knows case ids and words; whether a class exists is asked when the draft is made into a version.
"""

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

from medtl.errors import BadInput, NotFound
from medtl.workspace import Workspace

FILE = "draft.jsonl"
LONGEST = 500  # characters of a value; a line stays far below what one write may tear

Action = Literal["label", "leave-out", "put-back", "patient", "seen"]


@dataclass(frozen=True)
class Draft:
    """What stands after all lines: case -> class, cases to leave out, case -> patient, cases looked at.

    `last` is the case of the last decision that still stands, and `steps` how many there are: what undo takes back.
    """

    relabel: Mapping[str, str] = field(default_factory=dict)
    exclude: frozenset[str] = frozenset()
    patients: Mapping[str, str] = field(default_factory=dict)
    seen: frozenset[str] = frozenset()
    last: str | None = None
    steps: int = 0

    @property
    def touched(self) -> frozenset[str]:
        """Cases a new version would change."""
        return frozenset((*self.relabel, *self.exclude, *self.patients))


def add(ws: Workspace, cohort: str, case: str, action: Action, value: str = "") -> None:
    """One decision, on disk when this returns. Any decision also says that the case was looked at."""
    if action not in get_args(Action):
        raise BadInput(f"There is no decision called '{action}'.", f"Known: {', '.join(get_args(Action))}.")
    if len(value) > LONGEST:
        raise BadInput(f"The text has {len(value)} characters; at most {LONGEST} are taken.", "Shorten it.")
    _append(ws, cohort, {"case": case, "do": action, "value": value})


def undo(ws: Workspace, cohort: str) -> str | None:
    """Take the last decision back; the case it was about, or None when there is none left."""
    last = read(ws, cohort).last
    if last is not None:
        _append(ws, cohort, {"do": "undo"})
    return last


def read(ws: Workspace, cohort: str) -> Draft:
    """What stands now. A line that was torn by a crash is passed over: it is one decision, and never another one."""
    return _told(_standing(ws, cohort))


def clear(ws: Workspace, cohort: str) -> None:
    """Forget the draft: it was made into a version, or thrown away."""
    _file(ws, cohort).unlink(missing_ok=True)


def keep_seen(ws: Workspace, cohort: str, cases: Iterable[str]) -> None:
    """Forget all of the draft but that these cases were looked at."""
    clear(ws, cohort)
    if seen := [{"case": case, "do": "seen", "value": ""} for case in sorted(cases)]:
        _append(ws, cohort, *seen)


def carry(ws: Workspace, old: str, new: str, *, only_seen: bool = False) -> None:
    """Take the draft along to another version of the cohort, unless that one has its own. The old one keeps it.

    `only_seen`: the decisions went into the new version; which cases were looked at is still worth knowing.
    """
    draft = read(ws, old)
    if not draft.steps or read(ws, new).steps:
        return
    kept = (
        [{"case": case, "do": "seen", "value": ""} for case in sorted(draft.seen)] if only_seen else _standing(ws, old)
    )
    _append(ws, new, *kept)


def _told(standing: list[dict[str, str]]) -> Draft:
    relabel: dict[str, str] = {}
    patients: dict[str, str] = {}
    exclude: set[str] = set()
    seen: set[str] = set()
    for line in standing:
        case = line["case"]
        seen.add(case)
        if line["do"] == "label":
            relabel[case] = line["value"]
            exclude.discard(case)
        elif line["do"] == "patient":
            patients[case] = line["value"]
        elif line["do"] == "leave-out":
            exclude.add(case)
        elif line["do"] == "put-back":
            exclude.discard(case)
    last = standing[-1]["case"] if standing else None
    return Draft(relabel, frozenset(exclude), patients, frozenset(seen), last, len(standing))


def _standing(ws: Workspace, cohort: str) -> list[dict[str, str]]:
    """Decisions in order, without those taken back."""
    standing: list[dict[str, str]] = []
    for line in _lines(ws, cohort):
        if line["do"] != "undo":
            standing.append(line)
        elif standing:
            standing.pop()
    return standing


def _lines(ws: Workspace, cohort: str) -> list[dict[str, str]]:
    try:
        text = _file(ws, cohort).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return []
    found: list[dict[str, str]] = []
    for line in text.split("\n"):
        with suppress(ValueError):
            told: Any = json.loads(line) if line else None
            if _whole(told):
                found.append(told)
    return found


def _whole(told: Any) -> bool:
    if not isinstance(told, dict):
        return False
    if told.get("do") == "undo":
        return True
    return told.get("do") in get_args(Action) and all(isinstance(told.get(key), str) for key in ("case", "value"))


def _append(ws: Workspace, cohort: str, *lines: Mapping[str, str]) -> None:
    """The line break stands before the line, so that a line torn by a crash spoils no other."""
    at = datetime.now(UTC).isoformat(timespec="seconds")
    text = "".join("\n" + json.dumps({"at": at, **line}, ensure_ascii=False) for line in lines)
    try:
        handle = os.open(_file(ws, cohort), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    except FileNotFoundError as error:
        raise NotFound("There is no such cohort.", "Pick one from the Library.") from error
    try:
        os.write(handle, text.encode())
    finally:
        os.close(handle)


def _file(ws: Workspace, cohort: str) -> Path:
    return ws.cohort(cohort) / FILE
