"""What was settled before a run is asked: threshold, limits of the sets, calibration, and what the threshold reached.

Nothing of it changes by asking. The one place where what `medtl.trust` found out meets the network.

Letters: n cases, K classes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from medtl.errors import NotReady
from medtl.evaluation import conformal, thresholds
from medtl.evaluation.pooling import Level, Rule
from medtl.runs import results, store
from medtl.runs.results import Result
from medtl.trust import by_patient, cases, judge
from medtl.trust.cases import Cases
from medtl.trust.values import OfView
from medtl.vocabulary import Estimate, Threshold, to_dict

Word = Literal["score", "probability"]
AT_THRESHOLD = ("sensitivity", "specificity")


@dataclass(frozen=True)
class Settled:
    """`limits` (K,): the least score a class must have to stay in the set; `error` how often a set may miss the truth.
    `calibrate` (n, K) scores -> (n, K) probabilities, None while there is none; `on_calibrated`: threshold and limits
    are of these. `reached`: sensitivity and specificity of the threshold on the test part, as they were found.
    `findings` is what was written of each of several findings. `pool` is how several pictures of a patient become one
    answer, and `of_patients` the same for such answers, where the run was judged patient by patient: another threshold
    and other limits, from the tune part's patients, and what the threshold reached."""

    threshold: Threshold
    limits: np.ndarray
    error: float = conformal.ERROR
    calibrate: Callable[[np.ndarray], np.ndarray] | None = None
    on_calibrated: bool = False
    reached: tuple[Estimate, ...] = ()
    findings: Mapping[str, Any] = field(default_factory=dict)
    pool: Rule = "mean"
    of_patients: "Settled | None" = None

    @property
    def word(self) -> Word:
        """What the number beside a class may be called."""
        return "probability" if self.calibrate else "score"

    def calibrated(self, scores: np.ndarray) -> np.ndarray | None:
        return None if self.calibrate is None else np.asarray(self.calibrate(scores), np.float64)

    def unproven(self) -> "Settled":
        """For answers by a rule that nothing was settled for: no class can be ruled out, and a score stays a score."""
        findings = {name: {**said, "set_limits": [0.0, 0.0]} for name, said in self.findings.items()}
        return replace(self, limits=np.zeros_like(self.limits), calibrate=None, findings=findings)

    def describe(self) -> dict[str, Any]:
        return {
            "word": self.word,
            "threshold": to_dict(self.threshold),
            "set_error": self.error,
            "reached": [to_dict(estimate) for estimate in self.reached],
        }


def settled(folder: Path, result: Result, classes: Sequence[str]) -> Settled:
    """As the run in `folder` stands now: its operating point in force, set limits by class from the tune part, and a
    calibration where the test part has shown that it may be called a probability (`medtl.trust.judge`)."""
    threshold = result.threshold or Threshold(None, "tune", "")
    reached = tuple(estimate for estimate in result.estimates if estimate.name in AT_THRESHOLD)
    try:
        told = cases.read(folder, result)
    except NotReady:  # tested on nothing: nothing can be ruled out
        return Settled(threshold, np.zeros(len(classes)), reached=reached, findings=result.findings)
    limits, findings = judge.limits(told), result.findings
    if findings and limits:
        findings = {
            name: {**said, "set_limits": list(mine)}
            for (name, said), mine in zip(findings.items(), limits, strict=True)
        }
    views = judge.judge(folder).views
    by_class = np.array(limits[0]) if limits and not findings else np.zeros(len(classes))
    one = Settled(threshold, by_class, calibrate=_proven(told, views), reached=reached, findings=findings)
    pooled = next((view.pooled for view in views if view.pooled), None)
    if pooled is None:
        return one
    rule = pooled.pooling.rule  # which all views share
    return replace(one, pool=rule, of_patients=_of_patients(one, told, views, rule))


def _of_patients(one: Settled, told: Cases, views: Sequence[OfView], rule: Rule) -> Settled:
    """Threshold and limits from the tune part's patients: those of images promise nothing of a highest score of five.
    A calibration was shown image by image only, so that a patient has a score. Of more than two classes the highest
    score, or the middle grade, decides for a patient as well."""
    one, limits = replace(one, calibrate=None), by_patient.limits(told, rule)
    levels = {view.name: view.pooled.patients for view in views if view.pooled}
    if one.findings:
        mine = {view.name: least for view, least in zip(told.test.views, limits, strict=True)}
        return replace(
            one, findings={name: _finding(said, mine[name], levels.get(name)) for name, said in one.findings.items()}
        )
    one = replace(one, limits=np.array(limits[0]))
    if len(views) > 1:
        return one
    level = levels[views[0].name]
    reached = tuple(estimate for name in AT_THRESHOLD if (estimate := level.get(name)))
    return replace(one, threshold=level.threshold, reached=reached)


def _finding(said: Mapping[str, Any], limits: Sequence[float], level: Level | None) -> dict[str, Any]:
    """One finding of patients; where no test patient has several images, its threshold is that of the images."""
    at = {"threshold": to_dict(level.threshold)} if level else {}
    return {**said, **at, "set_limits": list(limits)}


def stamp(folder: Path) -> int:
    """Changes whenever the operating point does."""
    file = folder / store.RESULT / results.OPERATING
    return file.stat().st_mtime_ns if file.exists() else 0


def _proven(told: Cases, views: Sequence[OfView]) -> Callable[[np.ndarray], np.ndarray] | None:
    """Scores (n, K) -> probabilities, where every view of the run may be called so."""
    found = judge.calibrators(told)
    if not all(one.fitted for one in found) or any(view.word != "probability" for view in views):
        return None
    asked = told.question
    if asked.task == "multi-label":
        return lambda scores: np.stack([one.score(scores[:, k]) for k, one in enumerate(found)], axis=1)
    at = thresholds.positive_index(asked.classes, asked.positive) if len(asked.classes) == 2 else None
    return lambda scores: found[0].table(scores, at)
