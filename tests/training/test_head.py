"""The fitted head against scikit-learn's own pipeline, and the rules that make its numbers honest."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from medtl.training.control import thumbnail_scores
from medtl.training.head import log_loss, path, softmax, solve, tempered_loss

D = 12


def drawn(n: int, classes: int = 2, seed: int = 0, apart: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """(n, D) float32 features on different scales, and (n,) labels."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    centres = np.random.default_rng(99).normal(size=(classes, D)) * apart
    scales = 10.0 ** np.linspace(-0.7, 0.7, D)
    return ((rng.normal(size=(n, D)) + centres[labels]) * scales + scales).astype(np.float32), labels


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("balanced", [False, True])
@pytest.mark.parametrize("strength", [1e-3, 0.1, 1.0])
def test_it_equals_scikit_learn_at_the_same_strength(classes: int, balanced: bool, strength: float) -> None:
    x, y = drawn(150, classes)
    keep = (y != 0) | (np.arange(len(y)) % 3 == 0)  # unbalanced, so that balancing shows
    x, y = x[keep], y[keep]
    tune, tune_y = drawn(40, classes, seed=1)
    head = solve(x, y, tune, tune_y, classes, [strength], balanced)
    weights = "balanced" if balanced else None
    centre, spread = x.mean(axis=0, dtype=float), x.var(axis=0, dtype=float)

    def scaled(values: np.ndarray) -> np.ndarray:
        return np.asarray((values - centre) / np.sqrt(spread + spread.mean()))

    theirs = LogisticRegression(C=strength, max_iter=2000, class_weight=weights).fit(scaled(x), y)
    assert head.strength == strength
    assert np.allclose(head.scores(tune), theirs.predict_proba(scaled(tune)), atol=3e-3)


def test_the_tune_part_decides_the_strength() -> None:
    x, y = drawn(60, apart=0.4)
    tune, tune_y = drawn(60, seed=1, apart=0.4)
    strengths = [10.0**e for e in range(-4, 3)]
    chosen = solve(x, y, tune, tune_y, 2, strengths)
    alone = {c: solve(x, y, tune, tune_y, 2, [c]).tune_loss for c in strengths}
    assert chosen.tune_loss == pytest.approx(min(alone.values()), rel=0.02)
    assert chosen.strength == min(alone, key=lambda c: alone[c])
    assert chosen.tune_loss == pytest.approx(log_loss(chosen.scores(tune), tune_y))
    opposite = solve(x, y, tune, 1 - tune_y, 2, strengths)  # labels that speak against it ask for the least
    assert opposite.strength == strengths[0]


def test_without_a_tune_part_the_middle_is_taken() -> None:
    x, y = drawn(60)
    head = solve(x, y, x[:0], y[:0], 2, [1.0, 0.01, 0.1])
    assert head.strength == 0.1 and np.isnan(head.tune_loss)


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_class_missing_in_train_is_never_called(missing: int) -> None:
    x, y = drawn(90, 3)
    tune, tune_y = drawn(30, 3, seed=1)
    head = solve(x[y != missing], y[y != missing], tune, tune_y, 3, [0.1])
    scores = head.scores(tune)
    assert scores.shape == (30, 3) and np.allclose(scores.sum(axis=1), 1)
    assert (scores[:, missing] < 1e-3).all() and np.isfinite(head.tune_loss)
    others = [k for k in range(3) if k != missing]
    right = tune_y != missing
    assert (scores[right].argmax(axis=1) == tune_y[right]).mean() > 0.8
    assert set(scores.argmax(axis=1)) <= set(others)


def test_columns_that_do_not_vary_weigh_nothing() -> None:
    x, y = drawn(60)
    constant = np.concatenate([x, np.full((60, 2), 7.0, np.float32)], axis=1)
    head, plain = solve(constant, y, constant, y, 2, [0.1]), solve(x, y, x, y, 2, [0.1])
    assert (head.weight[:, -2:] == 0).all() and np.isfinite(head.weight).all()
    assert np.allclose(head.scores(constant), plain.scores(x), atol=1e-3)


def test_features_that_are_all_the_same_give_the_prevalence() -> None:
    y = np.array([0] * 45 + [1] * 15)
    x = np.ones((60, D), np.float32)
    scores = solve(x, y, x, y, 2, [0.1, 1.0]).scores(x)
    assert np.allclose(scores[:, 1], 0.25, atol=0.01)


def test_balancing_lets_scores_leave_the_prevalence() -> None:
    y = np.array([0] * 45 + [1] * 15)
    x = np.ones((60, D), np.float32)
    assert np.allclose(solve(x, y, x, y, 2, [1.0], balanced=True).scores(x), 0.5, atol=0.01)


def test_the_same_twice_is_the_same() -> None:
    x, y = drawn(80, 3)
    one, other = (solve(x, y, x[:20], y[:20], 3, [0.01, 0.1]) for _ in range(2))
    assert np.array_equal(one.weight, other.weight) and np.array_equal(one.bias, other.bias)


def test_softmax_holds_for_large_logits_and_log_loss_for_certain_mistakes() -> None:
    assert np.allclose(softmax(np.array([[1e4, 1e4, -1e4]])), [[0.5, 0.5, 0]])
    assert np.isfinite(log_loss(np.array([[1.0, 0.0]]), np.array([1])))


# ---- the control on thumbnails --------------------------------------------------------------------------------------


def test_thumbnails_answer_for_the_test_part_without_its_labels() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(90) % 2
    thumbnails = rng.integers(0, 120, (90, 32, 32)).astype(np.uint8)
    thumbnails[labels == 1, :8, :8] += 100
    train, tune, test = np.arange(50), np.arange(50, 70), np.arange(70, 90)
    scores = thumbnail_scores(thumbnails, labels, train, tune, test, 2)
    assert scores.shape == (20, 2) and ((scores[:, 1] > 0.5) == labels[test]).mean() > 0.9
    lied = labels.copy()
    lied[test] = 1 - lied[test]
    assert np.array_equal(scores, thumbnail_scores(thumbnails, lied, train, tune, test, 2))


def test_tempering_finds_the_factor_that_was_put_in_and_ranks_nothing_anew() -> None:
    random = np.random.default_rng(5)
    honest = random.normal(0, 2, (4000, 3))
    labels = np.array([random.choice(3, p=row) for row in softmax(honest)])
    loss, temperature = tempered_loss(honest * 4, labels)
    assert temperature == pytest.approx(4, rel=0.1)
    assert loss == pytest.approx(log_loss(softmax(honest), labels), abs=0.01)
    assert loss < log_loss(softmax(honest * 4), labels)
    assert np.isnan(tempered_loss(np.array([[np.nan, 0.0, 0.0]]), np.array([0]))[0])


def test_a_column_that_hardly_varies_stays_quiet() -> None:
    """Plainly standardised, noise of a thousandth would be as loud as what tells the classes apart."""
    rng = np.random.default_rng(0)
    y = np.arange(40) % 2
    told, noise = (y[:, None] + 0.3 * rng.normal(size=(40, 1))), 1e-3 * rng.normal(size=(40, 200))
    x = np.concatenate([told, noise], axis=1).astype(np.float32)
    head = next(path(x, y, 2, [0.1]))
    effect = np.abs(head.weight[1]) * x.std(axis=0)
    assert effect[0] > 100 * effect[1:].max()


def test_features_that_say_nothing_at_all_weigh_nothing() -> None:
    head = next(path(np.full((20, 5), 3.0, np.float32), np.arange(20) % 2, 2, [1.0]))
    assert (head.weight == 0).all() and np.allclose(head.scores(np.zeros((1, 5), np.float32)), 0.5)
