"""Finds pictures that are nearly the same, from 32 x 32 grey thumbnails. Knows no labels and no files.

Two pictures are near-copies when their thumbnails correlate above `ALIKE`. Measured on four public sets (breast
ultrasound, children's chest X-rays, blood cells, six body parts): at .98 the largest group is 5 and, of 5,840 X-rays,
only copies are found; at .95 the X-rays chain into a group of 905, and difference hashes chain them at any distance.
"""

import numpy as np
from numpy.typing import NDArray

from medtl.cohorts.formats.images import Picture

ALIKE = 0.98
BLOCK = 512  # rows at a time: 20,000 cases need about 180 MB
NEIGHBOURS = 20  # of one case at most; a film of a hundred frames is still held together by its chain


def near_copies(thumbnails: Picture) -> list[tuple[int, int]]:
    """Pairs of row numbers (first < second), most alike first. (N, 32, 32) uint8 in."""
    unit = _standardised(thumbnails)
    found: list[tuple[float, int, int]] = []
    for start in range(0, len(unit), BLOCK):
        likeness = unit[start : start + BLOCK] @ unit[start:].T  # (block, N - start)
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


def _highest(likeness: NDArray[np.float32]) -> list[tuple[int, int]]:
    """(row, column) with column > row: the block's own triangle and everything to the right of it."""
    pairs = []
    for row in range(len(likeness)):
        mine = np.flatnonzero(likeness[row, row + 1 :] > ALIKE) + row + 1
        if len(mine) > NEIGHBOURS:
            # Rounded, so that among equals the nearest in the list is taken and long runs of copies stay tied.
            mine = mine[np.argsort(-likeness[row, mine].round(4), kind="stable")[:NEIGHBOURS]]
        pairs += [(row, int(column)) for column in mine]
    return pairs
