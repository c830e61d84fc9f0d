"""Where a published weights file lies already: with MedTL or in torch's own cache. Found without importing torch."""

import os
from pathlib import Path


def find(folder: Path, file: str) -> Path | None:
    """The file of that name in `folder`, else in torch's own cache, else None. What is in it is not checked here."""
    path = folder / file
    return path if path.exists() else cached(file)


def cached(file: str) -> Path | None:
    """The file of that name in torch's own cache, or None.

    The rule is that of `torch.hub.get_dir`: TORCH_HOME, else XDG_CACHE_HOME/torch, else ~/.cache/torch.
    """
    caches = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = Path(os.environ.get("TORCH_HOME") or Path(caches) / "torch").expanduser()
    path = home / "hub" / "checkpoints" / file
    return path if path.is_file() else None
