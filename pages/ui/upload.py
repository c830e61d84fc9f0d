"""Uploads leave Streamlit's memory as soon as they arrive: onto disk in 1 MiB pieces, then out of the upload store.

Streamlit keeps an upload until another session ends, so a clinician who walks away would leave images in memory.
"""

import secrets
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from medtl.cohorts import importing, limits
from medtl.errors import BadInput
from pages.ui import shelf, words
from pages.ui.escape import plain

PIECE = 1 << 20


@dataclass(frozen=True)
class Spooled:
    """Files on disk on their way in: `folder` holds nothing else."""

    folder: Path
    files: tuple[Path, ...]
    size: int

    @property
    def title(self) -> str:
        """What loose files and folders are called as a whole: the folder all lie in, else the day they came."""
        tops = {path.relative_to(self.folder).parts[:-1][:1] for path in self.files}
        top = tops.pop() if len(tops) == 1 else ()
        return top[0] if top else f"Images of {date.today():%-d %b %Y}"

    @property
    def says(self) -> str:
        what = plain(self.files[0].name) if len(self.files) == 1 else words.count(len(self.files), "file")
        return f"{what}, {words.size(self.size)}"


def receive(
    label: str,
    key: str,
    *,
    types: Sequence[str] | None = None,
    many: bool | Literal["directory"] = False,
    most: int | None = None,
    help: str | None = None,
) -> Spooled | None:
    """A drop zone; once something lay in it, what was spooled instead of the zone's content.

    `most`: bytes of one file, where the limit is lower than that of the server.
    """
    turn = st.session_state.setdefault(f"{key}-turn", 0)
    widget = f"{key}-{turn}"
    arrived = st.file_uploader(
        label,
        type=types,
        accept_multiple_files=many,
        max_upload_size=most // limits.MB if most else None,
        key=widget,
        help=help,
    )
    files = arrived if isinstance(arrived, list) else [arrived] if arrived else []
    if files:
        with st.spinner("Taking it out of the browser's hands…"):
            spooled = _spool(files)
        discard(key)
        st.session_state[f"{key}-spooled"] = spooled
        _release(files, widget)
        st.session_state[f"{key}-turn"] = turn + 1
        st.rerun()
    kept = st.session_state.get(f"{key}-spooled")
    return kept if kept and kept.folder.exists() else None


def pasted(key: str, files: Sequence[Any]) -> Spooled:
    """What came another way than through the drop zone, put where the drop zone puts its own."""
    spooled = _spool(files)
    discard(key)
    st.session_state[f"{key}-spooled"] = spooled
    _release(files, f"{key}-pasted")
    return spooled


def discard(key: str) -> None:
    """Forget an upload and take it off the disk."""
    if kept := st.session_state.pop(f"{key}-spooled", None):
        shutil.rmtree(kept.folder, ignore_errors=True)


def hand_over(keys: Sequence[str], folder: Path) -> None:
    """Note beside an import which uploads it reads, so that they go with it even when the page was reloaded."""
    kept = [st.session_state.pop(f"{key}-spooled", None) for key in keys]
    importing.own(folder, [one.folder for one in kept if one])


def _spool(files: Sequence[Any]) -> Spooled:
    folder = shelf.workspace().spool / f"{importing.UPLOAD}{secrets.token_hex(6)}"
    need = sum(file.size for file in files)
    if shelf.free() < 2 * need:
        raise BadInput(
            f"The upload has {words.size(need)}, and the disk has {words.size(shelf.free())} left.",
            "Free some space; twice the size of the upload is needed.",
        )
    paths = []
    for file in files:
        path = folder / _inside(file.name)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with path.open("xb") as out:
            shutil.copyfileobj(file, out, PIECE)
        paths.append(path)
    return Spooled(folder, tuple(paths), need)


def _inside(name: str) -> Path:
    """The name as given, below our folder. A folder upload brings relative paths, and a hostile one brings "..".

    A name that occurs twice or leads outside is refused rather than mended: the class is read from it.
    """
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or not path.parts or "\0" in name or ":" in path.parts[0]:
        raise BadInput(f"The file name {plain(name)!r} leads outside the upload.", "Rename the file and drop it again.")
    return Path(*path.parts)


def _release(files: Sequence[Any], widget: str) -> None:
    """Out of Streamlit's upload store. `remove_file` is only half public: if it moves, memory is freed later."""
    with suppress(AttributeError, TypeError, KeyError):
        context = get_script_run_ctx()
        if context is not None:
            for file in files:
                store: Any = context.uploaded_file_mgr
                store.remove_file(session_id=context.session_id, file_id=file.file_id)
    st.session_state.pop(widget, None)
