"""A finished run with everything fixed: network, looks, preprocessing, thresholds, gate. It answers for many images at
once and learns nothing. Whoever asks a run anything (new images, another cohort, changed images, maps) loads it here.
Knows no file that is brought.

Letters: n cases, m training cases, D features, K classes, S pixels a side.
"""

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from medtl.cohorts import library as cohorts
from medtl.errors import NotReady
from medtl.evaluation import thresholds
from medtl.explanation import neighbours
from medtl.gate import gate
from medtl.gate.gate import Verdict
from medtl.gate.learning import seen_of
from medtl.gate.photometry import Seen
from medtl.runs import findings, results, store
from medtl.sources import library as sources
from medtl.vocabulary import Case, Cohort, Source, Threshold
from medtl.workspace import Workspace

if TYPE_CHECKING:
    from medtl.cohorts.pixels import Pixels
    from medtl.explanation.explainer import Explainer
    from medtl.training.device import Device

TOGETHER = 500  # cases


class Frozen:
    """Holds the network in memory."""

    def __init__(self, workspace: Workspace, run_id: str, device: "Device") -> None:
        from threadpoolctl import ThreadpoolController

        from medtl.sources.weights import load_trained
        from medtl.training import meaning
        from medtl.training.inference import Eye, Looks

        self.folder = store.folder(workspace, run_id)
        if not (self.folder / store.RESULT).is_dir():
            raise NotReady("This run has no result yet.", "Wait until it has finished.")
        self.recipe = store.recipe(self.folder)
        self.cohort: Cohort = cohorts.load(workspace, self.recipe.cohort)
        self.classes = self.cohort.classes
        self.source: Source = sources.from_run(self.folder)
        self.task = self.source.task  # what the outputs mean is on the card of the run
        self.device = device
        content = json.loads((self.folder / store.RESULT / results.ESTIMATES).read_bytes())
        said = content.get("threshold")
        self.threshold = store.known(Threshold, said, "result") if said else Threshold(None, "tune", "")
        self.asked = content.get("findings") or {}
        self.network = load_trained(self.source, meaning.width(self.task, len(self.classes)))
        self.eye = Eye(self.network, self.source.input, device, Looks(self.source.looks, self.source.looks_like))
        self.pools = ThreadpoolController()  # numpy's threads would fight torch's: thirty times slower, measured
        self.neighbours = neighbours.load(self.folder / store.RESULT)
        self.gate = gate.load(self.folder / store.RESULT, self.neighbours)

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

        return head_scores(self.network.head, features, self.task)

    def called(self, scores: np.ndarray) -> np.ndarray:
        """(n, K) scores -> (n, K) bool: the class each case is called, or the findings."""
        if self.task == "multi-label":
            at = findings.thresholds(self.asked)
            return scores >= np.array([at.get(name, 0.5) for name in self.classes])
        calls = thresholds.calls(scores, self.threshold, self.classes, self.cohort.positive)
        return np.eye(len(self.classes), dtype=bool)[calls]

    def judged(self, features: np.ndarray, seen: Seen) -> tuple[np.ndarray, list[Verdict]]:
        """(n, D) and what was seen of the pictures -> (n, m) cosine distances to the training cases, and what the gate
        says of each; a run from before there was a gate asks for likeness alone."""
        with self.pools.limit(limits=1, user_api="blas"):
            near = self.neighbours.distances(features)
            if self.gate is None:
                return near, gate.by_likeness(self.neighbours, near)
            return near, self.gate.judge(features, seen, near)

    def unlike(self, features: np.ndarray, pixels: "Pixels", cases: Sequence[Case]) -> tuple[np.ndarray, np.ndarray]:
        """(n, D) of these cases of a cohort -> (n,) the distance of each to its tenth nearest training image, and (n,)
        bool: whether the gate refuses it. Some hundred at a time."""
        away, refused = [np.zeros(0)], [np.zeros(0, bool)]
        for start in range(0, len(cases), TOGETHER):
            some = slice(start, start + TOGETHER)
            near, verdicts = self.judged(features[some], seen_of(pixels, cases[some]))
            away.append(neighbours.tenth(near).astype(float))
            refused.append(np.array([not verdict.accepted for verdict in verdicts]))
        return np.concatenate(away), np.concatenate(refused)

    def explainer(self) -> "Explainer":
        from medtl.explanation.explainer import Explainer

        return Explainer(
            self.network, self.source.input, self.classes, self.task, self.device.where, self.device.chunk_forward
        )
