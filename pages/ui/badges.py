"""What a map is worth, measured: badges with a sentence each, and how much of it lies where no patient is.

Measured behind everything else, so that nobody waits for it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import streamlit as st

from medtl.errors import MedtlError, NotReady
from medtl.explanation import attention as shares
from medtl.runs import attention
from pages.ui import consultant, shelf, show
from pages.ui.consultant import Subject
from pages.ui.escape import md

ALARM = 1.5  # times the area: so much of a map on the ground or the edge is worth a word
MARK = {True: (":material/check:", "green"), False: (":material/close:", "orange"), None: (":material/help:", "gray")}
TWICE = ("shuffled-head",)  # said by another badge as well; only in the sentences


def panel(subject: Subject, heat: Mapping[str, Any], picture: Any, label: str, method: str, layer: str) -> None:
    if heat["state"] != "ok":
        return  # a map that is not drawn needs no badges
    st.markdown("**What this map is worth**")
    try:
        found = consultant.badges(subject, label, method, layer)
    except MedtlError as wrong:
        st.caption(f"It could not be measured. {md(wrong.message)} {md(wrong.advice)}")
        return
    if found is None:
        _waiting(subject, label, method, layer)
    else:
        _badges(found)
    _shares(heat, picture)
    _of_run(subject)


@st.fragment(run_every=1)
@show.guarded
def _waiting(subject: Subject, label: str, method: str, layer: str) -> None:
    """Looks every second; when it is there, the page is drawn once more."""
    if consultant.badges(subject, label, method, layer) is not None:
        st.rerun()
    st.caption(
        ":material/hourglass_top: Being measured: the network is shuffled, the region hidden, the picture shifted. "
        "Some seconds."
    )


def _badges(found: Sequence[Mapping[str, Any]]) -> None:
    if not found:
        st.caption("There is no map to check.")
        return
    with st.container(horizontal=True, gap="small"):
        for one in found:
            if one["id"] not in TWICE:
                icon, colour = MARK[one["passed"]]
                st.badge(
                    md(_short(one)), icon=icon, color=colour, help=md(one["says"])  # type: ignore[arg-type]
                )  # fmt: skip
    with st.expander("How each was measured"):
        st.markdown("\n".join(f"- {MARK[one['passed']][0]} **{md(one['title'])}.** {md(one['says'])}" for one in found))
        st.caption(
            "Measured on this one picture: no interval can be given. A map that passes shows what the network used, "
            "not that it was right to."
        )


def _short(one: Mapping[str, Any]) -> str:
    """Title and verdict, without saying the same twice."""
    title, short = str(one["title"]), str(one["short"])
    return title if title.lower() == short.lower() else f"{title}: {short}"


def _shares(heat: Mapping[str, Any], picture: Any) -> None:
    """Of this picture, how much of the map lies on dark or empty parts and along the edges, held against their area."""
    values = np.asarray(heat.get("values") if heat.get("values") is not None else [[0.0]], np.float32)
    step = max(1, max(picture.shape[:2]) // 256)
    small = np.asarray(picture)[::step, ::step]
    masks = {"along the edges": shares.edge(*small.shape[:2])}
    outside = ~shares.body(small)
    if outside.any():
        masks["on dark or empty parts that reach the edge (in ultrasound a shadow, too)"] = outside
    said = []
    for where, mask in masks.items():
        share, area = shares.share(values, mask), float(mask.mean())
        if np.isfinite(share):
            warn = ":orange[:material/warning:] " if share > ALARM * area and share > 0.1 else ""
            said.append(f"{warn}{100 * share:.0f} % of it lies {where}, which takes {100 * area:.0f} % of the image.")
    st.caption(" ".join(said))


def _of_run(subject: Subject) -> None:
    """What was measured over all test cases of the run, where it was."""
    folder = shelf.run(subject.run)
    try:
        found = attention.load(folder)
    except (NotReady, MedtlError):
        return
    mine = next((one for one in found.cases if one.case == subject.case), None)
    if mine and mine.writing is not None:
        st.caption(f"{100 * mine.writing:.0f} % of this map lies on writing in the image.")
    for share in found.alarms:
        st.caption(f":orange[:material/warning:] Over the test cases: {md(share.says)}")
