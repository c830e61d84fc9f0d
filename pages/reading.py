"""Read it yourself: some cases of the test part without score and label, then what that says beside the model."""

import streamlit as st

from pages.ui import frame, reading_result, reading_test, selection, shelf, show
from pages.ui.escape import md


def page() -> None:
    chosen = selection.current()
    if chosen.run and chosen.cohort and reading_test.under_way(chosen.run):
        reading_test.read(chosen.run, chosen.cohort)
        return
    show.heading("Read it yourself", "visibility", chosen.synthetic)
    if chosen.wrong:
        show.lost(chosen.wrong)
    elif chosen.run is None or not shelf.has_result(chosen.run):
        show.empty(
            "Here you read cases of the test part of a finished run yourself, and see your answers beside the model's.",
            "Open the Library",
            "library",
            ":material/visibility:",
        )
    elif chosen.cohort is None:
        st.caption("The cohort of this run was deleted, so its images cannot be read any more.")
        reading_result.panel(chosen.run, None)
    else:
        st.caption(f"{md(chosen.recipe.title) if chosen.recipe else ''} · `{chosen.run}`")
        reading_test.panel(chosen.run, chosen.cohort)
        reading_result.panel(chosen.run, chosen.cohort)


frame.draw(page)
