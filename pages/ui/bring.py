"""How images come in: drop them, name a folder or a public set, say how they are read, and start the reading."""

from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from medtl import published
from medtl.cohorts import importing, limits
from medtl.cohorts.formats.images import KIND_OF_SUFFIX
from medtl.errors import MedtlError
from pages.ui import bring_options, coming_in, selection, shelf, show, upload, words
from pages.ui.escape import md, plain

ZIP, FOLDER, TABLE, PATH = "Zip file", "Folder", "Images and a table", "Path on this computer"
PUBLIC = "A public set"
SAYS = {
    ZIP: "One zip with a folder for each class, or with images and one CSV that names their labels, or a MedMNIST file "
    "(.npz). `train/` and `test/` on top are respected. Best for large sets.",
    FOLDER: "A folder with one sub-folder a class; comfortable up to about 300 images. For more, use a zip.",
    TABLE: "Loose images and a CSV with the columns `file`, `label` and, if you have it, `patient`.",
    PATH: "A folder, zip or .npz on the computer MedTL runs on. Nothing is uploaded; nothing there is changed.",
    PUBLIC: "One of the MedMNIST sets by name, to try things out. It is fetched over the network once.",
}
ZONES = ("bring-zip", "bring-folder", "bring-images", "bring-labels", "bring-table")
# What the drop zone lets through; of .nii.gz a browser sees the last piece only.
TYPES = sorted({ending.rsplit(".", 1)[-1] for ending in KIND_OF_SUFFIX})
TABLES = ("csv", "tsv", "txt")


@dataclass(frozen=True)
class Brought:
    """What is to be read: a path (or the name of a public set), and the table of labels where it comes apart."""

    what: Path | str | None = None
    labels: Path | None = None
    size: int | None = None
    missing: str = "First drop something above."
    title: str = ""  # what the whole is called when nobody types a title; empty: the name of the file


def ask() -> None:
    """The drop zone and the one button that starts the reading."""
    importing.sweep(shelf.workspace())
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.markdown("Bring labelled images. Everything is read, checked and split on this computer.")
        way = st.segmented_control("How do you bring them?", list(SAYS), default=ZIP, required=True, key="bring-way")
        st.caption(SAYS[way])
        brought = {PATH: _path, PUBLIC: _public, TABLE: _images_and_table}.get(way, lambda: _dropped(way))()
        options = bring_options.ask(brought.labels, brought.size, brought.title)
        ready = brought.what is not None
        if st.button(
            "Read the images",
            type="primary",
            icon=":material/search:",
            disabled=not ready,
            help=None if ready else brought.missing,
        ):
            _start(brought, options)
    with right:
        _what_it_takes()


# ---- ways in --------------------------------------------------------------------------------------------------------


def _dropped(way: str) -> Brought:
    if way == ZIP:
        kept = upload.receive("Drop a zip or .npz", "bring-zip", types=["zip", "npz"])
        _spooled(kept, "bring-zip")
        return Brought(kept.files[0] if kept else None, _table())
    kept = upload.receive("Choose a folder", "bring-folder", many="directory")
    _spooled(kept, "bring-folder")
    return Brought(kept.folder if kept else None, _table(), title=kept.title if kept else "")


def _images_and_table() -> Brought:
    kept = upload.receive("Drop images", "bring-images", types=TYPES, many=True)
    _spooled(kept, "bring-images")
    labels = upload.receive("Drop the table (CSV)", "bring-labels", types=TABLES, most=limits.TABLE_BYTES)
    _spooled(labels, "bring-labels")
    if not kept or not labels:
        return Brought(missing="Drop the images and the table above.")
    return Brought(kept.folder, labels.files[0], title=kept.title)


def _path() -> Brought:
    given = st.text_input("Folder, zip or .npz", placeholder="/data/my-images", key="bring-path").strip()
    return Brought(Path(given).expanduser() if given else None, _table(), missing="Type a path above.")


def _public() -> Brought:
    sets = {one.name: one for one in published.names()}
    name = st.selectbox("Set", list(sets), format_func=lambda n: plain(sets[n].title), key="bring-public")
    chosen = sets[name]
    size = st.segmented_control(
        "Pixels a side",
        published.SIZES,
        default=64,
        required=True,
        format_func=lambda s: f"{s} × {s}",
        key="bring-public-size",
    )
    licence = f"Licence: {md(chosen.licence)}{'' if chosen.commercial else ', not for commercial use'}."
    st.caption(f"{md(chosen.says)} {words.count(chosen.cases, 'image')}. {licence}")
    return Brought(f"{importing.PUBLISHED}{name}", size=size)


def _spooled(kept: upload.Spooled | None, key: str) -> None:
    if not kept:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f":material/check_circle: **{md(kept.says)}** lies ready on this computer.", width="content")
        if st.button("Take away", key=f"{key}-away", type="tertiary", icon=":material/close:"):
            upload.discard(key)
            st.rerun()


def _table() -> Path | None:
    with st.expander("Labels in a table instead of folders", icon=":material/table:"):
        st.caption(
            "A CSV with the columns `file`, `label` and, if you have them, `patient` and `part`; columns such as "
            "`age`, `sex`, `site` and `scanner` become filters. Several columns of 1, 0 and -1 are several findings."
        )
        kept = upload.receive("Drop the table (CSV)", "bring-table", types=TABLES, most=limits.TABLE_BYTES)
        _spooled(kept, "bring-table")
    return kept.files[0] if kept else None


# ---- starting -------------------------------------------------------------------------------------------------------


def _start(brought: Brought, options: importing.ImportOptions) -> None:
    try:
        if isinstance(brought.what, Path) and not brought.what.exists():
            raise MedtlError(
                f"There is nothing at {brought.what}.", "Check the path; it is read on the computer MedTL runs on."
            )
        folder = coming_in.start(str(brought.what), options)
    except MedtlError as wrong:
        show.error(wrong)
        return
    upload.hand_over(ZONES, folder)
    st.query_params[coming_in.QUERY] = folder.name
    st.rerun()


def _what_it_takes() -> None:
    with st.container(border=True):
        st.markdown(
            "**What it takes**\n\n"
            "- PNG, JPEG, BMP and TIFF (8 and 16 bit, several pages)\n"
            "- DICOM in every usual compression, single images, clips and series; NIfTI volumes slice by slice\n"
            "- MedMNIST files (.npz)\n"
            f"- two classes or more, at least {limits.FEWEST_CASES} images of each; 40 and more make the result worth "
            "something\n\n"
            "**What it does**\n\n"
            "- takes out of the files what could name somebody; ids and names become codes\n"
            "- names every file it cannot read, with the reason, and goes on\n"
            "- finds copies, contradicting labels, patients in two parts, spoilt images and shortcuts\n"
            "- keeps 20 % aside as the test part, patient by patient"
        )
        with st.expander("Limits", icon=":material/straighten:"):
            st.markdown("\n".join(f"- {md(what)}: {md(most)}" for what, most in limits.describe()))
            st.caption(
                f"In the browser {limits.FILE_BYTES // limits.MB} MB a file; for a larger zip give a path on this "
                f"computer. A table may have {limits.TABLE_BYTES // limits.MB} MB, also in the browser."
            )
    if shelf.cohorts():
        st.page_link(selection.path("library"), label="Or open one you brought before", icon=":material/inventory_2:")
