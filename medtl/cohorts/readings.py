"""Readers label the same cases, blind to one another: a diary per reader, kept apart from the cohort's versions.

readings/<root>/<code>.jsonl, where root is the first version of the cohort (case ids stay the same through edits) and
code is made from the reader's name. A line a step, each one write at the end of the file; taking back is a line of its
own. It shows nothing and changes no cohort: what readers agree on becomes labels by an edit.
"""

import hashlib
import json
import os
import re
import shutil
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from medtl.cohorts import folders
from medtl.cohorts.agreement import Agreement, Weights, agree
from medtl.cohorts.names import shown
from medtl.errors import BadInput, NotFound
from medtl.vocabulary import Case, Cohort
from medtl.workspace import Workspace

OWN = "the cohort's own labels"  # a reader like the others, for `compare`
UNSURE = ""  # an answer too: this reader cannot tell
RENAMED = re.compile("class (.+?) became (.+)")  # a line of the history of versions
JUDGED = "judged.jsonl"  # a diary like a reader's: who was right where two readers differed
NAME = 100  # characters


@dataclass(frozen=True)
class Progress:
    """How far a reader is. `done` of `of` cases have an answer, `unsure` of those "cannot tell"; `next` is the case to
    read now, None at the end. `last` is the case of the last answer, which `undo` would take back. `over`: ended for
    good; only then should anybody be shown how far the readers agree, because who knows it is no longer blind."""

    reader: str
    of: int
    done: int
    unsure: int
    next: str | None
    last: str | None
    blind: bool
    started: str
    over: bool = False


@dataclass(frozen=True)
class Consensus:
    """`agreed` case -> the class that more than half of the readers gave; `open` are cases without such a class, for
    somebody to decide. Cases that not all of them have read are in neither."""

    agreed: Mapping[str, str]
    open: tuple[str, ...]


@dataclass(frozen=True)
class _Diary:
    """What stands after all lines. `answers` in order: (case, label), a case more than once when it was changed."""

    reader: str = ""
    cases: tuple[str, ...] = ()
    blind: bool = True
    started: str = ""
    answers: list[tuple[str, str]] = field(default_factory=list)
    stopped: bool = False

    @property
    def labels(self) -> dict[str, str]:
        return dict(self.answers)


# ---- reading --------------------------------------------------------------------------------------------------------


def start(
    ws: Workspace, cohort: Cohort, reader: str, *, cases: int | None = None, seed: int = 0, blind: bool = True
) -> Progress:
    """Begin (or go on): all cases, or a sample of so many, drawn from `seed` in proportion to the classes.

    The order is shuffled for each reader, so that neither the classes nor the other reader can be guessed from it.
    Starting again under the same name keeps all answers and takes the new choice of cases, unless that reading was
    stopped: who has seen the result is no longer blind.
    """
    name = _checked_name(reader)
    _refuse_stopped(_read(_file(ws, cohort, name)))
    if cohort.task == "multi-label":
        raise BadInput("In this cohort an image may have several findings.", "Choose the one to be read first.")
    chosen = sample(cohort, cases, seed) if cases is not None else [case.id for case in cohort.cases]
    key = f"{seed}:{_code(name)}"
    order = sorted(chosen, key=lambda case: hashlib.sha256(f"{key}:{case}".encode()).digest())
    _append(ws, cohort, name, {"do": "start", "reader": name, "cases": order, "blind": blind, "version": cohort.id})
    return progress(ws, cohort, name)


def record(ws: Workspace, cohort: Cohort, reader: str, case: str, label: str) -> None:
    """One answer, on disk when this returns: a class, or UNSURE. A later answer to the same case counts."""
    diary = _diary(ws, cohort, reader)
    _refuse_stopped(diary)
    if case not in {known.id for known in cohort.cases}:
        raise NotFound(f"There is no case '{shown(case, 40)}' in this cohort.", "Pick one from the gallery.")
    if case not in diary.cases:
        raise BadInput("This case is not among those to be read.", "Start the reading again with all cases.")
    if label != UNSURE and label not in cohort.classes:
        raise BadInput(f"There is no class '{shown(label, 100)}'.", f"The classes are {', '.join(cohort.classes)}.")
    _append(ws, cohort, reader, {"do": "read", "case": case, "label": label, "version": cohort.id})


def undo(ws: Workspace, cohort: Cohort, reader: str) -> str | None:
    """Take the last answer back, so that an earlier one to this case counts again; the case, None when none is left."""
    diary = _diary(ws, cohort, reader)
    _refuse_stopped(diary)
    answers = diary.answers
    if not answers:
        return None
    _append(ws, cohort, reader, {"do": "undo"})
    return answers[-1][0]


def stop(ws: Workspace, cohort: Cohort, reader: str) -> None:
    """End the reading for good: what was read counts, nothing can be added, and the result may be shown."""
    if not _diary(ws, cohort, reader).stopped:
        _append(ws, cohort, reader, {"do": "stop", "version": cohort.id})


def progress(ws: Workspace, cohort: Cohort, reader: str) -> Progress:
    """Cases that a later version left out are not counted."""
    diary = _diary(ws, cohort, reader)
    here = {case.id for case in cohort.cases}
    labels = {case: label for case, label in diary.labels.items() if case in here}
    wanted = [case for case in diary.cases if case in here]
    done = [case for case in wanted if case in labels]
    waiting = next((case for case in wanted if case not in labels), None)
    unsure = sum(labels[case] == UNSURE for case in done)
    last = diary.answers[-1][0] if diary.answers else None
    return Progress(
        diary.reader, len(wanted), len(done), unsure, waiting, last, diary.blind, diary.started, diary.stopped
    )


def paper(ws: Workspace, cohort: Cohort, reader: str) -> dict[str, str | None]:
    """The cases to be read in this reader's order, each with the answer that stands; None: not read yet."""
    diary, now = _diary(ws, cohort, reader), _names_now(cohort)
    here, answers = {case.id for case in cohort.cases}, diary.labels
    return {case: _now(answers[case], now) if case in answers else None for case in diary.cases if case in here}


def readers(ws: Workspace, cohort: Cohort) -> tuple[str, ...]:
    """Everybody who has begun, as they called themselves, in order of the alphabet."""
    folder = ws.readings / root_of(ws, cohort.id)
    names = {_read(file).reader for file in folder.glob("*.jsonl")}
    return tuple(sorted(names - {""}, key=lambda name: (name.casefold(), name)))


def labels(ws: Workspace, cohort: Cohort, reader: str) -> dict[str, str]:
    """Case -> class, of the cases and classes this version has; "cannot tell" is no class."""
    here = {case.id for case in cohort.cases}
    if reader == OWN:
        return {case.id: case.label for case in cohort.cases}
    now = _names_now(cohort)
    found = {case: _now(label, now) for case, label in _diary(ws, cohort, reader).labels.items()}
    return {case: label for case, label in found.items() if label in cohort.classes and case in here}


# ---- comparing ------------------------------------------------------------------------------------------------------


def compare(ws: Workspace, cohort: Cohort, one: str, other: str, weights: Weights | None = None) -> Agreement:
    """Agreement of two readers on the cases both have read, once their readings are ended.

    Grades are weighted by the square of the distance unless `weights` says otherwise: kappa is then close to an
    intraclass correlation (Fleiss and Cohen 1973).
    """
    if one == other:
        raise BadInput("Both are the same reader.", "Choose two readers.")
    for reader in (one, other):
        _refuse_going_on(ws, cohort, reader)
    first, second = labels(ws, cohort, one), labels(ws, cohort, other)
    both = [case for case in cohort.cases if case.id in first and case.id in second]
    return agree(
        [case.id for case in both],
        [first[case.id] for case in both],
        [second[case.id] for case in both],
        cohort.classes,
        weights=weights or ("quadratic" if cohort.task == "ordinal" else "none"),
        patients=[case.patient for case in both],
        readers=(one, other),
    )


def consensus(ws: Workspace, cohort: Cohort, names: Sequence[str]) -> Consensus:
    """What the majority of these readers says of each case that all of them have read."""
    if len(set(names)) < 2:
        raise BadInput("A consensus needs at least two readers.", "Choose two or three.")
    said = [labels(ws, cohort, name) for name in dict.fromkeys(names)]
    agreed: dict[str, str] = {}
    undecided: list[str] = []
    for case in cohort.cases:
        votes = Counter(found[case.id] for found in said if case.id in found)
        if sum(votes.values()) < len(said):
            continue
        label, count = votes.most_common(1)[0]
        if 2 * count > len(said):
            agreed[case.id] = label
        else:
            undecided.append(case.id)
    return Consensus(agreed, tuple(undecided))


def judge(ws: Workspace, cohort: Cohort, case: str, label: str) -> None:
    """Somebody has decided a case on which readers differ, be it in favour of the label the cohort has."""
    if label not in cohort.classes:
        raise BadInput(f"There is no class '{shown(label, 100)}'.", f"The classes are {', '.join(cohort.classes)}.")
    _write(_judged_file(ws, cohort), {"do": "read", "case": case, "label": label, "version": cohort.id})


def unjudge(ws: Workspace, cohort: Cohort) -> str | None:
    """Take the last decision back; the case it was about, None when there is none."""
    answers = _read(_judged_file(ws, cohort)).answers
    if not answers:
        return None
    _write(_judged_file(ws, cohort), {"do": "undo"})
    return answers[-1][0]


def judged(ws: Workspace, cohort: Cohort) -> dict[str, str]:
    """Case -> the class decided upon, the last decision at the end."""
    now = _names_now(cohort)
    found: dict[str, str] = {}
    for case, label in _read(_judged_file(ws, cohort)).answers:
        found.pop(case, None)
        found[case] = _now(label, now)
    return {case: label for case, label in found.items() if label in cohort.classes}


def sample(cohort: Cohort, number: int, seed: int = 0) -> list[str]:
    """Case ids, from each class in proportion (largest remainder; a class that got none comes first),
    in the cohort's order."""
    if number < 1:
        raise BadInput(f"{number} cases cannot be read.", "Choose at least one.")
    by_class: dict[str, list[Case]] = {}
    for case in cohort.cases:
        by_class.setdefault(case.label, []).append(case)
    total = len(cohort.cases)
    if number >= total:
        return [case.id for case in cohort.cases]
    exact = {label: number * len(of_class) / total for label, of_class in by_class.items()}
    quota = {label: int(share) for label, share in exact.items()}
    for label in sorted(exact, key=lambda label: (quota[label] > 0, quota[label] - exact[label]))[
        : number - sum(quota.values())
    ]:
        quota[label] += 1
    random = np.random.default_rng(seed)
    chosen = {
        by_class[label][n].id for label in by_class for n in random.permutation(len(by_class[label]))[: quota[label]]
    }
    return [case.id for case in cohort.cases if case.id in chosen]


# ---- versions -------------------------------------------------------------------------------------------------------


def root_of(ws: Workspace, cohort: str) -> str:
    """The first version of this cohort: readings belong to all its versions."""
    return next((one.first for one in folders.cohorts(ws) if one.id == cohort), cohort)


def before_delete(ws: Workspace, cohort: str) -> int:
    """Called before a version goes: readings go with the last one. Returns the bytes that came free."""
    root = root_of(ws, cohort)
    others = [one for one in folders.cohorts(ws) if one.id != cohort and one.first == root]
    return 0 if others else delete_for(ws, root)


def delete_for(ws: Workspace, root: str) -> int:
    """All readings of a cohort and its versions are gone after this; returns their bytes."""
    folder = _folder(ws, root)
    if not folder.exists():
        return 0
    freed = sum(file.stat().st_size for file in folder.iterdir())
    shutil.rmtree(folder)
    return freed


# ---- disk -----------------------------------------------------------------------------------------------------------


def _checked_name(reader: str) -> str:
    name = shown(reader, NAME)
    if not name:
        raise BadInput("A reader needs a name.", "Initials will do; the name is kept on this computer.")
    if name.casefold() == OWN.casefold():
        raise BadInput(f"'{OWN}' is not the name of a person.", "Choose another name.")
    return name


def _code(reader: str) -> str:
    """A safe name of a file; capitals make no other reader."""
    return hashlib.sha256(unicodedata.normalize("NFKC", shown(reader, NAME)).casefold().encode()).hexdigest()[:16]


def _folder(ws: Workspace, root: str) -> Path:
    return ws.readings / ws.cohort(root).name  # refuses an id that is a path


def _judged_file(ws: Workspace, cohort: Cohort) -> Path:
    return _folder(ws, root_of(ws, cohort.id)) / JUDGED


def _refuse_stopped(diary: _Diary) -> None:
    if diary.stopped:
        raise BadInput("This reading was ended and its result shown.", "Begin another one under another name.")


def _refuse_going_on(ws: Workspace, cohort: Cohort, reader: str) -> None:
    """A result seen on the way would sway the rest."""
    far = None if reader == OWN else progress(ws, cohort, reader)
    if far and not far.over:
        raise BadInput(
            f"The reading of {shown(reader, 60)} is not ended: {far.done:,} of {far.of:,} images are read.",
            "Go on with it, or end it on the page Data; the result shows then.",
        )


def _names_now(cohort: Cohort) -> dict[str, str]:
    """What a class was ever called -> what it is called in this version. Renaming and merging leave a line in the
    history; a class may also have got its capitals since. Names are compared without capitals."""
    now: dict[str, str] = {}
    for line in cohort.history:
        if became := RENAMED.fullmatch(line.what):
            old, new = (shown(name, NAME) for name in became.groups())
            now = {name: new if then.casefold() == old.casefold() else then for name, then in now.items()}
            now[old.casefold()] = new
            now.pop(new.casefold(), None)
    spelled = {label.casefold(): label for label in cohort.classes}
    return {name: spelled.get(then.casefold(), then) for name, then in now.items()} | spelled


def _now(label: str, names: Mapping[str, str]) -> str:
    return names.get(label.casefold(), label)


def _file(ws: Workspace, cohort: Cohort, reader: str) -> Path:
    return _folder(ws, root_of(ws, cohort.id)) / f"{_code(reader)}.jsonl"


def _diary(ws: Workspace, cohort: Cohort, reader: str) -> _Diary:
    diary = _read(_file(ws, cohort, reader))
    if not diary.reader:
        known = ", ".join(readers(ws, cohort)) or "nobody yet"
        raise NotFound(f"No reading by '{shown(reader, NAME)}' was started.", f"Known: {known}.")
    return diary


def _read(file: Path) -> _Diary:
    """What stands now. A line torn by a crash is passed over: it is one answer, and never another one."""
    diary = _Diary()
    for line in _lines(file):
        if line.get("do") == "start" and _are_text(line, "reader", "at") and isinstance(line.get("cases"), list):
            cases = tuple(case for case in line["cases"] if isinstance(case, str))
            started = diary.started or line["at"]
            diary = _Diary(line["reader"], cases, line.get("blind") is not False, started, diary.answers, diary.stopped)
        elif line.get("do") == "read" and _are_text(line, "case", "label"):
            diary.answers.append((line["case"], line["label"]))
        elif line.get("do") == "undo" and diary.answers:
            diary.answers.pop()
        elif line.get("do") == "stop":
            diary = replace(diary, stopped=True)
    return diary


def _lines(file: Path) -> list[dict[str, Any]]:
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return []
    found = []
    for line in text.split("\n"):
        with suppress(ValueError):
            told = json.loads(line) if line else None
            if isinstance(told, dict):
                found.append(told)
    return found


def _are_text(line: Mapping[str, Any], *keys: str) -> bool:
    return all(isinstance(line.get(key), str) for key in keys)


def _append(ws: Workspace, cohort: Cohort, reader: str, line: Mapping[str, Any]) -> None:
    _write(_file(ws, cohort, reader), line)


def _write(file: Path, line: Mapping[str, Any]) -> None:
    """One write at the end. The line break stands before the line, so that a line torn by a crash spoils no other."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    at = datetime.now(UTC).isoformat(timespec="seconds")
    text = "\n" + json.dumps({"at": at, **line}, ensure_ascii=False)
    handle = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
    try:
        os.write(handle, text.encode())
    finally:
        os.close(handle)
