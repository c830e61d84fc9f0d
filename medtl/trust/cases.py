"""The scored cases of a run as questions of "has it or not", tune and test part side by side. Read from its files only.

Letters: n cases of a part, K classes or findings.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medtl.errors import NotFound, NotReady
from medtl.evaluation.views import View, views
from medtl.runs import answers
from medtl.runs.answers import Answers
from medtl.runs.results import Result
from medtl.vocabulary import Task


@dataclass(frozen=True)
class Question:
    """What a run answers. `positive` is the class that counts as "has it" where there are two."""

    task: Task
    classes: tuple[str, ...]
    positive: str | None


@dataclass(frozen=True)
class Part:
    """One part's answers and the views of them; a view's `index` counts rows of `answers`."""

    answers: Answers
    views: tuple[View, ...]

    def patients(self, view: View) -> NDArray[np.object_] | None:
        """(len(view),) who each case of the view is of; None where nobody is known."""
        return self.answers.patients[view.index] if self.answers.patients is not None else None

    def ids(self, view: View) -> tuple[str, ...]:
        return tuple(self.answers.cases[i] for i in view.index)


@dataclass(frozen=True)
class Cases:
    """`tune` is None for a run whose tune part was not kept; views of both parts go together one by one."""

    question: Question
    tune: Part | None
    test: Part

    def at(self, name: str) -> int:
        names = [view.name for view in self.test.views]
        if name not in names:
            raise NotFound(f"This run is not asked about '{name}'.", f"It is asked about: {', '.join(names)}.")
        return names.index(name)


def read(folder: Path, result: Result) -> Cases:
    """Of a finished run; `result` is its `results.load`. Raises NotReady where it was tested on nothing."""
    test = answers.answers(folder, "test")
    asked = question(result, test)
    try:
        tune: Part | None = part(asked, answers.answers(folder, "tune"))
    except NotReady:
        tune = None
    return Cases(asked, tune, part(asked, test))


def question(result: Result, test: Answers) -> Question:
    """As the run wrote it; of older runs from what else they wrote, as the cohort may be gone by now."""
    if test.said is not None:
        return Question("multi-label", test.classes, None)
    if len(test.classes) > 2:
        return Question(many(result), test.classes, None)
    return Question("single-label", test.classes, positive_of(result, test.classes))


def many(result: Result) -> Task:
    """Of more than two classes whether they are grades."""
    graded = result.task == "ordinal" or (result.threshold is not None and result.threshold.middle)
    return "ordinal" if graded else "single-label"


def positive_of(result: Result, classes: tuple[str, ...]) -> str:
    """Of two classes the one that counts as "has it"."""
    drawn = [result.positive, *(result.curves.get("roc") or {}), classes[-1]]
    return next(name for name in drawn if name in classes)


def truth(answers: Answers) -> NDArray[np.int_]:
    """(n,) numbers of the classes, or (n, K) labels of findings."""
    return answers.y if answers.said is None else answers.said.astype(int)


def part(asked: Question, given: Answers) -> Part:
    """Any answers of the run, as of another cohort."""
    return Part(given, views(asked.task, asked.classes, asked.positive, truth(given), given.scores))
