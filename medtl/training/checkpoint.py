"""The state of a training step on disk, enough to go on to the same weights after a crash."""

import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from medtl.workspace import write_whole

_POINTER = "checkpoint.json"


class Checkpoint:
    """One folder; `checkpoint.json` names the newest whole file and its hash and is replaced last.

    A crash at any moment leaves the previous state readable. `load` returns None when there is none, and raises
    ValueError when what is there is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, name: str, state: Mapping[str, Any]) -> None:
        buffer = io.BytesIO()
        torch.save(dict(state), buffer)
        data = buffer.getbuffer()
        self.folder.mkdir(exist_ok=True)
        write_whole(self.folder / name, bytes(data))
        digest = hashlib.sha256(data).hexdigest()
        write_whole(self.folder / _POINTER, json.dumps({"schema_version": 1, "file": name, "sha256": digest}))
        for old in self.folder.glob("*.pt"):
            if old.name != name:
                old.unlink(missing_ok=True)

    def load(self) -> dict[str, Any] | None:
        if not (self.folder / _POINTER).exists():
            return None
        pointer = json.loads((self.folder / _POINTER).read_text())
        data = (self.folder / pointer["file"]).read_bytes()
        if hashlib.sha256(data).hexdigest() != pointer["sha256"]:
            raise ValueError("the checkpoint does not have the hash that was noted for it")
        state: dict[str, Any] = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        return state


def to_cpu(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A copy that later training does not change."""
    return {key: value.detach().to("cpu", copy=True) for key, value in state.items()}
