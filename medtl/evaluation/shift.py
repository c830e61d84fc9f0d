"""What differs between two sets of cases besides the model's success: how common it is, what the scores promise, how
the images look, and how far the features lie apart. It may explain a fall; it proves no cause.

Letters: n and m cases, D features.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import sqrt

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from medtl.evaluation.external import Beside, difference
from medtl.evaluation.intervals import Z, student
from medtl.evaluation.paired import p_in_words
from medtl.evaluation.resampling import Floats, Ints, Resampling
from medtl.evaluation.sides import auroc_side, share_side
from medtl.evaluation.views import View
from medtl.vocabulary import Estimate

QUANTILES = (5, 25, 50, 75, 95)
# Standardised differences that are called small, medium and large (Cohen 1988).
SMALL, MEDIUM, LARGE = 0.2, 0.5, 0.8
MOST = 1000  # cases of a set whose features are compared
Pair = tuple[Resampling, Resampling]  # whose the internal and the external cases are


@dataclass(frozen=True)
class Promise:
    """Calibration in the large: the mean score less the share that has it, in either set. Above 0: scores too high."""

    internal: Estimate
    external: Estimate
    says: str


@dataclass(frozen=True)
class Moved:
    """One measurement of the images. `smd` is external less internal in standard deviations; `above` the chance that an
    external image has more of it than an internal one (0.5: as often as not); quantiles at QUANTILES per cent."""

    name: str
    smd: Estimate | None
    above: Estimate | None
    internal: tuple[float, ...]
    external: tuple[float, ...]
    says: str


@dataclass(frozen=True)
class Apart:
    """`share` is the energy coefficient: 0 where both sets have one distribution of features, 1 where they lie
    infinitely far apart; `by_chance` what 95 in 100 shuffles of the patients stay below, `p` how often one reaches
    it."""

    share: float
    by_chance: float
    p: float
    internal: int
    external: int
    says: str


@dataclass(frozen=True)
class Shift:
    """All that was asked for; `says` is what a reader of the fall should know first."""

    prevalence: Beside | None
    promise: Promise | None
    measured: tuple[Moved, ...]
    features: Apart | None
    says: tuple[str, ...]


def shift(
    internal: View,
    external: View,
    whose: Pair,
    measured: Mapping[str, tuple[Floats, Floats]] | None = None,
    features: tuple[Floats, Floats] | None = None,
    seed: int = 0,
    calibrated: bool = False,
) -> Shift:
    """`measured`: what it is called -> (n,) and (m,) values of the two tables, as brightness, contrast or width; NaN
    where not known. `features`: (n, D) and (m, D), both made by the same network as it was before it was adapted.
    `calibrated`: the scores are those of the frozen calibration."""
    pair = (internal, external)
    of = whose[0].of(internal.index), whose[1].of(external.index)
    prevalence = promise = None
    if min(map(len, pair)):
        prevalence = _prevalence(pair, of)
        promise = _promise(pair, of, prevalence, "calibrated score" if calibrated else "score")
    moved = tuple(compared(name, one, other, whose) for name, (one, other) in (measured or {}).items())
    apart = energy(*features, whose, seed) if features is not None else None
    said = [one.says for one in (promise, *moved, apart) if one is not None]
    if prevalence is not None:
        said.insert(0, _of_prevalence(prevalence, internal.name))
    return Shift(prevalence, promise, moved, apart, tuple(said))


# ---- how common, and what scores promise ----------------------------------------------------------------------------


def _prevalence(pair: tuple[View, View], whose: Pair) -> Beside:
    sides = [
        share_side("prevalence", view.has, np.ones(len(view), bool), of) for view, of in zip(pair, whose, strict=True)
    ]
    assert sides[0] is not None and sides[1] is not None  # neither set is empty
    return difference("prevalence", sides[0], sides[1])


def _promise(pair: tuple[View, View], whose: Pair, prevalence: Beside, word: str) -> Promise:
    """As labels alone move (fewer ill, each looking the same), mean scores move too little: scores learned where it was
    common are too high where it is rare (Saerens et al., Neural Comput 2002;14:21)."""
    inside, outside = (_mean(view.score - view.has, of, "too_high") for view, of in zip(pair, whose, strict=True))
    name = pair[1].name
    share, score = prevalence.external.value, float(pair[1].score.mean())
    text = f"{_start(name)}: {100 * share:.0f} % of the external cases, mean {word} {100 * score:.0f} %"
    if outside.low <= 0 <= outside.high:
        return Promise(inside, outside, f"{text}; no sign that the scores are too high or too low there.")
    too, rarer = ("high", "rarer") if outside.value > 0 else ("low", "more common")
    text += f"; the scores are too {too} there"
    if prevalence.standing == ("falls" if too == "high" else "rises"):
        text += f", as is to be expected where it is {rarer} than where the model learned"
    return Promise(inside, outside, f"{text}. Calibrate anew on local cases before scores are read as probabilities.")


def _of_prevalence(made: Beside, name: str) -> str:
    inside, outside = (
        f"{100 * one.value:.0f} % ({100 * one.low:.0f}–{100 * one.high:.0f})" for one in (made.internal, made.external)
    )
    told = {"falls": "rarer", "rises": "more common"}.get(made.standing)
    if told is None:
        return f"How common {name} is cannot be told apart: {inside} in the internal, {outside} in the external set."
    return f"{_start(name)} is {told} outside: {inside} in the internal, {outside} in the external set."


def _start(name: str) -> str:
    return name[:1].upper() + name[1:]


def _mean(values: Floats, whose: Resampling, name: str) -> Estimate:
    """Of values of any sign, by patient, with Student's t."""
    n, units = len(values), whose.units(np.ones(len(values), bool))
    value = float(values.mean())
    sums = np.bincount(whose.group, (values - value) / n)
    spread = sqrt(float(sums @ sums) * units / max(1, units - 1))
    if units < 2 or spread <= 1e-12:  # all miss by the same: as sure as that many coins of which none fell otherwise
        spread = 1 / (units + 2) / Z
    reach = student(max(1, units - 1)) * spread
    return Estimate(name, value, value - reach, value + reach, n, f"by {whose.unit}")


# ---- how the images look --------------------------------------------------------------------------------------------


def compared(name: str, internal: Floats, external: Floats, whose: Pair) -> Moved:
    """The standardised mean difference (with the mean of both variances below, Austin, Stat Med 2009;28:3083) and its
    interval from what each patient adds to it."""
    known = [np.isfinite(values) for values in (internal, external)]
    pair = [np.asarray(values, float)[at] for values, at in zip((internal, external), known, strict=True)]
    of = [one.take(np.flatnonzero(at)) for one, at in zip(whose, known, strict=True)]
    quantiles = [tuple(map(float, np.percentile(one, QUANTILES))) if len(one) else () for one in pair]
    if min(map(len, pair)) < 2:
        return Moved(name, None, None, quantiles[0], quantiles[1], f"{name}: not known of enough images to compare.")
    variance = (pair[0].var() + pair[1].var()) / 2
    if variance <= 1e-12 * max(1.0, float(np.abs(pair[0]).max()) ** 2):
        same = pair[0].mean() == pair[1].mean()
        told = "the same everywhere" if same else "one value inside, another outside"
        return Moved(name, None, None, quantiles[0], quantiles[1], f"{name}: {told}.")
    above = _above(pair[0], pair[1], of[0], of[1])
    smd = _smd(pair, of, float(variance))
    return Moved(name, smd, above, quantiles[0], quantiles[1], _of_moved(name, smd))


def _smd(pair: Sequence[Floats], whose: Sequence[Resampling], variance: float) -> Estimate:
    deviation = sqrt(variance)
    value = float(pair[1].mean() - pair[0].mean()) / deviation
    total = 0.0
    for sign, values, of in zip((-1, 1), pair, whose, strict=True):
        away = values - values.mean()
        adds = sign * away / deviation - value / (4 * variance) * (away**2 - values.var())
        sums, units = np.bincount(of.group, adds / len(values)), of.units(np.ones(len(values), bool))
        total += float(sums @ sums) * units / max(1, units - 1)
    fewest = min(of.units(np.ones(len(values), bool)) for values, of in zip(pair, whose, strict=True))
    reach = student(max(1, fewest - 1)) * sqrt(total)
    n = len(pair[0]) + len(pair[1])
    return Estimate("standardised_difference", value, value - reach, value + reach, n, "by patient, delta method")


def _above(internal: Floats, external: Floats, of_internal: Resampling, of_external: Resampling) -> Estimate | None:
    """The AUROC of "is external" by the measurement: nobody is in both sets, so patients are numbered on."""
    outside = np.repeat([False, True], [len(internal), len(external)])
    group = np.concatenate([of_internal.group, of_external.group + int(of_internal.group.max()) + 1])
    everyone = Resampling(
        np.zeros((len(group), 0), np.uint16), group, of_internal.unit, of_internal.repeats or of_external.repeats
    )
    side = auroc_side(outside, np.concatenate([internal, external]), np.ones(len(group), bool), everyone)
    return replace(side.estimate, name="above") if side else None


def _of_moved(name: str, smd: Estimate) -> str:
    span = f"{smd.low:.1f} to {smd.high:.1f}".replace("-", "−")
    if smd.low <= 0 <= smd.high:
        return f"{name}: no difference shown ({span} standard deviations)."
    size = abs(smd.value)
    told = "hardly" if size < SMALL else "a little" if size < MEDIUM else "clearly" if size < LARGE else "far"
    return (
        f"{name}: {told} {'higher' if smd.value > 0 else 'lower'} outside, by {size:.1f} standard deviations ({span})."
    )


# ---- how far features lie apart -------------------------------------------------------------------------------------


@threadpool_limits.wrap(limits=1)
def energy(
    internal: Floats, external: Floats, whose: Pair, seed: int = 0, shuffles: int = 999, most: int = MOST
) -> Apart | None:
    """The energy coefficient of two sets of features (n, D) and (m, D) and its permutation test by patient (Székely and
    Rizzo, J Stat Plan Inference 2013;143:1249): no classifier, no bandwidth, any number of features.

    Features are first brought to the internal spread, so that no loud one decides. At most `most` cases of a set, drawn
    by patient. None with fewer than five patients in a set.
    """
    random = np.random.default_rng(seed)
    drawn = [_some(len(values), of, random, most) for values, of in zip((internal, external), whose, strict=True)]
    units = [of.units(rows) for of, rows in zip(whose, drawn, strict=True)]
    if min(units) < 5:
        return None
    x, y = (np.asarray(values, float)[rows] for values, rows in zip((internal, external), drawn, strict=True))
    scale = np.sqrt(x.var(axis=0) + x.var(axis=0).mean() + 1e-12)
    distance = _distances(np.concatenate([x, y]) / scale)
    group = np.concatenate([whose[0].group[drawn[0]], whose[1].group[drawn[1]] + int(whose[0].group.max()) + 1])
    patients, who = np.unique(group, return_inverse=True)
    inside = np.zeros((len(patients), shuffles + 1), bool)
    inside[: units[0], 0] = True  # patients of the internal set have the lower numbers
    for column in range(1, shuffles + 1):
        inside[random.permutation(len(patients))[: units[0]], column] = True
    found = _coefficients(distance, inside[who].astype(np.float32))
    share, chance = float(found[0]), found[1:]
    p = (1 + int((chance >= share - 1e-12).sum())) / (shuffles + 1)
    limit = float(np.percentile(chance, 95))
    return Apart(share, limit, p, len(x), len(y), _of_apart(share, limit, p, units))


def _some(n: int, whose: Resampling, random: np.random.Generator, most: int) -> Ints:
    """Rows of patients drawn one after another until `most` cases are there."""
    if n <= most:
        return np.arange(n)
    order = random.permutation(int(whose.group.max()) + 1)[whose.group]
    return np.sort(np.argsort(order, kind="stable")[:most])


def _distances(features: Floats) -> NDArray[np.float32]:
    """(N, N) Euclidean distances."""
    square = (features**2).sum(axis=1)
    inner = features @ features.T
    made = np.sqrt(np.maximum(square[:, None] + square[None] - 2 * inner, 0.0))
    np.fill_diagonal(made, 0.0)
    return made.astype(np.float32)


def _coefficients(distance: NDArray[np.float32], inside: NDArray[np.float32]) -> Floats:
    """For each column of `inside` (N, P) 0/1: 1 - (mean within x + mean within y) / (2 mean between), at least 0."""
    outside = 1 - inside
    n, m = inside.sum(axis=0, dtype=float), outside.sum(axis=0, dtype=float)
    to_inside = distance @ inside  # (N, P) sum of distances to those inside
    total = distance.sum(axis=1, dtype=float)
    within_x = np.einsum("np,np->p", inside, to_inside, dtype=float)
    between = np.einsum("np,np->p", outside, to_inside, dtype=float)
    within_y = total.sum() - within_x - 2 * between
    mean_between = between / (n * m)
    energy = 2 * mean_between - within_x / n**2 - within_y / m**2
    return np.asarray(np.where(mean_between > 0, np.maximum(energy, 0) / np.maximum(2 * mean_between, 1e-30), 0.0))


def _of_apart(share: float, limit: float, p: float, units: Sequence[int]) -> str:
    sets = f"{units[0]} internal and {units[1]} external patients, {p_in_words(p)}"
    if p > 0.05:
        return f"As the network sees them, the images cannot be told apart from the internal ones ({sets})."
    return (
        f"As the network sees them, the images differ from the internal ones: energy coefficient {share:.2g} where "
        f"chance stays below {limit:.2g} ({sets})."
    )
