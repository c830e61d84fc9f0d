"""Cases that resemble another one too much, or no other one at all, by what a network sees in them.

It knows features and thumbnails; nothing of labels, patients or images. Limits are relative to the cohort itself, so
that they hold for any source. Letters: n cases, D features, d directions kept, k neighbours.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

NEIGHBOURS = 10
BLOCK = 512  # rows of distances at a time: 20,000 cases need 40 MB
FEWEST = 40  # cases; below this the neighbourhood of a case says little
DIRECTIONS = 128
COPY = 0.5  # of the distance to the tenth neighbour
MIRRORED = 0.98  # correlation of thumbnails, as in medtl.cohorts.findings.likeness
STRANGER = 3.0  # robust standard deviations of the logarithm of the distance
MOST_PAIRS = 2_000


@dataclass(frozen=True)
class Likeness:
    """Two rows and how close they are: 0 the same, 1 as far apart as the tenth neighbours of the two."""

    one: int
    other: int
    ratio: float


def alike(features: np.ndarray, thumbnails: np.ndarray, together: np.ndarray | None = None) -> list[Likeness]:
    """Pairs (one < other) that are likely copies in disguise, closest first: (n, D) features, (n, 32, 32) thumbnails.

    A pair is named when its distance is less than half of what separates the two from their tenth neighbours (the
    ratio test of Lowe 2004, doi 10.1023/B:VISI.0000029664.99615.94, with the neighbourhood of both), or when one
    thumbnail is the other's mirror image or turned upside down. Cases of the same number in `together` (one patient,
    one clip) are no pair and not each other's neighbours: what is known to belong together needs no network.

    Measured on three public sets with two sources, between images of different people: not more than one pair in 200 to
    720 images of blood cells or children's chest films, none of them by mirroring. Of altered copies planted among them
    were found: every one of changed contrast, mirrored ones all (by their thumbnail), turned by 4 degrees 75 to 100 %,
    saved as poor JPEG 88 to 100 %, brightened by 30 % 62 to 100 %, cropped by 5 % a side 50 to 100 %. Half the size and
    enlarged again is found in blood cells and hardly ever in chest films.
    """
    if len(features) < FEWEST:
        return []
    view = _view(features)
    reach = _kth_distance(view, NEIGHBOURS, together)
    found = _Closest()
    for start, distance in _distances(view, together):
        ratio = distance / np.sqrt(np.maximum(reach[start : start + len(distance), None] * reach[None, :], 1e-12))
        found.add(start, ratio < COPY, ratio)
    for start, turned in _mirrored(thumbnails, together):
        found.add(start, turned, np.zeros_like(turned, np.float32))
    return found.pairs()


class _Closest:
    """The closest pairs of all blocks: a cohort of film frames has millions of close ones."""

    def __init__(self) -> None:
        self._rows = np.zeros((0, 2), np.int64)
        self._ratios = np.zeros(0, np.float32)

    def add(self, start: int, named: np.ndarray, ratio: np.ndarray) -> None:
        """`named`: (block, n) bool, whose first row is row `start`; each pair is taken once, first < second."""
        rows, columns = np.nonzero(named)
        upper = start + rows < columns
        rows, columns = rows[upper], columns[upper]
        self._rows = np.concatenate([self._rows, np.stack([start + rows, columns], axis=1)])
        self._ratios = np.concatenate([self._ratios, ratio[rows, columns].astype(np.float32)])
        best = np.lexsort((self._rows[:, 1], self._rows[:, 0], self._ratios))[:MOST_PAIRS]
        self._rows, self._ratios = self._rows[best], self._ratios[best]

    def pairs(self) -> list[Likeness]:
        once: dict[tuple[int, int], Likeness] = {}
        for (one, other), ratio in zip(self._rows.tolist(), self._ratios.tolist(), strict=True):
            once.setdefault((one, other), Likeness(one, other, round(ratio, 4)))
        return list(once.values())


def unlike(features: np.ndarray, together: np.ndarray | None = None) -> list[int]:
    """Rows that lie far from everything else, farthest first: wrong modality, screenshots, foreign images.

    The distance of a case is that to its tenth neighbour (Sun et al. 2022, arXiv:2204.06507); named is what lies three
    robust standard deviations above the median of its logarithm, with the deviation taken from the upper half. Cases
    of the same number in `together` (one patient, one clip) do not count as each other's neighbours: eleven frames of
    a foreign clip would hide each other.

    Measured with five foreign images among 200 (ultrasound, blood cells, chest films, six body parts; two sources):
    97 to 100 % of them were named, and of the images that belong there at most 0.7 %.
    """
    if len(features) < FEWEST:
        return []
    distance = _kth_distance(_unit(features), NEIGHBOURS, together)
    height = np.log(np.maximum(distance, 1e-6))
    middle = np.median(height)
    above = height[height > middle] - middle
    if not len(above):
        return []
    limit = middle + STRANGER * 1.4826 * max(float(np.median(above)), 1e-3)
    rows = np.flatnonzero(height > limit)
    return [int(row) for row in rows[np.argsort(-height[rows], kind="stable")]]


def _view(features: np.ndarray) -> np.ndarray:
    """(n, d) on the unit sphere: the leading directions, each divided by the square root of its spread.

    Undivided, a few strong directions (brightness, scanner) make all cases of a cohort neighbours; divided by the whole
    spread, small cohorts fall apart into noise. Measured, half of the way loses the fewest copies.
    """
    from scipy.linalg import eigh
    from threadpoolctl import threadpool_limits

    centred = features - features.mean(axis=0)
    width = features.shape[1]
    kept = min(DIRECTIONS, 2 * len(features) // 3, width)
    with threadpool_limits(1):  # the pools of torch, numpy and scipy would fight over the cores
        covariance = (centred.T @ centred).astype(np.float64) / len(centred)
        variance, directions = eigh(covariance, subset_by_index=(width - kept, width - 1))
    scale = np.where(variance > 1e-9 * variance[-1], np.maximum(variance, 1e-30) ** -0.25, 0)
    return _unit(centred @ (directions * scale).astype(np.float32))


def _unit(rows: np.ndarray) -> np.ndarray:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12), dtype=np.float32)


def _distances(unit: np.ndarray, together: np.ndarray | None) -> Iterator[tuple[int, np.ndarray]]:
    """First row and (block, n) cosine distances; infinite to itself and to what it is known to belong to."""
    for start in range(0, len(unit), BLOCK):
        distance = np.maximum(1 - unit[start : start + BLOCK] @ unit.T, 0)
        rows = np.arange(len(distance))
        distance[rows, start + rows] = np.inf
        if together is not None:
            distance[together[start : start + len(distance), None] == together[None, :]] = np.inf
        yield start, distance


def _kth_distance(unit: np.ndarray, k: int, together: np.ndarray | None) -> np.ndarray:
    """(n,) distance of each row to its k-th neighbour, or to the farthest where there are fewer; 0 without any."""
    found = np.empty(len(unit), np.float32)
    for start, distance in _distances(unit, together):
        nearest = np.partition(distance, k - 1, axis=1)[:, :k]
        found[start : start + len(distance)] = np.where(np.isfinite(nearest), nearest, 0).max(axis=1)
    return found


def _mirrored(thumbnails: np.ndarray, together: np.ndarray | None) -> Iterator[tuple[int, np.ndarray]]:
    """First row and (block, n) bool: one is the other mirrored left to right, top to bottom, or turned by 180 degrees.

    A picture that is its own mirror image says nothing, so the pair must be less alike as it stands.
    """
    flat = _standardised(thumbnails)
    mirrored = [_standardised(np.flip(thumbnails, axes)) for axes in ((2,), (1,), (1, 2))]
    for start in range(0, len(flat), BLOCK):
        block = flat[start : start + BLOCK]
        as_it_stands = block @ flat.T
        turned = np.zeros(as_it_stands.shape, dtype=bool)
        for other in mirrored:
            likeness = block @ other.T
            turned |= (likeness > MIRRORED) & (likeness > as_it_stands)
        if together is not None:
            turned &= together[start : start + len(block), None] != together[None, :]
        yield start, turned


def _standardised(thumbnails: np.ndarray) -> np.ndarray:
    """(n, 1024) of mean 0 and length 1; a picture of one grey value has no likeness to anything and becomes 0."""
    flat = thumbnails.reshape(len(thumbnails), -1).astype(np.float32)
    flat -= flat.mean(axis=1, keepdims=True)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    return np.where(length > 1e-3, flat / np.maximum(length, 1e-3), 0).astype(np.float32)
