"""What was done so that nobody can be named: the attributes taken out, the file names, and the key, if it was kept."""

from typing import Any

import streamlit as st

from medtl.cohorts import library
from medtl.errors import MedtlError
from medtl.vocabulary import Cohort
from pages.ui import shelf, show, words
from pages.ui.escape import plain

NAMES = {
    "replaced": "File and folder names were replaced by codes; words that only say what an image shows were kept.",
    "kept": ":orange[:material/warning:] File names were kept as they were: look for names of people in them.",
}


def panel(cohort: Cohort) -> None:
    says = [NAMES.get(cohort.privacy.names, NAMES["kept"])]
    if cohort.privacy.names == "replaced":
        says.insert(0, "Patients are codes. The same patient has the same code in every cohort on this computer.")
    if any(one.action == "shifted" for one in cohort.privacy.removed):
        says.append("Dates were moved by the same number of days for all images of a patient.")
    st.markdown("\n".join(f"- {sentence}" for sentence in says))
    _removed(cohort)
    _key(cohort)


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
        st.markdown(":material/key_off: There is no key: from these codes nobody can be found again.")
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
    st.markdown("Afterwards nobody can tell from a code who it was, on this computer or from its files.")
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
