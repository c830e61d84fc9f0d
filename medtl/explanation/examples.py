"""Explaining by example: the most typical training case of each class, and where a case lies among all of them.

numpy and scipy only. From what `neighbours` keeps of the training cases. Letters: n cases, D features.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from medtl.explanation.neighbours import Neighbours

_MOST = 4000  # cases the plane is laid through; more are drawn on it all the same


@dataclass(frozen=True)
class Prototype:
    """The training case nearest to the mean of its class; `distance` as in `neighbours` (0 the same, 2 opposite)."""

    label: str
    case: str
    distance: float
    of: int


@dataclass(frozen=True)
class Plane:
    """The plane through the training cases on which they differ most. `points` (n, 2) in the order of `cases`;
    `explained` is the share of all differences that it shows, so that nobody takes nearness on it for likeness."""

    cases: tuple[str, ...]
    points: np.ndarray
    centre: np.ndarray
    axes: np.ndarray
    explained: float

    def place(self, features: np.ndarray) -> tuple[float, float]:
        """(D,) features of a case, as the network gives them -> its place."""
        unit = features / max(float(np.linalg.norm(features)), 1e-12)
        x, y = (unit - self.centre) @ self.axes.T
        return float(x), float(y)


def prototypes(known: Neighbours, labels: Mapping[str, str]) -> tuple[Prototype, ...]:
    """One a class, in the order of the classes' names as they first occur. Cases that carry several findings or none
    should be left out of `labels`: they are typical of nothing single."""
    found = []
    features = known.features.astype(np.float32)
    of = np.array([labels.get(case, "") for case in known.cases])
    for label in dict.fromkeys(of.tolist()):
        rows = np.flatnonzero(of == label)
        if not label:
            continue
        mean = features[rows].mean(axis=0)
        distance = 1 - features[rows] @ (mean / max(float(np.linalg.norm(mean)), 1e-12))
        best = int(distance.argmin())
        found.append(Prototype(str(label), known.cases[rows[best]], float(distance[best]), len(rows)))
    return tuple(found)


def plane(known: Neighbours) -> Plane:
    """Principal components of the directions of the training cases; the sign is fixed, so that a map stays as it is."""
    from scipy.sparse.linalg import svds

    features = known.features.astype(np.float64)
    some = features[:: max(1, -(-len(features) // _MOST))]
    centre = some.mean(axis=0)
    away = some - centre
    total = float((away**2).sum())
    axes = np.zeros((2, features.shape[1]))
    explained = 0.0
    if min(away.shape) > 2 and total > 0:
        _, strength, found = svds(away, k=2, v0=np.ones(min(away.shape)))
        order = np.argsort(-strength)
        axes, explained = found[order], float((strength**2).sum()) / total
        axes *= np.sign(axes[np.arange(2), np.abs(axes).argmax(axis=1)])[:, None]
    return Plane(known.cases, (features - centre) @ axes.T, centre, axes, explained)
