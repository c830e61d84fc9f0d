"""Library: every cohort, run and source on this computer; open, delete, and see how full the disk is."""

import streamlit as st

from pages.ui import catalogue, frame, shelf, show, words


def page() -> None:
    show.heading("Library", "inventory_2")
    st.caption(
        f"{words.size(shelf.disk_use())} used · {words.size(shelf.free())} free on this disk"
        f" · `{shelf.workspace().home}`"
    )
    cohorts, runs, sources = st.tabs([
        f"Cohorts ({len(shelf.cohorts())})",
        f"Runs ({len(shelf.runs())})",
        "Sources",
    ])
    with cohorts:
        catalogue.cohorts()
    with runs:
        catalogue.runs()
    with sources:
        catalogue.sources()


frame.draw(page)
