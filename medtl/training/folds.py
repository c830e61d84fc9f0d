"""Folds of a cohort: stratified, whole patients. Knows labels and groups, not what is done with the folds."""

import functools
import warnings

import numpy as np


def folds(labels: np.ndarray, groups: np.ndarray, count: int, seed: int) -> tuple[np.ndarray, ...]:
    """The cases of each of `count` folds; `groups` (n,) are never divided. Cut once for the same cases and seed."""
    return _cut(labels.astype(np.int64).tobytes(), groups.astype(np.int64).tobytes(), count, seed)


def most(labels: np.ndarray, groups: np.ndarray, classes: int) -> int:
    """In how many folds every class can stand: the groups of the class that has fewest."""
    return min(len(np.unique(groups[labels == k])) for k in range(classes))


@functools.lru_cache(maxsize=16)
def _cut(labels: bytes, groups: bytes, count: int, seed: int) -> tuple[np.ndarray, ...]:
    from sklearn.model_selection import StratifiedGroupKFold

    y, together = np.frombuffer(labels, np.int64), np.frombuffer(groups, np.int64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a class in fewer groups than folds: looked at before
        cut = StratifiedGroupKFold(count, shuffle=True, random_state=seed).split(y, y, together)
        return tuple(unseen for _, unseen in cut)
