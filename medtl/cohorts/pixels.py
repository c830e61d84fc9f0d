"""The cohort's cache: every case decoded once, small enough for any source, memory-mapped.

One flat file holds picture after picture, each followed by its thumbnail; an index says where, how each looks, and
which look alike. It knows case ids, and nothing of labels, parts or networks beyond what an `InputSpec` asks for.
"""

import hashlib
import json
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from medtl.cohorts import limits
from medtl.cohorts.findings.likeness import near_copies
from medtl.cohorts.findings.looks import Looks, measure
from medtl.cohorts.formats.images import Picture
from medtl.cohorts.originals import link
from medtl.cohorts.pool import in_order
from medtl.errors import MedtlError, NotFound
from medtl.vocabulary import InputSpec
from medtl.workspace import write_whole

BIN = "pixels.bin"
SHARD = "shard-"  # names of shards begin so
INDEX = "pixels.json"
THUMB = limits.THUMBNAIL
FILTER = Image.Resampling.BILINEAR  # Pillow widens it when shrinking, so it is antialiased


@dataclass(frozen=True)
class Stored:
    """Where a case lies and what was seen of it. `fingerprint` is the hash of the pixels before they were shrunk."""

    offset: int
    height: int
    width: int
    channels: int
    fingerprint: str
    constant: bool

    @property
    def size(self) -> int:
        return self.height * self.width * self.channels


@dataclass(frozen=True)
class Prepared:
    """A decoded image made ready to be stored."""

    picture: Picture  # (H, W) or (H, W, 3), longer side at most 512
    thumbnail: Picture  # (32, 32) grey
    fingerprint: str
    constant: bool
    looks: Looks


class Pixels:
    """Reading side. Opening it reads the index only; pictures are paged in by the operating system."""

    def __init__(self, folder: Path) -> None:
        try:
            index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise MedtlError(
                "The image cache of this cohort is missing or damaged.", "Add the cohort again."
            ) from error
        self.stored: Mapping[str, Stored] = {case: Stored(*place) for case, place in index["cases"].items()}
        self.near: tuple[tuple[str, str], ...] = tuple((one, other) for one, other in index["near"])
        # Cohorts made before looks were measured have none.
        self.looks: Mapping[str, Looks] = {case: Looks(*values) for case, values in index.get("looks", {}).items()}
        self.bin: str = index.get("bin", BIN)
        self._bytes: NDArray[np.uint8] = np.memmap(folder / self.bin, np.uint8, mode="r")

    def image(self, case: str) -> Picture:
        """(H, W) grey or (H, W, 3), uint8; a copy that may be written to."""
        return np.array(self._view(case))

    def thumbnails(self, cases: Sequence[str]) -> Picture:
        """(N, 32, 32) grey uint8, the whole image stretched to a square."""
        found = np.empty((len(cases), THUMB, THUMB), np.uint8)
        for row, case in enumerate(cases):
            place = self._place(case)
            start = place.offset + place.size
            found[row] = self._bytes[start : start + THUMB * THUMB].reshape(THUMB, THUMB)
        return found

    def resized(self, cases: Iterable[str], channels: int, size: int) -> Iterator[Picture]:
        """(channels, size, size) uint8 for each case in turn: the whole image, stretched, antialiased."""
        return in_order(lambda case: stretched(self._view(case), channels, size), cases)

    def _view(self, case: str) -> Picture:
        place = self._place(case)
        flat = self._bytes[place.offset : place.offset + place.size]
        shape = (place.height, place.width) if place.channels == 1 else (place.height, place.width, 3)
        return flat.reshape(shape)

    def _place(self, case: str) -> Stored:
        if case not in self.stored:
            raise NotFound("There is no such case in this cohort.", "Pick one from the gallery.")
        return self.stored[case]


LOOKS = tuple(field.name for field in fields(Looks))
Row = list[Any]  # of the index, as JSON: [offset, height, width, channels, fingerprint, constant, looks...]


class PixelWriter:
    """Writing side: pictures one after another; answers for each where it lies and what was seen of it."""

    def __init__(self, path: Path) -> None:
        self._file: BinaryIO = path.open("xb")
        self._at = 0

    def add(self, prepared: Prepared) -> Row:
        picture, looks = np.ascontiguousarray(prepared.picture), prepared.looks
        height, width = picture.shape[:2]
        row: Row = [self._at, height, width, 1 if picture.ndim == 2 else 3, prepared.fingerprint, prepared.constant]
        self._file.writelines((picture.data, np.ascontiguousarray(prepared.thumbnail).data))
        self._at += picture.size + prepared.thumbnail.size
        return [*row, *(round(getattr(looks, name), 4) for name in LOOKS)]

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()


@dataclass(frozen=True)
class Shard:
    """A file some process wrote its pictures into, and the rows of the cases in it."""

    path: Path
    rows: Mapping[str, Row]


def assemble(folder: Path, shards: Sequence[Shard]) -> None:
    """The shards become the one cache of the cohort, and go; the index is written last."""
    rows: dict[str, Row] = {}
    first, *rest = shards or [Shard(folder / BIN, {})]
    if first.rows:
        first.path.replace(folder / BIN)
        rows |= first.rows
    with (folder / BIN).open("ab") as out:
        for shard in rest:
            end = out.tell()
            with shard.path.open("rb") as file:
                shutil.copyfileobj(file, out, 1 << 20)
            rows |= {case: [end + row[0], *row[1:]] for case, row in shard.rows.items()}
    for left in folder.glob(f"{SHARD}*"):  # taken in, or left by a process that a file has cost its life
        left.unlink()
    _write_index(folder, rows)


def carried_over(old: Path, cases: Sequence[str], to: Path) -> Shard:
    """The pictures of these cases of another version as a shard, and nothing else of what lies there."""
    index = _index(old)
    rows: dict[str, Row] = {}
    with (old / index.get("bin", BIN)).open("rb") as file, to.open("xb") as out:
        for case in cases:
            place = Stored(*index["cases"][case])
            file.seek(place.offset)
            rows[case] = [out.tell(), *index["cases"][case][1:], *index.get("looks", {}).get(case, [])]
            out.write(file.read(place.size + THUMB * THUMB))
    return Shard(to, rows)


def find_near(folder: Path) -> None:
    """Look for pairs that look alike, once, because every later version asks for them again."""
    pixels = Pixels(folder)
    cases = sorted(pixels.stored)
    pairs = near_copies(pixels.thumbnails(cases)) if cases else []
    keep_near(folder, [(cases[one], cases[other]) for one, other in pairs])


def keep_near(folder: Path, pairs: Iterable[tuple[str, str]]) -> None:
    """Note pairs that look alike, of the cases that are here."""
    content = _index(folder)
    content["near"] = [list(pair) for pair in pairs if all(case in content["cases"] for case in pair)]
    write_whole(folder / INDEX, json.dumps(content, separators=(",", ":")))


def share(old: Path, folder: Path) -> None:
    """Hard links to the cache of another version; copies where the disk knows no links."""
    for name in (_index(old).get("bin", BIN), INDEX):
        link(old / name, folder / name)


def keep_only(folders: Sequence[Path], cases: set[str]) -> None:
    """Take the pictures of all other cases off the disk, in versions that share one cache.

    The new cache is written once, under a name of its own, and takes effect in each version with its index.
    """
    first = Pixels(folders[0])
    if set(first.stored) <= cases:
        return
    name = f"pixels-{secrets.token_hex(4)}.bin"
    shard = carried_over(folders[0], sorted(cases & set(first.stored)), folders[0] / name)
    for folder in folders:
        old = Pixels(folder)
        if folder != folders[0]:
            link(folders[0] / name, folder / name)
        _write_index(folder, shard.rows, old.near, name)
        (folder / old.bin).unlink()


def _index(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / INDEX).read_text(encoding="utf-8")))


def _write_index(folder: Path, rows: Mapping[str, Row], near: Iterable[tuple[str, str]] = (), name: str = BIN) -> None:
    places = len(fields(Stored))
    content = {
        "schema_version": 2,
        "bin": name,
        "cases": {case: row[:places] for case, row in rows.items()},
        "looks": {case: row[places:] for case, row in rows.items() if row[places:]},
        "near": [list(pair) for pair in near if all(case in rows for case in pair)],
    }
    write_whole(folder / INDEX, json.dumps(content, separators=(",", ":")))


def prepare(pixels: Picture) -> Prepared:
    """From a decoded image to what is stored of it."""
    pixels = np.ascontiguousarray(pixels)
    hashed = hashlib.sha256(np.array(pixels.shape, np.int64).tobytes())
    hashed.update(pixels.data)
    picture = shrunk(pixels)
    looks = measure(picture)
    constant = looks.contrast < 0.001 and bool(picture.min() == picture.max())  # most are not, and measured already
    return Prepared(picture, thumbnail(picture), hashed.hexdigest()[:16], constant, looks)


def thumbnail(pixels: Picture) -> Picture:
    """(32, 32) grey, the whole image stretched."""
    image = Image.fromarray(pixels)
    grey = image if image.mode == "L" else image.convert("L")
    return np.asarray(grey.resize((THUMB, THUMB), FILTER, reducing_gap=2.0))


def shrunk(pixels: Picture) -> Picture:
    """Longer side at most 512 px, never enlarged."""
    height, width = pixels.shape[:2]
    factor = limits.STORED_SIDE / max(height, width)
    if factor >= 1:
        return pixels
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return np.asarray(Image.fromarray(pixels).resize(size, FILTER, reducing_gap=3.0))


def stretched(pixels: Picture, channels: int, size: int) -> Picture:
    """(channels, size, size) uint8. Grey is repeated for three channels; colour becomes luminance for one."""
    image = Image.fromarray(pixels)
    if channels == 1 and image.mode == "RGB":
        image = image.convert("L")
    if image.size != (size, size):
        image = image.resize((size, size), FILTER)
    values = np.asarray(image)
    if values.ndim == 2:
        return np.repeat(values[None], channels, axis=0)
    return np.ascontiguousarray(values.transpose(2, 0, 1))


def as_model_sees(image: Picture, spec: InputSpec) -> Picture:
    """(size, size, 3) uint8: the image after everything but the brightness scaling, for the screen and the overlay.

    A newly dropped image goes the same way as a stored one, by way of at most 512 px.
    """
    seen = stretched(shrunk(image), spec.channels, spec.size)
    return np.ascontiguousarray(np.broadcast_to(seen, (3, spec.size, spec.size)).transpose(1, 2, 0))
