"""Reading blind: nothing on the page tells the label, nothing is lost by leaving, and the result waits for the end."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from medtl.cohorts import library
from medtl.runs import results
from medtl.trust import failures, reader, reader_study
from medtl.vocabulary import Cohort
from medtl.workspace import Workspace
from pages.ui import reading_test
from tests.pages.conftest import healthy, words_on

Open = Callable[..., AppTest]
UNBLINDS = "A blind reading is unfinished: looking here unblinds you"
HEAT = {"label": "benign", "method": "Grad-CAM", "layer": "l", "values": None, "state": "flat", "says": "No map here."}


def press(at: AppTest, label: str) -> AppTest:
    return next(button for button in at.button if button.label == label).click().run()


def everything(at: AppTest) -> str:
    """All that is sent to the browser for the page, alt texts and addresses included."""
    return "\n".join(str(getattr(node, "proto", "")) for node in at.main)


def begin(open_page: Open, run: str, who: str = "AB") -> AppTest:
    at = open_page("reading", run=run)
    assert next(button for button in at.button if button.label == "Begin").disabled
    at.text_input(key="reading-who").input(who).run()
    at = press(at, "Begin")
    healthy(at)
    return at


def read_all(ws: Workspace, run: str, again: bool = False) -> None:
    """As if somebody had gone through it, calling everything benign."""
    folder = ws.run(run)
    while (case := reader.get(folder, "AB", None).next) is not None:
        reader.record(folder, "AB", None, case, "malignant" if again else "benign", 4.0)


def test_the_way_from_trust(run: str, open_page: Open) -> None:
    at = press(open_page("trust", run=run), "Read it yourself")
    healthy(at)
    assert "without the model's score" in words_on(at) and "Your initials" in str(at.text_input)


def test_nothing_on_the_page_tells(ws: Workspace, run: str, cohort: Cohort, open_page: Open) -> None:
    at = begin(open_page, run)
    drawn = everything(at)
    tested = [case for case in cohort.cases if case.id in cohort.split.test]
    assert len(tested) > 3 and "The image to be read" in drawn
    for case in tested:
        assert case.name not in drawn and case.name.rsplit("/", 1)[-1] not in drawn
        assert case.patient is None or case.patient not in drawn
    assert "labelled" not in drawn and "score" not in drawn.lower()
    assert [b.label for b in at.main.get("button") if b.label in cohort.classes] == list(cohort.classes)
    assert not at.get("plotly_chart")


def test_every_key_is_on_disk_and_one_may_leave_and_come_back(ws: Workspace, run: str, open_page: Open) -> None:
    at = begin(open_page, run)
    at = press(press(press(at, "malignant"), "Cannot tell"), "benign")
    healthy(at)
    now = reader.get(ws.run(run), "AB", None)
    assert [one.label for one in now.blind.values()] == ["malignant", reader.UNSURE, "benign"]
    assert all(one.seconds >= 0 for one in now.blind.values())
    at = press(at, "Undo")
    assert reader.get(ws.run(run), "AB", None).done == 2
    fresh = open_page("reading", run=run)
    assert "AB: 2 of" in everything(fresh) and "sensitivity" not in words_on(fresh).lower()
    at = press(fresh, "Go on")
    healthy(at)
    assert "Without the model: AB" in words_on(at)


def test_with_the_model_its_answer_stands_beside_and_the_first_one_stays(
    ws: Workspace, run: str, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading_test, "explain", lambda *_: HEAT)
    at = begin(open_page, run)
    read_all(ws, run)
    at = press(at.run(), "Read them again with the model")
    healthy(at)
    said = words_on(at)
    first = reader.get(ws.run(run), "AB", None).next
    model = next(one for one in _told(ws, run) if one.case == first)
    assert f"The model: **{model.called}** (score {model.score:.2f}" in said and "No map here." in said
    assert "Without the model you said **benign**" in said
    press(at, "malignant")
    now = reader.get(ws.run(run), "AB", None)
    assert [one.label for one in now.aided.values()] == ["malignant"]
    assert {one.label for one in now.blind.values()} == {"benign"}


def test_the_result_says_what_was_computed_and_ends_the_reading(ws: Workspace, run: str, open_page: Open) -> None:
    at = begin(open_page, run)
    read_all(ws, run)
    reader.again(ws.run(run), "AB", None)
    read_all(ws, run, again=True)
    at = press(at.run(), "End it and show the result")
    healthy(at)
    found = reader_study.outcome(reader.get(ws.run(run), "AB", None), _told(ws, run), results.load(ws.run(run)))
    said = words_on(at)
    assert found.study.says and all(sentence in said for sentence in found.study.says)
    pills: Any = at.get("button_group")[-1]
    assert any("only the model was right" in str(option) for option in pills.options)
    assert reader.get(ws.run(run), "AB", None).over


def test_who_opens_test_cases_before_the_end_is_warned_and_the_result_says_it(
    ws: Workspace, run: str, open_page: Open
) -> None:
    begin(open_page, run)
    use = open_page("use", run=run)
    assert UNBLINDS in words_on(use) and not any(button.label == "Try it" for button in use.button)
    use.segmented_control(key="use-what").set_value("A case of the test part").run()
    healthy(use)
    assert UNBLINDS in words_on(use) and "Reference standard" not in words_on(use)
    assert not reader.get(ws.run(run), "AB", None).peeked, "nobody looked yet"
    use = press(use, "Look all the same")
    healthy(use)
    assert "Reference standard" in words_on(use) and reader.get(ws.run(run), "AB", None).peeked
    read_all(ws, run)
    reader.stop(ws.run(run), "AB", None)
    assert "had opened test cases before the end" in words_on(open_page("reading", run=run))


def test_a_result_outlives_its_cohort(ws: Workspace, run: str, cohort: Cohort, open_page: Open) -> None:
    begin(open_page, run)
    read_all(ws, run)
    reader.stop(ws.run(run), "AB", None)
    library.delete(ws, cohort.id)
    at = open_page("reading", run=run)
    healthy(at)
    assert "cannot be read any more" in words_on(at) and "The reader found" in words_on(at)


def test_a_full_name_is_refused(ws: Workspace, run: str, open_page: Open) -> None:
    at = open_page("reading", run=run)
    at.text_input(key="reading-who").input("Jane Doe").run()
    at = press(at, "Begin")
    assert "looks like a name" in at.error[0].value.replace("\\", "") and not (ws.run(run) / reader.FILE).exists()


def test_without_a_run_it_says_what_will_stand_here(ws: Workspace, open_page: Open) -> None:
    at = open_page("reading")
    healthy(at)
    assert "Here you read cases" in words_on(at)


def test_the_diary_is_plain_lines(ws: Workspace, run: str, open_page: Open) -> None:
    press(begin(open_page, run), "benign")
    lines = [json.loads(line) for line in (ws.run(run) / reader.FILE).read_text().split("\n") if line]
    assert [line["do"] for line in lines] == ["start", "read"] and {line["reader"] for line in lines} == {"AB"}


def _told(ws: Workspace, run: str) -> tuple[failures.Told, ...]:
    return failures.told(results.predictions(ws.run(run)), results.load(ws.run(run)))
