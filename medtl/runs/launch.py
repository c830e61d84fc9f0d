"""Start the worker of a run as a process of its own. Doesn't import it, doesn't wait for it, doesn't own it.

The process is forked by a warm one that has imported everything (`medtl.warm`), where there is one; else it is started
anew, and a warm one is started for the next run.
"""

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from medtl.errors import MedtlError
from medtl.runs import events, handover
from medtl.workspace import PROJECT, Workspace

LOG = "log.txt"
NICENESS = 10  # the screen, and the clinic's other programs, come first
QUIET = 3.0  # seconds without a computing run before a warm process imports, so that it takes no time from the run


def launch(folder: Path) -> int:
    """Start the run's worker in a session of its own, so that it outlives whoever started it.

    Its output goes to log.txt, for the engineer. Returns the process id, of interest to tests only: the proof of life
    is the lock the worker holds, not a number that may be given to another process later.
    """
    folder = folder.resolve()
    workspace = Workspace(folder.parent.parent)
    pid = handover.give(workspace, folder)
    if pid is None:
        pid = _start(folder)
        if workspace.run(folder.name) == folder:
            warm_up(workspace, QUIET)
    return pid


def warm_up(workspace: Workspace, quiet: float = 0.0) -> None:
    """See to it that the next run need not wait for imports; returns at once, and does nothing where it is so already.

    `quiet` as in `medtl.warm`. Nothing that goes wrong here matters: the run then starts the long way.
    """
    if not handover.possible() or handover.is_up(workspace) or handover.free_memory() < handover.LEAST_MEMORY:
        return
    with contextlib.suppress(OSError, MedtlError), workspace.ensure().warm_log.open("ab") as log:
        _watch(_spawn(["medtl.warm", str(workspace.home), str(quiet)], log), "warm")


def cool_down(workspace: Workspace) -> None:
    """End the warm process, if there is one; runs it has started go on."""
    handover.end(workspace)


def _start(folder: Path) -> int:
    try:
        with (folder / LOG).open("ab") as log:
            worker = _spawn(["medtl.worker", str(folder)], log)
    except OSError as error:
        message = f"The process of this run could not be started ({error.strerror or error})."
        advice = "Close other programs or free some disk, then start the run again."
        events.append(folder, "failed", message=message, advice=advice)
        raise MedtlError(message, advice) from error
    _watch(worker, folder.name)
    return worker.pid


def _spawn(module: Sequence[str], log: IO[Any]) -> subprocess.Popen[bytes]:
    """`python -m MODULE ...` in a session of its own, its output in `log`, with less of a claim to the processor."""
    process = subprocess.Popen(
        [sys.executable, "-m", *module],
        cwd=PROJECT,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    _be_nice(process.pid)
    return process


def _watch(process: subprocess.Popen[bytes], name: str) -> None:
    # Someone must ask for its exit status, or it stays in the process table until the server ends.
    threading.Thread(target=process.wait, name=f"reap-{name}", daemon=True).start()


def _be_nice(pid: int) -> None:
    # From here rather than between fork and exec, which is not safe in a server with threads.
    if sys.platform != "win32":
        with contextlib.suppress(ProcessLookupError):  # it has ended already; its log says why
            os.setpriority(os.PRIO_PROCESS, pid, max(NICENESS, os.nice(0)))
