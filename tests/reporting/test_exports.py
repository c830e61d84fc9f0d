"""What leaves MedTL works elsewhere: the exported model answers as the app does, the recipe repeats the run."""

import dataclasses
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medtl import cli
from medtl.cohorts.pixels import Pixels
from medtl.errors import BadInput, MedtlError
from medtl.evaluation.recalibrating import Calibrator, Kind
from medtl.reporting import content, exporting, mlflow, recipes
from medtl.runs import results
from medtl.trust import judge
from medtl.workspace import Workspace
from tests.builders import work
from tests.conftest import Practice

needs_onnx = pytest.mark.skipif(not exporting.can_write(), reason="writing ONNX needs the package onnx")


@pytest.fixture(scope="module")
def exported(practice: Practice, tmp_path_factory: pytest.TempPathFactory) -> tuple[exporting.SelfTest, Path]:
    if not exporting.can_write():
        pytest.skip("writing ONNX needs the package onnx")
    place = tmp_path_factory.mktemp("export")
    proof = exporting.onnx(practice.ws, practice.run, place / "model.zip")
    with zipfile.ZipFile(place / "model.zip") as archive:
        archive.extractall(place / "there")
    return proof, place / "there"


def test_the_self_test_is_printed_and_stored(exported: tuple[exporting.SelfTest, Path]) -> None:
    proof, there = exported
    stored = json.loads((there / exporting.SELFTEST).read_text())
    assert stored["to_app"] == proof.to_app < exporting.AGREES and proof.to_stored < exporting.AGREES
    assert stored["cases"] == proof.cases > 0 and f"{proof.to_app:.1e}" in stored["says"]


def test_classes_threshold_preprocessing_and_calibration_go_along(
    exported: tuple[exporting.SelfTest, Path], practice: Practice
) -> None:
    _, there = exported
    said = json.loads((there / exporting.ABOUT).read_text())
    result = results.load(practice.folder)
    assert said["classes"] == list(practice.cohort.classes) and said["threshold"] == result.threshold.value  # type: ignore[union-attr]
    assert said["input"]["range"] == [0, 1] and said["size"] == 96 and "bilinear" in said["preprocessing"]
    judged = content.read(practice.ws, practice.run).judgement
    view = judged.views[0]
    assert said["calibration"]["kind"] == view.calibrator.kind and said["calibration"]["call_it"] == view.word
    assert said["calibration"]["numbers"] == list(view.calibrator.numbers)
    assert said["prediction_set"]["least_scores"] == list(judged.sets[0].limits)
    assert {file.name for file in there.iterdir()} == {
        "model.onnx", "model.json", "example.py", "selftest.json", "README.md", "recipe.json",
    }  # fmt: skip


def judged_limits(practice: Practice) -> tuple[float, ...]:
    return content.read(practice.ws, practice.run).judgement.sets[0].limits


@pytest.mark.parametrize(("kind", "numbers"), [("none", ()), ("temperature", (2.5,)), ("platt", (0.7, -0.4))])
@pytest.mark.parametrize("at", [0, 1, None])
def test_the_example_calibrates_as_the_app_does(kind: Kind, numbers: tuple[float, ...], at: int | None) -> None:
    if at is None and kind == "platt":
        pytest.skip("Platt scaling is for two classes")
    code = exporting.CODE[exporting.CODE.index("def calibrated") : exporting.CODE.index("for path")]
    there = {"np": np, "about": {"calibration": {"kind": kind, "numbers": numbers}, "positive_index": at}}
    exec(code, there)  # noqa: S102 - our own text
    scores = np.random.default_rng(0).dirichlet([0.3] * (3 if at is None else 2), 50).astype(np.float32)
    wanted = Calibrator(kind, numbers, 0, 0, None, "").table(scores, at)
    given = np.array([there["calibrated"](row) for row in scores])
    assert np.abs(given - wanted).max() < 1e-5


def test_the_example_runs_alone_and_calls_as_the_app_did(
    exported: tuple[exporting.SelfTest, Path], practice: Practice
) -> None:
    _, there = exported
    assert len([line for line in exporting.CODE.splitlines() if line.strip()]) < 40
    rows = [row for row in results.predictions(practice.folder) if row.part == "test"][:3]
    for row in rows:
        Image.fromarray(Pixels(practice.ws.cohort(practice.cohort.id)).image(row.case)).save(there / f"{row.case}.png")
    names = [f"{row.case}.png" for row in rows]
    done = subprocess.run([sys.executable, "-I", "example.py", *names], cwd=there, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for row, line in zip(rows, done.stdout.splitlines(), strict=True):
        assert line.startswith(f"{row.case}.png {row.predicted} ")
        given = dict(re.findall(r"'(\w+)': ([0-9.]+)", line))
        assert all(abs(float(given[label]) - score) < 1e-3 for label, score in row.scores.items())
        mended = json.loads(line.partition("calibrated ")[2].partition("]")[0] + "]")
        view = content.read(practice.ws, practice.run).judgement.views[0]
        at = practice.cohort.classes.index(view.name)
        wanted = view.calibrator.table(np.array([list(row.scores.values())]), at)[0]
        assert np.abs(np.array(mended) - wanted).max() < 2e-3
        assert all((f"'{name}'" in line.partition("ruled out")[2]) == (row.scores[name] >= least)
                   for name, least in zip(practice.cohort.classes, judged_limits(practice), strict=True))  # fmt: skip
    for name in names:
        (there / name).unlink()


@needs_onnx
def test_a_model_that_answers_otherwise_is_not_written(
    practice: Practice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = exporting._app_scores
    monkeypatch.setattr(exporting, "_app_scores", lambda *given: np.roll(right(*given), 1, axis=1))
    with pytest.raises(MedtlError, match="does not give the app's scores"):
        exporting.onnx(practice.ws, practice.run, tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


# ---- recipe --------------------------------------------------------------------------------------------------------


def test_a_recipe_repeats_the_run_bit_for_bit(practice: Practice, tmp_path: Path) -> None:
    recipes.write(content.read(practice.ws, practice.run), tmp_path / "recipe.json")
    again, differences = recipes.repeat(practice.ws, tmp_path / "recipe.json", launch=False)
    assert differences == []
    folder = practice.ws.run(again)
    assert work(folder) == 0, (folder / "log.txt").read_text()
    first, second = (place / "result" / "weights.safetensors" for place in (practice.folder, folder))
    assert first.read_bytes() == second.read_bytes()
    assert (first.parent / results.PREDICTIONS).read_bytes() == (second.parent / results.PREDICTIONS).read_bytes()
    one, other = judge.judge(practice.folder), judge.judge(folder)
    assert dataclasses.replace(one, run=other.run) == other
    assert json.loads((tmp_path / "recipe.json").read_text())["recipe"]["operating"]["kind"] == "youden"


def test_a_recipe_of_other_data_or_another_source_is_refused(practice: Practice, tmp_path: Path) -> None:
    path = tmp_path / "recipe.json"
    recipes.write(content.read(practice.ws, practice.run), path)
    said = json.loads(path.read_text())
    other = said["recipe"] | {"source_sha256": "0"}
    for change, words in (({"data_sha256": "0" * 64}, "The cohort"), ({"recipe": other}, "source")):
        path.write_text(json.dumps(said | change))
        with pytest.raises(BadInput, match=words):
            recipes.repeat(practice.ws, path, launch=False)
    for text in ("no json", "[]", '{"recipe": {}}'):
        path.write_text(text)
        with pytest.raises(BadInput):
            recipes.repeat(practice.ws, path, launch=False)


def test_other_versions_are_said(practice: Practice, tmp_path: Path) -> None:
    path = tmp_path / "recipe.json"
    recipes.write(content.read(practice.ws, practice.run), path)
    said = json.loads(path.read_text())
    said["recipe"]["versions"]["torch"] = "1.0"
    path.write_text(json.dumps(said))
    _, differences = recipes.repeat(practice.ws, path, launch=False)
    assert len(differences) == 1 and differences[0].startswith("torch is")


# ---- MLflow --------------------------------------------------------------------------------------------------------


def test_the_run_lies_as_mlflow_keeps_it(practice: Practice, tmp_path: Path) -> None:
    facts = content.read(practice.ws, practice.run)
    run = mlflow.write(facts, practice.ws, tmp_path / "mlruns")
    lines = (line.partition(": ") for line in (run / "meta.yaml").read_text().splitlines())
    meta = {name: json.loads(value) for name, _, value in lines}
    assert meta["run_id"] == meta["run_uuid"] == run.name and len(run.name) == 32 and meta["status"] == 3
    assert meta["lifecycle_stage"] == "active" and meta["end_time"] >= meta["start_time"] > 0
    assert not Path(meta["artifact_uri"]).is_absolute()
    time, value, step = (run / "metrics" / "auroc").read_text().split()
    auroc = facts.result.estimate("auroc")
    assert auroc and float(value) == auroc.value and step == "0" and int(time) == meta["end_time"]
    assert (run / "params" / "seed").read_text() == "0"
    valid = re.compile(r"[\w.\- /]+$")  # what MLflow takes for a name of a metric, parameter or tag
    assert all(valid.match(file.name) for kind in ("metrics", "params", "tags") for file in (run / kind).iterdir())
    artifacts = {file.name for file in (run / "artifacts").iterdir()}
    assert {"report.html", "model-card.md", "recipe.json", "weights.safetensors"} <= artifacts
    with pytest.raises(BadInput, match="there already"):
        mlflow.write(facts, practice.ws, tmp_path / "mlruns")


# ---- commands ------------------------------------------------------------------------------------------------------


def ask(ws: Workspace, capsys: pytest.CaptureFixture[str], *said: object) -> tuple[int, dict[str, object]]:
    code = cli.main([*map(str, said), "--json", "--home", str(ws.home)])
    return code, json.loads(capsys.readouterr().out)


def test_the_commands_write_papers_and_say_what_is_missing(
    practice: Practice, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ws, run = practice.ws, practice.run
    code, said = ask(ws, capsys, "report", run, "--out", tmp_path / "r.html", "--no-images")
    assert code == 0 and len(said["not_stated"]) == 8 and (tmp_path / "r.html").exists()  # type: ignore[arg-type]
    assert ask(ws, capsys, "card", run, "--out", tmp_path / "c.xml")[0] == 0
    code, said = ask(ws, capsys, "checklist", run, "stard", "--out", tmp_path / "s.docx")
    assert code == 0 and sum(said["items"].values()) == 48  # type: ignore[attr-defined]
    assert ask(ws, capsys, "export", run, "--out", tmp_path / "r.json")[0] == 0
    assert ask(ws, capsys, "export", run, "--out", tmp_path / "s.csv")[0] == 0
    assert (tmp_path / "s.csv").read_bytes() == (practice.folder / "result" / results.PREDICTIONS).read_bytes()
    for wrong in (
        ("report", run, "--answer", "question"),
        ("report", run, "--answer", "nobody=x"),
        ("export", run, "--out", tmp_path / "m.exe"),
        ("train",),
        ("train", practice.cohort.id, "--recipe", tmp_path / "r.json"),
    ):
        code, said = ask(ws, capsys, *wrong)
        assert code == 2 and said["error"] and said["advice"], wrong
