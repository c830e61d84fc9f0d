"""Use: one case or a new image, its scores, and where the network looked."""

import streamlit as st

from pages.ui import answers, frame, selection, shelf, show
from pages.ui.consultant import warm
from pages.ui.escape import md

CASE, NEW = "A case of the test part", "New images"


def page() -> None:
    chosen = selection.current()
    show.heading("Use", "center_focus_strong", chosen.synthetic)
    if chosen.wrong:
        show.lost(chosen.wrong)
    elif chosen.run is None:
        show.empty(
            "Here a finished run answers for new images. There is none chosen yet.",
            "Open the Library",
            "library",
            ":material/center_focus_strong:",
        )
    elif not shelf.has_result(chosen.run):
        show.empty(
            f"This run cannot answer yet. {md(shelf.progress(chosen.run).says)}",
            "See how far it is",
            "train",
            ":material/model_training:",
        )
    else:
        ask(chosen)


def ask(chosen: selection.Selection) -> None:
    run = str(chosen.run)
    warm(run)
    recipe = chosen.recipe
    st.caption(f"{md(recipe.title) if recipe else ''} · scores, not probabilities · research use, not for diagnosis")
    what = st.segmented_control(
        "Look at", [CASE, NEW], default=CASE, required=True, key="use-what", label_visibility="collapsed"
    )
    if what == CASE:
        answers.of_a_case(chosen.cohort, run)
    else:
        answers.of_new_images(chosen.cohort, run)


frame.draw(page)
