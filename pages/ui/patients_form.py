"""How patients are told apart by file name: suggestions, a pattern of one's own, and a preview of whom it groups."""

import streamlit as st

from medtl.cohorts import patients
from medtl.errors import MedtlError
from medtl.vocabulary import Cohort
from pages.ui import mending, show, words
from pages.ui.escape import md, short

OWN = "A pattern of my own"


def in_words(rule: str) -> str:
    """A rule that names one of our own patterns, said as we say that pattern."""
    for pattern, says in patients.HABITS:
        rule = rule.replace(f"the file-name pattern {pattern}", says).replace(f"file-name pattern {pattern}", says)
    return rule


def ask(cohort: Cohort, key: str) -> None:
    names = [case.name for case in cohort.cases]
    st.caption(f"Now: {md(in_words(cohort.patient_rule))}")
    suggestions = {one.pattern: one for one in patients.suggest(names)}
    if suggestions:
        choice = st.radio(
            "Patient in the file name",
            [*suggestions, OWN],
            key=f"{key}-choice",
            format_func=lambda p: OWN if p == OWN else md(suggestions[p].says),
            captions=[words.count(one.patients, "patient") for one in suggestions.values()] + [""],
        )
    else:
        st.caption("No pattern in the file names looks like a patient.")
        choice = OWN
    pattern = (
        choice
        if choice != OWN
        else st.text_input("Pattern (regular expression)", key=f"{key}-own", placeholder=r"p\d+")
    )
    if not pattern:
        return
    try:
        preview = patients.preview(names, pattern)
    except MedtlError as wrong:
        show.error(wrong)
        return
    _preview(preview)
    if st.button("Use this", key=f"{key}-use", type="primary", disabled=not preview.groups, icon=":material/groups:"):
        mending.edit(cohort, "Patients are told apart now.", patient_pattern=pattern)


def _preview(preview: patients.PatientPreview) -> None:
    found, missed = len(preview.groups), len(preview.unmatched)
    st.markdown(
        f"**{words.count(found, 'patient')}**" + (f", {words.count(missed, 'file')} without one" if missed else "")
    )
    largest = sorted(preview.groups.items(), key=lambda item: -len(item[1]))[:4]
    for patient, files in largest:
        some = ", ".join(md(short(name.rsplit("/", 1)[-1], 22)) for name in files[:3])
        st.caption(f"**{md(short(patient, 20))}**: {some}{' …' if len(files) > 3 else ''} ({len(files)})")
