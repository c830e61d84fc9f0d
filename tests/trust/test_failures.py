"""Mistakes in the order they are worth looking at: missed before false alarms, sure before unsure, far before near."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medtl.runs.results import PredictionRow, Result
from medtl.trust import failures
from medtl.trust.failures import Told
from medtl.vocabulary import Recipe, Task, Threshold

RECIPE = Recipe("r-1", "A run", "c", "s", "", "linear-probe", {})


def result(value: float | None, *, task: Task = "single-label", positive: str | None = "ill", **more: Any) -> Result:
    empty = Result(
        Path(), RECIPE, (), Threshold(value, "tune", "", middle=task == "ordinal"), None, None, "", None, (), (), {},
        None, "", {}, {}, task=task, positive=positive,
    )  # fmt: skip
    return dataclasses.replace(empty, **more)


def row(case: str, label: str, called: str, scores: Mapping[str, float], part: str = "test") -> PredictionRow:
    return PredictionRow(case, f"p-{case}", part, label, called, dict(scores))


def two(case: str, label: str, score: float, line: float = 0.4, part: str = "test") -> PredictionRow:
    return row(case, label, "ill" if score >= line else "well", {"well": 1 - score, "ill": score}, part)


def ids(told: tuple[Told, ...]) -> list[str]:
    return [one.case for one in told]


BOTH = (
    two("alarm, hardly", "well", 0.45),
    two("right", "ill", 0.95),
    two("missed, hardly", "ill", 0.35),
    two("alarm, sure", "well", 0.99),
    two("close call", "well", 0.38),
    two("missed, sure", "ill", 0.02),
    two("of the tune part", "ill", 0.01, part="tune"),
)


def test_missed_stand_before_false_alarms_and_the_sure_before_the_unsure() -> None:
    told = failures.told(BOTH, result(0.4))
    assert ids(told) == ["missed, sure", "missed, hardly", "alarm, sure", "alarm, hardly", "close call", "right"]
    assert ids(failures.wrong(told)) == ids(told)[:4]
    assert failures.kinds(told) == {"missed": 2, "false alarm": 2}
    assert failures.told(BOTH[::-1], result(0.4)) == told


def test_what_counts_as_missed_is_having_it_and_not_the_last_class() -> None:
    told = failures.told([two("a", "well", 0.9), two("b", "ill", 0.1)], result(0.4, positive="well"))
    assert {one.case: one.kind for one in told} == {"a": "missed", "b": "false alarm"}


def test_another_threshold_can_be_tried() -> None:
    told = failures.told(BOTH, result(0.4), threshold=0.97)
    assert failures.kinds(told) == {"missed": 3, "false alarm": 1}
    assert all(one.line == 0.97 for one in told)
    assert failures.kinds(failures.told(BOTH, result(0.4), threshold=0.4)) == failures.kinds(
        failures.told(BOTH, result(0.4))
    )


def test_of_more_classes_the_score_of_the_called_stands_against_that_of_the_reference() -> None:
    near = row("near", "a", "b", {"a": 0.40, "b": 0.45, "c": 0.15})
    sure = row("sure", "a", "c", {"a": 0.05, "b": 0.05, "c": 0.90})
    fine = row("fine", "b", "b", {"a": 0.30, "b": 0.60, "c": 0.10})
    told = failures.told([near, fine, sure], result(None, positive=None))
    assert ids(told) == ["sure", "near", "fine"] and told[0].kind == "mixed up"
    assert abs(told[0].sure - 0.85) < 1e-9 and abs(told[2].sure - 0.30) < 1e-9 and told[0].line is None
    assert failures.cells(told) == {("a", "c"): 1, ("a", "b"): 1}


def test_of_grades_the_furthest_apart_comes_first_and_too_low_before_too_high() -> None:
    flat = {"0": 0.25, "1": 0.25, "2": 0.25, "3": 0.25}
    told = failures.told(
        [row("high", "1", "2", flat), row("low", "2", "1", flat), row("far", "0", "3", flat)],
        result(None, task="ordinal", positive=None),
    )
    assert ids(told) == ["far", "low", "high"]
    assert [one.apart for one in told] == [3, 1, 1] and [one.kind for one in told] == [
        "too high",
        "too low",
        "too high",
    ]


def test_of_several_findings_one_is_asked_and_what_is_not_sure_is_left_out() -> None:
    said = {"disc": {"threshold": {"value": 0.3}}, "bar": {"threshold": None}}
    rows = [
        PredictionRow("a", None, "test", "disc", "bar", {"disc": 0.1, "bar": 0.8}, {"disc": 1, "bar": 0}),
        PredictionRow("b", None, "test", "no finding", "disc", {"disc": 0.35, "bar": 0.2}, {"disc": 0, "bar": -1}),
        PredictionRow("c", None, "test", "no finding", "disc", {"disc": 0.35, "bar": 0.2}, {"disc": -1}),
    ]
    told = failures.told(rows, result(None, findings=said), "disc")
    assert {one.case: one.kind for one in told} == {"a": "missed", "b": "false alarm"}
    assert failures.kinds(failures.told(rows, result(None, findings=said), "bar")) == {"false alarm": 1}


def test_every_count_finds_its_cases() -> None:
    told = failures.told(BOTH, result(0.4))
    assert ids(failures.cell(told, "ill", "well")) == ["missed, sure", "missed, hardly"]
    assert ids(failures.of(told, ["right", "alarm, sure", "never tested"])) == ["alarm, sure", "right"]
    cells = [(r, c) for r in ("ill", "well") for c in ("ill", "well")]
    assert sum(len(failures.cell(told, *cell)) for cell in cells) == len(told)
