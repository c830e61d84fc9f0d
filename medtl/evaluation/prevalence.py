"""What a call is worth where the disease is as common as the user says, from a threshold's sensitivity and specificity.

PPV and NPV are the likelihood ratios in another dress, so their intervals are those of LR+ and LR−.
"""

from dataclasses import dataclass
from math import inf, isfinite

from medtl.errors import BadInput
from medtl.evaluation.intervals import Interval, Share, ratio
from medtl.evaluation.operating import Point
from medtl.vocabulary import Estimate

ASSUMES = (
    "This holds if the model finds as large a share of the ill, and lets as large a share of the well pass, in your "
    "clinic as in this test part."
)
IMAGES = "Patients here have several images, and it is images that are counted, so that the share is one of images."
CASE_MIX = "Milder disease or other scanners change both."


@dataclass(frozen=True)
class People:
    """Of `of` people `have` it: `found` and `missed`; the others are `alarmed` or `passed`. Whole people."""

    of: int
    have: int
    found: int
    missed: int
    alarmed: int
    passed: int


@dataclass(frozen=True)
class Elsewhere:
    """PPV and NPV at a prevalence; None what cannot be computed. `says` in people, `assumes` in a sentence."""

    prevalence: float
    ppv: Estimate | None
    npv: Estimate | None
    people: People | None
    says: str
    assumes: str = f"{ASSUMES} {CASE_MIX}"


def at_prevalence(point: Point, prevalence: float) -> Elsewhere:
    """PPV = se pi / (se pi + (1 - sp)(1 - pi)), NPV = sp (1 - pi) / (sp (1 - pi) + (1 - se) pi).

    In odds, PPV is pi / (1 - pi) x LR+ and 1 - NPV is pi / (1 - pi) x LR−, so the log method's intervals of the ratios
    carry over (Mercaldo, Lau and Zhou, Stat Med 2007;26:2170). Intervals of draws of se and sp held the truth in 90 to
    95 % of our simulations where these did in 94 to 98 %; the values are the same. As quick as arithmetic.
    """
    if not (isfinite(prevalence) and 0 < prevalence < 1):
        raise BadInput(
            f"The prevalence is {prevalence}.", "Give the share of your patients who have it, between 0 and 1."
        )
    found, alarming = point.sensitive, point.alarming
    if not (found.n and alarming.n):
        lacks = "has it" if not found.n else "is free of it"
        return Elsewhere(prevalence, None, None, None, f"Cannot be told: no case of the test part {lacks}.")
    missed, passed = _rest(found), _rest(alarming)
    odds = prevalence / (1 - prevalence)
    ppv = _estimate("ppv", _of(odds, found, alarming), _interval(odds, found, alarming), found, alarming)
    wrong = _interval(odds, missed, passed)  # of 1 - NPV
    npv = _estimate("npv", 1 - _of(odds, missed, passed), (1 - wrong[1], 1 - wrong[0]), found, alarming)
    people = _people(prevalence, found.value, alarming.value)
    assumes = f"{ASSUMES} {CASE_MIX}"
    if _clustered(found, alarming):
        assumes = f"{IMAGES} {assumes}"
    return Elsewhere(prevalence, ppv, npv, people, _says(people, ppv, npv, whom(point)), assumes)


def whom(point: Point) -> str:
    """Of whom the counts are: "of your patients" after a number, or "images of your patients"."""
    return "images of your patients" if _clustered(point.sensitive, point.alarming) else "of your patients"


def _clustered(found: Share, alarming: Share) -> bool:
    return found.patients < found.n or alarming.patients < alarming.n


def _rest(one: Share) -> Share:
    return Share(one.n - one.hits, one.n, one.effective, one.patients)


def _of(odds: float, first: Share, second: Share) -> float:
    """odds x first / second, as odds to a share; NaN where both are 0."""
    top, bottom = odds * first.value, second.value
    return top / (top + bottom) if top + bottom else float("nan")


def _interval(odds: float, first: Share, second: Share) -> Interval:
    low, high = (odds * bound for bound in ratio(first, second))
    return low / (1 + low), 1.0 if high == inf else high / (1 + high)


def _estimate(name: str, value: float, bounds: Interval, found: Share, alarming: Share) -> Estimate | None:
    if not (isfinite(value) and bounds[0] < bounds[1]):
        return None
    how = "from the likelihood ratio" + (", clustered by patient" if _clustered(found, alarming) else "")
    return Estimate(name, value, *bounds, found.n + alarming.n, how)


def _people(prevalence: float, found: float, alarming: float) -> People:
    """Of 1,000, or of so many more that ten at least have it and ten have not."""
    of = 1000
    while of * min(prevalence, 1 - prevalence) < 10 and of < 10_000_000:
        of *= 10
    have = round(of * prevalence)
    right, alarmed = round(have * found), round((of - have) * alarming)
    return People(of, have, right, have - right, alarmed, of - have - alarmed)


def _says(people: People, ppv: Estimate | None, npv: Estimate | None, whom: str) -> str:
    called = people.found + people.alarmed
    text = (
        f"In {people.of:,} {whom} {people.have:,} {_verb(people.have)} it: the model finds {people.found:,} "
        f"and misses {people.missed:,}, and raises {people.alarmed:,} false alarm{'' if people.alarmed == 1 else 's'}."
    )
    if ppv is None:
        return f"{text} Nobody is called, so there is no PPV."
    text += f" Of {called:,} called, {people.found:,} {_verb(people.found)} it (PPV {_share(ppv)})."
    if npv is None:
        return f"{text} Everybody is called, so there is no NPV."
    left = people.missed + people.passed
    return f"{text} Of {left:,} let pass, {people.passed:,} are free of it (NPV {_share(npv)})."


def _verb(count: int) -> str:
    return "has" if count == 1 else "have"


def _share(one: Estimate) -> str:
    """Short of all is never written as 100 %, as in a clinic where the disease is rare."""
    digits = 0 if 0.01 <= one.value <= 0.99 else 1 if 0.001 <= one.value <= 0.999 else 2
    low, high = (f"{100 * bound:.{digits}f}" for bound in (one.low, one.high))
    return f"{100 * one.value:.{digits}f} %, {low}–{high} %"
