"""Findings of a cohort as cards, the worst first, each with its pictures and, where there is one, its mending."""

import streamlit as st

from medtl.cohorts import library
from medtl.errors import MedtlError
from medtl.vocabulary import Cohort, Finding
from pages.ui import patients_form, pictures, selection, shelf, show, words
from pages.ui.escape import md

ORDER = {"block": 0, "warn": 1, "note": 2}
LOOK = {
    "block": ("red", ":material/block:", "must be resolved before training"),
    "warn": ("orange", ":material/warning:", "would mislead"),
    "note": ("blue", ":material/info:", "good to know"),
}
# Leaving the cases out is what mends these. (Of copies within a class one would lose both, so they are not here.)
LEAVE_OUT = ("label-conflict", "constant-image")
PATIENTS = ("patients-unknown", "patient-unmatched")
SHOWN = 8


def cards(cohort: Cohort) -> None:
    if not cohort.findings:
        st.success("Nothing was found that would mislead.", icon=":material/check_circle:")
        return
    show.section("What was found")
    for finding in sorted(cohort.findings, key=lambda one: ORDER[one.severity]):
        _card(cohort, finding)


def _card(cohort: Cohort, finding: Finding) -> None:
    colour, icon, meaning = LOOK[finding.severity]
    with st.container(border=True):
        st.badge(meaning, color=colour, icon=icon)  # type: ignore[arg-type]
        st.markdown(f"**{md(finding.message)}**  \n{md(finding.advice)}")
        _pictures(cohort, finding)
        if finding.code in LEAVE_OUT and finding.cases:
            _leave_out(cohort, finding)
        if finding.code in PATIENTS:
            with st.popover("Say how patients are told apart", icon=":material/groups:"):
                patients_form.ask(cohort, f"finding-{finding.code}")


def _pictures(cohort: Cohort, finding: Finding) -> None:
    """The cases side by side; the severe ones open, the rest on demand."""
    cases = {case.id: case for case in cohort.cases}
    shown = [cases[id] for id in finding.cases if id in cases]
    if not shown:
        return
    with st.expander(f"Show {words.count(len(shown), 'image')}", expanded=finding.severity == "block"):
        pictures.gallery(
            cohort, shown, f"finding-{finding.code}", columns=SHOWN, rows=1, says=lambda case: md(case.label)
        )


def _leave_out(cohort: Cohort, finding: Finding) -> None:
    these = "this case" if len(finding.cases) == 1 else f"these {len(finding.cases):,} cases"
    if st.button(
        f"Leave {these} out",
        key=f"mend-{finding.code}",
        icon=":material/content_cut:",
        type="primary",
        help="Makes a new version of the cohort; what you brought is not changed.",
    ):
        edit(cohort, f"Left {these} out.", exclude_findings=(finding.code,))


def edit(cohort: Cohort, says: str, **changes: object) -> None:
    """A new version of the cohort, opened at once. The old one stays."""
    try:
        with st.spinner("Checking and splitting anew…"):
            new = library.edit(shelf.workspace(), cohort.id, **changes)  # type: ignore[arg-type]
    except MedtlError as wrong:
        show.error(wrong)
        return
    shelf.forget()
    show.later(f"{says} This is a new version of the cohort.")
    selection.go("data", cohort=new.id)
