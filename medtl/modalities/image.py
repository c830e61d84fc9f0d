"""Images: how a cohort's pictures reach a network. Reading files is `medtl.cohorts`'; this only prepares tensors.

Letters: n cases, C channels, S pixels a side.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from medtl.cohorts import splits
from medtl.cohorts.findings import checks
from medtl.cohorts.pixels import Pixels, stretched
from medtl.errors import MedtlError
from medtl.vocabulary import Cohort, InputSpec


class ImageInputs:
    """The pictures of a cohort at the size a source wants; grey cohorts stay one channel wide.

    `take` works them out as they are asked for; after `keep` they are read from one memory-mapped file in the cohort's
    folder, which later runs find there.
    """

    def __init__(self, folder: Path, cohort: Cohort, spec: InputSpec) -> None:
        self.pixels = Pixels(folder)
        self.cases: Sequence[str] = [case.id for case in cohort.cases]
        self.size = spec.size
        grey = all(self.pixels.stored[case].channels == 1 for case in self.cases)
        self.channels = 1 if grey else 3
        self.file = folder / f"inputs-{self.channels}x{self.size}.npy"
        self._kept: np.ndarray | None = None

    def take(self, indices: np.ndarray) -> np.ndarray:
        """(n,) indices -> (n, C, S, S) uint8."""
        if self._kept is not None:
            return np.asarray(self._kept[indices])
        return np.stack(list(self.pixels.resized([self.cases[i] for i in indices], self.channels, self.size)))

    def keep(self, on_progress: Callable[[int, int], None] = lambda done, total: None) -> None:
        if self._kept is not None:
            return
        shape = (len(self.cases), self.channels, self.size, self.size)
        if not self._usable(shape):
            self._write(shape, on_progress)
        self._kept = np.load(self.file, mmap_mode="r")

    def _usable(self, shape: tuple[int, ...]) -> bool:
        try:
            return np.load(self.file, mmap_mode="r").shape == shape
        except (OSError, ValueError, EOFError):
            return False

    def _write(self, shape: tuple[int, ...], on_progress: Callable[[int, int], None]) -> None:
        need = int(np.prod(shape, dtype=np.int64))
        disk = os.statvfs(self.file.parent)
        if disk.f_bavail * disk.f_frsize < 2 * need:
            raise MedtlError(
                f"The disk is too full: preparing these images needs {2 * need / 1e9:.1f} GB free.",
                "Delete cohorts or runs you no longer need in the Library, then start again.",
            )
        part = self.file.with_name(f".{self.file.name}.{os.getpid()}.part")
        try:
            out = np.lib.format.open_memmap(part, mode="w+", dtype=np.uint8, shape=shape)
            for i, picture in enumerate(self.pixels.resized(self.cases, self.channels, self.size)):
                out[i] = picture
                if i % 64 == 0:
                    on_progress(i, len(self.cases))
            out.flush()
            os.replace(part, self.file)
        finally:
            part.unlink(missing_ok=True)


def keys(pixels: Pixels, cohort: Cohort) -> tuple[str, ...]:
    """Under what the features of each case are cached: the hash of its pixels, so that a blacked-out picture, or two
    frames of one file, are never taken for each other, and a deep check pays for a later training."""
    return tuple(pixels.stored[case.id].fingerprint for case in cohort.cases)


def together(pixels: Pixels, cohort: Cohort) -> np.ndarray:
    """(N,) the number of the group that is never divided: the cases of one patient or clip, and copies."""
    ids = [case.id for case in cohort.cases]
    here = set(ids)
    twins = checks.twins_of(cohort.cases, {id: pixels.stored[id].fingerprint for id in ids})
    near = [pair for pair in pixels.near if here.issuperset(pair)]
    number = {case.id: n for n, group in enumerate(splits.together(cohort.cases, twins, near)) for case in group}
    return np.array([number[id] for id in ids], dtype=np.int64)


def pictures_for(images: Sequence[np.ndarray], spec: InputSpec) -> np.ndarray:
    """Newly read images (H, W) or (H, W, 3) uint8, prepared as the cohort's were -> (n, C, S, S) uint8."""
    return np.stack([stretched(image, spec.channels, spec.size) for image in images])
