"""Over a run: every test case has a map, badges are measured, what lies where it should not is said."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from medtl import cli, explaining, showing
from medtl.cohorts.pixels import Pixels
from medtl.consultant import Desk
from medtl.errors import BadInput, NotFound
from medtl.explanation import badges
from medtl.runs import attention, marks, results
from medtl.runs.results import PredictionRow
from tests.conftest import Practice


class Hasty(explaining.Silent):
    def should_stop(self) -> bool:
        return True


@pytest.fixture(scope="module")
def found(practice: Practice) -> attention.Attention:
    """As the worker left it, without being asked."""
    return attention.load(practice.folder)


@pytest.fixture(scope="module")
def desk(practice: Practice) -> Desk:
    return Desk(practice.ws)


def test_a_small_run_is_explained_without_being_asked(practice: Practice, found: attention.Attention) -> None:
    test = [row for row in results.predictions(practice.folder) if row.part == "test"]
    assert [one.case for one in found.cases] == [row.case for row in test] and found.of == len(test)
    assert found.exact and found.method == "Grad-CAM" and sum(found.states.values()) == len(test)
    assert [check.id for check in found.checks] == list(badges.IDS) and found.sample == len(test)
    for check in found.checks:
        assert check.low is not None and check.high is not None and check.low <= check.value <= check.high
        assert check.says and check.passed in (True, False, None) and check.n <= found.sample
    assert found.steps[0].name == "head" and len(found.steps) > 2
    assert {share.id for share in found.shares} >= {"edge"}


def test_the_maps_of_all_classes_are_kept_and_summed_up(practice: Practice, found: attention.Attention) -> None:
    maps = attention.maps(practice.folder)
    assert maps.classes == practice.cohort.classes and maps.cases == tuple(one.case for one in found.cases)
    assert np.abs(maps.signed).max() <= 1 and maps.signed.shape[:2] == (len(maps.cases), 2)
    total = 0
    for reference in maps.classes:
        mean, n = maps.of_class(found, reference)
        assert mean is not None and 0 <= mean.min() <= mean.max() <= 1
        total += n
        assert n == sum(maps.of_cell(found, reference, called)[1] for called in maps.classes)
    assert total == len(maps.cases) and maps.of("nobody", maps.classes[0]) is None


def test_kept_maps_are_those_made_on_request(practice: Practice, desk: Desk) -> None:
    maps = attention.maps(practice.folder)
    case, label = maps.cases[0], maps.classes[1]
    said = desk.answer({"ask": "explain", "run": practice.run, "case": case, "label": label})
    assert said["exact"] and np.allclose(said["signed"], maps.of(case, label), atol=2e-3)
    together = desk.answer({"ask": "explain-all", "run": practice.run, "case": case})["maps"]
    assert [one["label"] for one in together] == list(maps.classes) and together[1] == said


def test_what_a_network_offers_and_a_new_image(practice: Practice, desk: Desk) -> None:
    said = desk.answer({"ask": "ways", "run": practice.run})
    assert said["layers"][-1] == desk._run(practice.run).explainer.layers[-1]
    assert [way["id"] for way in said["ways"] if way["exact"]] == ["gradcam", "hirescam"]
    path = str(practice.original(practice.cohort.cases[0].id))
    heat = desk.answer({
        "ask": "explain", "run": practice.run, "path": path, "label": "benign", "method": "layercam",
        "layer": said["layers"][-2],
    })  # fmt: skip
    assert heat["method_id"] == "layercam" and heat["layer"] == said["layers"][-2] and not heat["exact"]
    checks = desk.answer({"ask": "check-map", "run": practice.run, "path": path, "label": "benign"})["checks"]
    assert not checks or {check["id"] for check in checks} == set(badges.IDS)
    with pytest.raises(BadInput):
        desk.answer({"ask": "explain", "run": practice.run, "path": path, "label": "cat"})
    with pytest.raises(NotFound):
        desk.answer({"ask": "explain", "run": practice.run, "path": path, "label": "benign", "layer": "attic"})


def test_a_case_finds_itself_among_its_like(practice: Practice, desk: Desk) -> None:
    case = practice.cohort.split.train[0]
    said = desk.answer({"ask": "similar", "run": practice.run, "case": case})
    assert said["nearest"][0]["case"] == case and said["nearest"][0]["distance"] < 0.01
    at = said["cases"].index(case)
    assert np.allclose(said["place"], said["points"][at], atol=0.02) and 0 < said["explained"] <= 1
    assert {one["label"] for one in said["prototypes"]} == set(practice.cohort.classes)
    json.dumps(said)


def test_time_is_kept_to(practice: Practice) -> None:
    before = attention.load(practice.folder)
    assert explaining.explain_run(practice.ws, practice.run, seconds=1e-6) is None
    assert explaining.explain_run(practice.ws, practice.run, Hasty()) is None
    assert attention.load(practice.folder) == before  # nothing is half-written


def test_without_the_closed_form_a_sample_is_explained_by_the_library(
    practice: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[np.ndarray] = []
    monkeypatch.setattr("medtl.explanation.gradcam.Maps.exact", lambda self, method="gradcam", layer="": False)
    monkeypatch.setattr(explaining, "_keep", lambda result, work, rows, maps, found: kept.append(maps))
    said = explaining.explain_run(practice.ws, practice.run, sample=3)
    assert said is not None and not said.exact and said.sample == len(said.cases) == 3 < said.of
    assert "3 of" in said.notes[0] and all(check.n <= 3 and check.passed is None for check in said.checks)
    maps = attention.maps(practice.folder)
    for row, case in enumerate(said.cases):
        for k, label in enumerate(maps.classes):
            exact = maps.of(case.case, label)
            assert np.allclose(kept[0][row, k] / np.abs(kept[0][row, k]).max(), exact, atol=5e-3)


def test_dark_parts_are_not_said_to_be_outside_the_body() -> None:
    rows = [PredictionRow(f"c{i}", None, "test", "a", "a", {"a": 1.0}) for i in range(6)]
    dark = explaining._share("outside", np.full(6, 0.5), np.full(6, 0.1), rows, [None] * 6, 0)
    assert dark is not None and dark.alarm
    assert "dark or empty" in dark.says and "ultrasound" in dark.says and "body" not in dark.says + dark.title


def test_writing_that_a_deep_check_found_is_an_alarm_when_it_is_looked_at(practice: Practice) -> None:
    work = explaining._begin(practice.ws, practice.run, "gradcam")
    rows = work.rows
    maps = np.zeros((len(rows), 2, 7, 7))
    maps[:, :, 0, 0] = 1.0  # everything in one corner
    work.boxes = {row.case: [(0.0, 0.0, 0.15, 0.15)] for row in rows}
    said = explaining._summed_up(work, rows, maps, 0, (), (), 0.0)
    writing = next(share for share in said.shares if share.id == "writing")
    assert writing.alarm and writing in said.alarms and "Data page" in writing.says and writing.cases
    assert said.states == {"same": len(rows)}
    assert dataclasses.replace(said, cases=()).check("steady") is None


def test_the_command_prints_the_badges(
    practice: Practice, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for quiet in ("device.prepare_process", "machine.share_the_cores"):  # a second thread would slow the tests
        monkeypatch.setattr(f"medtl.training.{quiet}", lambda: None)
    home = ["--home", str(practice.ws.home)]
    assert cli.main([*home, "explain", practice.run]) == 0
    out = capsys.readouterr().out
    assert "Depends on the model" in out and "not where the disease is" in out
    case = practice.cohort.split.test[0]
    assert case in Pixels(practice.ws.cohort(practice.cohort.id)).stored
    assert cli.main([*home, "explain", practice.run, "--case", case, "--out", str(tmp_path), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert {one["label"] for one in said["maps"]} == set(practice.cohort.classes)
    drawn = [one["file"] for one in said["maps"] if one["file"]]
    assert all(Path(file).exists() for file in drawn)


def test_maps_are_held_against_what_clinicians_drew(practice: Practice) -> None:
    maps = attention.maps(practice.folder)
    (practice.folder / marks.FILE).unlink(missing_ok=True)
    assert showing.agreement(practice.ws, practice.run).estimates == ()
    label = maps.classes[1]
    for case in maps.cases[:4]:  # a region drawn around the strongest cell, and for one case around nothing
        values = maps.of(case, label)
        assert values is not None
        height, width = values.shape
        i, j = np.unravel_index(int(values.argmax()), values.shape)
        region = marks.box(j / width, i / height, (j + 1) / width, (i + 1) / height)
        said = "right" if values.max() > 0 else "wrong"
        marks.add(practice.folder, marks.Mark(case, label, (region,), said))  # type: ignore[arg-type]
    marks.add(practice.folder, marks.Mark(maps.cases[5], label, said="wrong", words="the corner"))
    found = showing.agreement(practice.ws, practice.run)
    (practice.folder / marks.FILE).unlink()
    pointing = found.estimate("pointing")
    assert found.cases == maps.cases[:4] and pointing is not None and pointing.n == 4
    assert pointing.value == np.mean(found.hits) and pointing.low < pointing.high
    drawn = [np.max(maps.of(case, label)) > 0 for case in found.cases]  # type: ignore[arg-type]
    assert [bool(hit) for hit, has in zip(found.hits, drawn, strict=True) if has] == [True] * sum(drawn)
    assert maps.cases[5] in found.wrong and f"of {len(found.cases)} cases" in found.says
