"""Bring a source of one's own: a safetensors file for a network MedTL knows. Pickles are refused: they run code."""

import streamlit as st

from medtl.errors import BadInput, MedtlError
from pages.ui import selection, shelf, show, upload
from pages.ui.consultant import consultant
from pages.ui.escape import md

PICKLES = ["pt", "pth", "bin", "pkl", "ckpt", "h5", "keras"]


def ask() -> None:
    from medtl.sources.builders import BUILDERS

    with st.expander("Bring a source of your own (.safetensors)", icon=":material/upload_file:"):
        st.caption("A safetensors file holds numbers only. Files that can run code (.pth, .pt, .pkl) are refused.")
        title = st.text_input("Title", key="source-title", placeholder="Mammography network of our department")
        builder = st.selectbox(
            "Network", [one.id for one in BUILDERS], format_func=lambda id: BUILDERS[id].title, key="source-builder"
        )
        kept = upload.receive("Drop the file", "source-file", types=["safetensors", *PICKLES])
        if kept is None:
            return
        if kept.files[0].suffix.lower() != ".safetensors":
            upload.discard("source-file")
            show.error(
                BadInput(
                    "This file can run code when it is opened, so it is refused.",
                    "Save the weights as .safetensors where they were made, and bring that file.",
                )
            )
            return
        st.markdown(f":material/check_circle: **{md(kept.says)}** lies ready on this computer.")
        if st.button(
            "Add this source (about 10 s)",
            type="primary",
            disabled=not title,
            help=None if title else "Give it a title.",
        ):
            _add(kept, str(builder), title)


def _add(kept: upload.Spooled, builder: str, title: str) -> None:
    try:
        with st.spinner("Loading it into the network and looking whether all fits…"):
            added = consultant().add_source(str(kept.files[0]), builder, title)
    except MedtlError as wrong:
        show.error(wrong)
        return
    upload.discard("source-file")
    shelf.forget()
    show.later(str(added.get("report", "")) or "The source was added.")
    selection.choose(source=added["id"], run=None)
    st.rerun()
