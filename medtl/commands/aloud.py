"""Saying how something goes while it goes on: on standard error, or in a small file for whoever started the process."""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from medtl.workspace import Workspace, write_whole


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def follow(ws: Workspace, run_id: str) -> None:
    """Say how the run goes until its worker has ended."""
    from medtl.runs import status, store

    folder = store.folder(ws, run_id)
    said = ""
    while True:
        now = status.progress(folder)
        if now.says != said and now.status != "finished":
            say(f"{run_id}: {now.says}")
            said = now.says
        if not now.alive and now.status != "waiting":
            return
        time.sleep(0.1)


def progress() -> Callable[[int, int], None] | None:
    """Into the file that MEDTL_PROGRESS names, for whoever started this process; None where it names none."""
    file = os.environ.get("MEDTL_PROGRESS")
    if not file:
        return None
    last = 0.0

    def write(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= 0.2 or done >= total:
            last = now
            write_whole(Path(file), json.dumps({"done": done, "total": total}))

    return write


def counted(what: str) -> Callable[[int, int], None]:
    """Every few seconds a line, for somebody who waits."""
    last = time.monotonic()

    def count(done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last >= 5:
            last = time.monotonic()
            say(f"{done:,} of {total:,} {what}")

    return count
