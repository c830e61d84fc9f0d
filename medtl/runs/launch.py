"""Start the worker of a run as a process of its own. Doesn't import it, doesn't wait for it, doesn't own it."""

import contextlib
import os
import subprocess
import sys
import threading
from pathlib import Path

from medtl.errors import MedtlError
from medtl.runs import events
from medtl.workspace import PROJECT

LOG = "log.txt"
NICENESS = 10  # the screen, and the clinic's other programs, come first


def launch(folder: Path) -> int:
    """Start `python -m medtl.worker FOLDER` in a session of its own, so that it outlives whoever started it.

    Its output goes to log.txt, for the engineer. Returns the process id, of interest to tests only: the proof of life
    is the lock the worker holds, not a number that may be given to another process later.
    """
    folder = folder.resolve()
    try:
        with (folder / LOG).open("ab") as log:
            worker = subprocess.Popen(
                [sys.executable, "-m", "medtl.worker", str(folder)],
                cwd=PROJECT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
    except OSError as error:
        message = f"The process of this run could not be started ({error.strerror or error})."
        advice = "Close other programs or free some disk, then start the run again."
        events.append(folder, "failed", message=message, advice=advice)
        raise MedtlError(message, advice) from error
    _be_nice(worker.pid)
    # Someone must ask for its exit status, or it stays in the process table until the server ends.
    threading.Thread(target=worker.wait, name=f"reap-{folder.name}", daemon=True).start()
    return worker.pid


def _be_nice(pid: int) -> None:
    # From here rather than between fork and exec, which is not safe in a server with threads.
    if sys.platform != "win32":
        with contextlib.suppress(ProcessLookupError):  # it has ended already; its log says why
            os.setpriority(os.PRIO_PROCESS, pid, max(NICENESS, os.nice(0)))
