"""Beside a result: guards that are never hidden, a learning curve, and cross-validation that can be stopped."""

import json
from pathlib import Path

import pytest

from medtl import start
from medtl.errors import BadInput, NotReady
from medtl.runs import events, results, status, store
from tests.builders import estimates, spawned, told, wait_until, work
from tests.conftest import Practice

QUICK = {"epochs": 1, "batch": 12}


@pytest.fixture(scope="module")
def probe(practice: Practice) -> Path:
    """A linear probe as a user would run it, with its further looks at every picture."""
    folder = practice.ws.run(
        start.start(practice.ws, practice.cohort.id, practice.source, "linear-probe", launch=False)
    )
    assert work(folder) == 0, (folder / "log.txt").read_text()
    return folder


@pytest.fixture(scope="module")
def tuned(practice: Practice, probe: Path) -> Path:
    """A finished fine-tuning, cross-validated as was wished when it was started."""
    run = start.start(practice.ws, practice.cohort.id, practice.source, "fine-tune", settings=QUICK, launch=False)
    folder = practice.ws.run(run)
    store.wish_cross_validation(folder, 1)
    assert work(folder) == 0, (folder / "log.txt").read_text()
    return folder


def test_an_adapted_network_stands_beside_thumbnails_and_the_frozen_probe(tuned: Path, probe: Path) -> None:
    found = results.load(tuned)
    assert [guard.name for guard in found.guards] == ["thumbnails", "linear-probe"] and found.guards[0] == found.control
    # The probe a user would run, whose further looks at the pictures are known from the run of it.
    guard, own = found.guards[1], results.load(probe).estimate("auroc")
    assert guard.auroc and own and guard.auroc.value == pytest.approx(own.value, abs=1e-9)
    ours = found.estimate("auroc")
    assert ours and guard.difference.value == pytest.approx(ours.value - own.value, abs=1e-9)
    assert guard.verdict in ("helps", "no difference seen", "hurts") and "training only the last layer" in guard.says


def test_the_probe_has_no_guard_of_its_own_kind(practice: Practice) -> None:
    assert [guard.name for guard in results.load(practice.folder).guards] == ["thumbnails"]


def test_what_hurts_is_a_caveat(tuned: Path, practice: Practice) -> None:
    for folder in (tuned, practice.folder):
        found = results.load(folder)
        for guard in found.guards:
            assert (guard.says in found.caveats) == (guard.verdict == "hurts")


def test_a_control_that_hurts_later_is_a_caveat_too(tuned: Path, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / tuned.name
    shutil.copytree(tuned, copy)
    later = estimates(copy)["control"] | {"name": "from-scratch", "run": "r-x", "verdict": "hurts", "says": "Lower."}
    (copy / "result" / "control.json").write_text(json.dumps(later))
    found = results.load(copy)
    assert [guard.name for guard in found.guards] == ["thumbnails", "linear-probe", "from-scratch"]
    assert found.control and found.control.name == "from-scratch" and "Lower." in found.caveats


def test_a_small_cohort_under_a_frozen_source_is_cross_validated_unasked(practice: Practice) -> None:
    found = results.load(practice.folder).cross_validated
    assert found and found.n == len(practice.cohort.cases) and len(found.spread) == 5 and found.folds == 5
    assert found.low <= found.value <= found.high and "5 folds, 5 times; bootstrap by patient" in found.how


def test_the_learning_curve_comes_after_the_result(practice: Practice, tuned: Path) -> None:
    for folder, adapted in ((practice.folder, False), (tuned, True)):
        found = results.load(folder).learning_curve
        assert found and found.says and found.judged_on == "out of fold"
        assert any("not of the adapted network" in note for note in found.notes) == adapted
        result = folder / "result"
        assert (result / "learning_curve.json").stat().st_mtime >= (result / "estimates.json").stat().st_mtime


def test_an_adapting_plan_is_cross_validated_on_wish_and_says_how_far_it_is(tuned: Path, practice: Practice) -> None:
    found = results.load(tuned).cross_validated
    assert found and len(found.spread) == 1 and found.n == len(practice.cohort.cases)
    names = told(tuned)
    assert names.index("finished") < names.index("resumed") and names[-1] == "finished"
    phases = [e for e in events.read(tuned) if e.get("phase") == "cross-validation"]
    assert phases and phases[-1]["done"] == phases[-1]["total"] == 5
    assert not store.cross_validation_wished(tuned) and not (tuned / "cross-validation").exists()


def test_a_finished_run_is_cross_validated_later_and_what_was_interrupted_goes_on(
    tuned: Path, practice: Practice
) -> None:
    folder, before = tuned, estimates(tuned)
    start.cross_validate(practice.ws, folder.name, 2, launch=False)
    with spawned(folder) as worker:
        wait_until(lambda: len(list((folder / "cross-validation").glob("*.npy"))) >= 2)
        assert status.status(folder) == "running"
        worker.kill()
        worker.wait()
    assert status.status(folder) == "interrupted" and results.load(folder).estimates
    kept = {file.name: file.stat().st_mtime for file in (folder / "cross-validation").glob("[0-9]*.npy")}
    store.requeue(folder)
    with spawned(folder):
        wait_until(lambda: len(list((folder / "cross-validation").glob("*.npy"))) > len(kept))
        assert all((folder / "cross-validation" / name).stat().st_mtime == at for name, at in kept.items())
        store.request_stop(folder)
        wait_until(lambda: not status.alive(folder))
    assert status.status(folder) == "finished" and estimates(folder) == before


def test_what_cannot_be_cross_validated_is_said(practice: Practice) -> None:
    with pytest.raises(BadInput):
        start.cross_validate(practice.ws, practice.run, 0)
    run = start.start(practice.ws, practice.cohort.id, practice.source, "fine-tune", launch=False)
    with pytest.raises(NotReady):
        start.cross_validate(practice.ws, run, 1)
    assert start.cross_validation_takes(practice.ws, run, 2) > start.cross_validation_takes(practice.ws, run, 1) > 0
    store.delete(practice.ws, run)
    assert status.status(practice.folder) == "finished"
