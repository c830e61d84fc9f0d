"""Deleting a cohort for good: its pictures, what was computed from them, second readings and keys, and a line about it.

Runs keep their numbers. Bytes are unlinked, not overwritten: on an SSD, and in a backup, that is not in our hands.
"""

from dataclasses import dataclass

from medtl.cohorts import importing, library, readings
from medtl.cohorts.pixels import Pixels
from medtl.errors import MedtlError
from medtl.training import features
from medtl.workspace import Workspace


@dataclass(frozen=True)
class Deleted:
    """What went: `bytes` and `readings` in bytes, `features` in rows of the cache. `others` are versions of the same
    cohort that are still there, with their pictures."""

    cohorts: tuple[str, ...]
    bytes: int
    features: int
    readings: int
    key: bool
    others: tuple[str, ...]

    def as_dict(self) -> dict[str, object]:
        return {
            "cohorts": list(self.cohorts),
            "bytes": self.bytes,
            "features": self.features,
            "readings": self.readings,
            "key": self.key,
            "other_versions": list(self.others),
        }


def versions(ws: Workspace, id: str) -> tuple[str, ...]:
    """All versions of a cohort that are still there, oldest first."""
    first = readings.root_of(ws, id)
    mine = [one for one in library.cohorts(ws) if readings.root_of(ws, one.id) == first]
    return tuple(one.id for one in reversed(mine))


def delete_cohort(ws: Workspace, id: str, all_versions: bool = False) -> Deleted:
    """Remove a cohort (with all its versions, if wanted) and everything that was made of its pictures but runs.

    Readings and feature rows go with the last version. Raises NotFound for an unknown id.
    """
    library.load(ws, id)
    every = versions(ws, id)
    doomed = every if all_versions else (id,)
    others = tuple(version for version in every if version not in doomed)
    had_key = library.key_file(ws, id) is not None
    gone = {print for version in doomed for print in _fingerprints(ws, version)}
    kept = {print for version in others for print in _fingerprints(ws, version)}
    cases = {version: len(library.load(ws, version).cases) for version in doomed}
    importing.stop_checks(ws, doomed)
    freed = read = 0
    for version in doomed:
        read += readings.before_delete(ws, version)
        freed += library.delete(ws, version)
        ws.audit("cohort deleted", id=version, cases=cases[version])  # the id is a hash, and a count names nobody
    forgotten = features.forget(ws.features, gone - kept)
    _clear_spool(ws)
    return Deleted(doomed, freed, forgotten, read, had_key and not others, others)


def _fingerprints(ws: Workspace, id: str) -> set[str]:
    try:
        return {place.fingerprint for place in Pixels(ws.cohort(id)).stored.values()}
    except MedtlError:  # a damaged cohort can be deleted too
        return set()


def _clear_spool(ws: Workspace) -> None:
    """Imports that are over and that nobody came back for: their answers name files."""
    for folder in ws.spool.glob("*"):
        if (folder / importing.ALIVE).exists() and importing.import_status(folder).state in ("done", "failed"):
            importing.clear(folder)
