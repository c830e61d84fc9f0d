"""A learning curve rises where there is something to learn, foretells only where it may, says how it was judged."""

import json

import numpy as np
import pytest

from medtl.transferability.learning_curve import Curve, Parts, _error, _fit, curve
from medtl.vocabulary import to_dict


def drawn(n: int, skill: float, k: int = 2, columns: int = 40, seed: int = 0) -> tuple[np.ndarray, np.ndarray, Parts]:
    random = np.random.default_rng(seed)
    y = random.permutation(np.arange(n) % k)
    means = np.random.default_rng(99).normal(size=(k, columns)) * skill
    features = (means[y] + random.normal(size=(n, columns))).astype(np.float32)
    train, tune, test = np.split(np.arange(n), [int(0.6 * n), int(0.8 * n)])
    return features, y, Parts(train, tune, test)


def asked(n: int, skill: float, k: int = 2, patients: np.ndarray | None = None, **more: bool) -> Curve:
    features, y, split = drawn(n, skill, k)
    groups = np.arange(n) if patients is None else np.unique(patients, return_inverse=True)[1]
    return curve(features, y, groups, split, [f"class {i}" for i in range(k)], None, patients, **more)


@pytest.fixture(scope="module")
def rising() -> Curve:
    return asked(400, 0.3)


def test_more_cases_teach_more_where_there_is_something_to_learn(rising: Curve) -> None:
    assert [point.per_class for point in rising.points] == sorted(point.per_class for point in rising.points)
    assert rising.points[-1].per_class == 120 and rising.points[-1].draws == 1
    assert rising.points[-1].auroc.value > rising.points[0].auroc.value + 0.05
    for point in rising.points:
        assert point.auroc.low <= point.auroc.value <= point.auroc.high and point.auroc.n == 80


def test_what_more_would_bring_is_said_with_its_interval_and_no_more_than_doubled(rising: Curve) -> None:
    gain = rising.gain
    assert gain and rising.more == 100 <= rising.points[-1].per_class
    assert 0 <= gain.low <= gain.value <= gain.high and "inverse power law" in gain.how
    assert rising.says.startswith("100 more cases per class would bring about +0.0") and " to " in rising.says
    sizes, aurocs = zip(*rising.fitted, strict=True)
    assert max(sizes) == pytest.approx(220) and list(aurocs) == sorted(aurocs)


def test_where_nothing_is_learned_nothing_is_foretold() -> None:
    found = asked(400, 0.0)
    assert found.points and found.gain is None and not found.fitted
    assert "no rise that can be told from chance" in found.says and "cannot be said" in found.says


def test_too_few_cases_are_no_curve() -> None:
    found = asked(20, 1.0)
    assert found.gain is None and "too few" in found.says


def test_a_small_cohort_is_judged_out_of_fold_and_a_large_one_on_the_test_part(rising: Curve) -> None:
    small = asked(100, 0.5)
    assert (small.judged_on, rising.judged_on) == ("out of fold", "test part")
    assert {point.auroc.n for point in small.points} == {100}
    assert "would say too little" in small.notes[0] and "no point learned from" in rising.notes[0]


def test_an_adapted_network_is_told_that_the_curve_is_the_sources(rising: Curve) -> None:
    assert "not of the adapted network" in asked(60, 0.5, adapted=True).notes[1]
    assert "adapted" not in rising.notes[1]


def test_many_classes_and_patients_are_drawn_whole() -> None:
    found = asked(360, 0.5, k=3, patients=np.array([f"p{i // 2}" for i in range(360)], dtype=object))
    assert found.points and found.points[-1].auroc.how.startswith("bootstrap by patient")


def test_asked_twice_it_says_the_same(rising: Curve) -> None:
    again = asked(400, 0.3)
    assert again == rising and json.loads(json.dumps(to_dict(again)))["more"] == 100


@pytest.mark.parametrize(("a", "power", "c"), [(0.8, 0.5, 0.05), (1.0, 1.0, 0.0), (0.5, 0.3, 0.1)])
def test_a_power_law_is_found_again(a: float, power: float, c: float) -> None:
    sizes = np.geomspace(5, 150, 6)
    fit = _fit(sizes, (a * sizes**-power + c)[:, None])
    for size in (80.0, 300.0):
        assert _error(fit, size)[0] == pytest.approx(a * size**-power + c, abs=2e-3)
