"""An import, or a deeper check, as a process of its own, so that a closed tab or a restarted server loses nothing.

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
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from medtl.vocabulary import Reading, Skipped
from medtl.workspace import PROJECT, Workspace, write_whole

PROGRESS = "progress.json"
ANSWER = "out.json"
LOG = "log.txt"
ALIVE = "alive"
PROCESS = "pid"
ON = "cohort"  # the cohort a deeper check looks at
USED = "uploads.txt"  # the uploads an import reads; they go with it
UPLOAD = "up-"  # how the folder of an upload begins
DAY = 86400  # seconds until what nobody came back for is cleared away
PATIENCE = 5.0  # seconds a process has to end by itself
PUBLISHED = "medmnist:"
NICENESS = 10
HERE = "<here>"  # in a command: the folder it is started in
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
    reading: Reading = Reading()
    task: str | None = None
    outcome: str | None = None
    uncertain: str | None = None
    file_names: str = "replaced"
    keep_key: bool = False
    size: int | None = None  # of a published set that comes in several

    def arguments(self) -> list[str]:
        given = (
            ("--name", self.name),
            ("--labels", self.labels),
            ("--split", self.split),
            ("--patient-pattern", self.patient_pattern),
            ("--exclude-findings", ",".join(self.exclude_findings)),
            ("--positive", self.positive),
            ("--frames", self.reading.frames),
            ("--window", self.reading.window),
            ("--slices", self.reading.slices),
            ("--task", self.task),
            ("--outcome", self.outcome),
            ("--uncertain", self.uncertain),
            ("--file-names", self.file_names),
            ("--size", self.size),
        )
        # One word each, so that a value that begins with a dash stays a value.
        words = [f"{option}={value}" for option, value in given if value]
        return [*words, "--keep-key"] if self.keep_key else words


@dataclass(frozen=True)
class ImportStatus:
    """What there is to show. `cohort` is the id once it is done; `message` and `advice` say why it failed."""

    state: State
    done: int = 0
    total: int = 0
    cohort: str | None = None
    message: str = ""
    advice: str = ""
    skipped: tuple[Skipped, ...] = ()  # by the names the user knows; the cohort itself keeps codes


def start_import(ws: Workspace, path: Path | str, options: ImportOptions | None = None) -> Path:
    """Begin reading `path`, or the published set `medmnist:NAME`, in the background.

    The folder it returns is what `import_status` asks for.
    """
    what = str(path) if str(path).startswith(PUBLISHED) else str(Path(path).resolve())
    return begin(ws, ["cohort", "add", *(options or ImportOptions()).arguments()], what)


def start_check(ws: Workspace, cohort: str, source: str | None = None, text: bool = True) -> Path:
    """Begin the deeper check of a cohort, with a network, in the background; followed like an import."""
    given = [*([f"--source={source}"] if source else []), *([] if text else ["--no-text"])]
    return _look_at(ws, ["cohort", "check", *given], cohort)


def start_ranking(ws: Workspace, cohort: str, sources: Iterable[str] = (), race: bool = False) -> Path:
    """Begin measuring which source suits a cohort, in the background; followed like an import."""
    given = [*(f"--source={source}" for source in sources), *(["--race"] if race else [])]
    return _look_at(ws, ["rank", *given], cohort)


def _look_at(ws: Workspace, command: list[str], cohort: str) -> Path:
    folder = begin(ws, command, cohort)
    write_whole(folder / ON, cohort)
    with contextlib.suppress(OSError, ValueError):  # nobody waits for it: let clicks and trainings go first
        os.setpriority(os.PRIO_PROCESS, int((folder / PROCESS).read_text()), NICENESS)
    return folder


def begin(ws: Workspace, command: list[str], *what: str) -> Path:
    """Run a command of ours in the background; what is brought (`what`) is never taken for an option."""
    ws.ensure()
    folder = ws.spool / secrets.token_hex(6)
    folder.mkdir(mode=0o700)
    with (
        (folder / ALIVE).open("w") as alive,
        (folder / ANSWER).open("wb") as answer,
        (folder / LOG).open("wb") as log,
    ):
        fcntl.flock(alive, fcntl.LOCK_EX)
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "medtl",
                *(word.replace(HERE, str(folder)) for word in command),
                "--json",
                "--home",
                str(ws.home),
                "--",
                *what,
            ],
            stdin=subprocess.DEVNULL,
            stdout=answer,
            stderr=log,
            env={**os.environ, VARIABLE: str(folder / PROGRESS)},
            cwd=PROJECT,
            pass_fds=[alive.fileno()],
            start_new_session=True,
        )
    write_whole(folder / PROCESS, str(process.pid))
    _reap(process)
    return folder


def import_status(folder: Path) -> ImportStatus:
    """Read from the folder alone; any process may ask, also after a restart."""
    progress = told(folder / PROGRESS)
    done, total = int(progress.get("done", 0)), int(progress.get("total", 0))
    if lives(folder):
        return ImportStatus("running", done, total)
    answer = told(folder / ANSWER)
    if "id" in answer:
        skipped = tuple(Skipped(**file) for file in answer.get("skipped", ()))
        return ImportStatus("done", done, total, cohort=str(answer["id"]), skipped=skipped)
    message, advice = failure(answer, folder)
    if message:
        return ImportStatus("failed", done, total, message=message, advice=advice)
    return ImportStatus(
        "interrupted", done, total, message="It was interrupted before it finished.", advice="Start it again."
    )


def own(folder: Path, uploads: Iterable[Path]) -> None:
    """These uploads are read by this import: they go when it is cleared away, whoever does that."""
    write_whole(folder / USED, "\n".join(upload.name for upload in uploads))


def uploads(folder: Path) -> list[Path]:
    """What the import reads of what was uploaded."""
    try:
        names = (folder / USED).read_text(encoding="utf-8").split()
    except OSError:
        return []
    return [folder.parent / name for name in names if name.startswith(UPLOAD) and Path(name).name == name]


def clear(folder: Path, *, keep_uploads: bool = False) -> None:
    """Forget an import and what was uploaded for it; one that still runs is stopped (what it had made goes with the
    next import). `keep_uploads`: another import reads them."""
    _stop(folder)
    for upload in [] if keep_uploads else uploads(folder):
        shutil.rmtree(upload, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)


def stop_checks(ws: Workspace, cohorts: Collection[str]) -> None:
    """Before a cohort goes: no deeper check may go on looking at it."""
    for on in ws.spool.glob(f"*/{ON}"):
        with contextlib.suppress(OSError):
            if on.read_text(encoding="utf-8") in cohorts:
                clear(on.parent)


def sweep(ws: Workspace) -> None:
    """What nobody came back for within a day: imports and checks that are over (their answers name files), uploads."""
    for alive in ws.spool.glob(f"*/{ALIVE}"):
        if _old(alive.parent) and not lives(alive.parent):
            clear(alive.parent)
    waiting = {upload for used in ws.spool.glob(f"*/{USED}") for upload in uploads(used.parent)}
    for folder in ws.spool.glob(f"{UPLOAD}*"):
        if folder not in waiting and _old(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _old(folder: Path) -> bool:
    try:
        return time.time() - folder.stat().st_mtime > DAY
    except OSError:
        return False


def _stop(folder: Path) -> None:
    """End the process, so that nothing is written any more once this returns."""
    for way in (signal.SIGTERM, signal.SIGKILL):
        if not lives(folder):
            return
        with contextlib.suppress(OSError, ValueError):
            os.killpg(int((folder / PROCESS).read_text()), way)
        end = time.monotonic() + PATIENCE
        while lives(folder) and time.monotonic() < end:
            time.sleep(0.02)


def lives(folder: Path) -> bool:
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


def told(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def failure(answer: dict[str, Any], folder: Path) -> tuple[str, str]:
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
        return "It stopped because of an error in MedTL.", f"The details are in {folder / LOG}."
    return (lines[-1], "") if lines else ("", "")
