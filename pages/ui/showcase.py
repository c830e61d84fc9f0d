"""The way in three pictures, made from the example that lies in the workspace: data in, how it answers, how sure."""

from typing import Any

import streamlit as st

from medtl.errors import MedtlError
from medtl.vocabulary import Cohort
from pages.ui import pictures, plots, shelf
from pages.ui.escape import md


def example() -> tuple[str, str | None] | None:
    """The synthetic cohort and its finished run; None before it was made."""
    cohorts = [one.id for one in shelf.cohorts() if one.synthetic]
    for run in reversed(shelf.runs()):
        if run.cohort in cohorts and run.headline and not run.control_for:
            return run.cohort, run.id
    return (cohorts[-1], None) if cohorts else None


def three_pictures() -> None:
    """Nothing at all while there is no example with a result: an empty frame would promise too much."""
    found = example()
    if not found or not found[1]:
        return
    try:
        cohort, result = shelf.cohort(found[0]), shelf.result(found[1])
        rows = shelf.predictions(found[1])
    except MedtlError:
        return
    first, second, third = st.columns(3, gap="medium")
    with first, st.container(border=True, height="stretch"):
        st.markdown("**1 · Labelled images go in**")
        _montage(cohort)
        st.caption(f"The strip beneath tells the class: {md(', '.join(cohort.classes))}. Patients stay in one part.")
    with second, st.container(border=True, height="stretch"):
        st.markdown("**2 · Every test case gets a score**")
        of = cohort.positive or cohort.classes[-1]
        scores = {c: [r.scores[of] for r in rows if r.part == "test" and r.label == c] for c in cohort.classes}
        threshold = result.threshold.value if result.threshold else None
        figure = plots.histogram(scores, cohort.classes, threshold, of)
        figure.update_layout(height=300)
        plots.draw(figure, f"Scores of the test cases for {of}, by class", "home-scores")
        st.caption("The threshold is chosen on other cases than those it is tested on.")
    with third, st.container(border=True, height="stretch"):
        st.markdown("**3 · And an honest report comes out**")
        curves = {k: v for k, v in result.curves.get("roc", {}).items() if k == of or len(cohort.classes) > 2}
        figure = plots.roc(curves, cohort.classes, None)
        figure.update_layout(height=300)
        plots.draw(figure, "ROC curve with its 95 % band", "home-roc")
        st.caption("Every number with its interval and its n, on cases that were never trained on.")


def _montage(cohort: Cohort, columns: int = 3, rows: int = 3) -> None:
    """Cases of the classes in turn, with the strip of their class beneath each."""
    by_class = [[case for case in cohort.cases if case.label == label] for label in cohort.classes]
    mixed = [case for group in zip(*by_class, strict=False) for case in group][: columns * rows]
    st.image(
        _wall(cohort, mixed, columns), width="stretch", alt=f"Nine images of the cohort, of {len(by_class)} classes"
    )


def _wall(cohort: Cohort, cases: list[Any], columns: int) -> Any:
    import numpy as np

    gap = 8
    tiles = [
        pictures.framed(_square(pictures.original(cohort, case)), plots.class_colour(case.label, cohort.classes), 140)
        for case in cases
    ]
    height, width = tiles[0].shape[:2]
    rows = -(-len(tiles) // columns)
    wall = np.zeros((rows * (height + gap) - gap, columns * (width + gap) - gap, 4), np.uint8)  # transparent gaps
    for at, picture in enumerate(tiles):
        y, x = (at // columns) * (height + gap), (at % columns) * (width + gap)
        wall[y : y + height, x : x + width, :3] = picture
        wall[y : y + height, x : x + width, 3] = 255
    return wall


def _square(pixels: Any) -> Any:
    """The middle of a picture; for show only, the model sees the whole."""
    height, width = pixels.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return pixels[top : top + side, left : left + side]
