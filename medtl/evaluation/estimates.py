"""Every number of the test page with its interval and its n. One set of draws serves all, so that they agree."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from medtl.errors import BadInput
from medtl.evaluation import delong, intervals, sides
from medtl.evaluation.intervals import FEW, Interval, Share, wilson
from medtl.evaluation.notes import notes
from medtl.evaluation.ranking import Ranking
from medtl.evaluation.resampling import Bools, Floats, Ints, Resampling, percentiles, resample
from medtl.evaluation.thresholds import positive_index
from medtl.evaluation.values import NAMES, PROPORTIONS, TWO_CLASSES_ONLY, Table
from medtl.vocabulary import Estimate

__all__ = ["auroc_interval", "check", "estimates", "fitted", "level", "measure", "spread_interval", "wilson"]
TOO_FEW = 5  # patients of the rarer kind; with fewer the spread of draws says nothing


@dataclass(frozen=True)
class Measured:
    """`estimates` in the order of the page; `found` the share of each class that was called so (for the sentences);
    `confusion` (k, k) counts of cases, row = reference; `notes` what could not be computed, and why.
    """

    estimates: tuple[Estimate, ...]
    found: dict[str, Estimate]
    confusion: Ints
    notes: tuple[str, ...]


def estimates(
    y: Ints,
    scores: Floats,
    calls: Ints,
    classes: Sequence[str],
    positive: str | None,
    patients: NDArray[np.object_] | None,
    seed: int = 0,
    draws: int = 2000,
) -> tuple[Estimate, ...]:
    """All estimates that these cases allow: names and order as in NAMES, then `auroc[class]` for more than two classes.

    y (n,) class indices; scores (n, k), rows sum to 1; calls (n,) class indices. With more than two classes, auroc,
    auprc, sensitivity, specificity, ppv and npv are the mean over one class against the rest; accuracy is the share
    of right calls and balanced_accuracy the mean sensitivity. brier is the mean of (score of positive - outcome)^2 for
    two classes; for more, the mean over cases of that square summed over the classes, so between 0 and 2.
    """
    y, scores = check(y, scores, classes)
    at = positive_index(classes, positive) if len(classes) == 2 else None
    return measure(y, scores, calls, classes, positive, resample(y, patients, at, seed, draws)).estimates


def measure(
    y: Ints, scores: Floats, calls: Ints, classes: Sequence[str], positive: str | None, resampling: Resampling
) -> Measured:
    """`estimates`, with what the sentences need besides, from draws that are shared with comparison and curves."""
    if not len(y):
        return Measured((), {}, np.zeros((len(classes), len(classes)), int), ("There is no case in the test part.",))
    table = Table(y, scores, np.asarray(calls), classes, positive)
    parts = [table.values(weights) for weights in resampling.chunks()]
    drawn = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    names = [name for name in NAMES if table.k == 2 or name not in TWO_CLASSES_ONLY]
    if table.k > 2:
        names += [table.name("auroc", view) for view in table.views]
    made = {name: _estimate(table, resampling, name, drawn[name]) for name in names}
    found = {
        of: _estimate(table, resampling, table.name("sensitivity", i), drawn[table.name("sensitivity", i)])
        for i, of in enumerate(table.classes)
    }
    missing = frozenset(name for name, estimate in made.items() if estimate is None)
    return Measured(
        tuple(estimate for estimate in made.values() if estimate),
        {of: estimate for of, estimate in found.items() if estimate},
        table.confusion,
        notes(table, missing, failed=float(np.mean(np.isnan(drawn["auroc"])))),
    )


def check(y: Ints, scores: Floats, classes: Sequence[str]) -> tuple[Ints, Floats]:
    """As arrays of whole numbers and floats, or an error in words."""
    y, scores = np.asarray(y, int), np.asarray(scores, float)
    if scores.shape != (len(y), len(classes)):
        raise BadInput(
            f"Scores of shape {scores.shape} were given for {len(y)} cases and {len(classes)} classes.",
            "Every case needs one score a class.",
        )
    if not np.isfinite(scores).all():
        wrong = int((~np.isfinite(scores)).any(axis=1).sum())
        raise BadInput(
            f"{wrong} of {len(y)} cases have a score that is not a number.",
            "The training has gone astray: train again with a lower learning rate.",
        )
    if len(y) and not 0 <= y.min() <= y.max() < len(classes):
        raise BadInput("A case has a label that is none of the classes.", "Add the cohort again.")
    return y, scores


def auroc_interval(
    value: float, drawn: Floats, has: Bools, resampling: Resampling, order: Ranking | None = None
) -> tuple[Interval, str]:
    """DeLong's interval where the ranking is known, else the draws' percentiles; Newcombe's where the draws all agree
    or the patients of a kind are too few for either."""
    units = resampling.units(has), resampling.units(~has)
    low, high = percentiles(drawn)
    if high > low and min(units) >= FEW:
        exact = delong.interval(order, resampling.group) if order is not None else None
        by = f"DeLong, clustered by {resampling.unit}" if resampling.repeats else "DeLong"
        return (exact, by) if exact else ((low, high), resampling.how)
    why = {1.0: "no misranked pair", 0.0: "every pair misranked"}.get(value, "all draws agree")
    if high > low:
        why = f"fewer than {FEW} {resampling.unit}s of a kind"
    return intervals.newcombe(value, *units), f"Newcombe, {why}"


def _estimate(table: Table, resampling: Resampling, name: str, drawn: Floats) -> Estimate | None:
    """None when there is nothing to say: no value, or (calibration of few or well separated cases) no interval."""
    value = table.whole[name]
    if not np.isfinite(value):
        return None
    share = _share(table, resampling, name)
    if share is not None:
        low, high = share.interval
        return Estimate(name, value, low, high, share.n, share.how)
    if name == "brier":  # its draws within each kind would keep their mix, on which it hangs where few have it
        return sides.mean(name, table.miss, np.ones(len(table.y), bool), resampling, 1 if table.k == 2 else 2)
    if name in TWO_CLASSES_ONLY:
        one = fitted(name, value, drawn, len(table.y), resampling)
        return (
            level(one, table.logits, table.y == table.views[0], resampling)
            if one and name == "calibration_intercept"
            else one
        )
    (low, high), how = _interval(table, resampling, name, drawn)
    return Estimate(name, value, low, high, len(table.y), how) if low < high < np.inf else None


def _share(table: Table, resampling: Resampling, name: str) -> Share | None:
    """A proportion and the share of right calls, patient by patient; None for anything else."""
    metric, view = table.split(name)
    if metric in PROPORTIONS and view is not None:
        right, of = table.share_of(metric, view)
        return resampling.share(right & of, of)
    if metric == "accuracy":
        return resampling.share(table.y == table.calls, np.ones(len(table.y), bool))
    return None


def _interval(table: Table, resampling: Resampling, name: str, drawn: Floats) -> tuple[Interval, str]:
    """Of what is no share of cases: on the logit scale where it lies between two ends, else the draws' percentiles."""
    metric, view = table.split(name)
    if metric == "auroc" and view is not None:
        return auroc_interval(table.whole[name], drawn, table.y == view, resampling, table.ranking(view))
    found = spread_interval(table.whole[name], drawn, _fewest(table, resampling, name))
    return (found, f"{resampling.how}, on the logit scale") if found else _closed_form(table, resampling, name)


def fitted(name: str, value: float, drawn: Floats, n: int, resampling: Resampling) -> Estimate | None:
    """Of a slope or intercept. A draw whose fit has no end is an extreme one; None where they reach the interval, or
    where the draws hardly differ, as of scores that separate the classes."""
    low, high = percentiles(np.nan_to_num(drawn, nan=np.inf))
    told = np.isfinite(value) and low <= value <= high < np.inf and high - low > 1e-6
    return Estimate(name, value, low, high, n, resampling.how) if told else None


def level(one: Estimate, x: Floats, has: Bools, resampling: Resampling) -> Estimate:
    """The intercept with the interval that logistic recalibration gives it (Cox, Biometrika 1958;45:562), its error
    summed by patient. Draws within each kind keep their mix, on which the intercept hangs more than on all else: of
    calibrated scores with an AUROC of 0.7 their intervals shut out 0 in half of 40 simulated test parts."""
    mu = 1 / (1 + np.exp(-(x + one.value)))
    pull = np.bincount(resampling.group, has - mu)
    patients = resampling.units(np.ones(len(x), bool))
    spread = sqrt(float(pull @ pull) * patients / max(1, patients - 1)) / float((mu * (1 - mu)).sum())
    reach = intervals.student(patients - 1) * spread
    how = f"logistic recalibration, by {resampling.unit}"
    return replace(one, low=one.value - reach, high=one.value + reach, how=how) if spread > 1e-9 else one


def spread_interval(value: float, drawn: Floats, patients: int) -> Interval | None:
    """Of a value between 0 and 1 from the spread of its draws, on the logit scale and with Student's t for as many
    patients: of few, percentiles are too narrow (Hesterberg, Am Stat 2015;69:371). None where the draws all agree or
    would say too little.
    """
    drawn = drawn[np.isfinite(drawn)]
    if patients < TOO_FEW or len(drawn) < 2:
        return None
    spread = float(np.std(drawn, ddof=1)) * sqrt(patients / (patients - 1))
    return intervals.on_logit(value, spread, intervals.student(patients - 1)) if spread > 1e-9 else None


def _fewest(table: Table, resampling: Resampling, name: str) -> int:
    """How many patients of the rarer kind a number rests on; an average over many classes on those of all."""
    metric, view = table.split(name)
    if metric in ("auprc", "balanced_accuracy") and view is not None:
        return min(resampling.units(table.y == view), resampling.units(table.y != view))
    return resampling.units(np.ones(len(table.y), bool))


def _closed_form(table: Table, resampling: Resampling, name: str) -> tuple[Interval, str]:
    """Where the draws all agree or say too little: never an interval of zero width."""
    value, (metric, view) = table.whole[name], table.split(name)
    if (share := _share(table, resampling, name)) is not None:
        return share.interval, share.how
    if metric == "balanced_accuracy":
        return _mean_of_bounds(table, resampling, [table.name("sensitivity", i) for i in range(table.k)])
    if view is None:
        return _mean_of_bounds(table, resampling, [table.name(metric, i) for i in table.views])
    if metric == "auroc":
        return auroc_interval(value, np.full(1, value), table.y == view, resampling)
    # auprc: the mean, over those who have it, of the precision at their score
    return _wilson_on_units(value, table.y == view, resampling)


def _wilson_on_units(value: float, of: Bools, resampling: Resampling) -> tuple[Interval, str]:
    units = resampling.units(of)
    return wilson(value * units, units), f"Wilson on {units} {resampling.unit}{'' if units == 1 else 's'}"


def _mean_of_bounds(table: Table, resampling: Resampling, names: list[str]) -> tuple[Interval, str]:
    bounds = [_closed_form(table, resampling, name) for name in names if np.isfinite(table.whole[name])]
    low, high = np.mean([interval for interval, _ in bounds], axis=0)
    method = bounds[0][1].split()[0].rstrip(",")
    return (float(low), float(high)), f"mean of the classes' bounds ({method})"
