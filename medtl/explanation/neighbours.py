"""Which training cases the network finds most like a new one, and whether it is unlike all of them.

Letters: n cases, D features.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

FILE = "neighbours.npz"
NEAREST = 10
SHARE_ACCEPTED = 0.975  # of the tune part; so about 1 in 40 images of the right kind is refused


@dataclass(frozen=True)
class Neighbours:
    """Features of the train part on the unit sphere (n, D) float16, and how far away a case of the right kind may be.

    The distance of a case is that to its tenth nearest training case (Sun et al. 2022, arXiv:2204.06507); the limit is
    the 97.5 % point of the tune part. It does not see a change of prevalence, and was not measured on foreign images
    of every kind: a case that passes may still be foreign.
    """

    cases: tuple[str, ...]
    features: np.ndarray
    limit: float

    def nearest(self, features: np.ndarray, count: int = 3) -> tuple[list[tuple[str, float]], float]:
        """(D,) -> the nearest training cases with their distance (0 the same, 2 opposite), and the gate's distance."""
        distances = self.distances(features[None])[0]
        ordered = np.partition(distances, min(NEAREST, len(distances)) - 1)
        return self.closest(distances, count), float(ordered[min(NEAREST, len(ordered)) - 1])

    def distances(self, features: np.ndarray) -> np.ndarray:
        """(n, D) -> (n, m) cosine distances to the training cases, 0 the same, 2 opposite."""
        return distances_between(_unit(features), self.features)

    def closest(self, distances: np.ndarray, count: int = 3) -> list[tuple[str, float]]:
        """(m,) distances of one picture -> the nearest training cases, nearest first."""
        some = np.argpartition(distances, min(count, len(distances)) - 1)[:count]
        return [(self.cases[i], float(distances[i])) for i in some[np.argsort(distances[some])]]

    def accepts(self, distance: float) -> bool:
        return distance <= self.limit

    def save(self, folder: Path) -> None:
        np.savez(folder / FILE, cases=np.array(self.cases), features=self.features, limit=self.limit)


def learn(cases: Sequence[str], train: np.ndarray, tune: np.ndarray) -> Neighbours:
    """From the features of the train part (n, D) with their case ids and those of the tune part (m, D)."""
    unit = _unit(train).astype(np.float16)
    distances = np.sort(distances_between(_unit(tune), unit), axis=1)[:, min(NEAREST, len(unit)) - 1]
    limit = float(np.quantile(distances, SHARE_ACCEPTED, method="higher")) if len(distances) else 2.0
    return Neighbours(tuple(cases), unit, limit)


def load(folder: Path) -> Neighbours:
    with np.load(folder / FILE, allow_pickle=False) as file:
        return Neighbours(tuple(file["cases"].tolist()), file["features"], float(file["limit"]))


def _unit(features: np.ndarray) -> np.ndarray:
    norm = np.linalg.norm(features, axis=1, keepdims=True)
    return np.asarray(features / np.maximum(norm, 1e-12))


def distances_between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(n, D), (m, D) on the unit sphere -> (n, m) cosine distances, a thousand rows at a time."""
    other = b.astype(np.float32).T
    rows = [1 - a[i : i + 1000].astype(np.float32) @ other for i in range(0, len(a), 1000)]
    return np.concatenate(rows) if rows else np.zeros((0, len(b)), np.float32)
