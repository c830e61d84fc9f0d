"""Mistakes as pictures: every count opens its cases, each case opens large, and nothing falls without its cohort."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from medtl.cohorts import library
from medtl.errors import MedtlError
from medtl.explanation import neighbours
from medtl.runs import results
from medtl.trust import failures as order
from medtl.trust import reader
from medtl.vocabulary import Cohort
from medtl.workspace import Workspace
from pages.ui import failures
from tests.pages.conftest import healthy, make_run, words_on

Open = Callable[..., AppTest]
FLAT = {"label": "benign", "method": "Grad-CAM", "layer": "l", "values": None, "state": "flat", "says": "No map here."}


@pytest.fixture
def run(ws: Workspace, cohort: Cohort) -> str:
    """With three mistakes at least."""
    return next(id for seed in range(20) if len(order.wrong(told(ws, id := make_run(ws, cohort, seed=seed)))) > 2)


def told(ws: Workspace, run: str) -> tuple[order.Told, ...]:
    return order.told(results.predictions(ws.run(run)), results.load(ws.run(run)))


def closer(at: AppTest) -> list[Any]:
    return [button for button in at.button if button.label == "Look closer"]


def test_the_surest_mistake_stands_first(ws: Workspace, run: str, open_page: Open) -> None:
    at = open_page("trust", run=run)
    healthy(at)
    wrong = order.wrong(told(ws, run))
    said = words_on(at)
    assert "Where it was wrong" in said and f"{len(wrong)} of " in said and "called so from 0.50 on" in said
    assert [button.key.split("-", 2)[-1] for button in closer(at)] == [one.case for one in wrong][: len(closer(at))]
    assert f"patient {wrong[0].patient}" in said and f"score {wrong[0].score:.2f}" in said


def test_mistakes_are_not_shown_unwarned_while_a_reading_is_to_be_blind(
    ws: Workspace, run: str, cohort: Cohort, open_page: Open
) -> None:
    reader.start(ws.run(run), "AB", cohort.split.test, cohort.classes)
    at = open_page("trust", run=run)
    healthy(at)
    assert "A blind reading is unfinished: looking here unblinds you" in words_on(at) and not closer(at)
    next(button for button in at.button if button.label == "Look all the same").click().run()
    assert closer(at) and reader.get(ws.run(run), "AB", None).peeked


def test_a_case_opens_large_with_what_it_learned_from_and_the_map_when_it_is_asked_for(
    ws: Workspace, run: str, cohort: Cohort, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(failures, "explain", lambda home, run, case, label: asked.append((case, label)) or FLAT)
    parts = cohort.split
    rng = np.random.default_rng(0)
    features = {part: rng.normal(size=(len(getattr(parts, part)), 4)) for part in ("train", "tune", "test")}
    neighbours.learn(parts.train, features["train"], features["tune"], parts.test, features["test"]).save(
        ws.run(run) / "result"
    )
    at = open_page("trust", run=run)
    assert not asked, "no map before anybody asks"
    closer(at)[0].click().run()
    healthy(at)
    first = order.wrong(told(ws, run))[0]
    said = words_on(at)
    assert asked == [(first.case, first.called)]
    assert "Most alike in training" in said and said.count("distance ") == 3 and "No map here." in said


def test_a_map_that_cannot_be_made_leaves_the_rest(run: str, open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: str) -> None:
        raise MedtlError("The process ended twice.", "Close other programs.")

    monkeypatch.setattr(failures, "explain", fails)
    at = open_page("trust", run=run)
    closer(at)[0].click().run()
    healthy(at)
    assert "The process ended twice" in words_on(at) and "A run trained now does" in words_on(at)


def test_without_its_cohort_the_mistakes_are_still_listed(
    ws: Workspace, run: str, cohort: Cohort, open_page: Open
) -> None:
    wrong = order.wrong(told(ws, run))
    library.delete(ws, cohort.id)
    at = open_page("trust", run=run)
    healthy(at)
    assert "was deleted, so its images cannot be shown" in words_on(at) and not closer(at)
    listed = next(table.value for table in at.dataframe if "reference" in table.value)
    assert list(listed["case"]) == [one.case for one in wrong]


def test_a_run_without_mistakes_says_so_and_claims_nothing(ws: Workspace, run: str, open_page: Open) -> None:
    file = ws.run(run) / "result" / results.PREDICTIONS
    rows = [row for row in results.predictions(ws.run(run)) if row.label == row.predicted]
    results.write_predictions(file, tuple(rows[0].scores), rows)
    at = open_page("trust", run=run)
    healthy(at)
    assert "It was right on all" in words_on(at) and not closer(at)
