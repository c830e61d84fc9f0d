"""Use: a finished run answers for new images, says where it looked and what to doubt, and keeps a diary of it."""

import streamlit as st

from pages.ui import answers, diary, frame, reading_test, selection, shelf, show
from pages.ui.consultant import warm
from pages.ui.escape import md

NEW, CASE, DIARY = "New images", "A case of the test part", "Diary"


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
    if chosen.cohort is not None:
        warm(run)
    result = shelf.result(run)
    tested = (result.parts or {}).get("test") or {}
    n = f"tested on {tested['cases']:,} images" if tested.get("cases") else "tested on nothing"
    st.caption(f"{md(chosen.recipe.title) if chosen.recipe else ''} · {n} · research use, not for diagnosis")
    if st.session_state.get("use-case"):
        st.session_state["use-what"] = CASE
    what = st.segmented_control(
        "Look at", [NEW, CASE, DIARY], default=NEW, required=True, key="use-what", label_visibility="collapsed"
    )
    if what == DIARY:
        diary.page(run)
    elif what == CASE:
        if reading_test.looking(run, "use"):
            answers.of_a_case(chosen.cohort, run)
        else:
            st.session_state.pop("use-case", None)  # or one could not turn to new images from here
    elif chosen.cohort is None:
        show.empty(
            "The cohort of this run was deleted. Without it nobody knows how its images were read, so new ones cannot "
            "be answered; its numbers are kept on the Trust page.",
            "Open the Library",
            "library",
            ":material/folder_off:",
        )
    else:
        answers.of_new_images(chosen.cohort, run)


frame.draw(page)
