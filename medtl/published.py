"""Published data sets by name: MedMNIST, fetched by its own package when there is a network, and only when asked for.

The package is loaded in a process of its own, as it brings torch along. It checks the MD5 of what it fetched; a file
appears in the workspace's folder published/ whole or not at all. What the sets are is known without it
(`medtl.cohorts.labelling.medmnist_sets`). This module makes no cohort of them.
"""

import json
import os
import secrets
import shutil
import site
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from medtl.cohorts.labelling.medmnist_sets import RECORD, SETS, SIZES, PublishedSet
from medtl.cohorts.originals import link
from medtl.errors import BadInput, MedtlError, NotFound, NotReady
from medtl.workspace import Workspace

PATIENCE = 30.0  # seconds without a byte from the server
LOOK = 0.2  # seconds between two looks at how much has come

Progress = Callable[[int, int], None]


def names() -> tuple[PublishedSet, ...]:
    """Small sets first. `licence` and `commercial` are to be shown beside the name."""
    return SETS


def named(name: str) -> PublishedSet:
    found = next((known for known in SETS if known.name == name.strip().casefold()), None)
    if found is None:
        raise NotFound("There is no published data set of this name.", f"Known: {', '.join(s.name for s in SETS)}.")
    return found


def path_of(ws: Workspace, name: str, size: int = 28) -> Path:
    """Where the file lies once it was fetched, or may be put by hand."""
    known = named(name)
    if size not in SIZES:
        raise BadInput(f"There is no size of {size} px.", f"Choose {', '.join(map(str, SIZES[:-1]))} or {SIZES[-1]}.")
    return ws.published / f"{known.name}{'' if size == SIZES[0] else f'_{size}'}.npz"


def fetch(ws: Workspace, name: str, size: int = 28, on_progress: Progress | None = None) -> Path:
    """The .npz file on this computer, checked by its MD5; fetched if it is not there, or not what was published.

    Raises MedtlError in words when there is no network. `on_progress` gets bytes so far and the most that may come.
    """
    known = named(name)
    target = path_of(ws, name, size)
    most = known.bytes(size)
    ws.published.mkdir(parents=True, exist_ok=True, mode=0o700)
    if ws.free() < most and not target.exists():
        raise MedtlError(
            f"The disk has {ws.free() / 1e9:.1f} GB free; {target.name} may need {most / 1e9:.1f}.",
            "Choose a smaller size, or delete what is no longer needed.",
        )
    place = ws.published / f".fetch-{os.getpid()}-{secrets.token_hex(4)}"
    place.mkdir(mode=0o700)
    try:
        if target.exists():
            link(target, place / target.name)  # the package looks whether it is the published one
        answer = _in_a_process(known.name, size, place, on_progress, most)
        if answer["fetched"]:
            os.replace(place / target.name, target)
            return target
        raise _not_fetched(answer, target)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _not_fetched(answer: dict[str, Any], target: Path) -> MedtlError:
    if answer["why"] == "no package":
        return NotReady("The package medmnist is not installed.", "Install it with: pip install medmnist")
    why = f"no connection to {answer['host']}" if answer["why"] == "no connection" else answer["why"]
    return MedtlError(
        f"{target.name} is not on this computer and cannot be fetched ({why}).",
        f"Download it on another computer ({RECORD}) and add it as a file, or put it into {target.parent}.",
    )


# ---- the process that loads the package -----------------------------------------------------------------------------


def _in_a_process(name: str, size: int, place: Path, on_progress: Progress | None, most: int) -> dict[str, Any]:
    """The package makes a folder in the home directory when it is loaded: it is shown `place` as its home."""
    home = {"HOME": str(place), "USERPROFILE": str(place), "PYTHONUSERBASE": site.getuserbase()}
    child = subprocess.Popen(
        [sys.executable, "-m", "medtl.published", name, str(size), str(place)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **home, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        text=True,
    )
    try:
        while True:
            try:
                said, _ = child.communicate(timeout=LOOK)
                break
            except subprocess.TimeoutExpired:
                if on_progress:
                    on_progress(min(most, sum(file.stat().st_size for file in place.glob("*.npz"))), most)
    finally:
        child.kill()  # nothing when it has ended; otherwise the caller was interrupted
        child.wait()
    try:
        answer: dict[str, Any] = json.loads(said.splitlines()[-1])
    except (ValueError, IndexError):
        answer = {"fetched": False, "why": "the fetching process ended early"}
    return answer


def fetch_here(name: str, size: int, place: Path) -> dict[str, Any]:
    """Let the package fetch the set into `place`; {"fetched": True}, or False with "why" and "host".

    Its constructor downloads, checks the MD5 and then loads one part: the smallest is asked for.
    """
    import socket

    socket.setdefaulttimeout(PATIENCE)  # torchvision, which fetches for the package, would wait for ever
    try:
        import medmnist
    except ImportError:
        return {"fetched": False, "why": "no package", "host": ""}
    info = medmnist.INFO[name]
    host = urlsplit(info["url" if size == SIZES[0] else f"url_{size}"]).hostname or ""
    smallest = min(info["n_samples"], key=lambda part: info["n_samples"][part])
    try:
        getattr(medmnist, info["python_class"])(split=smallest, download=True, root=str(place), size=size)
    except (RuntimeError, OSError, ValueError) as error:
        return {"fetched": False, "why": _why(error), "host": host}
    return {"fetched": True}


def _why(error: BaseException) -> str:
    """The package hides the cause behind a text of its own, and keeps it as the context."""
    cause = error.__context__ or error
    if isinstance(cause, OSError) and cause.errno == 28:  # ENOSPC
        return "the disk is full"
    if isinstance(cause, OSError):  # URLError, a refused or broken connection, a timeout
        return "no connection"
    return "what came is not the published file"


if __name__ == "__main__":
    answered = fetch_here(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
    sys.stdout.write("\n" + json.dumps(answered))
