"""Of several findings an image, which single one is to be learned, and what an uncertain label is taken for."""

from collections import Counter
from typing import get_args

import streamlit as st

from medtl.vocabulary import Cohort, Uncertain
from pages.ui import mending, words
from pages.ui.escape import md, plain

UNCERTAIN = {
    "leave-out": "leave the image out",
    "positive": "count it as present",
    "negative": "count it as absent",
}
SAYS = "What becomes of uncertain labels"


def ask(cohort: Cohort, key: str) -> None:
    counts = {label: Counter(case.labels.get(label) for case in cohort.cases) for label in cohort.classes}
    st.caption("All findings are learned together unless you choose one. With one, sources can be measured, too.")
    outcome = st.selectbox(
        "Which finding is to be learned by itself?", cohort.classes, format_func=plain, key=f"{key}-outcome"
    )
    found = counts[outcome]
    st.caption(
        f"Present in {found[1]:,}, absent in {found[0]:,}, uncertain in {found[-1]:,}; nothing was said about "
        f"{words.count(found[None], 'image')}, which will be left out."
    )
    uncertain = uncertain_as(f"{key}-uncertain") if found[-1] else "leave-out"
    if st.button(f"Learn {md(outcome)}", key=f"{key}-learn", type="primary", icon=":material/target:"):
        mending.edit(cohort, f"{plain(outcome)} is to be learned.", outcome=outcome, uncertain=uncertain)


def uncertain_as(key: str) -> Uncertain:
    """The choice for labels such as -1 in CheXpert's tables."""
    options: tuple[Uncertain, ...] = get_args(Uncertain)
    chosen: Uncertain = st.radio(SAYS, options, format_func=UNCERTAIN.__getitem__, horizontal=True, key=key)
    return chosen
