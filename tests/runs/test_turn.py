"""One run computes at a time, in order of creation, also when the one before is killed. With real processes."""

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from medtl.errors import NotFound, NotReady
from medtl.runs import events, locks, status, turn
from medtl.workspace import PROJECT

WORK = """
import sys, time
from pathlib import Path
from medtl.runs import events, store, turn
folder, lock, seconds, delay = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])
time.sleep(delay)
with turn.hold_life(folder):
    tell = lambda position: events.append(folder, "waiting", position=position)
    try:
        with turn.wait_for_turn(folder, lock, lambda: store.stop_requested(folder), tell):
            events.append(folder, "started")
            time.sleep(seconds)
            events.append(folder, "finished")
    except turn.Stopped:
        events.append(folder, "stopped")
"""


class Clinic:
    """A runs folder, and workers that pretend to compute."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.lock = home / "device.lock"
        self.workers: dict[str, subprocess.Popen[bytes]] = {}

    def folder(self, id: str) -> Path:
        return self.home / "runs" / id

    def start(self, id: str, seconds: float = 0.3, delay: float = 0.0) -> Path:
        self.folder(id).mkdir(parents=True)
        events.append(self.folder(id), "queued")
        command = [sys.executable, "-c", WORK, str(self.folder(id)), str(self.lock), str(seconds), str(delay)]
        self.workers[id] = subprocess.Popen(command, cwd=PROJECT)
        return self.folder(id)

    def kill(self, id: str) -> None:
        os.kill(self.workers[id].pid, signal.SIGKILL)
        self.workers[id].wait()

    def first(self, id: str, name: str) -> float:
        return next(float(event["t"]) for event in events.read(self.folder(id)) if event["event"] == name)

    def told(self, id: str) -> list[str]:
        return [event["event"] for event in events.read(self.folder(id))]


@pytest.fixture
def clinic(tmp_path: Path):  # type: ignore[no-untyped-def]  # a generator of Clinic
    clinic = Clinic(tmp_path)
    yield clinic
    for worker in clinic.workers.values():
        worker.kill()
        worker.wait()


def until(true: Callable[[], bool], seconds: float = 15.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)


def test_started_at_once_they_compute_one_after_the_other_in_order_of_creation(clinic: Clinic) -> None:
    # The older ones are slower to show life; being made first still counts.
    for id, delay in (("r-1", 0.4), ("r-2", 0.2), ("r-3", 0.0)):
        clinic.start(id, delay=delay)
    for worker in clinic.workers.values():
        assert worker.wait(20) == 0
    spans = [(clinic.first(id, "started"), clinic.first(id, "finished")) for id in ("r-1", "r-2", "r-3")]
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(spans))
    positions = [event["position"] for event in events.read(clinic.folder("r-3")) if event["event"] == "waiting"]
    assert positions[0] == 2 and positions == sorted(positions, reverse=True)


def test_when_the_one_that_computes_is_killed_the_next_takes_over(clinic: Clinic) -> None:
    first = clinic.start("r-1", seconds=60)
    until(lambda: "started" in clinic.told("r-1"))
    second = clinic.start("r-2")
    until(lambda: "waiting" in clinic.told("r-2"))
    assert status.progress(second).says == "Waiting for the computer: 1 run before this one."
    clinic.kill("r-1")
    assert status.status(first) == "interrupted"
    assert clinic.workers["r-2"].wait(10) == 0
    assert status.status(second) == "finished"


def test_one_that_is_killed_while_it_waits_holds_nobody_up(clinic: Clinic) -> None:
    clinic.start("r-1", seconds=60)
    until(lambda: "started" in clinic.told("r-1"))
    clinic.start("r-2")
    clinic.start("r-3")
    until(lambda: "waiting" in clinic.told("r-2") and "waiting" in clinic.told("r-3"))
    clinic.kill("r-2")
    clinic.kill("r-1")
    assert clinic.workers["r-3"].wait(10) == 0


def test_a_stop_ends_the_wait(clinic: Clinic) -> None:
    clinic.start("r-1", seconds=60)
    until(lambda: "started" in clinic.told("r-1"))
    second = clinic.start("r-2")
    until(lambda: "waiting" in clinic.told("r-2"))
    (second / "stop").touch()
    assert clinic.workers["r-2"].wait(3) == 0
    assert status.status(second) == "stopped"
    assert "started" not in clinic.told("r-2")


def test_old_and_ended_runs_are_nobody_to_wait_for(tmp_path: Path) -> None:
    for id, story in (("r-1", "queued started finished"), ("r-2", "queued failed"), ("r-3", "queued")):
        (tmp_path / "runs" / id).mkdir(parents=True)
        for event in story.split():
            events.append(tmp_path / "runs" / id, event)
    os.utime(tmp_path / "runs" / "r-3" / "events.jsonl", (0, 0))  # queued long ago, never launched
    mine = tmp_path / "runs" / "r-4"
    mine.mkdir()
    waits: list[int] = []
    begun = time.monotonic()
    with turn.hold_life(mine), turn.wait_for_turn(mine, tmp_path / "device.lock", lambda: False, waits.append):
        assert time.monotonic() - begun < 0.5 and waits == []
        assert locks.is_held(tmp_path / "device.lock")
    assert not locks.is_held(tmp_path / "device.lock")


def test_a_run_is_carried_out_by_one_process_only(tmp_path: Path) -> None:
    with turn.hold_life(tmp_path), pytest.raises(NotReady, match="already being carried out"), turn.hold_life(tmp_path):
        pass
    with pytest.raises(NotFound), turn.hold_life(tmp_path / "gone"):
        pass
