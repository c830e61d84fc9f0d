"""The processes that open untrusted files: what they answer, and that nothing a file does reaches anybody else."""

import os
import threading
import time
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from medtl.cohorts import limits, reading
from medtl.cohorts.archive import Place
from medtl.cohorts.formats import images
from medtl.cohorts.pixels import Pixels, Shard, assemble
from medtl.errors import BadInput
from medtl.vocabulary import Reading


@pytest.fixture
def desk(tmp_path: Path):
    (tmp_path / "cohort").mkdir(parents=True)
    setup = {
        "desk": "keep",
        "folder": str(tmp_path / "cohort"),
        "salt": "11" * 32,
        "names": "replaced",
        "keep_key": False,
        "reading": vars(Reading()),
    }
    numbers = count()

    def ask(jobs):
        return {answer["job"]: answer for answer in reading.answers(setup, jobs, lambda: f"shard-{next(numbers)}")}

    return ask


def job(number: int, path: Path, **more):
    return reading.job(number, path.name, Place(str(path)), **more)


def test_every_file_has_one_answer_and_its_picture_is_in_the_shard(desk, tmp_path, noise, encoded):
    paths = [tmp_path / f"{n}.png" for n in range(40)]
    for n, path in enumerate(paths):
        path.write_bytes(encoded(noise(n)))
    found = desk([job(n, path) for n, path in enumerate(paths)])
    assert sorted(found) == list(range(40))
    shards: dict[str, dict] = {}
    for n, answer in found.items():
        (case,) = answer["cases"]
        pack, start, size = answer["originals"][case["at"]]
        stored = (tmp_path / "cohort" / pack).read_bytes()[start : start + size]
        assert np.array_equal(images.read(stored, case["at"]).pixels, noise(n))
        shards.setdefault(answer["shard"], {})[str(n)] = case["row"]
    assemble(tmp_path / "cohort", [Shard(tmp_path / "cohort" / name, rows) for name, rows in shards.items()])
    pixels = Pixels(tmp_path / "cohort")
    assert all(np.array_equal(pixels.image(str(n)), noise(n)) for n in range(40))
    assert set(pixels.looks) == set(pixels.stored)


def test_a_file_that_hangs_costs_itself_and_nobody_else(desk, tmp_path, noise, encoded, monkeypatch):
    monkeypatch.setattr(limits, "PARSE_SECONDS", 1.5)
    good = [tmp_path / f"{n}.png" for n in range(6)]
    for n, path in enumerate(good):
        path.write_bytes(encoded(noise(n)))
    os.mkfifo(tmp_path / "hangs.png")  # opening it waits for a writer who never comes
    paths = [*good[:3], tmp_path / "hangs.png", *good[3:]]
    found = desk([job(n, path) for n, path in enumerate(paths)])
    assert "seconds" in found[3]["skipped"][0] and found[3]["skipped"][1]
    assert all("cases" in answer for n, answer in found.items() if n != 3)


def test_a_file_at_which_the_process_dies_is_named_and_the_rest_goes_on(desk, tmp_path, noise, encoded):
    paths = [tmp_path / f"{n}.png" for n in range(5)]
    for n, path in enumerate(paths):
        path.write_bytes(encoded(noise(n)))
    jobs = [job(n, path) for n, path in enumerate(paths)]
    del jobs[2]["path"]  # nothing in the process expects that: it ends with a traceback nobody sees
    found = desk(jobs)
    assert "sudden end" in found[2]["skipped"][0]
    assert all("cases" in answer for n, answer in found.items() if n != 2)


def test_bad_files_are_told_in_words(desk, tmp_path):
    (tmp_path / "text.png").write_text("hello")
    assert "does not hold" in desk([job(0, tmp_path / "text.png")])[0]["skipped"][0]


@pytest.mark.skipif(not Path("/proc/self/limits").exists(), reason="needs Linux")
def test_the_process_is_limited_and_has_loaded_no_network_library(tmp_path, noise, encoded):
    (tmp_path / "a.png").write_bytes(encoded(noise(0)))
    with reading.shower() as shower:
        shower.picture(tmp_path / "a.png")
        process = shower._crew.child.process.pid
        limit = next(
            line for line in Path(f"/proc/{process}/limits").read_text().splitlines() if "address space" in line
        )
        assert str(limits.PARSE_MEMORY) in limit
        assert "libtorch" not in Path(f"/proc/{process}/maps").read_text()
    assert not Path(f"/proc/{process}").exists()


def test_a_picture_is_shown_as_a_cohort_would_keep_it(tmp_path, noise, encoded):
    (tmp_path / "a.png").write_bytes(encoded(noise(0, (700, 1100))))
    with reading.shower() as shower:
        picture, facts = shower.picture(tmp_path / "a.png")
        assert picture.shape == (326, 512) and facts["width"] == 1100
        full, _ = shower.picture(tmp_path / "a.png", full=True)
        assert np.array_equal(full, noise(0, (700, 1100)))
        (tmp_path / "b.png").write_text("no")
        with pytest.raises(BadInput, match="does not hold"):
            shower.picture(tmp_path / "b.png")


def test_waiting_for_work_is_no_hanging(tmp_path, noise, encoded, monkeypatch):
    """A process that stays warm may wait longer than any file may take."""
    (tmp_path / "a.png").write_bytes(encoded(noise(0)))
    monkeypatch.setattr(limits, "PARSE_SECONDS", 1.0)
    with reading.shower() as shower:
        shower.picture(tmp_path / "a.png")
        time.sleep(4)
        assert shower.picture(tmp_path / "a.png")[0].shape == (24, 32)


def test_who_stops_listening_leaves_no_process_behind(desk, tmp_path, noise, encoded):
    paths = [tmp_path / f"{n}.png" for n in range(64)]
    for n, path in enumerate(paths):
        path.write_bytes(encoded(noise(n)))
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    before = children.read_text().split() if children.exists() else []
    setup = {"desk": "show", "reading": vars(Reading())}
    answers = reading.answers(setup, [job(n, path) for n, path in enumerate(paths)], lambda: "")
    next(answers)
    answers.close()
    if children.exists():
        assert set(children.read_text().split()) <= set(before)


def test_who_dies_in_the_middle_of_a_handful_has_told_what_was_done_and_the_rest_is_asked_again(
    tmp_path, noise, encoded
):
    """What was told before the end counts once and is not read again; of the rest, only the culprit is skipped."""
    paths = [tmp_path / f"{n}.png" for n in range(8)]
    for n, path in enumerate(paths):
        path.write_bytes(encoded(noise(n)))
    slow = encoded(noise(2))
    paths[2].unlink()
    os.mkfifo(paths[2])  # its bytes come late, and so what is done by then is told; a second reading would hang

    def write_late() -> None:
        with paths[2].open("wb") as out:
            time.sleep(0.6)
            out.write(slow)

    jobs = [job(n, path) for n, path in enumerate(paths)]
    del jobs[4]["path"]  # the process ends with a traceback nobody sees
    (tmp_path / "cohort").mkdir()
    setup = {"desk": "keep", "folder": str(tmp_path / "cohort"), "salt": "11" * 32, "names": "replaced"}
    setup |= {"keep_key": False, "reading": vars(Reading())}
    numbers = count()
    crew = reading._Crew(setup, lambda: f"shard-{next(numbers)}", threading.Event())
    writer = threading.Thread(target=write_late, daemon=True)
    writer.start()
    try:
        told = list(crew.answers(jobs))
    finally:
        crew.dismiss()
    writer.join(5)
    assert {0, 1, 2} <= {answer["job"] for answer in told[0]} and len(told) > 1
    found = [answer for handful in told for answer in handful]
    assert sorted(answer["job"] for answer in found) == list(range(8))
    assert [answer["job"] for answer in found if "skipped" in answer] == [4]
    assert "sudden end" in next(answer for answer in found if answer["job"] == 4)["skipped"][0]
    first = {answer["job"] for answer in found if answer.get("shard") == "shard-0"}
    assert {0, 1, 2} <= first <= {0, 1, 2, 3}
