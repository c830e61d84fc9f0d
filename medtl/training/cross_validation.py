"""Repeated cross-validation of a whole plan: every case is tested once a repeat by a network that did not learn from
its patient, nor tuned on it. It judges the way of training, not the network that was kept.

Letters: N cases in the cohort, K classes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from medtl.evaluation import comparison
from medtl.evaluation.resampling import percentiles, resample
from medtl.evaluation.thresholds import positive_index
from medtl.sources.network import Network
from medtl.training.examples import Examples, Stopped
from medtl.training.fit import Engine
from medtl.training.folds import folds, most
from medtl.training.inference import Eye, head_scores
from medtl.vocabulary import Blend, Plan, Reinitialise, Train

FOLDS, REPEATS = 5, 5
SMALL = 200  # patients; with fewer, one test part says little and the spread over several must be seen
FEWEST = 3  # folds: one to test on, one to tune on, one to learn from


@dataclass(frozen=True)
class CrossValidated:
    """Mean AUROC of the repeats with an interval by patient; `spread` is the AUROC of each repeat."""

    name: str
    value: float
    low: float
    high: float
    n: int
    how: str
    spread: tuple[float, ...]
    folds: int
    says: str


def keeps_trunk(plan: Plan) -> bool:
    """Whether the source stays as it is, so that features seen once serve every fold."""
    return not any(
        isinstance(step, (Reinitialise, Blend))
        or (isinstance(step, Train) and any(rate.stage != "head" for rate in step.rates))
        for step in plan
    )


def takes_seconds(plan: Plan) -> bool:
    """Whether nothing is trained by gradient descent either: a fold then costs no more than fitting a last layer."""
    return keeps_trunk(plan) and not any(isinstance(step, Train) for step in plan)


def scores_of(
    examples: Examples,
    plan: Plan,
    groups: np.ndarray,
    engine: Callable[[Examples, int], Engine],
    network: Callable[[], Network],
    repeats: int = REPEATS,
    seed: int = 0,
    kept: Path | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> tuple[list[np.ndarray], int] | str:
    """(N, K) scores of each whole repeat, and the number of folds; or why it cannot be done.

    Each fold is tested once, the next one tunes, the others teach: three, one and one fifth, as in the run itself.
    `engine(examples, seed)` makes the one that carries out a fold, `network()` a fresh source. Folds already done are
    read from `kept`, so that a long one goes on where it was interrupted; when asked to stop, what is whole is given.
    """
    count = min(FOLDS, most(examples.labels, groups, examples.classes))
    if count < FEWEST:
        return f"A class has images of fewer than {FEWEST} patients: too few to cross-validate."
    frozen = network() if keeps_trunk(plan) else None
    total, done = repeats * count, 0
    found: list[np.ndarray] = []
    for repeat in range(repeats):
        parts = folds(examples.labels, groups, count, seed + repeat)
        scores = np.zeros((len(examples.labels), examples.classes))
        for number, unseen in enumerate(parts):
            on_progress(done, total)
            file = kept / f"{repeat}-{number}.npy" if kept else None
            answers = _read(file, (len(unseen), examples.classes))
            if answers is None:
                if should_stop():
                    return found, count
                given = replace(
                    examples,
                    train=_rest(parts, number),
                    tune=np.sort(parts[(number + 1) % count]),
                    test=np.sort(unseen),
                )
                try:
                    answers = _answer(engine(given, seed + repeat), frozen or network(), plan)
                except Stopped:
                    return found, count
                if should_stop() and frozen is None:  # this fold's training may have been cut short
                    return found, count
                _write(file, answers)
            scores[np.sort(unseen)] = answers
            done += 1
        found.append(scores)
    on_progress(total, total)
    return found, count


def judged(
    found: Sequence[np.ndarray],
    count: int,
    labels: np.ndarray,
    classes: Sequence[str],
    positive: str | None,
    patients: np.ndarray | None,
    seed: int = 0,
) -> CrossValidated:
    """From the scores of the repeats. No threshold and no calibration are taken from them."""
    at = positive_index(classes, positive) if len(classes) == 2 else None
    draws = resample(labels, patients, at, seed, 2000)
    each = [comparison.scored(labels, scores, classes, positive, draws) for scores in found]
    value = float(np.mean([one.auroc.value for one in each]))
    low, high = percentiles(np.mean([one.drawn for one in each], axis=0))
    how = draws.how
    if not high > low or each[0].few:
        low, high = (float(np.mean([getattr(one.auroc, end) for one in each])) for end in ("low", "high"))
        how = each[0].auroc.how
    spread = tuple(one.auroc.value for one in each)
    n, units = len(labels), draws.units(np.ones(len(labels), bool))
    again = f", {len(found)} times" if len(found) > 1 else ""
    cases, whom = (f"{n} cases", "it") if draws.unit == "case" else (f"{n} cases of {units} patients", "its patient")
    repeats = f"; the {len(found)} repeats gave {min(spread):.2f} to {max(spread):.2f}" if len(found) > 1 else ""
    says = (
        f"Cross-validated: AUROC {value:.2f} ({low:.2f} to {high:.2f}) on all {cases}, each tested by a network that "
        f"learned without {whom}{repeats}. It judges this way of training, not the network that was kept."
    )
    return CrossValidated(
        "auroc", value, low, high, n, f"out of fold, {count} folds{again}; {how}", spread, count, says
    )


def _rest(parts: Sequence[np.ndarray], number: int) -> np.ndarray:
    apart = {number, (number + 1) % len(parts)}
    return np.sort(np.concatenate([part for i, part in enumerate(parts) if i not in apart]))


def _answer(engine: Engine, network: Network, plan: Plan) -> np.ndarray:
    """(n, K) scores of the engine's test part by a network that was taught its train part."""
    fitted = engine.carry_out(network, plan)
    test = engine.examples.test
    features = fitted.features
    if features is None:
        return head_scores(
            fitted.network.head,
            Eye(fitted.network, engine.spec, engine.device, fitted.looks).features(engine.examples.inputs.take, test),
            engine.examples.task,
        )
    return head_scores(fitted.network.head, features[test], engine.examples.task)


def _read(file: Path | None, shape: tuple[int, int]) -> np.ndarray | None:
    if file is None or not file.exists():
        return None
    try:
        found: np.ndarray = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return found if found.shape == shape else None


def _write(file: Path | None, answers: np.ndarray) -> None:
    if file is None:
        return
    file.parent.mkdir(exist_ok=True)
    aside = file.with_name(f".{file.name}")
    with aside.open("wb") as out:
        np.save(out, answers)
    aside.replace(file)


class Quiet:
    """A listener for the trainings inside: says nothing, and passes on the wish to stop."""

    def __init__(self, should_stop: Callable[[], bool]) -> None:
        self.should_stop = should_stop

    def phase(self, phase: str, says: str, done: int, total: int) -> None: ...
    def step(self, **facts: Any) -> None: ...
    def epoch(self, **facts: Any) -> None: ...
    def note(self, message: str) -> None: ...
