"""Automatic: the advice with its reason, the three steps that follow, how long they take, and the one Start button.

What is tried and in which order the engine decides; here it is only said.
"""

from collections.abc import Sequence

import streamlit as st

from medtl import automatic, rank
from medtl.training import cost
from medtl.vocabulary import Cohort, Source
from pages.ui import budget, cards, findings_policy, operating, selection, shelf
from pages.ui.escape import md

SCRATCH = "from-scratch"


def panel(cohort: Cohort, source: Source, missing: str) -> int:
    """Answers the time budget in seconds, 0 for none: it holds for what is picked by hand, too."""
    with st.container(border=True):
        advice = st.container()
        st.caption("Automatic begins with a quick one, and sees by itself whether more is worth its time:")
        steps = st.container()
        with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
            button = st.container(width="content")
            limit = budget.ask()
            operating.ask(cohort)
        strategy, says = rank.strategy_for(shelf.workspace(), cohort, source, limit)
        advice.markdown(f":material/lightbulb: **{md(shelf.strategy_title(strategy))}.** {md(says)}")
        with steps:
            seconds = _steps(cohort, source, limit)
        with button:
            _start(cohort, source, limit, seconds, missing)
        if missing:
            st.markdown(f":small[:orange[:material/error:] {md(missing)}]")
    return limit


def _steps(cohort: Cohort, source: Source, limit: int) -> float:
    """Says them; answers how long they take together."""
    more = [id for id in rank.tried(shelf.workspace(), cohort, source, limit) if id != automatic.PROBE]
    probe = cards.seconds(cohort.id, source.id, automatic.PROBE) or 0.0
    rest = sum(cards.seconds(cohort.id, source.id, id) or 0.0 for id in more)
    whole = probe + rest
    why = _nothing_more(cohort, source, limit) if not more else ""
    for column, (title, says) in zip(st.columns(3, gap="medium"), _said(more, probe, rest, why), strict=True):
        column.markdown(f"**{title}**  \n{md(says)}")
    scratch = cards.seconds(cohort.id, source.id, SCRATCH) or 0.0
    if limit and whole + scratch <= limit:
        st.caption(f"The time also allows the full control, the same network from nothing ({cost.in_words(scratch)}).")
        whole += scratch
    return min(whole, limit) if limit else whole


def _nothing_more(cohort: Cohort, source: Source, limit: int) -> str:
    """Why the probe stays alone."""
    if len(rank.tried(shelf.workspace(), cohort, source)) > 1:
        return f"What else is promising takes longer than {budget.says(limit)} here."
    return "What else is promising cannot be used here, or takes longer than an hour."


def _said(more: Sequence[str], probe: float, rest: float, why: str) -> tuple[tuple[str, str], ...]:
    names = " and ".join(f"“{shelf.strategy_title(id)}”" for id in more)
    few = {1: "One more", 2: "The two most promising"}.get(len(more), "Nothing more")
    return (
        ("1 · Probe first", f"Only the last layer is trained: a first result on the screen in {cost.in_words(probe)}."),
        (
            f"2 · {few}",
            f"{names}, on the same split ({cost.in_words(rest)})." if more else why,
        ),
        ("3 · Keep the best", "The tune part decides, the test part has no say. What else was tried stays to compare."),
    )


def _start(cohort: Cohort, source: Source, limit: int, seconds: float, missing: str) -> None:
    if st.button(
        f"Start Automatic ({cost.in_words(seconds)})",
        type="primary",
        icon=":material/play_arrow:",
        disabled=bool(missing),
        help=missing or None,
    ):
        run = automatic.begin(
            shelf.workspace(), cohort.id, source.id, automatic=True, budget=limit,
            labels=findings_policy.chosen(cohort), **operating.chosen(cohort),
        )  # fmt: skip
        shelf.forget()
        selection.go("train", run=run)
