"""Compare: two to six finished runs of one cohort on one page, and who of them can be told from whom."""

import streamlit as st

from medtl.comparing import FEWEST, MOST, Compared
from medtl.errors import MedtlError
from pages.ui import comparison, frame, selection, shelf, show, words
from pages.ui.escape import md, plain


def page() -> None:
    chosen = selection.current()
    show.heading("Compare", "compare_arrows", chosen.synthetic)
    if chosen.wrong and not chosen.runs:
        show.lost(chosen.wrong)
    elif len(chosen.runs) < FEWEST:
        ask(chosen)
    else:
        try:
            found = shelf.compared(chosen.runs)
        except MedtlError as wrong:
            show.error(wrong)
            ask(chosen)
            return
        lay(found)


def ask(chosen: selection.Selection) -> None:
    """Which runs: those of the cohort in hand right here, any in the Library."""
    able = words.distinct({
        run.id: f"{run.title}, AUROC {words.whole(run.headline)}"
        for run in shelf.runs()
        if chosen.cohort is not None and run.cohort == chosen.cohort.id and run.headline is not None
    })
    if len(able) < FEWEST:
        show.empty(
            "Here finished runs of one cohort stand side by side. Tick 2 to 6 of them in the Library.",
            "Open the Library",
            "library",
            ":material/compare_arrows:",
        )
        return
    picked = st.multiselect(
        "Runs of this cohort",
        list(able),
        default=[id for id in chosen.runs if id in able],
        format_func=lambda id: plain(able[id]),
        max_selections=MOST,
        placeholder="Pick 2 to 6 finished runs",
    )
    few = len(picked) < FEWEST
    if st.button(
        "Compare them",
        type="primary",
        icon=":material/compare_arrows:",
        disabled=few,
        help="Pick at least two runs." if few else None,
    ):
        selection.go("compare", runs=selection.together(picked))
    if few:
        st.caption("Pick at least two. Runs of other cohorts can be ticked in the Library.")


def lay(found: Compared) -> None:
    cohort = shelf.or_none(shelf.cohort, found.cohort)
    of = f"On **{md(cohort.title)}**, " if cohort else ""
    who = f" of {words.count(found.units, found.unit)}" if found.unit != "case" else ""
    st.caption(f"{of}the same {words.count(found.n, 'case')} of the test part{who}.")
    comparison.verdict(found)
    comparison.forest(found)
    comparison.differences(found)
    left, right = st.columns(2, gap="large")
    with left:
        comparison.rocs(found)
    with right:
        comparison.training(found)
    comparison.costs(found)
    comparison.every_pair(found)
    comparison.onwards(found)


frame.draw(page)
