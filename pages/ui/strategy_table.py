"""The shelf of strategies on one screen, however many: by family, each with its sentence, its time and why not.

Decides nothing; what is picked is an id in the address.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from medtl.errors import MedtlError
from medtl.strategies import STRATEGIES, make, why_not
from medtl.strategies.strategy import FAMILIES
from medtl.strategies.suiting import suited
from medtl.vocabulary import Cohort, Source
from pages.ui import budget, cards, selection, shelf
from pages.ui.escape import plain

ALL = "all"
FEW = 8  # so many strategies are shown at once; more are shown family by family to begin with
ROW, HEAD, MOST = 62, 38, 472  # pixels of a row (text is wrapped from 61 on), of the head, and of the table at most
COLUMNS = {
    "chosen": st.column_config.TextColumn("", width=42, help="✓ picked, ★ recommended"),
    "strategy": st.column_config.TextColumn("Strategy", width=175),
    "says": st.column_config.TextColumn("What it does", width=385),
    "takes": st.column_config.TextColumn("Takes, or why not", width=205, help="On this computer, for your images"),
}
WORDS = {  # each ends the sentence "The source …"
    "frozen": "stays as it is",
    "adapts": "adapts to your images",
    "more": "gets more than labels",
    "control": "is left out",
}


@dataclass(frozen=True)
class Row:
    """A strategy as it stands for this cohort and source. `why` says why it cannot be used, "" when it can."""

    id: str
    title: str
    says: str
    family: str
    why: str
    seconds: float | None
    takes: str


def rows(cohort: Cohort, source: Source) -> tuple[Row, ...]:
    """All of them, in the order of the families and of the shelf."""
    order = list(FAMILIES)
    return tuple(sorted(_rows(shelf.home(), cohort.id, source.id), key=lambda row: order.index(row.family)))  # type: ignore[arg-type]


def usable(cohort: Cohort, source: Source) -> list[Row]:
    return [row for row in rows(cohort, source) if not row.why]


def comparable(cohort: Cohort, source: Source) -> list[Row]:
    """Those that need nothing else to be named, so that they can be started beside another."""
    return [row for row in usable(cohort, source) if not STRATEGIES[row.id].asks]


def pick(cohort: Cohort, source: Source, at: str, best: str, limit: int) -> None:
    """The table; a click on a row picks it. The box beneath does the same for the keyboard."""
    everything = rows(cohort, source)
    family = _family(everything, at)
    shown = [row for row in everything if family in (ALL, row.family)]
    _table(shown, at, best, limit, f"{family}-{source.id}")


def choose_by_name(cohort: Cohort, source: Source, at: str) -> None:
    possible = {row.id: row.title for row in usable(cohort, source)}
    key = f"strategy-pick-{at}"  # by what is chosen, so that a late answer of the browser cannot choose it back
    st.session_state[key] = at
    st.selectbox(
        "Strategy",
        list(possible),
        format_func=lambda id: plain(possible[id]),
        key=key,
        on_change=lambda: selection.choose(strategy=st.session_state[key]),
    )


def _family(everything: Sequence[Row], at: str) -> str:
    here = [family for family in FAMILIES if any(row.family == family for row in everything)]
    counts = {family: sum(row.family == family for row in everything) for family in here}
    names: dict[str, str] = {ALL: f"All {len(everything)}"}
    names |= {family: f"{WORDS.get(family, FAMILIES[family])} {counts[family]}" for family in here}
    mine = next((row.family for row in everything if row.id == at), ALL)
    picked = st.segmented_control(
        "The source …",
        list(names),
        default=mine if len(everything) > FEW else ALL,
        required=True,
        format_func=lambda family: names[family],
        key="family",
    )
    return str(picked or ALL)


def _table(shown: Sequence[Row], at: str, best: str, limit: int, key: str) -> None:
    key = f"strategy-table-{key}"

    def clicked() -> None:
        picked = [shown[row] for row in st.session_state[key]["selection"]["rows"]]
        if picked and not picked[0].why:
            selection.choose(strategy=picked[0].id)
        elif picked:
            st.toast(picked[0].why, icon=":material/block:")

    st.dataframe(
        cards.greyed(
            {
                "chosen": [f"{'✓' if row.id == at else ''}{'★' if row.id == best else ''}" for row in shown],
                "strategy": [plain(row.title) for row in shown],
                "says": [plain(row.says) for row in shown],
                "takes": [_takes(row, limit) for row in shown],
            },
            [not row.why and budget.fits(row.seconds, limit) for row in shown],
        ),
        hide_index=True,
        key=key,
        on_select=clicked,
        selection_mode="single-row",
        row_height=ROW,
        height=min(MOST, HEAD + ROW * len(shown)),
        column_config=COLUMNS,
        alt="Strategies with what each does, how long it takes here, and why one cannot be used",
    )


def _takes(row: Row, limit: int) -> str:
    if row.why:
        return plain(row.why)
    if not budget.fits(row.seconds, limit):
        return f"{row.takes}: longer than {budget.says(limit)}"
    return row.takes


@st.cache_data(ttl=30, max_entries=20, show_spinner=False)
def _rows(home: str, cohort_id: str, source_id: str) -> tuple[Row, ...]:
    cohort, source = shelf.cohort(cohort_id), shelf.source(source_id)
    return tuple(_row(one.id, cohort, source) for one in STRATEGIES) if source else ()


def _row(id: str, cohort: Cohort, source: Source) -> Row:
    kind, settings = STRATEGIES[id], dict(suited(id, cohort))
    made = make(id, settings)
    why = why_not(made, source, cohort) or ""
    try:
        made.plan(source.outline, len(cohort.classes))
    except MedtlError as wrong:
        why = why or wrong.message
    took = None if why else cards.seconds(cohort.id, source.id, id, settings)
    takes = "" if took is None else cards.takes(cohort.id, source.id, id, settings)
    return Row(id, kind.card.title, first_sentence(kind.card.says), kind.family, why, took, takes)


def first_sentence(says: str) -> str:
    head, stop, _ = says.partition(". ")
    return head + "." if stop else says
