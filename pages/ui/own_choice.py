"""Starting what was picked by hand: alone, or with up to five others on the same split, to be compared."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from medtl import automatic
from medtl import start as starting
from medtl.strategies.suiting import suited
from medtl.training import cost
from medtl.vocabulary import Cohort, Source
from pages.ui import cards, findings_policy, operating, selection, shelf, strategy_table
from pages.ui.escape import md, plain
from pages.ui.strategy_card import Choice

MOST = 5  # others beside the one that is picked
SCRATCH = "from-scratch"


def start(cohort: Cohort, source: Source, choice: Choice, limit: int, missing: str) -> None:
    others = [] if choice.alone else _others(cohort, source, choice.strategy)
    control = _control(cohort, source, [choice.strategy, *others])
    missing = missing or choice.missing
    seconds = _seconds(cohort, source, choice, others, control, limit)
    what = f"Start these {1 + len(others)}" if others else "Start this one"
    pressed = st.button(
        f"{what}{f' ({cost.in_words(seconds)})' if seconds else ''}",
        icon=":material/play_arrow:",
        disabled=bool(missing),
        help=missing or None,
    )
    operating.beside(cohort)
    if missing:
        st.markdown(f":small[:orange[:material/error:] {md(missing)}]")
    if pressed:
        run = _begin(cohort, source, choice, others, control, limit)
        shelf.forget()
        selection.go("train", run=run)


def _others(cohort: Cohort, source: Source, id: str) -> list[str]:
    """Only such as need nothing else to be named."""
    titles = {row.id: row.title for row in strategy_table.comparable(cohort, source) if row.id != id}
    kept = [one for one in st.session_state.get("compare-with", []) if one in titles]
    st.session_state["compare-with"] = kept
    picked = st.multiselect(
        "Compare with",
        list(titles),
        format_func=lambda one: plain(titles[one]),
        key="compare-with",
        max_selections=MOST,
        placeholder="Up to five more, on the same split",
        help="They are trained one after the other and tested on the same cases, each with the settings that suit it.",
    )
    return list(picked)


def _control(cohort: Cohort, source: Source, ids: Sequence[str]) -> starting.Control:
    """What the result is measured against: by default a control that costs nothing; the full one on wish."""
    if SCRATCH in ids:
        return "thumbnails"
    takes = cards.takes(cohort.id, source.id, SCRATCH)
    full = st.checkbox(
        f"Also from scratch{f' ({md(takes)})' if takes else ''}",
        key="control",
        help="The full control: the same network without its source, on the same split. It queues behind this run. "
        "Without it the result is compared with thumbnails and no network at all, which costs nothing.",
    )
    return "from-scratch" if full else "thumbnails"


def _seconds(
    cohort: Cohort, source: Source, choice: Choice, others: Sequence[str], control: starting.Control, limit: int
) -> float:
    took = [cards.seconds(cohort.id, source.id, choice.strategy, choice.settings)]
    took += [row.seconds for row in strategy_table.rows(cohort, source) if row.id in others]
    took += [cards.seconds(cohort.id, source.id, SCRATCH)] if control == SCRATCH else []
    whole = sum(one for one in took if one is not None)
    return min(whole, limit) if limit else whole


def _begin(
    cohort: Cohort, source: Source, choice: Choice, others: Sequence[str], control: starting.Control, limit: int
) -> str:
    if others:
        return automatic.begin(
            shelf.workspace(), cohort.id, source.id, [choice.strategy, *others], seed=choice.seed, budget=limit,
            settings={choice.strategy: choice.settings, **{id: suited(id, cohort) for id in others}}, control=control,
            labels=findings_policy.chosen(cohort), **operating.chosen(cohort),
        )  # fmt: skip
    named = {"unlabelled": choice.unlabelled, "teacher": choice.teacher}
    more: dict[str, Any] = {name: value for name, value in named.items() if value}
    return starting.start(
        shelf.workspace(), cohort.id, source.id, choice.strategy,
        settings=choice.settings, seed=choice.seed, control=control, budget=limit, **more,
        **findings_policy.chosen(cohort), **operating.chosen(cohort),
    )  # fmt: skip
