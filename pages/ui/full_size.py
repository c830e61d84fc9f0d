"""The picture a map is about at its own size, read by the process that opens files; else as the model saw it."""

from pathlib import Path
from typing import Any

import streamlit as st

from medtl.cohorts.originals import Originals
from medtl.cohorts.reading import Referrer, Shower
from medtl.errors import MedtlError
from medtl.vocabulary import Cohort, Reading
from pages.ui import shelf
from pages.ui.consultant import Subject

KEPT = 512  # pixels of the longer side that a picture is shrunk to for the model; below it, it is as it was


def of(subject: Subject, cohort: Cohort | None, kept: Any) -> Any:
    """uint8 (H, W) or (H, W, 3); `kept` where the file is inside a zip, gone, or one of several frames of a cohort."""
    if max(kept.shape[:2]) < KEPT:
        return kept
    try:
        if subject.case and cohort is not None:
            return _of_case(shelf.home(), cohort.id, subject.case)
        path = file_of(subject)
        if path is not None:
            return _of_file(shelf.home(), str(path), subject.frame, cohort.reading if cohort else Reading())
    except (MedtlError, OSError, KeyError, ValueError):
        pass
    return kept


def file_of(subject: Subject) -> Path | None:
    """The file itself, where it lies by itself on the disk."""
    path = Path(subject.path)
    if path.is_dir():
        inside = [path / subject.file, path.parent / subject.file]
        path = next((one for one in inside if one.is_file()), path / subject.file)
    if not path.is_file() or path.suffix.lower() == ".zip":
        return None
    return path


def original_of(cohort: Cohort, case: str) -> tuple[str, bytes]:
    """The name and bytes of a stored original."""
    at = shelf.by_id(cohort)[case].at
    return at, Originals(shelf.workspace().cohort(cohort.id)).read(at)


@st.cache_data(max_entries=12, show_spinner=False)
def _of_case(home: str, cohort_id: str, case: str) -> Any:
    cohort = shelf.cohort(cohort_id)
    found = shelf.by_id(cohort)[case]
    if found.frame is not None:
        raise KeyError(case)
    place = Originals(shelf.workspace().cohort(cohort_id)).place(found.at)
    desk = Shower(cohort.reading)
    try:
        return desk.picture(place, found.at, full=True)[0]
    finally:
        desk.close()


@st.cache_data(max_entries=12, show_spinner=False)
def _of_file(home: str, path: str, frame: int | None, reading: Reading) -> Any:
    desk = Referrer(shelf.workspace().salt(), reading)
    try:
        return desk.original(Path(path), keep=False, frame=frame).picture
    finally:
        desk.close()
