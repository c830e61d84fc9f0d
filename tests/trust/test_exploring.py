"""A slider shows the numbers of the frozen page at its threshold, and every count has its cases."""

from collections.abc import Callable
from pathlib import Path

import pytest

from medtl.runs import results
from medtl.trust import cases, exploring, judge

Made = Callable[..., Path]
TASKS = [
    ("single-label", ("well", "ill")),
    ("single-label", ("a", "b", "c")),
    ("ordinal", ("0", "1", "2")),
    ("multi-label", ("oedema", "effusion")),
]


def explorer(folder: Path) -> exploring.Explorer:
    return exploring.explorer(cases.read(folder, results.load(folder)))


def test_at_the_frozen_threshold_it_is_the_frozen_page(finished: Made) -> None:
    folder = finished()
    view = judge.judge(folder).views[0]
    assert view.threshold is not None and view.threshold.value is not None
    assert explorer(folder).at(view.name, view.threshold.value) == view.point


@pytest.mark.parametrize(("task", "classes"), TASKS)
def test_every_count_has_its_cases(finished: Made, task: str, classes: tuple[str, ...]) -> None:
    folder = finished(task, classes)
    explored = explorer(folder)
    for view in judge.judge(folder).views:
        frozen = view.threshold.value if view.threshold else None
        counts = {(True, True): "tp", (True, False): "fn", (False, True): "fp", (False, False): "tn"}
        for (has, called), name in counts.items():
            assert len(explored.behind(view.name, has, called, frozen)) == getattr(view.point, name)
            tried = explored.at(view.name, 0.3)
            assert len(explored.behind(view.name, has, called, 0.3)) == getattr(tried, name)


def test_cases_without_one_answer_are_those_that_were_marked(finished: Made) -> None:
    folder = finished()
    judgement = judge.judge(folder)
    marks = judgement.sets[0].unanswered
    assert len(explorer(folder).marked("ill", marks)) == sum(marks)


def test_the_reach_is_that_of_the_scores(finished: Made) -> None:
    folder = finished()
    low, high = explorer(folder).reach("ill")
    assert 0 <= low < high <= 1
