"""Cases alike, and the gate: a case of the training part is its own nearest, a foreign one is refused."""

from pathlib import Path

import numpy as np
import pytest

from medtl.explanation import neighbours
from medtl.explanation.neighbours import NEAREST, learn

D = 24


def drawn(n: int, seed: int, foreign: bool = False) -> np.ndarray:
    """(n, D) float32 around one direction; foreign ones around the opposite."""
    rng = np.random.default_rng(seed)
    return ((-1 if foreign else 1) * np.ones(D) + 0.3 * rng.normal(size=(n, D))).astype(np.float32)


TRAIN, TUNE = drawn(60, 0), drawn(40, 1)
CASES = tuple(f"case-{i}" for i in range(60))


def test_a_training_case_is_its_own_nearest() -> None:
    known = learn(CASES, TRAIN, TUNE)
    for i in (0, 17, 59):
        found, _ = known.nearest(TRAIN[i])
        assert found[0][0] == CASES[i] and found[0][1] == pytest.approx(0, abs=2e-3)
        assert [d for _, d in found] == sorted(d for _, d in found) and len(found) == 3


def test_how_strong_the_features_are_does_not_count() -> None:
    known = learn(CASES, TRAIN, TUNE)
    one, other = known.nearest(TUNE[0]), known.nearest(TUNE[0] * 50)
    assert [case for case, _ in one[0]] == [case for case, _ in other[0]]
    assert one[1] == pytest.approx(other[1], abs=1e-5)


def test_the_limit_is_the_tune_parts() -> None:
    known = learn(CASES, TRAIN, TUNE)
    distances = np.array([known.nearest(row)[1] for row in TUNE])
    assert np.abs(distances - known.limit).min() < 1e-6
    assert 0.95 <= np.mean(distances <= known.limit + 1e-6) <= 1
    wider = TUNE + 0.5 * np.random.default_rng(9).normal(size=TUNE.shape).astype(np.float32)
    assert learn(CASES, TRAIN, wider).limit > known.limit


def test_most_new_cases_of_the_kind_pass_and_foreign_ones_do_not() -> None:
    known = learn(CASES, TRAIN, TUNE)
    kind = [known.accepts(known.nearest(row)[1]) for row in drawn(200, 2)]
    foreign = [known.accepts(known.nearest(row)[1]) for row in drawn(50, 3, foreign=True)]
    assert np.mean(kind) > 0.85 and not any(foreign)


def test_the_distance_is_that_to_the_tenth() -> None:
    known = learn(CASES, TRAIN, TUNE)
    found, distance = known.nearest(TUNE[3], count=NEAREST)
    assert distance == pytest.approx(found[-1][1])


def test_few_cases_and_features_of_nothing_are_borne() -> None:
    few = learn(CASES[:3], TRAIN[:3], TUNE)
    found, distance = few.nearest(TUNE[0], count=10)
    assert len(found) == 3 and distance == pytest.approx(found[-1][1])
    nothing = learn(CASES, TRAIN, TUNE).nearest(np.zeros(D, np.float32))
    assert np.isfinite(nothing[1])
    assert learn(CASES, TRAIN, TUNE[:0]).accepts(2.0)  # without a tune part nobody can be refused


def test_what_is_saved_answers_the_same(tmp_path: Path) -> None:
    known = learn(CASES, TRAIN, TUNE)
    known.save(tmp_path)
    again = neighbours.load(tmp_path)
    assert again.cases == known.cases and again.limit == known.limit
    assert again.nearest(TUNE[5]) == known.nearest(TUNE[5])


def test_cases_of_the_test_part_find_theirs_from_the_file_alone(tmp_path: Path) -> None:
    test = drawn(5, 2)
    known = learn(CASES, TRAIN, TUNE, [f"test-{i}" for i in range(5)], test)
    known.save(tmp_path)
    again = neighbours.load(tmp_path)
    assert again.limit == known.limit == learn(CASES, TRAIN, TUNE).limit
    found = again.nearest_to("test-3")
    assert [case for case, _ in found] == [case for case, _ in known.nearest(test[3])[0]]
    assert again.nearest_to("case-0") == [] and learn(CASES, TRAIN, TUNE).nearest_to("test-3") == []
