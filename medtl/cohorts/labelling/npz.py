"""Pictures and labels in one NumPy archive (.npz), laid out as MedMNIST does: made into PNG files one by one.

The arrays are called train_images, train_labels, val_..., test_...: images (n, H, W) or (n, H, W, 3) uint8, labels
(n, 1) or, with several findings, (n, k) of 0 and 1. The file is not trusted: its list of contents and each array's
header are judged before any data is read, nothing in it is ever executed (no pickle), and pictures pass through memory
a few megabytes at a time, however large the array.
"""

import tokenize
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray
from PIL import Image

from medtl.cohorts import limits
from medtl.cohorts.archive import Entry, Place, check_zip
from medtl.cohorts.formats.images import read_bytes
from medtl.cohorts.labelling import medmnist_sets
from medtl.cohorts.labelling.labels import Labelled
from medtl.cohorts.labelling.medmnist_sets import PublishedSet
from medtl.cohorts.names import part_named, shown
from medtl.errors import BadInput
from medtl.vocabulary import Skipped, Task

PARTS = ("train", "val", "test")
BLOCK = 4 * limits.MB  # bytes of pictures in memory at a time
LABELS = 16 * limits.MB  # bytes of one array of labels
SMALLEST = 4  # px
LAYOUT = "We need train_images and train_labels (likewise val and test), as MedMNIST has them."
DAMAGED = ("The .npz file is damaged or cut short.", "Fetch or save it again.")

Labels = NDArray[np.int64]  # (n, k): k = 1 class index, or k findings of 0 and 1
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Unpacked:
    """What came out: `items` name the PNG files, `classes` as in a table (grades or findings in order, else empty)."""

    title: str
    items: tuple[Labelled, ...]
    task: Task
    classes: tuple[str, ...]
    skipped: tuple[Skipped, ...] = ()
    says: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Pictures:
    """The header of one array of pictures. `shape` (n, H, W) or (n, H, W, 3)."""

    part: str
    shape: tuple[int, ...]

    @property
    def bytes_each(self) -> int:
        return int(np.prod(self.shape[1:]))


def unpacked(path: Path, folder: Path, on_progress: Progress | None = None, *, seed: int = 0) -> Unpacked:
    """Write the pictures of `path` into `folder` as PNG. Raises BadInput when the layout is another, or unsafe.

    Of more than 20,000 pictures a sample is taken, stratified by part and label and drawn from `seed`.
    """
    with _opened(path) as archive:
        pictures = [_header(archive, part) for part in PARTS if f"{part}_images.npy" in archive.namelist()]
        if not pictures:
            raise _other_layout(archive)
        labels = {held.part: _labels(archive, held) for held in pictures}
        chosen = _sample(labels, seed)
        meaning = _Meaning.of(path, labels)
        wanted = sum(len(rows) for rows in chosen.values())
        items: list[Labelled] = []
        for held in pictures:
            place = folder / held.part
            place.mkdir(parents=True)
            for number, picture in _read(archive, held, chosen[held.part]):
                file = place / f"{number:06d}.png"
                Image.fromarray(picture).save(file, compress_level=1)
                items.append(meaning.labelled(file, f"{held.part}/{file.name}", labels[held.part][number], held.part))
                if on_progress:
                    on_progress(len(items), wanted)
    left_out = _left_out(shown(path.name), sum(len(rows) for rows in labels.values()), wanted, seed)
    return Unpacked(meaning.title, tuple(items), meaning.task, meaning.classes, left_out, meaning.says)


# ---- the file -------------------------------------------------------------------------------------------------------


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """The archive after its list of contents was judged; errors of zip and zlib become sentences."""
    if not zipfile.is_zipfile(path):
        raise BadInput(f"{shown(path.name)} is no .npz file, or damaged.", "Fetch or save it again.")
    check_zip(path, limits.NPZ_BYTES, limits.NPZ_BYTES)
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError) as error:
        raise BadInput(*DAMAGED) from error


def _other_layout(archive: zipfile.ZipFile) -> BadInput:
    arrays = [shown(name.removesuffix(".npy"), 40) for name in archive.namelist()[:6]]
    return BadInput(f"The .npz file holds {', '.join(arrays) or 'nothing'}.", LAYOUT)


def _npy(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and kind of an array from its header; reads no data. The header is parsed as literals, never run."""
    try:
        version = npy.read_magic(file)
        readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
        if version not in readers:
            raise ValueError("unknown version")
        shape, fortran, dtype = readers[version](file)
    except (
        ValueError,
        SyntaxError,
        TypeError,
        tokenize.TokenError,
        RecursionError,
        MemoryError,
        OverflowError,
    ) as error:
        raise BadInput(
            "An array in the .npz file has no readable header.", "Save it again with numpy.savez."
        ) from error
    if dtype.hasobject or dtype.names:
        raise BadInput(
            "The .npz file holds Python objects, which could run a program; we read plain numbers only.",
            "Save the pictures as uint8 and the labels as whole numbers.",
        )
    if fortran and len(shape) > 1:
        raise BadInput("An array in the .npz file is stored by columns.", "Save it with numpy.ascontiguousarray.")
    return tuple(int(side) for side in shape), dtype


def _header(archive: zipfile.ZipFile, part: str) -> _Pictures:
    member = archive.getinfo(f"{part}_images.npy")
    with archive.open(member) as file:
        shape, dtype = _npy(file)
        at = file.tell()
    if len(shape) == 5 or (len(shape) == 4 and shape[3] not in (1, 3)):
        raise BadInput(
            f"{part}_images holds volumes ({' x '.join(map(str, shape))}); we read flat pictures.",
            "Take one of MedMNIST's flat sets, or save slices as (n, height, width).",
        )
    if dtype != np.uint8 or len(shape) not in (3, 4):
        got = f"{' x '.join(map(str, shape)) or 'one number'} of {dtype}"
        raise BadInput(
            f"{part}_images is {got}.", "Save pictures as (n, height, width) or (n, height, width, 3), uint8."
        )
    height, width = shape[1:3]
    if min(height, width) < SMALLEST or height * width > limits.PIXELS:
        raise BadInput(
            f"The pictures have {width} x {height} pixels; we read {SMALLEST} a side to {limits.PIXELS // limits.MB} "
            "megapixels.",
            "Save them at another size.",
        )
    if at + int(np.prod(shape, dtype=object)) != member.file_size:
        raise BadInput(*DAMAGED)
    return _Pictures(part, shape[:3] if shape[3:] == (1,) else shape)


def _labels(archive: zipfile.ZipFile, pictures: _Pictures) -> Labels:
    name = f"{pictures.part}_labels.npy"
    if name not in archive.namelist():
        raise BadInput(f"The .npz file has {pictures.part}_images but no {pictures.part}_labels.", LAYOUT)
    with archive.open(name) as file:
        shape, dtype = _npy(file)
        shape = (*shape, 1) if len(shape) == 1 else shape
        count = int(np.prod(shape, dtype=object))
        if len(shape) != 2 or shape[0] != pictures.shape[0] or not 1 <= shape[1] <= limits.CLASSES:
            raise BadInput(
                f"{name.removesuffix('.npy')} is {' x '.join(map(str, shape))} for {pictures.shape[0]:,} pictures.",
                "Give one row of labels for each picture.",
            )
        if dtype.kind not in "iubf" or count * dtype.itemsize > LABELS:
            raise BadInput(f"The labels are {dtype}; we need whole numbers.", "Save them as integers.")
        data = file.read(count * dtype.itemsize + 1)
    if len(data) != count * dtype.itemsize:
        raise BadInput(*DAMAGED)
    raw = np.frombuffer(data, dtype).reshape(shape)
    values = np.where(np.isfinite(raw), raw, -1).astype(np.int64) if dtype.kind == "f" else raw.astype(np.int64)
    if (values != raw).any() or (values < 0).any():
        raise BadInput("Some labels are no whole numbers from 0.", "Number the classes 0, 1, 2 and so on.")
    return values


def _read(
    archive: zipfile.ZipFile, held: _Pictures, wanted: NDArray[np.int64]
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """(number, picture) of the wanted ones, in order; a block of the array is in memory at a time."""
    together = max(1, BLOCK // held.bytes_each)
    keep = np.zeros(held.shape[0], bool)
    keep[wanted] = True
    with archive.open(f"{held.part}_images.npy") as file:
        _npy(file)
        for start in range(0, held.shape[0], together):
            number = min(together, held.shape[0] - start)
            data = file.read(number * held.bytes_each)
            if len(data) < number * held.bytes_each:
                raise BadInput(*DAMAGED)
            block = np.frombuffer(data, np.uint8).reshape(number, *held.shape[1:])
            for at in np.flatnonzero(keep[start : start + number]):
                yield start + int(at), block[at]


# ---- sample ---------------------------------------------------------------------------------------------------------


def _sample(labels: Mapping[str, Labels], seed: int) -> dict[str, NDArray[np.int64]]:
    """Part -> numbers of the pictures to take: all, or as many as a cohort may have, in proportion (largest remainder).

    A stratum is a part and a class; with several findings, the rarest finding that a picture shows.
    """
    strata = _strata(labels)
    total = sum(len(rows) for rows in strata.values())
    if total > limits.FILES:
        exact = {key: len(rows) * limits.FILES / total for key, rows in strata.items()}
        quota = {key: max(1, int(share)) for key, share in exact.items()}
        by_rest = sorted(exact, key=lambda key: int(exact[key]) - exact[key])
        for key in by_rest[: max(0, limits.FILES - sum(quota.values()))]:
            quota[key] += 1
        for _ in range(sum(quota.values()) - limits.FILES):  # every stratum got at least one
            quota[max(quota, key=lambda key: quota[key])] -= 1
        random = np.random.default_rng(seed)
        strata = {key: random.permutation(rows)[: quota[key]] for key, rows in strata.items()}
    return {
        part: np.sort(np.concatenate([rows for key, rows in strata.items() if key[0] == part] or [np.empty(0, int)]))
        for part in labels
    }


def _strata(labels: Mapping[str, Labels]) -> dict[tuple[str, int], NDArray[np.int64]]:
    everything = np.concatenate(list(labels.values()))
    rarest_first = np.argsort(everything.sum(axis=0), kind="stable")
    found: dict[tuple[str, int], NDArray[np.int64]] = {}
    for part, rows in labels.items():
        if rows.shape[1] == 1:
            kind = rows[:, 0]
        else:
            ordered = rows[:, rarest_first] > 0  # (n, k)
            kind = np.where(ordered.any(axis=1), ordered.argmax(axis=1), -1)
        for value in np.unique(kind):
            found[part, int(value)] = np.flatnonzero(kind == value)
    return found


def _left_out(file: str, total: int, taken: int, seed: int) -> tuple[Skipped, ...]:
    if taken == total:
        return ()
    reason = f"It holds {total:,} pictures; a stratified sample of {taken:,} was taken (seed {seed})."
    return (Skipped(file, reason, f"A cohort may have {limits.FILES:,} pictures."),)


# ---- meaning --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Meaning:
    """What the numbers in the labels stand for."""

    title: str
    task: Task
    names: tuple[str, ...]
    classes: tuple[str, ...]
    one_hot: bool = False
    says: tuple[str, ...] = ()

    @staticmethod
    def of(path: Path, labels: Mapping[str, Labels]) -> "_Meaning":
        widths = {rows.shape[1] for rows in labels.values()}
        if len(widths) > 1:
            raise BadInput("The parts have different numbers of label columns.", "Give all parts the same findings.")
        known, size = medmnist_sets.of_file(path.stem)
        if known and not _fits(known, labels):
            known = None
        if known:
            return _known(known, size)
        return _numbered(shown(path.stem, 200), labels)

    def labelled(self, file: Path, name: str, values: NDArray[np.int64], part: str) -> Labelled:
        entry = Entry(name, file.stat().st_size, partial(read_bytes, file), Place(str(file)))
        if self.task == "multi-label":
            found = dict(zip(self.names, map(int, values), strict=True))
            return Labelled(entry, "", part=part_named(part), labels=found)
        number = int(values.argmax()) if self.one_hot else int(values[0])
        return Labelled(entry, self.names[number], part=part_named(part))


def _known(known: PublishedSet, size: int) -> _Meaning:
    licence = "" if known.commercial else " The licence forbids commercial use."
    says = f"{known.title}, from MedMNIST ({known.name}, {known.licence}).{licence} No patient is known."
    classes = known.classes if known.task != "single-label" else ()
    return _Meaning(f"{known.title} ({known.name}, {size} px)", known.task, known.classes, classes, says=(says,))


def _fits(known: PublishedSet, labels: Mapping[str, Labels]) -> bool:
    """A file may be called like a published set and be another."""
    wide = len(known.classes) if known.task == "multi-label" else 1
    highest = max((int(rows.max(initial=0)) for rows in labels.values()), default=0)
    return all(rows.shape[1] == wide for rows in labels.values()) and highest < (2 if wide > 1 else len(known.classes))


def _numbered(title: str, labels: Mapping[str, Labels]) -> _Meaning:
    everything = np.concatenate(list(labels.values()))
    wide = everything.shape[1]
    if wide == 1:
        highest = int(everything.max(initial=0))
        if highest >= limits.CLASSES:
            raise BadInput(
                f"The labels go up to {highest:,}; at most {limits.CLASSES} classes are taken.",
                "Number the classes 0, 1, 2 and so on.",
            )
        return _Meaning(title, "single-label", _numbers(highest + 1), ())
    if everything.max(initial=0) > 1:
        raise BadInput("With several label columns each must be 0 or 1.", "Save one column of class numbers instead.")
    if (everything.sum(axis=1) == 1).all():
        says = f"Every row has a 1 in exactly one of the {wide} columns, so each picture has one label."
        return _Meaning(title, "single-label", _numbers(wide), (), one_hot=True, says=(says,))
    return _Meaning(title, "multi-label", _numbers(wide), _numbers(wide))


def _numbers(count: int) -> tuple[str, ...]:
    return tuple(str(number) for number in range(count))
