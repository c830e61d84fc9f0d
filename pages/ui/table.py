"""The cohort as a table that can be written in: class, patient, leave out. Every cell goes to the draft at once."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from medtl.cohorts import drafts
from medtl.vocabulary import Case, Cohort, labels_of
from pages.ui import mending, metadata, pictures, shelf
from pages.ui.escape import plain

ROWS = 100  # of one page: each carries a small picture
SIDE = 48  # pixels of that picture
SHOWN = ("age", "sex", "site", "scanner", "modality", "view")


def draw(cohort: Cohort, cases: Sequence[Case]) -> None:
    pages = -(-len(cases) // ROWS)
    page = st.pagination(pages, key="table-page") if pages > 1 else 1
    here = list(cases[ROWS * (page - 1) : ROWS * page])
    # What the editor starts from stays as it was when this page was opened, or it would forget the cell in hand.
    key = f"table-{cohort.id}-{hash(tuple(case.id for case in here))}-{st.session_state.get('table-turn', 0)}"
    start: drafts.Draft = st.session_state.setdefault(f"{key}-start", mending.draft(cohort))
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


def _columns(cohort: Cohort, cases: Sequence[Case], draft: drafts.Draft) -> dict[str, list[Any]]:
    part_of = cohort.split.part_of()
    columns: dict[str, list[Any]] = {
        "picture": [_small(shelf.home(), cohort.id, case.id) for case in cases],
        "name": [plain(case.name) for case in cases],
        "class": [_label(case, draft) for case in cases],
        "leave out": [case.id in draft.exclude for case in cases],
        "patient": [draft.patients.get(case.id, case.patient or "") for case in cases],
        "part": [part_of.get(case.id, "") for case in cases],
    }
    known = {field: [metadata.value(case, field) for case in cases] for field in SHOWN}
    return columns | {field: values for field, values in known.items() if set(values) != {metadata.UNKNOWN}}


def _label(case: Case, draft: drafts.Draft) -> str:
    return ", ".join(labels_of(case)) if case.labels else draft.relabel.get(case.id, case.label)


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
    """Every edited cell that differs from what the draft says becomes a line of it."""
    ws = shelf.workspace()
    draft = mending.draft(cohort)
    for row, cells in st.session_state[key]["edited_rows"].items():
        case = cases[int(row)]
        if "class" in cells and cells["class"] and cells["class"] != draft.relabel.get(case.id, case.label):
            drafts.add(ws, cohort.id, case.id, "label", cells["class"])
        if "leave out" in cells and bool(cells["leave out"]) != (case.id in draft.exclude):
            drafts.add(ws, cohort.id, case.id, "leave-out" if cells["leave out"] else "put-back")
        if "patient" in cells and (who := mending.coded(cohort, cells["patient"])) != draft.patients.get(
            case.id, case.patient or ""
        ):
            drafts.add(ws, cohort.id, case.id, "patient", who)


@st.cache_data(max_entries=2000, show_spinner=False)
def _small(home: str, cohort: str, case: str) -> str:
    """A data address, because a cell of a table takes nothing else."""
    picture = pictures.framed(shelf.pixels(cohort).image(case), "#000000", SIDE)[:SIDE]
    return pictures.address(picture)
