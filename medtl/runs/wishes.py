"""What was asked of a finished run: a file each beside the result, which goes when it has been done. Knows no torch.

A worker that is launched again on a run with a result does only what is wished for; killed on the way, the wish stays
and is taken up when the run is resumed. (Cross-validation has a file of its own, `store.WISH`.)
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medtl.errors import NotReady
from medtl.runs import store
from medtl.workspace import write_whole

ROBUSTNESS = "robustness"
EXTERNAL = "external"
EXPLANATION = "explanation"
NAMES = (ROBUSTNESS, EXTERNAL, EXPLANATION)
SAID = {
    ROBUSTNESS: "The test of robustness",
    EXTERNAL: "The test on another cohort",
    EXPLANATION: "The check of where the network looked",
}


def leave(folder: Path, name: str, wish: Mapping[str, Any]) -> None:
    """Make the run ready to be launched again, and say for what. Raises NotReady where it has no result, or is busy."""
    if not (folder / store.RESULT).is_dir():
        raise NotReady("This run has no result yet.", "Wait until it has finished.")
    store.requeue(folder)
    write_whole(_file(folder, name), json.dumps(dict(wish), ensure_ascii=False))


def read(folder: Path, name: str) -> dict[str, Any] | None:
    """What is wished for; None where nothing is, or nobody can read it."""
    try:
        wish = json.loads(_file(folder, name).read_bytes())
    except (OSError, ValueError):
        return None
    return wish if isinstance(wish, dict) else None


def drop(folder: Path, name: str) -> None:
    _file(folder, name).unlink(missing_ok=True)


def drop_all(folder: Path) -> None:
    for name in NAMES:
        drop(folder, name)
    (folder / store.WISH).unlink(missing_ok=True)


def waiting(folder: Path) -> tuple[str, ...]:
    """The names of what is still to be done."""
    return tuple(name for name in NAMES if read(folder, name) is not None)


def _file(folder: Path, name: str) -> Path:
    return folder / f"wish-{name}.json"
