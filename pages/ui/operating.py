"""How the threshold shall be chosen: asked in words, before training for the tune part, and again on Trust.

Drawn by `ask`; nothing needs to be chosen.
"""

from typing import Any

import streamlit as st

from medtl.vocabulary import Cohort, OperatingKind, OperatingRule

KINDS: dict[OperatingKind, str] = {
    "youden": "No preference: both kinds of error weigh the same",
    "sensitivity": "Screening: find at least so many of the ill",
    "specificity": "Confirming: let at least so many of the well pass",
    "cost": "One miss weighs as much as so many false alarms",
}
HELP = (
    "The score from which a case is called. It is chosen on the tune part and frozen before the test part is looked at."
)
USUAL = {"sensitivity": 90, "specificity": 90, "cost": 9.0}


def ask(cohort: Cohort) -> None:
    """Among the choices before training; nothing where the highest score decides."""
    if _asked(cohort):
        with st.popover(f"Threshold: {says(rule(cohort.id))}", icon=":material/tune:"):
            pick(cohort.id)


def pick(key: str, now: OperatingRule = OperatingRule()) -> OperatingRule:  # noqa: B008 - a frozen value
    """The two fields themselves; `now` is what they begin with."""
    kind: OperatingKind = st.radio(
        "How the threshold is chosen",
        list(KINDS),
        list(KINDS).index(now.kind),
        format_func=KINDS.__getitem__,
        key=f"operating-{key}",
        help=HELP,
    )
    if kind in ("sensitivity", "specificity"):
        at = 100 * (now.value or 0) if now.kind == kind else USUAL[kind]
        st.slider(f"Wanted {kind} (%)", 50, 99, round(at), key=f"operating-{kind}-{key}")
    elif kind == "cost":
        at = now.value or 1 if now.kind == kind else USUAL[kind]
        st.number_input("False alarms that one miss outweighs", 0.1, 1000.0, float(at), key=f"operating-cost-{key}")
    return rule(key)


def rule(key: str) -> OperatingRule:
    """What stands in the fields; Youden where nothing was drawn."""
    kind: OperatingKind = st.session_state.get(f"operating-{key}", "youden")
    if kind == "youden":
        return OperatingRule()
    value = float(st.session_state.get(f"operating-{kind}-{key}", USUAL[kind]))
    return OperatingRule(kind, value if kind == "cost" else value / 100)


def beside(cohort: Cohort) -> None:
    """Where a run is started without the question beside it: which answer counts."""
    if _asked(cohort):
        st.caption(f"The threshold set above at Automatic counts here, too: {says(rule(cohort.id))}.")


def chosen(cohort: Cohort) -> dict[str, Any]:
    """As `start.start` and `automatic.begin` take it."""
    at = rule(cohort.id)
    return {"operating": at} if _asked(cohort) and at != OperatingRule() else {}


def says(rule: OperatingRule) -> str:
    """The rule in a few words."""
    if rule.kind == "youden":
        return "no preference"
    if rule.kind == "cost":
        return f"one miss = {rule.value:g} false alarms"
    return f"{rule.kind} {100 * (rule.value or 0):.0f} %"


def _asked(cohort: Cohort) -> bool:
    return len(cohort.classes) == 2 or cohort.task == "multi-label"
