"""What can be said of a finished run, as values: the Trust page, the papers, Use and CLI show these and no others."""

from dataclasses import dataclass
from typing import Any, Literal

from medtl.evaluation.conformal import Coverage
from medtl.evaluation.operating import Point
from medtl.evaluation.pooling import Pooled
from medtl.evaluation.prevalence import Elsewhere
from medtl.evaluation.recalibrating import Calibrator
from medtl.evaluation.reliability import Mended, Reliability
from medtl.evaluation.subgroups import Subgroups
from medtl.evaluation.utility import DecisionCurve
from medtl.vocabulary import OperatingRule, Task, Threshold

Word = Literal["score", "probability"]


@dataclass(frozen=True)
class OfView:
    """One question of "has it or not" on the test part.

    `threshold` is the score it is called from, None where the highest score (or the middle grade) decides; `point` what
    the calls do to the test cases. `calibrator` was fitted on the tune part, `mended` shows it on the test part, `word`
    is what the output may be called. `pr` is the precision-recall curve (`curves.pr`), `pooled` one answer a patient
    where patients have several images. What the test part does not allow is None.
    """

    name: str
    without: str
    cases: int
    having: int
    threshold: Threshold | None
    point: Point
    here: Elsewhere | None
    calibrator: Calibrator
    mended: Mended
    word: Word
    utility: DecisionCurve
    pr: dict[str, Any] | None
    pooled: Pooled | None


@dataclass(frozen=True)
class Judgement:
    """Everything that is worked out from the scored cases of a run. `views` in the order of the classes; `calls` is
    whether the highest of several scores is the share of calls that are right; `sets` the prediction sets, one for all
    classes, of findings one each, and `sets_of_patients` those of pooled answers where patients have several images;
    `subgroups` of all classes (more than two) and of each view. `rule` is in force for
    the thresholds; `changed` are the times (ISO) at which it was chosen after the test part had been seen."""

    run: str
    task: Task
    classes: tuple[str, ...]
    positive: str | None
    views: tuple[OfView, ...]
    calls: Reliability | None
    sets: tuple[Coverage, ...]
    subgroups: tuple[Subgroups, ...]
    rule: OperatingRule
    changed: tuple[str, ...]
    openings: int
    opened: str
    sets_of_patients: tuple[Coverage, ...] = ()

    def view(self, name: str) -> OfView | None:
        return next((one for one in self.views if one.name == name), None)
