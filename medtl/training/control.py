"""The control that costs nothing: what can be had from 32 x 32 thumbnails with no source at all."""

import numpy as np

from medtl.training.head import solve

# Thumbnails are few numbers that vary together; the path goes down further than for features.
STRENGTHS = tuple(10 ** (exponent / 2) for exponent in range(-10, 1))


def thumbnail_scores(
    thumbnails: np.ndarray, labels: np.ndarray, train: np.ndarray, tune: np.ndarray, test: np.ndarray, classes: int
) -> np.ndarray:
    """(N, 32, 32) uint8 thumbnails -> (len(test), K) scores of a logistic regression fitted on the train part.

    Fitted with the same care as a head on features: standardised, strength chosen on the tune part.
    """
    flat = thumbnails.reshape(len(thumbnails), -1).astype(np.float32) / 255
    head = solve(flat[train], labels[train], flat[tune], labels[tune], classes, STRENGTHS)
    return head.scores(flat[test])
