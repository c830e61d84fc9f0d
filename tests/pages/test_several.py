"""The pages of cohorts and runs of several findings, and of grades."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from medtl import start as starting
from medtl.runs import findings, results
from pages.ui import consultant, findings_policy, report
from tests.conftest import Office
from tests.pages.conftest import healthy, words_on

Open = Callable[..., AppTest]


@pytest.fixture(autouse=True)
def at_home(office: Office, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("MEDTL_HOME", str(office.ws.home))
    st.cache_data.clear()
    st.cache_resource.clear()
    yield
    st.cache_data.clear()
    st.cache_resource.clear()


@pytest.mark.parametrize("name", ["multi-label", "tuned", "ordinal"])
@pytest.mark.parametrize("page", ["home", "data", "source", "strategy", "train", "trust", "reading", "library"])
def test_every_page_draws(office: Office, open_page: Open, page: str, name: str) -> None:
    healthy(open_page(page, run=office.runs[name].name))


def test_several_findings_go_on_to_a_source_and_can_still_be_one(office: Office, open_page: Open) -> None:
    at = open_page("data", cohort=office.cohorts["multi-label"].id)
    healthy(at)
    onward = next(button for button in at.button if button.label == "Choose a source")
    assert not onward.disabled
    assert "Learn one finding only" in str([box.label for box in at.expander])


def test_trust_says_the_means_then_every_finding_then_one(office: Office, open_page: Open) -> None:
    run = office.runs["multi-label"].name
    at = open_page("trust", run=run)
    said = words_on(at)
    assert "can be judged" in said and "One finding by itself" in said and "Was the transfer worth it?" in said
    tables: list[dict[str, Any]] = [table.value.to_dict("list") for table in at.dataframe]
    table = next(one for one in tables if "finding" in one)
    dot = table["finding"].index("dot")
    assert dot == 2 and table["AUROC"][dot] == "too few" and "(" in table["AUROC"][0]
    assert not any("Accuracy" in one.get("number", ()) for one in tables)
    picked = next(box for box in at.selectbox if box.label == "Finding")
    assert picked.value == "disc" and len(picked.options) == 3
    picked.select("bar").run()
    healthy(at)
    assert "Where it was wrong" in words_on(at)
    alone = findings.result_of(results.load(office.runs["multi-label"]), "bar")
    assert alone.sentence in words_on(at)


def test_a_finding_that_cannot_be_judged_is_said_and_drawn_all_the_same(office: Office, open_page: Open) -> None:
    at = open_page("trust", run=office.runs["multi-label"].name)
    next(box for box in at.selectbox if box.label == "Finding").select("dot").run()
    healthy(at)
    assert "dot" in words_on(at)


def test_one_finding_is_read_at_a_time(office: Office, open_page: Open) -> None:
    at = open_page("reading", run=office.runs["multi-label"].name)
    at.selectbox(key="reading-finding").select("bar").run()
    at.text_input(key="reading-who").input("AB").run()
    next(button for button in at.button if button.label == "Begin").click().run()
    healthy(at)
    assert {"no bar", "bar", "Cannot tell"} <= {button.label for button in at.button}
    assert "Without the model: AB, bar" in words_on(at)
    (office.runs["multi-label"] / "reader.jsonl").unlink()


def test_trust_of_grades_speaks_of_distance(office: Office, open_page: Open) -> None:
    at = open_page("trust", run=office.runs["ordinal"].name)
    said = words_on(at)
    assert "quadratic kappa" in said and "the grade of the reference" in said
    numbers = [row for table in at.dataframe for row in table.value.to_dict("list").get("number", ())]
    assert {"Quadratic kappa", "Mean grade error", "Same or next grade"} <= set(numbers) and "Accuracy" not in numbers


@pytest.mark.parametrize("name", ["multi-label", "ordinal"])
def test_use_of_a_case(office: Office, open_page: Open, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    heat = {"method": "Grad-CAM", "layer": "l", "values": None, "state": "flat", "says": "No map."}
    monkeypatch.setattr(consultant, "maps", lambda subject, label, *how: {label: {**heat, "label": label}})
    monkeypatch.setattr(consultant, "ways", lambda run: {"ways": [], "layers": []})
    monkeypatch.setattr(consultant, "warm", lambda run: None)
    at = open_page("use", run=office.runs[name].name)
    at.segmented_control(key="use-what").set_value("A case of the test part").run()
    healthy(at)
    said = words_on(at)
    assert "Reference standard" in said
    assert ("its own threshold" in said) == (name == "multi-label")
    assert ("grade in the middle" in said) == (name == "ordinal")


def test_the_download_has_what_was_said_of_every_finding(office: Office) -> None:
    header = report.predictions_csv(office.runs["multi-label"]).decode().splitlines()[0]
    assert header.endswith("score_disc,score_bar,score_dot,label_disc,label_bar,label_dot")


def test_the_strategy_page_asks_for_uncertain_labels_and_hands_them_on(
    office: Office, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {}
    cohort = office.cohorts["multi-label"]

    def start(*ids: Any, **more: Any) -> str:
        asked.update(more)
        return office.runs["multi-label"].name

    monkeypatch.setattr(starting, "start", start)
    at = open_page("strategy", cohort=cohort.id, source=office.source)
    healthy(at)
    policy = next(box for box in at.selectbox if "uncertain image" in box.label)
    assert policy.label.startswith("disc") and policy.value == "ignore"
    policy.select("ones").run()
    next(button for button in at.button if button.label.startswith("Start this one")).click().run()
    assert asked["uncertain"] == {"disc": "ones"} and asked["weigh_tasks"] is False


def test_nothing_is_asked_of_a_cohort_of_one_label(office: Office) -> None:
    assert findings_policy.chosen(office.cohorts["ordinal"]) == {}
