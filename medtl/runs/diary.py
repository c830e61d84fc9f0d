"""The diary of a run: what it was asked and what it answered, one JSON object a line, only ever appended.

It holds the hash of a file's bytes, never its name; no patient, not even as a code; no picture. The user can switch it
off and delete it. It computes nothing (`medtl.watching` does).
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from medtl.errors import BadInput, NotFound
from medtl.workspace import write_whole

FILE = "diary.jsonl"
OFF = "diary.off"
VERSION = 1
NOTE = 100  # characters of a reading


@dataclass(frozen=True)
class Entry:
    """One answer. `at` is the time of day (UTC). `reading` is what the clinician says it is, "" while nobody has said;
    `known`: an image of the cohort, or of a patient in it, whose answer is no test. `reasons` names the checks of the
    gate that refused it; `far` how far it lay from the training cases."""

    at: datetime
    sha256: str
    frame: int | None = None
    kind: str = "image"
    pooled: int = 1
    readable: bool = True
    predicted: str | None = None
    settled: str | None = None
    scores: Mapping[str, float] = field(default_factory=dict)
    calibrated: Mapping[str, float] = field(default_factory=dict)
    set: tuple[str, ...] = ()
    findings: Mapping[str, str] = field(default_factory=dict)
    accepted: bool = True
    reasons: tuple[str, ...] = ()
    far: float | None = None
    brightness: float | None = None
    known: bool = False
    looks: int = 0
    reading: str = ""


class Diary:
    """The writing side; does nothing where the user has switched it off."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.on = is_on(folder)

    def answered(self, **facts: Any) -> None:
        if self.on:
            _append(self.folder, {"do": "answered", **facts})


def is_on(folder: Path) -> bool:
    return not (folder / OFF).exists()


def switch(folder: Path, on: bool) -> None:
    """What is there stays; `delete` takes it away."""
    if on:
        (folder / OFF).unlink(missing_ok=True)
    else:
        write_whole(folder / OFF, "")


def delete(folder: Path) -> int:
    """Take the diary off the disk; how many bytes it had."""
    try:
        size = (folder / FILE).stat().st_size
    except FileNotFoundError:
        return 0
    (folder / FILE).unlink()
    return size


def read_by_clinician(folder: Path, sha256: str, reading: str, frame: int | None = None, kind: str = "image") -> None:
    """The clinician's own reading of an image that was asked about: a class of the run, or "" to take it back."""
    if len(reading) > NOTE:
        raise BadInput("A reading is the name of a class.", f"Give at most {NOTE} characters.")
    if not any(entry.sha256 == sha256 and entry.frame == frame and entry.kind == kind for entry in entries(folder)):
        raise NotFound("The diary of this run has no such image.", "Ask the run about the image first.")
    _append(folder, {"do": "read", "sha256": sha256, "frame": frame, "kind": kind, "reading": reading})


def entries(folder: Path) -> tuple[Entry, ...]:
    """Every answer, oldest first, with the last reading given of its image. Broken lines are left out."""
    try:
        lines = (folder / FILE).read_bytes().splitlines()
    except FileNotFoundError:
        return ()
    found: list[dict[str, Any]] = []
    readings: dict[tuple[Any, ...], str] = {}
    for line in lines:
        said = _parsed(line)
        image = (said.get("sha256"), said.get("frame"), said.get("kind", "image"))
        if said.get("do") == "answered":
            found.append(said)
        elif said.get("do") == "read":
            readings[image] = str(said.get("reading") or "")
    return tuple(
        entry
        for said in found
        if (entry := _entry(said, readings.get((said.get("sha256"), said.get("frame"), said.get("kind", "image")), "")))
    )


def _entry(said: Mapping[str, Any], reading: str) -> Entry | None:
    known = {name: said[name] for name in Entry.__dataclass_fields__ if name in said and name not in ("at", "reading")}
    try:
        for name in ("set", "reasons"):
            known[name] = tuple(known.get(name) or ())
        return Entry(at=datetime.fromisoformat(said["at"]), reading=reading, **known)
    except (KeyError, TypeError, ValueError):
        return None


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        said = json.loads(line)
    except ValueError:
        return {}
    return said if isinstance(said, dict) and said.get("v", 0) <= VERSION else {}


def _append(folder: Path, facts: Mapping[str, Any]) -> None:
    """One write a line, so that two processes that answer for one run do not cut each other's lines."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    line = json.dumps({"v": VERSION, "at": now, **facts}, ensure_ascii=False, separators=(",", ":"))
    file = os.open(folder / FILE, os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
    try:
        size = os.fstat(file).st_size
        cut = b"\n" if size and os.pread(file, 1, size - 1) != b"\n" else b""  # the last line was not finished
        os.write(file, cut + line.encode() + b"\n")
    finally:
        os.close(file)
