"""Home: what this is, two doors, the way in three pictures, and what was done last."""

import streamlit as st

from pages.ui import frame, selection, shelf, show, showcase, words
from pages.ui.escape import md, short


def page() -> None:
    st.title("Teach a trained network your own images, and see how far it can be trusted.", anchor=False)
    doors()
    st.space("small")
    showcase.three_pictures()
    st.space("small")
    recent()
    limits()


def doors() -> None:
    """The example leads to its finished run; one's own images to the drop zone."""
    example = showcase.example()
    left, right = st.columns(2, gap="medium")
    with left, st.container(border=True, height="stretch"):
        with st.container(horizontal=True, vertical_alignment="center"):
            show.section("Try the example")
            show.badge_synthetic()
        st.markdown(
            "Ultrasound-like pictures made by code, with one finished run. Walk through every step in two minutes."
        )
        if st.button(
            "Open the example",
            type="primary",
            icon=":material/science:",
            disabled=example is None,
            help=None if example else "The example is not made yet: run `python -m medtl demo` (about 1 min).",
        ):
            cohort, run = example or (None, None)
            selection.go("trust" if run else "data", cohort=cohort, run=run)
    with right, st.container(border=True, height="stretch"):
        with st.container(horizontal=True, vertical_alignment="center"):
            show.section("Bring your images")
        st.markdown("A zip or a folder with one sub-folder a class is enough. They stay on this computer.")
        if st.button("Bring images", type="primary", icon=":material/upload:"):
            selection.go("data", **selection.NOTHING)


def recent() -> None:
    show.section("Recent runs")
    runs = [run for run in shelf.runs() if not run.control_for][:6]
    if not runs:
        st.caption("Your runs will stand here, each with its AUROC and the interval.")
        return
    for run in runs:
        title, number, badge = st.columns([5, 3, 2], vertical_alignment="center")
        with title:
            st.page_link(
                selection.path("trust" if run.headline else "train"),
                label=md(short(run.title, 56)),
                icon=":material/fact_check:" if run.headline else ":material/model_training:",
                query_params={"run": run.id, "cohort": run.cohort},
            )
        if run.headline:
            number.markdown(f"AUROC **{words.value(run.headline)}** ({words.interval(run.headline)})")
        else:
            number.markdown(f":gray[{md(run.status)}]")
        with badge:
            if shelf.synthetic(run.cohort):
                show.badge_synthetic()


def limits() -> None:
    show.section("What it is not for")
    st.markdown(
        "- It is not a medical device: no diagnosis, no treatment decision.\n"
        "- A result holds for the images it was tested on. Another scanner, clinic or year can lower it.\n"
        "- A map of where the network looked is not a map of disease."
    )


frame.draw(page)
