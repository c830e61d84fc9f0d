"""Two scores of the same cases: the difference of their AUROCs with its interval, and what may be said of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from medtl.errors import BadInput
from medtl.evaluation import intervals, ranking, sides
from medtl.evaluation.estimates import auroc_interval, check, spread_interval
from medtl.evaluation.intervals import FEW
from medtl.evaluation.resampling import Floats, Ints, Resampling, Weights, percentiles, resample
from medtl.evaluation.sides import Side
from medtl.evaluation.thresholds import positive_index
from medtl.vocabulary import Estimate, to_dict

Verdict = Literal["helps", "no difference seen", "hurts"]
CONTROLS = {
    "thumbnails": "logistic regression on 32 x 32 thumbnails (no source at all)",
    "from-scratch": "the same network trained from scratch (no source at all)",
    "linear-probe": "training only the last layer of the same source, kept frozen",
}
Worth = tuple[str, str]  # what it means when the model is better than the control, and when it is worse
SOURCE: Worth = ("the source helps here", "the source hurts here")


@dataclass(frozen=True)
class Comparison:
    """The model against a control: the control's own AUROC, the difference (ours minus its), and what that means."""

    run: str | None
    name: str
    auroc: Estimate
    difference: Estimate
    verdict: Verdict
    says: str


def difference(
    y: Ints,
    scores_a: Floats,
    scores_b: Floats,
    classes: Sequence[str],
    positive: str | None,
    patients: NDArray[np.object_] | None,
    seed: int = 0,
    draws: int = 2000,
) -> Estimate:
    """AUROC of a minus AUROC of b: each draw of patients scores both, so what is common to them cancels out."""
    y, _ = check(y, scores_a, classes)
    at = positive_index(classes, positive) if len(classes) == 2 else None
    return paired(y, scores_a, scores_b, classes, positive, resample(y, patients, at, seed, draws))[1]


def compare(
    y: Ints,
    scores: Floats,
    control_scores: Floats,
    classes: Sequence[str],
    positive: str | None,
    patients: NDArray[np.object_] | None,
    name: str = "from-scratch",
    run: str | None = None,
    seed: int = 0,
    draws: int = 2000,
    worth: Worth = SOURCE,
) -> dict[str, Any]:
    """The model against a control that was not there when it was evaluated, as a guard or control.json holds it."""
    y, _ = check(y, scores, classes)
    at = positive_index(classes, positive) if len(classes) == 2 else None
    resampling = resample(y, patients, at, seed, draws)
    said: dict[str, Any] = to_dict(against(y, scores, control_scores, classes, positive, resampling, name, run, worth))
    return said


def verdict(estimate: Estimate) -> Verdict:
    """Of a difference: only an interval wholly on one side of 0 is a proof, and its absence is not one of equality."""
    if estimate.low > 0:
        return "helps"
    return "hurts" if estimate.high < 0 else "no difference seen"


def against(
    y: Ints,
    scores: Floats,
    control_scores: Floats,
    classes: Sequence[str],
    positive: str | None,
    resampling: Resampling,
    name: str = "thumbnails",
    run: str | None = None,
    worth: Worth = SOURCE,
) -> Comparison:
    """The model against a control on the same test cases, with the draws that serve the model's other numbers."""
    auroc, gap = paired(y, scores, control_scores, classes, positive, resampling)
    everyone = resampling.units(np.ones(len(y), bool))
    return Comparison(run, name, auroc, gap, verdict(gap), _says(name, gap, f"{everyone} {resampling.unit}s", worth))


def told(run: str | None, name: str, auroc: Estimate, gap: Estimate, units: str, worth: Worth = SOURCE) -> Comparison:
    """What a difference worked out elsewhere means; `units` as "40 patients"."""
    return Comparison(run, name, auroc, gap, verdict(gap), _says(name, gap, units, worth))


def paired(
    y: Ints, scores_a: Floats, scores_b: Floats, classes: Sequence[str], positive: str | None, resampling: Resampling
) -> tuple[Estimate, Estimate]:
    """(AUROC of b, AUROC of a - AUROC of b); macro averages over one class against the rest for more than two."""
    one, other = (scored(y, scores, classes, positive, resampling) for scores in (scores_a, scores_b))
    return other.auroc, gap(one, other)


@dataclass(frozen=True)
class Scored:
    """One model's AUROC with its interval, and in each of the draws (`drawn`, made as `how` says), to be set against
    another's of the same draws. `few`: a class has too few patients for draws to be believed. `side`: of one score,
    what each patient adds; of an average over classes there is none."""

    auroc: Estimate
    drawn: Floats
    how: str
    few: bool
    side: Side | None = None


def scored(y: Ints, scores: Floats, classes: Sequence[str], positive: str | None, resampling: Resampling) -> Scored:
    """Macro averages over one class against the rest for more than two. Raises BadInput where there is one class."""
    y, scores = check(y, scores, classes)
    present = [i for i in range(len(classes)) if 0 < np.sum(y == i) < len(y)]
    if not present:
        raise BadInput(
            "Two models cannot be compared here: the test part holds cases of one class only.",
            "Bring a cohort whose test part holds at least two classes.",
        )
    views = [positive_index(classes, positive)] if len(classes) == 2 else present
    ranks = [ranking.rank(y == view, scores[:, view]) for view in views]
    whole = _aurocs(ranks, np.ones((len(y), 1), np.float32))[:, 0]  # (views,)
    drawn = np.concatenate([_aurocs(ranks, weights) for weights in resampling.chunks()], axis=1)  # (views, draws)
    (low, high), how = _bounds(y, views, ranks, whole, drawn, resampling)
    auroc = Estimate("auroc", float(whole.mean()), low, high, len(y), how)
    few = len(views) == 1 and _fewest(y, views[0], resampling) < FEW
    side = None
    if len(views) == 1:
        side = sides.auroc_side(y == views[0], scores[:, views[0]], np.ones(len(y), bool), resampling)
    return Scored(auroc, drawn.mean(axis=0), resampling.how, few, side)


def gap(one: Scored, other: Scored) -> Estimate:
    """AUROC of one minus AUROC of the other: of two scores from what each patient adds to the difference, which agrees
    with DeLong's paired test and held the truth more often than percentiles of the draws; of averages over classes from
    the draws that both were scored in."""
    a, b = one.auroc, other.auroc
    if one.side and other.side:
        by_patient = sides.paired(one.side, other.side)
        return replace(by_patient, value=a.value - b.value, n=a.n)
    low, high = percentiles(one.drawn - other.drawn)
    how = one.how
    if not high > low or one.few:
        low, high = intervals.square_and_add(a.value, (a.low, a.high), b.value, (b.low, b.high))
        how = "square and add, " + (b.how.partition(", ")[2] if b.how.startswith("Newcombe") else "all draws agree")
    return Estimate("auroc", a.value - b.value, low, high, a.n, how)


def _says(name: str, gap: Estimate, units: str, worth: Worth) -> str:
    control = f"Against {CONTROLS.get(name, name)}: "
    if verdict(gap) == "no difference seen":
        more = "higher" if gap.value >= 0 else "lower"
        return (
            f"{control}no difference seen on {units} (AUROC {more} by {abs(gap.value):.2f}; "
            f"the true difference could be {_signed(gap.low)} to {_signed(gap.high)})."
        )
    if gap.value > 0:
        return f"{control}AUROC higher by {gap.value:.2f} ({gap.low:.2f} to {gap.high:.2f}): {worth[0]}."
    return f"{control}AUROC lower by {-gap.value:.2f} ({-gap.high:.2f} to {-gap.low:.2f}): {worth[1]}."


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def _aurocs(ranks: list[ranking.Ranking], weights: Weights) -> Floats:
    """(views, d): the AUROC in each view; NaN where a draw lacks a class."""
    return np.stack([ranking.auroc(*ranking.found(one, weights)) for one in ranks])


def _bounds(
    y: Ints, views: list[int], ranks: list[ranking.Ranking], values: Floats, drawn: Floats, resampling: Resampling
) -> tuple[intervals.Interval, str]:
    """Interval of one model's AUROC; of an average where all draws agree, the mean of the classes' bounds."""
    if len(views) > 1:
        everyone = resampling.units(np.ones(len(y), bool))
        found = spread_interval(float(values.mean()), drawn.mean(axis=0), everyone)
        if found is not None:
            return found, f"{resampling.how}, on the logit scale"
    each = [
        auroc_interval(float(value), one, y == view, resampling, order)
        for value, one, view, order in zip(values, drawn, views, ranks, strict=True)
    ]
    low, high = np.mean([interval for interval, _ in each], axis=0)
    return (float(low), float(high)), each[0][1]


def _fewest(y: Ints, view: int, resampling: Resampling) -> int:
    return min(resampling.units(y == view), resampling.units(y != view))
