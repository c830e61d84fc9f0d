"""An import as a process of its own, so that a closed tab or a restarted server loses nothing.

A spool folder holds progress.json, the command's answer (out.json) and its log; the life of the process is the lock on
`alive`, which it inherits open and which the system releases however it ends. It knows nothing of images.
"""

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from medtl.workspace import Workspace, write_whole

PROGRESS = "progress.json"
ANSWER = "out.json"
LOG = "log.txt"
ALIVE = "alive"
PROCESS = "pid"
VARIABLE = "MEDTL_PROGRESS"  # names the file the command writes its progress to

State = Literal["running", "done", "failed", "interrupted"]


@dataclass(frozen=True)
class ImportOptions:
    """What the page asks; the same words as the options of `cohort add`."""

    name: str | None = None
    labels: Path | None = None
    split: Path | None = None
    patient_pattern: str | None = None
    exclude_findings: tuple[str, ...] = ()
    positive: str | None = None

    def arguments(self) -> list[str]:
        given = (
            ("--name", self.name),
            ("--labels", self.labels),
            ("--split", self.split),
            ("--patient-pattern", self.patient_pattern),
            ("--exclude-findings", ",".join(self.exclude_findings)),
            ("--positive", self.positive),
        )
        # One word each, so that a value that begins with a dash stays a value.
        return [f"{option}={value}" for option, value in given if value]


@dataclass(frozen=True)
class ImportStatus:
    """What there is to show. `cohort` is the id once it is done; `message` and `advice` say why it failed."""

    state: State
    done: int = 0
    total: int = 0
    cohort: str | None = None
    message: str = ""
    advice: str = ""


def start_import(ws: Workspace, path: Path, options: ImportOptions | None = None) -> Path:
    """Begin reading `path` in the background; the folder it returns is what `import_status` asks for."""
    ws.ensure()
    folder = ws.spool / secrets.token_hex(6)
    folder.mkdir(mode=0o700)
    words = (options or ImportOptions()).arguments()
    command = [sys.executable, "-m", "medtl", "cohort", "add", *words, "--json", "--home", str(ws.home)]
    with (
        (folder / ALIVE).open("w") as alive,
        (folder / ANSWER).open("wb") as answer,
        (folder / LOG).open("wb") as log,
    ):
        fcntl.flock(alive, fcntl.LOCK_EX)
        process = subprocess.Popen(
            [*command, "--", str(Path(path).resolve())],
            stdin=subprocess.DEVNULL,
            stdout=answer,
            stderr=log,
            env={**os.environ, VARIABLE: str(folder / PROGRESS)},
            cwd=Path(__file__).resolve().parents[2],
            pass_fds=[alive.fileno()],
            start_new_session=True,
        )
    write_whole(folder / PROCESS, str(process.pid))
    _reap(process)
    return folder


def import_status(folder: Path) -> ImportStatus:
    """Read from the folder alone; any process may ask, also after a restart."""
    progress = _json(folder / PROGRESS)
    done, total = int(progress.get("done", 0)), int(progress.get("total", 0))
    if _lives(folder):
        return ImportStatus("running", done, total)
    answer = _json(folder / ANSWER)
    if "id" in answer:
        return ImportStatus("done", done, total, cohort=str(answer["id"]))
    message, advice = _failure(answer, folder)
    if message:
        return ImportStatus("failed", done, total, message=message, advice=advice)
    return ImportStatus(
        "interrupted", done, total, message="The import was interrupted before it finished.", advice="Start it again."
    )


def clear(folder: Path) -> None:
    """Forget an import; one that still runs is stopped (what it had made goes with the next import)."""
    if _lives(folder):
        with contextlib.suppress(OSError, ValueError):
            os.killpg(int((folder / PROCESS).read_text()), signal.SIGTERM)
    shutil.rmtree(folder, ignore_errors=True)


def _lives(folder: Path) -> bool:
    try:
        with (folder / ALIVE).open("r") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _reap(process: "subprocess.Popen[bytes]") -> None:
    """Leave no dead process behind in the list of a server that runs for weeks."""
    import threading

    threading.Thread(target=process.wait, daemon=True).start()


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _failure(answer: dict[str, Any], folder: Path) -> tuple[str, str]:
    """The command's own message and advice: from its JSON, else the last line it wrote that is no traceback."""
    error = answer.get("error", answer)
    if isinstance(error, dict) and error.get("message"):
        return str(error["message"]), str(error.get("advice", ""))
    if isinstance(error, str):
        return error, str(answer.get("advice", ""))
    try:
        lines = (folder / LOG).read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        return "", ""
    if any(line.startswith("Traceback") for line in lines):
        return "The import stopped because of an error in MedTL.", f"The details are in {folder / LOG}."
    return (lines[-1], "") if lines else ("", "")
