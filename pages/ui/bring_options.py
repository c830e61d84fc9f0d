"""How what was brought is to be read: title and patients, names and key, frames and windows, labels. All may stay."""

from pathlib import Path
from typing import get_args

import streamlit as st

from medtl.cohorts.importing import ImportOptions
from medtl.vocabulary import WINDOWS, Frames, Reading
from pages.ui import outcome_form

FRAMES: dict[Frames, str] = {
    "each": "Every frame, slice or page is an image",
    "middle": "Only the middle one",
}
FRAMES_SAY = {
    "each": "Those of one clip or volume stay together in one part, so that none is learned and tested.",
    "middle": "One image a file: quicker, and nothing is counted twice.",
}
SLICES = {0: "all", 1: "1", 5: "5", 10: "10", 20: "20", 50: "50"}
REPLACED, KEPT = "replaced", "kept"
NAMES = {REPLACED: "Replace file names by codes", KEPT: "Keep file names as they are"}
NAMES_SAY = {
    REPLACED: "Words that say what an image shows stay; names, dates and long numbers become codes.",
    KEPT: "Only when you are sure that no file or folder is named after a person.",
}


def ask(labels: Path | None, size: int | None = None, named: str = "") -> ImportOptions:
    """Everything has a value already; a public set needs none of it. `named`: the title when none is typed."""
    with st.expander("Title" if size else "Title, names and patients", icon=":material/shield_person:"):
        title = st.text_input(
            "Title", placeholder=named or "taken from the file name", max_chars=200, key="bring-title"
        ).strip()
        if size:
            return ImportOptions(name=title or None, size=size)
        pattern, names, key = _names_and_patients()
    with st.expander("How the files are read", icon=":material/layers:"):
        reading = _reading()
    outcome, uncertain, grades = _labels(labels) if labels else (None, None, False)
    return ImportOptions(
        name=title or named or None,
        labels=labels,
        patient_pattern=pattern or None,
        reading=reading,
        task="ordinal" if grades else None,
        outcome=outcome,
        uncertain=uncertain,
        file_names=names,
        keep_key=key,
    )


def _names_and_patients() -> tuple[str, str, bool]:
    pattern = st.text_input(
        "Pattern that finds the patient in a file name",
        placeholder=r"for example  p\d+",
        help="A regular expression. You can also set it afterwards, with a preview of whom it groups.",
        key="bring-pattern",
    ).strip()
    names = st.radio(
        "File names",
        list(NAMES),
        format_func=NAMES.__getitem__,
        captions=list(NAMES_SAY.values()),
        key="bring-names",
    )
    st.caption("What the files themselves say of a person is taken out in any case, and dates are moved.")
    key = st.toggle(
        "Keep a key that says which code stands for whom",
        key="bring-key",
        help="Kept apart from the images, on this computer; you can download and delete it. Without it nobody can be "
        "found again from a code.",
    )
    return pattern, names, key


def _reading() -> Reading:
    frames = st.radio(
        "Files that hold several pictures",
        get_args(Frames),
        format_func=FRAMES.__getitem__,
        captions=list(FRAMES_SAY.values()),
        key="bring-frames",
    )
    slices = 0
    if frames == "each":
        slices = st.select_slider(
            "Slices of a volume, evenly spaced", list(SLICES), format_func=SLICES.__getitem__, key="bring-slices"
        )
    window = st.segmented_control(
        "Window for CT", list(WINDOWS), default="as-stored", required=True, format_func=_window, key="bring-window"
    )
    st.caption(_window_says(window))
    return Reading(frames, window, slices)


def _window(name: str) -> str:
    return name.replace("-", " ")


def _window_says(name: str) -> str:
    level = WINDOWS[name]
    if level is None:
        return "CT is shown in the window its file names. Other images have no window."
    centre, width = level
    return f"Centre {centre:.0f}, width {width:.0f} Hounsfield units; other images than CT are not changed."


def _labels(table: Path) -> tuple[str | None, str | None, bool]:
    """Only for a table: several findings, or grades. Both can be left to the table itself."""
    with st.expander("What the table says", icon=":material/checklist:"):
        grades = st.toggle("The labels are grades in order, such as 0 to 4", key="bring-grades")
        outcome = st.text_input(
            "Of several findings, learn only",
            placeholder="for example  Cardiomegaly",
            help="The name of a column. You can also choose afterwards, with the numbers before you.",
            key="bring-outcome",
        ).strip()
        uncertain = outcome_form.uncertain_as("bring-uncertain") if outcome else None
    return outcome or None, uncertain, grades
