"""Strategy: how the source is transferred. Automatic needs no choice; who wants one reads the plan before Start."""

import streamlit as st

from medtl import rank, start
from medtl.errors import MedtlError
from medtl.rank import Ranking
from medtl.runs import launch
from medtl.vocabulary import Cohort, Source
from pages.ui import (
    augmented,
    automatic_card,
    frame,
    own_choice,
    ranking,
    selection,
    shelf,
    show,
    strategy_card,
    strategy_table,
)
from pages.ui.escape import md


def page() -> None:
    chosen = selection.current()
    show.heading("Strategy", "tune", chosen.synthetic)
    source_id = chosen.source or (chosen.recipe.source if chosen.recipe else None)
    source = shelf.source(source_id) if source_id else None
    if chosen.wrong:
        show.lost(chosen.wrong)
    elif chosen.cohort is None:
        show.empty(
            "Here you choose how to transfer. Bring images first.", "Bring images", "data", ":material/photo_library:"
        )
    elif source is None:
        show.empty(
            "Here you choose how to transfer. Pick a source first.",
            "Pick a source",
            "source",
            ":material/account_tree:",
        )
    else:
        choose(chosen.cohort, source, chosen)


def choose(cohort: Cohort, source: Source, chosen: selection.Selection) -> None:
    found = shelf.ranking(cohort)
    missing = what_is_missing(cohort, source)
    launch.warm_up(shelf.workspace())  # while the user reads: the run then need not wait for imports
    from_to(cohort, source, found)
    limit = automatic_card.panel(cohort, source, missing)
    advice, _ = rank.strategy_for(shelf.workspace(), cohort, source, limit)
    by_hand(cohort, source, chosen.strategy or advice, advice, limit, missing)


def from_to(cohort: Cohort, source: Source, found: Ranking | None) -> None:
    """What is transferred to what, and what measuring said of the source."""
    st.caption(f"From **{md(source.title)}** to **{md(cohort.title)}**.")
    if says := ranking.note(cohort, found, source.id):
        st.caption(f":material/info: {md(says)}")
    if found and found.says_race:
        st.caption(f":material/sprint: {md(found.says_race)}")


def by_hand(cohort: Cohort, source: Source, at: str, advice: str, limit: int, missing: str) -> None:
    """The shelf, the card of the one that is picked, and its own Start."""
    ids = [row.id for row in strategy_table.usable(cohort, source)]
    if not ids:
        raise MedtlError("No strategy can be used with this source and cohort.", "Pick another source.")
    at = at if at in ids else ids[0]
    show.section("Choose yourself")
    strategy_table.pick(cohort, source, at, advice, limit)
    left, right = st.columns([3, 2], gap="large")
    with left:
        strategy_table.choose_by_name(cohort, source, at)
        choice = strategy_card.card(cohort, source, at, limit)
    with right:
        own_choice.start(cohort, source, choice, limit, missing)
    augmented.panel(cohort, source, choice.plan)


def what_is_missing(cohort: Cohort, source: Source) -> str:
    """The sentence under a Start button that cannot be pressed."""
    if why := start.why_not(cohort):
        return f"{why[0]} {why[1]}"
    if not source.available:
        return source.why_not or "The source is not on this computer."
    return ""


frame.draw(page)
