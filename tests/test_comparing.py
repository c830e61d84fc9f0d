"""Runs side by side: only on the same cases, with intervals, never equal, and never chosen by the test part."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medtl import comparing
from medtl.errors import BadInput, NotFound, NotReady
from medtl.runs import results, store
from medtl.vocabulary import Recipe, to_dict
from medtl.workspace import Workspace
from tests.builders import finished_run

Y = np.arange(120) % 2


def scores(skill: float, seed: int, y: np.ndarray = Y) -> np.ndarray:
    """Scores of models of the same cases: half of the noise is common to all."""
    k = int(y.max()) + 1
    common = np.random.default_rng(77).normal(size=(len(y), k))
    z = common + np.random.default_rng(seed).normal(size=(len(y), k)) + skill * np.eye(k)[y]
    return np.asarray(np.exp(z) / np.exp(z).sum(axis=1, keepdims=True))


@pytest.fixture
def ws(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path).ensure()


@pytest.fixture
def three(ws: Workspace) -> tuple[str, ...]:
    """A weak fine-tuning, the probe, and a strong freeze-first, in this order."""
    for run, strategy, skill in (("r-1", "fine-tune", 0.1), ("r-2", "linear-probe", 1.2), ("r-3", "freeze-first", 4)):
        finished_run(ws, run, Y, scores(skill, int(run[-1])), strategy=strategy)
    return "r-1", "r-2", "r-3"


def test_the_probe_is_what_the_others_are_held_against(ws: Workspace, three: tuple[str, ...]) -> None:
    found = comparing.compare(ws, three)
    assert found.reference == "r-2" and "probe" in found.reference_why
    assert [(pair.first, pair.second) for pair in found.pairs] == [("r-1", "r-2"), ("r-3", "r-2")]
    assert [pair.standing for pair in found.pairs] == ["lower", "higher"]
    assert [(pair.first, pair.second) for pair in found.every] == [("r-1", "r-2"), ("r-1", "r-3"), ("r-2", "r-3")]
    assert "'Keep the first stages, adapt the last' by" in found.says and "on 120 cases" in found.says


def test_a_row_says_what_was_reached_and_what_it_cost(ws: Workspace, three: tuple[str, ...]) -> None:
    found = comparing.compare(ws, three)
    for run, row in zip(three, found.rows, strict=True):
        assert row.run == run and row.seconds == 12.5 and row.peak_memory_mb == 500
        assert row.estimate("auroc") == results.load(ws.run(run)).estimate("auroc")
        assert 0 < row.tune_auroc <= 1 and row.tune_loss > 0 and row.may_change is None  # its source is not there
    assert len({row.name for row in found.rows}) == 3


def test_the_difference_is_that_of_the_estimates_in_the_same_draws(ws: Workspace, three: tuple[str, ...]) -> None:
    found = comparing.compare(ws, three)
    aurocs = {row.run: row.estimate("auroc") for row in found.rows}
    for pair in found.every:
        one, other = aurocs[pair.first], aurocs[pair.second]
        assert one and other and pair.auroc.value == pytest.approx(one.value - other.value, abs=1e-4)
        assert pair.auroc.low <= pair.auroc.value <= pair.auroc.high and pair.delong is not None
        assert pair.delong.difference.value == pytest.approx(pair.auroc.value, abs=1e-9)


def test_two_runs_of_one_model_cannot_be_told_apart(ws: Workspace) -> None:
    for run in ("r-1", "r-2"):
        finished_run(ws, run, Y, scores(1, 0))
    found = comparing.compare(ws, ("r-1", "r-2"))
    assert found.pairs[0].standing == "cannot be told apart" and "cannot be told apart on 120 cases" in found.says
    assert {row.name for row in found.rows} == {
        "Train only the last layer, s-1 (r-1)", "Train only the last layer, s-1 (r-2)"
    }  # fmt: skip


def test_how_many_were_compared_and_where_to_choose_is_said(ws: Workspace, three: tuple[str, ...]) -> None:
    said = " ".join(comparing.compare(ws, three).notes)
    assert "3 runs were compared" in said and "by the tune part only" in said and "larger than 5 in 100" in said
    assert "larger than 5 in 100" not in " ".join(comparing.compare(ws, three[:2]).notes)


def test_patients_with_several_cases_are_drawn_whole(ws: Workspace) -> None:
    y, patients = np.repeat(np.arange(30) % 2, 4), np.repeat(np.arange(30), 4)
    for run, skill in (("r-1", 1.0), ("r-2", 1.2)):
        finished_run(ws, run, y, scores(skill, int(run[-1]), y), patients=patients)
    found = comparing.compare(ws, ("r-1", "r-2"))
    assert (found.n, found.units, found.unit) == (120, 30, "patient") and "on 30 patients" in found.says
    assert found.pairs[0].delong is None and all(called.p is None for called in found.pairs[0].calls)


def test_grades_and_many_classes_are_compared_by_all_calls(ws: Workspace) -> None:
    y = np.arange(120) % 3
    for run, skill in (("r-1", 3.0), ("r-2", 0.0)):
        finished_run(ws, run, y, scores(skill, int(run[-1]), y), classes=("a", "b", "c"))
    pair = comparing.compare(ws, ("r-1", "r-2")).pairs[0]
    assert pair.first == "r-2" and pair.standing == "lower" and [c.name for c in pair.calls] == ["accuracy"]


def test_the_order_of_the_cases_in_the_files_does_not_matter(ws: Workspace, three: tuple[str, ...]) -> None:
    before = comparing.compare(ws, three)
    path = ws.run("r-3") / "result" / "predictions.csv"
    head, *rows = path.read_text().splitlines()
    path.write_text("\n".join([head, *reversed(rows)]))
    after = comparing.compare(ws, three)
    assert after.every == before.every


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"cohort": "c-2"}, "different cohorts"),
        ({"y": (np.arange(120) + 1) % 2}, "different labels"),
        ({"y": np.arange(100) % 2}, "not tested on the same cases"),
        ({"classes": ("benign", "other")}, "different classes"),
    ],
)
def test_what_differs_is_said(ws: Workspace, change: dict[str, Any], word: str) -> None:
    finished_run(ws, "r-1", Y, scores(1, 1))
    y = change.pop("y", Y)
    finished_run(ws, "r-2", y, scores(1, 2, y), **change)
    with pytest.raises(BadInput) as error:
        comparing.compare(ws, ("r-1", "r-2"))
    assert word in error.value.message and error.value.advice


def test_one_run_or_seven_or_none_finished_are_refused(ws: Workspace, three: tuple[str, ...]) -> None:
    for runs in ((), ("r-1",), ("r-1", "r-1"), tuple(f"r-{i}" for i in range(7))):
        with pytest.raises(BadInput):
            comparing.compare(ws, runs)
    store.create(ws, Recipe("r-9", "T", "c-1", "s-1", "ab", "fine-tune", {}))
    with pytest.raises(NotReady):
        comparing.compare(ws, ("r-1", "r-9"))
    with pytest.raises(NotFound):
        comparing.compare(ws, ("r-1", "r-404"))


def test_the_answer_is_ready_for_json(ws: Workspace, three: tuple[str, ...]) -> None:
    said = to_dict(comparing.compare(ws, three))
    assert json.loads(json.dumps(said))["reference"] == "r-2"
