"""Whether acting on the model beats treating everybody or nobody: the decision curve, on calibrated probabilities.

Letters: n cases, m threshold probabilities; t a threshold probability, pi the prevalence.
"""

from dataclasses import dataclass
from math import hypot
from typing import Literal

import numpy as np

from medtl.errors import BadInput
from medtl.evaluation.operating import Point, at, checked
from medtl.evaluation.resampling import Bools, Floats, Ints, Resampling
from medtl.vocabulary import Estimate

POINTS = 99
RANGE = (0.01, 0.99)


@dataclass(frozen=True)
class DecisionCurve:
    """At each threshold probability (m,): net benefit of the model with its band, and of treating all; of treating none
    it is 0. `useful` are the ranges in which the whole band lies above both, `harmful` those in which it lies below the
    better of both. Net benefit is in found cases a `unit`: an image where patients have several; by `prevalence` it is
    the standardised one."""

    name: str
    n: int
    prevalence: float
    threshold: tuple[float, ...]
    model: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    treat_all: tuple[float, ...]
    useful: tuple[tuple[float, float], ...]
    harmful: tuple[tuple[float, float], ...]
    how: str
    says: str
    notes: tuple[str, ...]
    unit: Literal["person", "image"] = "person"


def decision_curve(
    has: Bools,
    probability: Floats,
    cases: Resampling | Ints | None = None,
    between: tuple[float, float] = RANGE,
    prevalence: float | None = None,
    name: str = "positive",
    calibrated: bool = True,
    learned: float | None = None,
) -> DecisionCurve:
    """has (n,), probability (n,), `cases` whose cases they are, over the range of t that the clinician sets.

    Vickers and Elkin, Med Decis Making 2006;26:565. With `prevalence` the cases are reweighted to that of the clinic,
    and the probabilities move by the odds as Bayes has it (Saerens, Latinne and Decaestecker, Neural Comput
    2002;14:21), from the prevalence that they were calibrated at: `learned`, that of the tune part, which the test part
    need not share. The band is that of each point by itself.
    """
    has, probability = checked(has, probability)
    low, high = between
    if not 0 < low < high < 1:
        raise BadInput(
            f"The range of threshold probabilities is {low} to {high}.",
            "Give two numbers between 0 and 1, lower first.",
        )
    own = float(has.mean()) if len(has) else np.nan
    if not 0 < own < 1:
        lacks = "There is no case" if not len(has) else f"No case is {name if own == 0 else f'not {name}'}"
        return _nothing(name, len(has), own, f"{lacks}, so there is no decision curve.")
    if prevalence is not None:
        probability = moved(probability, own if learned is None else learned, prevalence)
    pi, repeats = own if prevalence is None else prevalence, _repeats(cases)
    grid = np.linspace(low, high, POINTS)
    made = [benefit(at(has, probability, float(t), cases), pi, float(t)) for t in grid]
    model, below, above = (np.array([getattr(one, end) for one in made]) for end in ("value", "low", "high"))
    everybody = treat_all(pi, grid)
    rival = np.maximum(everybody, 0)
    useful, harmful = _runs(grid, below > rival), _runs(grid, above < rival)
    return DecisionCurve(
        name, len(has), pi, _told(grid), _told(model), _told(below), _told(above), _told(everybody), useful, harmful,
        made[0].how, _at(prevalence, low, _says(useful, harmful, low, high)),
        _notes(pi, prevalence is not None, calibrated, name, repeats), "image" if repeats else "person",
    )  # fmt: skip


def benefit(point: Point, prevalence: float, t: float) -> Estimate:
    """Net benefit of acting from t up: pi se - (1 - pi) (1 - sp) t / (1 - t); at the prevalence of the cases themselves
    TP / n - FP / n x t / (1 - t).

    Sensitivity and specificity are shares of different cases, so their intervals, Wilson's clustered by patient, are
    put together (Zou and Donner, Stat Med 2008;27:1693): the prevalence is taken as given. Percentiles of draws of
    patients were too narrow on few of them (docs/benchmarks.md). Needs cases of both kinds.
    """
    found, alarming = point.sensitive, point.alarming
    gain, price = prevalence, (1 - prevalence) * t / (1 - t)
    value = gain * found.value - price * alarming.value
    (low_f, high_f), (low_a, high_a) = found.interval, alarming.interval
    low = value - hypot(gain * (found.value - low_f), price * (high_a - alarming.value))
    high = value + hypot(gain * (high_f - found.value), price * (alarming.value - low_a))
    clustered = found.patients < found.n or alarming.patients < alarming.n
    how = f"from Wilson's intervals{', clustered by patient' if clustered else ''}"
    return Estimate("net_benefit", value, low, high, found.n + alarming.n, how)


def treat_all(prevalence: float, t: Floats) -> Floats:
    """pi - (1 - pi) t / (1 - t): everybody is called."""
    return np.asarray(prevalence - (1 - prevalence) * t / (1 - t))


def moved(probability: Floats, of: float, to: float) -> Floats:
    """Probabilities that hold at prevalence `of`, where it is `to`: the odds change as those of the prevalence do."""
    if not 0 < to < 1:
        raise BadInput(f"The prevalence is {to}.", "Give the share of your patients who have it, between 0 and 1.")
    odds = to / (1 - to) / (of / (1 - of))
    return np.asarray(probability * odds / (probability * odds + 1 - probability))


def exchange(t: float) -> str:
    """A threshold probability as a clinician weighs it: "10 %: examining 9 healthy people to find one ill"."""
    rate = (1 - t) / t
    if round(rate, 1) == 1:
        return f"{100 * t:.0f} %: examining 1 healthy person to find one ill"
    if rate > 1:
        return f"{100 * t:.0f} %: examining {_count(rate)} healthy people to find one ill"
    return f"{100 * t:.0f} %: examining 1 healthy person to find {_count(1 / rate)} ill"


def _count(people: float) -> str:
    return f"{people:.0f}" if people >= 3 else f"{people:.1f}".removesuffix(".0")


def _runs(grid: Floats, holds: Bools) -> tuple[tuple[float, float], ...]:
    """Ranges of at least two neighbouring points at which something holds."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], holds, [False]]).astype(int)))
    runs = zip(edges[::2], edges[1::2] - 1, strict=True)
    return tuple((float(grid[first]), float(grid[last])) for first, last in runs if last > first)


def _says(
    useful: tuple[tuple[float, float], ...], harmful: tuple[tuple[float, float], ...], low: float, high: float
) -> str:
    said = f"Between {_percent(low)} and {_percent(high)} it was nowhere shown to be better than treating all or none."
    if useful:
        said = f"Better than treating all or none between {_ranges(useful)}."
    if harmful:
        said += f" Worse than the better of both between {_ranges(harmful)}."
    return said


def _at(prevalence: float | None, low: float, says: str) -> str:
    """With the prevalence that was chosen: what holds at one says nothing of another."""
    if prevalence is None:
        return says
    said = f"At a prevalence of {_share(prevalence)} %: {says[:1].lower()}{says[1:]}"
    if prevalence < low - 1e-9:
        said += f" The range begins above that prevalence: let it reach down towards {_share(prevalence)} %."
    return said


def _share(prevalence: float) -> str:
    return f"{100 * prevalence:.3g}"


def _ranges(runs: tuple[tuple[float, float], ...]) -> str:
    return ", and between ".join(f"{_percent(first)} and {_percent(last)}" for first, last in runs)


def _repeats(cases: Resampling | Ints | None) -> bool:
    """Whether a patient has several cases."""
    if cases is None:
        return False
    group = cases.group if isinstance(cases, Resampling) else cases
    return len(np.unique(group)) < len(group)


def _notes(pi: float, reweighted: bool, calibrated: bool, name: str, repeats: bool) -> tuple[str, ...]:
    share = _share(pi)
    said = [f"Reweighted to a prevalence of {share} %; the probabilities move with it."]
    if not reweighted:
        said = [f"At the test part's prevalence, {share} % {name}; if that was chosen, give your clinic's."]
    if repeats:
        said.append("Patients have several images: net benefit is per image, not per person.")
    if not calibrated:
        said.append("The scores are not calibrated, so a threshold probability does not mean here what it says.")
    return tuple(said)


def _nothing(name: str, n: int, prevalence: float, says: str) -> DecisionCurve:
    none: tuple[float, ...] = ()
    return DecisionCurve(
        name, n, prevalence if n else 0.0, none, none, none, none, none, (), (), "", says, ()
    )  # fmt: skip


def _percent(t: float) -> str:
    return f"{100 * t:.0f} %"


def _told(values: Floats) -> tuple[float, ...]:
    return tuple(round(float(one), 6) for one in values)
