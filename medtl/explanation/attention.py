"""Where in a picture a map lies: on dark or empty parts, along edges, on writing; and whether it fits a marked region.

numpy only. Shares of a map's mass, each beside the share of the picture's area, which is what a map that points nowhere
would have. Letters: H, W pixels of the picture, h, w cells of the map.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

EDGE = 1 / 14  # of the side: what counts as the edge of a picture; half a cell of 7
_BLACK, _WHITE = 25, 240  # grey values of 255 between which a picture has no ground to speak of
_ALIKE = 12  # grey values around that of the edge that are still ground
_PIECE = 0.02  # of the picture: smaller pieces on the ground are writing or marks, not the body
_LEAST = 0.02  # of the picture: with less ground, nothing is outside

Point = tuple[float, float]  # (x, y) as shares of width and height


@dataclass(frozen=True)
class Overlap:
    """How a map fits a region: `iou` of the cells at or above `cut` of the maximum, `inside` the share of its mass,
    `area` the share of the picture the region takes, `hit` whether the strongest point lies in it."""

    iou: float
    inside: float
    area: float
    hit: bool


def body(picture: np.ndarray) -> np.ndarray:
    """(H, W) or (H, W, 3) uint8 -> (H, W) bool: what is not dark or empty ground that reaches the edge.

    Ground is what has the black (or white) of the picture's edge and is joined to the edge. A picture that is filled to
    its edges has no ground, and everything is body. A simple mask: dark lungs, fluid or an acoustic
    shadow that reaches the edge are taken for ground.
    """
    from scipy import ndimage

    grey = picture.mean(axis=2) if picture.ndim == 3 else picture.astype(np.float32)
    rim = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    outside = np.zeros(grey.shape, bool)
    for ground in (np.percentile(rim, 20), np.percentile(rim, 80)):
        if _BLACK < ground < _WHITE:
            continue
        named, _ = ndimage.label(np.abs(grey - ground) <= _ALIKE)
        edge = np.unique(np.concatenate([named[0], named[-1], named[:, 0], named[:, -1]]))
        outside |= np.isin(named, edge[edge > 0])
    if outside.mean() < _LEAST:
        return np.ones(grey.shape, bool)
    named, count = ndimage.label(~outside)
    if not count:
        return np.ones(grey.shape, bool)
    large = np.flatnonzero(np.bincount(named.ravel())[1:] >= _PIECE * grey.size) + 1
    return np.isin(named, large) if len(large) else ~outside


def edge(height: int, width: int) -> np.ndarray:
    """(H, W) bool: a rim of `EDGE` of each side."""
    down, across = max(1, round(height * EDGE)), max(1, round(width * EDGE))
    mask = np.ones((height, width), bool)
    mask[down : height - down, across : width - across] = False
    return mask


def boxes(rectangles: Sequence[tuple[float, float, float, float]], height: int, width: int) -> np.ndarray:
    """(H, W) bool from (left, top, right, bottom) as shares."""
    mask = np.zeros((height, width), bool)
    for left, top, right, bottom in rectangles:
        rows = slice(max(0, int(top * height)), max(0, int(np.ceil(bottom * height))))
        mask[rows, max(0, int(left * width)) : max(0, int(np.ceil(right * width)))] = True
    return mask


def polygons(regions: Sequence[Sequence[Point]], height: int, width: int) -> np.ndarray:
    """(H, W) bool: inside any of these outlines."""
    canvas = Image.new("1", (width, height))
    draw = ImageDraw.Draw(canvas)
    for region in regions:
        points = [(min(max(x, 0), 1) * (width - 1), min(max(y, 0), 1) * (height - 1)) for x, y in region]
        if len(points) >= 3:
            draw.polygon(points, fill=1, outline=1)
    return np.asarray(canvas, bool)


def share(values: np.ndarray, mask: np.ndarray) -> float:
    """How much of a map (h, w), at least 0 everywhere, lies on a mask (H, W); NaN where the map is empty."""
    large = enlarged(values, *mask.shape)
    whole = float(large.sum())
    return float(large[mask].sum()) / whole if whole > 0 else float("nan")


def overlap(values: np.ndarray, mask: np.ndarray, cut: float = 0.5) -> Overlap:
    """Of a map (h, w) in [0, 1] and a region (H, W). The pointing game is that of Zhang et al. 2018,
    doi 10.1007/s11263-017-1059-x, without a margin around the region."""
    large = enlarged(values, *mask.shape)
    bright = large >= cut * max(float(large.max()), 1e-12)
    both, either = int((bright & mask).sum()), int((bright | mask).sum())
    top = np.unravel_index(int(large.argmax()), large.shape)
    return Overlap(both / either if either else 0.0, share(values, mask), float(mask.mean()), bool(mask[top]))


def enlarged(values: np.ndarray, height: int, width: int) -> np.ndarray:
    """(h, w) -> (H, W), as the map is drawn."""
    grid = Image.fromarray(np.ascontiguousarray(values, np.float32))
    return np.asarray(grid.resize((width, height), Image.Resampling.BILINEAR))
