"""Many images in a process of their own: followed from its folder, stopped with what was answered, and cleared away."""

from pathlib import Path

import pytest

from medtl import batches
from medtl.cohorts import importing
from tests.builders import wait_until
from tests.conftest import Practice


def images(practice: Practice, folder: Path, times: int) -> Path:
    folder.mkdir()
    for n, case in enumerate(practice.cohort.split.test * times):
        (folder / f"-i{n:05}.png").write_bytes(practice.original(case).read_bytes())
    return folder


def test_it_goes_through_and_leaves_a_table(practice: Practice, tmp_path: Path) -> None:
    folder = batches.start(practice.ws, practice.run, [images(practice, tmp_path / "set", 2)], pool="mean", log=False)
    wait_until(lambda: batches.status(folder).state != "running")
    found = batches.status(folder)
    assert (found.state, found.done) == ("done", found.total) and found.counts["images"] == found.total
    lines = found.table.read_text().splitlines()
    assert len(lines) == 1 + found.counts["images"] + found.counts["pooled"]
    assert str(tmp_path) not in found.table.read_text()
    batches.clear(folder)
    assert not folder.exists()


def test_stopped_it_keeps_what_was_answered(practice: Practice, tmp_path: Path) -> None:
    folder = batches.start(practice.ws, practice.run, [images(practice, tmp_path / "set", 150)], log=False)
    wait_until(lambda: batches.status(folder).done > 0)
    batches.stop(folder)
    wait_until(lambda: batches.status(folder).state != "running")
    found = batches.status(folder)
    assert found.state == "stopped" and 0 < found.counts["images"] < found.total
    assert len(found.table.read_text().splitlines()) == 1 + found.counts["images"]
    batches.clear(folder)


@pytest.mark.parametrize("run", ["r-0", "--help"])
def test_what_is_wrong_is_said(practice: Practice, tmp_path: Path, run: str) -> None:
    folder = batches.start(practice.ws, run, [tmp_path / "gone"])
    wait_until(lambda: batches.status(folder).state != "running")
    found = batches.status(folder)
    assert found.state == "failed" and found.message == "There is no such run." and found.advice
    importing.clear(folder)
