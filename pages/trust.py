"""Trust: what the run did on cases it had never seen, each number with its interval, each count with its images."""

import streamlit as st

from medtl.runs.results import Result
from pages.ui import failures, frame, reading_test, report, selection, several, shelf, show, worth
from pages.ui.escape import md


def page() -> None:
    chosen = selection.current()
    show.heading("Trust", "fact_check", chosen.synthetic)
    if chosen.wrong:
        show.lost(chosen.wrong)
    elif chosen.run is None or chosen.recipe is None:
        show.empty(
            "Here you see how far a finished run can be trusted. There is none chosen yet.",
            "Choose a strategy" if chosen.cohort else "Open the Library",
            "strategy" if chosen.cohort else "library",
            ":material/fact_check:",
        )
    elif not shelf.has_result(chosen.run):
        show.empty(
            f"This run has no result yet. {md(shelf.progress(chosen.run).says)}",
            "See how far it is",
            "train",
            ":material/model_training:",
        )
    else:
        verdict(chosen)


def verdict(chosen: selection.Selection) -> None:
    run = str(chosen.run)
    result = shelf.result(run)
    report.headline(result)
    if result.findings:
        several.overview(result)
        worth.panel(result, run)
        report.others(result, run)
        several.alone(result, chosen.cohort, run, several.pick(result))
    else:
        one_label(result, chosen, run)
    reading_test.entry(run)
    report.receipt(result, chosen.cohort)
    report.downloads(run)


def one_label(result: Result, chosen: selection.Selection, run: str) -> None:
    report.numbers(result)
    worth.cross_validated(result.cross_validated)
    worth.panel(result, run)
    with st.container(horizontal=True, vertical_alignment="center"):
        worth.more(result, run)
        report.others(result, run)
    left, right = st.columns(2, gap="large")
    with left:
        cell = report.confusion(result, run)
    with right:
        report.roc(result, chosen.cohort)
    tested = failures.tested(result, chosen.cohort, run)
    failures.cell(tested, cell)
    left, right = st.columns(2, gap="large")
    with left:
        report.scores(result, chosen.cohort, run)
    with right:
        worth.learning_curve(result.learning_curve)
    failures.panel(tested)


frame.draw(page)
