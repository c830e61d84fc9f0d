"""Finds pictures that are nearly the same, from 32 x 32 grey thumbnails. Knows no labels and no files.

Two pictures are near-copies when their thumbnails correlate above `ALIKE`. Measured on four public sets (breast
ultrasound, children's chest X-rays, blood cells, six body parts): at .98 the largest group is 5 and, of 5,840 X-rays,
only copies are found; at .95 the X-rays chain into a group of 905, and difference hashes chain them at any distance.
"""

import numpy as np
from numpy.typing import NDArray

from medtl.cohorts.formats.images import Picture
from medtl.cohorts.limits import THUMBNAIL

ALIKE = 0.98
BLOCK = 512  # rows at a time: 20,000 cases need about 180 MB
ROUNDING = 1e-4  # of sums of a thousand numbers
CANDIDATES = 10_000  # pairs of a block that are looked at one by one; with more it is cheaper to take all
NEIGHBOURS = 20  # of one case at most; a film of a hundred frames is still held together by its chain


def near_copies(thumbnails: Picture) -> list[tuple[int, int]]:
    """Pairs of row numbers (first < second), most alike first. (N, 32, 32) uint8 in."""
    unit = _standardised(thumbnails)
    coarse = _coarse(unit)
    found: list[tuple[float, int, int]] = []
    for start in range(0, len(unit), BLOCK):
        likeness = _likeness(unit, coarse, start)
        for row, column in _highest(likeness):
            found.append((float(likeness[row, column]), start + row, start + column))
    found.sort(key=lambda pair: (-round(pair[0], 4), pair[1], pair[2]))
    return [(one, other) for _, one, other in found]


def _standardised(thumbnails: Picture) -> NDArray[np.float32]:
    """Mean 0, length 1. A picture of one grey value all over has no likeness to anything and becomes 0."""
    flat = thumbnails.reshape(len(thumbnails), -1).astype(np.float32)
    flat -= flat.mean(axis=1, keepdims=True)
    length = np.sqrt(np.einsum("ij,ij->i", flat, flat))[:, None]
    flat /= np.maximum(length, 1e-3)
    return flat * (length > 1e-3) if (length <= 1e-3).any() else flat


def _coarse(unit: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, 257): each square of 2 x 2 as one number, and the length of what that leaves out.

    By Cauchy and Schwarz the product of two of these is never below that of the whole thumbnails, at a quarter of the
    cost.
    """
    squares = unit.reshape(len(unit), THUMBNAIL // 2, 2, THUMBNAIL // 2, 2).sum(axis=(2, 4)) / 2
    coarse = squares.reshape(len(unit), -1)
    rest = np.maximum(0, np.einsum("ij,ij->i", unit, unit) - np.einsum("ij,ij->i", coarse, coarse))
    return np.concatenate([coarse, np.sqrt(rest)[:, None]], axis=1)


def _likeness(unit: NDArray[np.float32], coarse: NDArray[np.float32], start: int) -> NDArray[np.float32]:
    """(block, N - start), exact wherever it could be above `ALIKE`; elsewhere no less than it is, and below that."""
    likeness: NDArray[np.float32] = coarse[start : start + BLOCK] @ coarse[start:].T
    rows, columns = np.nonzero(likeness > ALIKE - ROUNDING)
    if len(rows) > CANDIDATES:
        return unit[start : start + BLOCK] @ unit[start:].T
    likeness[rows, columns] = np.einsum("ij,ij->i", unit[start + rows], unit[start + columns])
    return likeness


def _highest(likeness: NDArray[np.float32]) -> list[tuple[int, int]]:
    """(row, column) with column > row: the block's own triangle and everything to the right of it."""
    alike = likeness > ALIKE
    pairs = []
    for row in np.flatnonzero(alike.sum(axis=1) > 1):  # each is like itself
        mine = np.flatnonzero(alike[row, row + 1 :]) + row + 1
        if len(mine) > NEIGHBOURS:
            # Rounded, so that among equals the nearest in the list is taken and long runs of copies stay tied.
            mine = mine[np.argsort(-likeness[row, mine].round(4), kind="stable")[:NEIGHBOURS]]
        pairs += [(int(row), int(column)) for column in mine]
    return pairs
