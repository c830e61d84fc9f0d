"""What a run says of itself: one JSON object a line, only ever appended. Doesn't know what the events mean."""

import json
import math
import os
import time
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FILE = "events.jsonl"
Event = dict[str, Any]


def append(folder: Path, event: str, **facts: Any) -> None:
    """Add one line in a single write, so that a reader or a second writer never meets half of one.

    `at` is the time of day (UTC), for people; `t` the computer's steady clock in seconds, for durations: it doesn't
    jump when the time of day is set. A number that is not finite becomes null, as JSON has no word for it.
    """
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    line = json.dumps(_plain({"event": event, "at": now, "t": round(time.monotonic(), 3), **facts}), ensure_ascii=False)
    file = os.open(folder / FILE, os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
    try:
        os.write(file, (_mend(file) + line + "\n").encode())
    finally:
        os.close(file)


def read(folder: Path, skip: Collection[str] = ()) -> list[Event]:
    """All events, oldest first. A broken line (a process killed, a disk full in the middle of it) is left out.

    `skip` names events nobody asked for; they are passed over unparsed, as a long run has thousands of steps.
    """
    try:
        lines = (folder / FILE).read_bytes().splitlines()
    except FileNotFoundError:
        return []
    unwanted = tuple(f'{{"event": "{name}"'.encode() for name in skip)
    parsed = (_parse(line) for line in lines if not (unwanted and line.startswith(unwanted)))
    return [event for event in parsed if event is not None]


def _mend(file: int) -> str:
    """A newline when the last line was cut off, so that it doesn't take this one down with it."""
    if not os.fstat(file).st_size:
        return ""
    os.lseek(file, -1, os.SEEK_END)
    return "" if os.read(file, 1) == b"\n" else "\n"


def _parse(line: bytes) -> Event | None:
    try:
        event = json.loads(line)
    except ValueError:  # also what UnicodeDecodeError is
        return None
    return event if isinstance(event, dict) and isinstance(event.get("event"), str) else None


def _plain(value: Any) -> Any:
    """As JSON can hold it: scalars of an array library as Python's own, NaN and infinity as null."""
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if not isinstance(value, (str, int, float, bool, type(None))):
        value = value.item() if hasattr(value, "item") else str(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value
