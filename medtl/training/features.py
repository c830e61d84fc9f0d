"""The feature cache: what a frozen source sees in a picture is worked out once, by content, and kept on disk.

Letters: n cases, D features.
"""

import hashlib
import json
import os
import uuid
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from medtl.vocabulary import InputSpec, Look, Plan

# Raise when decoding or resizing changes what a network is shown: old rows are then no longer found.
PREPARATION = 1


class FeatureCache:
    """Rows of (D,) float32 under the content hash of their image, for one source and one preparation.

    Every addition is a file of its own, written beside and renamed, so that runs may add at the same time and a crash
    leaves nothing half-written. The folder may be deleted at any time.
    """

    def __init__(self, root: Path, source_sha256: str, spec: InputSpec, look: str = "") -> None:
        """`look`: which small change of the pictures the rows are of; "" for the pictures as they are."""
        self._of = root, source_sha256, spec
        said = [source_sha256, PREPARATION, spec.channels, spec.size, spec.mean, spec.std, *([look] if look else [])]
        self.folder = root / hashlib.sha256(json.dumps(said).encode()).hexdigest()[:24]

    def changed(self, look: str) -> "FeatureCache":
        """The cache of the same source for pictures changed in this way."""
        return FeatureCache(*self._of, look)

    def load(self, keys: Sequence[str]) -> dict[str, np.ndarray]:
        """The rows known for these content hashes. A damaged file is left out (its rows are worked out anew)."""
        wanted, found = set(keys), {}
        for file in sorted(self.folder.glob("*.npz")):
            try:
                with np.load(file, allow_pickle=False) as block:
                    rows = {key: i for i, key in enumerate(block["keys"].tolist()) if key in wanted}
                    if rows:
                        values = block["features"]
                        found.update({key: values[i] for key, i in rows.items()})
            except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
                file.unlink(missing_ok=True)
        return found

    def count(self, keys: Sequence[str]) -> int:
        """How many of these are known, without reading their rows: for an estimate, so damage is passed over."""
        wanted: set[str] = set(keys)
        found: set[str] = set()
        for file in self.folder.glob("*.npz"):
            try:
                with np.load(file, allow_pickle=False) as block:
                    found |= wanted.intersection(block["keys"].tolist())
            except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
                continue
        return sum(key in found for key in keys)

    def add(self, keys: Sequence[str], features: np.ndarray) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        name = uuid.uuid4().hex
        temporary = self.folder / f".{name}.part"
        with temporary.open("wb") as out:
            np.savez(out, keys=np.array(list(keys)), features=features.astype(np.float32))
            out.flush()
            os.fsync(out.fileno())
        os.replace(temporary, self.folder / f"{name}.npz")


class Remembered(FeatureCache):
    """A cache that keeps in memory what was read or added once, for many trainings on the same pictures in one process;
    `under` is the one on disk, None where there is none."""

    def __init__(self, under: FeatureCache | None) -> None:
        self.under = under
        self.rows: dict[str, np.ndarray] = {}
        self.others: dict[str, Remembered] = {}

    def changed(self, look: str) -> FeatureCache:
        if look not in self.others:
            self.others[look] = Remembered(self.under.changed(look) if self.under else None)
        return self.others[look]

    def load(self, keys: Sequence[str]) -> dict[str, np.ndarray]:
        missing = [key for key in keys if key not in self.rows]
        if missing and self.under:
            self.rows.update(self.under.load(missing))
        return {key: self.rows[key] for key in keys if key in self.rows}

    def add(self, keys: Sequence[str], features: np.ndarray) -> None:
        self.rows.update(zip(keys, features, strict=True))
        if self.under:
            self.under.add(keys, features)


def known_looks(cache: FeatureCache, plan: Plan, keys: Sequence[str]) -> bool:
    """Whether all changed pictures that a plan looks at have been seen by the source before."""
    looks = [f"{step.augment} {n}" for step in plan if isinstance(step, Look) for n in range(1, 1 + step.times)]
    return all(len(cache.changed(look).load(keys)) == len(set(keys)) for look in looks)


def forget(root: Path, keys: set[str]) -> int:
    """Take the rows of these images out of the cache, whatever source they are of; answers how many there were.

    What was made of a picture goes with the picture.
    """
    gone = 0
    for file in root.glob("*/*.npz"):
        try:
            with np.load(file, allow_pickle=False) as block:
                names, values = block["keys"], block["features"]
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            file.unlink(missing_ok=True)
            continue
        keep = np.array([name not in keys for name in names.tolist()], dtype=bool)
        if keep.all():
            continue
        gone += int((~keep).sum())
        if keep.any():
            temporary = file.with_name(f".{file.stem}.part")
            with temporary.open("wb") as out:
                np.savez(out, keys=names[keep], features=values[keep])
            os.replace(temporary, file)
        else:
            file.unlink()
    return gone


def cached(
    cache: FeatureCache | None,
    keys: Sequence[str],
    compute: Callable[[np.ndarray], np.ndarray],
) -> np.ndarray:
    """(n, D) features in the order of `keys`; `compute(indices)` gives the rows that the cache does not know.

    Images of identical bytes share a row and are computed once.
    """
    known = cache.load(keys) if cache else {}
    first: dict[str, int] = {}
    for i, key in enumerate(keys):
        if key not in known:
            first.setdefault(key, i)
    if first:
        rows = compute(np.fromiter(first.values(), dtype=np.int64))
        if cache and len(rows) == len(first):
            cache.add(list(first), rows)
        known.update(zip(first, rows, strict=True))
    return np.stack([known[key] for key in keys])
