"""Data: bring images, see what was read, mend what would mislead."""

import streamlit as st

from medtl.vocabulary import Cohort
from pages.ui import (
    adjust,
    bring,
    coming_in,
    deep_check,
    findings,
    frame,
    images,
    inspect_cohort,
    mending,
    second_reader,
    selection,
    show,
    words,
)
from pages.ui.escape import md


def page() -> None:
    chosen = selection.current()
    show.heading("Data", "photo_library", chosen.synthetic and not coming_in.under_way())
    if coming_in.under_way():
        coming_in.follow()
    elif chosen.wrong:
        show.lost(chosen.wrong)
    elif chosen.cohort is None:
        bring.ask()
    elif second_reader.under_way(chosen.cohort):
        second_reader.read(chosen.cohort)
    elif images.walking(chosen.cohort):
        images.walk(chosen.cohort)
    else:
        cohort(chosen.cohort)


def cohort(cohort: Cohort) -> None:
    headline(cohort)
    mending.undo_bar(cohort)
    left, right = st.columns([3, 2], gap="large")
    with left:
        inspect_cohort.counts(cohort)
    with right:
        inspect_cohort.receipt(cohort)
    findings.walk(cohort)
    deep_check.panel(cohort)
    inspect_cohort.skipped(cohort)
    images.panel(cohort)
    adjust.panel(cohort)


def headline(cohort: Cohort) -> None:
    skipped = f" · {words.count(len(cohort.skipped), 'file')} skipped" if cohort.skipped else ""
    left, right = st.columns([4, 1], vertical_alignment="bottom")
    with left:
        st.markdown(f"### {md(cohort.title)}")
        st.caption(
            f"{words.count(len(cohort.cases), 'image')} · {inspect_cohort.people(cohort)} · "
            f"{words.count(len(cohort.classes), 'class', 'classes')}{skipped} · fingerprint `{cohort.id}`"
        )
    with right:
        why = _why_not(cohort)
        if st.button(
            "Choose a source",
            type="primary",
            icon=":material/arrow_forward:",
            width="stretch",
            disabled=bool(why),
            help=why or None,
        ):
            selection.go("source")
        if why:
            st.caption(why)


def _why_not(cohort: Cohort) -> str:
    blocks = len(cohort.blocks)
    return f"Resolve {words.count(blocks, 'finding')} below first." if blocks else ""


frame.draw(page)
