"""Every plot of the screen, as Plotly figures. Classes keep their colour everywhere; backgrounds stay transparent so
that light and dark both work; every figure comes with a sentence for those who cannot see it (`alt`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from medtl.vocabulary import Estimate
from pages.ui import saving, words
from pages.ui.escape import plotly as text

# Okabe and Ito's colours in class order: told apart by the colour-blind, readable on white and on near-black.
CLASSES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8A8A8A", "#B8A500")
ACCENT, WARNING, DANGER, QUIET = "#0E8690", "#C77700", "#C2185B", "#8A979D"
INK = "#5E7480"  # of what neither stands out nor steps back
Box = tuple[float, float, float, float]  # left, top, right, bottom as shares of 0 to 1
CONFIG: dict[str, Any] = {"displayModeBar": False, "responsive": True}


@dataclass(frozen=True)
class Interval:
    """A row of a forest plot; `says` stands right of its numbers."""

    name: str
    estimate: Estimate
    colour: str
    says: str = ""


def class_colour(label: str, classes: Sequence[str]) -> str:
    return CLASSES[list(classes).index(label) % len(CLASSES)] if label in classes else QUIET


def draw(
    figure: go.Figure, alt: str, key: str, save: bool = True, config: Mapping[str, Any] | None = None, **options: Any
) -> Any:
    """The one call that puts a figure on the page. `save` offers it as a file; not where it is drawn anew every second
    or is a tool to draw with. `config` is Plotly's, where a figure is to be moved and zoomed."""
    how = {**CONFIG, **(config or {})}
    answer = st.plotly_chart(figure, key=key, alt=alt, theme="streamlit", config=how, **options)
    if save:
        saving.offer(figure, alt, key)
    return answer


def counts(table: Mapping[str, Mapping[str, tuple[int, int | None]]], classes: Sequence[str]) -> go.Figure:
    """Per class (row) and part (shade) the images and, when known, patients: label -> part -> (images, patients)."""
    figure = go.Figure()
    for part, strength, ink in (("train", 1.0, "#FFFFFF"), ("tune", 0.5, "#16242B"), ("test", 0.22, "#16242B")):
        images = [table[label][part][0] for label in classes]
        figure.add_bar(
            y=[text(label) for label in classes],
            x=images,
            orientation="h",
            name=part,
            marker={"color": [_paler(class_colour(label, classes), strength) for label in classes]},
            text=[f"{part} {n}" if n else "" for n in images],
            textposition="inside",
            insidetextanchor="middle",
            insidetextfont={"color": ink},
            hovertext=[_counted(label, part, table[label][part]) for label in classes],
            hoverinfo="text",
        )
    figure.update_layout(barmode="stack", showlegend=False, height=64 + 46 * len(classes), bargap=0.28)
    figure.update_yaxes(autorange="reversed", ticksuffix="  ")
    figure.update_xaxes(title_text="images")
    return tidy(figure)


def _counted(label: str, part: str, pair: tuple[int, int | None]) -> str:
    patients = f", {words.count(pair[1], 'patient')}" if pair[1] is not None else ""
    return f"{text(label)}, {part} part: {words.count(pair[0], 'image')}{patients}"


def boxes(picture: str, width: int, height: int, done: Sequence[Box], hand: Box, grid: int = 24) -> go.Figure:
    """A picture (a data address) to draw rectangles on: `done` are black, the one in hand outlined; shares 0 to 1.

    The points of the grid cannot be seen: a rectangle can only be drawn where there are points to catch.
    """
    figure = go.Figure()
    spots = [(width * (x + 0.5) / grid, height * (y + 0.5) / grid) for x in range(grid) for y in range(grid)]
    figure.add_scatter(
        x=[x for x, _ in spots], y=[y for _, y in spots], mode="markers", marker={"opacity": 0}, hoverinfo="skip"
    )
    figure.add_layout_image(
        source=picture, x=0, y=0, sizex=width, sizey=height, xref="x", yref="y", sizing="stretch", layer="below"
    )
    for left, top, right, bottom in done:
        figure.add_shape(
            type="rect", x0=left * width, y0=top * height, x1=right * width, y1=bottom * height,
            fillcolor="#000000", line={"color": WARNING, "width": 1},
        )  # fmt: skip
    left, top, right, bottom = hand
    figure.add_shape(
        type="rect", x0=left * width, y0=top * height, x1=right * width, y1=bottom * height,
        fillcolor="rgba(199, 119, 0, 0.25)", line={"color": WARNING, "width": 3},
    )  # fmt: skip
    figure.update_xaxes(visible=False, range=[0, width], constrain="domain")
    figure.update_yaxes(visible=False, range=[height, 0], scaleanchor="x", constrain="domain")
    figure.update_layout(
        dragmode="select", height=min(560, max(240, round(560 * height / max(width, height)))), showlegend=False,
        newselection={"line": {"color": WARNING}}, margin={"l": 0, "r": 0, "t": 0, "b": 0},
    )  # fmt: skip
    return figure


def learning(history: Sequence[Any], best: int | None) -> go.Figure:
    """Loss of train and tune over epochs with the best epoch marked, and the tune AUROC beneath."""
    epochs = [point.epoch for point in history]
    figure = go.Figure()
    figure.add_scatter(
        x=epochs,
        y=[p.train_loss for p in history],
        name="loss, train part",
        mode="lines+markers",
        line={"color": QUIET},
    )
    figure.add_scatter(
        x=epochs, y=[p.tune_loss for p in history], name="loss, tune part", mode="lines+markers", line={"color": ACCENT}
    )
    kept = next((p for p in history if p.epoch == best), None)
    if kept is not None and kept.tune_loss is not None:
        figure.add_scatter(
            x=[kept.epoch],
            y=[kept.tune_loss],
            name=f"best so far: epoch {kept.epoch}",
            mode="markers",
            marker={"size": 15, "symbol": "star", "color": WARNING},
        )
    figure.update_xaxes(title_text="epoch", rangemode="tozero", dtick=1 if len(epochs) < 15 else None)
    figure.update_yaxes(title_text="loss (smaller is better)", rangemode="tozero")
    figure.update_layout(height=330, legend=_legend())
    return tidy(figure, top=36)


def ranking(history: Sequence[Any], best: int | None) -> go.Figure:
    """AUROC on the tune part over epochs."""
    seen = [(p.epoch, p.tune_auroc) for p in history if p.tune_auroc is not None]
    figure = go.Figure()
    figure.add_scatter(
        x=[e for e, _ in seen],
        y=[a for _, a in seen],
        name="AUROC, tune part",
        mode="lines+markers",
        line={"color": ACCENT},
    )
    kept = next((pair for pair in seen if pair[0] == best), None)
    if kept:
        figure.add_scatter(
            x=[kept[0]],
            y=[kept[1]],
            name="kept",
            mode="markers",
            marker={"size": 15, "symbol": "star", "color": WARNING},
        )
    figure.update_xaxes(title_text="epoch", rangemode="tozero", dtick=1 if len(seen) < 15 else None)
    figure.update_yaxes(title_text="AUROC on the tune part", range=[0.45, 1.02])
    figure.update_layout(height=330, legend=_legend())
    return tidy(figure, top=36)


def whiskers(rows: Sequence[tuple[str, Estimate, str]]) -> go.Figure:
    """One row a number: its name, what was counted, the value with its interval, and both drawn on one scale 0 to 1."""
    names = [name for name, _, _ in rows]
    figure = go.Figure()
    figure.add_scatter(
        x=[e.value for _, e, _ in rows],
        y=names,
        mode="markers",
        marker={"size": 10, "color": ACCENT},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [e.high - e.value for _, e, _ in rows],
            "arrayminus": [e.value - e.low for _, e, _ in rows],
            "color": ACCENT,
            "thickness": 2.2,
            "width": 5,
        },
        hovertext=[f"{name}: {words.whole(e)}, n = {e.n}, {e.how}" for name, e, _ in rows],
        hoverinfo="text",
        showlegend=False,
    )
    for name, estimate, counted in rows:
        figure.add_annotation(right(name, 18, f"<b>{words.value(estimate)}</b>", size=15, color=ACCENT))
        figure.add_annotation(right(name, 76, f"{words.interval(estimate)}"))
        figure.add_annotation(right(name, 182, text(counted)))
    figure.update_layout(height=54 + 34 * len(rows))
    figure.update_xaxes(range=[-0.015, 1.015], domain=[0, 1], tickvals=[0, 0.25, 0.5, 0.75, 1], zeroline=False)
    figure.update_yaxes(autorange="reversed", ticksuffix="  ", showgrid=False)
    figure = tidy(figure)
    figure.update_layout(margin={"r": 370, "l": 10, "t": 6, "b": 30})
    return figure


def forest(rows: Sequence[Interval], line: Estimate | None) -> go.Figure:
    """Horizontal intervals in the order given, first on top; a dotted vertical line at `line`."""
    figure = go.Figure()
    for at, row in enumerate(rows):
        figure.add_scatter(
            x=[row.estimate.value],
            y=[at],  # by number: two sources may have one title
            mode="markers",
            marker={"size": 11, "color": row.colour, "symbol": "diamond" if row.estimate is line else "circle"},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [row.estimate.high - row.estimate.value],
                "arrayminus": [row.estimate.value - row.estimate.low],
                "color": row.colour,
                "thickness": 2.2,
                "width": 5,
            },
            hovertext=[
                f"{text(row.name)}: {words.whole(row.estimate)}<br>n = {row.estimate.n}, {text(row.estimate.how)}"
            ],
            hoverinfo="text",
            showlegend=False,
        )
        figure.add_annotation(right(at, 12, f"<b>{words.value(row.estimate)}</b>", size=15))
        figure.add_annotation(right(at, 56, words.interval(row.estimate)))
        figure.add_annotation(right(at, 140, text(row.says)))
    if line:
        figure.add_vline(x=line.value, line={"color": QUIET, "dash": "dot", "width": 1.5})
    lowest = min([0.5, *(row.estimate.low for row in rows)])
    figure.update_xaxes(range=[max(-0.01, lowest - 0.03), 1.01], dtick=0.1, zeroline=False)
    figure.update_yaxes(
        tickvals=list(range(len(rows))), ticktext=[text(row.name) for row in rows], range=[len(rows) - 0.4, -0.6],
        ticksuffix="  ", showgrid=False,
    )  # fmt: skip
    figure.update_layout(height=54 + 36 * len(rows))
    figure = tidy(figure)
    figure.update_layout(margin={"r": 280, "l": 10, "t": 6, "b": 30})
    return figure


def landscape(points: Sequence[tuple[str, str, str, float, float]], classes: Sequence[str]) -> go.Figure:
    """Points to draw around, one colour a class: (id, label, name, x, y); the id travels with a mark."""
    figure = go.Figure()
    for label in classes:
        mine = [point for point in points if point[1] == label]
        figure.add_scatter(
            x=[point[3] for point in mine],
            y=[point[4] for point in mine],
            mode="markers",
            name=f"{text(label)} ({len(mine):,})",
            marker={"size": 8, "color": class_colour(label, classes), "opacity": 0.8},
            customdata=[[point[0]] for point in mine],
            hovertext=[f"{text(point[2])}<br>{text(label)}" for point in mine],
            hoverinfo="text",
            selected={"marker": {"opacity": 1}},
            unselected={"marker": {"opacity": 0.18}},
        )
    figure.update_xaxes(showticklabels=False, showgrid=False, zeroline=False)
    figure.update_yaxes(showticklabels=False, showgrid=False, zeroline=False)
    figure.update_layout(height=430, dragmode="lasso", legend=_legend(), newselection={"line": {"color": WARNING}})
    return tidy(figure, top=36)


def right(row: str | int, shift: int, says: str, **font: Any) -> dict[str, Any]:
    """Text right of the plot, `shift` pixels from its edge."""
    place = {"x": 1, "xshift": shift, "xref": "paper", "y": row, "yref": "y", "showarrow": False, "xanchor": "left"}
    return {**place, "text": says, "font": {"size": 13, **font}}


def roc(
    curves: Mapping[str, Mapping[str, Any]], classes: Sequence[str], point: tuple[float, float] | None
) -> go.Figure:
    """ROC of each class with its band; `point` is (1 - specificity, sensitivity) at the frozen threshold."""
    figure = go.Figure()
    for label, curve in curves.items():
        colour = class_colour(label, classes)
        fpr = list(curve["fpr"])
        figure.add_scatter(
            x=fpr + fpr[::-1],
            y=list(curve["high"]) + list(curve["low"])[::-1],
            fill="toself",
            fillcolor=_faint(colour, 0.16),
            line={"width": 0},
            hoverinfo="skip",
            showlegend=False,
            name=f"{text(label)}, 95 % band",
        )
        figure.add_scatter(
            x=fpr, y=list(curve["tpr"]), mode="lines", line={"color": colour, "width": 2.4}, name=text(label)
        )
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", line={"color": QUIET, "dash": "dot"}, name="guessing")
    if point:
        figure.add_scatter(
            x=[point[0]],
            y=[point[1]],
            mode="markers",
            name="at the threshold",
            marker={"size": 12, "color": WARNING, "symbol": "diamond"},
        )
    figure.update_xaxes(
        title_text="1 − specificity (called though without it)", range=[-0.01, 1.01], constrain="domain"
    )
    figure.update_yaxes(title_text="sensitivity (called of those with it)", range=[-0.01, 1.02])
    figure.update_layout(height=360, legend={"x": 0.98, "y": 0.04, "xanchor": "right", "yanchor": "bottom"})
    return tidy(figure)


def confusion(labels: Sequence[str], table: Sequence[Sequence[int]], who: str = "model") -> go.Figure:
    """Reference standard on rows, model (or `who` else answered) on columns; shade is the share of the row."""
    shares = [[n / max(1, sum(row)) for n in row] for row in table]
    names = [text(label) for label in labels]
    said = [
        [f"<b>{n}</b><br>{100 * s:.0f} %" for n, s in zip(r, q, strict=True)]
        for r, q in zip(table, shares, strict=True)
    ]
    figure = go.Figure(
        go.Heatmap(
            z=shares,
            x=names,
            y=names,
            zmin=0,
            zmax=1,
            colorscale=[[0, "#E6F2F3"], [1, "#0A6A72"]],  # opaque, so that the ink below reads in both themes
            customdata=table,
            name="cases",
            showscale=False,
            hoverongaps=False,
            xgap=3,
            ygap=3,
            hovertemplate=f"reference %{{y}}, {text(who)} %{{x}}<extra></extra>",
        )
    )
    # Points carry the text and take the click: a heat map itself cannot be selected.
    cells = [(x, y) for y in range(len(labels)) for x in range(len(labels))]
    figure.add_scatter(
        x=[names[x] for x, _ in cells],
        y=[names[y] for _, y in cells],
        mode="markers+text",
        marker={"size": 58, "symbol": "square", "color": "rgba(0,0,0,0)"},
        text=[said[y][x] for x, y in cells],
        textfont={"size": 14, "color": ["#FFFFFF" if shares[y][x] > 0.55 else "#16242B" for x, y in cells]},
        customdata=[[labels[y], labels[x]] for x, y in cells],
        hovertemplate=f"reference %{{y}}, {text(who)} %{{x}}<extra></extra>",
        showlegend=False,
        selected={"marker": {"opacity": 1}},
        unselected={"marker": {"opacity": 1}},
    )
    figure.update_xaxes(title_text=text(who), side="top", showgrid=False)
    figure.update_yaxes(title_text="reference", autorange="reversed", showgrid=False)
    figure.update_layout(height=max(300, 110 + 70 * len(labels)), clickmode="event+select", dragmode=False)
    return tidy(figure, top=60)


def histogram(
    scores: Mapping[str, Sequence[float]], classes: Sequence[str], threshold: float | None, of: str
) -> go.Figure:
    """Scores for `of`, one histogram a reference class, over each other, with the threshold."""
    figure = go.Figure()
    for label, values in scores.items():
        figure.add_histogram(
            x=list(values),
            name=text(label),
            xbins={"start": 0, "end": 1.0001, "size": 0.05},
            marker={"color": class_colour(label, classes)},
            opacity=0.75,
        )
    if threshold is not None:
        figure.add_vline(
            x=threshold,
            line={"color": QUIET, "width": 2, "dash": "dash"},
            annotation_text=f" threshold {threshold:.2f}",
        )
    figure.update_layout(barmode="overlay", height=330, legend=_legend())
    figure.update_xaxes(title_text=f"score for {text(of)}", range=[0, 1])
    figure.update_yaxes(title_text="cases of the test part")
    return tidy(figure, top=40)


def difference(estimate: Estimate) -> go.Figure:
    """A difference with its interval against the line of no difference."""
    span = max(0.1, abs(estimate.low), abs(estimate.high)) * 1.25
    figure = go.Figure()
    figure.add_vline(x=0, line={"color": QUIET, "dash": "dot"})
    figure.add_scatter(
        x=[estimate.value],
        y=[""],
        mode="markers",
        marker={"size": 12, "color": ACCENT},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [estimate.high - estimate.value],
            "arrayminus": [estimate.value - estimate.low],
            "color": ACCENT,
            "thickness": 2.4,
            "width": 6,
        },
        hovertext=[f"difference {estimate.value:+.2f} ({estimate.low:+.2f} to {estimate.high:+.2f})"],
        hoverinfo="text",
        showlegend=False,
    )
    figure.update_xaxes(range=[-span, span], title_text="← control better      AUROC difference      this run better →")
    figure.update_layout(height=120)
    return tidy(figure)


def answer(
    scores: Mapping[str, float], classes: Sequence[str], threshold: float | None, positive: str | None,
    word: str = "score",
) -> go.Figure:  # fmt: skip
    """The scores of one case as bars; with two classes the threshold stands on the positive one."""
    labels = list(scores)
    figure = go.Figure()
    figure.add_bar(
        x=[scores[label] for label in labels],
        y=[text(label) for label in labels],
        orientation="h",
        marker={"color": [class_colour(label, classes) for label in labels]},
        text=[f"{scores[label]:.2f}" for label in labels],
        textposition="outside",
        cliponaxis=False,
        hoverinfo="skip",
    )
    if threshold is not None and positive in labels:
        row = labels.index(positive)
        figure.add_shape(
            type="line", x0=threshold, x1=threshold, y0=row - 0.46, y1=row + 0.46, line={"color": QUIET, "width": 3}
        )
    figure.update_xaxes(range=[0, 1.08], tickvals=[0, 0.25, 0.5, 0.75, 1], title_text=word)
    figure.update_yaxes(autorange="reversed", ticksuffix="  ")
    figure.update_layout(height=74 + 40 * len(labels), bargap=0.35)
    return tidy(figure)


def findings(scores: Mapping[str, float], thresholds: Mapping[str, float]) -> go.Figure:
    """The scores of several findings of one case as bars, each with the threshold it is called from; those called stand
    out."""
    labels = list(scores)
    called = [scores[label] >= thresholds.get(label, 0.5) for label in labels]
    figure = go.Figure()
    figure.add_bar(
        x=[scores[label] for label in labels],
        y=[text(label) for label in labels],
        orientation="h",
        marker={"color": [ACCENT if one else QUIET for one in called]},
        text=[f"{scores[label]:.2f}" for label in labels],
        textposition="outside",
        cliponaxis=False,
        hoverinfo="skip",
    )
    for row, label in enumerate(labels):
        at = thresholds.get(label, 0.5)
        figure.add_shape(type="line", x0=at, x1=at, y0=row - 0.46, y1=row + 0.46, line={"color": WARNING, "width": 3})
    figure.update_xaxes(range=[0, 1.08], tickvals=[0, 0.25, 0.5, 0.75, 1], title_text="score")
    figure.update_yaxes(autorange="reversed", ticksuffix="  ")
    figure.update_layout(height=74 + 30 * len(labels), bargap=0.35)
    return tidy(figure)


def tidy(figure: go.Figure, top: int = 8) -> go.Figure:
    """No frame, no background, no zooming by accident."""
    figure.update_layout(
        margin={"l": 10, "r": 16, "t": top, "b": 8}, paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)"
    )
    figure.update_xaxes(fixedrange=True, automargin=True)
    figure.update_yaxes(fixedrange=True, automargin=True)
    return figure


def _legend() -> dict[str, Any]:
    return {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "title_text": ""}


def _paler(colour: str, strength: float) -> str:
    """Mixed with white, so that dark letters stand on it in both themes."""
    return "#" + "".join(f"{round(255 - strength * (255 - int(colour[at : at + 2], 16))):02X}" for at in (1, 3, 5))


def _faint(colour: str, strength: float) -> str:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},{strength})"
