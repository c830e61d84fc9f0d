"""How far estimates of time were off, kept so that the next one can be trusted as far as it deserves. No torch.

An estimate is written into the run's folder before the run starts, so that it cannot be made afterwards; the run adds
what it really took.
"""

import json
import statistics
from dataclasses import asdict, dataclass, fields

from medtl.workspace import Workspace, write_whole

KEPT = 200  # lines of history
LOOKED_AT = 20  # of them, for the typical error


@dataclass(frozen=True)
class Hindsight:
    """One run: what was told before it started, what it took, both in seconds."""

    run: str
    strategy: str
    builder: str
    basis: str
    estimated: float
    actual: float

    @property
    def error(self) -> float:
        """How far off, as a share of what it took; above 0 when it took less than was told."""
        return (self.estimated - self.actual) / self.actual


def add(workspace: Workspace, one: Hindsight) -> None:
    """At the end of the history, once a run."""
    lines = [json.dumps(asdict(each)) for each in history(workspace) if each.run != one.run]
    write_whole(workspace.estimates_file, "\n".join([*lines, json.dumps(asdict(one))][-KEPT:]) + "\n")


def history(workspace: Workspace) -> tuple[Hindsight, ...]:
    """Oldest first; what cannot be read is passed over."""
    try:
        lines = workspace.estimates_file.read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return ()
    return tuple(one for line in lines if (one := _read(line)) is not None)


def typical(workspace: Workspace) -> str:
    """A sentence, with the number of runs it rests on."""
    last = history(workspace)[-LOOKED_AT:]
    if not last:
        return "No run has finished yet since estimates are compared with what runs took."
    off = statistics.median(abs(one.error) for one in last)
    longer = sum(one.error > 0 for one in last)
    times = "estimate was" if len(last) == 1 else f"{len(last)} estimates were"
    return f"The last {times} off by {100 * off:.0f} % (median); {longer} of {len(last)} told more than it took."


def _read(line: str) -> Hindsight | None:
    try:
        said = json.loads(line)
        one = Hindsight(**{field.name: said[field.name] for field in fields(Hindsight)})
        return one if one.actual > 0 and one.estimated >= 0 else None
    except (ValueError, KeyError, TypeError):
        return None
