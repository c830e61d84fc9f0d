"""The card of the strategy that is picked: its plan, what may change, how long; settings and examples on opening."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from medtl.strategies import STRATEGIES, make, settings_of, why_not
from medtl.strategies.suiting import suited
from medtl.vocabulary import Cohort, Plan, Source, Train
from pages.ui import cards, findings_policy, settings_form, shelf, words
from pages.ui.escape import md, plain


@dataclass(frozen=True)
class Choice:
    """What is to be started. `missing` says in a sentence what keeps it from being started, "" when nothing does."""

    strategy: str
    settings: Mapping[str, Any]
    plan: Plan
    seed: int = 0
    unlabelled: str = ""
    teacher: str = ""
    missing: str = ""

    @property
    def alone(self) -> bool:
        """Whether it is started by itself: what it asks for besides cannot be given to a group."""
        return bool(STRATEGIES[self.strategy].asks)


def card(cohort: Cohort, source: Source, id: str, limit: int) -> Choice:
    """The plan stands above the settings it follows from, so its place is kept first."""
    kind = STRATEGIES[id]
    place = st.container(border=True)
    with st.expander("Advanced", icon=":material/settings:"):
        fitting = suited(id, cohort)
        settings = settings_form.ask(settings_of(kind), f"set-{id}-{cohort.id}", fitting)
        findings_policy.ask(cohort)
        seed = int(st.number_input("Seed", 0, 2**31 - 1, 0, help="The same seed gives the same numbers.", key="seed"))
        _small_print(id)
    made = make(id, settings)
    plan = made.plan(source.outline, len(cohort.classes))
    with place:
        st.markdown(f"**The plan: {md(kind.card.title)}**")
        st.caption(md(kind.card.says))
        cards.plan(plan, source.outline, len(cohort.classes))
        _notes(plan, settings, settings_form.says(settings_of(kind), fitting))
        _takes(cohort, source, id, settings, limit)
        asked, missing = _asks(cohort, kind.asks)
    missing = why_not(made, source, cohort) or missing
    return Choice(id, settings, plan, seed, asked.get("unlabelled", ""), asked.get("teacher", ""), missing)


def _small_print(id: str) -> None:
    said = STRATEGIES[id].card
    if said.reference:
        st.caption(f"Reference: {md(said.reference)}")
    if said.limits:
        st.caption(f"Limits: {md(said.limits)}")


def _notes(plan: Plan, settings: Mapping[str, Any], fitting: str) -> None:
    """What an expert looks for first, without opening anything."""
    said = []
    if any(isinstance(step, Train) for step in plan) and "batch_norm" in settings:
        kept = settings["batch_norm"] == "keep"
        said.append(
            "Batch-norm statistics stay as the source has them, the safe way on few cases."
            if kept
            else "Batch-norm statistics follow your images; on few cases that can do harm."
        )
    if fitting:
        said.append(f"Set for your cohort: {fitting}.")
    if said:
        st.caption(md(" ".join(said)))


def _takes(cohort: Cohort, source: Source, id: str, settings: Mapping[str, Any], limit: int) -> None:
    found = cards.cost(cohort.id, source.id, id, settings)
    if found is None:
        return
    st.markdown(f":material/schedule: {md(found.says[:1].upper() + found.says[1:])}.")
    if over := found.over(limit):
        st.markdown(f":small[:orange[:material/timer:] {md(over)}]")


# ---- what some strategies ask for besides --------------------------------------------------------------------------


def _asks(cohort: Cohort, asks: tuple[str, ...]) -> tuple[dict[str, str], str]:
    """What was named, and the sentence of what could not be."""
    asked: dict[str, str] = {}
    missing = ""
    for what in asks:
        found = _cohorts(cohort) if what == "unlabelled" else _teachers(cohort)
        if found:
            asked[what] = _ask(what, found)
        else:
            missing = NONE[what]
            st.markdown(f":small[:orange[:material/error:] {md(missing)}]")
    return asked, missing


def _ask(what: str, found: dict[str, str]) -> str:
    key = f"ask-{what}"
    return str(
        st.selectbox(LABELS[what], list(found), format_func=lambda id: plain(found[id]), key=key, help=HELP[what])
    )


LABELS = {"unlabelled": "Images used without their labels", "teacher": "The run to learn from"}
HELP = {
    "unlabelled": "Another cohort of the same kind of images. Its labels are not looked at.",
    "teacher": "A finished run of this cohort: its answers on the train part are learned from.",
}
NONE = {
    "unlabelled": "It also learns from images without labels. Bring such images as a cohort of their own first.",
    "teacher": "It learns from the answers of a finished run of this cohort, and there is none yet. Train one first.",
}


def _cohorts(cohort: Cohort) -> dict[str, str]:
    """Others that share nothing with this one: another version of it holds the very cases it is tested on."""
    return words.distinct({
        one.id: f"{one.title} ({words.count(one.cases, 'image')})"
        for one in shelf.cohorts()
        if one.first != cohort.first
    })


def _teachers(cohort: Cohort) -> dict[str, str]:
    return words.distinct({
        run.id: f"{run.title}, AUROC {words.whole(run.headline)}"
        for run in shelf.runs()
        if run.cohort == cohort.id and run.headline is not None and not run.control_for
    })
