"""The cohort as a table that can be written in: class, patient, leave out. Every cell goes to the draft at once."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from medtl.cohorts import drafts
from medtl.vocabulary import Case, Cohort
from pages.ui import mending, metadata, pictures, shelf
from pages.ui.escape import plain

ROWS = 100  # of one page: each carries a small picture
SIDE = 48  # pixels of that picture
SHOWN = ("age", "sex", "site", "scanner", "modality", "view")


def draw(cohort: Cohort, cases: Sequence[Case]) -> None:
    pages = -(-len(cases) // ROWS)
    page = st.pagination(pages, key="table-page") if pages > 1 else 1
    here = list(cases[ROWS * (page - 1) : ROWS * page])
    key, start = _turn(cohort, f"table-{cohort.id}-{hash(tuple(case.id for case in here))}")
    single = cohort.task != "multi-label"
    st.data_editor(
        _columns(cohort, here, start),
        hide_index=True,
        num_rows="fixed",
        row_height=SIDE,
        height=min(620, 40 + (SIDE + 1) * len(here)),
        key=key,
        on_change=_write,
        args=(cohort, here, key),
        disabled=["picture", "name", "part", *SHOWN, *(() if single else ("class",))],
        column_config=_config(cohort, single),
        alt=f"Images {ROWS * (page - 1) + 1} to {ROWS * (page - 1) + len(here)} with class, patient and part",
    )
    st.caption(
        "What you change is noted at once and waits until you save it. A patient typed here is kept as a code only; "
        "the same text gives the same code."
    )


def _turn(cohort: Cohort, base: str) -> tuple[str, drafts.Draft]:
    """The key of the editor and the draft it starts from.

    Both stay while only this table is written in, or it would forget the cell in hand. When the draft was changed
    elsewhere (thrown away, saved, taken back, decided on a card), and after a time away, it begins anew with the draft
    as it is.
    """
    now, state = mending.draft(cohort), st.session_state
    turn = state.get(f"{base}-turn", 0)
    if f"{base}-{turn}" not in state or state.get(f"{base}-left") != now:
        turn += 1
        state[f"{base}-turn"], state[f"{base}-start"] = turn, now
    state[f"{base}-left"] = now
    return f"{base}-{turn}", state[f"{base}-start"]


def _columns(cohort: Cohort, cases: Sequence[Case], draft: drafts.Draft) -> dict[str, list[Any]]:
    part_of = cohort.split.part_of()
    columns: dict[str, list[Any]] = {
        "picture": [_small(shelf.home(), cohort.id, case.id) for case in cases],
        "name": [plain(case.name) for case in cases],
        "class": [
            pictures.labels(cohort, case) if cohort.task == "multi-label" else _label(case, draft) for case in cases
        ],
        "leave out": [case.id in draft.exclude for case in cases],
        "patient": [draft.patients.get(case.id, case.patient or "") for case in cases],
        "part": [part_of.get(case.id, "") for case in cases],
    }
    known = {field: [metadata.value(case, field) for case in cases] for field in SHOWN}
    return columns | {field: values for field, values in known.items() if set(values) != {metadata.UNKNOWN}}


def _label(case: Case, draft: drafts.Draft) -> str:
    return draft.relabel.get(case.id, case.label)


def _config(cohort: Cohort, single: bool) -> dict[str, Any]:
    word = st.column_config.TextColumn
    column = st.column_config.SelectboxColumn("Class", options=list(cohort.classes), required=True, width=140)
    return {
        "picture": st.column_config.ImageColumn("", width=60),
        "name": word("Image", width=170),
        "class": column if single else word("Findings", width="medium"),
        "leave out": st.column_config.CheckboxColumn("Leave out", width=110),
        "patient": word("Patient", width=130, max_chars=200),
        "part": word("Part", width="small"),
        **{field: word(metadata.FIELDS[field], width="small") for field in SHOWN},
    }


def _write(cohort: Cohort, cases: Sequence[Case], key: str) -> None:
    """The cell just edited becomes a line of the draft. The editor tells all cells since it began; older ones may have
    been overruled elsewhere, and are not told twice."""
    ws, state = shelf.workspace(), st.session_state
    draft = mending.draft(cohort)
    told: dict[int, dict[str, Any]] = state.get(f"{key}-told", {})
    edited = {int(row): dict(cells) for row, cells in state[key]["edited_rows"].items()}
    state[f"{key}-told"] = edited
    for row, all_cells in edited.items():
        before = told.get(row, {})
        cells = {name: value for name, value in all_cells.items() if name not in before or before[name] != value}
        case = cases[row]
        if "class" in cells and cells["class"] and cells["class"] != draft.relabel.get(case.id, case.label):
            drafts.add(ws, cohort.id, case.id, "label", cells["class"])
        if "leave out" in cells and bool(cells["leave out"]) != (case.id in draft.exclude):
            drafts.add(ws, cohort.id, case.id, "leave-out" if cells["leave out"] else "put-back")
        if "patient" in cells and (who := mending.coded(cohort, cells["patient"])) != draft.patients.get(
            case.id, case.patient or ""
        ):
            drafts.add(ws, cohort.id, case.id, "patient", who)
    base = key.rsplit("-", 1)[0]
    if state.get(f"{base}-left") == draft:  # nothing came in between, so the editor shows what the draft says
        state[f"{base}-left"] = mending.draft(cohort)


@st.cache_data(max_entries=2000, show_spinner=False)
def _small(home: str, cohort: str, case: str) -> str:
    """A data address, because a cell of a table takes nothing else."""
    picture = pictures.framed(shelf.pixels(cohort).image(case), "#000000", SIDE)[:SIDE]
    return pictures.address(picture)
