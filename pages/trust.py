"""Trust: what the run did on cases it had never seen, each number with its interval, each count with its images."""

from collections.abc import Mapping

import streamlit as st

from medtl.runs.results import Result
from medtl.trust import operating_point
from medtl.trust.lights import Light
from medtl.trust.values import Judgement
from medtl.vocabulary import Cohort
from pages.ui import (
    attention,
    evidence,
    failures,
    frame,
    groups_table,
    other_images,
    papers,
    reading_test,
    report,
    selection,
    several,
    shelf,
    show,
    threshold,
    verdict,
    viewed,
    worth,
)
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
        run_of(chosen)


def run_of(chosen: selection.Selection) -> None:
    """What a reader asks first stands first; each light leads down to its evidence."""
    run, cohort = str(chosen.run), chosen.cohort
    result = shelf.result(run)
    judgement = verdict.judged(run)
    lit = verdict.lit(run, result, judgement, cohort) if judgement else {}
    says = verdict.says(lit, result)
    report.headline(result, says, operating_point.wanted(judgement) if judgement else ())
    verdict.caveats(result, worth.said(result), says)
    verdict.row(lit)
    at = over_all_and_one(run, result, judgement, cohort) if judgement else None
    if at is not None:
        the_one(at, lit)
    other_images.panel(run, result, cohort, lit.get("robustness"))
    worth.all_of(result, run)
    attention.panel(run, result, at.tested if at else None, lit.get("explanation"))
    report.receipt(result, cohort, lit.get("data"))
    reading_test.entry(run)
    papers.panel(run)


def over_all_and_one(run: str, result: Result, judgement: Judgement, cohort: Cohort | None) -> viewed.Viewed | None:
    """Of more than one question first what holds for all of them, then the one that is picked."""
    if result.findings:
        several.overview(result)
    elif len(judgement.views) > 1:
        every_class(result, cohort, run)
    return viewed.pick(run, result, judgement, cohort)


def every_class(result: Result, cohort: Cohort | None, run: str) -> None:
    left, right = st.columns([5, 6], gap="large")
    with left:
        cell = report.confusion(result, run)
    with right:
        report.numbers(result)
    failures.cell(failures.tested(result, cohort, run), cell)
    report.every_number(result)


def the_one(at: viewed.Viewed, lit: Mapping[str, Light]) -> None:
    threshold.panel(at)
    if at.alone or at.result.finding:
        report.every_number(at.result)
    evidence.grid(at, lit)
    failures.panel(at.tested)
    evidence.sets(at)
    evidence.patients(at)
    groups_table.panel(at, lit.get("subgroups"))


frame.draw(page)
