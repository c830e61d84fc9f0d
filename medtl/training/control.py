"""The controls that cost seconds: thumbnails with no source at all, and the frozen source under its own last layer."""

import numpy as np

from medtl.training.head import solve

# Those of the linear probe that a user can pick (medtl.strategies.common); a test holds the two together.
PROBE_STRENGTHS = tuple(10 ** (exponent / 2) for exponent in range(-8, 3))
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


def probe_scores(
    features: np.ndarray, labels: np.ndarray, train: np.ndarray, tune: np.ndarray, test: np.ndarray, classes: int
) -> np.ndarray:
    """(N, D) features of the frozen source -> (len(test), K) scores of the linear probe, fitted as a user would."""
    return solve(features[train], labels[train], features[tune], labels[tune], classes, PROBE_STRENGTHS).scores(
        features[test]
    )
