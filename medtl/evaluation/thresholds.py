"""From score to call. The threshold is chosen on the tune part alone and never looks at the test part."""

from collections.abc import Sequence

import numpy as np

from medtl.evaluation import grades, operating
from medtl.evaluation.operating import YOUDEN
from medtl.evaluation.resampling import Floats, Ints
from medtl.vocabulary import OperatingRule, Task, Threshold

HIGHEST = "The class with the highest score."


def choose(
    y: Ints, scores: Floats, classes: Sequence[str], positive: str | None, task: Task = "single-label",
    rule: OperatingRule = YOUDEN, group: Ints | None = None, calibrated: bool = False,
) -> Threshold:  # fmt: skip
    """The operating point of the whole table of scores, by `operating.choose` for two classes.

    With more than two classes there is none: the highest score decides, of grades the one in the middle.
    """
    if len(classes) > 2 and task == "ordinal":
        return Threshold(None, "tune", grades.MIDDLE, middle=True)
    if len(classes) > 2:
        return Threshold(None, "tune", HIGHEST)
    at = positive_index(classes, positive)
    has, score = np.asarray(y) == at, np.asarray(scores, float)[:, at]
    return operating.choose(has, score, rule, classes[at], group, calibrated)


def calls(scores: Floats, threshold: Threshold, classes: Sequence[str], positive: str | None) -> Ints:
    """The index of the class each case is called, (n,)."""
    scores = np.asarray(scores, float)
    if threshold.middle:
        return grades.middle(scores)
    if threshold.value is None or len(classes) > 2:
        return np.asarray(np.argmax(scores, axis=1), int)
    at = positive_index(classes, positive)
    called: Ints = np.where(scores[:, at] >= threshold.value, at, 1 - at)
    return called


def positive_index(classes: Sequence[str], positive: str | None) -> int:
    """Which of two classes counts as "has it": the last, unless somebody said so."""
    return list(classes).index(positive) if positive is not None else len(classes) - 1
