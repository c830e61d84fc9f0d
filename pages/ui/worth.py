"""Was the transfer worth it? The result beside what could be had for less, and what more cases would bring.

Computes nothing: guards, cross-validation and learning curve were written by the run.
"""

from collections.abc import Sequence

import streamlit as st

from medtl import start
from medtl.runs.results import Control, CrossValidated, LearningCurve, Result
from medtl.training import cost
from pages.ui import cards, plots, selection, shelf, show, side_by_side, words
from pages.ui.escape import md, plain
from pages.ui.side_by_side import Gap

SCRATCH = "from-scratch"
REPEATS, PATIENCE = 5, 1800.0  # of a cross-validation, where they take less than so many seconds together; else one
NAMES = {
    "thumbnails": "no network: thumbnails",
    "linear-probe": "same source, last layer only",
    SCRATCH: "same network, no source",
}
VERDICTS = {  # what stands right of the numbers, its colour, and its icon
    "helps": ("better than this", plots.ACCENT, ":material/trending_up:"),
    "hurts": ("worse than this", plots.DANGER, ":material/trending_down:"),
    "no difference seen": ("no difference seen", plots.QUIET, ":material/trending_flat:"),
}


def warning(result: Result) -> None:
    """At the top of the page and never hidden: what could be had for less did better."""
    for guard in guards(result):
        if guard.verdict == "hurts":
            st.error(f"**{md(guard.says)}**", icon=":material/trending_down:")


def said(result: Result) -> set[str]:
    """What `warning` has said already."""
    return {guard.says for guard in guards(result) if guard.verdict == "hurts"}


def all_of(result: Result, run: str) -> None:
    """The whole section: guards, cross-validation, more cases, and what else can be asked for."""
    panel(result, run)
    left, right = st.columns(2, gap="large")
    with left:
        learning_curve(result.learning_curve)
    with right:
        cross_validated(result.cross_validated)
    with st.container(horizontal=True, vertical_alignment="center"):
        more(result, run)
        others(result, run)


def guards(result: Result) -> tuple[Control, ...]:
    """Runs made before there were several have the one."""
    found = result.guards or ((result.control,) if result.control else ())
    order = list(NAMES)
    return tuple(sorted(found, key=lambda one: order.index(one.name) if one.name in order else len(order)))


def panel(result: Result, run: str) -> None:
    show.section(
        "Was the transfer worth it?",
        help="The same test cases, answered by what could be had for less. Intervals of the paired difference.",
    )
    found = guards(result)
    if found:
        _plot(found)
        for guard in found:
            icon = VERDICTS.get(guard.verdict, ("", "", ":material/trending_flat:"))[2]
            st.markdown(f":small[{icon} {md(guard.says)}]")
    else:
        st.caption("There is nothing to compare this run with yet.")


def _plot(found: Sequence[Control]) -> None:
    rows = []
    for guard in found:
        says, colour, _ = VERDICTS.get(guard.verdict, (guard.verdict, plots.QUIET, ""))
        rows.append(Gap(NAMES.get(guard.name, plain(guard.name)), guard.difference, colour, says))
    said = "; ".join(f"against {row.name} {side_by_side.gap(row.estimate)}, {row.says}" for row in rows)
    plots.draw(
        side_by_side.differences(rows, "control better", "this run better"),
        f"AUROC of this run minus that of each control: {said}",
        "trust-guards",
    )


def more(result: Result, run: str) -> None:
    """What can be asked for besides, each with its time: the full control, and cross-validation."""
    _full_control(result, run)
    _ask_to_cross_validate(result, run)


def _full_control(result: Result, run: str) -> None:
    """Training the same network from scratch is the full control; it takes its time, so it is asked for."""
    recipe = result.recipe
    if recipe.strategy == SCRATCH or any(guard.name == SCRATCH for guard in guards(result)):
        return
    queued = next((one for one in shelf.runs() if one.control_for == run), None)
    if queued and queued.status in ("waiting", "running"):
        st.caption(":material/hourglass_top: Training from scratch is under way; its result will stand here.")
        st.page_link(selection.path("train"), label="See how far it is", query_params={"run": queued.id})
        return
    if shelf.or_none(shelf.cohort, recipe.cohort) is None or shelf.source(recipe.source) is None:
        return
    takes = cards.takes(recipe.cohort, recipe.source, SCRATCH)
    if st.button(
        f"Compare with training from scratch{f' ({md(takes)})' if takes else ''}", icon=":material/compare_arrows:"
    ):
        start.start_control(shelf.workspace(), run)
        shelf.forget()
        show.later("Training from scratch was queued.", ":material/hourglass_top:")
        st.rerun()


def _ask_to_cross_validate(result: Result, run: str) -> None:
    """The plan again in every fold: the answer where the test part is too small to give one."""
    if result.cross_validated is not None or shelf.or_none(shelf.cohort, result.recipe.cohort) is None:
        return
    now = shelf.progress(run)
    if now.alive or now.status in ("waiting", "running"):
        st.caption(f":material/hourglass_top: More is being worked out for this run. {md(now.says)}")
        return
    once = start.cross_validation_takes(shelf.workspace(), run, 1)
    repeats = REPEATS if once * REPEATS < PATIENCE else 1
    times = f", {repeats} times" if repeats > 1 else ""
    if st.button(
        f"Cross-validate in {start.FOLDS} folds{times} ({cost.in_words(once * repeats)})",
        icon=":material/grid_view:",
        help="The plan is carried out anew in every fold, so that every case is tested once by a network that did not "
        "learn from its patient. It tells more than a small test part, and speaks of the plan, not of this network.",
    ):
        start.cross_validate(shelf.workspace(), run, repeats)
        shelf.forget()
        selection.go("train", run=run)


def others(result: Result, run: str) -> None:
    """To the page where runs stand side by side: those of its group at once, else to be picked."""
    group = [one.run for one in shelf.members(result.recipe.group) if one.answered]
    together = [run, *(id for id in group if id != run)][:6]
    alone = len(together) < 2
    rest = len(together) - 1
    says = (
        "Compare with the other run started with it" if rest == 1 else f"Compare with the {rest} runs started with it"
    )
    says = "Compare with other runs" if alone else says
    if st.button(says, icon=":material/compare_arrows:"):
        selection.go("compare", runs=selection.together(together))


# ---- cross-validation and the learning curve -------------------------------------------------------------------------


def cross_validated(found: CrossValidated | None) -> None:
    """Every case tested once by a network that had not seen its patient, again and again."""
    if found is None:
        return
    show.section(
        "Cross-validated result",
        help="The same plan, carried out anew for each fold: every case is tested by a network that did not learn from "
        "its patient. It speaks of the plan, not of the one network that is kept.",
    )
    lowest, highest = min(found.spread, default=found.value), max(found.spread, default=found.value)
    spread = f", {words.count(len(found.spread), 'repeat')} from {lowest:.2f} to {highest:.2f}" if found.spread else ""
    plots.draw(
        side_by_side.spread(found.value, found.low, found.high, found.spread),
        f"Cross-validated AUROC {found.value:.2f} ({found.low:.2f} to {found.high:.2f}){spread}",
        "trust-cross-validated",
    )
    st.markdown(md(found.says))
    st.caption(f"n = {found.n:,}, {found.folds} folds{spread}. Interval by {md(found.how)}.")


def learning_curve(found: LearningCurve | None) -> None:
    show.section("Would more cases help?", help="AUROC with parts of the training cases, and the curve through it.")
    if found is None:
        st.caption("This run has no learning curve.")
        return
    st.markdown(f"**{md(found.says)}**")
    if found.points:
        points = [(float(one.per_class), one.auroc) for one in found.points]
        said = "; ".join(f"{x:g} a class {words.whole(one)}" for x, one in points)
        plots.draw(
            side_by_side.growth(points, found.fitted, points[-1][0]),
            f"AUROC against training cases a class, {plain(found.judged_on)}: {said}",
            "trust-growth",
        )
    for note in found.notes:
        st.caption(md(note))
