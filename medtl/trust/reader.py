"""A reader study on the test part of a run: some cases read blind, then, if wished, again with what the model said.

A diary in the run's folder, reader.jsonl: a line a step, each one write at the end of the file, so that a reader may
leave at any moment. Several readers share it, told apart by the initials they typed. It shows nothing and judges
nothing, and nobody is told a label before the reading is over.

A reading is of one question: of several findings of one of them. The same number of cases from the same run is the same
sample for every reader; the order is each reader's own.
"""

import hashlib
import json
import os
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np

from medtl.cohorts.names import shown
from medtl.cohorts.readings import sample
from medtl.errors import BadInput, NotFound
from medtl.vocabulary import Cohort

FILE = "reader.jsonl"
UNSURE = ""  # an answer too: this reader cannot tell
CODE = 12  # characters; room for initials, none for a full name
SEED = 0
LONGEST = 600.0  # seconds; who takes longer has been called away
Pass = Literal[1, 2]  # blind, then with what the model said


@dataclass(frozen=True)
class Said:
    """An answer: a class or UNSURE, and how long it took."""

    label: str
    seconds: float

    @property
    def counted(self) -> float:
        """Seconds; a pause counts as at most ten minutes."""
        return min(self.seconds, LONGEST)


@dataclass(frozen=True)
class Reading:
    """What stands. `classes` are the answers to choose from. `second` says that the second pass was begun, `over` that
    nothing can be added and the result may be shown. `peeked`: test cases were opened while it was to be blind."""

    reader: str
    finding: str | None
    classes: tuple[str, ...]
    cases: tuple[str, ...]
    blind: Mapping[str, Said] = field(default_factory=dict)
    aided: Mapping[str, Said] = field(default_factory=dict)
    second: bool = False
    over: bool = False
    peeked: bool = False

    @property
    def blind_still(self) -> bool:
        """Whether a look at the labels of the test part would spoil it."""
        return not self.over and not self.second

    @property
    def now(self) -> Pass:
        return 2 if self.second else 1

    def said(self, which: Pass) -> Mapping[str, Said]:
        return self.aided if which == 2 else self.blind

    @property
    def order(self) -> tuple[str, ...]:
        """The cases of the pass at hand in this reader's order; the second time only those read the first time."""
        kept = [case for case in self.cases if not self.second or case in self.blind]
        return shuffled(kept, f"{_key(self.reader)}:{self.now}")

    @property
    def next(self) -> str | None:
        """The case to read now; None at the end of a pass."""
        return next((case for case in self.order if case not in self.said(self.now)), None)

    @property
    def done(self) -> int:
        return sum(case in self.said(self.now) for case in self.order)


# ---- choosing -------------------------------------------------------------------------------------------------------


def draw(cohort: Cohort, tested: Sequence[str], number: int | None, stratified: bool, seed: int = SEED) -> list[str]:
    """Case ids of the test part: all, or `number` of them, `stratified` in proportion to the labels. `cohort` is of one
    label a case (of several findings the view of one)."""
    known, wanted = {case.id: case for case in cohort.cases}, set(tested)
    here = [id for id in known if id in wanted and known[id].label in cohort.classes]
    if not here:
        raise BadInput("No image of the test part is here.", "Bring the cohort of this run back.")
    if number is None or number >= len(here):
        return sorted(here)
    if number < 1:
        raise BadInput(f"{number} cases cannot be read.", "Choose at least one.")
    if stratified:
        return sorted(sample(replace(cohort, cases=tuple(known[id] for id in here)), number, seed))
    return sorted(np.random.default_rng(seed).permutation(here)[:number].tolist())


def shuffled(cases: Iterable[str], key: str) -> tuple[str, ...]:
    """An order from which nothing can be guessed, the same each time."""
    return tuple(sorted(cases, key=lambda case: hashlib.sha256(f"{SEED}:{key}:{case}".encode()).digest()))


# ---- reading --------------------------------------------------------------------------------------------------------


def start(
    folder: Path, reader: str, cases: Sequence[str], classes: Sequence[str], finding: str | None = None
) -> Reading:
    """Begin. Refused where this reader has begun already: the page goes on with that one."""
    code = checked(reader)
    if find(folder, code, finding) is not None:
        raise BadInput(f"{code} has begun a reading already.", "Go on with it, or type other initials.")
    if not cases:
        raise BadInput("There is no case to read.", "Choose at least one.")
    _append(folder, code, finding, {"do": "start", "cases": list(cases), "classes": list(classes)})
    return get(folder, code, finding)


def record(folder: Path, reader: str, finding: str | None, case: str, label: str, seconds: float) -> None:
    """One answer, on disk when this returns. A later answer to the same case counts, and its time is added."""
    known = get(folder, reader, finding)
    _refuse_over(known)
    if case not in known.order:
        raise BadInput("This case is not among those to be read.", "Go on with the next one.")
    if label != UNSURE and label not in known.classes:
        raise BadInput(f"There is no answer '{shown(label, 60)}'.", f"The answers are {', '.join(known.classes)}.")
    before = known.said(known.now).get(case)
    took = round(max(0.0, seconds) + (before.seconds if before else 0.0), 1)
    _append(folder, known.reader, finding, {
        "do": "read", "pass": known.now, "case": case, "label": label, "seconds": took,
    })  # fmt: skip


def undo(folder: Path, reader: str, finding: str | None) -> str | None:
    """Take the last answer of the pass at hand back; its case, None when there is none."""
    known = get(folder, reader, finding)
    _refuse_over(known)
    last = next(iter(reversed(list(known.said(known.now)))), None)
    if last is not None:
        _append(folder, known.reader, finding, {"do": "undo", "pass": known.now, "case": last})
    return last


def again(folder: Path, reader: str, finding: str | None) -> None:
    """Begin the second pass, over the cases that were read blind."""
    known = get(folder, reader, finding)
    _refuse_over(known)
    if not known.blind:
        raise BadInput("Nothing was read yet.", "Read the cases without the model first.")
    if not known.second:
        _append(folder, known.reader, finding, {"do": "second"})


def stop(folder: Path, reader: str, finding: str | None) -> None:
    """End the reading for good: what was read counts, and the result may be shown."""
    known = get(folder, reader, finding)
    if not known.over:
        _append(folder, known.reader, finding, {"do": "stop"})


def peeked(folder: Path) -> None:
    """Note in every reading that is still to be blind that test cases with their labels were opened; once in each."""
    for known in readings(folder):
        if known.blind_still and not known.peeked:
            _append(folder, known.reader, known.finding, {"do": "peeked"})


# ---- looking up -----------------------------------------------------------------------------------------------------


def readings(folder: Path) -> tuple[Reading, ...]:
    """All of a run, in the order in which they were begun."""
    made: dict[tuple[str, str | None], Reading] = {}
    for line in _lines(folder / FILE):
        finding = line.get("finding")
        if not isinstance(line.get("reader"), str) or not (finding is None or isinstance(finding, str)):
            continue
        at = (_key(line["reader"]), finding)
        if line.get("do") == "start" and at not in made and _are_texts(line.get("cases"), line.get("classes")):
            made[at] = Reading(line["reader"], finding, tuple(line["classes"]), tuple(line["cases"]))
        elif at in made:
            made[at] = _after(made[at], line)
    return tuple(made.values())


def find(folder: Path, reader: str, finding: str | None) -> Reading | None:
    return next((one for one in readings(folder) if (_key(one.reader), one.finding) == (_key(reader), finding)), None)


def get(folder: Path, reader: str, finding: str | None) -> Reading:
    found = find(folder, reader, finding)
    if found is None:
        known = ", ".join(one.reader for one in readings(folder) if one.finding == finding) or "nobody yet"
        raise NotFound(f"No reading by '{shown(reader, CODE)}' was begun.", f"Known: {known}.")
    return found


def checked(reader: str) -> str:
    """Initials or a code; a full name is refused, as the diary goes wherever the run goes."""
    code = shown(reader, CODE + 1).strip()
    if not code:
        raise BadInput("A reader needs initials or a code.", "Two or three letters will do.")
    if len(code) > CODE or " " in code:
        raise BadInput(f"'{shown(reader, 40)}' looks like a name.", f"Type initials: up to {CODE} letters, no space.")
    return code


def _after(reading: Reading, line: Mapping[str, Any]) -> Reading:
    """The reading after one more line; a line that makes no sense changes nothing."""
    do, which, case = line.get("do"), line.get("pass"), line.get("case")
    if do == "second":
        return replace(reading, second=True)
    if do == "stop":
        return replace(reading, over=True)
    if do == "peeked":
        return replace(reading, peeked=reading.peeked or reading.blind_still)
    if which not in (1, 2) or case not in reading.cases:
        return reading
    said = {id: one for id, one in reading.said(which).items() if id != case}  # the last answer stands last
    if do == "read" and isinstance(line.get("label"), str) and isinstance(line.get("seconds"), int | float):
        said[str(case)] = Said(line["label"], float(line["seconds"]))
    elif do != "undo":
        return reading
    return replace(reading, aided=said) if which == 2 else replace(reading, blind=said)


def _refuse_over(reading: Reading) -> None:
    if reading.over:
        raise BadInput("This reading was ended and its result shown.", "Begin another one under other initials.")


def _key(reader: str) -> str:
    """Capitals make no other reader."""
    return unicodedata.normalize("NFKC", reader).casefold().strip()


def _are_texts(*lists: Any) -> bool:
    return all(isinstance(one, list) and all(isinstance(item, str) for item in one) for one in lists)


def _lines(file: Path) -> list[dict[str, Any]]:
    """A line torn by a crash is passed over: it is one answer, and never another one."""
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return []
    found = []
    for line in text.split("\n"):
        try:
            told = json.loads(line) if line else None
        except ValueError:
            continue
        if isinstance(told, dict):
            found.append(told)
    return found


def _append(folder: Path, reader: str, finding: str | None, line: Mapping[str, Any]) -> None:
    """One write at the end. The line break stands before the line, so that a torn line spoils no other."""
    at = datetime.now(UTC).isoformat(timespec="seconds")
    text = "\n" + json.dumps({"at": at, "reader": reader, "finding": finding, **line}, ensure_ascii=False)
    handle = os.open(folder / FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
    try:
        os.write(handle, text.encode())
    finally:
        os.close(handle)
