"""For fine-tuning, where a frozen score says little: the most promising sources train a little, and the worst drop out.

Successive halving (Jamieson and Talwalkar 2016, arXiv:1502.07943): all train one epoch, the better half a second, the
best of them up to four. A probe ranks sources for frozen use only (rank correlation with fine-tuning 0.16 over ten
networks in the published table of arXiv:2404.15786).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medtl.vocabulary import Plan

if TYPE_CHECKING:  # anybody may ask what a race costs without loading torch
    from medtl.sources.network import Network
    from medtl.training.checkpoint import Checkpoint
    from medtl.training.examples import Listener
    from medtl.training.fit import Engine

ROUNDS = (1, 2, 4)  # epochs after which the worse ones drop out
ENTRANTS = 3


@dataclass(frozen=True)
class Entrant:
    """A source that takes part. `engine` is given who listens and where the state is kept between rounds; `plan` ends
    in a training of `ROUNDS[-1]` epochs."""

    source: str
    network: Callable[[], Network]
    engine: Callable[[Listener, Checkpoint], Engine]
    plan: Plan


@dataclass(frozen=True)
class Lap:
    """Where a source stood on the tune part after so many epochs: AUROC, which decides, and tempered log-loss."""

    source: str
    epochs: int
    loss: float
    auroc: float


def epochs_in_all(entrants: int) -> int:
    """How many epochs a race of so many costs."""
    return sum((now - before) * left for before, now, left in _rounds(entrants))


def run(entrants: Sequence[Entrant], folder: Path) -> tuple[Lap, ...]:
    """All laps in the order they were run; the last one is the winner's. `folder` holds what is needed in between."""
    from medtl.training.checkpoint import Checkpoint

    left, laps = list(entrants), list[Lap]()
    for _, epochs, starters in _rounds(len(entrants)):
        left = left[:starters]
        found = []
        for entrant in left:
            found.append(_lap(entrant, epochs, Checkpoint(folder / entrant.source)))
        found.sort(key=lambda lap: (math.isnan(lap.auroc), -lap.auroc, math.isnan(lap.loss), lap.loss))
        order = [lap.source for lap in found]
        left.sort(key=lambda entrant: order.index(entrant.source))
        laps += reversed(found)
    return tuple(laps)


def _rounds(entrants: int) -> list[tuple[int, int, int]]:
    """(epochs before, epochs now, how many take part) of each round."""
    starters = [max(1, math.ceil(entrants / 2**number)) for number in range(len(ROUNDS))]
    return list(zip((0, *ROUNDS), ROUNDS, starters, strict=False))


def _lap(entrant: Entrant, epochs: int, checkpoint: Checkpoint) -> Lap:
    """Train on until so many epochs are done; the checkpoint knows where the last lap ended."""
    watch = _Watch(epochs)
    checkpoint.folder.mkdir(parents=True, exist_ok=True)
    entrant.engine(watch, checkpoint).carry_out(entrant.network(), entrant.plan)
    return Lap(entrant.source, epochs, watch.loss, watch.auroc)


class _Watch:
    """Stops a training after the epoch it was told, and remembers the best that was seen on the tune part."""

    def __init__(self, epochs: int) -> None:
        self.epochs, self.done = epochs, 0
        self.loss, self.auroc = math.nan, math.nan

    def epoch(self, **facts: Any) -> None:
        self.done = int(facts["epoch"])
        if math.isnan(self.loss) or facts["tune_loss"] < self.loss:
            self.loss, self.auroc = float(facts["tune_loss"]), float(facts["tune_auroc"])

    def should_stop(self) -> bool:
        return self.done >= self.epochs

    def phase(self, phase: str, says: str, done: int, total: int) -> None: ...
    def step(self, **facts: Any) -> None: ...
    def note(self, message: str) -> None: ...
