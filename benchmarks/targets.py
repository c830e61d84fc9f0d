"""The public image sets that benchmarks run on: pictures, labels, groups that are never divided, and two parts.

Knows no source and no strategy. Needs the folder `shared` beside the project.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from medtl.cohorts.pixels import shrunk
from medtl.transferability import seen
from medtl.vocabulary import Source

SHARED = Path(__file__).resolve().parent.parent.parent / "shared"
IMAGES = SHARED / "data/images"
TEST = 100  # cases a class that are kept for judging, at most
POOL = 150  # cases a class that may be drawn for training, at most
CHILDREN, CELLS = "unseen children", "unseen cells"  # normal, bacterial, viral films; five stages of granulocytes
OWN_KIND = (CHILDREN, CELLS)


@dataclass
class Target:
    """Pictures with labels and groups that are never divided; `test` for judging, `pool` to draw from."""

    name: str
    pictures: list[np.ndarray]
    labels: np.ndarray
    groups: np.ndarray
    test: np.ndarray
    pool: np.ndarray

    @property
    def classes(self) -> int:
        return int(self.labels.max()) + 1


# ---- targets --------------------------------------------------------------------------------------------------------


def rows_of(name: str) -> Iterator[tuple[Path, str, str]]:
    """(file, label, group)"""
    if name == "BUSI":
        for file in (IMAGES / "breast-ultrasound-busi-256").glob("*/*.png"):
            yield file, file.parent.name, file.name
    elif name == "Kermany":
        for file in (IMAGES / "chest-xray-kermany-224").glob("*/*/*.jpeg"):
            match = re.match(r"(person\d+_(?:bacteria|virus)|(?:NORMAL2-)?IM-\d+)", file.name)
            yield file, file.parent.name, match[1] if match else file.name
    elif name == "PBC":
        for file in (IMAGES / "blood-cells-pbc-256").glob("*/*.jpg"):
            yield file, file.parent.name, file.name
    elif name == "MedNIST":
        for file in (IMAGES / "mednist-64").glob("*/*.jpeg"):
            yield file, file.parent.name, file.name


def finer(name: str) -> Iterator[tuple[Path, str, str]]:
    """As `rows_of`, with the targets of a shipped source's own kind besides."""
    if name == CHILDREN:
        for file, label, group in rows_of("Kermany"):
            if "/test/" in str(file):
                yield file, label if label == "NORMAL" else ("bacterial" if "bacteria" in file.name else "viral"), group
    elif name == CELLS:
        for file, _, group in rows_of("PBC"):
            stage = file.name.split("_")[0]
            if stage in ("MMY", "MY", "PMY", "BNE", "SNE"):
                yield file, stage, group
    else:
        yield from rows_of(name)


def target(name: str, unseen_by: Iterable[Source] = ()) -> Target:
    """The images of `name`, in an order by hash; copies share a group; without those in these sources' fingerprints."""
    rows = list(finer(name))
    rows.sort(key=lambda row: hashlib.sha256(row[0].name.encode()).digest())
    pictures = [shrunk(np.asarray(Image.open(file).convert("RGB"))) for file, _, _ in rows]
    thumbnails = np.stack([thumbnail(picture) for picture in pictures])
    prints = seen.fingerprints(thumbnails)
    keep = np.ones(len(rows), bool)
    for source in unseen_by:
        keep &= ~seen.among(prints, seen.load(Path(source.weights).parent))
    names = sorted({label for _, label, _ in rows})
    labels = np.array([names.index(label) for _, label, _ in rows])
    groups = joined([group for _, _, group in rows], prints)
    test, pool = parted(labels, groups, keep)
    return Target(name, pictures, labels, groups, test, pool)


def thumbnail(picture: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(picture).convert("L").resize((32, 32), Image.Resampling.BILINEAR))


def joined(names: list[str], prints: np.ndarray) -> np.ndarray:
    """Numbers of groups: same name, or fingerprints that are near (a chain counts)."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    number = {name: i for i, name in enumerate(dict.fromkeys(names))}
    signs = np.unpackbits(prints, axis=1).astype(np.float32) * 2 - 1
    near = np.concatenate([(256 - signs[i : i + 500] @ signs.T) / 2 <= 8 for i in range(0, len(signs), 500)])
    one, other = np.nonzero(near)
    by_name = np.array([number[name] for name in names])
    first = np.zeros(len(number), dtype=np.int64)
    first[by_name[::-1]] = np.arange(len(names))[::-1]
    one, other = np.concatenate([one, np.arange(len(names))]), np.concatenate([other, first[by_name]])
    return connected_components(coo_matrix((np.ones(len(one)), (one, other)), (len(names), len(names))))[1]


def parted(labels: np.ndarray, groups: np.ndarray, keep: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whole groups for judging first, at most half of a class, then the pool."""
    parts: tuple[list[int], list[int]] = ([], [])
    for k in np.unique(labels):
        mine = np.flatnonzero((labels == k) & keep)
        most = min(TEST, len(mine) // 2)
        taken = [0, 0]
        for group in dict.fromkeys(groups[mine]):
            whole = [i for i in mine if groups[i] == group]
            part = 0 if taken[0] < most else 1
            if part and taken[1] >= POOL:
                break
            parts[part].extend(whole)
            taken[part] += len(whole)
    test, pool = (np.sort(np.array(part)) for part in parts)
    return test, pool[~np.isin(groups[pool], groups[test])]
