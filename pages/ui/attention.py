"""Where the network looked, over the test cases: the mean map of each class, the checks that say whether a map may be
read at all, and maps that lie where they should not. Maps show where it looked, never where the disease is.
"""

import plotly.graph_objects as go
import streamlit as st
from plotly.subplots import make_subplots

from medtl import start
from medtl.runs.attention import Attention
from medtl.runs.results import Result
from medtl.trust.lights import Light
from medtl.vocabulary import MapCheck
from pages.ui import failures, plots, selection, shelf, show, verdict, words
from pages.ui.escape import md, plain
from pages.ui.escape import plotly as text

SHADES = [[0.0, "#30123B"], [0.25, "#4686FB"], [0.5, "#1AE4B6"], [0.75, "#FABA39"], [1.0, "#C22402"]]  # blue to red
MOST = 8  # mean maps side by side
PASSED: dict[bool | None, str] = {
    True: ":green[:material/check_circle:]",
    False: ":red[:material/cancel:]",
    None: ":gray[:material/help:]",
}


def panel(run: str, result: Result, tested: failures.Tested | None, light: Light | None) -> None:
    verdict.section(
        "Where it looked", "explanation", light,
        "A map shows where the network looked for a class, not where the disease is.",
    )  # fmt: skip
    found = shelf.attention(run)
    if found is None:
        _ask(run, result)
        return
    left, right = st.columns([6, 5], gap="large")
    with left:
        _means(run, found)
    with right:
        _checks(run, result, found)
    _shares(found, tested)


def _ask(run: str, result: Result) -> None:
    st.caption("Every picture on this page opens to its own map: use “Look closer” under it.")
    _offer(run, result)


def _offer(run: str, result: Result) -> None:
    """The button, or why there is none; also where maps were made and their badges were not."""
    now = shelf.progress(run)
    if now.alive or now.status in ("waiting", "running"):
        st.caption(f":material/hourglass_top: More is being worked out for this run. {md(now.says)}")
        st.page_link(selection.path("train"), label="See how far it is", query_params=selection.params())
    elif shelf.or_none(shelf.cohort, result.recipe.cohort) is None:
        st.caption("The cohort of this run was deleted, so no maps can be made.")
    elif st.button(
        "Check the maps of the test cases (a few minutes)", icon=":material/center_focus_strong:", key="maps-check"
    ):
        start.explain(shelf.workspace(), run)
        shelf.forget()
        show.later("Maps are being made and checked. You may go on reading.", ":material/hourglass_top:")
        st.rerun()


def _means(run: str, found: Attention) -> None:
    maps = dict(list(shelf.mean_maps(run).items())[:MOST])
    if not maps:
        st.caption("No test case had a map that could be drawn.")
        return
    figure = make_subplots(
        1, len(maps), horizontal_spacing=0.03,
        subplot_titles=[f"{text(label)}, {words.count(n, 'case')}" for label, (_, n) in maps.items()],
    )  # fmt: skip
    for at, (mean, _) in enumerate(maps.values(), start=1):
        figure.add_trace(
            go.Heatmap(
                z=mean, zmin=0, zmax=max(1e-9, float(mean.max())), colorscale=SHADES, showscale=False,
                hoverinfo="skip", zsmooth="best",
            ), 1, at,
        )  # fmt: skip
    figure.update_xaxes(visible=False, constrain="domain")
    figure.update_yaxes(visible=False, autorange="reversed")
    figure.update_layout(height=260)
    said = ", ".join(f"{plain(label)} {n}" for label, (_, n) in maps.items())
    plots.draw(plots.tidy(figure, top=36), f"Mean map of the test cases of each class: {said}", "trust-maps")
    states = ", ".join(f"{n} {md(state)}" for state, n in found.states.items())
    st.caption(
        f"Where it looked for each class, in the mean over the test cases of that class: red much, blue little. "
        f"{md(found.method)}, layer {md(found.layer)}; {len(found.cases)} of {words.count(found.of, 'test case')} "
        f"({states})."
    )


def _checks(run: str, result: Result, found: Attention) -> None:
    if not found.checks:
        st.caption(f"The maps were made and not checked yet. {md(' '.join(found.notes))}")
        _offer(run, result)
        return
    st.markdown(f"**May they be read?** Checked on {words.count(found.sample, 'test case')}.")
    for check in found.checks:
        short = "" if check.short.lower() == check.title.lower() else f": {md(check.short)}"
        st.markdown(f"{PASSED[check.passed]} **{md(check.title)}**{short}", help=_why(check))


def _why(check: MapCheck) -> str:
    return md(f"{check.says} {check.how}".strip())


def _shares(found: Attention, tested: failures.Tested | None) -> None:
    for share in found.shares:
        mark = ":orange[:material/warning:]" if share.alarm else ":gray[:material/info:]"
        st.markdown(f"{mark} {md(share.says)}")
        wanted = f"Show the {words.count(len(share.cases), 'case')} where most"
        if share.alarm and tested and share.cases and st.toggle(wanted, key=f"share-{share.id}"):
            failures.opened(tested, share.cases, f"**{md(share.title)}**", f"share-{share.id}")
    if found.notes and found.checks:
        st.caption(md(" ".join(found.notes)))
