"""From score to call. The threshold is chosen on the tune part alone and never looks at the test part."""

from collections.abc import Sequence

import numpy as np

from medtl.evaluation import grades
from medtl.evaluation.resampling import Floats, Ints
from medtl.vocabulary import Task, Threshold

HIGHEST = "The class with the highest score."


def choose(
    y: Ints, scores: Floats, classes: Sequence[str], positive: str | None, task: Task = "single-label"
) -> Threshold:
    """Youden's choice: the threshold with the largest sensitivity + specificity on the tune part.

    Halfway between two neighbouring scores; of several that are equally good, the one that finds more of the ill,
    as a miss weighs more than a false alarm. With more than two classes there is none: the highest score decides, of
    grades the one in the middle.
    """
    if len(classes) > 2 and task == "ordinal":
        return Threshold(None, "tune", grades.MIDDLE, middle=True)
    if len(classes) > 2:
        return Threshold(None, "tune", HIGHEST)
    at = positive_index(classes, positive)
    has, score = np.asarray(y) == at, np.asarray(scores, float)[:, at]
    name = classes[at]
    if has.all() or not has.any():
        return Threshold(0.5, "tune", f"Called {name} from a score of 0.5: the tune part holds one class only.")
    levels = np.unique(score)[::-1]  # falling; everything from a level up is called
    sensitivity = _share_from(score[has], levels)
    false_alarms = _share_from(score[~has], levels)
    gain = np.round(sensitivity - false_alarms, 12)
    best = int(np.flatnonzero(gain == gain.max())[-1])
    if gain[best] <= 0:
        return Threshold(
            0.5, "tune", f"Called {name} from a score of 0.5: no threshold tells the tune part's classes apart."
        )
    value = levels[best] if best + 1 == len(levels) else (levels[best] + levels[best + 1]) / 2
    if best + 1 < len(levels) and value <= levels[best + 1]:  # two neighbouring floats
        value = levels[best]
    rule = (
        f"Called {name} from this score up: the largest sum of sensitivity and specificity "
        f"on the {len(score)} cases of the tune part (Youden)."
    )
    return Threshold(float(value), "tune", rule)


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


def _share_from(score: Floats, levels: Floats) -> Floats:
    below: Ints = np.searchsorted(np.sort(score), levels, side="left")
    return np.asarray(1 - below / len(score), float)
