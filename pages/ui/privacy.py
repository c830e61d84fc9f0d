"""What was done so that nobody can be named: the attributes taken out, the file names, and the key, if it was kept."""

from typing import Any

import streamlit as st

from medtl.cohorts import library, patients
from medtl.errors import MedtlError
from medtl.vocabulary import Cohort
from pages.ui import shelf, show, words
from pages.ui.escape import md, plain

NAMES = {
    "replaced": "In file and folder names, words that are no technical terms, dates and numbers of five digits and "
    "more became codes. Short numbers and technical words stayed: look whether one of them names somebody.",
    "kept": ":orange[:material/warning:] File names were kept as they were: look for names of people in them.",
}


def panel(cohort: Cohort) -> None:
    says = [f"{NAMES.get(cohort.privacy.names, NAMES['kept'])}{_example(cohort)}", _patients(cohort)]
    if any(one.action == "shifted" for one in cohort.privacy.removed):
        says.append("Dates were moved by the same number of days for all images of a patient.")
    st.markdown("\n".join(f"- {sentence}" for sentence in says))
    _removed(cohort)
    _key(cohort)


def _example(cohort: Cohort) -> str:
    """One name as it is now, so that nobody has to imagine it."""
    return f" For example, a file is now called {md(cohort.cases[0].name)}." if cohort.cases else ""


def _patients(cohort: Cohort) -> str:
    """Codes are not all there is: a pattern finds the patient in what was left of a name."""
    known = {case.patient for case in cohort.cases if case.patient}
    coded = {who for who in known if patients.CODE.fullmatch(who)}
    others = sorted(who for who in known - coded if who not in {patients.alone(case.id) for case in cohort.cases})
    if not known:
        return "No patient is known, so none is named."
    if not others:
        return "Patients are codes. The same patient has the same code in every cohort on this computer."
    some = "Some patients" if coded else "Patients"
    return f"{some} are called by what stands in the file names, not by a code, for example {md(others[0])}."


def _removed(cohort: Cohort) -> None:
    removed = cohort.privacy.removed
    if not removed:
        st.caption("Nothing in the files themselves named anybody, so nothing had to be taken out of them.")
        return
    st.dataframe(
        {
            "what": [plain(one.name) for one in removed],
            "where": [plain(one.tag) for one in removed],
            "was": [plain(one.action) for one in removed],
            "in files": [one.files for one in removed],
        },
        hide_index=True,
        height=min(360, 38 + 35 * len(removed)),
        alt="What was removed from the files, with the number of files",
    )
    st.caption("The contents are not shown and not kept: only that they were there.")


def _key(cohort: Cohort) -> None:
    """Who has the key and this computer can tell who is who; so it can be fetched once and thrown away."""
    ws = shelf.workspace()
    key = library.key_file(ws, cohort.id)
    if key is None:
        st.markdown(
            ":material/key_off: No key was kept, so no list says which code stands for whom. Codes are made with the "
            "file `salt` in the data folder: who has it can check whether a guessed id belongs to a code. Guard it "
            "like a key."
        )
        return
    st.markdown(
        f":material/key: **A key was kept**, apart from the images ({words.size(key.stat().st_size)}). It says which "
        "code stands for whom: keep it where patient data belong."
    )
    with st.container(horizontal=True):
        data: Any = key.read_bytes
        st.download_button(
            "Download the key (CSV)", data, f"key-{cohort.id}.csv", "text/csv", icon=":material/download:"
        )
        if st.button("Delete the key…", icon=":material/key_off:"):
            _confirm(key.stem)


@st.dialog("Delete the key?")
def _confirm(made_with: str) -> None:
    st.markdown(
        "Afterwards no list says which code stands for whom. Who has the file `salt` of the data folder can still "
        "check a guessed id."
    )
    st.caption("Copies that you downloaded are not touched. This cannot be undone.")
    with st.container(horizontal=True):
        if st.button("Delete the key", type="primary", icon=":material/key_off:"):
            try:
                library.delete_key(shelf.workspace(), made_with)
            except MedtlError as wrong:
                show.error(wrong)
                return
            show.later("The key was deleted.")
            st.rerun()
        if st.button("Keep it"):
            st.rerun()
