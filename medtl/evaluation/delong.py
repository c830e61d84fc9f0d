"""DeLong's variance of the AUROC: the interval of one, also for patients with several cases, and the paired test of
two scores of the same cases (one case a patient; else the draws of `comparison` are the way).

Letters: m cases that have it, n that have not.
"""

from dataclasses import dataclass
from math import erfc, sqrt

import numpy as np
from numpy.typing import NDArray

from medtl.evaluation import ranking
from medtl.evaluation.intervals import Interval, Z, on_logit, student
from medtl.evaluation.ranking import Ranking
from medtl.evaluation.resampling import Floats, Ints
from medtl.vocabulary import Estimate


@dataclass(frozen=True)
class DeLong:
    """AUROC of the first minus AUROC of the second with its 95 % interval, and the two-sided p."""

    difference: Estimate
    p: float


def interval(order: Ranking, group: Ints, z: float = Z) -> Interval | None:
    """Of one AUROC, on the logit scale (Qin and Hotilovac, Stat Methods Med Res 2008;17:207), from Student's t.

    In our simulation it held the truth in 93 to 97 % where percentiles of draws did in 86 to 95 %. None with fewer than
    two patients of a kind, or no misranked pair: `intervals.newcombe` is for that.
    """
    found = spread(order, group)
    return on_logit(found.area, found.deviation, student(found.freedom, z)) if found else None


@dataclass(frozen=True)
class Spread:
    """An AUROC, its standard error and the degrees of freedom that one was estimated with; `pull` (g,) is what each
    patient adds to the error."""

    area: float
    deviation: float
    freedom: float
    pull: Floats


def spread(order: Ranking, group: Ints) -> Spread | None:
    """The variance is Obuchowski's for patients `group` (n,) with several cases, also of both kinds (Biometrics
    1997;53:567); with one each it is DeLong's. The degrees of freedom are Welch's, from the patients of either kind."""
    group, has = group[order.order], order.has
    size = int(group.max(initial=-1)) + 1
    m, n = int(has.sum()), int((~has).sum())
    patients, of_ill, of_well = (_different(one, size) for one in (group, group[has], group[~has]))
    if min(of_ill, of_well) < 2:
        return None
    each, area = ranking.placed(order)
    ill = np.bincount(group[has], each[has] - area, size) / m
    well = np.bincount(group[~has], each[~has] - area, size) / n
    parts = of_ill / (of_ill - 1) * float(ill @ ill), of_well / (of_well - 1) * float(well @ well)
    variance = sum(parts) + 2 * patients / (patients - 1) * float(ill @ well)
    if not variance > 1e-15:
        return None
    freedom = sum(parts) ** 2 / (parts[0] ** 2 / (of_ill - 1) + parts[1] ** 2 / (of_well - 1))
    return Spread(area, sqrt(variance), freedom, ill + well)


def _different(group: Ints, size: int) -> int:
    return int(np.count_nonzero(np.bincount(group, minlength=size)))


def area(has: NDArray[np.bool_], score: Floats, group: Ints | None = None) -> Estimate | None:
    """One AUROC with `interval`, to stand beside that of the draws; `group` (n,) says whose cases they are."""
    if has.all() or not has.any():
        return None
    order = ranking.rank(has, np.asarray(score, float))
    groups = np.arange(len(has)) if group is None else group
    bounds = interval(order, groups)
    how = "DeLong" if len(np.unique(groups)) == len(has) else "DeLong, clustered by patient"
    return Estimate("auroc", ranking.placed(order)[1], *bounds, len(has), how) if bounds else None


def delong(has: NDArray[np.bool_], first: Floats, second: Floats) -> DeLong | None:
    """DeLong et al. 1988 (Biometrics 44:837), with the mid-ranks of Sun and Xu 2014 (IEEE Signal Process Lett 21:1389).

    `has`, `first`, `second` are (m + n,). None with fewer than two cases of a kind, and where the difference has no
    spread at all (the same ranking twice, or two perfect ones): the test has nothing to go by then.
    """
    m, n = int(has.sum()), int((~has).sum())
    if m < 2 or n < 2:
        return None
    ill, well, areas = zip(*(_components(has, np.asarray(score, float)) for score in (first, second)), strict=True)
    gap = float(areas[0] - areas[1])
    variance = float(np.var(ill[0] - ill[1], ddof=1) / m + np.var(well[0] - well[1], ddof=1) / n)
    if variance <= 1e-15:
        return None
    spread = sqrt(variance)
    bounds = max(-1.0, gap - Z * spread), min(1.0, gap + Z * spread)
    return DeLong(Estimate("auroc", gap, *bounds, m + n, "DeLong"), erfc(abs(gap) / spread / sqrt(2)))


def _components(has: NDArray[np.bool_], score: Floats) -> tuple[Floats, Floats, float]:
    """How much of the other kind each case is ranked right against, (m,) and (n,), and their common mean, the AUROC."""
    ill, well = score[has], score[~has]
    m, n = len(ill), len(well)
    among_all = _midranks(np.concatenate([ill, well]))
    v10 = (among_all[:m] - _midranks(ill)) / n
    v01 = 1 - (among_all[m:] - _midranks(well)) / m
    return v10, v01, float(v10.mean())


def _midranks(score: Floats) -> Floats:
    """Rank of each score, counted from 1; equal ones share the mean of their ranks."""
    _, group, size = np.unique(score, return_inverse=True, return_counts=True)
    last = np.cumsum(size)
    return np.asarray((last - (size - 1) / 2)[group], float)
