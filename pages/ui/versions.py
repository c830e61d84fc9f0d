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
    for one in _line(cohort):
        with st.container(horizontal=True, vertical_alignment="center"):
            here = one.id == cohort.id
            st.markdown(f"**{words.day(one.created)}**  \n{_says(one)}", width="stretch")
            if here:
                st.badge("open", icon=":material/visibility:")
            elif st.button("Open", key=f"version-{one.id}", icon=":material/history:"):
                selection.go("data", cohort=one.id)


def _line(cohort: Cohort) -> list[Cohort]:
    """Every version that leads to this one or from it, as far as they are still there."""
    line = [cohort]
    while line[-1].parent and (before := shelf.or_none(shelf.cohort, line[-1].parent)):
        line.append(before)
    known = {one.id for one in line}
    for one in reversed(shelf.cohorts()):  # oldest first: a version comes after the one it was made from
        if one.parent in known and one.id not in known and (version := shelf.or_none(shelf.cohort, one.id)):
            known.add(one.id)
            line.append(version)
    return sorted(line, key=lambda one: one.created, reverse=True)


def _says(cohort: Cohort) -> str:
    """What was done last, by whom: the lines of history this version adds."""
    if not cohort.history:
        return f"as it was brought, {words.count(len(cohort.cases), 'image')}"
    latest = cohort.history[-1].at
    told = [
        f"{md(patients_form.in_words(e.what))} ({words.count(e.cases, 'case')})"
        for e in cohort.history
        if e.at == latest
    ]
    by = f" · by {md(cohort.history[-1].who)}" if cohort.history[-1].who else ""
    return f"{'; '.join(told)}{by}"


@st.dialog("Delete this cohort?")
def confirm_delete(id: str, title: str) -> None:
    """Says what goes, and how much room it gives back; afterwards, what really went."""
    summary: Any = next((one for one in shelf.cohorts() if one.id == id), None)
    if summary is None:
        show.error(MedtlError("There is no such cohort any more.", "Close this window."))
        return
    ws = shelf.workspace()
    others = [one for one in housekeeping.versions(ws, id) if one != id]
    st.markdown(f"**{md(title)}**: {words.count(summary.cases, 'image')}, {words.size(summary.bytes)} on disk.")
    everything = False
    if others:
        st.warning(f"{words.count(len(others), 'other version')} of it will stay, and the images they share with it.")
        everything = st.checkbox("Delete all its versions", key=f"delete-all-{id}")
    runs = [run for run in shelf.runs() if run.cohort in ({id, *others} if everything else {id})]
    if runs:
        st.warning(
            f"{words.count(len(runs), 'run')} used it; they keep their numbers, but can no longer show its images."
        )
    st.caption(
        "The images, what was computed from them, waiting changes and second readings go. Your own files elsewhere are "
        "not touched. This cannot be undone."
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
            selection.go("library", cohort=None, run=None)
        if st.button("Keep it"):
            st.rerun()


def _gone(gone: housekeeping.Deleted) -> str:
    parts = [words.count(len(gone.cohorts), "version"), f"{words.size(gone.bytes)} on disk"]
    parts += [f"computed features of {words.count(gone.features, 'image')}"] if gone.features else []
    parts += [words.count(gone.readings, "second reading")] if gone.readings else []
    parts += ["the key"] if gone.key else []
    stays = f" {words.count(len(gone.others), 'other version stays', 'other versions stay')}." if gone.others else ""
    return plain(f"Deleted: {', '.join(parts)}.{stays}")
