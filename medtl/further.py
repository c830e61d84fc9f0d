"""What is worked out once a result is on screen: learning curve and cross-validation. Knows the parts of a run that its
worker made, not the worker; what goes wrong here takes nothing away from the result.
"""

import json
import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medtl.errors import MedtlError
from medtl.runs import results, store
from medtl.sources.network import Network
from medtl.training import cross_validation
from medtl.training.examples import Examples, Listener
from medtl.training.features import Remembered
from medtl.training.fit import Engine
from medtl.transferability import learning_curve
from medtl.vocabulary import Cohort, Plan, Recipe, to_dict
from medtl.workspace import write_whole

log = logging.getLogger("medtl.worker")
SMALL = cross_validation.SMALL  # patients; with fewer, frozen strategies are cross-validated without being asked
MOST_CASES = 2000  # with more cases than this even a small number of patients is cross-validated on request only
KEPT = "cross-validation"  # folds already done, in the run's folder


@dataclass(frozen=True)
class Parts:
    """A run as its worker holds it. `features` (N, D) are of the frozen source; `fresh` gives its network anew."""

    folder: Path
    recipe: Recipe
    cohort: Cohort
    examples: Examples
    patients: np.ndarray | None  # (N,)
    plan: Plan
    engine: Engine
    features: np.ndarray | None
    fresh: Callable[[], Network]
    listener: Listener

    @property
    def result(self) -> Path:
        return self.folder / store.RESULT

    @property
    def groups(self) -> np.ndarray:
        """(N,) the number of what is never divided: patient, series, copies."""
        assert self.examples.groups is not None
        return self.examples.groups


def quickly(parts: Parts) -> None:
    """The learning curve, and cross-validation where the source stays frozen and patients are few: some seconds."""
    if parts.features is None or parts.listener.should_stop() or parts.examples.task == "multi-label":
        return
    for work in (_curve, _small):
        try:
            work(parts)
        except Exception:  # the result is there and sound; what is missing beside it is in the log
            log.exception("%s could not be worked out", work.__name__)
            parts.listener.note("What is worked out after the result is not complete; the details are in log.txt.")


def cross_validate(parts: Parts, repeats: int) -> None:
    """The whole plan in every fold, with progress, until done or told to stop; goes on where it was interrupted."""
    if parts.examples.task == "multi-label":
        parts.listener.note("Not cross-validated: that is for one label an image so far, and this run has several.")
        return
    if parts.recipe.teacher:
        parts.listener.note("Not cross-validated: this run learned from a model that may have seen every case.")
        return
    kept = parts.folder / KEPT

    def progress(done: int, total: int) -> None:
        parts.listener.phase(
            "cross-validation", "Training on other parts of the cohort, to cross-validate", done, total
        )

    try:
        whole = _validated(parts, repeats, kept, progress)
    except MedtlError as error:
        parts.listener.note(f"Not cross-validated. {error}")
        return
    if whole:
        shutil.rmtree(kept, ignore_errors=True)


# ---- each ------------------------------------------------------------------------------------------------------------


def _curve(parts: Parts) -> None:
    e, cohort = parts.examples, parts.cohort
    assert parts.features is not None
    found = learning_curve.curve(
        parts.features, e.labels, parts.groups, learning_curve.Parts(e.train, e.tune, e.test), cohort.classes,
        cohort.positive, parts.patients, not cross_validation.keeps_trunk(parts.plan), parts.recipe.seed,
    )  # fmt: skip
    write_whole(parts.result / results.LEARNING_CURVE, json.dumps(to_dict(found), ensure_ascii=False))


def _small(parts: Parts) -> None:
    n = len(parts.examples.labels)
    few = len(np.unique(parts.groups)) < SMALL and n <= MOST_CASES
    if few and cross_validation.takes_seconds(parts.plan) and not store.cross_validation_wished(parts.folder):
        _validated(parts, cross_validation.REPEATS, None, lambda done, total: None)


def _repeats_kept(result: Path) -> int:
    """Of the cross-validation that is there; 0 where there is none."""
    try:
        return len(json.loads((result / results.CROSS_VALIDATED).read_text())["spread"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def _validated(parts: Parts, repeats: int, kept: Path | None, on_progress: Callable[[int, int], None]) -> bool:
    """Whether all repeats are in what was written."""
    e, cohort, engine = parts.examples, parts.cohort, parts.engine
    cache = Remembered(engine.cache)

    def made(examples: Examples, seed: int) -> Engine:
        quiet = cross_validation.Quiet(parts.listener.should_stop)
        return Engine(examples, engine.spec, engine.device, seed, quiet, cache)

    found = cross_validation.scores_of(
        e, parts.plan, parts.groups, made, parts.fresh, repeats, parts.recipe.seed, kept, on_progress,
        parts.listener.should_stop,
    )  # fmt: skip
    if isinstance(found, str):
        parts.listener.note(f"Not cross-validated. {found}")
        return False
    scores, folds = found
    if len(scores) < repeats:
        parts.listener.note(f"Cross-validation was stopped after {len(scores)} of {repeats} repeats.")
    if scores and len(scores) < _repeats_kept(parts.result):
        parts.listener.note("A cross-validation with more repeats is there already; that one is kept.")
    elif scores:
        said = cross_validation.judged(
            scores, folds, e.labels, cohort.classes, cohort.positive, parts.patients, parts.recipe.seed
        )
        write_whole(parts.result / results.CROSS_VALIDATED, json.dumps(to_dict(said), ensure_ascii=False))
    return len(scores) == repeats
