"""Every case is tested by a network that did not learn from its patient, nor tuned on it; again and again."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from medtl import further, start, strategies
from medtl.training import cross_validation
from medtl.training.cross_validation import Quiet, judged, keeps_trunk, scores_of, takes_seconds
from medtl.training.examples import Examples
from medtl.training.features import Remembered
from medtl.training.fit import Engine
from tests.builders import CLASSES, CPU, PICTURES, easy_examples, image_network

N = 60
GROUPS = np.arange(N) // 2
PROBE = strategies.make("linear-probe").plan(image_network().outline(), 2)
TUNED = strategies.make("fine-tune", {"epochs": 1}).plan(image_network().outline(), 2)


def examples(seed: int = 0) -> Examples:
    found = easy_examples(n=N, seed=seed)
    return dataclasses.replace(found, labels=np.repeat(found.labels[::2] * 0 + np.arange(N // 2) % 2, 2))


class Watched:
    """Makes engines, and remembers with which cases."""

    def __init__(self, given: Examples, should_stop: Callable[[], bool] = lambda: False) -> None:
        self.parts: list[Examples] = []
        self.should_stop = should_stop

    def __call__(self, given: Examples, seed: int) -> Engine:
        self.parts.append(given)
        return Engine(given, PICTURES, CPU, seed, Quiet(self.should_stop))


def carried_out(plan: object = PROBE, repeats: int = 2, **more: object) -> tuple[Watched, list[np.ndarray], int]:
    given = examples()
    watched = Watched(given)
    found = scores_of(given, plan, GROUPS, watched, image_network, repeats, **more)  # type: ignore[arg-type]
    assert not isinstance(found, str)
    return watched, *found


def test_no_patient_is_on_two_sides_and_every_case_is_tested_once_a_repeat() -> None:
    watched, found, count = carried_out()
    assert count == 5 and len(found) == 2 and len(watched.parts) == 10
    for one in watched.parts:
        sides = [set(GROUPS[part]) for part in (one.train, one.tune, one.test)]
        assert not (sides[0] & sides[1] or sides[0] & sides[2] or sides[1] & sides[2])
        assert sum(len(part) for part in (one.train, one.tune, one.test)) == N
    for repeat in (watched.parts[:5], watched.parts[5:]):
        assert sorted(np.concatenate([one.test for one in repeat])) == list(range(N))
    for scores in found:
        assert scores.sum(axis=1) == pytest.approx(np.ones(N))


def test_a_frozen_source_asked_from_memory_answers_the_same() -> None:
    given, network = examples(), image_network()
    _, plain, _ = carried_out()
    cache = Remembered(None)
    Engine(given, PICTURES, CPU, 0, Quiet(lambda: False), cache).carry_out(network, PROBE)
    assert set(cache.rows) == set(given.keys)
    found = scores_of(
        given, PROBE, GROUPS, lambda e, seed: Engine(e, PICTURES, CPU, seed, Quiet(lambda: False), cache),
        image_network, 2,
    )  # fmt: skip
    assert not isinstance(found, str)
    assert np.allclose(plain[0], found[0][0], atol=1e-5)


def test_a_plan_that_adapts_starts_every_fold_from_the_source() -> None:
    made = []

    def fresh() -> object:
        made.append(image_network())
        return made[-1]

    given = examples()
    found = scores_of(given, TUNED, GROUPS, Watched(given), fresh, 1)  # type: ignore[arg-type]
    assert not isinstance(found, str) and len(made) == 5 and len({id(one) for one in made}) == 5
    _, again, _ = carried_out(TUNED, 1)
    assert np.allclose(found[0][0], again[0], atol=1e-5)


def test_it_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    given, stop = examples(), False
    watched = Watched(given, lambda: stop)

    def progress(done: int, total: int) -> None:
        nonlocal stop
        stop = done >= 7

    kept = tmp_path / "folds"
    found = scores_of(
        given, PROBE, GROUPS, watched, image_network, 2, kept=kept, on_progress=progress, should_stop=lambda: stop
    )
    assert not isinstance(found, str) and len(found[0]) == 1 and len(watched.parts) == 7
    watched, scores, _ = carried_out(kept=kept)
    assert len(watched.parts) == 3 and len(scores) == 2
    for one, other in zip(scores, carried_out()[1], strict=True):
        assert np.allclose(one, other)


def test_too_few_patients_of_a_class_are_said() -> None:
    given = examples()
    labels = np.zeros(N, int)
    labels[:4] = 1  # two patients
    found = scores_of(dataclasses.replace(given, labels=labels), PROBE, GROUPS, Watched(given), image_network)
    assert isinstance(found, str) and "fewer than 3 patients" in found


def test_the_sentence_has_mean_interval_and_spread() -> None:
    given = examples()
    _, found, count = carried_out(repeats=3)
    patients = np.array([f"p{i}" for i in GROUPS], dtype=object)
    said = judged(found, count, given.labels, CLASSES, "malignant", patients)
    assert len(said.spread) == 3 and said.value == pytest.approx(np.mean(said.spread)) and said.n == N
    assert said.low <= said.value <= said.high and "bootstrap by patient" in said.how and "3 times" in said.how
    assert f"{min(said.spread):.2f} to {max(said.spread):.2f}" in said.says
    assert "30 patients" in said.says and "not the network that was kept" in said.says


@pytest.mark.parametrize("id", [cls.id for cls in strategies.STRATEGIES])
def test_frozen_strategies_are_known_by_their_plan(id: str) -> None:
    strategy = strategies.make(id)
    plan = strategy.plan(image_network().outline(), 2)
    assert keeps_trunk(plan) or strategy.family != "frozen"
    assert takes_seconds(plan) <= keeps_trunk(plan)


def test_what_trains_is_not_taken_for_seconds() -> None:
    assert takes_seconds(PROBE) and not takes_seconds(TUNED) and not keeps_trunk(TUNED)
    head_only = strategies.make("freeze-first", {"freeze": 4}).plan(image_network().outline(), 2)
    assert keeps_trunk(head_only) and not takes_seconds(head_only)
    assert not keeps_trunk(strategies.make("from-scratch").plan(image_network().outline(), 2))


def test_what_is_said_without_torch_is_what_is_done() -> None:
    assert start.FOLDS == cross_validation.FOLDS and further.SMALL == cross_validation.SMALL
