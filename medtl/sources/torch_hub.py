"""Where torch keeps what it fetched before for this user, found without importing torch."""

import os
from pathlib import Path


def cached(file: str) -> Path | None:
    """The file of that name in torch's own cache, or None. What is in it is not checked here.

    The rule is that of `torch.hub.get_dir`: TORCH_HOME, else XDG_CACHE_HOME/torch, else ~/.cache/torch.
    """
    caches = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = Path(os.environ.get("TORCH_HOME") or Path(caches) / "torch").expanduser()
    path = home / "hub" / "checkpoints" / file
    return path if path.is_file() else None
