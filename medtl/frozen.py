"""A finished run with everything fixed: network, looks, preprocessing, thresholds, gate. It answers for many images at
once and learns nothing. Knows no file that is brought; pictures come from a cohort.

Letters: n cases, D features, K classes, S pixels a side.
"""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from medtl.cohorts import library as cohorts
from medtl.errors import NotReady
from medtl.evaluation import thresholds
from medtl.explanation import neighbours
from medtl.runs import findings, results, store
from medtl.sources import library as sources
from medtl.vocabulary import Cohort, Threshold
from medtl.workspace import Workspace

if TYPE_CHECKING:
    from medtl.training.device import Device


class Frozen:
    """Holds the network in memory."""

    def __init__(self, workspace: Workspace, run_id: str, device: "Device") -> None:
        from medtl.sources.weights import load_trained
        from medtl.training import meaning
        from medtl.training.inference import Eye, Looks

        self.folder = store.folder(workspace, run_id)
        if not (self.folder / store.RESULT).is_dir():
            raise NotReady("This run has no result yet.", "Wait until it has finished.")
        self.recipe = store.recipe(self.folder)
        self.cohort: Cohort = cohorts.load(workspace, self.recipe.cohort)
        self.classes = self.cohort.classes
        self.source = sources.from_run(self.folder)
        self.task = self.source.task
        content = json.loads((self.folder / store.RESULT / results.ESTIMATES).read_bytes())
        said = content.get("threshold")
        self.threshold = store.known(Threshold, said, "result") if said else Threshold(None, "tune", "")
        self.asked = content.get("findings") or {}
        network = load_trained(self.source, meaning.width(self.task, len(self.classes)))
        self.eye = Eye(network, self.source.input, device, Looks(self.source.looks, self.source.looks_like))
        self.head = network.head
        self.neighbours = neighbours.load(self.folder / store.RESULT)

    def features(
        self,
        take: Callable[[np.ndarray], np.ndarray],
        indices: np.ndarray,
        on_progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> np.ndarray:
        """`take(indices)` gives (b, C, S, S) uint8 -> (n, D) float32."""
        return self.eye.features(take, indices, on_progress)

    def scores(self, features: np.ndarray) -> np.ndarray:
        """(n, D) -> (n, K)."""
        from medtl.training.inference import head_scores

        return head_scores(self.head, features, self.task)

    def called(self, scores: np.ndarray) -> np.ndarray:
        """(n, K) scores -> (n, K) bool: the class each case is called, or the findings."""
        if self.task == "multi-label":
            at = findings.thresholds(self.asked)
            return scores >= np.array([at.get(name, 0.5) for name in self.classes])
        calls = thresholds.calls(scores, self.threshold, self.classes, self.cohort.positive)
        return np.eye(len(self.classes), dtype=bool)[calls]

    def distances(self, features: np.ndarray) -> np.ndarray:
        """(n, D) -> (n,) the gate's distance of each: the cosine distance to its tenth nearest training image."""
        train = self.neighbours.features.astype(np.float32).T  # (D, m) on the unit sphere
        tenth = min(neighbours.NEAREST, train.shape[1]) - 1
        found = []
        for start in range(0, len(features), 500):
            rows = features[start : start + 500]
            unit = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
            found.append(np.partition(1 - unit.astype(np.float32) @ train, tenth, axis=1)[:, tenth])
        return np.concatenate(found).astype(float) if found else np.zeros(0)
