"""Every task as questions of "has it or not" with one score, so that one piece of statistics serves them all.

Two classes are one view, more are each class against the rest, grades are "grade j or higher", findings are one each.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medtl.errors import BadInput
from medtl.evaluation.estimates import check
from medtl.evaluation.resampling import Bools, Floats, Ints
from medtl.evaluation.thresholds import positive_index
from medtl.vocabulary import Task
from medtl.vocabulary import without as without_finding


@dataclass(frozen=True)
class View:
    """n cases of a table of N. `name` is what "has it" means (a class, a finding, "grade 2 or higher"), `without` what
    the others are called, `index` the rows of the table that are kept: findings leave out labels that are not sure."""

    name: str
    without: str
    has: Bools  # (n,)
    score: Floats  # (n,) in [0, 1]; of "grade j or higher" the sum of the scores of these grades
    index: Ints  # (n,)

    def __len__(self) -> int:
        return len(self.has)

    @property
    def one_sided(self) -> bool:
        """Whether nobody has it, or everybody: nothing can be ranked."""
        return bool(self.has.all() or not self.has.any())

    def take(self, chosen: Bools) -> "View":
        """The chosen ones of these n cases."""
        return View(self.name, self.without, self.has[chosen], self.score[chosen], self.index[chosen])


def views(task: Task, classes: Sequence[str], positive: str | None, truth: Ints, scores: Floats) -> tuple[View, ...]:
    """`truth` is (N,) numbers of the classes, or (N, F) labels of findings (1, 0, below 0 not sure); scores (N, K).

    A view without a single case is kept, so that views of the tune and the test part go together one by one.
    """
    classes = tuple(classes)
    truth, scores = np.asarray(truth), np.asarray(scores, float)
    if task == "multi-label":
        return tuple(_finding(name, truth[:, k], scores[:, k]) for k, name in _findings(classes, truth, scores))
    truth, scores = check(truth, scores, classes)
    everyone = np.arange(len(truth))
    if len(classes) == 2:
        at = positive_index(classes, positive)
        return (View(classes[at], classes[1 - at], truth == at, _inside(scores[:, at]), everyone),)
    if task == "ordinal":
        beyond = _inside(np.cumsum(scores[:, ::-1], axis=1)[:, ::-1])  # (N, K) score of grade j or higher
        return tuple(
            View(*_names(classes[j]), truth >= j, np.ascontiguousarray(beyond[:, j]), everyone)
            for j in range(1, len(classes))
        )
    return tuple(
        View(name, f"not {name}", truth == k, _inside(scores[:, k]), everyone) for k, name in enumerate(classes)
    )


def _findings(classes: tuple[str, ...], truth: Ints, scores: Floats) -> list[tuple[int, str]]:
    if scores.shape != (len(truth), len(classes)) or truth.shape != scores.shape:
        raise BadInput(
            f"Scores of shape {scores.shape} and labels of shape {truth.shape} were given for {len(classes)} findings.",
            "Every case needs one score and one label a finding.",
        )
    if not np.isfinite(scores).all():
        raise BadInput(
            "Some scores are not numbers.", "The training has gone astray: train again with a lower learning rate."
        )
    return list(enumerate(classes))


def _finding(name: str, truth: Ints, score: Floats) -> View:
    sure = np.flatnonzero(truth >= 0)
    return View(name, without_finding(name), truth[sure] == 1, _inside(score[sure]), sure)


def _names(grade: str) -> tuple[str, str]:
    """ "2" -> "grade 2 or higher", "moderate" -> "moderate or higher"."""
    spoken = f"grade {grade}" if grade[:1].isdigit() else grade
    return f"{spoken} or higher", f"below {spoken}"


def _inside(score: Floats) -> Floats:
    """Sums of rounded scores may pass 1 by a hair."""
    return np.asarray(np.clip(score, 0.0, 1.0), float)
