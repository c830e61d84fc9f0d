"""What each group of cases, and all others together, gave in every draw: counts of calls and of pairs ranked right.

Everything is sorted once, and what the others gave follows by subtraction, so that twenty groups cost little more than
one. Letters: n cases, G groups of one field, d draws. Knows no interval.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medtl.evaluation.resampling import Bools, Floats, Ints, Resampling, Weights
from medtl.evaluation.shares import ratio

Grid = NDArray[np.float64]  # (7, G, d)
MEASURES = ("sensitivity", "specificity", "ppv", "auroc")


@dataclass(frozen=True)
class Sums:
    """(G, d) each: those with and without, those of either that were called, and pairs (one with, one without) in which
    the first scores higher, ties counting half."""

    ill: Floats
    well: Floats
    found: Floats
    alarms: Floats
    pairs: Floats

    def values(self) -> dict[str, Floats]:
        return {
            "sensitivity": ratio(self.found, self.ill),
            "specificity": ratio(self.well - self.alarms, self.well),
            "ppv": ratio(self.found, self.found + self.alarms),
            "auroc": ratio(self.pairs, self.ill * self.well),
        }


def grouped(
    has: Bools, score: Floats, called: Bools, fields: Sequence[Ints], resampling: Resampling | None
) -> list[tuple[Sums, Sums]]:
    """For each field the sums of its groups and those of all others. A field (n,) says which group, from 0 on, a case
    belongs to. Without `resampling` the cases themselves are counted (d = 1)."""
    table = _Table(has, score, called)
    plans = [_Field(table, field) for field in fields]
    weights = resampling.chunks() if resampling is not None else iter([np.ones((len(has), 1), np.float32)])
    parts: list[list[Grid]] = [[] for _ in plans]
    for one in weights:
        ill, well = one[table.ill], one[table.well]
        beaten, beating = ill * table.below.count(well), well * table.above.count(ill)
        for plan, made in zip(plans, parts, strict=True):
            made.append(plan.sums(ill, well, beaten, beating))
    return [_inside_and_others(np.concatenate(made, axis=2)) for made in parts]


class _Below:
    """How many of a sorted row of scores lie below each of some others, ties counting half, weighted."""

    def __init__(self, of: Floats, row: Floats) -> None:
        self.low, self.high = np.searchsorted(row, of, side="left"), np.searchsorted(row, of, side="right")
        self.ties = bool((self.low != self.high).any())

    def count(self, weights: Weights) -> Weights:
        """(m, d) weights of the row -> (k, d)."""
        sums = np.zeros((len(weights) + 1, weights.shape[1]), np.float32)
        np.cumsum(weights, axis=0, out=sums[1:])
        below = sums[self.low]
        if self.ties:
            below += sums[self.high]
            below *= np.float32(0.5)
        return below


class _Table:
    """Those with and those without, each from the lowest score up."""

    def __init__(self, has: Bools, score: Floats, called: Bools) -> None:
        self.ill, self.well = np.flatnonzero(has), np.flatnonzero(~has)
        self.ill = self.ill[np.argsort(score[self.ill], kind="stable")]
        self.well = self.well[np.argsort(score[self.well], kind="stable")]
        self.score, self.called = score, called
        self.below = _Below(score[self.ill], score[self.well])
        self.above = _Above(score[self.well], score[self.ill])


class _Above(_Below):
    """How many lie above."""

    def count(self, weights: Weights) -> Weights:
        total = weights.sum(axis=0, dtype=float).astype(np.float32)
        return total - super().count(weights)


class _Field:
    """One field's groups. Rows of the two kinds are brought into the order of group and call, so that sums over each
    are sums over neighbours."""

    def __init__(self, table: _Table, group: Ints) -> None:
        self.groups = int(group.max(initial=-1)) + 1
        of_ill, of_well = group[table.ill], group[table.well]
        self.cells = [
            _Cells(2 * of_ill + table.called[table.ill], 2 * self.groups),
            _Cells(2 * of_well + table.called[table.well], 2 * self.groups),
        ]
        self.members = [(np.flatnonzero(of_ill == g), np.flatnonzero(of_well == g)) for g in range(self.groups)]
        self.below = [_Below(table.score[table.ill[i]], table.score[table.well[j]]) for i, j in self.members]

    def sums(self, ill: Weights, well: Weights, beaten: Weights, beating: Weights) -> Grid:
        """ill, found, well, alarms, pairs of own with anybody, of anybody with own, of own with own: (7, G, d)."""
        (_, found, all_ill), (_, alarms, all_well) = (
            self._by_call(cells, one) for cells, one in zip(self.cells, (ill, well), strict=True)
        )
        outward, inward = (
            self._by_call(cells, pairs)[2] for cells, pairs in zip(self.cells, (beaten, beating), strict=True)
        )
        own = np.stack([
            (ill[i] * below.count(well[j])).sum(axis=0, dtype=float)
            for (i, j), below in zip(self.members, self.below, strict=True)
        ])
        return np.stack([all_ill, found, all_well, alarms, outward, inward, own])

    def _by_call(self, cells: "_Cells", rows: Weights) -> tuple[Floats, Floats, Floats]:
        """(G, d) sums over the cases not called, called, and both."""
        split = cells.sum(rows).reshape(self.groups, 2, -1)
        return split[:, 0], split[:, 1], split.sum(axis=1)


class _Cells:
    """Sums of rows by the cell they belong to."""

    def __init__(self, cell: Ints, cells: int) -> None:
        self.order, self.count = np.argsort(cell, kind="stable"), cells
        self.there, self.starts = np.unique(cell[self.order], return_index=True)

    def sum(self, rows: Weights) -> Floats:
        made = np.zeros((self.count, rows.shape[1]))
        if len(self.there):
            made[self.there] = np.add.reduceat(rows[self.order], self.starts, axis=0, dtype=float)
        return made


def _inside_and_others(rows: Grid) -> tuple[Sums, Sums]:
    ill, found, well, alarms, outward, inward, own = rows
    inside = Sums(ill, well, found, alarms, own)
    rest_ill, rest_found, rest_well, rest_alarms = (one.sum(axis=0) - one for one in (ill, found, well, alarms))
    pairs = outward.sum(axis=0) - outward - inward + own
    return inside, Sums(rest_ill, rest_well, rest_found, rest_alarms, pairs)
