"""What a map is before anybody looks at it: drawable, or empty, flat, everywhere, at the border, the same for all.

numpy only. The rules are thresholds on what was measured; each stands here with its number, and in the sentence.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from medtl.vocabulary import HeatMap, MapState

# Nothing speaks for a class when its strongest cell is below this share of the strongest in either direction.
EMPTY = 1e-6
# A map whose strongest cell is above its weakest by less than this share of itself says nothing about place.
FLAT = 1e-3
# Everywhere: so much of the picture reaches half of the strongest cell. A Gaussian spot of a third of the side: .38.
EVERYWHERE = 0.75
# Hugs the border: so much lies in the outermost cells (of 7 x 7 these are half of all), on at least three sides.
BORDER = 0.8
SIDE = 0.1  # what a side must hold to count
SMALLEST = 5  # cells a side below which nearly every cell is an outermost one
# The same for every class: the rank correlation of the maps of all classes is at least this.
SAME = 0.98

NAMED: dict[MapState, str] = {
    "empty": "nothing speaks for it",
    "flat": "all places alike",
    "everywhere": "everywhere at once",
    "border": "hugs the border",
    "same": "the same for every class",
    "invalid": "no numbers",
}


def heat_map(
    raw: np.ndarray, label: str, layer: str, title: str = "Grad-CAM", id: str = "gradcam", *,
    signed: bool = True, exact: bool = False,
) -> HeatMap:  # fmt: skip
    """(h, w) as a method gave it -> a map in [0, 1] with its state. `signed`: whether values below zero speak against
    the class; they are in `signed` and count as 0 in `values`."""
    raw = np.asarray(raw, np.float64)
    state = judged(raw)
    says = _SAYS[state].format(label=label)
    if state == "invalid":
        return HeatMap(label, title, layer, None, state, says, method_id=id, exact=exact)
    top = float(np.abs(raw).max())
    both = np.round(raw / top, 4).tolist() if signed and top > 0 else None
    values = None if state in ("empty", "flat") else np.round(scaled(raw), 4).tolist()
    return HeatMap(label, title, layer, values, state, says, both, top, exact, id)


def scaled(raw: np.ndarray) -> np.ndarray:
    """What speaks for the class, stretched to 0..1 within the map."""
    values = np.maximum(raw, 0)
    spread = float(values.max() - values.min())
    return np.asarray((values - values.min()) / spread if spread > 0 else np.zeros_like(values))


def judged(raw: np.ndarray) -> MapState:
    """The state of one (h, w) map, "same" aside."""
    if not np.isfinite(raw).all():
        return "invalid"
    values = np.maximum(raw, 0)
    top = float(values.max())
    if top <= EMPTY * float(np.abs(raw).max()):
        return "empty"
    if top - float(values.min()) <= FLAT * top:
        return "flat"
    if _everywhere(scaled(raw)):
        return "everywhere"
    return "border" if _hugs_border(values) else "ok"


def told_apart(maps: Sequence[HeatMap]) -> tuple[HeatMap, ...]:
    """Maps of all classes for one picture; where every pair is alike, none says why this class was chosen."""
    drawn = [np.asarray(m.signed if m.signed is not None else m.values) for m in maps if m.state != "invalid"]
    drawn = [values for values in drawn if values.ndim == 2]
    if len(maps) < 2 or len(drawn) < len(maps) or not alike(drawn):
        return tuple(maps)
    return tuple(
        dataclasses.replace(m, state="same", says=_SAYS["same"].format(label=m.label)) if m.state == "ok" else m
        for m in maps
    )


def alike(maps: Sequence[np.ndarray]) -> bool:
    """Whether every pair of (h, w) maps has a rank correlation of at least `SAME`."""
    first, *others = maps
    return all(rank_correlation(first, other) >= SAME for other in others)


def rank_correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Spearman's, between -1 and 1; 0 where one of them does not vary or holds no numbers."""
    a, b = np.ravel(one), np.ravel(other)
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        return 0.0
    a, b = _ranks(a), _ranks(b)
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size > 0 else 0.0


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 0, equal values sharing their mean."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return np.asarray((ends - (counts + 1) / 2)[inverse], np.float64)


def _everywhere(values: np.ndarray) -> bool:
    return float((values >= 0.5).mean()) >= EVERYWHERE


def _hugs_border(values: np.ndarray) -> bool:
    if min(values.shape) < SMALLEST:
        return False
    whole = float(values.sum())
    ring = whole - float(values[1:-1, 1:-1].sum())
    sides = (values[0].sum(), values[-1].sum(), values[:, 0].sum(), values[:, -1].sum())
    return ring >= BORDER * whole and sum(float(side) >= SIDE * whole for side in sides) >= 3


_SAYS: dict[MapState, str] = {
    "ok": "",
    "empty": "No map: no region of this image spoke for '{label}'. If the model calls it nevertheless, it does so "
    "because other classes have even less.",
    "flat": "No map: no region of this image spoke for '{label}' more than another. The network did not use one place "
    "for this class.",
    "everywhere": "Not drawn: the network looked at nearly the whole image for '{label}' (three quarters of it reach "
    "half of the maximum), so the map points nowhere.",
    "border": "Not drawn: the network looked along the edges of the image for '{label}' (at least 80 % lies in the "
    "outermost cells, on three sides or more). This often comes from the network's padding, or from frames and text.",
    "same": "Not drawn: the map for '{label}' is the same as for every other class (rank correlation .98 or more), so "
    "it does not say why this class was chosen.",
    "invalid": "No map: the calculation did not give numbers for this image. Do not read anything into its absence.",
}
