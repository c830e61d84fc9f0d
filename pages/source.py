"""Source: what the network has learned before, and which of the sources fits these images."""

import streamlit as st

from medtl.strategies import recommend
from medtl.vocabulary import Cohort, Source
from pages.ui import bring_source, cards, frame, selection, shelf, show
from pages.ui.escape import md, plain


def page() -> None:
    chosen = selection.current()
    show.heading("Source", "account_tree", chosen.synthetic)
    if chosen.wrong:
        show.lost(chosen.wrong)
    elif chosen.cohort is None:
        show.empty(
            "Here you pick what the network has learned before. Bring images first.",
            "Bring images",
            "data",
            ":material/photo_library:",
        )
    else:
        choose(chosen.cohort, chosen)


def choose(cohort: Cohort, chosen: selection.Selection) -> None:
    sources = shelf.sources()
    advice = recommend(cohort, sources)
    at = chosen.source or (chosen.recipe.source if chosen.recipe else None) or advice.source
    titles = {source.id: source.title for source in sources}
    if at not in titles:
        at = advice.source if advice.source in titles else next(iter(titles))
    st.markdown(f":material/lightbulb: **{md(titles.get(advice.source, ''))}.** {md(advice.says_source)}")
    table(cohort, sources, at)
    source = pick(sources, at)
    missing = "" if source.available else source.why_not or "It cannot be used on this computer."
    if missing:
        st.warning(f"**{md(source.title)}** cannot be used yet. {md(missing)}", icon=":material/block:")
    elif not source.on_disk:
        st.info(f"**{md(source.title)}** is not on this computer yet. {md(source.why_not)}", icon=":material/download:")
    left, right = st.columns([3, 2], gap="large")
    with left:
        cards.source(source)
    with right:
        cards.seen_by(cohort, source)
    bring_source.ask()


def pick(sources: tuple[Source, ...], at: str) -> Source:
    """The chosen one, another one, and the way on: beneath the table, whose toolbar covers what is above."""
    ids = [source.id for source in sources]
    titles = {source.id: source.title for source in sources}
    source = sources[ids.index(at)]

    def chosen() -> None:
        selection.choose(source=st.session_state["source-pick"], run=None)

    st.session_state["source-pick"] = at
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    left.selectbox("Source", ids, format_func=lambda id: plain(titles[id]), key="source-pick", on_change=chosen)
    if right.button(
        "Choose a strategy",
        type="primary",
        icon=":material/arrow_forward:",
        width="stretch",
        disabled=not source.available,
        help=None if source.available else source.why_not,
    ):
        selection.go("strategy", source=at, run=None)
    return source


def table(cohort: Cohort, sources: tuple[Source, ...], at: str) -> None:
    """All sources side by side; a click on a row picks it too."""

    def clicked() -> None:
        if rows := st.session_state["source-table"]["selection"]["rows"]:
            selection.choose(source=sources[rows[0]].id, run=None)

    st.dataframe(
        cards.source_rows(cohort, sources, at),
        hide_index=True,
        key="source-table",
        on_select=clicked,
        selection_mode="single-row",
        height=min(420, 37 + 35 * len(sources)),
        column_config=cards.SOURCE_COLUMNS,
        alt="Sources with what they were trained on, size, cost, licence and availability",
    )


frame.draw(page)
