"""A run under way, polled once a second while it lives and drawn once when it does not."""

import streamlit as st

from medtl import start
from medtl.errors import MedtlError
from medtl.runs import store
from medtl.runs.status import Progress
from medtl.strategies import make
from pages.ui import cards, plots, selection, shelf, show, words
from pages.ui.escape import md


def follow(run: str, alone: bool = True) -> None:
    """Alive: a fragment that ticks. Else: what came of it, and the way on (of a group the group shows the way)."""
    now = shelf.progress(run)
    if _alive(now):
        _ticking(run)
    else:
        _ended(run, now, alone)


def _alive(now: Progress) -> bool:
    return now.status in ("waiting", "running") or now.alive


@st.fragment(run_every=1)
@show.guarded
def _ticking(run: str) -> None:
    now = shelf.progress(run)
    if not _alive(now):
        shelf.forget()
        st.rerun()
    left, right = st.columns([5, 1], vertical_alignment="center")
    with left:
        st.markdown(f"#### {md(_says(run, now))}")
    with right:
        _stop(run, now)
    st.progress(now.fraction or 0.0)
    st.caption(":material/tab_close: You may close this page. The run goes on, and this address leads back to it.")
    _notes(now)
    _plan_and_curves(run, now)


def _says(run: str, now: Progress) -> str:
    return "Stopping, keeping the best so far." if _stopping(run) and now.status == "running" else now.says


def _stopping(run: str) -> bool:
    return store.stop_requested(shelf.run(run))


def _stop(run: str, now: Progress) -> None:
    """Answers at once; the worker follows within seconds and keeps the best so far."""
    stopping = _stopping(run)
    if now.status not in ("waiting", "running"):
        return
    if st.button(
        "Stopping…" if stopping else "Stop",
        icon=":material/stop_circle:",
        disabled=stopping,
        help="Keeps the best so far and tests it.",
        width="stretch",
        key=f"stop-{stopping}",
    ):
        store.request_stop(shelf.run(run))
        st.toast("Stopping, keeping the best so far.", icon=":material/stop_circle:")
        st.rerun(scope="fragment")


def _notes(now: Progress) -> None:
    for note in now.notes:
        st.caption(f":material/info: {md(note)}")


def _plan_and_curves(run: str, now: Progress) -> None:
    left, right = st.columns([2, 3], gap="large")
    with left:
        _plan(run, now)
    with right:
        if now.history:
            _curves(now)
        elif now.status in ("running", "waiting"):
            st.caption("Curves appear here after the first epoch. Training only the last layer has none.")


def _plan(run: str, now: Progress) -> None:
    recipe = shelf.recipe(run)
    source = shelf.source(recipe.source)
    cohort = shelf.or_none(shelf.cohort, recipe.cohort)
    if source is None or cohort is None:
        return
    with st.container(border=True):
        st.markdown("**The plan**")
        steps = make(recipe.strategy, recipe.settings).plan(source.outline, len(cohort.classes))
        in_hand = now.plan_step if now.status == "running" and now.phase == "fit" else None
        cards.plan(steps, source.outline, len(cohort.classes), lit=in_hand)
        if now.phase and now.phase != "fit" and now.status == "running":
            st.caption(f"Now: {md(now.says)}")


def _curves(now: Progress) -> None:
    best = next((point.epoch for point in reversed(now.history) if point.best), None)
    loss, auroc = st.tabs(["Loss", "AUROC on the tune part"])
    said = f", best at epoch {best}" if best is not None else ""
    with loss:
        plots.draw(
            plots.learning(now.history, best),
            f"Loss of train and tune part over {len(now.history)} epochs{said}",
            "curve-loss",
            save=not _alive(now),
        )
    with auroc:
        plots.draw(
            plots.ranking(now.history, best),
            f"AUROC on the tune part over {len(now.history)} epochs{said}",
            "curve-auroc",
            save=not _alive(now),
        )


def _ended(run: str, now: Progress, alone: bool) -> None:
    if now.status == "failed":
        show.error(MedtlError(now.message, now.advice))
        _again(run)
    elif now.status == "interrupted":
        st.warning(
            f"**{md(now.message or 'The run was interrupted.')}**  \n{md(now.advice)}", icon=":material/power_off:"
        )
        with st.container(horizontal=True):
            if st.button("Resume from the last checkpoint", type="primary", icon=":material/resume:"):
                start.resume(shelf.workspace(), run)
                shelf.forget()
                st.rerun()
            _again(run)
    else:
        _finished(run, now, alone)
    _notes(now)
    _plan_and_curves(run, now)


def _finished(run: str, now: Progress, alone: bool) -> None:
    ready = shelf.has_result(run)
    left, right = st.columns([3, 2], vertical_alignment="center")
    with left:
        icon = ":green[:material/check_circle:]" if now.status == "finished" else ":orange[:material/stop_circle:]"
        st.markdown(f"#### {icon} {md(now.says)}")
        if ready:
            st.caption(_times(run))
    with right:
        if ready and st.button(
            "See whether it can be trusted" if alone else "See this one",
            type="primary" if alone else "secondary",
            icon=":material/fact_check:",
            width="stretch",
        ):
            selection.go("trust", run=run)
    if not ready:
        st.caption("It was stopped before there was anything to keep.")
        _again(run)


def _times(run: str) -> str:
    seconds = {name: s for name, s in shelf.result(run).seconds.items() if name not in ("total", "start")}
    return " · ".join(f"{md(name)} {words.duration(s) if s >= 1 else 'under 1 s'}" for name, s in seconds.items())


def _again(run: str) -> None:
    if st.button("Start again", icon=":material/replay:"):
        old = shelf.recipe(run)
        new = start.start(
            shelf.workspace(),
            old.cohort,
            old.source,
            old.strategy,
            settings=old.settings,
            seed=old.seed,
            device=old.device,
            control=old.control,
            control_for=old.control_for,
            uncertain=old.uncertain,
            weigh_tasks=old.weigh_tasks,
            unlabelled=old.unlabelled,
            teacher=old.teacher,
            budget=old.budget,
            size=old.size,
            title=old.title,
        )
        shelf.forget()
        selection.go("train", run=new)
