"""Following a child process that reads or checks: its folder by name, and the bar while it runs."""

from pathlib import Path

import streamlit as st

from medtl.cohorts import importing
from medtl.errors import MedtlError
from pages.ui import shelf, show


def folder(name: str) -> Path:
    """A folder below the spool and nothing else; same words for unknown and hostile names."""
    found = shelf.workspace().spool / name[: shelf.LONGEST]
    if not name or not all(c.isascii() and (c.isalnum() or c in "-_") for c in name) or not found.is_dir():
        raise MedtlError("There is no such import.", "Bring the images again, or pick a cohort from the Library.")
    return found


@st.fragment(run_every=0.5)
@show.guarded
def bar(folder: str, doing: str, what: str) -> None:
    """Asks twice a second; when it is over, the whole page is drawn again."""
    status = importing.import_status(Path(folder))
    if status.state != "running":
        st.rerun()
    share = status.done / status.total if status.total else 0.0
    says = f"{doing} {status.done:,} of {status.total:,} {what}." if status.total else "Beginning: looking for files…"
    st.markdown(says)  # not the bar's own text, which comes a second later than the page
    st.progress(min(1.0, share))
    st.caption("You may close this page; come back by the same address.")
