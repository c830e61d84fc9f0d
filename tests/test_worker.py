"""The worker as the clinic meets it: a process of its own that is stopped, killed, resumed, and takes its turn."""

import csv
import dataclasses
import hashlib
import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from medtl import start, strategies
from medtl.cohorts import library as cohorts
from medtl.errors import BadInput, NotReady
from medtl.prediction import Trained
from medtl.runs import events, results, status, store
from medtl.sources import library
from medtl.training import cost, hindsight
from medtl.workspace import Workspace, write_whole
from tests.builders import add_cohort, estimates, spawned, told, wait_until, work
from tests.conftest import Practice

RESULT_FILES = {
    "weights.safetensors",
    "card.toml",
    "predictions.csv",
    "estimates.json",
    "curves.json",
    "gate.npz",
    "neighbours.npz",
    "statistics.npz",
    "seen.npz",
}
# Quick where every epoch counts, endless where a test ends it.
SHORT = {"epochs": 3, "batch": 12, "rate": 3e-4, "freeze": 3, "hidden": 32}
ENDLESS = {"epochs": 100, "batch": 12, "patience": 100}


def weights(folder: Path) -> str:
    """The hash of what a run learned."""
    return hashlib.sha256((folder / "result" / "weights.safetensors").read_bytes()).hexdigest()


def make_run(practice: Practice, strategy: str = "linear-probe", settings: Any = None, **more: Any) -> Path:
    run = start.start(
        practice.ws, practice.cohort.id, practice.source, strategy, settings=settings, launch=False, **more
    )
    return practice.ws.run(run)


@pytest.fixture(autouse=True)
def nobody_else_computes(practice: Practice) -> Iterator[None]:
    """Tests run one after the other: a run left alone would hold up the next one."""
    yield
    for summary in store.runs(practice.ws):
        assert not status.alive(practice.ws.run(summary.id))


# ---- what a finished run leaves -------------------------------------------------------------------------------------


def test_a_finished_run_has_every_file(practice: Practice) -> None:
    assert status.status(practice.folder) == "finished"
    assert {file.name for file in (practice.folder / "result").iterdir()} >= RESULT_FILES
    names = told(practice.folder)
    assert names[0] == "queued" and names[-1] == "finished"
    assert names.index("started") < names.index("phase") < names.index("evaluated")
    assert not list(practice.folder.glob(".*"))  # nothing half-written


def test_a_run_used_as_a_source_on_its_own_images_says_that_the_numbers_look_too_good(
    practice: Practice, tmp_path: Path
) -> None:
    """It was trained on the train part; where those images are the test part of another cohort, they are known."""
    part = practice.cohort.split.part_of()
    other = {"train": "test", "tune": "tune", "test": "train"}
    rows = [f"{case.name},{other[part[case.id]]}" for case in practice.cohort.cases]
    write_whole(tmp_path / "split.csv", "\n".join(["file,part", *rows]))
    turned = add_cohort(practice.ws, tmp_path / "pictures", split=tmp_path / "split.csv")
    run = start.start(practice.ws, turned.id, practice.run, "linear-probe", launch=False)
    assert work(practice.ws.run(run)) == 0
    n = len(turned.split.test)
    said = [caveat for caveat in estimates(practice.ws.run(run))["caveats"] if "trained on" in caveat]
    assert said and f"{n} of the {n} test images" in said[0]
    assert not any("trained on" in caveat for caveat in estimates(practice.folder)["caveats"])


def test_the_numbers_are_complete(practice: Practice) -> None:
    said = estimates(practice.folder)
    assert said["schema_version"] == 1
    for estimate in said["estimates"]:
        assert set(estimate) >= {"name", "value", "low", "high", "n", "how"} and estimate["n"] > 0 and estimate["how"]
    assert {"auroc", "auprc", "sensitivity", "specificity", "brier"} <= {e["name"] for e in said["estimates"]}
    assert set(said["seconds"]) >= {"total", "start", "read", "features", "fit", "evaluate"}
    parts = sum(said["seconds"][name] for name in ("start", "read", "features", "fit", "evaluate"))
    assert parts <= said["seconds"]["total"] + 0.1
    assert 100 < said["peak_memory_mb"] < 8000 and said["device"] == "cpu"
    assert {name: part["cases"] for name, part in said["parts"].items()} == {
        name: len(getattr(practice.cohort.split, name)) for name in ("train", "tune", "test")
    }
    assert said["parts"]["test"]["patients"] == len(practice.cohort.split.test)
    assert said["threshold"]["chosen_on"] == "tune" and said["control"]["name"] == "thumbnails"
    assert said["sentence"] and said["small_test"]
    finished = events.read(practice.folder)[-1]
    assert finished["peak_memory_mb"] > 100 and finished["seconds"] > 0


def test_the_model_found_what_is_easy_to_find(practice: Practice) -> None:
    auroc = next(e for e in estimates(practice.folder)["estimates"] if e["name"] == "auroc")
    assert auroc["value"] > 0.7 and 0 <= auroc["low"] <= auroc["value"] <= auroc["high"] <= 1


def test_predictions_are_of_tune_and_test_and_sum_to_one(practice: Practice) -> None:
    split, cases = practice.cohort.split, {case.id: case for case in practice.cohort.cases}
    with (practice.folder / "result" / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["case", "patient", "part", "label", "predicted", "score_benign", "score_malignant"]
    assert {row["case"] for row in rows} == {*split.tune, *split.test}
    for row in rows:
        assert row["case"] in getattr(split, row["part"]) and row["label"] == cases[row["case"]].label
        assert row["patient"] == cases[row["case"]].patient
        assert float(row["score_benign"]) + float(row["score_malignant"]) == pytest.approx(1, abs=1e-4)


def test_the_result_can_be_loaded_as_the_screen_does(practice: Practice) -> None:
    found = results.load(practice.folder)
    assert found.estimate("auroc") and found.control and found.confusion and found.threshold and found.curves
    assert sum(map(sum, found.confusion.counts)) == len(practice.cohort.split.test)


# ---- a second probe, and two at once --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pair(practice: Practice) -> tuple[Path, Path, int]:
    """A probe and its from-scratch control, started together; and how many feature files there were before."""
    before = len(list(practice.ws.features.rglob("*.npz")))
    probe = practice.ws.run(
        start.start(
            practice.ws,
            practice.cohort.id,
            practice.source,
            "linear-probe",
            settings={"looks": 0},
            control="from-scratch",
            launch=False,
        )
    )
    control = practice.ws.run(next(s.id for s in store.runs(practice.ws) if s.control_for == probe.name))
    recipe = store.recipe(control)
    assert recipe.strategy == "from-scratch" and recipe.seed == store.recipe(probe).seed
    shorter = dataclasses.replace(recipe, settings={**recipe.settings, "epochs": 1})
    (control / "recipe.json").write_text(json.dumps(dataclasses.asdict(shorter)))
    with spawned(control) as second, spawned(probe) as first:  # the younger one is quicker to its feet
        assert first.wait(120) == 0, (probe / "log.txt").read_text()
        assert second.wait(120) == 0, (control / "log.txt").read_text()
    return probe, control, before


def test_two_started_at_once_take_turns_in_the_order_they_were_made(pair: tuple[Path, Path, int]) -> None:
    probe, control, _ = pair
    assert status.status(probe) == status.status(control) == "finished"
    assert "waiting" in told(control) and "waiting" not in told(probe)
    assert next(e for e in events.read(control) if e["event"] == "waiting")["position"] == 1
    ended = next(e["t"] for e in events.read(probe) if e["event"] == "finished")
    assert next(e["t"] for e in events.read(control) if e["event"] == "started") >= ended


def test_a_second_probe_works_out_no_features(pair: tuple[Path, Path, int], practice: Practice) -> None:
    probe, _, before = pair
    assert len(list(practice.ws.features.rglob("*.npz"))) == before
    assert estimates(probe)["seconds"]["features"] < 0.5
    assert not any(e["event"] == "phase" and e["phase"] == "features" for e in events.read(probe))
    assert weights(probe) == weights(practice.folder)


def test_the_control_tells_the_run_it_controls(pair: tuple[Path, Path, int]) -> None:
    probe, control, _ = pair
    said = json.loads((probe / "result" / "control.json").read_text())
    assert said["name"] == "from-scratch" and said["run"] == control.name
    assert said["verdict"] in ("helps", "no difference seen", "hurts") and said["says"]
    assert said["difference"]["low"] <= said["difference"]["value"] <= said["difference"]["high"]
    found = results.load(probe).control
    assert found is not None and found.name == "from-scratch" and found.run == control.name
    own = results.load(control).control
    assert own is not None and own.name == "thumbnails"


def test_the_control_fetched_and_forgot_the_source(pair: tuple[Path, Path, int], practice: Practice) -> None:
    from safetensors.torch import load_file

    control = load_file(pair[1] / "result" / "weights.safetensors")
    source = load_file(practice.ws.source(practice.source) / "weights.safetensors")
    key = "features.0.0.weight"
    assert not (control[key] == source[key]).any()


# ---- stopping -------------------------------------------------------------------------------------------------------


def begun(folder: Path, epochs: int) -> bool:
    return told(folder).count("epoch") >= epochs


def test_a_stop_is_heard_within_seconds_and_the_best_is_kept(practice: Practice) -> None:
    folder = make_run(practice, "fine-tune", ENDLESS)
    with spawned(folder) as worker:
        wait_until(lambda: begun(folder, 1))
        store.request_stop(folder)
        wait_until(lambda: status.status(folder) == "stopped", 3)
        assert worker.wait(60) == 0
    assert status.status(folder) == "stopped"
    assert {file.name for file in (folder / "result").iterdir()} >= RESULT_FILES
    said = results.describe(practice.ws, folder.name)
    assert said["status"] == "stopped" and "asked to stop" in said["says"] and "kept" in said["says"]
    assert estimates(folder)["stopped"]
    with pytest.raises(NotReady):
        start.resume(practice.ws, folder.name)


def test_a_terminated_worker_ends_in_time_and_keeps_the_best(practice: Practice) -> None:
    folder = make_run(practice, "fine-tune", ENDLESS)
    with spawned(folder) as worker:
        wait_until(lambda: begun(folder, 1))
        worker.send_signal(signal.SIGTERM)
        began = time.monotonic()
        assert worker.wait(30) == 0
        took = time.monotonic() - began
    assert status.status(folder) == "stopped" and (folder / "result").is_dir()
    assert took < 5, f"it took {took:.1f} s"


def test_a_stop_while_waiting_leaves_nothing(practice: Practice) -> None:
    folder = make_run(practice)
    store.request_stop(folder)
    assert work(folder) == 0
    assert status.status(folder) == "stopped" and not (folder / "result").exists()
    assert "started" not in told(folder)


# ---- a time that was set ---------------------------------------------------------------------------------------------


def test_when_the_time_is_used_up_the_best_is_kept_and_the_run_is_finished(practice: Practice) -> None:
    folder = make_run(practice, "fine-tune", ENDLESS, budget=25)
    assert work(folder) == 0
    said = estimates(folder)
    assert status.status(folder) == "finished" and not said["stopped"]
    assert any("time you gave was used up" in caveat and "kept" in caveat for caveat in said["caveats"])
    assert folder.name not in {one.run for one in hindsight.history(practice.ws)}  # it says nothing of the whole plan
    with pytest.raises(NotReady):
        start.resume(practice.ws, folder.name)


def test_too_little_time_for_one_epoch_leaves_the_fitted_head(practice: Practice) -> None:
    folder = make_run(practice, "fine-tune", ENDLESS)
    recipe = dataclasses.replace(store.recipe(folder), budget=0.01)
    (folder / "recipe.json").write_text(json.dumps(dataclasses.asdict(recipe)))
    assert work(folder) == 0
    assert status.status(folder) == "finished" and "epoch" not in told(folder)
    assert any("last layer as fitted" in caveat for caveat in estimates(folder)["caveats"])


def test_too_little_time_to_learn_anything_is_said(practice: Practice) -> None:
    folder = make_run(practice, "from-scratch")
    recipe = dataclasses.replace(store.recipe(folder), budget=0.01)
    (folder / "recipe.json").write_text(json.dumps(dataclasses.asdict(recipe)))
    assert work(folder) == 2
    now = status.progress(folder)
    assert now.status == "failed" and "time you gave" in now.message and "more time" in now.advice


def test_a_time_out_of_range_is_refused(practice: Practice) -> None:
    for budget in (1, -5, 1e9):
        with pytest.raises(BadInput, match="out of range"):
            make_run(practice, budget=budget)


# ---- what was told and what it took ----------------------------------------------------------------------------------


def test_what_was_told_stands_beside_what_it_took(practice: Practice) -> None:
    before = json.loads((practice.folder / "estimate.json").read_text())
    said = estimates(practice.folder)
    assert said["estimate"] == {**before, "actual": said["seconds"]["total"]}
    assert before["seconds"] > 0 and before["basis"] in ("guess", "calibrated", "measured")
    found = {one.run: one for one in hindsight.history(practice.ws)}[practice.run]
    assert (found.estimated, found.actual) == (before["seconds"], said["seconds"]["total"])


def test_features_that_are_known_are_not_counted_again(practice: Practice) -> None:
    source = library.sources(practice.ws)[practice.source]
    again = start.estimate(practice.ws, practice.cohort, source, strategies.make("linear-probe"))
    assert again.seconds == pytest.approx(cost.estimate(practice.ws, practice.cohort, source, (), 10**6).seconds)
    assert start._known(practice.ws, practice.cohort, source) == len(practice.cohort.cases)


# ---- killed ---------------------------------------------------------------------------------------------------------


def test_killed_and_resumed_it_ends_with_the_same_weights(practice: Practice) -> None:
    whole = make_run(practice, "freeze-first", SHORT)
    assert work(whole) == 0
    folder = make_run(practice, "freeze-first", SHORT)
    with spawned(folder) as worker:
        wait_until(lambda: begun(folder, 1))
        worker.kill()
        worker.wait()
        wait_until(lambda: status.status(folder) == "interrupted", 15)
    assert not (folder / "result").exists() and (folder / "checkpoint" / "checkpoint.json").exists()
    assert status.progress(folder).advice.startswith("Resume")
    with pytest.raises(NotReady):
        results.load(folder)
    store.requeue(folder)  # as `resume` does; launched here, so that the test can wait for it
    assert work(folder) == 0
    assert status.status(folder) == "finished"
    epochs = [e["epoch"] for e in events.read(folder) if e["event"] == "epoch"]
    best = [e["epoch"] for e in events.read(folder) if e["event"] == "epoch" and e["best"]]
    assert max(best) > 1  # else what came after the kill would not have been put to the test
    assert epochs == [1, 2, 3] and [p.epoch for p in status.progress(folder).history] == [1, 2, 3]
    assert weights(folder) == weights(whole)
    assert estimates(folder)["estimates"] == estimates(whole)["estimates"]


def test_two_processes_never_carry_out_the_same_run(practice: Practice) -> None:
    folder = make_run(practice, "fine-tune", ENDLESS)
    with spawned(folder):
        wait_until(lambda: status.alive(folder))
        with spawned(folder) as second:
            assert second.wait(60) == 2
        with pytest.raises(NotReady):
            start.resume(practice.ws, folder.name)


# ---- what cannot be carried out -------------------------------------------------------------------------------------


def test_a_cohort_that_is_gone_is_said(tmp_path: Path, practice: Practice) -> None:
    cohort = add_cohort(practice.ws, tmp_path / "more", seed_of_pictures=5, per_class=15)
    run = start.start(practice.ws, cohort.id, practice.source, "linear-probe", launch=False)
    cohorts.delete(practice.ws, cohort.id)
    folder = practice.ws.run(run)
    assert work(folder) == 2
    now = status.progress(folder)
    assert now.status == "failed" and now.message == "There is no such cohort." and now.advice
    assert results.describe(practice.ws, run)["message"] == now.message


def test_a_source_that_changed_is_not_used(practice: Practice) -> None:
    folder = make_run(practice)
    recipe = store.recipe(folder)
    (folder / "recipe.json").write_text(json.dumps(dataclasses.asdict(dataclasses.replace(recipe, source_sha256="0"))))
    assert work(folder) == 2
    assert "no longer the one" in status.progress(folder).message


def test_a_damaged_recipe_is_said_and_seen(practice: Practice, tmp_path: Path) -> None:
    ws = Workspace(tmp_path).ensure()
    folder = ws.run("r-1")
    folder.mkdir()
    (folder / "recipe.json").write_text("{")
    assert work(folder) == 2
    now = status.progress(folder)
    assert now.status == "failed" and "damaged" in now.message and "Traceback" not in now.message + now.advice
    assert [s.id for s in store.runs(ws)] == ["r-1"]


def test_a_run_that_is_not_there(tmp_path: Path) -> None:
    import subprocess
    import sys

    from tests.builders import ROOT

    for arguments in ([], [str(tmp_path / "runs" / "gone")]):
        ended = subprocess.run([sys.executable, "-m", "medtl.worker", *arguments], cwd=ROOT, capture_output=True)
        assert ended.returncode != 0 and b"Traceback" not in ended.stderr


def test_a_source_shown_at_another_size_is_asked_at_that_size_later(practice: Practice) -> None:
    """The size is kept with the run: its card, its control and every later answer know it."""
    run = practice.ws.run(
        start.start(
            practice.ws,
            practice.cohort.id,
            practice.source,
            "linear-probe",
            settings={"looks": 0},
            size=64,
            launch=False,
        )
    )
    assert work(run) == 0, (run / "log.txt").read_text()
    own, other = library.from_run(practice.folder), library.from_run(run)
    assert (own.input.size, other.input.size) == (96, 64)
    row = next(row for row in results.predictions(run) if row.part == "test")
    asked = Trained(practice.ws, run.name)
    (answer,) = asked.predict([practice.original(row.case)])
    asked.close()
    assert answer.scores == pytest.approx(dict(row.scores), abs=1e-4)
