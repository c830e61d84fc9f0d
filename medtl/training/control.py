"""The control that costs nothing: what can be had from 32 x 32 thumbnails with no source at all."""

from collections.abc import Sequence

import numpy as np

from medtl.training.head import Head, path, solve

# Thumbnails are few numbers that vary together; the path goes down further than for features.
STRENGTHS = tuple(10 ** (exponent / 2) for exponent in range(-10, 1))


def thumbnail_scores(
    thumbnails: np.ndarray, labels: np.ndarray, train: np.ndarray, tune: np.ndarray, test: np.ndarray, classes: int
) -> np.ndarray:
    """(N, 32, 32) uint8 thumbnails -> (len(test), K) scores of a logistic regression, fitted with the same care."""
    flat = thumbnails.reshape(len(thumbnails), -1).astype(np.float32) / 255
    return _head(flat, labels, train, tune, classes, STRENGTHS).scores(flat[test])


def _head(
    x: np.ndarray, labels: np.ndarray, train: np.ndarray, tune: np.ndarray, classes: int, strengths: Sequence[float]
) -> Head:
    """As a linear probe is fitted: the strength on the tune part, which is then learned from, too."""
    head = solve(x[train], labels[train], x[tune], labels[tune], classes, strengths)
    both = np.concatenate([train, tune])
    return next(path(x[both], labels[both], classes, [head.strength]))
