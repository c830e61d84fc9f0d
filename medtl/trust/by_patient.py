"""A part of a run patient by patient: what the pooled scores call each, the limits of their sets, and how often these
held the truth. The one place where several images become one answer, as Use gives it, before it is judged.

Letters: n images, g patients, m rows (a patient once for each class that the patient's images show), K classes.
"""

from dataclasses import replace

import numpy as np

from medtl.evaluation import conformal, pooling, thresholds
from medtl.evaluation.conformal import Coverage
from medtl.evaluation.pooling import Rule
from medtl.evaluation.resampling import Floats, Ints, Resampling, whose
from medtl.trust.cases import Cases, Part, Question
from medtl.vocabulary import Threshold

TWICE = "A patient with images of several classes counts once for each of them."


def scores(asked: Question, part: Part, rule: Rule) -> Floats:
    """(g, K), patients in the order of their number in `whose`."""
    given = part.answers
    return pooling.table(given.scores, _whose(part).group, rule, asked.task, asked.classes, asked.positive)


def called(asked: Question, part: Part, rule: Rule) -> Ints:
    """(g,) of more than two classes: the one of the highest pooled score, of grades the middle one."""
    at = Threshold(None, "tune", "", middle=asked.task == "ordinal")
    return thresholds.calls(scores(asked, part, rule), at, asked.classes, asked.positive)


def limits(told: Cases, rule: Rule) -> tuple[tuple[float, ...], ...]:
    """As `judge.limits` has them, from the tune part's patients: those of images promise nothing of a highest score of
    five. Empty where the tune part was not kept."""
    if told.tune is None:
        return ()
    return tuple(conformal.limits_by_class(y, scores) for y, scores, _ in _tables(told.question, told.tune, rule))


def sets(told: Cases, rule: Rule) -> tuple[Coverage, ...]:
    """How the sets of the test part's patients did at the patients' limits: one for all classes, of findings each."""
    asked, kept = told.question, limits(told, rule)
    if not kept:
        return ()
    several = asked.task == "multi-label"
    made = []
    for k, ((y, table, group), mine) in enumerate(zip(_tables(asked, told.test, rule), kept, strict=True)):
        view = told.test.views[k]
        classes = (view.without, view.name) if several else asked.classes
        who = Resampling(np.zeros((len(y), 0), np.uint16), group, "patient", repeats=len(np.unique(group)) < len(group))
        one = conformal.coverage(
            y, table, mine, classes, view.name if several else asked.positive, who, ordered=asked.task == "ordinal",
            unit="patient",
        )  # fmt: skip
        made.append(replace(one, says=(*one.says, TWICE)) if who.repeats else one)
    return tuple(made)


def _tables(asked: Question, part: Part, rule: Rule) -> list[tuple[Ints, Floats, Ints]]:
    """Label (m,), scores (m, K) and patient (m,); one table for all classes, of findings one each (without, with)."""
    if asked.task != "multi-label":
        return [_rows(asked, part, rule)]
    found = []
    for view in part.views:
        row, of = pooling.by_patient(view, _whose(part), rule)
        found.append((row.has.astype(int), np.stack([1 - row.score, row.score], axis=1), of.group))
    return found


def _rows(asked: Question, part: Part, rule: Rule) -> tuple[Ints, Floats, Ints]:
    """Of two classes and of grades a patient has the one that counts most, as one such image is enough."""
    y, (numbers, at) = part.answers.y, np.unique(_whose(part).group, return_inverse=True)
    has = np.zeros((len(numbers), len(asked.classes)), bool)
    has[at, y] = True
    if len(asked.classes) == 2:
        most = thresholds.positive_index(asked.classes, asked.positive)
        has[has[:, most], 1 - most] = False
    elif asked.task == "ordinal":
        has &= np.arange(len(asked.classes)) == np.max(np.where(has, np.arange(len(asked.classes)), 0), axis=1)[:, None]
    patient, label = np.nonzero(has)
    return label, scores(asked, part, rule)[patient], numbers[patient]


def _whose(part: Part) -> Resampling:
    return whose(len(part.answers.y), part.answers.patients)
