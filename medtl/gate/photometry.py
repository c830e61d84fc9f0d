"""Is the picture itself within what the cohort's pictures are like: colour, blankness, noise, brightness, shape, size,
and what the file says it is?

Each check has a sentence of its own. Limits lie beyond everything the cohort holds, by a margin, so that they refuse
what is another kind of picture and hardly ever a case of the right kind; the finer question is `distance`'s. Knows no
network.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from medtl.cohorts.appearance import NUMBERS, Appearance

TRIMMED = 200  # of so many cases one, the most extreme, does not count at either end: a cohort holds strays
FEWEST = 5  # cases below which nothing is said
SAID = ("modality", "body")  # facts of a DICOM file that tell of what it is a picture
SIZE = ("width", "height")


@dataclass(frozen=True)
class Seen:
    """What was measured on some pictures, a row each. `values` (n, len(MEASURES)); `numbers` (n, NUMBERS)."""

    values: np.ndarray
    numbers: np.ndarray
    facts: tuple[Mapping[str, Any], ...]

    def __len__(self) -> int:
        return len(self.values)

    @property
    def brightness(self) -> np.ndarray:
        """(n,) in [0, 1]"""
        return np.asarray(self.values[:, NAMES.index("brightness")])


@dataclass(frozen=True)
class Check:
    """One question to one picture: what was found, between which bounds it may lie (None: no bound on that side), and
    what is to be said where it does not."""

    name: str
    value: float | str
    low: float | None
    high: float | None
    ok: bool
    says: str = ""


@dataclass(frozen=True)
class Measure:
    """`margin` is laid beyond the lowest and the highest value of the cohort, added or (in shares of the value) as a
    factor; None: no limit on that side."""

    name: str
    margin: float | None
    factor: tuple[float, float] | None
    too_low: str
    too_high: str


MEASURES = (
    Measure(
        "coloured", 0.1, None,
        "This image is grey; the model was trained on images in colour.",
        "This image is in colour; the model was trained on grey images.",
    ),
    Measure(
        "brightness", 0.15, None,
        "This image is far darker than those the model was trained on.",
        "This image is far brighter than those the model was trained on.",
    ),
    Measure(
        "contrast", None, (0.5, 2.0),
        "This image is blank, or nearly so.",
        "This image has far more contrast than those the model was trained on.",
    ),
    Measure(
        "sharpness", None, (0.4, 2.5),
        "This image is far more blurred than those the model was trained on.",
        "This image is far grainier than those the model was trained on, as noise is.",
    ),
    Measure(
        "shape", 0.7, None,
        "This image is much taller for its width than those the model was trained on.",
        "This image is much wider for its height than those the model was trained on.",
    ),
    Measure(
        "size", None, (0.25, np.inf),
        "This image has far fewer pixels than those the model was trained on.",
        "",
    ),
)  # fmt: skip
NAMES = tuple(measure.name for measure in MEASURES)


def seen(appearances: Sequence[Appearance], facts: Sequence[Mapping[str, Any]]) -> Seen:
    """`facts` hold width and height of each picture as it was brought, and what its file says of it."""
    values = [
        (
            one.coloured, one.looks.brightness, one.looks.contrast, one.looks.sharpness,
            np.log2(max(1, of.get("width") or 1) / max(1, of.get("height") or 1)),
            max(of.get("width") or 1, of.get("height") or 1),
        )
        for one, of in zip(appearances, facts, strict=True)
    ]  # fmt: skip
    numbers = np.stack([one.numbers for one in appearances]) if appearances else np.zeros((0, NUMBERS), np.float32)
    kept = tuple({name: of[name] for name in SAID if of.get(name)} for of in facts)
    return Seen(np.array(values, np.float64).reshape(-1, len(MEASURES)), numbers, kept)


@dataclass(frozen=True)
class Bounds:
    """(len(MEASURES),) each; infinite where there is no limit. `said`: fact -> the values the cohort's files have,
    where at least nine in ten of them say it."""

    low: np.ndarray
    high: np.ndarray
    said: Mapping[str, tuple[str, ...]]

    def checks(self, of: Seen) -> list[tuple[Check, ...]]:
        """For each picture all checks, in the order of MEASURES, then what the file says."""
        return [(*self._measured(row), *self._told(facts)) for row, facts in zip(of.values, of.facts, strict=True)]

    def _measured(self, row: np.ndarray) -> list[Check]:
        found = []
        for value, low, high, measure in zip(
            row.tolist(), self.low.tolist(), self.high.tolist(), MEASURES, strict=True
        ):
            wrong = measure.too_low if value < low else measure.too_high if value > high else ""
            if measure.name == "coloured" and value > high and high > 0.5:
                wrong = "More of this image is in colour than of any the model was trained on."
            if measure.name == "coloured" and value < low and low < 0.5:
                wrong = "Less of this image is in colour than of any the model was trained on."
            bounds = tuple(None if not np.isfinite(bound) else bound for bound in (low, high))
            found.append(Check(measure.name, value, bounds[0], bounds[1], not wrong, wrong))
        return found

    def _told(self, facts: Mapping[str, Any]) -> list[Check]:
        found = []
        for name, known in self.said.items():
            if value := str(facts.get(name) or ""):
                what = {"modality": "an image of the kind", "body": "an image of"}[name]
                wrong = f"The file says it is {what} {value}; the model was trained on {' and '.join(known)}."
                found.append(Check(name, value, None, None, value in known, "" if value in known else wrong))
        return found


def bounds(of: Seen) -> Bounds:
    """From the pictures of the cohort's train and tune part."""
    n = len(of)
    if n < FEWEST:
        return Bounds(np.full(len(MEASURES), -np.inf), np.full(len(MEASURES), np.inf), {})
    strays = n // TRIMMED
    ordered = np.sort(of.values, axis=0)
    low, high = ordered[strays], ordered[n - 1 - strays]
    for k, measure in enumerate(MEASURES):
        if measure.margin is not None:
            low[k], high[k] = low[k] - measure.margin, high[k] + measure.margin
        if measure.factor is not None:
            low[k], high[k] = low[k] * measure.factor[0], high[k] * measure.factor[1]
    said = {}
    for name in SAID:
        values = [str(facts[name]) for facts in of.facts if facts.get(name)]
        if len(values) >= 0.9 * n:
            said[name] = tuple(sorted(set(values)))
    return Bounds(low, high, said)
