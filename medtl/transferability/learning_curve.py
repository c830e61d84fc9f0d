"""How the answer gets better with more training cases, and what so many more would bring. Never trains a network.

The last layer is fitted anew on parts of the training cases, on features of the frozen source. The error (1 - AUROC) is
taken to fall as an inverse power law of the cases (Mukherjee et al. 2003, J Comput Biol 10:119; Figueroa et al. 2012,
doi 10.1186/1472-6947-12-8); where it does not fall, or there are too few points, nothing is foretold.

Letters: N cases in the cohort, D features, r directions, K classes, p points, b draws of patients.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from medtl.evaluation import comparison
from medtl.evaluation.paired import signed
from medtl.evaluation.resampling import Resampling, percentiles, resample
from medtl.evaluation.thresholds import positive_index
from medtl.training.folds import folds, most
from medtl.training.head import log_loss, path
from medtl.transferability.crossvalidation import STRENGTHS, TOLERANCE, turned
from medtl.vocabulary import Estimate

POINTS = 6
NARROWEST = 4  # a class; fewer teach nothing that could be told from chance
ENOUGH_POINTS, ENOUGH_SPAN = 4, 3.0  # points, and the last one's cases over the first one's, to fit a curve through
SMALL = 200  # patients; with fewer, one test part says too little and every case is tested, out of fold
DRAWS = 400  # of patients
SUBSETS, WORK = 6, 6e7  # draws of a size at most; cases x directions x classes of all fits together, some seconds
WIDEST_TRAIN = 4000  # cases; more are not looked at
STEPS = (10, 25, 50, 100, 250, 500, 1000)  # more cases a class that may be spoken of: no more than are there already
POWERS = np.linspace(0.1, 2.0, 39)


@dataclass(frozen=True)
class Point:
    """What was reached with so many training cases a class, on the mean of the classes, in present proportions."""

    per_class: int
    cases: int
    auroc: Estimate
    draws: int


@dataclass(frozen=True)
class Curve:
    """`fitted` are (cases a class, AUROC); `gain` is of `more` cases a class; None and empty where nothing can be
    foretold, and `says` says why."""

    points: tuple[Point, ...]
    fitted: tuple[tuple[float, float], ...]
    more: int
    gain: Estimate | None
    judged_on: str
    says: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Parts:
    """One way of dividing the cases: indices (n,) into the cohort."""

    train: np.ndarray
    tune: np.ndarray
    test: np.ndarray


@threadpool_limits.wrap(limits=1)  # several pools of threads fight over the cores (see `training.head`)
def curve(
    features: np.ndarray,
    labels: np.ndarray,
    groups: np.ndarray,
    split: Parts,
    classes: Sequence[str],
    positive: str | None,
    patients: np.ndarray | None,
    adapted: bool = False,
    seed: int = 0,
) -> Curve:
    """`features` (N, D) of the frozen source, `groups` (N,) never divided. `adapted` says that the run itself went on
    to change the network, whose own curve may be another."""
    k = len(classes)
    everyone = np.concatenate([split.train, split.tune, split.test])
    small = len(np.unique(groups[everyone])) < SMALL and most(labels[everyone], groups[everyone], k) >= 3
    splits = _folded(labels, groups, everyone, k, seed) if small else [_capped(split, groups, seed)]
    judged = np.sort(np.concatenate([one.test for one in splits]))
    units = len(np.unique(groups[everyone]))
    notes = [_why(small, units, len(split.test), patients is not None), _of_what(adapted)]
    sizes = _sizes(splits, labels, k)
    if not sizes:
        says = "There are too few training cases for a learning curve: it needs a dozen of every class."
        return Curve((), (), 0, None, _where(small), says, tuple(notes))
    ready = turned(features)
    at = positive_index(classes, positive) if k == 2 else None
    draws = resample(labels[judged], None if patients is None else patients[judged], at, seed, DRAWS)
    tried = _tried(splits, ready.shape[1], k, sizes)
    points, found = [], []
    for share, per_class in sizes:
        times = 1 if share == 1 else tried
        each = []
        for again in range(times):
            scores = np.zeros((len(labels), k))
            for number, one in enumerate(splits):
                some = _subset(one.train, labels, groups, share, seed + 1000 * again + number)
                scores[one.test] = _scores(ready, labels, some, one, k)
            each.append(comparison.scored(labels[judged], scores[judged], classes, positive, draws))
        points.append(Point(per_class, per_class * k, _mean(each, draws), times))
        found.append(each)
    return _foretold(tuple(points), _unsteady(found, seed), len(judged), _where(small), notes)


# ---- what is fitted on what ------------------------------------------------------------------------------------------


def _folded(labels: np.ndarray, groups: np.ndarray, everyone: np.ndarray, k: int, seed: int) -> list[Parts]:
    count = min(5, most(labels[everyone], groups[everyone], k))
    parts = [everyone[part] for part in folds(labels[everyone], groups[everyone], count, seed)]
    found = []
    for i, test in enumerate(parts):
        tune = (i + 1) % count
        rest = [part for j, part in enumerate(parts) if j not in (i, tune)]
        found.append(Parts(np.concatenate(rest), parts[tune], test))
    return found


def _capped(split: Parts, groups: np.ndarray, seed: int) -> Parts:
    if len(split.train) <= WIDEST_TRAIN:
        return split
    order = np.random.default_rng(seed).permutation(np.unique(groups[split.train]))
    rank = {group: i for i, group in enumerate(order)}
    first = sorted(split.train, key=lambda i: rank[groups[i]])[:WIDEST_TRAIN]
    return Parts(np.sort(np.array(first)), split.tune, split.test)


def _sizes(splits: Sequence[Parts], labels: np.ndarray, k: int) -> list[tuple[float, int]]:
    """(share of the training cases, cases a class that is) of each point, smallest first; empty when too few."""
    rarest = min(int((labels[one.train] == label).sum()) for one in splits for label in range(k))
    a_class = float(np.mean([len(one.train) for one in splits])) / k
    if rarest < 2 * NARROWEST:
        return []
    shares = np.geomspace(max(NARROWEST / rarest, 1 / 16), 1, POINTS)
    found = {round(share * a_class): float(share) for share in shares}
    return [(share, per_class) for per_class, share in sorted(found.items())]


def _tried(splits: Sequence[Parts], directions: int, k: int, sizes: Sequence[tuple[float, int]]) -> int:
    once = sum(len(one.train) for one in splits) * directions * max(1, k - 1) * sum(share for share, _ in sizes[:-1])
    return int(np.clip(WORK / max(1.0, once), 1, max(2, SUBSETS // len(splits))))


def _subset(train: np.ndarray, labels: np.ndarray, groups: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Whole groups in a random order that is the same for every share, of each class until its share is there."""
    if share == 1:
        return train
    random = np.random.default_rng(seed)
    rank = dict(zip(np.unique(groups[train]), random.permutation(len(np.unique(groups[train]))), strict=True))
    order = sorted(train, key=lambda i: rank[groups[i]])
    counts = {int(label): int((labels[train] == label).sum()) for label in np.unique(labels[train])}
    wanted = {label: max(2, round(share * count)) for label, count in counts.items()}
    taken, chosen = dict.fromkeys(wanted, 0), []
    for i in order:
        label = int(labels[i])
        if taken[label] < wanted[label]:
            taken[label] += 1
            chosen.append(i)
    return np.sort(np.array(chosen))


def _scores(ready: np.ndarray, labels: np.ndarray, some: np.ndarray, parts: Parts, k: int) -> np.ndarray:
    """(n, K) scores of the test part by the head of the strength that is best on the tune part."""
    best, scores, worse = np.inf, np.full((len(parts.test), k), 1 / k), 0
    for head in path(ready[some], labels[some], k, STRENGTHS, standardise=False, tolerance=TOLERANCE):
        loss = log_loss(head.scores(ready[parts.tune]), labels[parts.tune])
        if loss < best:
            best, scores, worse = loss, head.scores(ready[parts.test]), 0
        elif (worse := worse + 1) == 2:  # the loss has one valley
            break
    return scores


def _mean(each: Sequence[comparison.Scored], draws: Resampling) -> Estimate:
    """Over the subsets of one size, in the same draws of patients."""
    value = float(np.mean([one.auroc.value for one in each]))
    low, high = percentiles(np.mean([one.drawn for one in each], axis=0))
    how = draws.how
    if not high > low or each[0].few:
        low, high = (float(np.mean([getattr(one.auroc, end) for one in each])) for end in ("low", "high"))
        how = each[0].auroc.how
    return Estimate("auroc", value, low, high, each[0].auroc.n, how)


def _unsteady(each: Sequence[Sequence[comparison.Scored]], seed: int) -> np.ndarray:
    """(p, b): the draws of patients of each point, and on top what chance in the choice of training cases adds: the
    spread of subsets of one size, pooled over the sizes, as a size tried once shows none."""
    spreads = [np.var([one.auroc.value for one in some], ddof=1) for some in each if len(some) > 1]
    spread = float(np.sqrt(np.mean(spreads))) if spreads else 0.0
    drawn = np.stack([np.mean([one.drawn for one in some], axis=0) for some in each])
    chance = np.random.default_rng(seed).normal(size=drawn.shape)
    times = np.array([[len(some)] for some in each])
    return np.asarray(np.clip(drawn + chance * spread / np.sqrt(times), 0, 1))


# ---- the curve -------------------------------------------------------------------------------------------------------


def _foretold(points: tuple[Point, ...], drawn: np.ndarray, n: int, where: str, notes: list[str]) -> Curve:
    sizes = np.array([point.per_class for point in points], float)
    now = int(sizes[-1])
    more = max((step for step in STEPS if step <= now), default=0)

    def without(says: str) -> Curve:
        return Curve(points, (), more, None, where, says, tuple(notes))

    if len(points) < ENOUGH_POINTS or sizes[-1] < ENOUGH_SPAN * sizes[0] or not more:
        return without(
            f"With {now} training cases per class there are too few sizes to compare: what more cases would bring "
            "cannot be said."
        )
    rise, first = drawn[-1] - drawn[0], int(sizes[0])
    low, high = percentiles(rise)
    value = points[-1].auroc.value - points[0].auroc.value
    if not low > 0:
        return without(
            f"From {first} to {now} training cases per class the AUROC changed by {signed(value)} ({signed(low)} to "
            f"{signed(high)}): no rise that can be told from chance, so what more cases would bring cannot be said."
        )
    if percentiles(drawn[-1] - drawn[-3])[1] < 0:
        return without(
            f"The AUROC fell again towards {now} training cases per class: what more cases would bring cannot be said."
        )
    errors = 1 - np.array([[point.auroc.value] for point in points])
    steady = 1 - drawn[:, np.isfinite(drawn).all(axis=0)]
    # A curve may bend otherwise where it begins; so it is fitted through the last of the points as well.
    last = [len(points) - skipped for skipped in range(len(points) - ENOUGH_POINTS + 1)]
    whole = [_fit(sizes[-some:], errors[-some:]) for some in last]
    each = [_fit(sizes[-some:], steady[-some:]) for some in last]
    gain = float(np.mean([_error(fit, now) - _error(fit, now + more) for fit in whole]))
    low, high = percentiles(np.concatenate([_error(fit, now) - _error(fit, now + more) for fit in each]))
    low, high = min(low, gain), max(high, gain)
    estimate = Estimate("auroc gain", gain, low, high, n, f"inverse power law, {points[-1].auroc.how}")
    grid = np.geomspace(sizes[0], now + more, 40)
    fitted = tuple((float(x), float(1 - np.mean([_error(fit, x) for fit in whole]))) for x in grid)
    says = f"{more} more cases per class would bring about {signed(gain)} AUROC ({low:.2f} to {high:.2f})."
    return Curve(points, fitted, more, estimate, where, says, tuple(notes))


def _fit(sizes: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """(p,), (p, b) -> (3, b): a, power and c of error = a size^-power + c, a and c not below 0.

    By weighted least squares; larger sizes weigh more, as in Figueroa et al. For each power on a grid a and c have a
    closed form.
    """
    weights = (np.arange(len(sizes)) + 1.0)[:, None] / len(sizes)
    best = np.full(errors.shape[1], np.inf)
    found = np.zeros((3, errors.shape[1]))
    for power in POWERS:
        x = (sizes**-power)[:, None]
        a, c = _line(x, errors, weights)
        miss = (weights * (errors - a * x - c) ** 2).sum(axis=0)
        better = miss < best
        best = np.where(better, miss, best)
        found = np.where(better, np.stack([a, np.full_like(a, power), c]), found)
    return found


def _line(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Slope and level, (b,) each, neither below 0."""
    total = weights.sum()
    mean_x, mean_y = (weights * x).sum() / total, (weights * y).sum(axis=0) / total
    slope = (weights * (x - mean_x) * (y - mean_y)).sum(axis=0) / (weights * (x - mean_x) ** 2).sum()
    slope = np.maximum(slope, 0)
    level = mean_y - slope * mean_x
    through_zero = (weights * x * y).sum(axis=0) / (weights * x * x).sum()
    return np.where(level < 0, through_zero, slope), np.maximum(level, 0)


def _error(fit: np.ndarray, size: float) -> np.ndarray:
    return np.asarray(fit[0] * size ** -fit[1] + fit[2])


# ---- words -----------------------------------------------------------------------------------------------------------


def _where(small: bool) -> str:
    return "out of fold" if small else "test part"


def _why(small: bool, units: int, test: int, known: bool) -> str:
    """`known`: whether anybody said which images are of the same patient."""
    if small:
        who, without = ("patients", "its patient") if known else ("different images", "it and its copies")
        return (
            f"Judged out of fold: with {units} {who} the {test} test cases alone would say too little, so every case "
            f"was tested by a last layer that learned without {without}."
        )
    return f"Judged on the {test} cases of the test part, which no point learned from."


def _of_what(adapted: bool) -> str:
    base = (
        "Subsets of the training part alone keep the proportions of the classes, and whole patients where they can; "
        "each has a last layer of its own."
    )
    if adapted:
        return f"{base} The curve is that of the source as it was, not of the adapted network, which may gain more."
    return base
