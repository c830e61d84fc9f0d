"""Trust: what the transfer was worth, loudest where it was worth less than nothing; cross-validation; more cases."""

from collections.abc import Callable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from medtl import start
from medtl.runs import store
from medtl.vocabulary import Cohort
from medtl.workspace import Workspace
from pages.ui import worth
from tests.pages.conftest import amend_result, healthy, words_on

Open = Callable[..., AppTest]


def estimate(value: float, low: float, high: float) -> dict[str, Any]:
    return {"name": "auroc", "value": value, "low": low, "high": high, "n": 12, "how": "bootstrap by patient"}


def guard(name: str, verdict: str, value: float) -> dict[str, Any]:
    return {
        "run": None, "name": name, "auroc": estimate(0.8, 0.7, 0.9), "verdict": verdict,
        "difference": estimate(value, value - 0.05, value + 0.05), "says": f"Against {name}: {verdict} by {value}.",
    }  # fmt: skip


GUARDS = [guard("thumbnails", "helps", 0.2), guard("linear-probe", "no difference seen", 0.01)]
CURVE = {
    "points": [
        {"per_class": n, "cases": 2 * n, "auroc": estimate(a, a - 0.1, a + 0.05), "draws": 3}
        for n, a in ((4, 0.7), (8, 0.8), (16, 0.85))
    ],
    "fitted": [[4, 0.7], [16, 0.85], [32, 0.88]],
    "more": 16,
    "gain": estimate(0.03, 0.0, 0.06),
    "judged_on": "out of fold",
    "says": "16 more cases per class would bring about +0.03 (0.00 to +0.06).",
    "notes": ["The curve is of the last layer on the frozen source."],
}
CROSS = {
    "name": "auroc", "value": 0.87, "low": 0.8, "high": 0.93, "n": 60, "how": "bootstrap by patient",
    "spread": [0.85, 0.88, 0.89], "folds": 5, "says": "Cross-validated: AUROC 0.87 (0.80 to 0.93) on 30 patients.",
}  # fmt: skip


def test_each_guard_says_its_verdict(ws: Workspace, run: str, open_page: Open) -> None:
    amend_result(ws, run, guards=GUARDS)
    at = open_page("trust", run=run)
    healthy(at)
    said = words_on(at)
    assert "Was the transfer worth it?" in said
    assert all(one["says"] in said for one in GUARDS)
    assert any(b.label.startswith("Compare with training from scratch") for b in at.button)
    assert not at.error


def test_what_hurts_stands_at_the_top_and_once(ws: Workspace, run: str, open_page: Open) -> None:
    bad = guard("linear-probe", "hurts", -0.1)
    amend_result(ws, run, guards=[*GUARDS[:1], bad], caveats=[bad["says"], "Patients unknown."])
    at = open_page("trust", run=run)
    healthy(at)
    assert [e.value.replace("\\", "") for e in at.error] == [f"**{bad['says']}**"]
    said = next(w.value.replace("\\", "") for w in at.warning)
    assert said.startswith("Patients unknown.") and bad["says"] not in said


def test_a_run_of_before_shows_its_one_control(run: str, open_page: Open) -> None:
    at = open_page("trust", run=run)
    healthy(at)
    assert "Against logistic regression on 32 x 32 thumbnails" in words_on(at)


def test_from_scratch_is_not_offered_where_it_is_there(ws: Workspace, run: str, open_page: Open) -> None:
    amend_result(ws, run, guards=[*GUARDS, guard("from-scratch", "helps", 0.3)])
    at = open_page("trust", run=run)
    healthy(at)
    assert not any("from scratch" in b.label for b in at.button)


def test_the_learning_curve_says_what_more_cases_would_bring(ws: Workspace, run: str, open_page: Open) -> None:
    amend_result(ws, run, learning_curve=CURVE)
    at = open_page("trust", run=run)
    healthy(at)
    said = words_on(at)
    assert CURVE["says"] in said and CURVE["notes"][0] in said


def test_the_cross_validated_result_comes_with_its_spread(ws: Workspace, run: str, open_page: Open) -> None:
    amend_result(ws, run, cross_validated=CROSS)
    at = open_page("trust", run=run)
    healthy(at)
    said = words_on(at)
    assert CROSS["says"] in said and "3 repeats from 0.85 to 0.89" in said


@pytest.mark.parametrize(
    "facts", [{"guards": []}, {"learning_curve": {**CURVE, "points": [], "fitted": [], "gain": None}}]
)
def test_what_is_missing_breaks_nothing(
    ws: Workspace, run: str, cohort: Cohort, open_page: Open, facts: dict[str, Any]
) -> None:
    amend_result(ws, run, **facts)
    healthy(open_page("trust", run=run))


def test_cross_validation_is_asked_for_with_its_time_and_said_while_it_goes_on(
    ws: Workspace, run: str, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, int]] = []
    monkeypatch.setattr(start, "cross_validate", lambda ws, run, repeats: asked.append((run, repeats)))
    at = open_page("trust", run=run)
    button = next(b for b in at.button if b.label.startswith("Cross-validate"))
    assert "about" in button.label
    button.click().run()
    assert asked == [(run, worth.REPEATS)]
    store.requeue(ws.run(run))
    at = open_page("trust", run=run)
    healthy(at)
    assert "More is being worked out" in words_on(at)
    assert not any(b.label.startswith("Cross-validate") for b in at.button)
