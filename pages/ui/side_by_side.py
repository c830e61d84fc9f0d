"""Plots that lay several runs over each other, each in a colour and a dash of its own, and plots of differences.

Like pages/ui/plots.py: figures only, the sentence for those who cannot see them is said where they are drawn.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from medtl.vocabulary import Estimate
from pages.ui import plots, words
from pages.ui.escape import plotly as text

COLOURS = plots.CLASSES[:6]  # at most six runs
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")


@dataclass(frozen=True)
class Line:
    """A curve of one run: its name, its place among the runs (colour and dash), and the points."""

    name: str
    at: int
    x: Sequence[float]
    y: Sequence[float]


@dataclass(frozen=True)
class Gap:
    """A row of a plot of differences; `says` stands right of its numbers."""

    name: str
    estimate: Estimate
    colour: str
    says: str = ""


def differences(rows: Sequence[Gap], left: str, right: str) -> go.Figure:
    """Differences with intervals around the line of no difference; `left` and `right` say who is better there."""
    span = max([0.1, *(abs(end) for row in rows for end in (row.estimate.low, row.estimate.high))]) * 1.12
    figure = go.Figure()
    figure.add_vline(x=0, line={"color": plots.QUIET, "dash": "dot", "width": 1.5})
    for at, row in enumerate(rows):
        one = row.estimate
        figure.add_scatter(
            x=[one.value],
            y=[at],
            mode="markers",
            marker={"size": 11, "color": row.colour},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [one.high - one.value],
                "arrayminus": [one.value - one.low],
                "color": row.colour,
                "thickness": 2.2,
                "width": 5,
            },
            hovertext=[f"{text(row.name)}: {gap(one)}<br>n = {one.n}, {text(one.how)}"],
            hoverinfo="text",
            showlegend=False,
        )
        figure.add_annotation(plots.right(at, 12, f"<b>{signed(one.value)}</b>", size=15))
        figure.add_annotation(plots.right(at, 66, f"{signed(one.low)} to {signed(one.high)}"))
        if row.says:
            figure.add_annotation(plots.right(at, 180, text(row.says)))
    figure.update_xaxes(
        range=[-span, span], zeroline=False, title_text=f"← {text(left)}      AUROC difference      {text(right)} →"
    )
    figure.update_yaxes(
        tickvals=list(range(len(rows))), ticktext=[text(row.name) for row in rows], range=[len(rows) - 0.4, -0.6],
        ticksuffix="  ", showgrid=False,
    )  # fmt: skip
    figure.update_layout(height=78 + 36 * len(rows))
    figure = plots.tidy(figure)
    figure.update_layout(margin={"r": 190 + 6 * max((len(row.says) for row in rows), default=0), "l": 10, "t": 6})
    return figure


def rocs(lines: Sequence[Line]) -> go.Figure:
    """ROC curves over each other; `x` is 1 - specificity, `y` sensitivity."""
    figure = _lines(lines, markers=False)
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", line={"color": plots.QUIET, "dash": "dot"}, name="guessing")
    figure.update_xaxes(title_text="1 − specificity (called though without it)", range=[-0.01, 1.01])
    figure.update_yaxes(title_text="sensitivity (called of those with it)", range=[-0.01, 1.02])
    figure.update_layout(height=430, legend={"orientation": "h", "x": 0, "y": -0.2, "yanchor": "top", "title_text": ""})
    return plots.tidy(figure)


def epochs(lines: Sequence[Line], what: str) -> go.Figure:
    """Something told every epoch, of several runs."""
    figure = _lines(lines, markers=True)
    longest = max((len(line.x) for line in lines), default=0)
    figure.update_xaxes(title_text="epoch", rangemode="tozero", dtick=1 if longest < 15 else None)
    figure.update_yaxes(title_text=what)
    figure.update_layout(height=360, legend={"orientation": "h", "x": 0, "y": -0.2, "yanchor": "top", "title_text": ""})
    return plots.tidy(figure)


def growth(points: Sequence[tuple[float, Estimate]], fitted: Sequence[tuple[float, float]], known: float) -> go.Figure:
    """AUROC against training cases a class: measured points with intervals, the curve through them, dashed beyond what
    there is (`known` cases a class)."""
    figure = go.Figure()
    inside = [pair for pair in fitted if pair[0] <= known]
    beyond = [*inside[-1:], *(pair for pair in fitted if pair[0] > known)]
    for some, dash, name in ((inside, "solid", "fitted"), (beyond, "dash", "what more cases would bring")):
        if len(some) > 1:
            figure.add_scatter(
                x=[x for x, _ in some], y=[y for _, y in some], mode="lines", name=name,
                line={"color": plots.QUIET, "dash": dash, "width": 2}, hoverinfo="skip",
            )  # fmt: skip
    figure.add_scatter(
        x=[x for x, _ in points],
        y=[one.value for _, one in points],
        mode="markers",
        name="measured",
        marker={"size": 10, "color": plots.ACCENT},
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [one.high - one.value for _, one in points],
            "arrayminus": [one.value - one.low for _, one in points],
            "color": plots.ACCENT,
            "thickness": 2,
            "width": 5,
        },
        hovertext=[f"{x:g} a class: {words.whole(one)}, n = {one.n}" for x, one in points],
        hoverinfo="text",
    )
    lowest = min([0.5, *(one.low for _, one in points)])
    figure.update_xaxes(title_text="training cases a class", rangemode="tozero")
    figure.update_yaxes(title_text="AUROC", range=[max(0.0, lowest - 0.03), 1.01])
    figure.update_layout(height=300, legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"})
    return plots.tidy(figure, top=36)


def spread(value: float, low: float, high: float, repeats: Sequence[float]) -> go.Figure:
    """One mean with its interval, and each repeat as a small mark beneath."""
    figure = go.Figure()
    figure.add_scatter(
        x=list(repeats), y=[1] * len(repeats), mode="markers", name="each repeat",
        marker={"size": 12, "symbol": "line-ns-open", "color": plots.INK},
    )  # fmt: skip
    figure.add_scatter(
        x=[value],
        y=[0],
        mode="markers",
        name="mean",
        marker={"size": 11, "color": plots.ACCENT},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [high - value],
            "arrayminus": [value - low],
            "color": plots.ACCENT,
            "thickness": 2.2,
            "width": 5,
        },
    )
    figure.add_annotation(plots.right(0, 12, f"<b>{value:.2f}</b>", size=15))
    figure.add_annotation(plots.right(0, 56, f"{low:.2f}–{high:.2f}"))
    lowest = min([0.5, low, *repeats])
    figure.update_xaxes(range=[max(-0.01, lowest - 0.03), 1.01], dtick=0.1, zeroline=False)
    figure.update_yaxes(
        tickvals=[0, 1], ticktext=["AUROC, cross-validated", "each repeat"], range=[1.6, -0.6], ticksuffix="  ",
        showgrid=False,
    )  # fmt: skip
    figure.update_layout(height=120, showlegend=False)
    figure = plots.tidy(figure)
    figure.update_layout(margin={"r": 150, "l": 10, "t": 6, "b": 30})
    return figure


def signed(value: float) -> str:
    """ "+0.02", "−0.02", and "0.00" without a sign."""
    said = f"{value:+.2f}".replace("-", "−")
    return "0.00" if said in ("+0.00", "−0.00") else said


def gap(one: Estimate) -> str:
    """ "+0.02 (−0.01 to +0.05)": a difference never goes without its interval."""
    return f"{signed(one.value)} ({signed(one.low)} to {signed(one.high)})"


def colour(at: int) -> str:
    return COLOURS[at % len(COLOURS)]


def _lines(lines: Sequence[Line], *, markers: bool) -> go.Figure:
    figure = go.Figure()
    for line in lines:
        style: Mapping[str, Any] = {"color": colour(line.at), "dash": DASHES[line.at % len(DASHES)], "width": 2.4}
        figure.add_scatter(
            x=list(line.x), y=list(line.y), mode="lines+markers" if markers else "lines", line=style,
            name=text(line.name),
        )  # fmt: skip
    return figure
