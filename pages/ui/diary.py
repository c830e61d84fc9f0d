"""The diary of a run on the screen: what it was asked, how far clinicians agreed, whether the images have changed; the
clinician's own reading of one image; switching it off and deleting it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from medtl import watching
from medtl.errors import MedtlError
from medtl.runs import diary
from medtl.watching import Week
from pages.ui import plots, shelf, show, words
from pages.ui.escape import md, plain

NOT_SAID, CANNOT = "not said", "cannot tell"


def reading(run: str, answer: Mapping[str, Any], classes: Sequence[str]) -> None:
    """What the clinician says an image is, beside the answer of the model."""
    folder = shelf.run(run)
    if not answer.get("sha256") or not diary.is_on(folder):
        return
    sha256, frame, kind = str(answer["sha256"]), answer.get("frame"), str(answer.get("kind") or "image")
    image = (sha256, frame, kind)
    kept = reversed(diary.entries(folder))
    mine = next((one.reading for one in kept if (one.sha256, one.frame, one.kind) == image), None)
    if mine is None:
        return
    options = [NOT_SAID, *classes, CANNOT]
    key = f"own-{run}-{sha256}-{frame}"

    def keep() -> None:
        said = st.session_state[key]
        diary.read_by_clinician(folder, sha256, "" if said == NOT_SAID else said, frame, kind)

    st.selectbox(
        "What do you say it is?",
        options,
        options.index(mine) if mine in options else 0,
        format_func=plain,
        key=key,
        on_change=keep,
        help="Goes into the diary of this run, with the hash of the file and no name. Decide before you look at the "
        "answer: who saw it agrees more.",
    )


def page(run: str) -> None:
    ws, folder = shelf.workspace(), shelf.run(run)
    try:
        found = watching.watch(ws, run)
    except MedtlError as wrong:
        show.error(wrong)
        return
    st.caption(
        "Each answer is noted on this computer: when, the hash of the file, what was said. No file name, no patient, "
        "no picture."
    )
    alarms = [week for week in found.weeks if week.alarms]
    for week in alarms[-3:]:
        st.warning(
            f"**Week of {week.week:%-d %b %Y}:** {md(' '.join(week.alarms))}", icon=":material/notification_important:"
        )
    st.markdown("  \n".join(md(sentence) for sentence in found.says))
    if found.weeks:
        show.section("Refused, week by week")
        plots.draw(_weeks(found.weeks), _alt(found.weeks), f"diary-weeks-{run}")
        with st.expander("Every week in words"):
            st.markdown("\n".join(f"- **{week.week:%-d %b %Y}:** {md(week.says)}" for week in reversed(found.weeks)))
    if found.agreement:
        show.section("Your readings against its answers")
        st.dataframe(
            {
                "period": [one.period for one in found.agreement],
                "images": [one.n for one in found.agreement],
                "agreement": [one.says for one in found.agreement],
            },
            hide_index=True,
            alt="How often the model and the clinician agreed, all together and each month",
        )
    _switches(folder, found.on, found.answers)


def _weeks(weeks: Sequence[Week]) -> go.Figure:
    figure = go.Figure()
    figure.add_scatter(
        x=[f"{one.week:%-d %b %Y}" for one in weeks],
        y=[one.refused.value for one in weeks],
        mode="lines+markers",
        name="refused",
        marker={"size": 10, "color": [plots.DANGER if one.alarms else plots.ACCENT for one in weeks]},
        line={"color": plots.QUIET},
        error_y={
            "type": "data", "symmetric": False, "color": plots.ACCENT, "thickness": 2,
            "array": [one.refused.high - one.refused.value for one in weeks],
            "arrayminus": [one.refused.value - one.refused.low for one in weeks],
        },
        hovertext=[plain(one.says) for one in weeks],
        hoverinfo="text",
    )  # fmt: skip
    figure.update_yaxes(range=[-0.02, 1.02], tickformat=".0%", title_text="share refused")
    figure.update_xaxes(title_text="week from", type="category")
    figure.update_layout(height=260)
    return plots.tidy(figure)


def _alt(weeks: Sequence[Week]) -> str:
    return "Share of images refused each week: " + "; ".join(
        f"{one.week}: {one.refused.value:.0%} of {one.n}" for one in weeks
    )


def _switches(folder: Any, on: bool, answers: int) -> None:
    st.divider()
    key = f"diary-on-{folder.name}"
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.toggle(
            "Keep this diary",
            on,
            key=key,
            help="Off: nothing new is written; what is there stays.",
            on_change=lambda: diary.switch(folder, bool(st.session_state[key])),
        )
        if answers and st.button("Delete it", icon=":material/delete:", type="tertiary", key="diary-delete"):
            _delete(folder, answers)


@st.dialog("Delete the diary of this run?", icon=":material/delete:")
def _delete(folder: Any, answers: int) -> None:
    st.markdown(f"{words.count(answers, 'answer')} and the readings beside them are gone for good.")
    if st.button("Delete it", type="primary", key="diary-delete-sure"):
        diary.delete(folder)
        show.later("The diary is deleted.")
        st.rerun()
