"""What a user chose of a finished run: how common the disease is, which range of thresholds, another operating point.

Kept beside the result, never in it. That the test part had been seen before a choice is on record and stays there.
"""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from medtl.runs import store
from medtl.vocabulary import OperatingRule, to_dict
from medtl.workspace import write_whole

FILE = "choices.json"
RANGE = (0.05, 0.5)  # threshold probabilities of a decision curve where nobody chose others


@dataclass(frozen=True)
class Changed:
    """The operating point was chosen anew at this time (ISO, UTC), by this rule."""

    at: str
    rule: OperatingRule


@dataclass(frozen=True)
class Choices:
    """`prevalence` maps what a case may have to its share in the user's clinic; `pool` names the rule by which several
    images of a patient give one answer, empty where the tune part chooses it. `opened` is when the result was looked
    at first, `openings` how often since (browser sessions)."""

    prevalence: Mapping[str, float] = field(default_factory=dict)
    range: tuple[float, float] = RANGE
    pool: str = ""
    changed: tuple[Changed, ...] = ()
    opened: str = ""
    openings: int = 0

    @property
    def rule(self) -> OperatingRule | None:
        """The operating rule in force where it is not the one of the recipe."""
        return self.changed[-1].rule if self.changed else None


def read(folder: Path) -> Choices:
    """Those of the run; a file that is missing or damaged is none, as it holds no result."""
    try:
        content = json.loads((folder / FILE).read_bytes())
        changed = tuple(Changed(str(one["at"]), OperatingRule(**one["rule"])) for one in content.get("changed") or ())
        low, high = content.get("range") or RANGE
        prevalence = {str(name): float(share) for name, share in (content.get("prevalence") or {}).items()}
        return Choices(
            prevalence, (float(low), float(high)), str(content.get("pool") or ""), changed,
            str(content.get("opened") or ""), int(content.get("openings") or 0),
        )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Choices()


def write(folder: Path, **chosen: Any) -> Choices:
    """Replace the fields named; returns all of them."""
    now = dataclasses.replace(read(folder), **chosen)
    write_whole(folder / FILE, json.dumps(to_dict(now), ensure_ascii=False))
    return now


def opened(folder: Path) -> Choices:
    """Somebody looks at the result: when for the first time, and how often since."""
    before = read(folder)
    return write(folder, opened=before.opened or moment(), openings=before.openings + 1)


def changes(folder: Path, rule: OperatingRule) -> Choices:
    """The operating point was chosen anew, now; a rule like the recipe's is on record as well."""
    return write(folder, changed=(*read(folder).changed, Changed(moment(), rule)))


def in_force(folder: Path) -> OperatingRule:
    """By which rule the run's threshold stands now."""
    return read(folder).rule or store.recipe(folder).operating


def moment() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
