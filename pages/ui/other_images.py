"""How it does on images that are not quite like those it learned from: changed ones, and those of another cohort. Both
are worked out by a worker when they are asked for; the time stands on the button.
"""

from collections.abc import Sequence

import plotly.graph_objects as go
import streamlit as st

from medtl import external, robustness
from medtl.errors import MedtlError
from medtl.evaluation.external import External as Compared
from medtl.runs.afterwards import External, Perturbed, Robustness
from medtl.runs.results import Result
from medtl.training import cost
from medtl.trust.abroad import Abroad
from medtl.trust.lights import Light
from medtl.vocabulary import Cohort, Estimate
from pages.ui import plots, selection, shelf, show, side_by_side, verdict, words
from pages.ui.escape import md, plain
from pages.ui.escape import plotly as text

LEAVE_OUT = "leave these out"


def panel(run: str, result: Result, cohort: Cohort | None, light: Light | None) -> None:
    verdict.section("On other images", "robustness", light)
    changed, elsewhere = st.tabs(["Changed images", "Another cohort"])
    with changed:
        _robust(run, result, cohort)
    with elsewhere:
        _elsewhere(run, result, cohort)


def _busy(run: str) -> bool:
    """Something is being worked out for this run already: said, and nothing more is offered."""
    now = shelf.progress(run)
    if not (now.alive or now.status in ("waiting", "running")):
        return False
    st.caption(f":material/hourglass_top: More is being worked out for this run. {md(now.says)}")
    st.page_link(selection.path("train"), label="See how far it is", query_params=selection.params())
    return True


# ---- changed images -------------------------------------------------------------------------------------------------


def _robust(run: str, result: Result, cohort: Cohort | None) -> None:
    found = result.robustness
    if found is None:
        st.markdown(
            "Darker, blurred, noisy, turned or compressed images: how far does its AUROC fall on the same cases? This "
            "has not been measured for this run."
        )
        if not _busy(run):
            _measure(run, cohort)
        return
    st.markdown(f"**{md(found.says)}**")
    shown = sorted(found.rows, key=lambda row: (row.kind, abs(row.amount)))
    said = "; ".join(f"{row.name} {side_by_side.gap(row.fall)}" for row in shown)
    plots.draw(_falls(shown), f"Fall of the AUROC under each change, with 95 % intervals: {plain(said)}", "trust-falls")
    who = f", {words.count(found.patients, 'patient')}" if found.patients is not None else ""
    st.caption(
        f"AUROC unchanged {words.whole(found.auroc)} on {words.count(found.cases, 'test case')}{who}. "
        f"{md(' '.join(found.notes))}"
    )
    with st.expander("Every change with its numbers", icon=":material/table:"):
        _changes(found)


def _measure(run: str, cohort: Cohort | None) -> None:
    if cohort is None:
        st.caption("The cohort of this run was deleted, so its images cannot be changed and scored again.")
        return
    try:
        seconds = robustness.takes(shelf.workspace(), run)
    except MedtlError as wrong:
        st.caption(f"It cannot be measured. {md(wrong.message)}")
        return
    if st.button(f"Measure it ({cost.in_words(seconds)})", icon=":material/blur_on:", key="robust-measure"):
        robustness.ask(shelf.workspace(), run)
        shelf.forget()
        show.later("Changed images are being scored. You may go on reading.", ":material/hourglass_top:")
        st.rerun()


def _falls(rows: Sequence[Perturbed]) -> go.Figure:
    figure = go.Figure()
    figure.add_vline(x=0, line={"color": plots.QUIET, "dash": "dot", "width": 1.5})
    for y, row in enumerate(rows):
        colour = plots.DANGER if row.verdict == "falls" else plots.QUIET if row.verdict == "too few" else plots.ACCENT
        figure.add_scatter(
            x=[row.fall.value], y=[y], mode="markers", showlegend=False, hovertext=[text(row.says)], hoverinfo="text",
            marker={"size": 9, "color": colour, "symbol": "diamond" if row.verdict == "falls" else "circle"},
            error_x={
                "type": "data", "symmetric": False, "color": colour, "thickness": 2, "width": 4,
                "array": [row.fall.high - row.fall.value], "arrayminus": [row.fall.value - row.fall.low],
            },
        )  # fmt: skip
        figure.add_annotation(plots.right(y, 12, _said(row)))
    figure.update_xaxes(
        title_text="fall of the AUROC (right of the line: worse than on unchanged images)", zeroline=False
    )
    figure.update_yaxes(
        tickvals=list(range(len(rows))), ticktext=[text(row.name) for row in rows], range=[len(rows) - 0.4, -0.6],
        ticksuffix="  ", showgrid=False,
    )  # fmt: skip
    figure.update_layout(height=70 + 27 * len(rows))
    figure = plots.tidy(figure)
    figure.update_layout(margin={"r": 190, "l": 10, "t": 6})
    return figure


def _said(row: Perturbed) -> str:
    said = f"{row.fall.value:.2f} ({row.fall.low:.2f} to {row.fall.high:.2f})".replace("-", "−")
    return f"<b>{said}  falls</b>" if row.verdict == "falls" else said


def _changes(found: Robustness) -> None:
    st.dataframe(
        {
            "change": [plain(row.name) for row in found.rows],
            "what is done": [plain(row.does) for row in found.rows],
            "AUROC": [words.whole(row.auroc) for row in found.rows],
            "fall": [f"{row.fall.value:.2f} ({row.fall.low:.2f} to {row.fall.high:.2f})" for row in found.rows],
            "calls that change": [
                f"{words.part(round(row.changed.value * row.changed.n), row.changed.n)} "
                f"({words.span(row.changed.low, row.changed.high)})"
                for row in found.rows
            ],
        },
        hide_index=True,
        alt="Every change of the images with the AUROC, its fall and the calls that change",
    )


# ---- another cohort -------------------------------------------------------------------------------------------------


def _elsewhere(run: str, result: Result, cohort: Cohort | None) -> None:
    st.markdown(
        "A held-out part of the same cohort is an **internal** test. Images of another site, scanner or time, scored "
        "with everything frozen, are an **external** one: there most models lose."
    )
    for there in shelf.abroad(run) if result.externals else ():
        _beside(there)
    if not _busy(run):
        _ask(run, cohort)


def _beside(there: Abroad) -> None:
    """Both tests side by side with their difference, and what else is different about the other cohort."""
    found = there.tested
    who = f", {words.count(found.patients, 'patient')}" if found.patients is not None else ""
    with st.container(border=True):
        st.markdown(
            f"**{md(found.title)}** · {words.count(found.cases, 'case')}{who} · {md(words.day(found.made))}"
            + (" · SYNTHETIC" if found.synthetic else "")
        )
        for compared in filter(None, (there.whole, *there.views)):
            _compared(compared, named=there.whole is not None or len(there.views) > 1)
        with st.expander("What else differs there", icon=":material/difference:"):
            for line in _differs(there):
                st.markdown(f":small[{md(line)}]")
        for line in (*found.notes, _shifted(found), _left_out(found)):
            if line:
                st.caption(md(line))


def _compared(found: Compared, named: bool) -> None:
    if not found.rows:
        st.caption(md(" ".join(found.says)))
        return
    if named:
        st.markdown(f"**{md(found.about)}**")
    for says in found.says[:2]:
        st.markdown(md(says))
    st.table(
        {
            "number": [words.title(row.name) for row in found.rows],
            "internal test": [_whole(row.internal) for row in found.rows],
            "external test": [_whole(row.external) for row in found.rows],
            "difference": [side_by_side.gap(row.difference) for row in found.rows],
        },
        hide_index=True,
        border="horizontal",
        alt="Internal and external test side by side with their difference, with 95 % intervals",
    )


def _whole(one: Estimate) -> str:
    return f"{words.whole(one)}, n = {one.n:,}"


def _differs(there: Abroad) -> list[str]:
    """How common it is, what the scores promise, how the images look and lie; it may explain a fall, it proves none."""
    said = [line for one in there.shifts for line in one.says]
    said += [one.says for one in there.images]
    return [*said, *([there.features.says] if there.features else [])]


def _shifted(found: External) -> str:
    """Why it may differ: how many are of another kind."""
    return (
        f"The gate refuses {100 * found.external.refused:.0f} % of these images as of another kind; of the internal "
        f"test part {100 * found.internal.refused:.0f} %."
    )


def _left_out(found: External) -> str:
    gone = [f"{len(ids):,} because {why}" for why, ids in found.excluded.items() if ids]
    return f"Left out: {'; '.join(gone)}." if gone else ""


def _ask(run: str, cohort: Cohort | None) -> None:
    others = {one.id: one.title for one in shelf.cohorts() if cohort is None or one.id != cohort.id}
    if cohort is None:
        st.caption("The cohort of this run was deleted, so it cannot be told which images it had learned from.")
        return
    if not others:
        st.caption("There is no other cohort yet. Bring images of another site or time on the page Data.")
        return
    names = words.distinct(others)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        picked = st.selectbox(
            "Test it on", list(names), index=None, format_func=lambda id: plain(names[id]), key="external-cohort",
            placeholder="Pick another cohort", width=360,
        )  # fmt: skip
        same = st.toggle(
            "Other patients, even where codes agree", key="external-other",
            help="Two hospitals that both count from 1 have the same codes for other people.",
        )  # fmt: skip
    other = shelf.or_none(shelf.cohort, picked)
    if other is not None:
        _asked(run, cohort, other, same)


def _asked(run: str, cohort: Cohort, other: Cohort, other_patients: bool) -> None:
    mapping = _mapping(cohort, other)
    try:
        asked = external.check(shelf.workspace(), run, other.id, mapping, other_patients)
    except MedtlError as wrong:
        show.error(wrong)
        return
    gone = sum(len(ids) for ids in asked.excluded.values())
    left = f" {gone:,} are left out: {'; '.join(asked.excluded)}." if gone else ""
    st.caption(md(f"{words.count(asked.cases, 'case')} would be scored.{left}"))
    seconds = external.takes(shelf.workspace(), run, other.id)
    if st.button(f"Test it there ({cost.in_words(seconds)})", icon=":material/travel_explore:", key="external-go"):
        external.ask(shelf.workspace(), run, other.id, mapping, other_patients)
        shelf.forget()
        show.later("The other cohort is being scored. You may go on reading.", ":material/hourglass_top:")
        st.rerun()


def _mapping(cohort: Cohort, other: Cohort) -> dict[str, str]:
    """Which class of the other cohort is which, asked where the names differ."""
    strange = [name for name in other.classes if _plainly(name) not in {_plainly(one) for one in cohort.classes}]
    mapping = {}
    for name in strange:
        picked = st.selectbox(
            f"{md(name)} there is here", ["", *cohort.classes],
            format_func=lambda one: plain(one) if one else LEAVE_OUT, key=f"external-map-{other.id}-{name}", width=360,
        )  # fmt: skip
        mapping[name] = str(picked or "")
    return mapping


def _plainly(name: str) -> str:
    return " ".join(name.casefold().replace("_", " ").replace("-", " ").split())
