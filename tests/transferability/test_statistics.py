"""What is kept of a source's features, and the distance that is measured with it."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.covariance import ledoit_wolf

from medtl.transferability import distance, statistics
from medtl.transferability.statistics import Statistics


def spread(n: int, width: int = 30, shift: float = 0.0, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(n, width)) * np.geomspace(3, 0.1, width) + shift).astype(np.float32)


def learned(features: np.ndarray) -> Statistics:
    found = statistics.learn(features)
    assert found is not None
    return found


@pytest.mark.parametrize(("n", "width"), [(300, 30), (60, 200)])
def test_mean_and_spread_are_those_of_ledoit_and_wolf(n: int, width: int) -> None:
    x = spread(n, width)
    found, (theirs, _) = learned(x), ledoit_wolf(x.astype(np.float64))
    assert found.count == n and np.allclose(found.mean, x.mean(axis=0), atol=1e-5)
    assert found.total == pytest.approx(np.trace(theirs), rel=1e-4)
    kept = np.linalg.eigvalsh(theirs)[::-1][: len(found.variances)]
    assert np.allclose(found.variances, kept, rtol=1e-3)
    assert np.allclose(found.directions @ found.directions.T, np.eye(len(found.variances)), atol=1e-4)


def test_saved_and_loaded_it_is_nearly_the_same_and_small(tmp_path: Path) -> None:
    found = learned(spread(500, 1280))
    statistics.save(tmp_path, [found])
    (back,) = statistics.load(tmp_path)
    assert back.count == 500
    assert np.allclose(back.directions, found.directions, atol=1e-3)
    assert (tmp_path / statistics.FILE).stat().st_size < 200_000
    (tmp_path / statistics.FILE).write_bytes(b"damaged")
    assert statistics.load(tmp_path) == () == statistics.load(tmp_path / "nowhere")


def test_too_few_cases_say_nothing() -> None:
    assert statistics.learn(spread(statistics.FEWEST - 1)) is None


def test_the_distance_is_the_closed_form_of_two_normal_distributions() -> None:
    width = 5  # all directions but one are kept, so nothing is averaged but the smallest
    one = Statistics(100, np.zeros(width), np.eye(width)[:4], np.array([4.0, 3, 2, 1]), 0.5)
    other = Statistics(100, np.ones(width), np.eye(width)[:4], np.array([1.0, 1, 1, 1]), 0.25)
    by_hand = 5 + sum(
        (np.sqrt(a) - np.sqrt(b)) ** 2 for a, b in zip([4, 3, 2, 1, 0.5], [1, 1, 1, 1, 0.25], strict=True)
    )
    assert distance.between(one, other).frechet == pytest.approx(by_hand)
    assert distance.between(one, one).frechet == pytest.approx(0, abs=1e-9)
    assert distance.between(one, other).share == pytest.approx(by_hand / 10.5)


def test_the_distance_of_turned_distributions_equals_the_whole_matrices() -> None:
    from scipy.linalg import sqrtm

    a, b = learned(spread(200, 12, seed=1)), learned(spread(200, 12, 0.4, seed=2)[:, ::-1].copy())

    def matrix(of: Statistics) -> np.ndarray:
        kept = of.directions.astype(np.float64)
        return np.asarray((kept.T * (of.variances - of.rest)) @ kept + of.rest * np.eye(12))

    one, other = matrix(a), matrix(b)
    whole = float(((a.mean - b.mean) ** 2).sum()) + np.trace(one + other - 2 * sqrtm(one @ other).real)
    assert distance.between(a, b).frechet == pytest.approx(whole, rel=1e-3)


def test_unseen_images_of_the_same_kind_are_close_and_others_far() -> None:
    source = learned(spread(1000, 100))
    same, moved = learned(spread(60, 100, seed=5)), learned(spread(60, 100, shift=2.0, seed=5))
    assert distance.between(source, same).nearness == "close"
    assert distance.between(source, moved).nearness == "far"


def test_of_several_kinds_the_nearest_counts(tmp_path: Path) -> None:
    """Two kinds far apart: a case of either is near its own, and would be far from both taken together."""
    one, two = spread(500, 100, shift=0.0), spread(500, 100, shift=6.0, seed=1)
    statistics.save(tmp_path, [learned(one), learned(two)])
    kinds = statistics.load(tmp_path)
    assert [kind.count for kind in kinds] == [500, 500]
    mine = learned(spread(60, 100, shift=6.0, seed=5))
    near = distance.nearest(kinds, mine)
    assert near is not None and near.nearness == "close"
    assert distance.nearest(kinds, learned(spread(60, 40))) is None and distance.nearest((), mine) is None


def test_a_classifier_tells_apart_what_differs_and_nothing_else() -> None:
    groups = np.arange(160)
    assert distance.told_apart(spread(80, seed=1), spread(80, seed=2), groups) == pytest.approx(0.5, abs=0.15)
    assert distance.told_apart(spread(80, seed=1), spread(80, shift=1.0, seed=2), groups) > 0.95
