"""The de-identified originals of a cohort, packed: file after file in a few packs, and an index that says where.

Twenty thousand small files cost more to create, copy and delete than to decode. A pack is written once and never
changed; versions share it by a hard link. It knows bytes and their names, and nothing of pictures.
"""

import json
import os
import secrets
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from medtl.cohorts.archive import Place
from medtl.errors import MedtlError
from medtl.workspace import write_whole

INDEX = "originals.json"
PACK = "originals-{}.pack"
Span = tuple[str, int, int]  # pack, offset, length in bytes


class PackWriter:
    """Originals one after another; the same name is written once."""

    def __init__(self, path: Path) -> None:
        self.pack = path.name
        self._file = path.open("xb")
        self._spans: dict[str, Span] = {}
        self._at = 0

    def add(self, name: str, data: bytes) -> Span:
        """Where it lies. `name` is a hash of the content with an ending, so that equal names are equal contents."""
        if name not in self._spans:
            self._file.write(data)
            self._spans[name] = (self.pack, self._at, len(data))
            self._at += len(data)
        return self._spans[name]

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()


class Originals:
    """Reading side. Cohorts made before there were packs hold a file for each original; both are found."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.spans: Mapping[str, Span] = {}
        if (folder / INDEX).exists():
            try:
                content = json.loads((folder / INDEX).read_text(encoding="utf-8"))
                self.spans = {name: (pack, start, size) for name, (pack, start, size) in content["files"].items()}
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise MedtlError("The originals of this cohort are damaged.", "Add the images again.") from error

    def place(self, name: str) -> Place:
        """Where a reading process finds it."""
        if name in self.spans:
            pack, start, size = self.spans[name]
            return Place(str(self.folder / pack), span=(start, size))
        return Place(str(self.folder / name))

    def read(self, name: str) -> bytes:
        place = self.place(name)
        with Path(place.path).open("rb") as file:
            if place.span is None:
                return file.read()
            file.seek(place.span[0])
            return file.read(place.span[1])

    def files(self) -> list[Path]:
        """What versions share."""
        return [self.folder / pack for pack in sorted({span[0] for span in self.spans.values()})]


def write_index(folder: Path, spans: Mapping[str, Span]) -> None:
    content = {"schema_version": 1, "files": spans}
    write_whole(folder / INDEX, json.dumps(content, separators=(",", ":")))


def carry_over(old: Originals, names: Iterable[str], to: Path) -> dict[str, Span]:
    """Copies of some originals in a pack of their own, and nothing else of what lay beside them."""
    writer = PackWriter(to)
    spans = {name: writer.add(name, old.read(name)) for name in sorted(set(names))}
    writer.close()
    return spans


def keep_only(folders: Sequence[Path], names: set[str]) -> None:
    """Take all other originals off the disk, in versions that share their packs."""
    old = Originals(folders[0])
    if set(old.spans) <= names:
        return
    pack = PACK.format(secrets.token_hex(4))
    spans = carry_over(old, names & set(old.spans), folders[0] / pack)
    for folder in folders:
        before = Originals(folder).files()
        if folder != folders[0]:
            link(folders[0] / pack, folder / pack)
        write_index(folder, spans)
        for file in before:
            file.unlink()


def share(old: Path, folder: Path, names: Iterable[str]) -> None:
    """Hard links to the originals of another version; copies where the disk knows no links."""
    known = Originals(old)
    loose = sorted({name for name in names if name not in known.spans})
    if known.spans:
        link(old / INDEX, folder / INDEX)
    for pack in known.files():
        link(pack, folder / pack.name)
    for name in loose:
        (folder / name).parent.mkdir(exist_ok=True)
        link(old / name, folder / name)


def link(old: Path, new: Path) -> None:
    try:
        os.link(old, new)
    except OSError:  # a disk that knows no links
        shutil.copyfile(old, new)
