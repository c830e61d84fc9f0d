"""The tables of `strategies.py`, from its lines of results. Knows no image and no network."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import t as student

AUTOMATIC = "automatic"
SHELF = (AUTOMATIC, "linear-probe", "fine-tune")
NAMES = {
    "scikit": "scikit-learn on frozen features",
    "frozen": "plain loop, batch norm frozen",
    "adapt": "plain loop, batch norm trains",
    "fastai": "fastai fine_tune",
    "scratch": "from scratch",
}
WANTED_LEAD, WANTED_REGRET = 0.015, 0.01


@dataclass(frozen=True)
class Cell:
    """One target at one size: `reached` is method -> draw -> macro AUROC."""

    target: str
    size: str
    reached: dict[str, dict[int, float]]

    def mean(self, method: str) -> float:
        return float(np.mean(list(self.reached[method].values()))) if method in self.reached else np.nan

    def gaps(self, one: str, other: str) -> np.ndarray:
        """Differences on the draws that both have."""
        a, b = self.reached.get(one, {}), self.reached.get(other, {})
        return np.array([a[draw] - b[draw] for draw in sorted(a.keys() & b.keys())])


def lines(results: Path) -> Iterator[dict[str, Any]]:
    if results.exists():
        yield from (json.loads(line) for line in results.read_text().splitlines())


def cells_of(results: Path) -> list[Cell]:
    found: dict[tuple[str, str], Cell] = {}
    for line in lines(results):
        cell = found.setdefault((line["target"], line["size"]), Cell(line["target"], line["size"], {}))
        cell.reached.setdefault(line["method"], {})[line["draw"]] = line["auroc"]
    return sorted(found.values(), key=lambda cell: (cell.target, cell.size == "all", cell.size.zfill(4)))


def show(results: Path, peers: Sequence[str]) -> None:
    cells = cells_of(results)
    methods = {method for cell in cells for method in cell.reached}
    here = [peer for peer in peers if peer in methods]
    shelf = sorted(methods - set(peers), key=lambda method: (method != AUTOMATIC, method))
    _reached(cells, [*here, *shelf])
    if AUTOMATIC in methods and here:
        _beside_peers(cells, here)
    if AUTOMATIC in methods and len(shelf) > 1:
        _regret(cells, shelf)


def _reached(cells: list[Cell], methods: list[str]) -> None:
    print("\n### What is reached: macro AUROC on the test cases, mean of the draws (number of draws)\n")
    print("| target | cases a class | " + " | ".join(NAMES.get(method, method) for method in methods) + " |")
    print("|---" * (len(methods) + 2) + "|")
    for cell in cells:
        values = [
            f"{cell.mean(method):.3f} ({len(cell.reached[method])})" if method in cell.reached else "-"
            for method in methods
        ]
        print(f"| {cell.target} | {cell.size} | " + " | ".join(values) + " |")


def _beside_peers(cells: list[Cell], peers: list[str]) -> None:
    print("\n### Automatic beside the best peer of each cell (difference on the same draws, 95 % t interval)\n")
    print("| target | cases a class | best peer | difference | draws | at least as good, within the interval |")
    print("|---|---|---|---|---|---|")
    behind = 0
    for cell in cells:
        best = max((peer for peer in peers if peer in cell.reached), key=cell.mean, default=None)
        if best is None or not len(gaps := cell.gaps(AUTOMATIC, best)):
            continue
        low, high = interval(gaps)
        behind += high < 0
        print(
            f"| {cell.target} | {cell.size} | {NAMES.get(best, best)} | {_said(gaps)} | {len(gaps)} | "
            f"{'MISSED' if high < 0 else 'met' if len(gaps) > 1 else 'one draw: no interval'} |"
        )
    print(
        f"\nCells in which a peer is better beyond the interval: {behind}, wanted 0: {'MISSED' if behind else 'met'}\n"
    )
    print(
        "| mean of the cells that both have | Automatic | the peer | difference (95 %) | cells |\n|---|---|---|---|---|"
    )
    leads = {}
    for peer in peers:
        both = [cell for cell in cells if len(cell.gaps(AUTOMATIC, peer))]
        if not both:
            continue
        gaps = [cell.gaps(AUTOMATIC, peer) for cell in both]
        mine = np.mean([_common(cell, AUTOMATIC, peer) for cell in both])
        theirs = np.mean([_common(cell, peer, AUTOMATIC) for cell in both])
        leads[peer] = mine - theirs
        low, high = _of_means(gaps)
        print(
            f"| {NAMES.get(peer, peer)} | {mine:.4f} | {theirs:.4f} | {mine - theirs:+.4f} "
            f"({low:+.4f} to {high:+.4f}) | {len(both)} |"
        )
    least = min(leads.values())
    print(f"\nLead over the best single peer: {least:+.4f}, wanted {WANTED_LEAD}: ", end="")
    print("met" if least >= WANTED_LEAD else "MISSED")


def _regret(cells: list[Cell], shelf: list[str]) -> None:
    """Of the cell's means, so that the luck of a draw is not taken for a better strategy."""
    print("\n### Regret of Automatic against the best strategy of the shelf in each cell\n")
    print("| target | cases a class | best of the shelf | its mean | Automatic | regret |\n|---|---|---|---|---|---|")
    regrets = []
    for cell in cells:
        have = [method for method in shelf if method in cell.reached]
        if AUTOMATIC not in have or len(have) < 2:
            continue
        draws = set.intersection(*(set(cell.reached[method]) for method in have))
        if not draws:
            continue
        means = {method: float(np.mean([cell.reached[method][draw] for draw in draws])) for method in have}
        best = max(means, key=lambda method: means[method])
        regrets.append(means[best] - means[AUTOMATIC])
        print(
            f"| {cell.target} | {cell.size} | {best} | {means[best]:.3f} | {means[AUTOMATIC]:.3f} | {regrets[-1]:.4f} |"
        )
    if regrets:
        found = float(np.mean(regrets))
        print(f"\nMean regret: {found:.4f}, wanted at most {WANTED_REGRET}: ", end="")
        print("met" if found <= WANTED_REGRET else "MISSED")


def interval(values: np.ndarray) -> tuple[float, float]:
    """Of the mean over draws, Student's t; without an end where there is one draw."""
    if len(values) < 2:
        return -np.inf, np.inf
    half = float(student.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))
    return float(values.mean()) - half, float(values.mean()) + half


def _said(gaps: np.ndarray) -> str:
    low, high = interval(gaps)
    return f"{gaps.mean():+.4f}" + (f" ({low:+.4f} to {high:+.4f})" if len(gaps) > 1 else "")


def _of_means(gaps: list[np.ndarray]) -> tuple[float, float]:
    """Of the mean over cells: draws are drawn again within each cell."""
    random = np.random.default_rng(0)
    means = np.mean([random.choice(some, (2000, len(some))).mean(axis=1) for some in gaps], axis=0)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def _common(cell: Cell, one: str, other: str) -> float:
    draws = cell.reached[one].keys() & cell.reached[other].keys()
    return float(np.mean([cell.reached[one][draw] for draw in draws]))
