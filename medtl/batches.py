"""Many images asked about in a process of their own, so that a closed tab or a restarted server loses nothing.

The page starts one, follows it and stops it; the answers are a CSV file in its spool folder, complete to the last one
written. The machinery is that of an import (`cohorts.importing`); the work is `python -m medtl predict --csv`.
"""

import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from medtl.cohorts import importing
from medtl.workspace import Workspace

TABLE = "answers.csv"
State = Literal["running", "done", "stopped", "failed", "interrupted"]


@dataclass(frozen=True)
class Status:
    """`done` of `total` files. `table` is the CSV file, as far as it has come. `counts` (images, answered, undecided,
    refused, unreadable, pooled, seconds, per_second) are there once it is over."""

    state: State
    done: int
    total: int
    table: Path
    counts: Mapping[str, float] = field(default_factory=dict)
    message: str = ""
    advice: str = ""


def start(
    ws: Workspace,
    run: str,
    paths: Sequence[Path],
    *,
    pool: str | None = None,
    looks: int = 0,
    log: bool = True,
    uploads: Sequence[Path] = (),
) -> Path:
    """Begin in the background; the folder it returns is what `status` asks for. `uploads` go with it (`clear`)."""
    given = [*([f"--pool={pool}"] if pool else []), *([f"--tta={looks}"] if looks else [])]
    command = ["predict", *given, *([] if log else ["--no-log"]), f"--csv={importing.HERE}/{TABLE}"]
    folder = importing.begin(ws, command, run, *(str(Path(path).resolve()) for path in paths))
    if uploads:
        importing.own(folder, uploads)
    return folder


def status(folder: Path) -> Status:
    """From the folder alone; any process may ask, also after a restart."""
    progress, table = importing.told(folder / importing.PROGRESS), folder / TABLE
    done, total = int(progress.get("done", 0)), int(progress.get("total", 0))
    if importing.lives(folder):
        return Status("running", done, total, table)
    answer = importing.told(folder / importing.ANSWER)
    if "csv" in answer:
        counts = {name: value for name, value in answer.items() if _counts(value)}
        return Status("stopped" if answer.get("stopped") else "done", done, total, table, counts)
    message, advice = importing.failure(answer, folder)
    if message:
        return Status("failed", done, total, table, message=message, advice=advice)
    return Status("interrupted", done, total, table, message="It was interrupted.", advice="Start it again.")


def stop(folder: Path) -> None:
    """A wish: what was read is answered and stays. `status` tells when it is over."""
    if importing.lives(folder):
        with contextlib.suppress(OSError, ValueError):
            os.kill(int((folder / importing.PROCESS).read_text()), signal.SIGTERM)  # not the readers: it ends them


def clear(folder: Path) -> None:
    """Forget it, its answers and its uploads; stopped if it still runs."""
    importing.clear(folder)


def _counts(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
