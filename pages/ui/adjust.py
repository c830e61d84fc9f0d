"""The rarer wishes about a cohort, closed until asked for: patients, classes, blanking, readers, privacy, versions."""

from collections.abc import Callable

import streamlit as st

from medtl.vocabulary import Cohort
from pages.ui import (
    blanking,
    classes_form,
    mending,
    outcome_form,
    patients_form,
    privacy,
    second_reader,
    selection,
    show,
    versions,
)
from pages.ui.escape import md


def panel(cohort: Cohort) -> None:
    show.section("This cohort")
    if cohort.task == "multi-label":
        _box(cohort, "Learn one finding only", "target", lambda: outcome_form.ask(cohort, "outcome"))
    _box(cohort, "How patients are told apart", "groups", lambda: patients_form.ask(cohort, "adjust"))
    if len(cohort.classes) == 2 and cohort.task != "multi-label":
        title = f"Which class counts as having it: {md(cohort.positive or '')}"
        _box(cohort, title, "add_circle", lambda: _positive(cohort))
    if cohort.task != "multi-label":
        _box(cohort, "Rename or merge classes", "call_merge", lambda: classes_form.ask(cohort))
        _box(cohort, "A second reader", "supervisor_account", lambda: second_reader.panel(cohort))
    _box(cohort, "Privacy: what was taken out, and the key", "shield_person", lambda: privacy.panel(cohort))
    _box(cohort, f"Versions ({len(versions.known(cohort))})", "history", lambda: versions.panel(cohort))
    with st.container(horizontal=True):
        if st.button("Black something out…", icon=":material/format_ink_highlighter:", key="adjust-blank"):
            blanking.ask(cohort)
        if st.button("Bring other images", icon=":material/upload:"):
            selection.choose(cohort=None, run=None, source=None, strategy=None)
            st.rerun()
        if st.button("Delete this cohort…", icon=":material/delete:"):
            versions.confirm_delete(cohort.id, cohort.title)


def _box(cohort: Cohort, title: str, icon: str, draw: Callable[[], None]) -> None:
    """Nothing inside is computed until it is opened."""
    key = f"adjust-{icon}-{cohort.id}"
    with st.expander(title, icon=f":material/{icon}:", key=key, on_change="rerun") as box:
        if box.open:
            draw()


def _positive(cohort: Cohort) -> None:
    st.caption("Sensitivity is counted among cases of this class, specificity among the other.")
    at = cohort.classes.index(cohort.positive) if cohort.positive in cohort.classes else 0
    positive = st.radio("Class", cohort.classes, at, format_func=lambda c: md(c), horizontal=True, key="positive")
    same = positive == cohort.positive
    if st.button("Use this class", disabled=same, help="It is the one already." if same else None):
        mending.edit(cohort, "The positive class was changed.", positive=positive)
