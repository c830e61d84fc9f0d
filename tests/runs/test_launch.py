"""The worker is a process of its own: it outlives who started it, is nice, and leaves what it said in log.txt."""

import os
import sys
import time
from pathlib import Path

import pytest

from medtl.errors import MedtlError
from medtl.runs import events, launch, status


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run folder, and a project whose worker only tells how it was started."""
    project = tmp_path / "project" / "medtl"
    project.mkdir(parents=True)
    (project / "__init__.py").touch()
    (project / "worker.py").write_text(
        "import os, sys, time\n"
        "time.sleep(0.3)\n"
        "print(sys.argv[1], os.getsid(0) == os.getpid(), os.nice(0), sys.stdin.read() == '')\n"
        "print('to stderr', file=sys.stderr)\n"
    )
    monkeypatch.setattr(launch, "PROJECT", tmp_path / "project")
    monkeypatch.delenv("PYTHONPATH", raising=False)
    place = tmp_path / "run"
    place.mkdir()
    return place


@pytest.mark.skipif(sys.platform == "win32", reason="sessions and niceness are Unix words")
def test_it_has_a_session_of_its_own_is_nice_and_is_reaped(folder: Path) -> None:
    (folder / "log.txt").write_text("earlier\n")
    pid = launch.launch(folder)
    end = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists() if Path("/proc").exists() else _exists(pid):
        assert time.monotonic() < end, "it is still in the process table"
        time.sleep(0.05)
    words = (folder / "log.txt").read_text().splitlines()
    assert words[0] == "earlier" and "to stderr" in words
    assert f"{folder} True {max(launch.NICENESS, os.nice(0))} True" in words


def test_a_process_that_cannot_start_is_a_failed_run_in_words(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events.append(folder, "queued")
    monkeypatch.setattr(sys, "executable", str(folder / "no-such-python"))
    with pytest.raises(MedtlError, match="could not be started"):
        launch.launch(folder)
    assert status.status(folder) == "failed"


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
