"""The whole test, once: from the scores of tune and test part to everything the Trust page shows. Knows no files."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medtl.evaluation import comparison, curves, grades, sentences, thresholds
from medtl.evaluation.comparison import Comparison
from medtl.evaluation.estimates import check, measure
from medtl.evaluation.operating import YOUDEN
from medtl.evaluation.resampling import Floats, Ints, resample, whose
from medtl.vocabulary import Estimate, OperatingRule, Task, Threshold, to_dict


@dataclass(frozen=True)
class Evaluation:
    """What the test part says. `as_dict` is the part of estimates.json that evaluation knows, `curves` is curves.json.

    `confusion` counts cases, row = reference, column = call, in the order of `classes`. `notes` says
    what could not be computed, and why.
    """

    classes: tuple[str, ...]
    estimates: tuple[Estimate, ...]
    threshold: Threshold
    control: Comparison | None
    confusion: tuple[tuple[int, ...], ...]
    sentence: str
    small_test: str | None
    notes: tuple[str, ...]
    curves: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        return {
            "schema_version": 1,
            "estimates": [to_dict(estimate) for estimate in self.estimates],
            "threshold": to_dict(self.threshold),
            "control": to_dict(self.control) if self.control else None,
            "confusion": {"classes": list(self.classes), "counts": [list(row) for row in self.confusion]},
            "sentence": self.sentence,
            "small_test": self.small_test,
            "notes": list(self.notes),
        }


def evaluate(
    y_tune: Ints,
    scores_tune: Floats,
    y_test: Ints,
    scores_test: Floats,
    classes: Sequence[str],
    positive: str | None,
    patients_test: NDArray[np.object_] | None,
    control_scores_test: Floats | None = None,
    control_name: str = "thumbnails",
    seed: int = 0,
    draws: int = 2000,
    task: Task = "single-label",
    rule: OperatingRule = YOUDEN,
    patients_tune: NDArray[np.object_] | None = None,
) -> Evaluation:
    """Choose the threshold on the tune part by `rule`, then score the test part once.

    y (n,) class indices; scores (n, k), rows sum to 1; patients (n,) or None. One set of draws of patients serves every
    number, the curves and the comparison. "ordinal": the classes are grades in order, and accuracy, which does not ask
    how far off a wrong grade is, gives way to the numbers of `grades.NAMES`.
    """
    classes = tuple(classes)
    y_tune, scores_tune = check(y_tune, scores_tune, classes)
    y, scores = check(y_test, scores_test, classes)
    threshold = thresholds.choose(
        y_tune, scores_tune, classes, positive, task, rule, whose(len(y_tune), patients_tune).group
    )
    calls = thresholds.calls(scores, threshold, classes, positive)
    at = thresholds.positive_index(classes, positive) if len(classes) == 2 else None
    resampling = resample(y, patients_test, at, seed, draws)
    measured = measure(y, scores, calls, classes, positive, resampling)
    patients = [resampling.units(y == k) for k in range(len(classes))] if resampling.repeats else None
    control, notes = None, measured.notes
    found, sentence = measured.estimates, sentences.headline(measured, classes, positive)
    if task == "ordinal" and len(y):
        graded = grades.estimates(y, calls, classes, resampling)
        found = (*graded, *(one for one in found if one.name != "accuracy"))
        sentence = grades.sentence(graded, y, calls)
        if not any(one.name == "kappa_quadratic" for one in graded):
            notes += ("The quadratic kappa is not defined: reference and calls hold one and the same grade only.",)
    if control_scores_test is not None:
        if len(np.unique(y)) > 1:
            control = comparison.against(y, scores, control_scores_test, classes, positive, resampling, control_name)
        else:
            notes += ("No comparison with the control: the test part needs cases of two classes for it.",)
    return Evaluation(
        classes=classes,
        estimates=found,
        threshold=threshold,
        control=control,
        confusion=tuple(tuple(int(count) for count in row) for row in measured.confusion),
        sentence=sentence,
        small_test=sentences.small_test(measured, classes, positive, patients),
        notes=notes,
        curves={"roc": curves.roc_with(y, scores, classes, positive, resampling)},
    )
