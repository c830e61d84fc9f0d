"""A picture and the map over it side by side, moved and zoomed together, to be drawn on. It knows pixels and shapes,
nothing of networks.
"""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from PIL import Image

from pages.ui import pictures, plots

SHARPEST = 1600  # pixels of the longer side that are sent to the browser
LOSSLESS = 1_500_000  # pixels up to which PNG is sent, above it JPEG
GRID = 28  # points a side to be caught by a rectangle or lasso
WIDE, HIGHEST = 330, 520  # pixels of one picture on a usual screen; wider ones leave room at its sides
MINE = "#56B4E9"  # what the clinician drew, told apart from the contour by colour and dashes
CUT = 0.5  # of the maximum: where the contour runs
MOVE: dict[str, Any] = {
    "scrollZoom": True,
    "displayModeBar": True,
    "displaylogo": False,
    "modeBarButtonsToRemove": ["toImage", "autoScale2d", "select2d", "lasso2d", "zoom2d", "pan2d"],
}

Region = Sequence[tuple[float, float]]  # an outline, (x, y) as shares of width and height


def figure(
    left: Any,
    right: Any,
    titles: tuple[str, str],
    contour: Any = None,
    regions: Sequence[Region] = (),
    drag: str = "pan",
) -> go.Figure:
    """`left` and `right` uint8 pictures of one size; `contour` (h, w) in [0, 1] is drawn as a line at half of its peak
    on both; `regions` are outlined; `drag` "pan", "select" (a box) or "lasso"."""
    height, width = left.shape[:2]
    made = go.Figure()
    for n, picture in enumerate((left, right)):
        x, y = ("x", "y") if n == 0 else ("x2", "y2")
        made.add_layout_image(
            source=address(picture), x=0, y=0, sizex=width, sizey=height, xref=x, yref=y, sizing="stretch",
            layer="below",
        )  # fmt: skip
        spots = [(width * (i + 0.5) / GRID, height * (j + 0.5) / GRID) for i in range(GRID) for j in range(GRID)]
        made.add_scatter(
            x=[i for i, _ in spots], y=[j for _, j in spots], mode="markers", marker={"opacity": 0, "size": 2},
            selected={"marker": {"opacity": 0}}, unselected={"marker": {"opacity": 0}}, hoverinfo="skip", xaxis=x,
            yaxis=y, showlegend=False,
        )  # fmt: skip
        if contour is not None:
            _contour(made, contour, width, height, x, y)
        for region in regions:
            points = [(px * width, py * height) for px, py in region]
            path = "M " + " L ".join(f"{px:.1f},{py:.1f}" for px, py in points) + " Z"
            made.add_shape(type="path", path=path, xref=x, yref=y, line={"color": MINE, "width": 3, "dash": "dash"})
        made.add_annotation(
            text=plots.text(titles[n]), x=(0.0, 0.51)[n], y=0, xref="paper", yref="paper", xanchor="left",
            yanchor="top", showarrow=False, font={"size": 13},
        )  # fmt: skip
    made.update_layout(
        height=round(min(HIGHEST, WIDE * height / width)) + 58,
        margin={"l": 0, "r": 0, "t": 32, "b": 26}, modebar={"bgcolor": "rgba(0,0,0,0)", "color": plots.QUIET},
        paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)",
        dragmode=drag, uirevision="stay", newselection={"line": {"color": MINE}}, showlegend=False,
        xaxis={"domain": [0, 0.49], "range": [0, width], "visible": False, "constrain": "domain"},
        xaxis2={"domain": [0.51, 1], "range": [0, width], "visible": False, "matches": "x", "constrain": "domain",
                "anchor": "y2"},
        yaxis={"range": [height, 0], "visible": False, "scaleanchor": "x", "constrain": "domain"},
        yaxis2={"range": [height, 0], "visible": False, "matches": "y", "scaleanchor": "x2", "constrain": "domain",
                "anchor": "x2"},
    )  # fmt: skip
    return made


def _contour(made: go.Figure, values: Any, width: int, height: int, x: str, y: str) -> None:
    size = 96
    smooth = np.asarray(Image.fromarray(np.asarray(values, np.float32)).resize((size, size), Image.Resampling.BILINEAR))
    smooth = smooth / max(float(smooth.max()), 1e-9)
    made.add_contour(
        z=np.round(smooth, 3), x=(np.arange(size) + 0.5) * width / size, y=(np.arange(size) + 0.5) * height / size,
        xaxis=x, yaxis=y, showscale=False, hoverinfo="skip", line={"width": 2.5},
        contours={"coloring": "lines", "start": CUT, "end": CUT, "size": 1, "showlabels": False},
        colorscale=[[0, plots.WARNING], [1, plots.WARNING]],
    )  # fmt: skip


def drawn(event: Any, width: int, height: int) -> list[list[tuple[float, float]]]:
    """The boxes and lassos that somebody drew, as outlines in shares of the picture."""
    chosen: Mapping[str, Any] = (event or {}).get("selection") or {}
    found = []
    for box in chosen.get("box") or ():
        (left, right), (top, bottom) = sorted(box["x"]), sorted(box["y"])
        found.append([(left, top), (right, top), (right, bottom), (left, bottom)])
    for lasso in chosen.get("lasso") or ():
        points = list(zip(lasso["x"], lasso["y"], strict=True))
        found.append(points[:: max(1, -(-len(points) // 300))])
    inside = [
        [(min(max(float(px) / width, 0), 1), min(max(float(py) / height, 0), 1)) for px, py in region]
        for region in found
    ]
    return [region for region in inside if len(region) >= 3]


def windowed(picture: Any, low: int, high: int) -> Any:
    """The greys between `low` and `high` (of 0 to 255) spread over the whole scale."""
    if (low, high) == (0, 255):
        return picture
    spread = (np.asarray(picture, np.float32) - low) * (255 / max(1, high - low))
    return np.asarray(np.clip(spread, 0, 255), np.uint8)


def fitting(picture: Any) -> Any:
    """As sharp as it is, up to what a screen can show."""
    if max(picture.shape[:2]) <= SHARPEST:
        return picture
    image = Image.fromarray(picture)
    image.thumbnail((SHARPEST, SHARPEST), Image.Resampling.LANCZOS)
    return np.asarray(image)


def address(picture: Any) -> str:
    if picture.shape[0] * picture.shape[1] <= LOSSLESS:
        return pictures.address(picture)
    import base64

    out = io.BytesIO()
    Image.fromarray(picture).save(out, "JPEG", quality=92)
    return "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode()
