"""Of several findings: what uncertain labels teach, asked finding by finding, and whether the findings are weighed.

Drawn by `ask` among the advanced settings; `chosen` is what Start hands on, also where nothing was drawn.
"""

from typing import Any

import streamlit as st

from medtl.strategies import uncertain
from medtl.vocabulary import Cohort, Policy
from pages.ui import words
from pages.ui.escape import md, plain

OPTIONS: tuple[Policy, ...] = tuple(uncertain.POLICIES)


def ask(cohort: Cohort) -> None:
    """Nothing for a cohort of one label an image."""
    if cohort.task != "multi-label":
        return
    unsure = uncertain.unsure(cohort)
    if unsure:
        st.markdown("**What uncertain labels teach**", help=uncertain.HELP)
    for column, (finding, count) in zip(_columns(len(unsure)), unsure.items(), strict=False):
        with column:
            st.selectbox(
                f"{md(finding)}: {words.count(count, 'uncertain image')}",
                OPTIONS,
                OPTIONS.index(uncertain.usual(finding)),
                format_func=lambda policy: plain(uncertain.POLICIES[policy]),
                key=_key(cohort, finding),
            )
    st.toggle(
        "Learn how much each finding weighs",
        key=_key(cohort, ""),
        help="While the network trains, findings whose answers stay noisy count less (arXiv:1705.07115). Off: every "
        "answer counts the same. It changes nothing where only the last layer is fitted.",
    )
    if unsure:
        st.caption(f"Reference: {md(uncertain.REFERENCE)}")


def chosen(cohort: Cohort) -> dict[str, Any]:
    """As `start.start` takes it."""
    if cohort.task != "multi-label":
        return {}
    said = {finding: st.session_state.get(_key(cohort, finding)) for finding in uncertain.unsure(cohort)}
    return {
        "uncertain": {finding: policy for finding, policy in said.items() if policy},
        "weigh_tasks": bool(st.session_state.get(_key(cohort, ""), False)),
    }


def _columns(count: int) -> list[Any]:
    columns = st.columns(2) if count else []
    return [columns[at % 2] for at in range(count)]


def _key(cohort: Cohort, finding: str) -> str:
    return f"uncertain-{cohort.id}-{finding}"
