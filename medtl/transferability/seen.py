"""Which of the user's images a source was trained on: by a fingerprint of what a picture looks like.

A fingerprint is 256 signs of the lowest frequencies of a 32 x 32 thumbnail (a perceptual hash by discrete cosines,
Zauner 2010): it stays nearly the same when a picture is compressed again, resized or brightened, and cannot be turned
back into one. It does not see through mirroring or cropping by more than a few percent.

Letters: n pictures in hand, m pictures a source has seen.
"""

import zipfile
from pathlib import Path

import numpy as np

FILE = "seen.npz"
SIDE = 16  # lowest frequencies a side
# Of 256 signs, as measured on chest films, ultrasound, blood cells and slices (docs/benchmarks.md): the same picture
# saved as JPEG 60, halved, brightened by 15 % or with gamma 0.8 differs in at most 20 (95 %), two films of different
# children in at least 50, two cells in at least 72.
NEAR = 24


def fingerprints(thumbnails: np.ndarray) -> np.ndarray:
    """(n, 32, 32) grey uint8 -> (n, 32) uint8, eight signs a byte."""
    from scipy.fft import dctn

    waves = dctn(thumbnails.astype(np.float32), axes=(1, 2), norm="ortho")[:, :SIDE, :SIDE].reshape(-1, SIDE * SIDE)
    waves[:, 0] = -np.inf  # the mean brightness says nothing; its sign is always the same
    return np.packbits(waves > np.median(waves[:, 1:], axis=1, keepdims=True), axis=1)


def save(folder: Path, prints: np.ndarray) -> None:
    np.savez(folder / FILE, fingerprints=prints)


def load(folder: Path) -> np.ndarray:
    """(m, 32) uint8; (0, 32) where a source says nothing of what it has seen."""
    try:
        with np.load(folder / FILE, allow_pickle=False) as kept:
            prints = kept["fingerprints"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return nothing()
    return prints if prints.ndim == 2 and prints.shape[1] == SIDE * SIDE // 8 else nothing()


def nothing() -> np.ndarray:
    return np.zeros((0, SIDE * SIDE // 8), np.uint8)


def among(mine: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """(n,) bool: which of mine the source has seen, or a near copy of it. Pictures without any contrast never count."""
    found = np.zeros(len(mine), dtype=bool)
    if not len(seen):
        return found
    theirs = _signs(seen)
    for start in range(0, len(mine), 2_000):
        signs = _signs(mine[start : start + 2_000])
        # The product of two sign vectors is (same - different); of 256 signs.
        different = (SIDE * SIDE - (signs @ theirs.T).max(axis=1)) / 2
        found[start : start + 2_000] = different <= NEAR
    return found & (np.unpackbits(mine, axis=1).sum(axis=1) > SIDE * SIDE // 4)


def _signs(prints: np.ndarray) -> np.ndarray:
    """(n, 32) uint8 -> (n, 256) float32 of -1 and 1."""
    return np.unpackbits(prints, axis=1).astype(np.float32) * 2 - 1
