"""Train: how far the run is, its curves, Stop, and the way on."""

import streamlit as st

from pages.ui import frame, members, progress, selection, shelf, show
from pages.ui.escape import md


def page() -> None:
    chosen = selection.current()
    show.heading("Train", "model_training", chosen.synthetic)
    if chosen.wrong:
        show.lost(chosen.wrong)
    elif chosen.run is None or chosen.recipe is None:
        show.empty(
            "Here you watch the network learn. Start a run first.",
            "Choose a strategy" if chosen.cohort else "Bring images",
            "strategy" if chosen.cohort else "data",
            ":material/tune:" if chosen.cohort else ":material/photo_library:",
        )
    else:
        shown = members.in_hand(chosen.run, chosen.recipe)
        if shown != chosen.run and members.over(chosen.recipe):
            selection.go("train", run=shown)  # so that Trust and Use in the frame are those of the result
        members.panel(chosen.run, chosen.recipe)
        one(shown)


def one(run: str) -> None:
    recipe = shelf.recipe(run)
    st.markdown(f"### {md(recipe.title)}")
    st.caption(
        f"{md(shelf.strategy_title(recipe.strategy))} from {md(shelf.source_title(recipe.source))}"
        f" · seed {recipe.seed} · `{recipe.run}`"
    )
    progress.follow(run, alone=len(shelf.members(recipe.group)) < 2)


frame.draw(page)
