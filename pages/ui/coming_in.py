"""An import under way: follow it, open the cohort when it is read, and read again without a second upload."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import streamlit as st

from medtl.cohorts import importing
from medtl.errors import MedtlError
from medtl.vocabulary import Reading
from medtl.workspace import write_whole
from pages.ui import following, selection, shelf, show

QUERY = "importing"
ASKED = "asked.json"  # beside an import: what was asked, so that it can be asked again


def under_way() -> bool:
    return QUERY in st.query_params


def start(what: str, options: importing.ImportOptions) -> Path:
    """Begin, and note what was asked."""
    folder = importing.start_import(shelf.workspace(), what, options)
    asked = {**asdict(options), "labels": _text(options.labels), "split": _text(options.split)}
    write_whole(folder / ASKED, json.dumps({"what": what, "options": asked}))
    return folder


def follow() -> None:
    """Poll the child process; open the cohort when it is read."""
    try:
        folder = following.folder(st.query_params[QUERY])
    except MedtlError as wrong:
        show.error(wrong)
        _start_anew(None)
        return
    status = importing.import_status(folder)
    if status.state == "running":
        following.bar(str(folder), "Reading and checking", "files")
        _start_anew(folder, "Stop")
    elif status.state == "done" and status.cohort:
        st.session_state["skipped-fresh"] = (status.cohort, status.skipped)
        importing.clear(folder)
        del st.query_params[QUERY]
        shelf.forget()
        selection.go("data", cohort=status.cohort)
    else:
        message = status.message or "The reading ended without a word."
        show.error(MedtlError(message, status.advice or "Read them again."))
        at_fault = status.state == "failed"  # what was brought; the same again would fail again
        with st.container(horizontal=True):
            if at_fault:
                _start_anew(folder, main=True)
            _again(folder, main=not at_fault)
            if not at_fault:
                _start_anew(folder)


def _again(folder: Path, main: bool) -> None:
    """What was uploaded still lies here, so nobody has to drop it a second time."""
    asked = _asked(folder)
    kind: Literal["primary", "secondary"] = "primary" if main else "secondary"
    if not asked or not st.button("Read them again", icon=":material/replay:", type=kind):
        return
    new = start(*asked)
    importing.own(new, importing.uploads(folder))
    importing.clear(folder, keep_uploads=True)
    st.query_params[QUERY] = new.name
    st.rerun()


def _asked(folder: Path) -> tuple[str, importing.ImportOptions] | None:
    """None when it was not noted, or when what it named is gone."""
    try:
        noted: dict[str, Any] = json.loads((folder / ASKED).read_text(encoding="utf-8"))
        given = noted["options"]
        given |= {key: Path(given[key]) if given[key] else None for key in ("labels", "split")}
        given |= {"reading": Reading(**given["reading"]), "exclude_findings": tuple(given["exclude_findings"])}
        options = importing.ImportOptions(**given)
        what = str(noted["what"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    gone = not what.startswith(importing.PUBLISHED) and not Path(what).exists()
    return None if gone or (options.labels and not options.labels.exists()) else (what, options)


def _start_anew(folder: Path | None, label: str = "Bring something else", main: bool = False) -> None:
    """Nothing half-read is left behind, and the upload goes, too."""
    kind: Literal["primary", "secondary"] = "primary" if main else "secondary"
    if st.button(label, icon=":material/stop:" if label == "Stop" else ":material/upload:", type=kind):
        if folder:
            importing.clear(folder)
        del st.query_params[QUERY]
        st.rerun()


def _text(path: Path | None) -> str | None:
    return str(path) if path else None
