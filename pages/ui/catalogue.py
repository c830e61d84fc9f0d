"""The lists of the Library: one line a thing, its badge, open and delete."""

from collections.abc import Sequence

import streamlit as st

from medtl.comparing import FEWEST, MOST
from medtl.errors import MedtlError
from medtl.runs import store
from medtl.runs.store import RunSummary
from medtl.vocabulary import Source
from pages.ui import selection, shelf, show, versions, words
from pages.ui.escape import md

WIDTHS = [5, 4, 3, 1]
STATES = {
    "finished": ("green", ":material/check_circle:"),
    "running": ("blue", ":material/play_circle:"),
    "waiting": ("gray", ":material/hourglass_top:"),
    "stopped": ("orange", ":material/stop_circle:"),
    "interrupted": ("orange", ":material/power_off:"),
    "failed": ("red", ":material/error:"),
}


def cohorts() -> None:
    found = shelf.cohorts()
    if not found:
        show.empty("Cohorts you bring will stand here.", "Bring images", "data", ":material/photo_library:")
        return
    parents = {one.parent for one in found}
    for one in found:
        with st.container(border=True):
            title, what, when, act = st.columns(WIDTHS, vertical_alignment="center")
            with title, st.container(horizontal=True, vertical_alignment="center"):
                st.page_link(
                    selection.path("data"),
                    label=f"**{md(one.title)}**",
                    icon=":material/photo_library:",
                    query_params={"cohort": one.id},
                )
                if one.synthetic:
                    show.badge_synthetic()
                if one.blocked:
                    st.badge("to resolve", color="red", icon=":material/block:")
                if one.id in parents:
                    st.badge("older version", color="gray")
            patients = "patients unknown" if one.patients is None else words.count(one.patients, "patient")
            classes = ", ".join(f"{md(label)} {n:,}" for label, n in list(one.classes.items())[:4])
            what.markdown(f"{words.count(one.cases, 'image')} · {patients}  \n:gray[:small[{classes}]]")
            when.caption(f"{words.day(one.created)}  \n{words.size(one.bytes)} · `{one.id}`")
            with act:
                if st.button(
                    "",
                    icon=":material/delete:",
                    key=f"delete-{one.id}",
                    help=f"Delete {md(one.title)}",
                    type="tertiary",
                ):
                    versions.confirm_delete(one.id, one.title)


def runs() -> None:
    found = shelf.runs()
    if not found:
        show.empty(
            "Runs will stand here, each with its AUROC and interval.",
            "Bring images",
            "data",
            ":material/model_training:",
        )
        return
    titles = {one.id: one.title for one in shelf.cohorts()}
    ticked = [run for run in found if run.headline and st.session_state.get(f"tick-{run.id}")]
    _compare(ticked)
    for run in found:
        with st.container(border=True):
            tick, title, what, when, act = st.columns([0.4, *WIDTHS], vertical_alignment="center")
            tick.checkbox(
                f"Compare {md(run.title)}",
                key=f"tick-{run.id}",
                label_visibility="collapsed",
                disabled=run.headline is None,
                help=None if run.headline else "It has no result to compare.",
            )
            with title, st.container(horizontal=True, vertical_alignment="center"):
                st.page_link(
                    selection.path("trust" if run.headline else "train"),
                    label=f"**{md(run.title)}**",
                    icon=":material/fact_check:" if run.headline else ":material/model_training:",
                    query_params={"run": run.id, "cohort": run.cohort} if run.cohort else {"run": run.id},
                )
                colour, icon = STATES.get(run.status, ("gray", ":material/help:"))
                st.badge(run.status, color=colour, icon=icon)  # type: ignore[arg-type]
                if shelf.synthetic(run.cohort):
                    show.badge_synthetic()
                if run.control_for:
                    st.badge("control", color="gray")
            headline = (
                f"AUROC **{words.value(run.headline)}** ({words.interval(run.headline)}), n = {run.headline.n}"
                if run.headline
                else md(run.message) or ":gray[no result]"
            )
            of = md(titles.get(run.cohort, "a cohort that was deleted"))
            what.markdown(f"{headline}  \n:gray[:small[{of} · {md(shelf.strategy_title(run.strategy))}]]")
            took = f"{words.duration(run.seconds)} · " if run.seconds else ""
            when.caption(f"{words.day(run.created)}  \n{took}`{run.id}`")
            with act:
                alive = run.status in ("running", "waiting")
                if st.button(
                    "",
                    icon=":material/delete:",
                    key=f"delete-{run.id}",
                    type="tertiary",
                    disabled=alive,
                    help="It is being carried out: stop it first." if alive else f"Delete {md(run.title)}",
                ):
                    _delete_run(run.id, run.title)


def _compare(ticked: Sequence[RunSummary]) -> None:
    """The button over the list, with what is missing while it cannot be pressed."""
    why = ""
    if len({run.cohort for run in ticked}) > 1:
        why = "The ticked runs are of different cohorts, so they were tested on different cases."
    elif not FEWEST <= len(ticked) <= MOST:
        why = f"Tick {FEWEST} to {MOST} finished runs of one cohort to compare them."
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button(
            f"Compare {len(ticked)} runs" if len(ticked) > 1 else "Compare",
            icon=":material/compare_arrows:",
            type="secondary" if why else "primary",
            disabled=bool(why),
            help=why or None,
        ):
            cohort = ticked[0].cohort
            selection.go("compare", cohort=cohort, run=None, runs=selection.together(run.id for run in ticked))
        st.caption(why)


@st.dialog("Delete this run?")
def _delete_run(id: str, title: str) -> None:
    size = sum(file.stat().st_size for file in shelf.run(id).rglob("*") if file.is_file())
    st.markdown(f"**{md(title)}**: its weights, numbers and scores, {words.size(size)}. The cohort stays.")
    st.caption("This cannot be undone.")
    with st.container(horizontal=True):
        if st.button("Delete", type="primary", icon=":material/delete:"):
            try:
                freed = store.delete(shelf.workspace(), id)
            except MedtlError as wrong:
                show.error(wrong)
                return
            shelf.forget()
            show.later(f"Deleted; {words.size(freed)} are free again.")
            selection.go("library", run=None)
        if st.button("Keep it"):
            st.rerun()


def sources() -> None:
    for source in shelf.sources():
        with st.container(border=True):
            title, what, origin, act = st.columns(WIDTHS, vertical_alignment="center")
            title.markdown(f"**{md(source.title)}**  \n:gray[:small[{md(source.card.says)}]]")
            what.markdown(f":small[{md(source.trained_on)}]")
            here = "on this computer" if source.available else f"{md(source.why_not)}"
            origin.caption(f"{here}  \n{md(source.licence)}")
            with act:
                if source.origin == "imported" and st.button(
                    "",
                    icon=":material/delete:",
                    key=f"delete-{source.id}",
                    help=f"Delete {md(source.title)}",
                    type="tertiary",
                ):
                    _delete_source(source)


@st.dialog("Delete this source?")
def _delete_source(source: Source) -> None:
    from medtl.sources import library

    st.markdown(f"**{md(source.title)}** will be gone from this computer; runs made with it keep their numbers.")
    with st.container(horizontal=True):
        if st.button("Delete", type="primary", icon=":material/delete:"):
            try:
                library.delete(shelf.workspace(), source.id)
            except MedtlError as wrong:
                show.error(wrong)
                return
            shelf.forget()
            show.later("The source was deleted.")
            selection.go("library", source=None)
        if st.button("Keep it"):
            st.rerun()
