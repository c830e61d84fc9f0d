"""Every plot can be taken along: as SVG or PNG for a paper, and its numbers as CSV. The browser makes the pictures, so
that the server needs neither a browser nor a library for them. Nothing is made before somebody asks.
"""

import csv
import html
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from pages.ui.escape import csv_cell

FORMATS = ("SVG", "PNG")
COLUMN, PAGE = "one column", "whole page"
WIDTHS = {COLUMN: 620, PAGE: 1040}  # pixels on the screen
PAPER, INK, LINE = "#FFFFFF", "#16242B", "#D5DEE1"  # a saved picture is read on paper, whatever the screen's theme
SHARP = 3  # times as many pixels as on the screen, so that a PNG holds in print
COLUMNS = ("x", "x from", "x to", "y", "y from", "y to", "share", "n")
_TAG = re.compile(r"<[^<>]*>")


@st.fragment
def offer(figure: go.Figure, alt: str, key: str) -> None:
    """One quiet button under the plot; a fragment, so that the page is not drawn again for it."""
    with st.container(horizontal=True, horizontal_alignment="right"):
        if st.button(
            ":small[Save]", icon=":material/download:", type="tertiary", key=f"save-{key}",
            help="As SVG or PNG for a paper, or its numbers as CSV",
        ):  # fmt: skip
            _save(figure, alt, key)


@st.dialog("Save this plot", width="large", icon=":material/download:")
def _save(figure: go.Figure, alt: str, key: str) -> None:
    name = file_name(key, st.session_state.get("chosen", {}))
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        kind = st.segmented_control("Picture as", FORMATS, default=FORMATS[0], required=True, key=f"save-{key}-format")
        wide = st.segmented_control(
            "Width", list(WIDTHS), default=_usual(figure), required=True, key=f"save-{key}-width"
        )
        st.download_button(
            "Numbers (CSV)",
            data=lambda: numbers(figure),
            file_name=f"{name}.csv",
            mime="text/csv",
            icon=":material/table:",
            on_click="ignore",
            key=f"save-{key}-csv",
        )
    ending = kind.lower()
    st.caption(f":material/photo_camera: The camera above the plot saves the picture as {name}.{ending}")
    st.plotly_chart(
        on_paper(figure), width=WIDTHS[wide], key=f"save-{key}-{ending}-{wide}", alt=alt, theme=None,
        config=_camera(kind, name),
    )  # fmt: skip


def _usual(figure: go.Figure) -> str:
    """Plots with numbers written beside them need the whole page."""
    return PAGE if (figure.layout.margin.r or 0) > 100 else COLUMN


def file_name(key: str, chosen: Mapping[str, str]) -> str:
    """Run and plot, in letters that every file system takes."""
    of = chosen.get("run") or chosen.get("cohort") or "medtl"
    return re.sub(r"[^A-Za-z0-9_-]+", "-", f"{of}-{key}").strip("-")[:120]


def on_paper(figure: go.Figure) -> go.Figure:
    """The same on white with dark letters; colours of classes and marks stay as they are."""
    made = go.Figure(figure)
    made.update_layout(
        template="plotly_white", paper_bgcolor=PAPER, plot_bgcolor=PAPER, font={"color": INK, "size": 13},
        legend={"font": {"color": INK}}, modebar={"color": INK, "activecolor": INK},
    )  # fmt: skip
    top, height = made.layout.margin.t or 0, made.layout.height
    made.update_layout(margin={"t": max(36, top)}, height=height + max(0, 36 - top) if height else None)
    made.update_xaxes(gridcolor=LINE, linecolor=INK)
    made.update_yaxes(gridcolor=LINE, linecolor=INK)
    return made


def _camera(kind: str, name: str) -> dict[str, Any]:
    options = {"format": kind.lower(), "filename": name, "scale": SHARP if kind == "PNG" else 1}
    return {"displayModeBar": True, "modeBarButtons": [["toImage"]], "toImageButtonOptions": options}


# ---- numbers --------------------------------------------------------------------------------------------------------


def numbers(figure: go.Figure) -> bytes:
    """What is drawn, a line a point; runs outside the page. Columns in which nothing stands are left out."""
    rows = [row for at, trace in enumerate(figure.data, start=1) for row in _rows(trace, at, figure.layout)]
    used = [column for column in COLUMNS if any(row[column] is not None for row in rows)]
    titles = {axis: _words(getattr(figure.layout[f"{axis}axis"].title, "text", None)) for axis in "xy"}
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["series", *(_header(column, titles) for column in used)])
    writer.writerows([_cell(row["series"]), *(_cell(row[column]) for column in used)] for row in rows)
    return ("\ufeff" + out.getvalue()).encode()  # the mark tells spreadsheets that it is UTF-8


def _header(column: str, titles: Mapping[str, str]) -> str:
    title = titles.get(column, "")
    return csv_cell(f"{column}: {title}" if title else column)


def _rows(trace: Any, at: int, layout: Any) -> Iterator[dict[str, Any]]:
    series = _words(trace.name) or f"series {at}"
    if trace.type == "heatmap":
        counts = _list(trace.customdata)
        for i, y in enumerate(_list(trace.y)):
            for j, x in enumerate(_list(trace.x)):
                yield _row(series, x, y, share=trace.z[i][j], n=counts[i][j] if counts else None)
        return
    xs, ys = _named(_list(trace.x), layout.xaxis), _named(_list(trace.y), layout.yaxis)
    if _unseen(trace):
        for x, y, count in zip(xs, ys, _list(trace.meta), strict=False):
            yield _row(series, x, y, n=count)
        return
    for n in range(max(len(xs), len(ys))):
        x, y = (values[n] if n < len(values) else None for values in (xs, ys))
        yield _row(series, x, y, _span(trace, "error_x", n, x), _span(trace, "error_y", n, y))


def _row(
    series: str, x: Any, y: Any, x_span: tuple[Any, Any] = (None, None), y_span: tuple[Any, Any] = (None, None),
    share: Any = None, n: Any = None,
) -> dict[str, Any]:  # fmt: skip
    values = (x, *x_span, y, *y_span, share, n)
    return {"series": series, **dict(zip(COLUMNS, values, strict=True))}


def _unseen(trace: Any) -> bool:
    """Points that are only there to be clicked, or to carry letters; what they count, if anything, is their meta."""
    marker = getattr(trace, "marker", None)
    return getattr(marker, "opacity", None) == 0 or str(getattr(marker, "color", "")) == "rgba(0,0,0,0)"


def _span(trace: Any, which: str, n: int, value: Any) -> tuple[Any, Any]:
    """Both ends of an error bar."""
    bar = getattr(trace, which, None)
    more = _list(getattr(bar, "array", None))
    less = _list(getattr(bar, "arrayminus", None)) or more
    if n >= len(more) or not isinstance(value, int | float):
        return None, None
    return value - less[n], value + more[n]


def _named(values: Sequence[Any], axis: Any) -> list[Any]:
    """Positions that the axis shows by name."""
    named = dict(zip(_list(axis.tickvals), _list(axis.ticktext), strict=False))
    return [named.get(value, value) for value in values]


def _list(values: Any) -> list[Any]:
    if values is None:
        return []
    return list(values.tolist() if hasattr(values, "tolist") else values)


def _words(text: object) -> str:
    """What Plotly would show of a text, without its tags."""
    return " ".join(html.unescape(_TAG.sub(" ", str(text))).split()) if text else ""


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, int | float) else csv_cell(_words(value))
