"""Mending: every change makes a new version of the cohort, opened at once, with the way back beside it.

It asks once who is mending, and carries what was decided but not yet saved over to the new version.
"""

from dataclasses import dataclass
from typing import Any

import streamlit as st

from medtl.cohorts import drafts, library, patients
from medtl.cohorts.pseudonyms import Pseudonyms
from medtl.errors import MedtlError
from medtl.vocabulary import Case, Cohort
from pages.ui import selection, shelf, show, words
from pages.ui.escape import md

WHO = "who"
UNDO = "made-from"


@dataclass(frozen=True)
class Waiting:
    """What a draft would change in this cohort: only what differs from it, and only what it holds."""

    relabel: dict[str, str]
    exclude: tuple[str, ...]
    patients: dict[str, str]

    def __bool__(self) -> bool:
        return bool(self.relabel or self.exclude or self.patients)

    @property
    def says(self) -> str:
        parts = [words.count(len(self.relabel), "image gets another class", "images get another class")]
        parts += [words.count(len(self.exclude), "image is left out", "images are left out")]
        parts += [words.count(len(self.patients), "image gets another patient", "images get another patient")]
        told = [part for part, what in zip(parts, (self.relabel, self.exclude, self.patients), strict=True) if what]
        return ", ".join(told)


def edit(cohort: Cohort, says: str, *, saved: bool = False, **changes: Any) -> None:
    """A new version of the cohort, opened at once. The old one stays, and so does its draft.

    `saved`: the draft went into this version, so only what was looked at is carried over.
    """
    ws = shelf.workspace()
    try:
        with st.spinner("Checking and splitting anew…"):
            new = library.edit(ws, cohort.id, who=who(), **changes)
            if new.id != cohort.id:
                drafts.carry(ws, cohort.id, new.id, only_seen=saved)
    except MedtlError as wrong:
        show.error(wrong)
        return
    shelf.forget()
    if new.id != cohort.id:
        st.session_state[UNDO] = (new.id, cohort.id, says)
    show.later(f"{says} This is a new version of the cohort.")
    _open(new.id)


def _open(id: str) -> None:
    """Here, on the Data page: changing the page while a deep check's bar renews itself would leave it empty."""
    selection.choose(cohort=id)
    st.rerun()


def undo_bar(cohort: Cohort) -> None:
    """Under the title, as long as the version just made is open: what was done, and the way back."""
    now, before, says = st.session_state.get(UNDO, ("", "", ""))
    if now != cohort.id:
        return
    with st.container(horizontal=True, vertical_alignment="center", key="undo-bar"):
        st.markdown(f":green[:material/check_circle:] {md(says)}", width="content")
        if st.button("Undo", key="undo", icon=":material/undo:", help="Opens the version before; nothing is deleted."):
            back(before)


def back(to: str) -> None:
    """Open an earlier version."""
    st.session_state.pop(UNDO, None)
    try:
        shelf.cohort(to)
    except MedtlError:
        show.error(MedtlError("The version before was deleted.", "Put it right by hand, or bring the images again."))
        return
    show.later("Undone: the version before is open again.", ":material/undo:")
    _open(to)


def who() -> str:
    """What was typed in `ask_who`; empty when nobody wants to be named."""
    return str(st.session_state.get(WHO, "")).strip()


def ask_who() -> None:
    """Asked once a session; the name goes into the log of versions and nowhere else."""
    with st.popover(f"In the log as: {md(who() or 'nobody')}", icon=":material/badge:", type="tertiary"):
        st.caption("Every change is noted with its time. Your name or initials, if you like, stand beside it.")
        st.text_input("Who is mending?", value=who(), max_chars=60, key="mending-who", on_change=_keep_who)


def _keep_who() -> None:
    st.session_state[WHO] = st.session_state["mending-who"]


def coded(cohort: Cohort, typed: str | None) -> str:
    """What is kept of a patient that was typed in: a code, unless it is one, or this cohort keeps names."""
    said = (typed or "").strip()
    known = patients.CODE.fullmatch(said) or said in {case.patient for case in cohort.cases}
    if cohort.privacy.names == "kept" or known:
        return said
    return Pseudonyms(shelf.workspace().salt()).patient(said) or ""


# ---- the draft ------------------------------------------------------------------------------------------------------


def draft(cohort: Cohort) -> drafts.Draft:
    return drafts.read(shelf.workspace(), cohort.id)


def waiting(cohort: Cohort, standing: drafts.Draft) -> Waiting:
    cases: dict[str, Case] = shelf.by_id(cohort)
    known = {case: label for case, label in standing.relabel.items() if case in cases and label in cohort.classes}
    return Waiting(
        {id: label for id, label in known.items() if label != cases[id].label and id not in standing.exclude},
        tuple(sorted(id for id in standing.exclude if id in cases)),
        {id: who for id, who in standing.patients.items() if id in cases and who != (cases[id].patient or "")},
    )


def waiting_bar(cohort: Cohort, key: str, *, steady: bool = False) -> None:
    """What was decided and is not yet a version, with the button that makes it one.

    `steady`: it keeps its place while nothing waits, so that nothing moves under somebody's hands.
    """
    changes = waiting(cohort, draft(cohort))
    if not changes and not steady:
        return
    why = None if changes else "Nothing is decided yet that would change the cohort."
    with st.container(horizontal=True, vertical_alignment="center", border=True):
        says = f"**Waiting:** {changes.says}." if changes else ":gray[Nothing waits to be saved.]"
        st.markdown(f":material/edit_note: {says}", width="stretch")
        if st.button(
            "Save as a new version",
            key=f"{key}-save",
            type="primary",
            icon=":material/save:",
            disabled=not changes,
            help=why,
        ):
            edit(
                cohort,
                f"Saved: {changes.says}.",
                saved=True,
                relabel=changes.relabel,
                exclude=changes.exclude,
                patients=changes.patients,
            )
        with st.popover("Throw away…", icon=":material/delete:", disabled=not changes, key=f"{key}-throw-box"):
            st.markdown(f"This forgets: {changes.says}. The cohort stays as it is; what was found right stays noted.")
            if st.button("Throw it away", key=f"{key}-throw", icon=":material/delete:"):
                _throw_away(cohort, changes)


def _throw_away(cohort: Cohort, changes: Waiting) -> None:
    """What the sentence names, and no more: that a label was found right is still so."""
    ws = shelf.workspace()
    named = {*changes.relabel, *changes.exclude, *changes.patients}
    drafts.keep_seen(ws, cohort.id, draft(cohort).seen - named)
    show.later("The waiting changes were thrown away.")
    st.rerun()
