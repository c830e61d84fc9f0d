"""The tables of `strategies.py`, from lines of results. Knows no image and no network."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import t as student

AUTOMATIC = "automatic"
SHELF = ("linear-probe", "full", "last-stage", "fine-tune")
NAMES = {
    "scikit": "scikit-learn on frozen features",
    "frozen": "plain loop, batch norm frozen",
    "adapt": "plain loop, batch norm trains",
    "fastai": "fastai fine_tune",
    "scratch": "from scratch",
    AUTOMATIC: "Automatic",
}
WANTED_LEAD, WANTED_REGRET = 0.015, 0.01
ENOUGH = 3  # draws, below which an interval over them says next to nothing


@dataclass
class Cell:
    """One target at one size: method -> draw -> macro AUROC."""

    target: str
    size: str
    reached: dict[str, dict[int, float]] = field(default_factory=dict)

    def mean(self, method: str) -> float:
        return float(np.mean(list(self.reached[method].values()))) if method in self.reached else np.nan

    def gaps(self, one: str, other: str) -> np.ndarray:
        """Differences on the draws that both have."""
        a, b = self.reached.get(one, {}), self.reached.get(other, {})
        return np.array([a[draw] - b[draw] for draw in sorted(a.keys() & b.keys())])


def read(results: Path) -> Iterator[dict[str, Any]]:
    if results.exists():
        yield from (json.loads(line) for line in results.read_text().splitlines())


def cells_of(lines: Iterable[dict[str, Any]]) -> list[Cell]:
    found: dict[tuple[str, str], Cell] = {}
    for line in lines:
        cell = found.setdefault((line["target"], line["size"]), Cell(line["target"], line["size"]))
        cell.reached.setdefault(line["method"], {})[line["draw"]] = line["auroc"]
    return sorted(found.values(), key=lambda cell: (cell.target, cell.size == "all", cell.size.zfill(4)))


def show(lines: Sequence[dict[str, Any]], peers: Sequence[str]) -> None:
    cells = cells_of(lines)
    methods = {method for cell in cells for method in cell.reached}
    here = [peer for peer in peers if peer in methods]
    shelf = sorted(methods - set(peers), key=lambda method: (method != AUTOMATIC, method))
    _reached(cells, [*here, *shelf])
    if AUTOMATIC in methods and here:
        _beside_best(cells, here)
        _beside_each(cells, here)
    if AUTOMATIC in methods and len(shelf) > 1:
        _regret(cells, [method for method in shelf if ":" not in method])  # with other settings: another question


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


def _beside_best(cells: list[Cell], peers: list[str]) -> None:
    print("\n### Automatic beside the best peer of each cell (differences on the same draws, 95 % t interval)\n")
    print("| target | cases a class | best peer | difference | draws | at least as good, within the interval |")
    print("|---|---|---|---|---|---|")
    behind, judged, compared = 0, 0, 0
    for cell in cells:
        best = max((peer for peer in peers if len(cell.gaps(AUTOMATIC, peer))), key=cell.mean, default=None)
        if best is None:
            continue
        gaps = cell.gaps(AUTOMATIC, best)
        low, high = interval(gaps)
        behind += high < 0
        compared += 1
        judged += len(gaps) >= ENOUGH
        said = f"{gaps.mean():+.4f}" + (f" ({low:+.4f} to {high:+.4f})" if len(gaps) > 1 else "")
        verdict = "MISSED" if high < 0 else "met" if len(gaps) >= ENOUGH else "too few draws to tell"
        print(f"| {cell.target} | {cell.size} | {NAMES.get(best, best)} | {said} | {len(gaps)} | {verdict} |")
    verdict = "MISSED" if behind else "met" if judged == compared else f"open, {compared - judged} cells have few draws"
    print(f"\nCells in which a peer is better beyond the interval: {behind} of {compared}, wanted 0: {verdict}")


def _beside_each(cells: list[Cell], peers: list[str]) -> None:
    print("\n| mean of the cells that both have | Automatic | the peer | difference (95 %) | cells |")
    print("|---|---|---|---|---|")
    leads, fewest = [], ENOUGH
    for peer in peers:
        both = [cell for cell in cells if len(cell.gaps(AUTOMATIC, peer))]
        if not both:
            continue
        mine = np.mean([_common(cell, AUTOMATIC, peer) for cell in both])
        theirs = np.mean([_common(cell, peer, AUTOMATIC) for cell in both])
        leads.append(mine - theirs)
        fewest = min(fewest, *(len(cell.gaps(AUTOMATIC, peer)) for cell in both))
        within = _of_means([cell.gaps(AUTOMATIC, peer) for cell in both])
        print(f"| {NAMES.get(peer, peer)} | {mine:.4f} | {theirs:.4f} | {mine - theirs:+.4f}{within} | {len(both)} |")
    if leads:
        print(f"\nLead over the best single peer: {min(leads):+.4f}, wanted {WANTED_LEAD}: ", end="")
        print(_verdict(min(leads) >= WANTED_LEAD, fewest))


def _regret(cells: list[Cell], shelf: list[str]) -> None:
    """Of a cell's means, so that the luck of one draw is not taken for a better strategy. The best of those measured
    stands in for the best of the shelf, which may be better."""
    print(f"\n### Regret against the best of the {len(shelf) - 1} strategies measured, on the draws that all have\n")
    print("| target | cases a class | draws | best of them | its mean | " + " | ".join(
        f"regret of {NAMES.get(method, 'always ' + method)}" for method in shelf) + " |")  # fmt: skip
    print("|---" * (len(shelf) + 5) + "|")
    regrets: list[list[float]] = []
    fewest = ENOUGH
    for cell in cells:
        draws = set.intersection(*(set(cell.reached.get(method, {})) for method in shelf))
        if not draws:
            continue
        fewest = min(fewest, len(draws))
        means = {method: float(np.mean([cell.reached[method][draw] for draw in draws])) for method in shelf}
        best = max((method for method in shelf if method != AUTOMATIC), key=lambda method: means[method])
        regrets.append([max(0.0, means[best] - means[method]) for method in shelf])
        values = " | ".join(f"{value:.4f}" for value in regrets[-1])
        print(f"| {cell.target} | {cell.size} | {len(draws)} | {best} | {means[best]:.3f} | {values} |")
    if regrets:
        of = np.mean(regrets, axis=0)
        print("| mean | | | | | " + " | ".join(f"{value:.4f}" for value in of) + " |")
        found = of[shelf.index(AUTOMATIC)]
        print(f"\nMean regret: {found:.4f}, wanted at most {WANTED_REGRET}: ", end="")
        print(_verdict(found <= WANTED_REGRET, fewest))


def _verdict(met: bool, fewest: int) -> str:
    says = "met" if met else "MISSED"
    return says if fewest >= ENOUGH else f"{says} so far; open, as some cells have fewer than {ENOUGH} draws"


def interval(values: np.ndarray) -> tuple[float, float]:
    """Of the mean over draws, Student's t; without an end where there is one draw."""
    if len(values) < 2:
        return -np.inf, np.inf
    half = float(student.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))
    return float(values.mean()) - half, float(values.mean()) + half


def _of_means(gaps: list[np.ndarray]) -> str:
    """Of the mean over cells, draws drawn again within each cell; nothing where some cell has too few of them."""
    if min(map(len, gaps)) < ENOUGH:
        return ""
    random = np.random.default_rng(0)
    means = np.mean([random.choice(some, (2000, len(some))).mean(axis=1) for some in gaps], axis=0)
    low, high = np.quantile(means, [0.025, 0.975])
    return f" ({low:+.4f} to {high:+.4f})"


def _common(cell: Cell, one: str, other: str) -> float:
    draws = cell.reached[one].keys() & cell.reached[other].keys()
    return float(np.mean([cell.reached[one][draw] for draw in draws]))
