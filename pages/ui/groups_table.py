"""Whether it did worse in some group: a row each, grey where there are too few to say, and each opens its cases."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from medtl.evaluation.subgroups import Row, Subgroups
from medtl.trust import exploring
from medtl.trust.lights import Light
from pages.ui import failures, shelf, show, verdict, words
from pages.ui.escape import md, plain
from pages.ui.viewed import Viewed

GREY = "color: #7B8A91"  # on white and on near-black
MEASURES = ("sensitivity", "specificity", "auroc", "accuracy")
FEW = "too few to say"


def panel(at: Viewed, light: Light | None) -> None:
    verdict.section(
        "Groups of patients",
        "subgroups",
        light,
        "Each group against all others, one field at a time. A difference is flagged only beyond an interval that "
        "is widened for the number of groups looked at.",
    )
    found = [one for one in at.judgement.subgroups if one.about == at.view.name]
    whole = [one for one in at.judgement.subgroups if one.about == "all classes"]
    if not found:
        st.caption("Groups come from what is recorded of the patients: sex, age, site, scanner, view and the like.")
        return
    shown = _which(whole, found[0]) if whole else found[0]
    _table(at, shown)
    for says in shown.says:
        st.caption(md(says))


def _which(whole: Sequence[Subgroups], one: Subgroups) -> Subgroups:
    every = f"all {len(whole) and 'classes together'}"
    picked = st.segmented_control(
        "Groups by", [every, one.about], default=every, required=True, format_func=md, key="groups-of",
        label_visibility="collapsed",
    )  # fmt: skip
    return whole[0] if picked == every else one


@st.fragment
@show.guarded
def _table(at: Viewed, of: Subgroups) -> None:
    import pandas as pd  # comes with Streamlit, and only its styles make a row grey

    rows = list(of.rows)
    if not rows:
        return
    measures = [name for name in MEASURES if any(one.name == name for row in rows for one in row.estimates)]
    table: dict[str, Any] = {
        "group": [plain(f"{row.field}: {row.group}") for row in rows],
        "patients": [row.patients for row in rows],
        "cases": [row.cases for row in rows],
    }
    if any(row.present is not None for row in rows):
        table["with it"] = [row.present for row in rows]
        table["without"] = [row.absent for row in rows]
    for name in measures:
        table[words.title(name)] = [_told(row, name) for row in rows]
    table["what it says"] = [FEW if row.few else plain(row.says) for row in rows]
    frame = pd.DataFrame(table)
    styled = frame.style.apply(lambda line: [GREY if rows[int(line.name)].few else ""] * len(line), axis=1)
    key = f"groups-{at.run}-{of.about}"
    picked: Any = st.dataframe(
        styled, hide_index=True, on_select="rerun", selection_mode="single-row", key=key,
        column_config={"what it says": st.column_config.TextColumn(width="large")},
        alt="Every group with its patients, numbers with 95 % intervals, and what they say",
    )  # fmt: skip
    chosen = picked["selection"]["rows"] if picked else []
    if chosen and at.cohort is not None:
        row = rows[chosen[0]]
        whole = shelf.or_none(shelf.cohort, at.result.recipe.cohort)
        ids = exploring.members(shelf.explorer(at.run).told, whole or at.cohort, of.about, row.field, row.group)
        failures.opened(at.tested, ids, f"**{md(row.field)}: {md(row.group)}**", f"group-{row.field}-{row.group}")
    else:
        st.caption("Mark a row to see its cases.")


def _told(row: Row, name: str) -> str:
    """No number of a group that is too small: it would be read."""
    if row.few:
        return FEW
    one = next((one for one in row.estimates if one.name == name), None)
    return words.whole(one) if one else ""
