"""Transferability scores against closed forms and against what they must prefer."""

import numpy as np
import pytest

from medtl.transferability import scores

N, WIDTH, CLASSES = 120, 40, 3


def features(strength: float, seed: int = 0, n: int = N, width: int = WIDTH) -> tuple[np.ndarray, np.ndarray]:
    """Noise with class means of length `strength`."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % CLASSES
    means = rng.normal(size=(CLASSES, width))
    means *= strength / np.linalg.norm(means, axis=1, keepdims=True)
    return (rng.normal(size=(n, width)) + means[labels]).astype(np.float32), labels


@pytest.mark.parametrize("score", [scores.log_me, scores.h_score])
@pytest.mark.parametrize("width", [WIDTH, 400])  # fewer and more features than cases
def test_it_rises_with_what_the_features_say(score: object, width: int) -> None:
    found = [score(*features(strength, width=width), CLASSES) for strength in (0.0, 3.0, 8.0)]  # type: ignore[operator]
    assert found[0] < found[1] < found[2]


@pytest.mark.parametrize("score", [scores.log_me, scores.h_score])
def test_neither_order_nor_a_turn_of_the_features_matters(score: object) -> None:
    x, y = features(3.0)
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(WIDTH, WIDTH)))[0]
    order = np.random.default_rng(2).permutation(N)
    before = score(x, y, CLASSES)  # type: ignore[operator]
    assert score(x[order], y[order], CLASSES) == pytest.approx(before, rel=1e-4)  # type: ignore[operator]
    assert score((x @ turn).astype(np.float32), y, CLASSES) == pytest.approx(before, rel=1e-3)  # type: ignore[operator]


def test_log_me_is_the_evidence_of_the_bayesian_linear_model() -> None:
    """At its own alpha and beta: log N(y; 0, I / beta + F F' / alpha), by the determinant of the whole matrix."""
    x, y = features(3.0, n=30, width=50)
    best = -np.inf
    target = (y == 0).astype(float)
    for alpha in np.geomspace(1e-3, 1e5, 120):
        for beta in np.geomspace(0.1, 1e4, 60):
            covariance = np.eye(30) / beta + x.astype(np.float64) @ x.T / alpha
            _, logdet = np.linalg.slogdet(covariance)
            evidence = -0.5 * (logdet + target @ np.linalg.solve(covariance, target) + 30 * np.log(2 * np.pi))
            best = max(best, evidence / 30)
    found = scores.log_me(x, np.where(y == 0, 0, 1), 1)
    assert found == pytest.approx(best, abs=0.02)


def test_h_score_without_noise_is_the_number_of_directions_between_the_classes() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(3000) % CLASSES
    means = np.eye(CLASSES, 6) * 50
    x = (rng.normal(size=(3000, 6)) + means[labels]).astype(np.float32)
    assert scores.h_score(x, labels, CLASSES) == pytest.approx(CLASSES - 1, abs=0.02)


def test_leep_and_nce_of_a_source_that_knows_the_answer_are_zero() -> None:
    labels = np.arange(60) % 3
    told = np.eye(5)[labels + 1]
    assert scores.leep(told, labels, 3) == pytest.approx(0, abs=1e-9)
    assert scores.nce(told, labels, 3) == pytest.approx(0, abs=1e-9)


def test_leep_and_nce_of_a_source_that_knows_nothing_are_the_entropy_of_the_labels() -> None:
    labels = np.repeat([0, 1], [30, 10])
    entropy = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    blind = np.full((40, 4), 0.25)
    assert scores.leep(blind, labels, 2) == pytest.approx(-entropy)
    assert scores.nce(blind, labels, 2) == pytest.approx(-entropy)


def test_nce_by_hand() -> None:
    """Source answer 0: labels 0, 0, 1; answer 1: label 1."""
    labels, told = np.array([0, 0, 1, 1]), np.eye(2)[[0, 0, 0, 1]]
    by_hand = 0.75 * (2 / 3 * np.log(2 / 3) + 1 / 3 * np.log(1 / 3))
    assert scores.nce(told, labels, 2) == pytest.approx(by_hand)
