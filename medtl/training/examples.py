"""What the engine is given and what it gives back: the cohort as arrays, who listens, what was fitted. Knows no plan.

Letters: N cases in the cohort, n cases in hand, S pixels a side, K classes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from medtl.sources.network import Network
from medtl.training import policies
from medtl.training.inference import ONE_LOOK, Looks
from medtl.vocabulary import Cohort, Policy, Task


class Stopped(Exception):
    """The user asked for the end before there was anything to keep."""


class OutOfTime(Exception):
    """The time the user gave is used up."""


class Listener(Protocol):
    """Who is told what happens; and who is asked whether to go on."""

    def phase(self, phase: str, says: str, done: int, total: int) -> None: ...
    def step(self, **facts: Any) -> None: ...
    def epoch(self, **facts: Any) -> None: ...
    def note(self, message: str) -> None: ...
    def should_stop(self) -> bool: ...


class Inputs(Protocol):
    """The pictures of a cohort at the size a source wants."""

    def take(self, indices: np.ndarray) -> np.ndarray:
        """(n,) indices -> (n, 1 or 3, S, S) uint8."""
        ...

    def keep(self, on_progress: Callable[[int, int], None]) -> None:
        """Work all of them out once, so that many epochs cost no more than one."""
        ...


@dataclass(frozen=True)
class Unlabelled:
    """Pictures of the user's whose labels nobody knows; `keys` are the content hashes."""

    inputs: Inputs
    keys: tuple[str, ...]


@dataclass(frozen=True)
class Examples:
    """The cohort as the engine sees it. Several findings a case are in `targets`; `labels` then tells nothing."""

    inputs: Inputs
    labels: np.ndarray  # (N,) int64, the number of the class or grade
    train: np.ndarray  # indices
    tune: np.ndarray
    test: np.ndarray
    keys: tuple[str, ...]  # content hash of each case
    classes: int
    groups: np.ndarray | None = None  # (N,) cases of one group (a patient) are never told apart; None: each its own
    tasks: np.ndarray | None = None  # (K,) the number of the task each class belongs to; None: one task
    unlabelled: Unlabelled | None = None
    teacher: np.ndarray | None = None  # (N, K) scores of the model that is learned from, as `meaning.scores` has them
    task: Task = "single-label"
    targets: np.ndarray | None = None  # (N, K) int8 of several findings: 1, 0, -1 uncertain, -2 nobody said
    policies: tuple[Policy, ...] = ()  # (K,) what uncertain labels of each finding teach

    @property
    def truth(self) -> np.ndarray:
        """(N,) numbers of the classes, or (N, K) `targets` of several findings: what answers are judged by."""
        return self.labels if self.targets is None else self.targets


def labels_of(cohort: Cohort, uncertain: Mapping[str, str]) -> dict[str, Any]:
    """The fields of `Examples` that say what the cases of a cohort are labelled with; `uncertain` as on the recipe."""
    if cohort.task == "multi-label":
        said = tuple(uncertain.get(name, "ignore") for name in cohort.classes)
        return {
            "task": cohort.task,
            "labels": np.zeros(len(cohort.cases), np.int64),
            "targets": policies.table(cohort),
            "policies": said,
        }
    index = {name: i for i, name in enumerate(cohort.classes)}
    labels = np.array([index[case.label] for case in cohort.cases], dtype=np.int64)
    return {"task": cohort.task, "labels": labels}


@dataclass
class Fitted:
    """The network after its plan. `features` are those of all N cases while the trunk is the one they came from."""

    network: Network
    learned: bool = False  # whether a step has taught the present head anything
    moved: bool = False  # whether a training has changed what the steps before it left
    out_of_time: bool = False
    features: np.ndarray | None = None
    plain: np.ndarray | None = None  # (N, D) of the pictures as they are, where features are means of several looks
    looks: Looks = ONE_LOOK  # how a picture is to be looked at when it is answered
    held_out: np.ndarray | None = None  # (n tune, K) scores by models that had not seen the case, where this one has
    outcome: str = ""  # what the user would not expect of the result, in a sentence
    stopped: str = ""  # why training ended before its plan did, in a sentence; empty when it did not
    seconds: dict[str, float] = field(default_factory=lambda: {"features": 0.0, "fit": 0.0})
    trained_images: int = 0
    train_seconds: float = 0.0
    computed_features: int = 0
