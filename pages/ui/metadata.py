"""What is known of the images besides their class, as counts that filter: age, sex, site, scanner and the like."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from medtl.vocabulary import Case, Cohort
from pages.ui import pictures, shelf
from pages.ui.escape import md, plain, short

FIELDS = {
    "age": "Age",
    "sex": "Sex",
    "site": "Site",
    "scanner": "Scanner",
    "modality": "Modality",
    "view": "View",
    "side": "Side",
    "body": "Body part",
    "period": "Period",
    "format": "File type",
    "mode": "Colour",
    "size": "Size",
}
BANDS = ((18, "under 18"), (40, "18 to 39"), (60, "40 to 59"), (80, "60 to 79"))
OLDEST = "80 and older"
UNKNOWN = "not said"
SEXES = {"F": "female", "M": "male", "O": "other"}
PILLS = 8  # values up to which each gets a pill of its own
MOST = 60  # values of a field that still make a filter

Wanted = Mapping[str, frozenset[str]]


def ask(cohort: Cohort, key: str) -> Wanted:
    """The filters that were chosen: field -> values. Nothing chosen in a field lets all of it through."""
    table = _table(shelf.home(), cohort.id, cohort)
    offered = {field: Counter(values) for field, values in table.items() if 2 <= len(set(values)) <= MOST}
    chosen = {field: st.session_state.get(f"{key}-{field}") or [] for field in offered}
    named = _list([FIELDS[field].lower() for field in offered]) if offered else "age, sex, site and more"
    with st.expander(f"Filter by {named}", icon=":material/filter_alt:", key=f"{key}-box"):
        if not offered:
            st.caption(
                "All images are alike in what is known of them. DICOM files bring age, sex and scanner along; "
                "a table may have such columns, and site, too."
            )
        for left, right in _pairs(list(offered)):
            for column, field in zip(st.columns(2), (left, right), strict=True):
                if field:
                    with column:
                        _field(field, offered[field], f"{key}-{field}")
    wanted = {field: frozenset(values) for field, values in chosen.items() if values}
    if wanted:
        said = [f"{FIELDS[field].lower()} {' or '.join(sorted(values))}" for field, values in wanted.items()]
        st.caption(f":material/filter_alt: Only {md('; '.join(said))}")
    return wanted


def fits(cohort: Cohort, cases: Sequence[Case], wanted: Wanted) -> list[Case]:
    if not wanted:
        return list(cases)
    table = _table(shelf.home(), cohort.id, cohort)
    fine = {
        case.id
        for at, case in enumerate(cohort.cases)
        if all(table[field][at] in values for field, values in wanted.items() if field in table)
    }
    return [case for case in cases if case.id in fine]


def value(case: Case, field: str, channels: int | None = None) -> str:
    """In words that can be counted; a number becomes a band. `channels` are those of the stored picture."""
    facts = case.facts
    if field == "size":
        return f"{facts['width']} × {facts['height']}" if "width" in facts and "height" in facts else UNKNOWN
    if field == "mode":
        return pictures.colour(case, channels) or UNKNOWN
    said: Any = facts.get(field)
    if said in (None, ""):
        return UNKNOWN
    if field == "age":
        return _band(said)
    return SEXES.get(str(said), str(said)) if field == "sex" else str(said)


def _band(age: Any) -> str:
    try:
        years = float(str(age).rstrip("Y"))
    except ValueError:
        return UNKNOWN
    return next((name for below, name in BANDS if years < below), OLDEST)


def _field(field: str, counts: Counter[str], key: str) -> None:
    order = [name for _, name in BANDS] + [OLDEST]
    values = sorted(counts, key=lambda v: (v == UNKNOWN, order.index(v) if v in order else 0, -counts[v], v))
    if len(values) <= PILLS:
        st.pills(
            FIELDS[field],
            values,
            selection_mode="multi",
            format_func=lambda v: f"{md(short(v, 24))} {counts[v]:,}",
            key=key,
        )
    else:
        st.multiselect(
            FIELDS[field],
            values,
            format_func=lambda v: f"{plain(v)} {counts[v]:,}",
            key=key,
            placeholder="all",
        )


def _pairs(fields: Sequence[str]) -> list[tuple[str, str]]:
    return [(fields[at], fields[at + 1] if at + 1 < len(fields) else "") for at in range(0, len(fields), 2)]


def _list(words: Sequence[str]) -> str:
    """ "age", "age and sex", "age, sex, site and more"."""
    if len(words) > 4:
        return ", ".join(words[:3]) + " and more"
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]


@st.cache_resource(max_entries=8, show_spinner=False)
def _table(home: str, id: str, _cohort: Cohort) -> dict[str, list[str]]:
    """Field -> value of every case, in the order of the cases."""
    channels = pictures.channels(_cohort)
    return {field: [value(case, field, channels.get(case.id)) for case in _cohort.cases] for field in FIELDS}
