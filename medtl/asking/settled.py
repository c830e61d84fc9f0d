"""What was settled before a run is asked: threshold, limits of the sets, calibration, and what the threshold reached.

Nothing of it changes by asking. The one place where a recalibration, limits by class or another operating rule
is plugged in.

Letters: n cases, K classes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from medtl.evaluation import conformal
from medtl.runs import results, store
from medtl.runs.results import Result
from medtl.vocabulary import Estimate, Threshold, to_dict

Word = Literal["score", "probability"]
AT_THRESHOLD = ("sensitivity", "specificity")


@dataclass(frozen=True)
class Settled:
    """`limits` (K,): the least score a class must have to stay in the set; `error` how often a set may miss the truth.
    `calibrate` (n, K) scores -> (n, K) probabilities, None while there is none; `on_calibrated`: threshold and limits
    are of these. `reached`: sensitivity and specificity of the threshold on the test part, as they were found.
    `findings` is what was written of each of several findings."""

    threshold: Threshold
    limits: np.ndarray
    error: float = conformal.ERROR
    calibrate: Callable[[np.ndarray], np.ndarray] | None = None
    on_calibrated: bool = False
    reached: tuple[Estimate, ...] = ()
    findings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def word(self) -> Word:
        """What the number beside a class may be called."""
        return "probability" if self.calibrate else "score"

    def calibrated(self, scores: np.ndarray) -> np.ndarray | None:
        return None if self.calibrate is None else np.asarray(self.calibrate(scores), np.float64)

    def describe(self) -> dict[str, Any]:
        return {
            "word": self.word,
            "threshold": to_dict(self.threshold),
            "set_error": self.error,
            "reached": [to_dict(estimate) for estimate in self.reached],
        }


def settled(result: Result, classes: Sequence[str]) -> Settled:
    """As the worker left it."""
    content = store.read_json(result.folder / results.ESTIMATES, "result")
    return Settled(
        result.threshold or Threshold(None, "tune", ""),
        np.full(len(classes), float(content.get("set_limit", 0.0))),
        reached=tuple(estimate for estimate in result.estimates if estimate.name in AT_THRESHOLD),
        findings=content.get("findings") or {},
    )
