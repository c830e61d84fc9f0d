"""The control that costs nothing: what can be had from 32 x 32 thumbnails with no source at all."""

from collections.abc import Sequence

import numpy as np

from medtl.training import meaning
from medtl.training.examples import Examples
from medtl.training.head import Head, path, solve
from medtl.training.policies import narrowed
from medtl.training.several import solve_on_both, strengths_of

# Thumbnails are few numbers that vary together; the path goes down further than for features.
STRENGTHS = tuple(10 ** (exponent / 2) for exponent in range(-10, 1))


def thumbnail_scores(
    thumbnails: np.ndarray, labels: np.ndarray, train: np.ndarray, tune: np.ndarray, test: np.ndarray, classes: int
) -> np.ndarray:
    """(N, 32, 32) uint8 thumbnails -> (len(test), K) scores of a logistic regression, fitted with the same care."""
    flat = thumbnails.reshape(len(thumbnails), -1).astype(np.float32) / 255
    return _head(flat, labels, train, tune, classes, STRENGTHS).scores(flat[test])


def thumbnail_answers(thumbnails: np.ndarray, examples: Examples) -> np.ndarray:
    """The same for any task: (N, 32, 32) uint8 -> (len(test), K) scores as `meaning.scores` has them."""
    e = examples
    if e.task == "single-label":
        return thumbnail_scores(thumbnails, e.labels, e.train, e.tune, e.test, e.classes)
    x = thumbnails.reshape(len(thumbnails), -1).astype(np.float32) / 255
    head, _ = solve_on_both(e, x[None], strengths_of(e, x[None], STRENGTHS))
    logits = x[e.test].astype(np.float64) @ head.weight.T.astype(np.float64) + head.bias
    return meaning.scores(narrowed(logits.T, e.policies).T if e.policies else logits, e.task)


def _head(
    x: np.ndarray, labels: np.ndarray, train: np.ndarray, tune: np.ndarray, classes: int, strengths: Sequence[float]
) -> Head:
    """As a linear probe is fitted: the strength on the tune part, which is then learned from, too."""
    head = solve(x[train], labels[train], x[tune], labels[tune], classes, strengths)
    both = np.concatenate([train, tune])
    return next(path(x[both], labels[both], classes, [head.strength]))
