"""The files a user brings, from a folder, a zip or a table, as a flat list of `Entry`s that can be read one by one.

A zip is judged from its list of contents before anything is unpacked, and is never extracted: members are read
through `zipfile` and stored under names of our own. It knows nothing of labels.
"""

import os
import stat
import struct
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath

from medtl.cohorts import limits
from medtl.cohorts.formats.images import KIND_OF_SUFFIX, read_bytes, too_large
from medtl.cohorts.names import ignored, part_named, path_key, shown, suffix
from medtl.errors import BadInput, NotFound
from medtl.vocabulary import Skipped

OFFICE = {".docx", ".xlsx", ".pptx", ".odt", ".ods", ".odp"}  # zips by content, documents by purpose
REPEATED = ("The zip holds another file of this name before it; that one is taken.", "Give each file its own name.")
PARTS_ALONE = "Unpack it, and make one zip of the images or give the folder."


@dataclass(frozen=True)
class Place:
    """Where a file lies, so that another process can open it: on the disk, as the n-th member of a zip there, or as a
    span (offset and length) of a larger file."""

    path: str
    member: int | None = None
    span: tuple[int, int] | None = None


@dataclass(frozen=True)
class Entry:
    """One file: its name with folders (`/` between, wrapping folder removed), its size, and how to get its bytes."""

    name: str
    size: int
    read: Callable[[], bytes]
    place: Place = Place("")


@dataclass(frozen=True)
class Bundle:
    """All files of one upload. `title` is what the user called the whole."""

    title: str
    entries: tuple[Entry, ...]
    skipped: tuple[Skipped, ...] = ()

    @property
    def bytes(self) -> int:
        return sum(entry.size for entry in self.entries)


@contextmanager
def opened(path: Path) -> Iterator[Bundle]:
    """A folder or a zip; the zip stays open as long as the block lasts."""
    if not path.exists():
        raise NotFound(f"There is nothing at {shown(str(path))}.", "Check the path: a folder, a zip or a CSV file.")
    if path.is_dir():
        yield _unwrapped(_folder(path))
    elif zipfile.is_zipfile(path):
        check_zip(path)
        with zipfile.ZipFile(path) as archive:
            yield _unwrapped(_members(path, archive))
    else:
        raise BadInput(
            f"{shown(path.name)} is neither a folder nor a zip nor a CSV file.",
            "Give a folder or a zip with one sub-folder for each class, or a CSV with the columns file and label.",
        )


def named(base: Path, names: Sequence[str]) -> Bundle:
    """Only the files that a table beside them names; whatever else lies in that folder is not looked at."""
    root = base.resolve()
    entries: dict[str, Entry] = {}
    for name in names:
        key = path_key(name)
        path = (root / key).resolve()
        if key and not name.strip().startswith(("/", "\\")) and path.is_relative_to(root) and path.is_file():
            entries[key] = _file(str(path), path.stat().st_size, key)
    return Bundle(base.name, _checked(tuple(entries.values())))


# ---- folders --------------------------------------------------------------------------------------------------------


def _folder(root: Path) -> Bundle:
    entries: list[Entry] = []
    skipped: list[Skipped] = []
    for found, key in _below(str(root), skipped):
        if found.is_symlink() or not found.is_file():
            skipped.append(Skipped(shown(key), "This is a link, not a file.", "Put the file itself there."))
            continue
        entries.append(_file(found.path, found.stat().st_size, path_key(key)))
        if len(entries) > limits.FILES:
            raise _too_many(f"more than {limits.FILES:,}")
    return Bundle(root.resolve().name, _checked(tuple(entries)), tuple(skipped))


def _below(root: str, skipped: list[Skipped]) -> Iterator[tuple["os.DirEntry[str]", str]]:
    """Files and links with their names from the top, folder by folder; links to folders are not followed."""
    waiting = [(root, "")]
    while waiting:
        place, key = waiting.pop()
        if key.count("/") > limits.DEPTH:
            skipped.append(_too_deep(key))
            continue
        with os.scandir(place) as found:
            inside = sorted((entry for entry in found if not ignored(entry.name)), key=lambda entry: entry.name)
        folders = [entry for entry in inside if entry.is_dir(follow_symlinks=False)]
        yield from ((entry, f"{key}{entry.name}") for entry in inside if not entry.is_dir(follow_symlinks=False))
        waiting += [(folder.path, f"{key}{folder.name}/") for folder in reversed(folders)]


def _too_deep(key: str) -> Skipped:
    return Skipped(
        shown(key),
        f"It lies more than {limits.DEPTH} folders deep; nothing below is looked at.",
        "Move the images further up.",
    )


def _file(path: str, size: int, name: str) -> Entry:
    return Entry(name, size, lambda: read_bytes(Path(path)), Place(path))


def _checked(entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
    total = sum(entry.size for entry in entries)
    if len(entries) > limits.FILES:
        raise _too_many(f"{len(entries):,}")
    if total > limits.UNPACKED_BYTES:
        raise BadInput(
            f"The files have {total / limits.GB:.1f} GB together; at most {limits.UNPACKED_BYTES // limits.GB} GB are "
            "taken.",
            "Make the images smaller, or bring fewer.",
        )
    return entries


def _too_many(got: str) -> BadInput:
    return BadInput(f"There are {got} files; at most {limits.FILES:,} are taken.", "Bring fewer images.")


def _unwrapped(bundle: Bundle) -> Bundle:
    """Look through folders that hold everything, so that a zip of a folder and the folder itself are the same."""
    entries = bundle.entries
    while entries:
        tops = {entry.name.partition("/")[0] for entry in entries}
        top = next(iter(tops))
        images = [entry for entry in entries if suffix(entry.name) in KIND_OF_SUFFIX or not suffix(entry.name)]
        nested = any(entry.name.count("/") >= 2 for entry in images)
        table = any(entry.name.count("/") == 1 and entry.name.endswith("/labels.csv") for entry in entries)
        if len(tops) > 1 or part_named(top) or not (nested or table):
            break
        entries = tuple(replace(entry, name=entry.name.partition("/")[2]) for entry in entries)
    return Bundle(bundle.title, entries, bundle.skipped)


# ---- zips -----------------------------------------------------------------------------------------------------------


def check_zip(path: Path, packed: int = limits.ZIP_BYTES, unpacked: int = limits.UNPACKED_BYTES) -> None:
    """Refuse a hostile or hopeless zip with BadInput, from its list of contents alone (ASVS 5.2.2 to 5.2.5)."""
    if path.stat().st_size > packed:
        raise BadInput(
            f"The zip has {path.stat().st_size / limits.GB:.1f} GB; at most {packed // limits.GB} GB are taken.",
            "Give the unpacked folder, or fewer images.",
        )
    _check_directory_size(path)
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            _check_count(members)
            for member in archive.infolist():
                _check_member(member)
            _check_ratio(members, path.stat().st_size, unpacked)
            _check_overlap(archive.infolist())
            for member in members:
                _check_not_a_zip(archive, member)
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError, struct.error) as error:
        raise BadInput("The zip is damaged and cannot be opened.", "Make the zip again.") from error


def _check_directory_size(path: Path) -> None:
    """Before `zipfile` reads it whole: a list of contents of a million names would fill the memory."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 65_557 - 76))
        tail = file.read()
    end = tail.rfind(b"PK\x05\x06")
    large = tail.rfind(b"PK\x06\x06", 0, max(end, 0))  # zip64
    if end < 0 or end + 16 > len(tail):
        raise BadInput("The zip is damaged and cannot be opened.", "Make the zip again.")
    (size,) = struct.unpack_from("<I", tail, end + 12)
    if large >= 0 and large + 48 <= len(tail):
        (size,) = struct.unpack_from("<Q", tail, large + 40)
    if size > limits.DIRECTORY_BYTES:
        raise _too_many("far too many")


def _check_count(members: list[zipfile.ZipInfo]) -> None:
    wanted = [member for member in members if not ignored(member.filename.replace("\\", "/"))]
    if len(wanted) > limits.FILES:
        raise _too_many(f"{len(wanted):,}")


def _check_member(member: zipfile.ZipInfo) -> None:
    name = member.orig_filename.replace("\\", "/")
    seen = shown(name, 100)
    if "\0" in name or name.startswith("/") or ".." in PurePosixPath(name).parts or name[1:2] == ":":
        raise BadInput(f"The zip holds an entry that points outside of it: {seen}", "Make the zip again from a folder.")
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise BadInput(f"The zip holds a link or a device, not a file: {seen}", "Make the zip again with the files.")
    if member.flag_bits & 0x1:
        raise BadInput(f"The zip is protected by a password ({seen}).", "Remove the password and add it again.")
    if suffix(name) == ".zip" and not ignored(name):
        raise BadInput(f"There is a zip inside the zip: {seen}", PARTS_ALONE)


def _check_ratio(members: list[zipfile.ZipInfo], packed: int, most: int) -> None:
    total = sum(member.file_size for member in members)
    if total > most:
        raise BadInput(
            f"Unpacked, the zip would have {total / limits.GB:.1f} GB; at most {most // limits.GB} GB are taken.",
            "Make the images smaller, or bring fewer.",
        )
    for member in members:
        if member.file_size > limits.RATIO_FROM and member.file_size > limits.MEMBER_RATIO * member.compress_size:
            raise _bomb(shown(member.filename, 100))
    if total > limits.RATIO_FROM and total > limits.TOTAL_RATIO * max(packed, 1):
        raise _bomb("the whole")


def _bomb(what: str) -> BadInput:
    return BadInput(
        f"The zip unfolds to far more than images do ({what}).",
        "Make the zip again from the image files, or give the folder.",
    )


def _check_overlap(members: list[zipfile.ZipInfo]) -> None:
    """Members that share bytes are the mark of a bomb that is no nested zip (Fifield, WOOT 2019)."""
    end = 0
    for member in sorted(members, key=lambda member: member.header_offset):
        if member.header_offset < end:
            raise BadInput("The zip is damaged: its files lie on top of one another.", "Make the zip again.")
        end = member.header_offset + 30 + member.compress_size


def _check_not_a_zip(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    """By content too: a zip may be called `scan.png`. Only the first four bytes are unpacked."""
    if suffix(member.filename) in OFFICE or ignored(member.filename):
        return
    try:
        with archive.open(member) as file:
            start = file.read(4)
    except Exception:  # noqa: BLE001  zlib and lzma have errors of their own
        return  # this one file is damaged; it will be named and skipped when its turn comes
    if start == b"PK\x03\x04":
        raise BadInput(f"There is a zip inside the zip: {shown(member.filename, 100)}", PARTS_ALONE)


def _members(path: Path, archive: zipfile.ZipFile) -> Bundle:
    entries = []
    skipped: list[Skipped] = []
    seen: set[str] = set()
    for number, member in enumerate(archive.infolist()):
        key = path_key(member.filename)
        if member.is_dir() or ignored(key):
            continue
        if key.count("/") > limits.DEPTH:
            skipped.append(_too_deep(key))
            continue
        if key in seen:
            skipped.append(Skipped(shown(key), *REPEATED))
            continue
        seen.add(key)
        place = Place(str(path), number)
        entries.append(Entry(key, member.file_size, partial(read_member, archive, member), place))
    return Bundle(path.stem, tuple(sorted(entries, key=lambda entry: entry.name)), tuple(skipped))


def read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    if member.file_size > limits.FILE_BYTES:
        raise too_large(member.file_size)
    try:
        return archive.read(member)
    except NotImplementedError as error:
        raise BadInput("It is packed in a way we do not read.", "Make the zip again with usual settings.") from error
    except Exception as error:  # wrong size, wrong checksum, broken stream: zlib and lzma have their own errors
        raise BadInput("It is damaged inside the zip.", "Make the zip again.") from error
