"""An answer taken along: the overlay as a picture, DICOM objects that refer to the image, sent to the PACS if one is
named, and how another program asks.
"""

import io
import shutil
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from PIL import Image, ImageDraw

from medtl.cohorts import importing
from medtl.errors import MedtlError
from medtl.vocabulary import Cohort
from pages.ui import full_size, pacs_form, pictures, shelf, show, where_it_looked, words
from pages.ui.consultant import Subject
from pages.ui.escape import md, plain

KINDS = {
    "overlay": "Picture with the map (Secondary Capture): any viewer shows it",
    "region": "Region above half of the map's peak (Segmentation): viewers that know SEG",
    "contour": "Contour over the original (Presentation State): stays sharp, not in every viewer",
    "report": "What the model said (Structured Report, TID 1500): numbers for other programs",
}
PLAIN = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")  # files that no DICOM object refers to
KEEP, REMOVE = "keep", "remove"
IDENTITY = {
    REMOVE: "Remove: codes instead of name, id and birth date, as in this cohort. To show it to others.",
    KEEP: "Keep: whose image it is stays in, so that it lies with the patient in the PACS it came from.",
}
STAMP = "research use: where the network looked for {}, not where the disease is"


def panel(subject: Subject, answer: Mapping[str, Any], cohort: Cohort | None) -> None:
    show.section("Take it along")
    _panel(subject, dict(answer), cohort)


@st.fragment
@show.guarded
def _panel(subject: Subject, answer: dict[str, Any], cohort: Cohort | None) -> None:
    accepted = answer.get("accepted", True)
    shown = where_it_looked.last(subject) if accepted else None
    if shown and shown.heat["state"] == "ok":
        st.download_button(
            "Overlay (PNG)", data=lambda: overlay_png(shown), file_name="where-it-looked.png", mime="image/png",
            icon=":material/image:", on_click="ignore", key=f"png-{subject.key}",
        )  # fmt: skip
    elif accepted:
        st.caption("There is no map to take along; the report can be made all the same.")
    with st.expander("As DICOM, for the PACS"):
        _dicom(subject, answer, cohort)
    with st.expander("Ask from another program (HTTP)"):
        _http(subject.run)


def overlay_png(shown: where_it_looked.Looked) -> bytes:
    """The picture with its map, and a line below that says what it is."""
    drawn = Image.fromarray(pictures.blend(shown.picture, shown.heat["values"], 0.45))
    said = STAMP.format(plain(shown.label))
    strip = Image.new("RGB", (drawn.width, 22), "#16242B")
    ImageDraw.Draw(strip).text((6, 4), said.encode("latin-1", "replace").decode("latin-1"), fill="#FFFFFF")
    whole = Image.new("RGB", (drawn.width, drawn.height + strip.height))
    whole.paste(drawn, (0, 0))
    whole.paste(strip, (0, drawn.height))
    out = io.BytesIO()
    whole.save(out, "PNG")
    return out.getvalue()


# ---- DICOM ----------------------------------------------------------------------------------------------------------


def _dicom(subject: Subject, answer: dict[str, Any], cohort: Cohort | None) -> None:
    st.caption(
        "Files of their own that point to the image they are about; the image itself is not changed. Each is marked "
        "“research use”."
    )
    accepted = answer.get("accepted", True)
    offered = list(KINDS) if accepted else ["report"]
    if Path(str(answer.get("file") or "")).suffix.lower() in PLAIN:
        offered = [kind for kind in offered if kind == "overlay"]
        st.caption(
            "This original is no DICOM image. Region, contour and report must refer to one, so only the picture can be "
            "made."
        )
    kinds = [kind for kind in offered if st.checkbox(KINDS[kind], kind in ("overlay", "report"),
                                                     key=f"kind-{kind}-{subject.key}")]  # fmt: skip
    identity = st.radio("Whose image it is", list(IDENTITY), format_func=IDENTITY.get, key=f"whose-{subject.key}")
    key = f"made-{subject.key}"
    why = None if kinds else "Tick what is to be made."
    if st.button("Make the files", icon=":material/note_add:", disabled=not kinds, help=why, key=f"make-{key}"):
        with st.spinner("Making the DICOM files…"):
            _forget(key)
            st.session_state[key] = make(subject, answer, cohort, kinds, str(identity))
    if key in st.session_state:
        _made(st.session_state[key], key)
    pacs_form.panel([Path(one["file"]) for one in st.session_state.get(key, {}).get("objects", ())], key)


def make(
    subject: Subject, answer: Mapping[str, Any], cohort: Cohort | None, kinds: Sequence[str], identity: str
) -> dict[str, Any]:
    """What `dicom_out.make` says of the files it wrote into the spool."""
    from medtl import dicom_out

    ws = shelf.workspace()
    out = Path(tempfile.mkdtemp(prefix=f"{importing.UPLOAD}dicom-", dir=ws.spool))
    shown = where_it_looked.last(subject)
    asked = {**answer, "explanation": _plain(shown.heat) if shown else None, "frame": subject.frame}
    if subject.case and cohort is not None:
        name, data = full_size.original_of(cohort, subject.case)
        path = out / f"original{Path(name).suffix}"
        path.write_bytes(data)
        asked["frame"] = shelf.by_id(cohort)[subject.case].frame
    else:
        found = full_size.file_of(subject)
        if found is None:
            raise MedtlError("A file inside a zip cannot be referred to.", "Unpack the zip and bring the file itself.")
        path = found
    made = dicom_out.make(ws, subject.run, [(path, asked)], out / "made", identity=identity, kinds=kinds)  # type: ignore[arg-type]
    return {**made, "folder": str(out)}


def _plain(heat: Mapping[str, Any]) -> dict[str, Any]:
    return {**heat, "values": np.asarray(heat["values"]).tolist() if heat.get("values") is not None else None}


def _made(made: Mapping[str, Any], key: str) -> None:
    objects = made["objects"]
    if objects:
        said = words.count(len(objects), "file")
        st.success(f"Made {said}: {', '.join(plain(one['kind']) for one in objects)}.", icon=":material/check:")
        st.download_button(
            "Download them (zip)", data=lambda: _zipped(objects), file_name="dicom.zip", mime="application/zip",
            icon=":material/folder_zip:", on_click="ignore", key=f"zip-{key}",
        )  # fmt: skip
    for left in made["left_out"]:
        st.caption(f":material/info: No {plain(left['kind'])}: {md(left['why'])} {md(left['advice'])}")


def _zipped(objects: Sequence[Mapping[str, Any]]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as bundle:
        for one in objects:
            bundle.write(one["file"], Path(one["file"]).name)
    return out.getvalue()


def _forget(key: str) -> None:
    if made := st.session_state.pop(key, None):
        shutil.rmtree(made["folder"], ignore_errors=True)


# ---- HTTP -----------------------------------------------------------------------------------------------------------


def _http(run: str) -> None:
    st.caption(
        "On this computer, in a terminal. It answers only programs on this computer, and only those that know the "
        "token it prints once; the gate holds there, too."
    )
    st.code(f"python -m medtl serve {run}", language=None)
    st.code(
        'curl -H "Authorization: Bearer TOKEN" -F "file=@image.dcm;type=application/dicom" \\\n'
        '     "http://127.0.0.1:8600/predict?explain=predicted"',
        language=None,
    )
    st.caption("What it answers and which errors there are is described at `127.0.0.1:8600/docs` once it runs.")
