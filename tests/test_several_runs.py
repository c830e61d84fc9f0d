"""Runs of several findings and of grades as the clinic meets them: trained by the worker, read, asked."""

import csv
import dataclasses
import json
import tomllib
from html import escape
from pathlib import Path

import numpy as np
import pytest

from medtl import automatic, comparing, prediction, start
from medtl.cohorts.originals import Originals
from medtl.errors import BadInput, NotReady
from medtl.evaluation import grades
from medtl.reporting import content, exporting, papers
from medtl.runs import events, findings, results, store
from medtl.runs.answers import answers
from medtl.sources import library as sources
from medtl.sources.weights import head_of
from medtl.workspace import write_whole
from tests.builders import estimates, work
from tests.conftest import Office

TASKS = ("multi-label", "ordinal")


def test_every_finding_is_judged_with_intervals(office: Office) -> None:
    for name in ("multi-label", "tuned"):
        result = results.load(office.runs[name])
        names = {one.name for one in result.estimates}
        assert {"auroc", "auprc", "auroc[disc]", "auroc[bar]", "sensitivity[bar]"} <= names
        assert not any(one.startswith("accuracy") for one in names) and result.confusion is None
        assert all(one.low <= one.value <= one.high for one in result.estimates)
        auroc = result.estimate("auroc")
        assert auroc and auroc.value > 0.6 and result.control and result.sentence
        rows = {row.name: row for row in findings.rows(result)}
        assert set(rows) == {"disc", "bar", "dot"} and rows["dot"].few and "dot" in str(result.small_test)
        n = len(office.cohorts["multi-label"].split.test)
        assert any(row.left_out for row in rows.values())
        assert all(row.present + row.absent + row.left_out == n for row in rows.values())


def test_one_finding_can_be_seen_as_if_it_were_alone(office: Office) -> None:
    result, cohort = results.load(office.runs["multi-label"]), office.cohorts["multi-label"]
    alone, two = findings.result_of(result, "disc"), findings.cohort_of(cohort, "disc")
    assert alone.estimate("auroc") and alone.confusion and alone.threshold and alone.threshold.value is not None
    assert alone.confusion.classes == two.classes == ("no disc", "disc") and set(alone.curves["roc"]) == {"disc"}
    rows = [
        row
        for row in findings.predictions_of(results.predictions(office.runs["multi-label"]), result, "disc")
        if row.part == "test"
    ]
    for r, label in enumerate(two.classes):
        for c, called in enumerate(two.classes):
            assert alone.confusion.counts[r][c] == sum((row.label, row.predicted) == (label, called) for row in rows)
    with pytest.raises(Exception, match="no finding"):
        findings.result_of(result, "fracture")


def test_the_table_of_scores_has_a_column_a_finding_and_reads_back(office: Office) -> None:
    folder, cases = office.runs["multi-label"], {case.id: case for case in office.cohorts["multi-label"].cases}
    with (folder / "result" / "predictions.csv").open() as file:
        header = next(csv.reader(file))
    findings_ = ("disc", "bar", "dot")
    assert header == [*results.COLUMNS, *(f"score_{f}" for f in findings_), *(f"label_{f}" for f in findings_)]
    for row in results.predictions(folder):
        assert dict(row.said) == dict(cases[row.case].labels) and set(row.scores) == set(findings_)
        assert row.label == results.joined(f for f in findings_ if row.said.get(f) == 1)
        at = findings.thresholds(results.load(folder).findings)
        assert row.predicted == results.joined(f for f in findings_ if row.scores[f] >= at[f] - 1e-6)


def test_what_uncertain_labels_teach_is_on_the_recipe_and_in_the_words_of_the_card(office: Office) -> None:
    assert store.recipe(office.runs["multi-label"]).uncertain == {"disc": "ignore"}
    recipe = store.recipe(office.runs["tuned"])
    assert recipe.uncertain == {"disc": "multi-class"} and recipe.weigh_tasks
    card = tomllib.loads((office.runs["tuned"] / "result" / "card.toml").read_text())
    assert card["task"] == "multi-label" and "--uncertain 'disc=multi-class' --weigh-findings" in card["recipe"]


def test_grades_are_judged_by_how_far_off_they_are(office: Office) -> None:
    result = results.load(office.runs["ordinal"])
    assert [one.name for one in result.estimates][:4] == list(grades.NAMES)
    kappa = result.estimate("kappa_quadratic")
    assert kappa and kappa.value > 0.4 and kappa.low > 0
    assert result.confusion and result.confusion.classes == ("0", "1", "2", "3")
    assert result.threshold and result.threshold.middle and "grade" in result.sentence
    for row in results.predictions(office.runs["ordinal"]):
        assert sum(row.scores.values()) == pytest.approx(1, abs=1e-4) and row.predicted in row.scores


@pytest.mark.parametrize("name", ["multi-label", "tuned", "ordinal"])
def test_a_picture_of_the_cohort_is_answered_as_it_was_in_the_test(office: Office, name: str, tmp_path: Path) -> None:
    folder = office.runs[name]
    trained = prediction.Trained(office.ws, folder.name)
    try:
        row = next(row for row in results.predictions(folder) if row.part == "test")
        case = next(case for case in trained.cohort.cases if case.id == row.case)
        (tmp_path / "picture.png").write_bytes(Originals(trained.cohort_folder).read(case.at))
        answer = trained.predict([tmp_path / "picture.png"], "predicted")[0]
        assert answer.predicted == row.predicted
        assert answer.scores == pytest.approx(dict(row.scores), abs=1e-3)
        assert answer.explanation and answer.explanation.label in trained.classes
        if name != "ordinal":
            assert set(answer.findings) == {"disc", "bar", "dot"}
            assert set(answer.findings.values()) <= {"present", "absent", "cannot tell"}
            assert set(answer.set) == {f for f, said in answer.findings.items() if said != "absent"}
        assert {"called", "findings"} <= set(prediction.as_dict(answer))
    finally:
        trained.close()


@pytest.mark.parametrize("task", TASKS)
def test_such_a_run_is_a_source_whose_answers_are_not_taken_for_classes(office: Office, task: str) -> None:
    source = sources.from_run(office.runs[task])
    assert source.task == task and head_of(source, office.ws.weights) is None
    run = start.start(office.ws, office.cohorts["ordinal"].id, office.runs[task].name, "linear-probe", launch=False)
    store.delete(office.ws, run)


@pytest.mark.parametrize("task", TASKS)
def test_the_control_from_scratch_tells_the_run_it_controls(office: Office, task: str) -> None:
    control = office.ws.run(start.start_control(office.ws, office.runs[task].name, launch=False))
    recipe = store.recipe(control)
    assert recipe.uncertain == store.recipe(office.runs[task]).uncertain
    shorter = dataclasses.replace(recipe, settings={**recipe.settings, "epochs": 1})
    write_whole(control / "recipe.json", json.dumps(dataclasses.asdict(shorter)))
    assert work(control, 400) == 0, (control / "log.txt").read_text()
    found = results.load(office.runs[task]).control
    assert found is not None and found.name == "from-scratch" and found.says


def test_the_frozen_source_guards_these_results_too(office: Office) -> None:
    names = {guard.name for guard in results.load(office.runs["tuned"]).guards}
    assert {"thumbnails", "linear-probe"} <= names


def test_among_runs_of_several_findings_the_tune_part_chooses_and_nothing_is_set_side_by_side(office: Office) -> None:
    folder = office.runs["tuned"]
    tune = answers(folder, "tune")
    assert tune.said is not None and tune.said.shape == tune.scores.shape
    sure = tune.said >= 0
    right = np.where(tune.said == 1, tune.scores, 1 - tune.scores)[sure]
    assert automatic.tune_loss(tune) <= -np.log(right).mean() + 1e-6  # at the temperature that suits it
    assert (
        automatic.tune_loss(tune) > 0 and answers(folder, "test").of(answers(folder, "test").cases[:3]).said is not None
    )
    with pytest.raises(BadInput, match="several findings"):
        comparing.compare(office.ws, [office.runs["multi-label"].name, folder.name])


@pytest.mark.parametrize("name", ["multi-label", "tuned", "ordinal"])
def test_they_have_papers_too(office: Office, name: str, tmp_path: Path) -> None:
    run = office.runs[name].name
    papers.write_report(office.ws, run, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    for one in content.read(office.ws, run).judgement.views:
        assert escape(one.name) in text
    assert ("Findings" in text) == (name != "ordinal")
    papers.write_card(office.ws, run, tmp_path / "card.xml")
    assert sum(papers.write_checklist(office.ws, run, "claim", tmp_path / "claim.docx").values()) == 44


@pytest.mark.parametrize(("name", "why"), [("multi-label", "findings"), ("ordinal", "grades")])
def test_onnx_is_refused_with_the_reason(office: Office, name: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(NotReady, match=rf"{why}|package onnx"):
        exporting.onnx(office.ws, office.runs[name].name, tmp_path / "model.zip")


# ---- what cannot be started -----------------------------------------------------------------------------------------


def test_what_a_strategy_cannot_do_yet_is_said(office: Office) -> None:
    cohort = office.cohorts["multi-label"]
    with pytest.raises(BadInput, match="several"):
        start.start(office.ws, cohort.id, office.source, "multi-task", launch=False)
    with pytest.raises(BadInput, match="no finding"):
        start.start(office.ws, cohort.id, office.source, "linear-probe", uncertain={"x": "ones"}, launch=False)
    with pytest.raises(BadInput, match="no way"):
        start.start(office.ws, cohort.id, office.source, "linear-probe", uncertain={"disc": "maybe"}, launch=False)


def test_a_cohort_whose_findings_nobody_is_sure_of_is_not_trained_on(office: Office) -> None:
    cohort = office.cohorts["multi-label"]
    assert start.why_not(cohort) is None and {"disc", "bar"} <= set(start.learnable(cohort))
    unsure = tuple(dataclasses.replace(case, labels=dict.fromkeys(case.labels, -1)) for case in cohort.cases)
    why = start.why_not(dataclasses.replace(cohort, cases=unsure))
    assert why and "nothing can be learned" in why[0]


def test_notes_of_the_run_are_kept(office: Office) -> None:
    assert [event for event in events.read(office.runs["tuned"]) if event["event"] == "epoch"]
    assert estimates(office.runs["tuned"])["task"] == "multi-label"
    with pytest.raises(NotReady):
        results.predictions(office.ws.run("r-none"))


# ---- without a browser ----------------------------------------------------------------------------------------------


def test_the_command_line_hands_on_what_uncertain_labels_teach(
    office: Office, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from medtl import cli

    asked: dict[str, object] = {}

    def pretend(*ids: object, **more: object) -> str:
        asked.update(more)
        return office.runs["tuned"].name

    monkeypatch.setattr(start, "start", pretend)
    said = ["train", office.cohorts["multi-label"].id, "--strategy", "linear-probe", "--detach", "--json"]
    said += ["--uncertain", "disc=zeros", "--weigh-findings", "--home", str(office.ws.home)]
    assert cli.main(said) == 0
    assert asked["uncertain"] == {"disc": "zeros"} and asked["weigh_tasks"] is True
    run = json.loads(capsys.readouterr().out)["runs"][0]
    assert any(one["name"] == "auroc[disc]" for one in run["estimates"])
    assert cli.main([word.replace("disc=zeros", "disc") for word in said]) == 2
