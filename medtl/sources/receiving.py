"""Starts the process that opens networks nobody has vouched for (`receiver`), waits for it, and outlives it.

Nothing that came from outside is parsed here except the JSON of that process. No torch.
"""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from medtl import errors
from medtl.errors import BadInput, MedtlError
from medtl.sources import cards, limits, optional
from medtl.sources.foreign import Stated
from medtl.vocabulary import Card, InputSpec, Outline, Source, StageOutline
from medtl.workspace import PROJECT

_GIVEN = "Received as a folder: what this card says was stated by whoever gave it."


@dataclass(frozen=True)
class Received:
    """What lies in the folder now, in facts; `notes` are what was found, dropped and assumed, a sentence each."""

    input: InputSpec
    outline: Outline
    notes: tuple[str, ...]


def network(path: Path, kind: str, stated: Stated, folder: Path) -> Received:
    """Look through the ONNX or Keras file `path`; architecture and weights lie in `folder` when this returns.

    Raises MedtlError with what is wrong with the file, or when it takes more time or memory than a network may.
    """
    return _received(_ask(folder, desk="network", path=str(path.resolve()), kind=kind, stated=asdict(stated)))


@dataclass(frozen=True)
class Shared:
    """A source somebody gave away, checked and without an id yet. `notes` are what was found, a sentence each."""

    source: Source
    recipe: str
    notes: tuple[str, ...]


def folder(place: Path) -> Shared:
    """Check the copy of a source folder in `place`, which holds only what may be kept when this returns.

    Raises MedtlError with what is wrong with it.
    """
    said = _ask(place, desk="folder")
    found, texts, lists = _received(said), said["texts"], said["lists"]
    builder, limits_said = said["builder"], texts["limits"].removeprefix(_GIVEN).strip()  # it may go from hand to hand
    source = Source(
        card=Card(
            "", texts["title"] or "A source", texts["says"], texts["reference"], f"{_GIVEN} {limits_said}".strip()
        ),
        builder=builder,
        input=found.input,
        outline=found.outline,
        origin="imported",
        trained_on=texts["trained_on"] or "not stated",
        cases=texts["cases"] or "not stated",
        labels=tuple(lists["labels"]),
        licence=texts["licence"] or "not stated",
        attribution=texts["attribution"],
        sha256=said["sha256"],
        weights=str(place / cards.WEIGHTS),
        figures=tuple(lists["figures"]),
        better_for=tuple(lists["better_for"]),
        hidden=said["hidden"],
        task=said["task"],
        graph=str(place / cards.GRAPHS[builder]) if builder in cards.GRAPHS else "",
        needs=optional.needs(builder),
    )
    return Shared(source, texts["recipe"], found.notes)


def _received(said: dict[str, Any]) -> Received:
    seen, outline = said["input"], said["outline"]
    return Received(
        InputSpec(seen["channels"], seen["size"], tuple(seen["mean"]), tuple(seen["std"])),
        Outline(tuple(StageOutline(**stage) for stage in outline["stages"]), outline["features"]),
        tuple(said["notes"]),
    )


def _ask(folder: Path, **question: Any) -> dict[str, Any]:
    asked = json.dumps({**question, "folder": str(folder.resolve())}) + "\n"
    try:
        with tempfile.TemporaryDirectory(prefix="medtl-receive-") as scratch:  # what libraries leave goes with it
            done = subprocess.run(
                [sys.executable, "-m", "medtl.sources.receiver"],
                input=asked,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # libraries print what they like; it may quote the file
                cwd=PROJECT,
                env={**os.environ, "OMP_WAIT_POLICY": "PASSIVE", "TMPDIR": scratch},
                text=True,
                timeout=limits.SECONDS,
            )
        said = json.loads(done.stdout)
    except subprocess.TimeoutExpired as error:
        raise BadInput(
            f"It could not be looked through in {limits.SECONDS:.0f} seconds.",
            "Bring a smaller network, or try again when this computer is less busy.",
        ) from error
    except ValueError as error:
        raise BadInput(
            "The process that looks through it came to a sudden end.",
            f"It may take more than {limits.MEMORY_BYTES // limits.GB} GB of memory or "
            f"{limits.CPU_SECONDS:.0f} seconds of processor time: bring a smaller network, or export it again.",
        ) from error
    if "error" in said:
        kind: type[MedtlError] = getattr(errors, said["error"])
        raise kind(said["message"], said["advice"])
    answer: dict[str, Any] = said["answer"]
    return answer
