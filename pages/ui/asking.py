"""What a clinician brings to a finished run: dropped, pasted, named by its path on this computer, or a picture of the
test part to try. A few are answered at once, many in a process of their own.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from medtl.asking.brought import brought
from medtl.asking.pooling import AUTO
from medtl.errors import MedtlError
from medtl.vocabulary import Cohort
from pages.ui import consultant, full_size, pictures, reading_test, selection, shelf, upload, words
from pages.ui.escape import md, plain, tail

KEY = "use-files"
TYPES = ["png", "jpg", "jpeg", "bmp", "tif", "tiff", "dcm", "dicom", "zip"]
FEW = 12  # files that are answered while one waits; more are a batch
MORE_LOOKS = 8
TO_TRY = 4


@dataclass(frozen=True)
class Brought:
    """`paths` are asked about as they stand; `uploads` are ours and go when something else comes."""

    paths: tuple[Path, ...]
    says: str
    count: int
    uploads: tuple[Path, ...] = ()

    @property
    def many(self) -> bool:
        return self.count > FEW


class _Named(io.BytesIO):
    """Bytes that look like a file from the browser."""

    def __init__(self, name: str, data: bytes) -> None:
        super().__init__(data)
        self.name, self.size, self.file_id = name, len(data), ""


def bring(cohort: Cohort | None) -> Brought | None:
    """The ways in, and what lies in one of them."""
    left, right = st.columns([3, 2], gap="large")
    with left:
        kept = upload.receive("Drop one image or several, a DICOM series or a zip", KEY, types=TYPES, many=True)
    with right:
        _other_ways()
    if kept is not None:
        st.session_state.pop("use-path", None)
        return Brought(kept.files, kept.says, _count(kept.files), (kept.folder,))
    if path := st.session_state.get("use-path"):
        return Brought((Path(path),), plain(Path(path).name), _count([Path(path)]))
    st.caption("They are not added to the cohort, and they go from this computer's disk when the next ones come.")
    _to_try(cohort)
    return None


def _other_ways() -> None:
    """One line that takes a picture from the clipboard or a path; Streamlit knows no other way to paste one."""
    st.caption("Or click here and paste a picture (Ctrl+V, ⌘V), or type the path of a file or folder; then Enter.")
    said = st.chat_input(
        "Paste a picture, or type a path", key="use-paste", accept_file="multiple", file_type=TYPES[:-1]
    )
    if not said:
        return
    files, path = list(getattr(said, "files", []) or []), str(getattr(said, "text", said) or "").strip().strip("\"'")
    if files:
        upload.pasted(KEY, files)
        st.rerun()
    if path and Path(path).expanduser().exists():
        upload.discard(KEY)
        st.session_state["use-path"] = str(Path(path).expanduser().resolve())
        st.rerun()
    elif path:
        st.error(f"**There is no file or folder {md(path)} on this computer.**  \nCheck the path.")


def _to_try(cohort: Cohort | None) -> None:
    """Some pictures of the test part: never learned from, and their answer is known."""
    if cohort is None:
        return
    by_class: dict[str, list[str]] = {}
    cases = shelf.by_id(cohort)
    for id in cohort.split.test:
        if id in cases:
            by_class.setdefault(cases[id].label, []).append(id)
    some = [ids[turn] for turn in range(TO_TRY) for ids in by_class.values() if turn < len(ids)][:TO_TRY]
    if not some:
        return
    st.markdown("**Or try a picture of the test part**, which the model never learned from:")
    run = selection.current().run
    if run and not reading_test.looking(run, "try"):
        return
    for column, id in zip(st.columns(2 * TO_TRY), some, strict=False):
        with column:
            pictures.tile(cohort, cases[id])
            if st.button("Try it", key=f"try-{id}", help=md(tail(cases[id].name)), width="stretch"):
                name, data = full_size.original_of(cohort, id)
                upload.pasted(KEY, [_Named(_file_name(cases[id].name, name), data)])
                st.rerun()


def _file_name(shown: str, kept: str) -> str:
    """What the cohort calls it, with the ending of the file that is kept."""
    stem = plain(shown).rsplit("/", 1)[-1].rsplit(".", 1)[0]
    return "".join(c if c.isalnum() or c in "-_ ." else "_" for c in stem)[-80:] + Path(kept).suffix


def taken_away() -> None:
    upload.discard(KEY)
    for key in ("use-path", "use-asked", "use-answers", "use-looked"):
        st.session_state.pop(key, None)
    forget()


def forget() -> None:
    """Pictures that are kept in memory go as well."""
    _one_of.clear()
    full_size.forget()


def _count(paths: Sequence[Path]) -> int:
    try:
        return len(brought(paths))
    except MedtlError:
        return FEW + 1  # the process that reads them says what is wrong


# ---- answers --------------------------------------------------------------------------------------------------------


def answers(run: str, given: Brought, looks: int = 0) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The answers, each with its picture, and what holds for all of them; asked once and kept in the session."""
    key = (run, given.paths, looks)
    if st.session_state.get("use-asked") != key:
        with st.spinner("Reading and answering (about 10 s the first time, then 1 s an image)…"):
            pool = AUTO if given.count > 1 else None
            told = consultant.consultant().predict(
                run, [str(path) for path in given.paths], None, pool=pool, looks=looks
            )
        for one in told["predictions"]:
            one["picture"] = pictures.take(one["picture"]) if one.get("picture") else None
        st.session_state["use-answers"], st.session_state["use-asked"] = told, key
    told = st.session_state["use-answers"]
    return list(told["predictions"]), dict(told.get("run") or {})


def one_of(run: str, paths: Sequence[Path], file: str, frame: int | None) -> dict[str, Any]:
    """One picture of many, with its picture; not written into the diary a second time."""
    return _one_of(shelf.home(), run, tuple(map(str, paths)), file, frame)


@st.cache_data(max_entries=40, show_spinner=False)
def _one_of(home: str, run: str, paths: tuple[str, ...], file: str, frame: int | None) -> dict[str, Any]:
    only = {"file": file, "frame": frame}
    said = consultant.consultant().predict(run, list(paths), None, only=only, log=False)["predictions"]
    if not said:
        raise MedtlError("The image is not there any more.", "Bring it again.")
    one = dict(said[0])
    one["picture"] = pictures.take(one["picture"]) if one.get("picture") else None
    return one


def subject(run: str, paths: Sequence[Path], answer: dict[str, Any]) -> consultant.Subject:
    at = int(answer.get("given") or 0)
    path = paths[min(at, len(paths) - 1)]
    return consultant.Subject(run, name(answer), path=str(path), file=str(answer["file"]), frame=answer.get("frame"))


def name(answer: dict[str, Any]) -> str:
    frame = f", frame {answer['frame'] + 1}" if answer.get("frame") is not None else ""
    return plain(str(answer["file"]).rsplit("/", 1)[-1]) + frame


def looks_wanted() -> int:
    wanted = st.toggle(
        f"Look at {MORE_LOOKS} small changes of each image besides",
        key="use-looks",
        help=f"Test-time augmentation: shifted and mirrored a little. Takes {MORE_LOOKS + 1} times as long; the answer "
        "is the mean, and you see whether the looks agree.",
    )
    return MORE_LOOKS if wanted else 0


def go_to_data() -> None:
    if st.button("Bring it into the cohort", icon=":material/photo_library:", type="tertiary"):
        selection.go("data")


def says(given: Brought) -> str:
    return given.says if given.count <= 1 else f"{given.says}: {words.count(given.count, 'image file')}"
