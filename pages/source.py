"""Source: what the network has learned before, and which of the sources fits these images."""

import streamlit as st

from medtl import rank
from medtl.rank import Ranking
from medtl.vocabulary import Cohort, Source
from pages.ui import bring_source, cards, cohort_map, frame, ranking, selection, shelf, show
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
    sources, found = shelf.sources(), shelf.ranking(cohort)
    advice = rank.advised(cohort, sources, found)
    at = chosen.source or (chosen.recipe.source if chosen.recipe else None) or advice.source
    if at not in {source.id for source in sources}:
        at = advice.source
    ranking.panel(cohort, advice, found)
    table(cohort, sources, at, found)
    source = pick(cohort, sources, at, found)
    say_what_is_missing(source)
    cohort_map.panel(cohort, source, found)
    left, right = st.columns([3, 2], gap="large")
    with left:
        cards.source(source)
    with right:
        cards.seen_by(cohort, source)
    ranking.second_opinions(found)
    bring_source.ask()


def pick(cohort: Cohort, sources: tuple[Source, ...], at: str, found: Ranking | None) -> Source:
    """The chosen one, another one, and the way on: beneath the table, whose toolbar covers what is above."""
    titles = {source.id: source.title for source in sources}
    source = next(source for source in sources if source.id == at)

    key = f"source-pick-{at}"  # by what is chosen, so that a late answer of the browser cannot choose it back

    def chosen() -> None:
        selection.choose(source=st.session_state[key], run=None)

    st.session_state[key] = at
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    left.selectbox("Source", list(titles), format_func=lambda id: plain(titles[id]), key=key, on_change=chosen)
    if right.button(
        "Choose a strategy",
        type="primary" if found and found.recommended != at else "secondary",
        icon=":material/arrow_forward:",
        width="stretch",
        disabled=not source.available,
        help=source.why_not or None,
    ):
        selection.go("strategy", source=at, run=None)
    if says := ranking.note(cohort, found, at):
        st.caption(f":material/info: {md(says)}")
    ranking.this_one(cohort, found, source)
    return source


def say_what_is_missing(source: Source) -> None:
    if not source.available:
        missing = source.why_not or "It cannot be used on this computer."
        st.warning(f"**{md(source.title)}** cannot be used yet. {md(missing)}", icon=":material/block:")
    elif not source.on_disk:
        st.info(f"**{md(source.title)}** is not on this computer yet. {md(source.why_not)}", icon=":material/download:")


def table(cohort: Cohort, sources: tuple[Source, ...], at: str, found: Ranking | None) -> None:
    """Sources side by side; a click on a row picks it too."""
    kinds = cards.filters(found)
    kind = st.segmented_control("Show", kinds, default=kinds[0], key=f"source-kind-{len(kinds)}", required=True)
    shown = cards.filtered(sources, str(kind), found)
    key = f"source-table-{kind}"

    def clicked() -> None:
        if rows := st.session_state[key]["selection"]["rows"]:
            selection.choose(source=shown[rows[0]].id, run=None)

    if not shown:
        st.caption("There is none of this kind.")
        return
    st.dataframe(
        cards.greyed(cards.source_rows(cohort, shown, at, found), [source.available for source in shown]),
        hide_index=True,
        key=key,
        on_select=clicked,
        selection_mode="single-row",
        height=min(428, 36 + 33 * len(shown)),
        column_config=cards.SOURCE_COLUMNS,
        alt="Sources with score, distance, what they were trained on, cost, size, licence and availability",
    )


frame.draw(page)
