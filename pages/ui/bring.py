"""How images come in: drop them or name a folder, then follow a child process that reads them."""

import shutil
import time
from pathlib import Path

import streamlit as st

from medtl.cohorts import importing
from medtl.errors import MedtlError
from pages.ui import selection, shelf, show, upload
from pages.ui.escape import md

ZIP, FOLDER, TABLE, PATH = "Zip file", "Folder", "Images and a table", "Path on this computer"
SAYS = {
    ZIP: "One zip with a folder for each class. `train/` and `test/` on top are respected. Best for large sets.",
    FOLDER: "A folder with one sub-folder a class; comfortable up to about 300 images. For more, use a zip.",
    TABLE: "Loose images and a CSV with the columns `file`, `label` and, if you have it, `patient`.",
    PATH: "A folder or zip on the computer MedTL runs on. Nothing is uploaded; nothing there is changed.",
}
ZONES = ("bring-zip", "bring-folder", "bring-images", "bring-labels", "bring-table")
DAY = 86400  # seconds
TYPES = ["png", "jpg", "jpeg", "bmp", "tif", "tiff", "dcm", "dicom"]


def ask() -> None:
    """The drop zone and the one button that starts the reading."""
    _tidy_up()
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.markdown("Bring labelled images. Everything is read, checked and split on this computer.")
        way = st.segmented_control("How do you bring them?", list(SAYS), default=ZIP, required=True, key="bring-way")
        st.caption(SAYS[way])
        path, ready = _path() if way == PATH else _dropped(way)
        table = None if way == TABLE else _table()
        with st.expander("Title and patients", icon=":material/edit:"):
            title = st.text_input("Title", placeholder="taken from the file name", key="bring-title")
            pattern = st.text_input(
                "Pattern that finds the patient in a file name",
                placeholder=r"for example  p\d+",
                help="A regular expression. You can also set it afterwards, with a preview of whom it groups.",
                key="bring-pattern",
            )
        if st.button(
            "Read the images",
            type="primary",
            icon=":material/search:",
            disabled=not ready,
            help=None if ready else "First drop something above, or give a path.",
        ):
            _start(path, way, table, title, pattern)
    with right:
        _what_it_takes()


def _path() -> tuple[Path | None, bool]:
    given = st.text_input("Folder or zip", placeholder="/data/my-images", key="bring-path").strip()
    return (Path(given).expanduser(), True) if given else (None, False)


def _dropped(way: str) -> tuple[Path | None, bool]:
    if way == ZIP:
        kept = upload.receive("Drop a zip", "bring-zip", types=["zip"])
        _spooled(kept, "bring-zip")
        return (kept.files[0], True) if kept else (None, False)
    if way == FOLDER:
        kept = upload.receive("Choose a folder", "bring-folder", many="directory")
        _spooled(kept, "bring-folder")
        return (kept.folder, True) if kept else (None, False)
    kept = upload.receive("Drop images", "bring-images", types=TYPES, many=True)
    _spooled(kept, "bring-images")
    labels = upload.receive("Drop the table (CSV)", "bring-labels", types=["csv", "tsv", "txt"])
    _spooled(labels, "bring-labels")
    return (kept.folder if kept else None, bool(kept and labels))


def _spooled(kept: upload.Spooled | None, key: str) -> None:
    if not kept:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f":material/check_circle: **{md(kept.says)}** lies ready on this computer.", width="content")
        if st.button("Take away", key=f"{key}-away", type="tertiary", icon=":material/close:"):
            upload.discard(key)
            st.rerun()


def _table() -> upload.Spooled | None:
    with st.expander("Labels in a table instead of folders", icon=":material/table:"):
        st.caption("A CSV with the columns `file`, `label` and, if you have them, `patient` and `part`.")
        kept = upload.receive("Drop the table (CSV)", "bring-table", types=["csv", "tsv", "txt"])
        _spooled(kept, "bring-table")
    return kept


def _start(path: Path | None, way: str, table: upload.Spooled | None, title: str, pattern: str) -> None:
    labels = st.session_state.get("bring-labels-spooled") if way == TABLE else table
    try:
        if path is None or not path.exists():
            raise MedtlError(
                f"There is nothing at {path}.", "Check the path; it is read on the computer MedTL runs on."
            )
        options = importing.ImportOptions(
            name=title.strip() or None,
            labels=labels.files[0] if labels else None,
            patient_pattern=pattern.strip() or None,
        )
        folder = importing.start_import(shelf.workspace(), path, options)
    except MedtlError as wrong:
        show.error(wrong)
        return
    upload.hand_over(ZONES, folder)
    st.query_params["importing"] = folder.name
    st.rerun()


def under_way() -> bool:
    return "importing" in st.query_params


def follow() -> None:
    """Poll the child process; open the cohort when it is read."""
    try:
        folder = shelf.workspace().spool / _checked(st.query_params["importing"])
        status = importing.import_status(folder)
    except MedtlError as wrong:
        show.error(wrong)
        _again(None)
        return
    if status.state == "running":
        _bar(str(folder))
    elif status.state == "done" and status.cohort:
        upload.taken_in(folder)
        importing.clear(folder)
        del st.query_params["importing"]
        shelf.forget()
        selection.go("data", cohort=status.cohort)
    else:
        show.error(
            MedtlError(status.message or "The reading ended without a word.", status.advice or "Start it again.")
        )
        _again(folder)


@st.fragment(run_every=0.5)
@show.guarded
def _bar(folder: str) -> None:
    status = importing.import_status(Path(folder))
    if status.state != "running":
        st.rerun()
    share = status.done / status.total if status.total else 0.0
    says = (
        f"Reading and checking {status.done:,} of {status.total:,} files"
        if status.total
        else "Looking at what was brought…"
    )
    st.progress(min(1.0, share), text=says)
    st.caption("You may close this page; come back by the same address.")


def _again(folder: Path | None) -> None:
    if st.button("Start again", icon=":material/replay:", type="primary"):
        if folder:
            upload.taken_in(folder)
            importing.clear(folder)
        del st.query_params["importing"]
        st.rerun()


def _checked(name: str) -> str:
    """The name of a folder below the spool and nothing else; same words for unknown and hostile ones."""
    folder = shelf.workspace().spool / name
    if not all(c.isascii() and (c.isalnum() or c in "-_") for c in name) or not folder.is_dir():
        raise MedtlError("There is no such import.", "Bring the images again, or pick a cohort from the Library.")
    return name


def _what_it_takes() -> None:
    with st.container(border=True):
        st.markdown(
            "**What it takes**\n\n"
            "- PNG, JPEG, BMP, TIFF (8 and 16 bit) and single-frame DICOM\n"
            "- two classes or more, at least 5 images of each; 40 and more make the result worth something\n"
            "- up to 20,000 files and 4 GB unpacked in a zip; 500 MB an upload (larger: give a path)\n\n"
            "**What it does**\n\n"
            "- names every file it cannot read, with the reason, and goes on\n"
            "- finds copies, contradicting labels and patients in two parts\n"
            "- keeps 20 % aside as the test part, patient by patient\n"
            "- turns DICOM patient ids into codes"
        )
    if shelf.cohorts():
        st.page_link(selection.path("library"), label="Or open one you brought before", icon=":material/inventory_2:")


def _tidy_up() -> None:
    """Uploads that nobody came back for within a day."""
    for folder in shelf.workspace().spool.glob("up-*"):
        if time.time() - folder.stat().st_mtime > DAY:
            shutil.rmtree(folder, ignore_errors=True)
