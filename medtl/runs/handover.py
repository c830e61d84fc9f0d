"""Handing a run to the warm process of a workspace (`medtl.warm`): where its door is, and what both sides must share.

A warm process has imported everything a worker needs and forks one in an instant. It is a convenience: whatever is
amiss with it, the answer is None, and the run is started as if there were none.
"""

import contextlib
import hashlib
import json
import os
import socket
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from medtl.runs import locks
from medtl.workspace import PROJECT, Workspace

SWITCH = "MEDTL_WARM"  # "off": every run pays for its own imports
PATIENCE = 3.0  # seconds an answer may take
LONGEST = 1 << 20  # bytes of a question: a folder and an environment
LEAST_MEMORY = 1.0  # GB that must be free for a warm process to begin, or to stay

# What libraries read of the environment when they are loaded; a forked child cannot be told otherwise later.
_READ_AT_LOAD = ("OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_", "GOTO_", "TORCH", "PYTORCH_", "CUDA_", "LD_", "PYTHON")


def possible() -> bool:
    """Linux only: elsewhere there is no fork, or the system's own libraries do not survive it (macOS)."""
    return sys.platform == "linux" and os.environ.get(SWITCH, "").lower() not in ("off", "0", "no")


def is_up(workspace: Workspace) -> bool:
    """Whether a warm process lives, also while it still imports."""
    return locks.is_held(workspace.warm_lock)


def give(workspace: Workspace, folder: Path) -> int | None:
    """The process id of the worker that was forked for this run, or None: start one the long way."""
    if not possible() or workspace.run(folder.name) != folder:
        return None
    said = _ask(workspace, {"folder": str(folder), "fingerprint": fingerprint(), "environment": dict(os.environ)})
    return int(said["pid"]) if said and "pid" in said else None


def end(workspace: Workspace) -> bool:
    """Ask the warm process to end; runs it has started go on. False when there is none that listens."""
    return _ask(workspace, {"end": True}) is not None


def fingerprint() -> str:
    """Equal on both sides when a forked worker would be the one that would be started: same code, same cores, same
    settings of the libraries. Take it before those are loaded, as some add settings of their own."""
    cores = sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else []
    settings = sorted((key, value) for key, value in os.environ.items() if key.startswith(_READ_AT_LOAD))
    return _hash([code(), cores, settings])


def code() -> str:
    """Of the Python, the files of MedTL and the installed packages; by sizes and times, not by contents."""
    said: list[Any] = [sys.executable, sys.version]
    for file in sorted((PROJECT / "medtl").rglob("*.py")):
        with contextlib.suppress(FileNotFoundError):
            stat = file.stat()
            said.append((file.relative_to(PROJECT).as_posix(), stat.st_size, stat.st_mtime_ns))
    with contextlib.suppress(OSError):  # changes when a package is installed, upgraded or removed
        said.append(Path(sysconfig.get_paths()["purelib"]).stat().st_mtime_ns)
    return _hash(said)


def _hash(said: list[Any]) -> str:
    return hashlib.sha256(repr(said).encode()).hexdigest()


def free_memory() -> float:
    """GB the system could still give, or infinity where it does not say."""
    try:
        line = next(line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemAvailable"))
        return int(line.split()[1]) / 1e6
    except (OSError, StopIteration, ValueError, IndexError):
        return float("inf")


@contextlib.contextmanager
def short_path(path: Path) -> Iterator[str]:
    """The same place under a short name: the address of a socket may have 107 bytes, a workspace lie deeper."""
    folder = os.open(path.parent, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def send(connection: socket.socket, said: dict[str, Any]) -> None:
    connection.sendall(json.dumps(said).encode() + b"\n")


def receive(connection: socket.socket) -> dict[str, Any]:
    """One line of JSON; ValueError for anything else."""
    with connection.makefile("rb") as file:
        said = json.loads(file.readline(LONGEST))
    if not isinstance(said, dict):
        raise ValueError("not an object")
    return said


def _ask(workspace: Workspace, question: dict[str, Any]) -> dict[str, Any] | None:
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(PATIENCE)
            with short_path(workspace.warm_socket) as address:
                connection.connect(address)
            send(connection, question)
            return receive(connection)
    except (OSError, ValueError):  # nobody there, busy, or gone in the middle of it
        return None
