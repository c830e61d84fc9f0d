"""The versions of a cohort, who made them of what, and deleting them: what goes is said before and after."""

from typing import Any

import streamlit as st

from medtl import housekeeping
from medtl.errors import MedtlError
from medtl.vocabulary import Cohort
from pages.ui import patients_form, selection, shelf, show, words
from pages.ui.escape import md, plain


def panel(cohort: Cohort) -> None:
    """Newest first; the one that is open is marked, the others can be opened."""
    st.caption("What you brought is never changed; every edit makes a new version. Runs keep the version they used.")
    for one in filter(None, (shelf.or_none(shelf.cohort, id) for id in known(cohort))):
        with st.container(horizontal=True, vertical_alignment="center"):
            here = one.id == cohort.id
            st.markdown(f"**{words.day(one.created)}**  \n{_says(one)}", width="stretch")
            if here:
                st.badge("open", icon=":material/visibility:")
            elif st.button("Open", key=f"version-{one.id}", icon=":material/history:"):
                selection.go("data", cohort=one.id)


def known(cohort: Cohort) -> tuple[str, ...]:
    """The ids of all versions that are still there, newest first."""
    return tuple(one.id for one in shelf.cohorts() if one.first == cohort.first)


def _says(cohort: Cohort) -> str:
    """What was done last, by whom: the lines of history this version adds, those that say the same as one."""
    if not cohort.parent:
        return f"as it was brought, {words.count(len(cohort.cases), 'image')}"
    latest = cohort.history[-1].at
    told: dict[str, list[int]] = {}
    for line in cohort.history:
        if line.at == latest:
            told.setdefault(md(patients_form.in_words(line.what)), []).append(line.cases)
    sentences = [
        f"{what} ({words.count(sum(cases), 'case')}{f', in {len(cases)} steps' if len(cases) > 1 else ''})"
        for what, cases in told.items()
    ]
    by = f" · by {md(cohort.history[-1].who)}" if cohort.history[-1].who else ""
    return f"{'; '.join(sentences)}{by}"


@st.dialog("Delete this cohort?")
def confirm_delete(id: str, title: str) -> None:
    """Says what goes, and how much room it gives back; afterwards, what really went.

    The page stays where it was: the Library without it, or Data as it is before images are brought.
    """
    summary: Any = next((one for one in shelf.cohorts() if one.id == id), None)
    if summary is None:
        show.error(MedtlError("There is no such cohort any more.", "Close this window."))
        return
    ws = shelf.workspace()
    others = [one for one in housekeeping.versions(ws, id) if one != id]
    st.markdown(f"**{md(title)}**: {words.count(summary.cases, 'image')}, {words.size(summary.bytes)} on disk.")
    everything = False
    if others:
        every = f"Delete all its versions ({len(others) + 1})"
        everything = st.checkbox(every, key=f"delete-all-{id}")
        if not everything:
            st.warning(f"{words.count(len(others), 'other version')} of it will stay, with the images they share.")
    runs = [run for run in shelf.runs() if run.cohort in ({id, *others} if everything else {id})]
    if runs:
        st.warning(
            "One run used it; it keeps its numbers, but can no longer show the images."
            if len(runs) == 1
            else f"{len(runs):,} runs used it; they keep their numbers, but can no longer show the images."
        )
    last = everything or not others
    st.caption(
        f"The images, what was computed from them and waiting changes go{', with all second readings' if last else ''}"
        ". A deeper check that looks at it is stopped. Your own files elsewhere are not touched. This cannot be undone."
    )
    with st.container(horizontal=True):
        if st.button("Delete", type="primary", icon=":material/delete:"):
            try:
                gone = housekeeping.delete_cohort(ws, id, all_versions=everything)
            except MedtlError as wrong:
                show.error(wrong)
                return
            shelf.forget()
            show.later(_gone(gone))
            selection.choose(**selection.NOTHING)
            st.query_params.clear()  # also what was followed on the page
            st.rerun()
        if st.button("Keep it"):
            st.rerun()


def _gone(gone: housekeeping.Deleted) -> str:
    parts = [words.count(len(gone.cohorts), "version"), f"{words.size(gone.bytes)} on disk"]
    parts += [f"computed features of {words.count(gone.features, 'image')}"] if gone.features else []
    parts += ["the second readings"] if gone.readings else []
    parts += ["the key"] if gone.key else []
    stays = f" {words.count(len(gone.others), 'other version stays', 'other versions stay')}." if gone.others else ""
    return plain(f"Deleted: {', '.join(parts)}.{stays}")
