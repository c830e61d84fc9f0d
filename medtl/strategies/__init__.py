"""The shelf of strategies in the order of the screen. A new one is a file beside this and a line here. No torch."""

from collections.abc import Iterator, Mapping
from typing import Any

from medtl.catalogue import Catalogue
from medtl.strategies.fine_tune import FineTune
from medtl.strategies.freeze_first import FreezeFirst
from medtl.strategies.from_scratch import FromScratch
from medtl.strategies.linear_probe import LinearProbe
from medtl.strategies.multi_task import MultiTask
from medtl.strategies.recommend import Recommendation, recommend
from medtl.strategies.strategy import Setting, Strategy, settings_of
from medtl.strategies.strategy import make as _make
from medtl.vocabulary import Outline, Plan, Train

STRATEGIES: Catalogue[type[Strategy]] = Catalogue(
    "strategy", LinearProbe, FineTune, FreezeFirst, MultiTask, FromScratch
)


def make(id: str, settings: Mapping[str, Any] | None = None) -> Strategy:
    """The strategy called `id` with these settings. Raises NotFound and BadInput."""
    return _make(STRATEGIES[id], settings or {})


def may_change(plan: Plan, outline: Outline, classes: int) -> int:
    """How many values of the network this plan may change, the head's included."""
    head = _head_size(plan, outline, classes)
    moving: set[str] = set()
    for step in plan:
        if isinstance(step, Train):
            moving |= {rate.stage for rate in step.rates}
    return head + sum(stage.parameters for stage in outline.stages if stage.name in moving)


def values(plan: Plan, outline: Outline, classes: int) -> int:
    """How many values the network of this plan has, the head's included."""
    return outline.parameters + _head_size(plan, outline, classes)


def sentences(plan: Plan, outline: Outline, classes: int) -> Iterator[str]:
    """The plan as the clinician reads it, ending with what may change and what may not."""
    yield from (step.says for step in plan)
    total = values(plan, outline, classes)
    yield f"{may_change(plan, outline, classes):,} of {total / 1e6:.1f} million values may change; the rest cannot."


def _head_size(plan: Plan, outline: Outline, classes: int) -> int:
    hidden = max((getattr(step, "hidden", 0) for step in plan), default=0)
    if hidden:
        return (outline.features + 1) * hidden + (hidden + 1) * classes
    return (outline.features + 1) * classes


__all__ = [
    "STRATEGIES",
    "Recommendation",
    "Setting",
    "Strategy",
    "make",
    "may_change",
    "recommend",
    "sentences",
    "settings_of",
    "values",
]
