"""Trying out a source's pace: once at a time, never beside a run, and the next estimate rests on it."""

import json
import subprocess
import sys

import pytest

from medtl import calibrating
from medtl.errors import NotReady
from medtl.runs import locks
from medtl.sources import library
from medtl.training import cost
from medtl.workspace import Workspace
from tests.builders import ROOT, add_source, wait_until


@pytest.fixture(scope="module")
def ws(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    place = tmp_path_factory.mktemp("calibrating")
    ws = Workspace(place / "home").ensure()
    add_source(ws, place / "source")
    return ws


def test_one_at_a_time_and_never_beside_a_run(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[object] = []
    monkeypatch.setattr(calibrating.subprocess, "Popen", lambda *a, **_: started.append(a))
    for lock in (ws.device_lock, ws.calibration_lock):
        with locks.held(lock):
            assert not calibrating.begin(ws, "tiny-source")
            with pytest.raises(NotReady):
                calibrating.run(ws, ["tiny-source"])
    assert not calibrating.begin(ws, "no-such")
    assert not started and not ws.speed_file.exists()


def test_the_next_estimate_rests_on_it(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    source = library.sources(ws)["tiny-source"]
    assert calibrating.wanted(ws, source)
    command = [sys.executable, "-m", "medtl", "--json", "--home", str(ws.home), "calibrate", "--source", source.id]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900)
    assert answer.returncode == 0, answer.stderr
    (said,) = json.loads(answer.stdout)["sources"]
    assert said["source"] == source.id and said["forward"] > said["training"] > 0 and said["says"]
    known = cost.speed_of(ws, source)
    assert known.forward_basis == known.training_basis == "calibrated"
    assert known.forward == pytest.approx(said["forward"] * source.outline.gflop, rel=0.05)
    assert not calibrating.wanted(ws, source)
    assert not calibrating.begin(ws, source.id)  # nothing left to find out


def test_begin_returns_at_once_and_the_outcome_is_found_later(ws: Workspace) -> None:
    ws.speed_file.unlink(missing_ok=True)
    assert calibrating.begin(ws, "tiny-source")
    source = library.sources(ws)["tiny-source"]
    wait_until(lambda: not calibrating.wanted(ws, source), 900)
    wait_until(lambda: not locks.is_held(ws.calibration_lock), 60)
