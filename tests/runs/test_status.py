"""The status is a function of the folder alone, and the progress is drawn from any subset of the events."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from medtl.runs import events, locks, status, store
from medtl.runs.status import Progress
from medtl.workspace import PROJECT

STORY: list[dict[str, Any]] = [
    {"event": "queued"},
    {"event": "waiting", "position": 2},
    {"event": "started", "device": "cpu", "cores": 2, "versions": {}},
    {"event": "phase", "phase": "read", "says": "Reading the images.", "done": 0, "total": 780},
    {"event": "phase", "phase": "read", "says": "Reading the images.", "done": 390, "total": 780},
    {"event": "epoch", "epoch": 1, "epochs": 4, "train_loss": 0.7, "tune_loss": 0.6, "tune_auroc": 0.8, "best": True,
     "seconds": 10.0, "plan_step": 1},
    {"event": "note", "message": "Out of memory: the batch was halved."},
    {"event": "step", "epoch": 2, "epochs": 4, "step": 5, "steps": 10, "loss": 0.5, "plan_step": 1},
]  # fmt: skip


def tell(folder: Path, *told: dict[str, Any], ago: float = 0.0) -> Path:
    """Write events 10 s apart that ended `ago` seconds before now."""
    with (folder / "events.jsonl").open("a") as file:
        for i, event in enumerate(told):
            before = ago + 10.0 * (len(told) - 1 - i)
            at = (datetime.now(UTC) - timedelta(seconds=before)).isoformat()
            file.write(json.dumps({"at": at, "t": time.monotonic() - before, **event}) + "\n")
    return folder


def living(folder: Path) -> Progress:
    with locks.held(folder / "worker.lock"):
        return status.progress(folder)


@pytest.mark.parametrize(
    "told, alive, wanted",
    [
        ("queued", False, "waiting"),
        ("queued", True, "waiting"),
        ("queued waiting", True, "waiting"),
        ("queued waiting", False, "waiting"),
        ("queued started", True, "running"),
        ("queued waiting started step", True, "running"),
        ("queued started step", False, "interrupted"),
        ("queued started finished", False, "finished"),
        ("queued started stopped", True, "stopped"),
        ("queued started stopped evaluated", False, "stopped"),
        ("queued started stopped finished", False, "finished"),
        ("queued started failed", False, "failed"),
        ("queued started failed queued", False, "waiting"),
        ("queued started stopped queued", True, "waiting"),
        ("queued started failed queued waiting started resumed", True, "running"),
        ("queued started stopped resumed", True, "running"),
        ("queued started failed queued started", False, "interrupted"),
        ("", False, "interrupted"),
        ("", True, "waiting"),
    ],
)
def test_six_outcomes(tmp_path: Path, told: str, alive: bool, wanted: str) -> None:
    for event in told.split():
        events.append(tmp_path, event)
    assert (living(tmp_path).status if alive else status.status(tmp_path)) == wanted
    assert status.progress(tmp_path).status == status.status(tmp_path)


def test_a_run_that_never_showed_life_is_lost_after_15_seconds(tmp_path: Path) -> None:
    assert status.status(tell(tmp_path, {"event": "queued"}, ago=10)) == "waiting"
    tell(tmp_path, {"event": "queued"}, ago=16)
    assert status.status(tmp_path) == "interrupted"
    assert "Resume" in status.progress(tmp_path).advice


def test_setting_the_clock_does_not_lose_a_new_run(tmp_path: Path) -> None:
    hour = timedelta(hours=1)
    for at in (datetime.now(UTC) - hour, datetime.now(UTC) + hour):
        tell(tmp_path, {"event": "queued", "at": at.isoformat()})
        assert status.status(tmp_path) == "waiting"


def test_any_subset_of_the_events_is_drawn(tmp_path: Path) -> None:
    ends: list[dict[str, Any]] = [
        {"event": "finished", "seconds": 41.0},
        {"event": "failed", "message": "No.", "advice": "Do."},
    ]
    for number, kept in enumerate(itertools.product([True, False], repeat=len(STORY))):
        folder = tmp_path / str(number)
        folder.mkdir()
        tell(folder, *itertools.compress(STORY, kept), *(ends[:1] if number % 3 == 0 else []))
        for seen in (status.progress(folder), living(folder)):
            assert seen.says
            assert seen.fraction is None or 0 <= seen.fraction <= 1
            assert seen.seconds_left is None or seen.seconds_left >= 0


@pytest.mark.parametrize("wrong", [{"epoch": "x"}, {"epochs": 0}, {"steps": None}, {"total": 0}, {"done": "many"}])
def test_odd_facts_do_not_break_the_page(tmp_path: Path, wrong: dict[str, Any]) -> None:
    assert living(tell(tmp_path, *({**event, **wrong} for event in STORY))).says


def test_the_headline_of_training(tmp_path: Path) -> None:
    seen = living(tell(tmp_path, *STORY))
    assert seen.says == "Epoch 2 of 4, about 25 s left"  # 2.5 epochs of 10 s are to come
    assert seen.fraction == pytest.approx(1.5 / 4)
    assert seen.seconds_left == pytest.approx(25)
    assert seen.phase == "fit" and seen.plan_step == 1
    assert seen.notes == ("Out of memory: the batch was halved.",)
    assert [(point.epoch, point.tune_auroc, point.best) for point in seen.history] == [(1, 0.8, True)]


def test_a_second_training_is_told_and_counted_from_the_start(tmp_path: Path) -> None:
    """Where the tune part is learned from in the end: half of the way is behind when the second training begins."""
    twice = [{**event, "turns": 2} if event["event"] in ("step", "epoch") else event for event in STORY]
    first = living(tell(tmp_path, *twice))
    assert first.fraction == pytest.approx((1 + 0.5) / 4 / 2) and first.says.startswith("Epoch 2 of 4")
    assert first.seconds_left == pytest.approx((1 - first.fraction) * 2 * 4 * 10)
    again = {"event": "step", "epoch": 1, "epochs": 4, "step": 5, "steps": 10, "plan_step": 1, "turn": 2, "turns": 2}
    second = living(tell(tmp_path, again))
    assert second.fraction == pytest.approx(0.5 + 0.125 / 2)
    assert second.says.startswith("Once more, with the tuning part: epoch 1 of 4")


def test_the_headline_of_a_phase(tmp_path: Path) -> None:
    seen = living(tell(tmp_path, *STORY[:5]))
    assert seen.says == "Reading the images, 390 of 780, about 10 s left"
    assert seen.phase == "read" and seen.fraction == 0.5


def test_the_headline_of_waiting(tmp_path: Path) -> None:
    seen = living(tell(tmp_path, *STORY[:2]))
    assert (seen.status, seen.position) == ("waiting", 2)
    assert seen.says == "Waiting for the computer: 2 runs before this one."


def test_stopping_is_said_at_once_and_the_evaluation_after_it_too(tmp_path: Path) -> None:
    tell(tmp_path, *STORY)
    store.request_stop(tmp_path)
    assert living(tmp_path).says == "Stopping, and keeping the best so far."
    tell(tmp_path, {"event": "stopped", "says": "Stopped after epoch 1 of 4."})
    after = living(tmp_path)
    assert (after.status, after.alive) == ("stopped", True)
    assert after.says == "Stopped after epoch 1 of 4. Now trying what was kept on the test part."
    assert status.progress(tmp_path).says == "Stopped after epoch 1 of 4."


def test_a_resumed_run_keeps_its_own_pace_and_does_its_last_epochs_over(tmp_path: Path) -> None:
    epoch = {"event": "epoch", "epochs": 10, "best": False, "seconds": 100.0, "tune_loss": 1.0}
    tell(tmp_path, STORY[0], STORY[2], *({**epoch, "epoch": k} for k in (1, 2, 3)))
    tell(tmp_path, {"event": "queued"}, {"event": "started"}, {"event": "resumed", "epoch": 2})
    assert [point.epoch for point in living(tmp_path).history] == [1, 2]
    tell(tmp_path, {**epoch, "epoch": 3, "seconds": 2.0, "tune_loss": 0.5})
    seen = living(tmp_path)
    assert [(point.epoch, point.tune_loss) for point in seen.history] == [(1, 1.0), (2, 1.0), (3, 0.5)]
    assert seen.seconds_left == pytest.approx(14)


def test_a_failure_shows_its_message_and_advice(tmp_path: Path) -> None:
    seen = status.progress(
        tell(tmp_path, *STORY, {"event": "failed", "message": "The disk is full.", "advice": "Free."})
    )
    assert (seen.says, seen.message, seen.advice) == ("The disk is full.", "The disk is full.", "Free.")


@pytest.mark.parametrize(
    "seconds, words",
    [(0.2, "1 s"), (7.4, "7 s"), (41, "40 s"), (56.9, "55 s"),
     (58, "1 min"), (200, "3 min"), (3600, "1 h"), (4830, "1 h 20 min")],
)  # fmt: skip
def test_durations_as_people_say_them(seconds: float, words: str) -> None:
    assert status.duration(seconds) == words


HOLD = """
import sys, time
from pathlib import Path
from medtl.runs import events, turn
folder = Path(sys.argv[1])
with turn.hold_life(folder):
    events.append(folder, "started")
    print("up", flush=True)
    time.sleep(60)
"""


def test_kill_9_reads_interrupted_at_once_and_looking_never_hurts_the_worker(tmp_path: Path) -> None:
    events.append(tmp_path, "queued")
    worker = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], cwd=PROJECT, stdout=subprocess.PIPE)
    try:
        while status.status(tmp_path) == "waiting":  # a page polling as fast as it can
            assert worker.poll() is None
        assert worker.stdout is not None and worker.stdout.readline() == b"up\n"
        assert status.status(tmp_path) == "running"
    finally:
        os.kill(worker.pid, signal.SIGKILL)
        worker.communicate()
    assert status.status(tmp_path) == "interrupted"
