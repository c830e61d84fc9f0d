"""Explaining by example: the training cases most alike, the most typical one of each class, and the place among all."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from medtl.errors import MedtlError
from medtl.vocabulary import Case, Cohort
from pages.ui import consultant, pictures, plots, shelf, show, words
from pages.ui.consultant import Subject
from pages.ui.escape import md, plain


def nearest(near: Sequence[Mapping[str, Any]], cohort: Cohort | None) -> None:
    """Three pictures with label and distance: often more telling than a map."""
    cases = shelf.by_id(cohort) if cohort else {}
    found = [(cases[one["case"]], float(one["distance"])) for one in near if one["case"] in cases][:3]
    if cohort is None or not found:
        return
    st.markdown(
        "**Most alike among the training cases**",
        help="To the network. Distance 0 is the same, 1 has nothing in common.",
    )
    for column, (case, distance) in zip(st.columns(3), found, strict=False):
        with column:
            pictures.tile(cohort, case)
            st.caption(f"**{md(pictures.labels(cohort, case))}**  \ndistance {distance:.2f}")


def panel(subject: Subject, cohort: Cohort | None) -> None:
    """Asked for, as it takes another look of the network."""
    if cohort is None:
        return
    with st.expander("Typical cases of each class, and its place among all"):
        if st.toggle("Show them", key=f"example-{subject.key}", help="About a second."):
            _drawn(subject, cohort)


@show.guarded
def _drawn(subject: Subject, cohort: Cohort) -> None:
    try:
        with st.spinner("Looking for what it resembles…"):
            told = consultant.similar(subject)
    except MedtlError as wrong:
        st.caption(f"{md(wrong.message)} {md(wrong.advice)}")
        return
    cases = shelf.by_id(cohort)
    left, right = st.columns([2, 3], gap="large")
    with left:
        _prototypes(told["prototypes"], cases, cohort)
    with right:
        _place(told, cases, cohort, subject)


def _prototypes(found: Sequence[Mapping[str, Any]], cases: Mapping[str, Case], cohort: Cohort) -> None:
    st.markdown(
        "**The most typical training case of each class**",
        help="The one nearest to the mean of its class, as the network sees them.",
    )
    shown = [one for one in found if one["case"] in cases]
    for start in range(0, len(shown), 3):
        for column, one in zip(st.columns(3), shown[start : start + 3], strict=False):
            with column:
                pictures.tile(cohort, cases[one["case"]])
                st.caption(f"**{md(one['label'])}**  \nof {words.count(one['of'], 'case')}")


def _place(told: Mapping[str, Any], cases: Mapping[str, Case], cohort: Cohort, subject: Subject) -> None:
    st.markdown("**Its place among the training cases**")
    points = [
        (id, label, plain(cases[id].name), float(x), float(y))
        for id, label, (x, y) in zip(told["cases"], told["labels"], told["points"], strict=True)
        if id in cases
    ]
    figure = plots.landscape(points, cohort.classes)
    figure.add_scatter(
        x=[told["place"][0]], y=[told["place"][1]], mode="markers", name="this image",
        marker={"size": 18, "symbol": "star", "color": plots.DANGER, "line": {"color": "#FFFFFF", "width": 1.5}},
        hovertext=["this image"], hoverinfo="text",
    )  # fmt: skip
    figure.update_layout(dragmode=False, height=340)
    plots.draw(
        figure, f"This image as a star among {words.count(len(points), 'training case')}, coloured by class",
        f"place-{subject.key}",
    )  # fmt: skip
    st.caption(
        f"The two directions in which the training cases differ most; they show {100 * told['explained']:.0f} % of all "
        "differences, so cases that lie together here may still be unlike."
    )
