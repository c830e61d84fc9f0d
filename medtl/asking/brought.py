"""What somebody brings to a finished run: images, DICOM files, folders and zips, as one list of files to be read.

Zips are judged before anything in them is opened and never extracted (`cohorts.archive`). Nothing is decoded here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from medtl.cohorts import archive, limits
from medtl.cohorts.archive import Place
from medtl.cohorts.names import path_key, shown
from medtl.errors import BadInput, NotFound


@dataclass(frozen=True)
class Brought:
    """One file: `name` as it is shown (below the folder or zip it came in), `place` None where it is not to be opened,
    and then `why_not`. `given`: which of the paths it came with."""

    name: str
    place: Place | None
    why_not: str = ""
    given: int = 0


def brought(paths: Sequence[Path]) -> list[Brought]:
    """Every file in the order of `paths`, below them by name. What cannot be opened is on the list with its reason."""
    found: list[Brought] = []
    for given, path in enumerate(paths):
        found += (replace(one, given=given) for one in _below(path))
        if len(found) > limits.FILES:
            raise BadInput(f"There are more than {limits.FILES:,} files.", "Bring fewer images at a time.")
    return found


def _below(path: Path) -> list[Brought]:
    if not path.is_dir() and not _is_zip(path):
        return [Brought(shown(path.name), Place(str(path.absolute())))]
    try:
        if not path.is_dir():
            archive.check_zip(path)  # `opened` would take a zip without its end for another kind of file
        with archive.opened(path.absolute()) as bundle:
            files = [Brought(shown(entry.name), entry.place) for entry in bundle.entries]
            skipped = [Brought(left.file, None, f"{left.reason} {left.advice}") for left in bundle.skipped]
    except (BadInput, NotFound, OSError) as error:
        says = (
            str(error) if isinstance(error, BadInput) else "It cannot be opened. Check that it is there and readable."
        )
        return [Brought(shown(path.name), None, says)]
    return files + skipped or [Brought(shown(path_key(path.name)), None, "There is no file in it. Bring images.")]


def _is_zip(path: Path) -> bool:
    """By its first bytes: a damaged zip is to be called a damaged zip."""
    try:
        with path.open("rb") as file:
            start = file.read(4)
    except OSError:
        return False
    return start in (b"PK\x03\x04", b"PK\x05\x06") and path.suffix.lower() in (".zip", "")
