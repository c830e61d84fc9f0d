"""Bring a source of one's own: weights for a network MedTL knows, or an ONNX or Keras file that brings its own.

The file is opened by the consultant, never here. What can run code when it is opened is refused unopened.
"""

from typing import Any

import streamlit as st

from medtl.errors import BadInput, MedtlError
from medtl.sources import limits, optional
from pages.ui import selection, shelf, show, upload
from pages.ui.consultant import consultant
from pages.ui.escape import md

KINDS = ["safetensors", "onnx", "keras"]
REFUSED = ["pt", "pth", "bin", "pkl", "joblib", "ckpt", "h5", "hdf5"]
RANGES = {  # as the file's own kind suggests, or a name in `sources.foreign.RANGES`
    "": "as the file suggests (see what is found in it)",
    "0-1": "0 to 1",
    "0-255": "0 to 255",
    "-1-1": "-1 to 1",
}


def ask() -> None:
    with st.expander("Bring a source of your own (.safetensors, .onnx, .keras)", icon=":material/upload_file:"):
        st.caption(
            "Weights as .safetensors for a network listed here, or a whole network as .onnx or .keras. Files that can "
            "run code (.pth, .pt, .pkl, .h5) are refused. Limits of an .onnx or .keras: "
            + "; ".join(f"{what} {most}" for what, most in limits.describe())
            + "."
        )
        title = st.text_input("Title", key="source-title", placeholder="Mammography network of our department")
        kept = upload.receive("Drop the file", "source-file", types=[*KINDS, *REFUSED], most=limits.FILE_BYTES)
        if kept is None:
            return
        kind = kept.files[0].suffix.lower().removeprefix(".")
        if wrong := _refusal(kind):
            upload.discard("source-file")
            show.error(wrong)
            return
        st.markdown(f":material/check_circle: **{md(kept.says)}** lies ready on this computer.")
        builder, stated = ("", _stated()) if kind != "safetensors" else (_builder(), None)
        look, add = st.columns(2)
        takes = "about 10 s" if kind == "safetensors" else f"about 30 s, at most {limits.SECONDS:.0f} s"
        if look.button(f"Look what is in it ({takes})", width="stretch", help="Nothing is kept."):
            _look(kept, builder, stated)
        if add.button(
            f"Add this source ({takes})",
            type="primary",
            width="stretch",
            disabled=not title,
            help=None if title else "Give it a title.",
        ):
            _add(kept, builder, title, stated)


def _refusal(kind: str) -> BadInput | None:
    if kind in ("h5", "hdf5"):
        return BadInput(
            "This is Keras's older format, which can hold code, so it is refused.",
            "Convert it where it was made: keras.models.load_model('model.h5').save('model.keras'), and bring that.",
        )
    if kind not in KINDS:
        return BadInput(
            "This file can run code when it is opened, so it is refused.",
            "Save the weights as .safetensors where they were made, or export the network as .onnx, and bring that.",
        )
    missing = optional.why_not(optional.needs(kind))
    return BadInput(f"A .{kind} file cannot be read yet.", f"{missing}, then start the app again.") if missing else None


def _builder() -> str:
    from medtl.sources.builders import BUILDERS

    titles = {one.id: one.title for one in BUILDERS}
    return str(st.selectbox("Network", list(titles), format_func=titles.__getitem__, key="source-builder"))


def _stated() -> dict[str, Any]:
    """How pictures were shown to it, where the user knows more than the file says."""
    left, right = st.columns(2)
    brightness = left.selectbox(
        "Brightness it was shown",
        list(RANGES),
        format_func=RANGES.__getitem__,
        key="source-range",
        help="A network shown another brightness than it learned from sees badly. Whoever trained it knows.",
    )
    side = right.number_input("Pixels a side (0: as the file says)", 0, limits.SIDE[1], 0, step=32, key="source-side")
    return {"range": brightness, "size": int(side) or None}


def _look(kept: upload.Spooled, builder: str, stated: dict[str, Any] | None) -> None:
    try:
        with st.spinner("Looking what is in the file and whether all fits…"):
            report = consultant().look_at_source(str(kept.files[0]), builder, stated)
    except MedtlError as wrong:
        show.error(wrong)
        return
    st.info(md(report), icon=":material/fact_check:")


def _add(kept: upload.Spooled, builder: str, title: str, stated: dict[str, Any] | None) -> None:
    try:
        with st.spinner("Loading the network and looking whether all fits…"):
            added = consultant().add_source(str(kept.files[0]), builder, title, stated)
    except MedtlError as wrong:
        show.error(wrong)
        return
    upload.discard("source-file")
    shelf.forget()
    show.later(str(added.get("report", "")) or "The source was added.")
    selection.choose(source=added["id"], run=None)
    st.rerun()
