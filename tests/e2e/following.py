"""A check that never ends, so that its bar is renewed for as long as a test looks; and a slow line between the two."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medtl.cohorts import importing
from medtl.workspace import Workspace

HOLD = "import fcntl, sys, time; f = open(sys.argv[1], 'w'); fcntl.flock(f, fcntl.LOCK_EX); time.sleep(300)"
# Once the page is being left, what the server says arrives half a second late, and its bar's clock ticks twenty times a
# second. Ticks for the old page then reach the server while it draws the next one: chance on a busy machine, here
# every time.
LATE = """
const hear = WebSocket.prototype.addEventListener;
WebSocket.prototype.addEventListener = function (kind, then, ...rest) {
  const late = event => leaving ? setTimeout(() => then(event), 500) : then(event);
  return hear.call(this, kind, kind === "message" ? late : then, ...rest);
};
const tick = window.setInterval;
let leaving = false, n = 0;
window.setInterval = (then, ms, ...rest) =>
  ms === 500 ? tick(() => (leaving || n++ % 10 === 0) && then(), 50) : tick(then, ms, ...rest);
window.leave = way => { leaving = true; way.click(); };
"""


@dataclass(frozen=True)
class Check:
    folder: Path
    process: subprocess.Popen[bytes]


@contextmanager
def checking(ws: Workspace, cohort: str) -> Iterator[Check]:
    """A deeper check of the cohort as the page finds it: a folder and the lock of a living process."""
    folder = ws.spool / f"check-{cohort}"
    folder.mkdir()
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(folder / importing.ALIVE)], start_new_session=True)
    (folder / importing.PROCESS).write_text(str(process.pid))
    (folder / importing.ON).write_text(cohort)
    try:
        yield Check(folder, process)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def late_ticks(page: Any) -> None:
    """Before the page is opened; what leads away is clicked with `locator.evaluate("way => leave(way)")`."""
    page.add_init_script(LATE)
