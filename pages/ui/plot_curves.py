"""Plots over all thresholds: precision against recall, calibration before and after, the decision curve, the scores.

Like pages/ui/plots.py: figures only, the sentence for those who cannot see them is said where they are drawn.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from medtl.evaluation.reliability import Mended, Reliability
from medtl.evaluation.utility import DecisionCurve
from pages.ui import plots, words
from pages.ui.escape import plotly as text

HEIGHT = 340
ABOVE = {"orientation": "h", "x": 0, "y": 1.01, "yanchor": "bottom", "title_text": ""}


def precision(curve: Mapping[str, Any], name: str, colour: str, point: tuple[float, float] | None) -> go.Figure:
    """PPV against sensitivity with its band and the prevalence as the line of guessing; `point` is (sensitivity, PPV)
    at the frozen threshold."""
    figure = go.Figure()
    x = list(curve["recall"])
    _band(figure, x, curve["low"], curve["high"], colour)
    figure.add_scatter(
        x=x, y=list(curve["precision"]), mode="lines", line={"color": colour, "width": 2.4}, name=text(name),
        hovertemplate="sensitivity %{x:.0%}: PPV %{y:.0%}<extra></extra>",
    )  # fmt: skip
    share = curve["prevalence"]
    figure.add_scatter(
        x=[0, 1], y=[share, share], mode="lines", line={"color": plots.QUIET, "dash": "dot"}, hoverinfo="skip",
        name=f"guessing: {100 * share:.0f} % have it",
    )  # fmt: skip
    _frozen(figure, point)
    figure.update_xaxes(title_text="sensitivity", range=[-0.01, 1.01], tickformat=".0%")
    figure.update_yaxes(title_text="PPV in this test part", range=[-0.01, 1.02], tickformat=".0%")
    figure.update_layout(height=HEIGHT, legend=ABOVE)
    return plots.tidy(figure, top=34)


def calibration(shown: Mended, colour: str, fitted: bool) -> go.Figure:
    """Share that has it against the score: hollow before, filled after; below them how many cases have which score."""
    figure = go.Figure()
    figure.add_scatter(
        x=[0, 1], y=[0, 1], mode="lines", line={"color": plots.QUIET, "dash": "dot"}, name="as it says",
        hoverinfo="skip",
    )  # fmt: skip
    if fitted:
        _bins(figure, shown.before, plots.QUIET, "before", hollow=True)
    after = shown.after if fitted else shown.before
    if after.curve is not None:
        _band(figure, list(after.curve.score), after.curve.low, after.curve.high, colour)
        figure.add_scatter(
            x=list(after.curve.score), y=list(after.curve.share), mode="lines", line={"color": colour, "width": 2},
            showlegend=False, hoverinfo="skip",
        )  # fmt: skip
    _bins(figure, after, colour, "after" if fitted else "not calibrated", hollow=False)
    having, others = after.histogram
    width = 1 / len(having)
    figure.add_bar(
        x=[width * (k + 0.5) for k in range(len(having))],
        y=[a + b for a, b in zip(having, others, strict=True)],
        width=width, marker={"color": plots.QUIET}, yaxis="y2", showlegend=False,
        hovertemplate="%{y} cases scored near %{x:.2f}<extra></extra>",
    )  # fmt: skip
    figure.update_xaxes(title_text="score", range=[-0.01, 1.01], anchor="y2")
    figure.update_layout(
        height=HEIGHT + 20, legend=ABOVE, bargap=0.05,
        yaxis={
            "title": {"text": "share that has it"}, "range": [-0.02, 1.02], "domain": [0.24, 1], "tickformat": ".0%",
        },
        yaxis2={"domain": [0, 0.17], "anchor": "x", "showgrid": False, "nticks": 3, "title": {"text": "cases"}},
    )  # fmt: skip
    return plots.tidy(figure, top=34)


def decision(curve: DecisionCurve, colour: str) -> go.Figure:
    """Net benefit of the model with its band, of treating all, and of treating none (0)."""
    figure = go.Figure()
    x = [100 * t for t in curve.threshold]
    for low, high in curve.useful:
        figure.add_vrect(x0=100 * low, x1=100 * high, fillcolor=plots.ACCENT, opacity=0.1, line_width=0, layer="below")
    _band(figure, x, curve.low, curve.high, colour)
    figure.add_scatter(
        x=x, y=list(curve.model), mode="lines", line={"color": colour, "width": 2.4}, name="this model",
        hovertemplate="at %{x:.0f} %: net benefit %{y:.3f}<extra></extra>",
    )  # fmt: skip
    figure.add_scatter(
        x=x, y=list(curve.treat_all), mode="lines", line={"color": plots.INK, "dash": "dash"}, name="treat all",
        hoverinfo="skip",
    )  # fmt: skip
    figure.add_scatter(
        x=[x[0], x[-1]], y=[0, 0], mode="lines", line={"color": plots.QUIET, "dash": "dot"}, name="treat none",
        hoverinfo="skip",
    )  # fmt: skip
    top = max([*curve.high, *curve.treat_all])
    figure.update_xaxes(title_text="threshold probability (%)", range=[x[0], x[-1]])
    figure.update_yaxes(title_text="net benefit", range=[-0.35 * top, 1.08 * top], zeroline=False)
    figure.update_layout(height=HEIGHT, legend=ABOVE)
    return plots.tidy(figure, top=34)


def scores(
    shown: Reliability, names: tuple[str, str], colours: tuple[str, str], threshold: float | None, word: str
) -> go.Figure:
    """Bars of equal width over each other: those who have it and those who have not, with the threshold."""
    figure = go.Figure()
    width = 1 / len(shown.histogram[0])
    for counts, name, colour in zip(shown.histogram, names, colours, strict=True):
        figure.add_bar(
            x=[width * (k + 0.5) for k in range(len(counts))], y=list(counts), width=width, name=text(name),
            marker={"color": colour}, opacity=0.72, hovertemplate="%{y} scored near %{x:.2f}<extra></extra>",
        )  # fmt: skip
    if threshold is not None:
        figure.add_vline(
            x=threshold, line={"color": plots.INK, "width": 2, "dash": "dash"},
            annotation_text=f" threshold {threshold:.2f}",
        )  # fmt: skip
    figure.update_layout(barmode="overlay", height=HEIGHT, legend=ABOVE)
    figure.update_xaxes(title_text=f"{word} for {text(names[0])}", range=[0, 1])
    figure.update_yaxes(title_text="cases of the test part")
    return plots.tidy(figure, top=34)


def said(bins: Sequence[Any]) -> str:
    """Calibration bins as a sentence for those who cannot see them."""
    return "; ".join(f"near {one.mean:.2f}, {words.part(one.having, one.share.n)} of {one.share.n}" for one in bins)


def _bins(figure: go.Figure, of: Reliability, colour: str, name: str, hollow: bool) -> None:
    figure.add_scatter(
        x=[one.mean for one in of.bins],
        y=[one.share.value for one in of.bins],
        mode="markers",
        name=name,
        marker={"size": 9, "color": colour, "symbol": "circle-open" if hollow else "circle", "line": {"width": 2}},
        error_y={
            "type": "data", "symmetric": False, "color": colour, "thickness": 1 if hollow else 2, "width": 0,
            "array": [one.share.high - one.share.value for one in of.bins],
            "arrayminus": [one.share.value - one.share.low for one in of.bins],
        },
        hovertext=[
            f"scored near {one.mean:.2f}: {one.having} of {one.share.n} have it "
            f"({words.span(one.share.low, one.share.high)})"
            for one in of.bins
        ],
        hoverinfo="text",
    )  # fmt: skip


def _band(figure: go.Figure, x: list[float], low: Sequence[float], high: Sequence[float], colour: str) -> None:
    figure.add_scatter(
        x=x + x[::-1], y=[*high, *list(low)[::-1]], fill="toself", fillcolor=faint(colour, 0.16), line={"width": 0},
        hoverinfo="skip", showlegend=False,
    )  # fmt: skip


def _frozen(figure: go.Figure, point: tuple[float, float] | None) -> None:
    if point:
        figure.add_scatter(
            x=[point[0]], y=[point[1]], mode="markers", name="at the threshold",
            marker={"size": 12, "color": plots.WARNING, "symbol": "diamond"},
        )  # fmt: skip


def faint(colour: str, strength: float) -> str:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},{strength})"
