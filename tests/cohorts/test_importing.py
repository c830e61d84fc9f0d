import fcntl
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from medtl.cohorts import importing, library
from medtl.cohorts.importing import ImportOptions, clear, import_status, start_import

STAND_IN = """#!{python}
import json, os, sys, time
words = sys.argv[1:]
open({seen!r}, "w").write(json.dumps(words))
{body}
"""


@pytest.fixture
def instead(tmp_path, monkeypatch):
    """Puts a small script in the place of `python -m medtl`; gives the words it was started with."""

    def replace(body: str):
        script, seen = tmp_path / "stand-in", tmp_path / "seen.json"
        script.write_text(STAND_IN.format(python=sys.executable, seen=str(seen), body=body))
        script.chmod(0o755)
        monkeypatch.setattr(importing.sys, "executable", str(script))
        return seen

    return replace


def wait(folder, state, seconds=30.0):
    end = time.monotonic() + seconds
    while (status := import_status(folder)).state != state:
        assert time.monotonic() < end, status
        time.sleep(0.02)
    return status


def test_the_real_command_reads_a_cohort(ws, folders):
    folder = start_import(ws, folders({"benign": 6, "malignant": 6}, "-odd name"), ImportOptions(name="--mine"))
    status = wait(folder, "done", 60)
    assert (status.done, status.total) == (12, 12)
    assert library.load(ws, status.cohort).title == "--mine"
    clear(folder)
    assert not folder.exists()


def test_the_real_command_says_why_not(ws, tmp_path):
    (tmp_path / "empty").mkdir()
    status = wait(start_import(ws, tmp_path / "empty"), "failed", 60)
    assert "empty" in status.message and status.advice


def test_every_option_is_handed_over(ws, tmp_path, instead):
    seen = instead('print(json.dumps({"id": "abc"}))')
    options = ImportOptions("N", tmp_path / "l.csv", tmp_path / "s.csv", r"p\d+", ("a", "b"), "sick")
    assert wait(start_import(ws, tmp_path, options), "done").cohort == "abc"
    words = importing.json.loads(seen.read_text())
    assert words[:4] == ["-m", "medtl", "cohort", "add"]
    assert {"--name=N", "--patient-pattern=p\\d+", "--exclude-findings=a,b", "--positive=sick", "--json"} <= set(words)
    assert words[-1] == str(tmp_path.resolve())


def test_progress_is_shown_while_it_runs_and_clear_stops_it(ws, tmp_path, instead):
    progress = 'open(os.environ["MEDTL_PROGRESS"], "w").write(\'{"done": 3, "total": 9}\')'
    instead(f"{progress}\ntime.sleep(60)")
    folder = start_import(ws, tmp_path)
    end = time.monotonic() + 20
    while import_status(folder).total != 9:
        assert time.monotonic() < end
        time.sleep(0.02)
    status = import_status(folder)
    assert (status.state, status.done, status.total) == ("running", 3, 9)
    process = int((folder / "pid").read_text())
    clear(folder)
    while Path(f"/proc/{process}").exists():
        assert time.monotonic() < end + 20
        time.sleep(0.02)
    assert not folder.exists()


def test_a_killed_import_reads_interrupted(ws, tmp_path, instead):
    instead("time.sleep(60)")
    folder = start_import(ws, tmp_path)
    assert import_status(folder).state == "running"
    os.kill(int((folder / "pid").read_text()), signal.SIGKILL)
    assert "interrupted" in wait(folder, "interrupted").message


@pytest.mark.parametrize(
    ("body", "message", "advice"),
    [
        ('print(json.dumps({"error": "No.", "advice": "Do."})); sys.exit(2)', "No.", "Do."),
        ('print("warming up\\nIt failed.", file=sys.stderr); sys.exit(2)', "It failed.", ""),
        ("raise RuntimeError('secret')", "It stopped because of an error in MedTL.", "The details are in"),
    ],
)
def test_a_failure_is_told_in_words(ws, tmp_path, instead, body, message, advice):
    instead(body)
    status = wait(start_import(ws, tmp_path), "failed")
    assert status.message == message and status.advice.startswith(advice)


def test_a_folder_that_is_gone_is_no_crash(tmp_path):
    assert import_status(tmp_path / "gone").state == "interrupted"
    clear(tmp_path / "gone")


def aged(folder: Path) -> None:
    long_ago = time.time() - importing.DAY - 60
    os.utime(folder, (long_ago, long_ago))


def upload(ws, name: str) -> Path:
    folder = ws.spool / f"{importing.UPLOAD}{name}"
    folder.mkdir()
    (folder / "findings.csv").write_text("file,label")
    return folder


def test_what_was_handed_to_an_import_goes_with_it_unless_another_reads_it(ws, tmp_path, instead):
    instead('print(json.dumps({"id": "abc"}))')
    zipped, table = upload(ws, "zip"), upload(ws, "table")
    first = start_import(ws, tmp_path)
    importing.own(first, [zipped, table])
    wait(first, "done")
    second = start_import(ws, tmp_path)
    importing.own(second, importing.uploads(first))
    clear(first, keep_uploads=True)
    assert zipped.exists() and table.exists()
    wait(second, "done")
    clear(second)
    assert not any(ws.spool.iterdir())


def test_an_import_takes_nothing_that_is_no_upload(ws):
    folder, other = ws.spool / "abc", ws.spool / "practice"
    folder.mkdir()
    other.mkdir()
    (folder / importing.USED).write_text("../cohorts practice up-../x . ..")
    assert importing.uploads(folder) == []
    clear(folder)
    assert other.exists() and ws.cohorts.exists()


def test_what_nobody_came_back_for_goes_after_a_day(ws, tmp_path, instead):
    instead('print(json.dumps({"id": "abc"}))')
    over, fresh = start_import(ws, tmp_path), start_import(ws, tmp_path)
    wait(over, "done")
    wait(fresh, "done")
    running = ws.spool / "running"
    running.mkdir()
    alive = (running / importing.ALIVE).open("w")
    fcntl.flock(alive, fcntl.LOCK_EX)
    left, young, read = upload(ws, "left"), upload(ws, "young"), upload(ws, "read")
    importing.own(running, [read])
    for folder in (over, running, left, read):
        aged(folder)
    importing.sweep(ws)
    assert [folder.exists() for folder in (over, left)] == [False, False]
    assert all(folder.exists() for folder in (fresh, running, young, read))
    alive.close()
    aged(running)
    importing.sweep(ws)
    assert not running.exists() and not read.exists()


def test_a_check_of_a_cohort_that_goes_is_stopped_and_no_other(ws, instead):
    instead("time.sleep(60)")
    doomed, other = importing.start_check(ws, "c1"), importing.start_check(ws, "c2")
    process = int((doomed / "pid").read_text())
    importing.stop_checks(ws, {"c1"})
    assert not doomed.exists()
    end = time.monotonic() + 20
    while Path(f"/proc/{process}").exists():
        assert time.monotonic() < end
        time.sleep(0.02)
    assert import_status(other).state == "running"
    clear(other)
