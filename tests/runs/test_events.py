"""Events are only appended, whole lines; a broken line costs itself and nothing else."""

import json
import multiprocessing
from pathlib import Path

import pytest

from medtl.runs import events


def test_what_is_appended_is_read_in_order_with_both_clocks(tmp_path: Path) -> None:
    assert events.read(tmp_path) == []
    for step in range(3):
        events.append(tmp_path, "step", step=step, note="Ü\n2028:\u2028")
    told = events.read(tmp_path)
    assert [event["step"] for event in told] == [0, 1, 2]
    assert all(event["note"] == "Ü\n2028:\u2028" for event in told)
    assert [event["t"] for event in told] == sorted(event["t"] for event in told)
    assert told[0]["at"].endswith("+00:00")


@pytest.mark.parametrize("torn", [b'{"event": "st', b"\xff\xfe", b"{}", b"7", b'{"event": 3}', b"\xc3"])
def test_a_torn_line_is_skipped_and_does_not_swallow_the_next(tmp_path: Path, torn: bytes) -> None:
    events.append(tmp_path, "queued")
    with (tmp_path / "events.jsonl").open("ab") as file:
        file.write(torn)
    assert [event["event"] for event in events.read(tmp_path)] == ["queued"]
    events.append(tmp_path, "started")
    assert [event["event"] for event in events.read(tmp_path)] == ["queued", "started"]


def test_unwanted_events_are_passed_over(tmp_path: Path) -> None:
    for name in ("queued", "step", "phase", "step_done", "finished"):
        events.append(tmp_path, name)
    told = events.read(tmp_path, skip=("step", "phase"))
    assert [event["event"] for event in told] == ["queued", "step_done", "finished"]


def test_every_line_is_json_as_others_read_it(tmp_path: Path) -> None:
    numpy = pytest.importorskip("numpy")
    events.append(
        tmp_path, "epoch", train_loss=float("nan"), tune_loss=numpy.float32(0.5), k=numpy.int64(3), p=tmp_path
    )
    line = (tmp_path / "events.jsonl").read_text()
    parsed = json.loads(line, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
    assert parsed["train_loss"] is None and parsed["tune_loss"] == 0.5 and parsed["k"] == 3


def _write_many(folder: Path, who: int) -> None:
    for i in range(200):
        events.append(folder, "step", who=who, i=i)


def test_two_writers_do_not_mix_their_lines(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write_many, args=(tmp_path, who)) for who in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(30)
    told = events.read(tmp_path)
    assert [e["i"] for e in told if e["who"] == 0] == [e["i"] for e in told if e["who"] == 1] == list(range(200))
