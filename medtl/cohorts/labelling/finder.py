"""Finds the file that a row of a table means, among those that were brought. Knows paths only, never their contents.

People write paths as they were on the computer where the table was made: with other folders above, another slash,
without the ending. The longest end of the path that belongs to one file only decides.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from medtl.cohorts.archive import Entry
from medtl.cohorts.formats.images import KIND_OF_SUFFIX
from medtl.cohorts.names import path_key, suffix

DEPTH = 24  # pieces of a path that are compared, from its end

Tails = dict[str, Entry | None]  # end of a path -> its file, None when several files end so


@dataclass(frozen=True)
class Found:
    """`entry` None: `why` says so. `loose`: the end fits, but the folder before it is another one than the row says."""

    entry: Entry | None
    loose: bool = False
    why: str = ""


class Finder:
    """Made once for all rows: 20,000 rows among 20,000 files take well under a second."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._exact = {entry.name: entry for entry in entries}
        self._images = [entry for entry in entries if _may_be_an_image(entry.name)]
        self._whole = _unique((entry.name.casefold(), entry) for entry in self._images)
        self._tails = _unique((tail, entry) for entry in self._images for tail in _shorter(entry.name.casefold()))

    def file(self, text: str) -> Found:
        key = path_key(text)
        if key in self._exact:
            return Found(self._exact[key])
        found = _longest(key.casefold(), self._whole, self._tails)
        if found.entry is None and not found.why:
            found = _longest(key.casefold(), *self._bare)
        return found

    def under(self, text: str) -> tuple[Entry, ...]:
        """All images below the folder that the row names; empty when there is none, or more than one of that name."""
        for tail in _tails(path_key(text).casefold()):
            if tail in self._folders:
                folder = self._folders[tail]
                return self._below(folder) if folder is not None else ()
        return ()

    @cached_property
    def _bare(self) -> tuple[Tails, Tails]:
        """The same without the ending, made when the first row needs it."""
        bare = [(_bare(entry.name.casefold()), entry) for entry in self._images if suffix(entry.name)]
        return _unique(bare), _unique((tail, entry) for name, entry in bare for tail in _shorter(name))

    @cached_property
    def _sorted(self) -> tuple[list[str], list[Entry]]:
        ordered = sorted(self._images, key=lambda entry: entry.name.casefold())
        return [entry.name.casefold() for entry in ordered], ordered

    @cached_property
    def _folders(self) -> dict[str, str | None]:
        """End of a folder's path -> the folder, None when several end so."""
        folders: set[str] = set()
        for entry in self._images:
            folder = entry.name.casefold().rpartition("/")[0]
            while folder and folder not in folders:
                folders.add(folder)
                folder = folder.rpartition("/")[0]
        ends: dict[str, str | None] = {}
        for folder in sorted(folders):
            for tail in _shorter(folder):
                ends[tail] = None if tail in ends else folder
        return ends | {folder: folder for folder in folders}

    def _below(self, folder: str) -> tuple[Entry, ...]:
        names, ordered = self._sorted
        return tuple(ordered[bisect_left(names, f"{folder}/") : bisect_left(names, f"{folder}0")])  # "0" follows "/"


def _longest(key: str, whole: Tails, tails: Tails) -> Found:
    for tail in _tails(key):
        if tail in whole:
            entry = whole[tail]
        elif tail in tails:
            entry = tails[tail]
        else:
            continue
        if entry is None:
            return Found(None, why="More than one file could be meant; give its folder too.")
        return Found(entry, loose=tail != key and tail not in whole)
    return Found(None)


def _unique(pairs: Iterable[tuple[str, Entry]]) -> Tails:
    found: Tails = {}
    for key, entry in pairs:
        found[key] = None if key in found else entry
    return found


def _tails(key: str) -> Iterator[str]:
    """`a/b/c`, `b/c`, `c`: longest first, at most DEPTH pieces."""
    pieces = key.rsplit("/", DEPTH)[-DEPTH:] if key.count("/") >= DEPTH else key.split("/")
    for at in range(len(pieces)):
        yield "/".join(pieces[at:])


def _shorter(key: str) -> Iterator[str]:
    """The ends of a path that are not the whole of it."""
    return (tail for tail in _tails(key) if tail != key)


def _bare(name: str) -> str:
    return name[: len(name) - len(suffix(name))]


def _may_be_an_image(name: str) -> bool:
    end = suffix(name)
    return not end or end in KIND_OF_SUFFIX
