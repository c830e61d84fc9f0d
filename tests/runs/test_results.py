"""A result is read as it was written; an unfinished run answers in the same shape."""

import json
from pathlib import Path
from typing import Any

import pytest

from medtl.errors import MedtlError, NotReady
from medtl.runs import events, results, store
from medtl.runs.results import PredictionRow
from medtl.vocabulary import Recipe
from medtl.workspace import Workspace

AUROC = {"name": "auroc", "value": 0.91, "low": 0.87, "high": 0.95, "n": 156, "how": "bootstrap by patient, 2000"}
DIFFERENCE = {**AUROC, "value": 0.12, "low": 0.06, "high": 0.18}
ESTIMATES: dict[str, Any] = {
    "schema_version": 1,
    "estimates": [AUROC],
    "threshold": {"value": 0.37, "chosen_on": "tune", "rule": "Youden"},
    "control": {"run": None, "name": "thumbnails", "auroc": AUROC, "difference": DIFFERENCE,
                "verdict": "helps", "says": "Yes."},
    "confusion": {"classes": ["a", "b"], "counts": [[80, 7], [4, 38]]},
    "sentence": "Found 38 of 42.",
    "small_test": None,
    "seconds": {"total": 21.4, "read": 3.0},
    "peak_memory_mb": 812,
    "device": "cuda",
    "parts": {"train": {"cases": 9, "patients": None}},
}  # fmt: skip
CLI = {
    "run",
    "status",
    "source",
    "strategy",
    "device",
    "seed",
    "seconds",
    "peak_memory_mb",
    "estimates",
    "threshold",
    "control",
}


@pytest.fixture
def ws(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path).ensure()


@pytest.fixture
def run(ws: Workspace) -> Path:
    return store.create(ws, Recipe("r-1", "T", "c", "s", "ab", "linear-probe", {"k": 1}, seed=3))


def finish(run: Path, **changes: object) -> None:
    (run / "result").mkdir()
    (run / "result" / "estimates.json").write_text(json.dumps(ESTIMATES | changes))
    (run / "result" / "curves.json").write_text(json.dumps({"roc": {}}))
    events.append(run, "started", device="cuda")
    events.append(run, "finished", seconds=21.4)


@pytest.mark.parametrize("story", ["", "started", "started stopped", "started finished"])
def test_every_unfinished_run_has_the_shape_of_a_finished_one(ws: Workspace, run: Path, story: str) -> None:
    for event in story.split():
        events.append(run, event, device="cpu")
    shape = results.describe(ws, "r-1")
    assert shape.keys() >= CLI
    assert (shape["estimates"], shape["threshold"], shape["control"], shape["seconds"]) == ([], None, None, {})
    assert json.loads(json.dumps(shape)) == shape
    with pytest.raises(NotReady):
        results.load(run)


def test_a_finished_run_is_described_with_its_own_numbers(ws: Workspace, run: Path) -> None:
    finish(run)
    shape = results.describe(ws, "r-1")
    assert shape["status"] == "finished" and shape["device"] == "cuda" and shape["seed"] == 3
    assert {key: shape[key] for key in ("estimates", "threshold", "control", "seconds")} == {
        key: ESTIMATES[key] for key in ("estimates", "threshold", "control", "seconds")
    }
    (listed,) = store.runs(ws)
    assert listed.headline is not None and listed.headline.value == 0.91 and listed.seconds == 21.4


def test_a_failed_run_says_why(ws: Workspace, run: Path) -> None:
    events.append(run, "failed", message="The disk is full.", advice="Free 2 GB.")
    shape = results.describe(ws, "r-1")
    assert (shape["status"], shape["message"], shape["advice"]) == ("failed", "The disk is full.", "Free 2 GB.")


def test_loading_gives_values(run: Path) -> None:
    finish(run, colour="blue")  # a newer MedTL may add keys
    result = results.load(run)
    auroc = result.estimate("auroc")
    assert auroc is not None and (auroc.low, auroc.n) == (0.87, 156)
    assert result.control is not None and result.control.difference.value == 0.12
    assert result.confusion is not None and result.confusion.counts[1] == (4, 38)
    assert result.threshold is not None and result.threshold.value == 0.37
    assert result.estimate("f1") is None


def test_a_control_that_ended_later_replaces_the_cheap_one(ws: Workspace, run: Path) -> None:
    finish(run)
    later = {**ESTIMATES["control"], "run": "r-2", "name": "from-scratch"}
    (run / "result" / "control.json").write_text(json.dumps(later))
    control = results.load(run).control
    assert control is not None and (control.run, control.name) == ("r-2", "from-scratch")
    assert results.describe(ws, "r-1")["control"]["run"] == "r-2"


def test_damage_is_said(ws: Workspace, run: Path) -> None:
    finish(run)
    (run / "result" / "estimates.json").write_text("{")
    with pytest.raises(MedtlError, match="result of run r-1 is damaged"):
        results.load(run)
    assert "damaged" in store.runs(ws)[0].message


def test_predictions_come_back_as_they_were_and_are_never_formulas(run: Path) -> None:
    classes = ("benign", "=cmd()", 'it\'s, "odd"\n')
    rows = tuple(
        PredictionRow(f"c{i}", patient, "test", label, classes[0], dict(zip(classes, (0.5, 0.25, 0.25), strict=True)))
        for i, (patient, label) in enumerate([
            (None, classes[1]),
            ("@p", classes[2]),
            ("'q", "benign"),
            ("-5", "benign"),
        ])
    )
    with pytest.raises(NotReady):
        results.predictions(run)
    finish(run)
    results.write_predictions(run / "result" / "predictions.csv", classes, rows)
    assert results.predictions(run) == rows
    cells = (run / "result" / "predictions.csv").read_text().replace("\n", ",").split(",")
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]
