"""Strategy: how the source is transferred, what will happen step by step, and the one Start button."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from medtl import rank, start
from medtl.errors import MedtlError
from medtl.strategies import STRATEGIES, make, settings_of
from medtl.vocabulary import Cohort, Source
from pages.ui import cards, frame, ranking, selection, settings_form, shelf, show
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
    advice = rank.advised(cohort, (source,), found)
    st.markdown(f":material/lightbulb: **{md(shelf.strategy_title(advice.strategy))}.** {md(advice.says_strategy)}")
    st.caption(f"From **{md(source.title)}** to **{md(cohort.title)}**.")
    if says := ranking.note(cohort, found, source.id):
        st.caption(f":material/info: {md(says)}")
    if found and found.says_race:
        st.caption(f":material/sprint: {md(found.says_race)}")
    left, right = st.columns([2, 3], gap="large")
    with left:
        id = pick(cohort, source, chosen.strategy or advice.strategy)
    with right:
        settings, seed, control = plan(cohort, source, id)
        go(cohort, source, id, settings, seed, control)


def pick(cohort: Cohort, source: Source, at: str) -> str:
    """The strategies as a list; an impossible one says why."""
    possible = [one for one in STRATEGIES if not make(one.id).why_not(source, cohort)]
    ids = [one.id for one in possible]
    if not ids:
        raise MedtlError("No strategy can be used with this source and cohort.", "Pick another source.")
    at = at if at in ids else ids[0]
    st.session_state["strategy-pick"] = at
    st.radio(
        "How",
        ids,
        key="strategy-pick",
        format_func=lambda id: md(STRATEGIES[id].card.title),
        captions=[md(one.card.says) for one in possible],
        on_change=lambda: selection.choose(strategy=st.session_state["strategy-pick"]),
    )
    for one in STRATEGIES:
        if why := make(one.id).why_not(source, cohort):
            st.markdown(f":gray[:material/block: {md(one.card.title)}: {md(why)}]")
    return at


def plan(cohort: Cohort, source: Source, id: str) -> tuple[Mapping[str, Any], int, str]:
    """The plan before Start, the settings behind it, and what the result will be compared with."""
    place = st.container(border=True)
    with st.expander("Advanced", icon=":material/settings:"):
        settings = settings_form.ask(settings_of(STRATEGIES[id]), f"set-{id}")
        seed = int(st.number_input("Seed", 0, 2**31 - 1, 0, help="The same seed gives the same numbers.", key="seed"))
        if STRATEGIES[id].card.reference:
            st.caption(f"Reference: {md(STRATEGIES[id].card.reference)}")
        if STRATEGIES[id].card.limits:
            st.caption(f"Limits: {md(STRATEGIES[id].card.limits)}")
    with place:
        st.markdown(f"**The plan: {md(STRATEGIES[id].card.title)}**")
        cards.plan(make(id, settings).plan(source.outline, len(cohort.classes)), source.outline, len(cohort.classes))
        takes = cards.takes_and_why(cohort.id, source.id, id, settings)
        if takes:
            st.markdown(f":material/schedule: {md(takes[:1].upper() + takes[1:])}.")
    return settings, seed, control(cohort, source, id)


def control(cohort: Cohort, source: Source, id: str) -> str:
    """By default a control that costs nothing; the full one on wish."""
    if id == "from-scratch":
        st.caption("Compared with: thumbnails, no network at all.")
        return "thumbnails"
    takes = cards.takes(cohort.id, source.id, "from-scratch")
    full = st.checkbox(
        f"Also train from scratch as the full control{f', {md(takes)}' if takes else ''}",
        key="control",
        help="The same network without its source, on the same split. It queues behind this run.",
    )
    st.caption("" if full else "Compared with 32 × 32 thumbnails and no network at all, which costs nothing.")
    return "from-scratch" if full else "thumbnails"


def go(cohort: Cohort, source: Source, id: str, settings: Mapping[str, Any], seed: int, control: str) -> None:
    takes = cards.takes(cohort.id, source.id, id, settings)
    missing = what_is_missing(cohort, source)
    pressed = st.button(
        f"Start{f' ({md(takes)})' if takes else ''}",
        type="primary",
        icon=":material/play_arrow:",
        disabled=bool(missing),
        help=missing or None,
    )
    if missing:
        st.caption(f":orange[:material/error:] {md(missing)}")
    if pressed:
        run = start.start(
            shelf.workspace(),
            cohort.id,
            source.id,
            id,
            settings=settings,
            seed=seed,
            control=control,  # type: ignore[arg-type]
        )
        shelf.forget()
        selection.go("train", run=run)


def what_is_missing(cohort: Cohort, source: Source) -> str:
    """The sentence under a Start button that cannot be pressed."""
    if why := start.why_not(cohort):
        return f"{why[0]} {why[1]}"
    if not source.available:
        return source.why_not or "The source is not on this computer."
    return ""


frame.draw(page)
