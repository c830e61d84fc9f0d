"""Draws of patients with replacement, as counts a case: made once, shared by every number. Knows no metric."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medtl.evaluation.intervals import Share, share

Ints = NDArray[np.int_]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Weights = NDArray[np.floating[Any]]  # (n, d): how often each of n cases is in each of d draws

CELLS = 1 << 19  # cases x draws worked on at a time: 2 MB of float32, which stays in a processor's cache


@dataclass(frozen=True)
class Resampling:
    """`counts` (n, draws) says how often a case is in a draw; `group` (n,) which patient it belongs to.

    `unit` is "patient", or "case" when no patient is known; `repeats` says whether a patient has several cases.
    """

    counts: NDArray[np.uint16]
    group: Ints
    unit: str
    repeats: bool

    @property
    def how(self) -> str:
        return f"bootstrap by {self.unit}, {self.counts.shape[1]}"

    @property
    def sizes(self) -> Floats:
        """(draws,) cases in each draw: of patients with several, not always as many."""
        return self.counts.sum(axis=0, dtype=np.int64).astype(float)

    def chunks(self) -> Iterator[Weights]:
        """All draws, (n, d) float32 at a time: 10,000 cases x 2,000 draws never lie in memory as floats at once."""
        n, draws = self.counts.shape
        width = max(1, CELLS // max(1, n))
        for begin in range(0, draws, width):
            yield self.counts[:, begin : begin + width].astype(np.float32)

    def units(self, chosen: Bools | Ints) -> int:
        """How many patients (or cases, when no patient is known) the chosen cases come from."""
        return int(np.count_nonzero(np.bincount(self.group[chosen])))

    def take(self, chosen: Bools | Ints) -> "Resampling":
        """The same draws, of some of the cases only, so that what is said of them agrees with what is said of all."""
        group = self.group[chosen]
        return Resampling(self.counts[chosen], group, self.unit, repeats=len(np.unique(group)) < len(group))

    def of(self, index: Ints) -> "Resampling":
        """For a view that keeps the rows `index` (m,) of the table; the same when it keeps them all."""
        return self if len(index) == len(self.group) else self.take(index)

    def share(self, hits: Bools, of: Bools) -> Share:
        """How many of the cases `of` (n,) are `hits`, with an interval that knows whose cases they are."""
        size = int(self.group.max(initial=-1)) + 1
        return share(np.bincount(self.group[hits], minlength=size), np.bincount(self.group[of], minlength=size))

    def mean(self, values: Floats) -> Floats:
        """(draws,) mean of values (n,) over the cases in each draw."""
        _, first, at = np.unique(self.group, return_index=True, return_inverse=True)
        both = np.stack([np.bincount(at, values), np.bincount(at)]).astype(np.float32)  # (2, patients)
        counts = self.counts[first]
        width = max(1, CELLS // max(1, len(first)))
        parts = [
            np.einsum("kg,gd->kd", both, counts[:, begin : begin + width].astype(np.float32))
            for begin in range(0, counts.shape[1], width)
        ]
        total, cases = np.concatenate(parts, axis=1).astype(float)
        return np.asarray(total / cases)

    def sums(self, label: Ints, k: int, values: Floats | None = None) -> Floats:
        """(k, draws) sum of `values` (n,), or number of cases, of each label in each draw; label (n,) is 0 to k - 1."""
        order = np.argsort(label, kind="stable")
        there, starts = np.unique(label[order], return_index=True)
        total = np.zeros((k, self.counts.shape[1]))
        begin = 0
        for weights in self.chunks() if len(order) else ():
            columns = slice(begin, begin := begin + weights.shape[1])
            part = weights[order]
            if values is not None:
                part *= values[order, None].astype(np.float32)
            total[there, columns] = np.add.reduceat(part, starts, axis=0)
        return total


def percentiles(drawn: Floats) -> tuple[float, float]:
    """The 2.5th and 97.5th percentile of the draws that have a value, each rounded outwards to a draw."""
    drawn = drawn[~np.isnan(drawn)]
    if not len(drawn):
        return np.nan, np.nan
    low, high = np.percentile(drawn, 2.5, method="lower"), np.percentile(drawn, 97.5, method="higher")
    return float(low), float(high)


def resample(y: Ints, patients: NDArray[np.object_] | None, positive: int | None, seed: int, draws: int) -> Resampling:
    """Draw patients with replacement, each with all its cases, separately within each kind of patient.

    Kinds are "has the disease" and "hasn't" for two classes (`positive` is the index of the disease), else the rarest
    class a patient has; so every draw holds as many patients of each kind as the test part does.
    """
    group, unit = _groups(y, patients)
    groups = int(group.max(initial=-1)) + 1
    kind = _kinds(y, group, groups, positive)
    random = np.random.default_rng(seed)
    counts = np.empty((groups, draws), np.uint16)  # patients x draws
    for stratum in np.unique(kind):
        members = np.flatnonzero(kind == stratum)
        counts[members] = _draw(random, len(members), draws)
    return Resampling(counts[group], group, unit, repeats=groups < len(y))


def whose(n: int, patients: NDArray[np.object_] | None) -> Resampling:
    """Whose n cases are, without any draw: for what is counted only."""
    return resample(np.zeros(n, int), patients, None, seed=0, draws=0)


def _groups(y: Ints, patients: NDArray[np.object_] | None) -> tuple[Ints, str]:
    """Each case's patient as a number. A case whose patient nobody knows is a patient of its own."""
    known = [None] * len(y) if patients is None else list(patients)
    numbers: dict[object, int] = {}
    keys = [("case", i) if who is None else ("patient", str(who)) for i, who in enumerate(known)]
    group = [numbers.setdefault(key, len(numbers)) for key in keys]
    return np.array(group, dtype=int), "case" if all(who is None for who in known) else "patient"


def _kinds(y: Ints, group: Ints, groups: int, positive: int | None) -> Ints:
    size = np.bincount(y)
    rank = np.argsort(np.argsort(size, kind="stable"), kind="stable")  # 0: the rarest class
    if positive is not None:
        rank = np.where(np.arange(len(size)) == positive, 0, 1)
    kind = np.full(groups, len(size))
    np.minimum.at(kind, group, rank[y])
    return kind


def _draw(random: np.random.Generator, members: int, draws: int) -> NDArray[np.uint16]:
    """(members, draws): how often each is among `members` picked with replacement."""
    counts = np.empty((members, draws), np.uint16)
    width = max(1, CELLS // members)
    for begin in range(0, draws, width):
        columns = min(width, draws - begin)
        picked = random.integers(0, members, (members, columns)) * columns + np.arange(columns)
        counts[:, begin : begin + columns] = np.bincount(picked.ravel(), minlength=members * columns).reshape(
            members, -1
        )
    return counts
