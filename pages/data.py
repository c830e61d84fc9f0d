"""Data: bring images, see what was read, mend what would mislead."""

import streamlit as st

from medtl.vocabulary import Cohort
from pages.ui import bring, findings, frame, inspect_cohort, selection, show, words
from pages.ui.escape import md


def page() -> None:
    chosen = selection.current()
    if bring.under_way():
        show.heading("Data", "photo_library")
        bring.follow()
    elif chosen.wrong:
        show.heading("Data", "photo_library")
        show.lost(chosen.wrong)
    elif chosen.cohort is None:
        show.heading("Data", "photo_library")
        bring.ask()
    else:
        show.heading("Data", "photo_library", chosen.synthetic)
        cohort(chosen.cohort)


def cohort(cohort: Cohort) -> None:
    headline(cohort)
    left, right = st.columns([3, 2], gap="large")
    with left:
        inspect_cohort.counts(cohort)
    with right:
        inspect_cohort.receipt(cohort)
    findings.cards(cohort)
    inspect_cohort.skipped(cohort)
    inspect_cohort.gallery(cohort)
    inspect_cohort.adjust(cohort)


def headline(cohort: Cohort) -> None:
    patients = "patients unknown" if cohort.patients is None else words.count(cohort.patients, "patient")
    skipped = f" · {words.count(len(cohort.skipped), 'file')} skipped" if cohort.skipped else ""
    left, right = st.columns([4, 1], vertical_alignment="bottom")
    with left:
        st.markdown(f"### {md(cohort.title)}")
        st.caption(
            f"{words.count(len(cohort.cases), 'image')} · {patients} · "
            f"{words.count(len(cohort.classes), 'class', 'classes')}{skipped} · fingerprint `{cohort.id}`"
        )
    with right:
        blocks = len(cohort.blocks)
        if st.button(
            "Choose a source",
            type="primary",
            icon=":material/arrow_forward:",
            width="stretch",
            disabled=bool(blocks),
            help=f"Resolve {words.count(blocks, 'finding')} below first." if blocks else None,
        ):
            selection.go("source")
        if blocks:
            st.caption(f"Resolve {words.count(blocks, 'finding')} below first.")


frame.draw(page)
