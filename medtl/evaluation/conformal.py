"""Prediction sets: every class that cannot be ruled out at a wanted error, from the scores of the tune part; and on the
test part how often they held the truth. A set of one class is an answer; any other says "don't know".

Letters: n cases, k classes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from medtl.errors import BadInput
from medtl.evaluation import sentences
from medtl.evaluation.estimates import check
from medtl.evaluation.resampling import Bools, Floats, Ints, Resampling, whose
from medtl.evaluation.sides import mean, share
from medtl.evaluation.thresholds import positive_index
from medtl.evaluation.values import spoken
from medtl.vocabulary import Estimate

ERROR = 0.1
HAIR = 1e-9  # (n + 1)(1 - error) may pass a whole number by a rounding error only
Patients = NDArray[np.object_] | None


# ---- one limit for all ----------------------------------------------------------------------------------------------


def limit(y: Ints, scores: Floats, error: float = ERROR) -> float:
    """The least score a class must have to stay in the set (split conformal, LAC: Sadinle et al., arXiv:1609.00451).

    With n tune cases the ceil((n + 1)(1 - error))-th smallest of 1 - score of the true class; with too few cases for
    that (n < 1/error - 1) nothing can be ruled out and the limit is 0. The tune part also chose the model, so coverage
    is near 1 - error, not guaranteed.
    """
    y = np.asarray(y, int)
    return _limit(np.asarray(scores, float)[np.arange(len(y)), y], np.arange(len(y)), error)


def members(scores: Floats, least: float) -> list[int]:
    """Indices of the classes in the set of one case (k,), highest score first; empty means unlike anything."""
    return [int(i) for i in np.argsort(-scores) if scores[i] >= least]


# ---- a limit for each class -----------------------------------------------------------------------------------------


def needed(error: float = ERROR) -> int:
    """Tune patients of a class without whom it can never be ruled out: 9 at 10 %, 19 at 5 %."""
    return math.ceil(1 / error - 1 - HAIR)


def limits_by_class(y: Ints, scores: Floats, error: float = ERROR, patients: Patients = None) -> tuple[float, ...]:
    """For each class the least score with which it stays in a set (Mondrian split conformal: Vovk et al. 2005, ch. 4).

    Of the cases of each class, and not only of all, 1 - error keep theirs: the promise outlives a change in how common
    the classes are. y (n,), scores (n, k) of the tune part; `patients` (n,), None or a None in it for one alone.

    With several images a patient, what is exchangeable is the patient. Each patient's images of a class then share the
    weight of one (hierarchical conformal prediction, arXiv:2306.06342), so the promise is for any image of a new
    patient, nobody's images are thrown away, and with one image each it is the plain rule. A class with fewer than
    `needed(error)` tune patients gets 0: it cannot be ruled out.
    """
    y, scores = np.asarray(y, int), np.asarray(scores, float)
    if scores.ndim != 2 or len(scores) != len(y):
        raise BadInput(
            f"Scores of shape {scores.shape} were given for {len(y)} cases.", "Every case needs one score a class."
        )
    group = whose(len(y), patients).group
    return tuple(_limit(scores[y == c, c], group[y == c], error) for c in range(scores.shape[1]))


def members_by_class(scores: Floats, limits: Sequence[float], ordered: bool = False) -> list[int]:
    """Indices of the classes in the set of one case (k,), highest score first; empty means unlike anything."""
    inside = sets_by_class(np.asarray(scores, float)[None], limits, ordered)[0]
    return [int(i) for i in np.argsort(-np.asarray(scores, float), kind="stable") if inside[i]]


def sets_by_class(scores: Floats, limits: Sequence[float], ordered: bool = False) -> Bools:
    """(n, k) scores -> (n, k) whether each class is in the set. With `ordered` classes (grades) the gaps between two
    that are in are filled: a larger set keeps every promise, and "1 or 3, but not 2" is no answer."""
    inside = np.asarray(scores, float) >= np.asarray(limits, float)
    if ordered:
        up = np.logical_or.accumulate(inside, axis=1)
        down = np.logical_or.accumulate(inside[:, ::-1], axis=1)[:, ::-1]
        inside = up & down
    return np.asarray(inside, bool)


def _limit(true: Floats, group: Ints, error: float) -> float:
    """`true` (n,) are the scores of the true class. The weight of each patient is 1 and that of who comes next is 1,
    too: the limit is the score down to which lies 1 - error of all that weight."""
    if not len(true):
        return 0.0
    _, who, images = np.unique(group, return_inverse=True, return_counts=True)
    order = np.argsort(-true, kind="stable")
    weight = np.cumsum(1 / images[who[order]])
    wanted = (len(images) + 1) * (1 - error) - HAIR
    at = int(np.searchsorted(weight, wanted))
    return float(true[order[at]]) if at < len(true) else 0.0


# ---- on the test part -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ClassCoverage:
    """The test cases of one class. `held`: the class was in the set. `size`: classes in a set, on average. `answered`:
    the set was one class. `right`: of those answered, it was this class; `strict`: of all, with "don't know" an error.
    Of two classes the last two are sensitivity and specificity. `open`: the class had too few tune patients and is in
    every set."""

    name: str
    n: int
    held: Estimate | None
    size: Estimate | None
    answered: Estimate | None
    right: Estimate | None
    strict: Estimate | None
    open: bool


@dataclass(frozen=True)
class Coverage:
    """How prediction sets did on the test part; `single`, `several` and `empty` are shares of all cases. `says` has
    counts first; `unanswered` (n,) tells which cases were not answered."""

    error: float
    limits: tuple[float, ...]
    held: Estimate | None
    size: Estimate | None
    single: Estimate | None
    several: Estimate | None
    empty: Estimate | None
    by_class: tuple[ClassCoverage, ...]
    says: tuple[str, ...]
    unanswered: tuple[bool, ...]


def coverage(
    y: Ints,
    scores: Floats,
    limits: Sequence[float],
    classes: Sequence[str],
    positive: str | None,
    resampling: Resampling,
    error: float = ERROR,
    ordered: bool = False,
    unit: Literal["case", "patient"] = "case",
) -> Coverage:
    """y (n,), scores (n, k) of the test part, limits of the tune part. Findings come one by one: `classes` is then
    (without, with). `unit` is what a row is: a patient's images may be one answer."""
    y, scores = check(y, scores, classes)
    inside = sets_by_class(scores, limits, ordered) if len(y) else np.zeros((0, len(classes)), bool)
    size = inside.sum(axis=1)
    everyone = np.ones(len(y), bool)
    held = inside[np.arange(len(y)), y]
    found, single, several, empty = (
        share(name, hits, everyone, resampling)
        for name, hits in (("held", held), ("single", size == 1), ("several", size > 1), ("empty", size == 0))
    )
    names = [_name(classes, positive, c) for c in range(len(classes))]
    each = tuple(
        _of_class(name, y == c, held, size, resampling, (names[c], limits[c], len(classes)))
        for c, name in enumerate(classes)
    )
    return Coverage(
        error=error,
        limits=tuple(map(float, limits)),
        held=found,
        size=_size(size, everyone, resampling, len(classes)),
        single=single,
        several=several,
        empty=empty,
        by_class=each,
        says=tuple(_says(held, size, each, found, error, unit)),
        unanswered=tuple(bool(one) for one in size != 1),
    )


def _name(classes: Sequence[str], positive: str | None, c: int) -> str:
    """What the share answered right is called: of two classes by its proper name."""
    if len(classes) != 2:
        return f"sensitivity[{classes[c]}]"
    return "sensitivity" if c == positive_index(classes, positive) else "specificity"


def _of_class(
    name: str, of: Bools, held: Bools, size: Ints, resampling: Resampling, told: tuple[str, float, int]
) -> ClassCoverage:
    called, least, classes = told
    single = size == 1
    return ClassCoverage(
        name,
        int(of.sum()),
        share(f"held[{name}]", held, of, resampling),
        _size(size, of, resampling, classes),
        share(f"answered[{name}]", single, of, resampling),
        share(called, held, of & single, resampling),
        share(called, held & single, of, resampling),
        open=least <= 0,
    )


def _size(size: Ints, of: Bools, resampling: Resampling, classes: int) -> Estimate | None:
    return mean("set_size", size.astype(float), of, resampling, top=classes)


def _says(
    held: Bools, size: Ints, each: Sequence[ClassCoverage], estimate: Estimate | None, error: float, unit: str
) -> list[str]:
    n = len(size)
    if estimate is None:
        return ["There is no case in the test part, so nothing can be said of the sets."]
    says = [
        f"In {int(held.sum())} of {n} test {unit}s the set held the true class ({sentences.share(estimate)}); "
        f"{100 * (1 - error):.0f} % was the aim.",
        f"{int((size == 1).sum())} of {n} were answered with one class; {int((size > 1).sum())} were left open between "
        f"several, and {int((size == 0).sum())} looked like none.",
    ]
    short = [one for one in each if one.held is not None and one.held.high < 1 - error]
    says += [
        f"Of {spoken(one.name)} the sets held fewer than was aimed at: {round(one.held.value * one.n)} of {one.n} "
        f"({sentences.share(one.held)})."
        for one in short
        if one.held
    ]
    if absent := [spoken(one.name) for one in each if not one.n]:
        says.append(f"No test {unit} of {', '.join(absent)}: whether the sets hold there cannot be said.")
    if never := [spoken(one.name) for one in each if one.open]:
        says.append(
            f"{', '.join(never)} can never be ruled out and {'is' if len(never) == 1 else 'are'} in every set: it "
            f"takes {needed(error)} tune patients of a class to rule it out at an error of {100 * error:.0f} %."
        )
    return says
