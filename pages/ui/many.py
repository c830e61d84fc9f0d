"""Many images asked about at once: how far it is, every answer in a table with a filter, one opened as a card, CSV."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from medtl import batches
from medtl.asking.pooling import AUTO
from medtl.errors import MedtlError
from medtl.workspace import write_whole
from pages.ui import asking, following, shelf, show, words
from pages.ui.escape import csv_cell, plain

QUERY = "asking"
ASKED = "asked.json"  # beside a batch: what was asked about, so that a row can be opened after a reload
ALL, REFUSED, CANNOT, UNREADABLE = "all", "refused", "cannot tell", "not readable"
MOST_ROWS = 5000  # in the table; the CSV file has all
Row = Mapping[str, Any]


def under_way() -> bool:
    return QUERY in st.query_params


def begin(run: str, given: asking.Brought, looks: int) -> None:
    """A batch is begun only when somebody presses, because it may take long."""
    st.markdown(f"**{words.count(given.count, 'image file')}** are answered in a process of their own.")
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        pool = st.toggle(
            "Also one answer a patient or series", True, key="batch-pool",
            help="By the rule and the threshold with which the run was judged patient by patient (Trust).",
        )  # fmt: skip
        if st.button("Answer them", type="primary", icon=":material/play_arrow:", key="batch-go"):
            paths = given.uploads or given.paths  # the folder of an upload is one path; zips are opened one by one
            if any(path.suffix.lower() == ".zip" for path in given.paths):
                paths = given.paths
            folder = batches.start(
                shelf.workspace(), run, paths, pool=AUTO if pool else None, looks=looks, uploads=given.uploads
            )
            write_whole(folder / ASKED, json.dumps([str(path) for path in paths]))
            st.session_state.pop(f"{asking.KEY}-spooled", None)  # it goes with the batch
            st.session_state.pop("use-path", None)
            st.query_params[QUERY] = folder.name
            st.rerun()


def follow() -> tuple[list[Row], tuple[Path, ...]] | None:
    """Progress while it runs; when it is over its answers, and what was asked about."""
    try:
        folder = following.folder(st.query_params[QUERY])
    except MedtlError as wrong:
        show.error(wrong)
        _close(None)
        return None
    status = batches.status(folder)
    if status.state == "running":
        _bar(str(folder))
        if st.button("Stop", icon=":material/stop:", help="What was read is answered and stays."):
            batches.stop(folder)
            st.rerun()
        return None
    if status.state in ("failed", "interrupted"):
        show.error(MedtlError(status.message, status.advice))
    else:
        _summary(status)
    _close(folder)
    return read(status.table), _asked(folder)


@st.fragment(run_every=0.7)
@show.guarded
def _bar(folder: str) -> None:
    status = batches.status(Path(folder))
    if status.state != "running":
        st.rerun()
    st.markdown(
        f"Answered {status.done:,} of {words.count(status.total, 'file')}."
        if status.total
        else "Beginning: the model is loaded (about 10 s)…"
    )
    st.progress(min(1.0, status.done / status.total) if status.total else 0.0)
    st.caption("You may close this page; come back by the same address.")


def _summary(status: batches.Status) -> None:
    n = {name: int(status.counts.get(name, 0)) for name in ("images", "answered", "undecided", "refused", "unreadable")}
    stopped = " Stopped before the end." if status.state == "stopped" else ""
    st.markdown(
        f"**{words.count(n['images'], 'image')}:** {n['answered']:,} answered, {n['undecided']:,} cannot tell, "
        f"{n['refused']:,} refused, {n['unreadable']:,} not readable. {status.counts.get('per_second', 0):g} a second."
        f"{stopped}"
    )


def _close(folder: Path | None) -> None:
    if st.button("Done with these", icon=":material/close:", type="tertiary", help="Takes them off the disk."):
        if folder:
            batches.clear(folder)
            asking.forget()
        del st.query_params[QUERY]
        st.rerun()


def _asked(folder: Path) -> tuple[Path, ...]:
    try:
        return tuple(Path(str(path)) for path in json.loads((folder / ASKED).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return ()


def read(table: Path) -> list[Row]:
    """The rows of answers.csv, as far as they have come."""
    if not table.exists():
        return []
    with table.open(newline="", encoding="utf-8") as file:
        return [dict(row) for row in csv.DictReader(file)]


def row_of(answer: Row) -> Row:
    """An answer as a row of the same table."""
    scores = {f"score_{name}": value for name, value in (answer.get("scores") or {}).items()}
    return {
        "file": answer["file"], "frame": "" if answer.get("frame") is None else str(answer["frame"]),
        "kind": answer.get("kind", "image"), "accepted": "yes" if answer.get("accepted", True) else "no",
        "images": str(answer.get("pooled", 1)), "predicted": answer.get("predicted") or "",
        "settled": answer.get("settled") or "", "set": "|".join(answer.get("set") or ()),
        "says": answer.get("says") or answer.get("why_not") or "", "known": answer.get("known") or "", **scores,
    }  # fmt: skip


def kind_of(row: Row) -> str:
    """Which filter a row belongs to: refused, cannot tell, not readable, or its class."""
    if not any(name.startswith("score_") and row[name] not in ("", None) for name in row):
        return UNREADABLE
    if row["accepted"] != "yes":
        return REFUSED
    settled = row.get("settled") or ""
    agreed = "set" not in row or str(row.get("set")) == str(row["predicted"])  # findings: told by `_of_findings`
    return str(settled) if settled else str(row["predicted"]) if agreed else CANNOT


def table(rows: Sequence[Row], key: str, several: bool = False) -> Row | None:
    """Filter and table; the row that was clicked."""
    kinds: dict[str, int] = {ALL: len(rows)}
    for row in rows:
        what = _of_findings(row) if several else kind_of(row)
        kinds[what] = kinds.get(what, 0) + 1
    first = [ALL, *[name for name in (REFUSED, CANNOT, UNREADABLE) if name in kinds]]
    order = [*first, *sorted(name for name in kinds if name not in first)]
    which = st.segmented_control(
        "Show",
        order,
        default=ALL,
        required=True,
        format_func=lambda one: plain(f"{one} {kinds[one]:,}"),
        key=f"{key}-show",
    )
    shown = [r for r in rows if which in (ALL, None) or (_of_findings(r) if several else kind_of(r)) == which][
        :MOST_ROWS
    ]
    scores = sorted({name for row in shown for name in row if name.startswith("score_")})
    chosen: Any = st.dataframe(
        {
            "image": [_title(row) for row in shown],
            "answer": [plain(_of_findings(row) if several else kind_of(row)) for row in shown],
            "not ruled out": [
                plain(str(row.get("set") or "").replace("|", ", ")) if _open(row) else "" for row in shown
            ],
            **{
                plain(name.removeprefix("score_")): [_float(row.get(name)) if _open(row) else None for row in shown]
                for name in scores
            },
            "in words": [plain(row.get("says") or "") for row in shown],
        },
        hide_index=True,
        placeholder="",
        on_select="rerun",
        selection_mode="single-row",
        key=f"{key}-table",
        column_config={plain(n.removeprefix("score_")): st.column_config.NumberColumn(format="%.2f") for n in scores},
        alt="Answers for every image; refused ones have no number",
    )
    st.caption("Click the box left of a row to open its card. Numbers are scores of each class.")
    st.download_button(
        "Answers (CSV)", data=lambda: as_csv(rows), file_name="answers.csv", mime="text/csv",
        icon=":material/download:", on_click="ignore", key=f"{key}-csv",
    )  # fmt: skip
    picked = chosen["selection"]["rows"] if chosen else []
    return shown[picked[0]] if picked and picked[0] < len(shown) else None


def _of_findings(row: Row) -> str:
    kind = kind_of(row)
    return kind if kind in (REFUSED, UNREADABLE) else str(row.get("predicted") or "none of the findings")


def _open(row: Row) -> bool:
    return row["accepted"] == "yes"


def _title(row: Row) -> str:
    frame = f", frame {int(row['frame']) + 1}" if row.get("frame") not in ("", None) else ""
    images = f" ({row['images']} images together)" if row.get("kind") not in ("image", "", None) else ""
    return plain(row["file"]) + frame + images


def _float(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def as_csv(rows: Sequence[Row]) -> bytes:
    """No score of what was refused: in a list nobody reads the warning beside it."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([csv_cell(name) for name in names])
    for row in rows:
        hidden = not _open(row)
        writer.writerow([
            ""
            if hidden and (name.startswith("score_") or name in ("predicted", "set"))
            else csv_cell(row.get(name) or "")
            for name in names
        ])
    return out.getvalue().encode()
