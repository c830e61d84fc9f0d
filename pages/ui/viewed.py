"""Which question of a run the page Trust is at: of two classes there is one, of more each class, grade or finding. What
is picked stays picked while the page is left and come back to.
"""

from dataclasses import dataclass

import streamlit as st

from medtl.runs import findings
from medtl.runs.results import Result
from medtl.trust.values import Judgement, OfView
from medtl.vocabulary import Cohort
from pages.ui import failures, plots, show
from pages.ui.escape import md, plain
from pages.ui.failures import Tested

FEW_NAMES = 5  # more than this stand in a list


@dataclass(frozen=True)
class Viewed:
    """A run, and one question of it. `result` and `cohort` are those of the finding where there are several."""

    run: str
    judgement: Judgement
    view: OfView
    result: Result
    cohort: Cohort | None
    tested: Tested

    @property
    def alone(self) -> bool:
        """Whether this is all the run was asked."""
        return len(self.judgement.views) == 1

    @property
    def colour(self) -> str:
        return _colour(self.view.name, self.judgement, plots.ACCENT)

    @property
    def other_colour(self) -> str:
        """Of those who have it not."""
        return _colour(self.view.without, self.judgement, plots.QUIET)


def pick(run: str, result: Result, judgement: Judgement, cohort: Cohort | None) -> Viewed | None:
    """None where nothing can be asked, as of a test part without any sure label."""
    if not judgement.views:
        return None
    name = judgement.views[0].name if len(judgement.views) == 1 else _asked(run, result, judgement)
    view = judgement.view(name) or judgement.views[0]
    one, seen = result, cohort
    if result.findings:
        one = findings.result_of(result, view.name)
        seen = findings.cohort_of(cohort, view.name) if cohort else None
        _said(one)
    return Viewed(run, judgement, view, one, seen, failures.tested(one, seen, run))


def _asked(run: str, result: Result, judgement: Judgement) -> str:
    names = [view.name for view in judgement.views]
    key = f"trust-view-{run}"
    if result.findings:
        return _finding(result, names, key)
    grades = judgement.task == "ordinal"
    show.section("One grade at a time" if grades else "One class at a time")
    st.caption(
        "Everything below asks whether the grade is this high." if grades else
        "Everything below asks whether it is this class or not."
    )  # fmt: skip
    if len(names) > FEW_NAMES:
        return str(st.selectbox("Asked for", names, format_func=plain, key=key, width=360, persist_state="session"))
    return str(
        st.segmented_control(
            "Asked for", names, default=names[0], required=True, format_func=md, key=key,
            label_visibility="collapsed", persist_state="session",
        )
    )  # fmt: skip


def _finding(result: Result, names: list[str], key: str) -> str:
    rows = findings.rows(result)
    few = {row.name for row in rows if row.few}
    show.section("One finding by itself")
    return str(
        st.selectbox(
            "Finding",
            names,
            names.index(findings.first(rows)),
            format_func=lambda name: plain(f"{name} (too few test cases to judge it)" if name in few else name),
            key=key,
            width=360,
            persist_state="session",
        )
    )


def _said(one: Result) -> None:
    """What was seen of this finding, and what the test part is too small to say."""
    st.markdown(f"**{md(one.sentence)}**")
    if one.small_test:
        st.warning(md(one.small_test), icon=":material/group_off:")


def _colour(name: str, judgement: Judgement, otherwise: str) -> str:
    return plots.class_colour(name, judgement.classes) if name in judgement.classes else otherwise
