"""Runs that were started together: how far each is, what it reached, and which of them is the result and why."""

from collections.abc import Sequence

import streamlit as st

from medtl import automatic
from medtl.automatic import Chosen, Member
from medtl.runs import store
from medtl.vocabulary import Recipe
from pages.ui import catalogue, selection, shelf, show, words
from pages.ui.escape import md

ALIVE = ("waiting", "running")
BROKEN = ("failed", "interrupted")
WIDTHS = [5, 4, 3, 2]
SEEN = "See whether it can be trusted"


def in_hand(run: str, recipe: Recipe) -> str:
    """Which member the page shows below: the one asked for; for the group as a whole the one that is being trained, and
    when all is over the one that was chosen (unless the first itself broke off, and can be resumed)."""
    there = shelf.members(recipe.group)
    if run != recipe.group or len(there) < 2:
        return run
    if under_way := [one.run for status in ("running", "waiting") for one in there if one.status == status]:
        return under_way[0]
    if any(one.run == run and one.status in BROKEN for one in there):
        return run
    choice = automatic.chosen(shelf.workspace(), recipe.group)
    return choice.run if choice else run


def over(recipe: Recipe) -> bool:
    """Whether a group has come to its end; False for a run that was started alone."""
    there = shelf.members(recipe.group)
    return len(there) > 1 and not _under_way(there)


def panel(run: str, recipe: Recipe) -> None:
    """Polled while any of them is under way; nothing for a run that was started alone."""
    there = shelf.members(recipe.group)
    if len(there) < 2:
        return
    if _under_way(there):
        _ticking(run, recipe.group, [one.status for one in there])
    else:
        _draw(run, recipe.group, there)


def _under_way(there: Sequence[Member]) -> bool:
    return any(one.status in ALIVE for one in there)


@st.fragment(run_every=2)
@show.guarded
def _ticking(run: str, group: str, before: Sequence[str]) -> None:
    """When one ends or begins the whole page is drawn again, as the one in hand is another."""
    there = shelf.members(group)
    if [one.status for one in there] != list(before):
        shelf.forget()
        st.rerun()
    _draw(run, group, there)


def _draw(run: str, group: str, there: Sequence[Member]) -> None:
    choice = automatic.chosen(shelf.workspace(), group)
    done = sum(one.status not in ALIVE for one in there)
    with st.container(border=True):
        kind = "Automatic: " if there[0].recipe.automatic else ""
        state = "all done" if done == len(there) else f"{done} of {len(there)} done"
        st.markdown(f"**{kind}{len(there)} strategies on one split, {state}**")
        for one in there:
            _row(one, choice)
        if choice:
            _chosen(choice)
        _onwards(there, choice)


def _row(one: Member, choice: Chosen | None) -> None:
    title, says, number, mark = st.columns(WIDTHS, vertical_alignment="center", gap="small")
    with title:
        st.page_link(
            selection.path("trust" if one.answered else "train"),
            label=f"**{md(one.title)}**" if one.status == "running" else md(one.title),
            icon=_icon(one.status),
            query_params={**selection.params(), "run": one.run},
        )
    says.caption(md(shelf.progress(one.run).says))
    auroc = shelf.result(one.run).estimate("auroc") if one.answered else None
    number.markdown(f"Test AUROC **{words.value(auroc)}** ({words.interval(auroc)})" if auroc else ":gray[–]")
    if choice and choice.run == one.run:
        with mark:
            st.badge("chosen" if choice.settled else "best so far", icon=":material/star:", color="green")


def _icon(status: str) -> str:
    return catalogue.STATES.get(status, ("gray", ":material/help:"))[1]


def _chosen(choice: Chosen) -> None:
    so_far = "" if choice.settled else "So far: "
    st.markdown(f":material/star: {so_far}{md(choice.says)}")


def _onwards(there: Sequence[Member], choice: Chosen | None) -> None:
    """To the result, to the comparison, or an end to what is still going on."""
    answered = [one.run for one in there if one.answered]
    ended = not _under_way(there)
    with st.container(horizontal=True, vertical_alignment="center"):
        if choice and st.button(
            SEEN if ended else "See the result so far",
            type="primary" if ended else "secondary",
            icon=":material/fact_check:",
            key="group-trust",
        ):
            selection.go("trust", run=choice.run)
        if len(answered) > 1 and st.button(
            "Compare them", type="primary" if ended and not choice else "secondary", icon=":material/compare_arrows:"
        ):
            selection.go("compare", runs=selection.together(answered[:6]))
        if not ended and st.button(
            "Stop all", icon=":material/stop_circle:", type="tertiary", help="Each keeps the best it has so far."
        ):
            for one in there:
                if one.status in ALIVE:
                    store.request_stop(shelf.run(one.run))
            st.toast("Stopping, keeping the best so far.", icon=":material/stop_circle:")
