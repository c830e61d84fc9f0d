"""Plots of what a threshold does: the table of four counts, the numbers from it, and 1,000 people at a prevalence.

Like pages/ui/plots.py: figures only, the sentence for those who cannot see them is said where they are drawn.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from medtl.evaluation.prevalence import People
from medtl.vocabulary import Estimate
from pages.ui import plots, words
from pages.ui.escape import plotly as text
from pages.ui.escape import short

INK, WHITE = "#16242B", "#FFFFFF"
RIGHT, WRONG, TRIED = "#0A6A72", "#B25E00", "#5E7480"  # called rightly, wrongly, and while another threshold is tried
ACROSS, DOWN = 50, 20
GROUPS = (("found", "#0E8690"), ("missed", "#C2185B"), ("false alarm", "#E69F00"), ("let pass", "#B9C6CB"))
Counts = Mapping[tuple[bool, bool], int]  # (has it, called) -> cases


@dataclass(frozen=True)
class Number:
    """A row: what it is, what was counted, and the number."""

    title: str
    counted: str
    estimate: Estimate


def table(name: str, without: str, counts: Counts, tried: bool) -> go.Figure:
    """Reference on rows, call on columns, those who have it first; the shade is the share of the row. While another
    threshold is `tried`, it is grey."""
    rows, columns = (short(name, 20), short(without, 20)), ("called", "not called")
    says = {(True, True): "found", (True, False): "missed", (False, True): "false alarms", (False, False): "let pass"}
    cells = [(x, y, y == 0, x == 0) for y in (0, 1) for x in (0, 1)]  # with their (has it, called)
    whole = {has: counts[has, True] + counts[has, False] for has in (True, False)}
    share = {cell: n / max(1, whole[cell[0]]) for cell, n in counts.items()}

    def shade(has: bool, called: bool) -> str:
        return _mixed(TRIED if tried else RIGHT if has == called else WRONG, 0.08 + 0.92 * share[has, called])

    # Made in one piece: a slider draws it anew at every step.
    figure = go.Figure(
        data=[{
            "type": "scatter", "x": [x for x, *_ in cells], "y": [y for _, y, *_ in cells], "mode": "markers+text",
            "marker": {"size": 70, "symbol": "square", "color": "rgba(0,0,0,0)"},
            "text": [f"<b>{counts[h, c]:,}</b><br>{says[h, c]}" for *_, h, c in cells],
            "textfont": {"size": 15, "color": [WHITE if share[h, c] > 0.5 else INK for *_, h, c in cells]},
            "customdata": [[h, c] for *_, h, c in cells],
            "meta": [counts[h, c] for *_, h, c in cells],  # what is saved as numbers: the points carry letters only
            "hovertext": [
                f"{text(rows[y])}, {columns[x]}: {counts[h, c]:,} ({words.part(counts[h, c], whole[h])})"
                for x, y, h, c in cells
            ],
            "hoverinfo": "text", "selected": {"marker": {"opacity": 1}}, "unselected": {"marker": {"opacity": 1}},
        }],
        layout={
            "shapes": [
                {
                    "type": "rect", "x0": x - 0.48, "x1": x + 0.48, "y0": y - 0.47, "y1": y + 0.47, "layer": "below",
                    "line": {"width": 0}, "fillcolor": shade(h, c),
                }
                for x, y, h, c in cells
            ],
            "xaxis": {
                "tickvals": [0, 1], "ticktext": [f"<b>{one}</b>" for one in columns], "side": "top",
                "range": [-0.5, 1.5], "showgrid": False, "zeroline": False,
            },
            "yaxis": {
                "tickvals": [0, 1], "ticktext": [text(one) for one in rows], "range": [1.5, -0.5], "showgrid": False,
                "zeroline": False, "ticksuffix": "  ",
            },
            "height": 258, "clickmode": "event+select", "dragmode": False, "showlegend": False,
        },
    )  # fmt: skip
    return plots.tidy(figure, top=30)


def numbers(rows: Sequence[Number], tried: bool) -> go.Figure:
    """One row a number with what was counted under its name, value and interval, all on one scale from 0 to 1."""
    colour = plots.INK if tried else plots.ACCENT
    figure = go.Figure()
    at = list(range(len(rows)))
    figure.add_scatter(
        x=[row.estimate.value for row in rows], y=at, mode="markers", marker={"size": 11, "color": colour},
        error_x={
            "type": "data", "symmetric": False, "color": colour, "thickness": 2.4, "width": 5,
            "array": [row.estimate.high - row.estimate.value for row in rows],
            "arrayminus": [row.estimate.value - row.estimate.low for row in rows],
        },
        hovertext=[f"{row.title}: {words.whole(row.estimate)}, {row.counted}, {row.estimate.how}" for row in rows],
        hoverinfo="text", showlegend=False,
    )  # fmt: skip
    said = [
        plots.right(y, 14, f"<b>{words.value(row.estimate)}</b>", size=17, color=colour) for y, row in enumerate(rows)
    ]
    said += [plots.right(y, 78, words.interval(row.estimate), size=14) for y, row in enumerate(rows)]
    figure.update_layout(annotations=said)
    figure.update_xaxes(
        range=[-0.015, 1.015], tickvals=[0, 0.5, 1], zeroline=False, ticktext=["0 %", "50 %", "100 %"],
    )  # fmt: skip
    figure.update_yaxes(
        tickvals=at, ticktext=[f"<b>{row.title}</b><br>{text(row.counted)}" for row in rows],
        range=[len(rows) - 0.4, -0.6], showgrid=False, ticksuffix="  ",
    )  # fmt: skip
    figure.update_layout(height=34 + (56 if len(rows) < 5 else 44) * len(rows))
    figure = plots.tidy(figure)
    figure.update_layout(margin={"r": 172, "l": 10, "t": 6, "b": 26})
    return figure


def people(those: People) -> go.Figure:
    """A thousand squares, a person each (or as many as are said), in the order found, missed, false alarm, let pass."""
    counts = squares(those)
    filled = [group for group, n in enumerate(counts) for _ in range(n)]
    grid = [[filled[x * DOWN + y] for x in range(ACROSS)] for y in range(DOWN)]
    colours = [colour for _, colour in GROUPS]
    scale = [[(k + end) / 4, colour] for k, colour in enumerate(colours) for end in (0, 1)]  # steps, not shades
    figure = go.Figure(
        go.Heatmap(z=grid, zmin=-0.5, zmax=3.5, colorscale=scale, showscale=False, xgap=1.5, ygap=1.5, hoverinfo="skip")
    )
    told = (those.found, those.missed, those.alarmed, those.passed)
    for (name, colour), n in zip(GROUPS, told, strict=True):
        figure.add_scatter(
            x=[None], y=[None], mode="markers", name=f"{name} {n:,}", hoverinfo="skip",
            marker={"size": 11, "symbol": "square", "color": colour},
        )  # fmt: skip
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False, autorange="reversed")
    figure.update_layout(height=210, legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"})
    return plots.tidy(figure, top=30)


def squares(those: People) -> tuple[int, ...]:
    """How many of the thousand squares each group gets: nobody is left without one, and they add up."""
    told = (those.found, those.missed, those.alarmed, those.passed)
    share = [ACROSS * DOWN * n / those.of for n in told]
    given = [max(1, int(one)) if n else 0 for one, n in zip(share, told, strict=True)]
    order = sorted(range(4), key=lambda k: int(share[k]) - share[k])
    for k in order:
        if sum(given) < ACROSS * DOWN and told[k]:
            given[k] += 1
    most = given.index(max(given))
    given[most] += ACROSS * DOWN - sum(given)
    return tuple(given)


def _mixed(colour: str, strength: float) -> str:
    """With white, so that the ink on it reads in both themes."""
    return "#" + "".join(f"{round(255 - strength * (255 - int(colour[at : at + 2], 16))):02X}" for at in (1, 3, 5))
