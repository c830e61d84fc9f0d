"""The test of any task behind one door: one label a case, grades, or several findings.

`truth` is (n,) numbers of the classes, or (n, F) labels of several findings as `findings` has them.
"""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from medtl.evaluation import comparison, conformal, evaluation, findings, thresholds
from medtl.evaluation.comparison import SOURCE, Worth
from medtl.evaluation.operating import YOUDEN
from medtl.evaluation.resampling import Floats, Ints
from medtl.vocabulary import Cohort, Estimate, OperatingRule, Task, Threshold

Patients = NDArray[np.object_] | None


class Judged(Protocol):
    """What every evaluation has, whatever the task."""

    @property
    def estimates(self) -> tuple[Estimate, ...]: ...
    @property
    def threshold(self) -> Threshold: ...
    @property
    def curves(self) -> dict[str, Any]: ...
    def as_dict(self) -> dict[str, Any]: ...


def evaluate(
    cohort: Cohort,
    truth_tune: Ints,
    scores_tune: Floats,
    truth_test: Ints,
    scores_test: Floats,
    patients_test: Patients,
    control_scores_test: Floats | None = None,
    seed: int = 0,
    rule: OperatingRule = YOUDEN,
    patients_tune: Patients = None,
) -> Judged:
    """Choose thresholds on the tune part, then score the test part once."""
    if cohort.task == "multi-label":
        return findings.evaluate(
            truth_tune, scores_tune, truth_test, scores_test, cohort.classes, patients_test, control_scores_test,
            seed=seed, rule=rule, patients_tune=patients_tune,
        )  # fmt: skip
    return evaluation.evaluate(
        truth_tune, scores_tune, truth_test, scores_test, cohort.classes, cohort.positive, patients_test,
        control_scores_test, seed=seed, task=cohort.task, rule=rule, patients_tune=patients_tune,
    )  # fmt: skip


def compare(
    cohort: Cohort, truth: Ints, scores: Floats, control_scores: Floats, patients: Patients,
    name: str, run: str | None = None, seed: int = 0, worth: Worth = SOURCE,
) -> dict[str, Any]:  # fmt: skip
    """Against a control that came later. Scores may have been rounded in a file; those of one label are made to sum
    to 1 again."""
    if cohort.task == "multi-label":
        return findings.compare(truth, scores, control_scores, patients, name, run, seed, worth=worth)
    scores = scores / scores.sum(axis=1, keepdims=True)
    return comparison.compare(
        truth,
        scores,
        control_scores,
        cohort.classes,
        cohort.positive,
        patients,
        name=name,
        run=run,
        seed=seed,
        worth=worth,
    )


def calls(judged: Judged, scores: Floats, cohort: Cohort) -> list[tuple[str, ...]]:
    """What each case (n, K) is called: one class, or the findings whose score reaches their threshold."""
    if isinstance(judged, findings.Findings):
        at = np.array([judged.thresholds[name] for name in cohort.classes])
        return [tuple(name for name, c in zip(cohort.classes, row, strict=True) if c) for row in scores >= at]
    called = thresholds.calls(scores, judged.threshold, cohort.classes, cohort.positive)
    return [(cohort.classes[i],) for i in called]


def sets(task: Task, truth_tune: Ints, scores_tune: Floats) -> dict[str, Any]:
    """The limit of the prediction sets as estimates.json has it; findings have a limit each, beside their numbers."""
    limit = {} if task == "multi-label" else {"set_limit": conformal.limit(truth_tune, scores_tune)}
    return {**limit, "set_error": conformal.ERROR}
