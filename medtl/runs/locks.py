"""A lock on a file that the operating system drops when its holder dies, however it dies. Knows nothing of runs."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def held(path: Path, patience: float = 0.0) -> Iterator[bool]:
    """Hold `path` alone for the length of the block; yields False when somebody else still has it after `patience` s.

    Someone who merely looks (`is_held`) has it for an instant; a little patience keeps that from counting.
    The lock belongs to the open file: a child made by plain `fork` shares it, one that was started anew does not.
    """
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        until = time.monotonic() + patience
        while not (got := _try_lock(file, shared=False)) and time.monotonic() < until:
            time.sleep(0.01)
        yield got
    finally:
        os.close(file)  # closing drops the lock


def is_held(path: Path) -> bool:
    """Whether a living process holds `path`. Looking is shared: two that look never take each other for the holder."""
    try:
        file = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        return not _try_lock(file, shared=True)
    finally:
        os.close(file)


def _try_lock(file: int, shared: bool) -> bool:
    """The one place that knows the platform. Windows has no shared locks: there, two that look may disagree briefly."""
    if sys.platform == "win32":
        import msvcrt

        try:
            os.lseek(file, 1 << 30, os.SEEK_SET)  # a byte past the text, which stays readable to others
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    import fcntl

    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
