"""The child process that knows torch: it answers, it may die, and what goes wrong comes back in words."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from medtl.consulting import Consultant
from medtl.errors import MedtlError
from medtl.runs import results
from medtl.sources import library
from medtl.workspace import Workspace
from tests.builders import write_weights
from tests.conftest import Practice


@pytest.fixture(scope="module")
def consultant(practice: Practice) -> Iterator[Consultant]:
    consultant = Consultant(practice.ws)
    yield consultant
    consultant.close()


def process_of(consultant: Consultant) -> int:
    assert consultant._runs.process is not None
    return consultant._runs.process.pid


def test_it_predicts_as_the_run_is_stored(consultant: Consultant, practice: Practice) -> None:
    row = next(row for row in results.predictions(practice.folder) if row.part == "test")
    answer = consultant.predict(practice.run, [str(practice.original(row.case))], "predicted")["predictions"][0]
    assert answer["predicted"] == row.predicted and answer["scores"]["malignant"] == pytest.approx(
        row.scores["malignant"], abs=1e-4
    )
    assert set(answer) >= {"file", "predicted", "scores", "set", "accepted", "why_not", "explanation", "picture"}
    assert Path(answer["picture"]).is_file() and Path(answer["picture"]).parent == practice.ws.spool
    assert answer["explanation"]["state"] != "invalid" and answer["explanation"]["method"] == "Grad-CAM"


def test_one_picture_of_what_was_asked_about_is_explained_alone(consultant: Consultant, practice: Practice) -> None:
    paths = [str(practice.original(case)) for case in practice.cohort.split.test[:2]]
    said = consultant.predict(practice.run, paths, pool="mean", log=False)
    assert [one["given"] for one in said["predictions"][:2]] == [0, 1] and said["run"]["gate"]
    wanted = said["predictions"][1]
    only = {"file": wanted["file"], "frame": wanted["frame"]}
    (one,) = consultant.predict(practice.run, paths, "malignant", only=only, log=False)["predictions"]
    assert one["sha256"] == wanted["sha256"] and one["explanation"]["label"] == "malignant"


def test_it_explains_a_stored_case(consultant: Consultant, practice: Practice) -> None:
    said = consultant.explain(practice.run, practice.cohort.split.test[0], "malignant")
    assert said["label"] == "malignant" and said["state"] != "invalid"
    json.dumps(said)


def test_it_shows_what_augmentation_does(consultant: Consultant, practice: Practice) -> None:
    said = consultant.augment(practice.cohort.id, "mild")
    assert {one["case"] for one in said} <= set(practice.cohort.split.train)
    assert all(Path(path).is_file() for one in said for path in (one["original"], *one["changed"]))


def test_what_goes_wrong_comes_as_words(consultant: Consultant, practice: Practice, tmp_path: Path) -> None:
    for run in ("r-0", "../x"):
        with pytest.raises(MedtlError) as error:
            consultant.predict(run, [], None)
        assert error.value.message == "There is no such run." and error.value.advice
    with pytest.raises(MedtlError) as error:
        consultant.explain(practice.run, "no-such-case", "malignant")
    assert "case" in error.value.message
    (tmp_path / "w.pt").write_bytes(b"PK\x03\x04")
    with pytest.raises(MedtlError) as error:
        consultant.add_source(str(tmp_path / "w.pt"), "resnet18", "Mine")
    assert "can run code" in error.value.message
    assert consultant.predict(practice.run, [str(tmp_path / "gone.png")])["predictions"][0]["why_not"]


def test_something_unexpected_ends_neither_process(consultant: Consultant, practice: Practice) -> None:
    before = process_of(consultant)
    with pytest.raises(MedtlError) as error:
        consultant._runs.ask(ask="predict", run=practice.run)  # no paths at all
    assert "unexpected" in error.value.message and "Traceback" not in str(error.value)
    with pytest.raises(MedtlError):
        consultant._runs.ask(ask="what is the weather")
    assert process_of(consultant) == before
    consultant.explain(practice.run, practice.cohort.split.test[0], "benign")


def test_a_source_can_be_added(consultant: Consultant, practice: Practice, tmp_path: Path) -> None:
    path = write_weights(tmp_path / "w.safetensors")
    said = consultant.add_source(str(path), "mobilenet_v3_small", "From the consultant")
    assert "tensors matched" in said["report"]
    assert library.sources(practice.ws)[said["id"]].available
    library.delete(practice.ws, said["id"])
    assert consultant._files.process is None  # gone with its answer


def test_nobody_who_asks_about_a_run_waits_for_a_file(consultant: Consultant, practice: Practice) -> None:
    with consultant._files._lock:  # as while a file is looked through
        assert consultant.explain(practice.run, practice.cohort.split.test[0], "malignant")["label"] == "malignant"


def test_killed_it_is_back_with_the_next_question(consultant: Consultant, practice: Practice) -> None:
    first = process_of(consultant)
    os.kill(first, signal.SIGKILL)
    said = consultant.explain(practice.run, practice.cohort.split.test[0], "malignant")
    assert said["label"] == "malignant" and process_of(consultant) != first


def test_it_ends_with_whoever_asked(consultant: Consultant) -> None:
    process = consultant._runs.process
    assert process is not None and process.stdin is not None
    process.stdin.close()  # as when the server dies
    assert process.wait(20) == 0


def test_what_cannot_start_is_said_and_warming_is_silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    consultant = Consultant(Workspace(tmp_path))
    with pytest.raises(MedtlError) as error:
        consultant.predict("r-1", [])
    assert "ended twice" in error.value.message and error.value.advice
    consultant._quietly_warm(None)
    consultant.close()
