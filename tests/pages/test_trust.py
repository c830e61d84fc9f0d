"""Trust: a verdict, six lights with their reasons, a threshold to try out that is kept nowhere, and evidence behind."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from medtl import external, robustness, start
from medtl.cohorts import library
from medtl.evaluation.prevalence import People
from medtl.runs import choices, results, store
from medtl.runs.attention import Attention
from medtl.trust import lights, operating_point
from medtl.vocabulary import Cohort, OperatingRule
from medtl.workspace import Workspace
from pages.ui import plot_calls, shelf, verdict
from tests.pages.conftest import amend_result, healthy, make_cohort, make_run, words_on
from tests.trust.test_abroad import go_abroad

Open = Callable[..., AppTest]
LIGHTS = ("Data", "Discrimination", "Calibration", "Subgroups", "Robustness", "Explanation")


def slider(at: AppTest) -> Any:
    return next(one for one in at.slider if one.label.startswith("Score from which"))


def button(at: AppTest, label: str) -> Any:
    return next(one for one in at.button if one.label.startswith(label))


def spoken(at: AppTest) -> str:
    return words_on(at).lower()


def test_six_lights_lead_to_evidence_that_is_on_the_page(run: str, open_page: Open) -> None:
    at = open_page("trust", run=run)
    healthy(at)
    cards = [one.value for one in at.markdown if "](#" in one.value]
    assert [card.split("[")[1].split("]")[0] for card in cards] == list(LIGHTS)
    anchors = {one.anchor for one in at.subheader}
    for card in cards:
        assert card.split("(#")[1].split(")")[0] in anchors
        assert any(f"**{state}**" in card for state in ("holds", "with care", "does not hold", "not known"))
    assert not any(word in spoken(at) for word in ("confidence", "accurate", "validated", "unbiased"))


def test_what_was_not_measured_is_said_to_be_unknown(run: str, open_page: Open) -> None:
    said = words_on(open_page("trust", run=run))
    for name in ("Robustness", "Explanation", "Subgroups"):
        card = next(part for part in said.split("**[") if part.startswith(name))
        assert "not known" in card


def test_a_threshold_is_tried_out_in_grey_and_kept_nowhere(ws: Workspace, run: str, open_page: Open) -> None:
    before = {file: file.read_bytes() for file in (ws.run(run) / "result").iterdir() if file.is_file()}
    at = open_page("trust", run=run)
    assert slider(at).value == 0.5 and button(at, "Back to 0.50").disabled
    slider(at).set_value(0.9).run()
    healthy(at)
    assert "Exploring." in words_on(at) and "not saved" in words_on(at)
    assert not button(at, "Back to 0.50").disabled
    button(at, "Back to 0.50").click().run()
    assert slider(at).value == 0.5 and "Exploring." not in words_on(at)
    assert {file: file.read_bytes() for file in before} == before
    assert choices.read(ws.run(run)).changed == ()


def test_the_counts_of_a_tried_threshold_open_their_cases(run: str, open_page: Open) -> None:
    at = open_page("trust", run=run)
    slider(at).set_value(0.99).run()
    box = next(one for one in at.selectbox if one.label == "Open the images of a cell")
    box.select_index(0).run()
    healthy(at)
    missed = int(box.options[0].rsplit(": ", 1)[1])
    assert missed == 6 and "6 cases of the test part" in words_on(at), "from 0.99 on nobody is called"


def test_another_rule_is_put_in_force_and_said(ws: Workspace, run: str, open_page: Open) -> None:
    at = open_page("trust", run=run)
    next(one for one in at.radio if one.label == "How the threshold is chosen").set_value("sensitivity").run()
    button(at, "Use this rule from now on").click().run()
    healthy(at)
    assert [one.rule for one in choices.read(ws.run(run)).changed] == [OperatingRule("sensitivity", 0.9)]
    assert "changed after the test part had been seen" in words_on(at)
    assert "Wanted: sensitivity 90 %; in the test part" in words_on(open_page("trust", run=run))
    operating_point.change(ws.run(run), OperatingRule())
    healthy(open_page("trust", run=run))


def test_ppv_and_npv_follow_the_users_own_prevalence(ws: Workspace, run: str, open_page: Open) -> None:
    at = open_page("trust", run=run)
    field = next(one for one in at.number_input if one.label.startswith("Of 100 images of your patients"))
    field.set_value(5.0).run()
    healthy(at)
    assert choices.read(ws.run(run)).prevalence == {"malignant": 0.05}
    said = words_on(at)
    assert "In 1,000 images of your patients 50 have it" in said and "in your clinic as in this test part" in said


@pytest.mark.parametrize(
    "those",
    [People(1000, 50, 45, 5, 95, 855), People(10_000, 10, 9, 1, 999, 8991), People(1000, 990, 1, 989, 10, 0)],
)
def test_nobody_is_missing_among_a_thousand_squares(those: People) -> None:
    given = plot_calls.squares(those)
    assert sum(given) == 1000
    told = (those.found, those.missed, those.alarmed, those.passed)
    assert all((n > 0) == (people > 0) for n, people in zip(given, told, strict=True))


def test_the_range_of_the_decision_curve_is_kept(ws: Workspace, run: str, open_page: Open) -> None:
    at = open_page("trust", run=run)
    next(one for one in at.slider if one.label.startswith("Range of")).set_value((10, 30)).run()
    healthy(at)
    assert choices.read(ws.run(run)).range == (0.1, 0.3)


def test_looking_is_counted_once_a_session(ws: Workspace, run: str, open_page: Open) -> None:
    at = open_page("trust", run=run)
    at.run()
    assert choices.read(ws.run(run)).openings == 1
    open_page("trust", run=run)
    assert choices.read(ws.run(run)).openings == 2


def test_robustness_is_asked_for_with_its_time(run: str, open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(robustness, "takes", lambda ws, run: 40.0)
    monkeypatch.setattr(robustness, "ask", lambda ws, run: asked.append(run))
    monkeypatch.setattr(start, "explain", lambda ws, run: asked.append(f"maps {run}"))
    at = open_page("trust", run=run)
    measure = button(at, "Measure it")
    assert "about" in measure.label
    measure.click().run()
    at = open_page("trust", run=run)
    button(at, "Check the maps").click().run()
    healthy(at)
    assert asked == [run, f"maps {run}"]


def test_unknown_patients_are_no_caveat_where_the_verdict_says_it(
    ws: Workspace, run: str, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    amend_result(ws, run, caveats=[f"{lights.UNSAID} and all may look better"])
    assert "all may look better" in words_on(open_page("trust", run=run))
    monkeypatch.setattr(verdict, "says", lambda lit, result: f"To be read with care, {lights.UNSAID}")
    assert "all may look better" not in words_on(open_page("trust", run=run))


def test_maps_without_badges_offer_to_measure_them(run: str, open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    bare = Attention(
        "Grad-CAM", "stage 4", True, ("a", "b"), (), 8, 0, {}, (), (), (), ("No badges yet: it takes 7 minutes.",)
    )
    monkeypatch.setattr(shelf, "attention", lambda id: bare)
    monkeypatch.setattr(shelf, "mean_maps", lambda id: {})
    monkeypatch.setattr(start, "explain", lambda ws, run: asked.append(run))
    at = open_page("trust", run=run)
    assert words_on(at).count("7 minutes") == 1
    button(at, "Check the maps").click().run()
    healthy(at)
    assert asked == [run]


def test_what_changed_images_cost_is_shown_with_every_change(ws: Workspace, run: str, open_page: Open) -> None:
    number = {"value": 0.2, "low": 0.1, "high": 0.3, "n": 12, "how": "bootstrap"}
    row = {
        "id": "blur", "kind": "blur", "strength": "strong", "name": "strong blur", "does": "blurred", "amount": 3.0,
        "auroc": {"name": "auroc", **number}, "fall": {"name": "fall in AUROC", **number},
        "changed": {"name": "calls that change", **number}, "verdict": "falls", "says": "Strong blur: AUROC falls.",
    }  # fmt: skip
    content = {
        "schema_version": 1, "rows": [row], "auroc": {"name": "auroc", **number, "value": 0.9, "low": 0.8},
        "cases": 12, "of": 12, "patients": 6, "says": "AUROC falls by 0.20 under strong blur.", "notes": ["A limit."],
    }  # fmt: skip
    (ws.run(run) / "result" / "robustness.json").write_text(json.dumps(content))
    at = open_page("trust", run=run)
    healthy(at)
    said = words_on(at)
    assert content["says"] in said and "A limit." in said
    assert any("calls that change" in table.value for table in at.dataframe)
    assert not any(one.label.startswith("Measure it") for one in at.button)


def test_another_cohort_is_offered_with_what_would_be_left_out(
    ws: Workspace, run: str, open_page: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    other = make_cohort(ws, tmp_path / "other", per_class=12, title="Other site")
    asked: list[tuple[Any, ...]] = []
    wanted = external.Asked({"benign": "benign", "malignant": "malignant"}, {"a copy": ("x",)}, 23)
    monkeypatch.setattr(external, "check", lambda *given: wanted)
    monkeypatch.setattr(external, "takes", lambda *given: 20.0)
    monkeypatch.setattr(external, "ask", lambda *given: asked.append(given[1:3]))
    at = open_page("trust", run=run)
    next(one for one in at.selectbox if one.label == "Test it on").select(other.id).run()
    assert "23 cases would be scored. 1 are left out: a copy." in words_on(at)
    button(at, "Test it there").click().run()
    healthy(at)
    assert asked == [(run, other.id)]


def test_a_run_without_scored_cases_says_so(ws: Workspace, run: str, open_page: Open) -> None:
    file = ws.run(run) / "result" / results.PREDICTIONS
    file.write_text(file.read_text().splitlines()[0] + "\n")
    at = open_page("trust", run=run)
    healthy(at)
    assert "no scored test case" in words_on(at)


def test_an_older_run_without_its_tune_answers_says_what_is_missing(ws: Workspace, run: str, open_page: Open) -> None:
    file = ws.run(run) / "result" / results.PREDICTIONS
    rows = [row for row in results.read_predictions(file) if row.part == "test"]
    results.write_predictions(file, ("benign", "malignant"), rows)
    at = open_page("trust", run=run)
    healthy(at)
    assert "were not kept with this run" in words_on(at)
    assert not any(one.label == "Use this rule from now on" for one in at.button)


def test_one_class_in_the_test_part_is_said_in_words(ws: Workspace, run: str, open_page: Open) -> None:
    file = ws.run(run) / "result" / results.PREDICTIONS
    rows = [row for row in results.read_predictions(file) if row.part == "tune" or row.label == "benign"]
    results.write_predictions(file, ("benign", "malignant"), rows)
    amend_result(ws, run, estimates=[], confusion=None)
    at = open_page("trust", run=run)
    healthy(at)
    assert "cases of one kind only" in words_on(at) and not at.error


def test_a_run_whose_cohort_is_gone_keeps_its_evidence(
    ws: Workspace, run: str, cohort: Cohort, open_page: Open
) -> None:
    library.delete(ws, cohort.id)
    at = open_page("trust", run=run)
    healthy(at)
    assert not at.error and "The cohort was deleted" in words_on(at) and slider(at).value == 0.5


def test_groups_have_a_row_each_and_no_number_where_they_are_too_few(
    ws: Workspace, cohort: Cohort, open_page: Open
) -> None:
    run = make_run(ws, cohort)
    folder = ws.cohort(cohort.id)
    content = json.loads((folder / "cohort.json").read_text())
    for at, case in enumerate(content["cases"]):
        case["facts"] = {**(case.get("facts") or {}), "sex": "F" if at % 2 else "M"}
    (folder / "cohort.json").write_text(json.dumps(content))
    page = open_page("trust", run=run)
    healthy(page)
    table = next(one.value for one in page.dataframe if "group" in one.value)
    assert set(table["group"]) == {"sex: female", "sex: male"}
    assert set(table["Sensitivity"]) == {"too few to say"}, "six patients a part"


def test_a_run_that_waits_for_more_offers_nothing_twice(ws: Workspace, run: str, open_page: Open) -> None:
    store.requeue(ws.run(run))
    at = open_page("trust", run=run)
    healthy(at)
    assert not any(one.label.startswith(("Measure it", "Check the maps", "Test it there")) for one in at.button)


def test_another_cohort_stands_beside_the_internal_test_with_the_difference(
    ws: Workspace, run: str, open_page: Open
) -> None:
    rows = [row for row in results.predictions(ws.run(run)) if row.part == "test"]
    knows_nothing = [
        results.replace(row, scores={"benign": 0.3 + 0.01 * n, "malignant": 0.7 - 0.01 * n})
        for n, row in enumerate(rows)
    ]
    go_abroad(ws.run(run), knows_nothing, brighter=0.5)
    at = open_page("trust", run=run)
    healthy(at)
    said = words_on(at)
    assert "Other site" in said and "external" in said
    beside = next(one.value for one in at.table if "difference" in one.value)
    assert {"Sensitivity", "Specificity", "AUROC"} <= set(beside["number"])
    assert all(" to " in cell for cell in beside["difference"])
    assert "brightness" in said
