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

    `tested` are the cases of the test part and `test` their features (m, D), kept so that a page can say what a wrong
    answer looked like without loading a network; a run made before they were kept has none.
    """

    cases: tuple[str, ...]
    features: np.ndarray
    limit: float
    tested: tuple[str, ...] = ()
    test: np.ndarray | None = None

    def nearest(self, features: np.ndarray, count: int = 3) -> tuple[list[tuple[str, float]], float]:
        """(D,) -> the nearest training cases with their distance (0 the same, 2 opposite), and that to the tenth."""
        distances = self.distances(features[None])[0]
        return self.closest(distances, count), float(tenth(distances[None])[0])

    def distances(self, features: np.ndarray) -> np.ndarray:
        """(n, D) -> (n, m) cosine distances to the training cases, 0 the same, 2 opposite."""
        return distances_between(_unit(features), self.features)

    def closest(self, distances: np.ndarray, count: int = 3) -> list[tuple[str, float]]:
        """(m,) distances of one picture -> the nearest training cases, nearest first."""
        some = np.argpartition(distances, min(count, len(distances)) - 1)[:count]
        return [(self.cases[i], float(distances[i])) for i in some[np.argsort(distances[some])]]

    def nearest_to(self, case: str, count: int = 3) -> list[tuple[str, float]]:
        """As `nearest`, of a case of the test part; nothing where its features were not kept."""
        if self.test is None or case not in self.tested:
            return []
        return self.nearest(self.test[self.tested.index(case)].astype(np.float32), count)[0]

    def accepts(self, distance: float) -> bool:
        return distance <= self.limit

    def save(self, folder: Path) -> None:
        test = self.test if self.test is not None else self.features[:0]
        np.savez(
            folder / FILE, cases=np.array(self.cases), features=self.features, limit=self.limit,
            tested=np.array(self.tested, dtype=str), test=test,
        )  # fmt: skip


def learn(
    cases: Sequence[str],
    train: np.ndarray,
    tune: np.ndarray,
    tested: Sequence[str] = (),
    test: np.ndarray | None = None,
) -> Neighbours:
    """From the features of the train part (n, D) with their case ids and those of the tune part (m, D); those of the
    test part are kept and change nothing."""
    unit = _unit(train).astype(np.float16)
    distances = tenth(distances_between(_unit(tune), unit))
    limit = float(np.quantile(distances, SHARE_ACCEPTED, method="higher")) if len(distances) else 2.0
    kept = _unit(test).astype(np.float16) if test is not None and len(test) else None
    return Neighbours(tuple(cases), unit, limit, tuple(tested) if kept is not None else (), kept)


def load(folder: Path) -> Neighbours:
    with np.load(folder / FILE, allow_pickle=False) as file:
        tested = tuple(file["tested"].tolist()) if "tested" in file else ()
        test = file["test"] if tested else None
        return Neighbours(tuple(file["cases"].tolist()), file["features"], float(file["limit"]), tested, test)


def _unit(features: np.ndarray) -> np.ndarray:
    norm = np.linalg.norm(features, axis=1, keepdims=True)
    return np.asarray(features / np.maximum(norm, 1e-12))


def distances_between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(n, D), (m, D) on the unit sphere -> (n, m) cosine distances, a thousand rows at a time."""
    other = b.astype(np.float32).T
    rows = [1 - a[i : i + 1000].astype(np.float32) @ other for i in range(0, len(a), 1000)]
    return np.concatenate(rows) if rows else np.zeros((0, len(b)), np.float32)


def tenth(distances: np.ndarray) -> np.ndarray:
    """(n, m) -> (n,) to the tenth nearest of m others, or to the farthest where there are fewer."""
    last = min(NEAREST, distances.shape[1]) - 1
    return np.asarray(np.partition(distances, last, axis=1)[:, last])
