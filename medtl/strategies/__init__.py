"""The shelf of strategies in the order of the screen. A new one is a file beside this and a line here. No torch."""

from collections.abc import Iterator, Mapping
from typing import Any

from medtl.catalogue import Catalogue
from medtl.strategies.biases import Biases
from medtl.strategies.bss import Bss
from medtl.strategies.by_gradient import ByGradient
from medtl.strategies.class_means import ClassMeans
from medtl.strategies.discriminative import Discriminative
from medtl.strategies.distil import Distil
from medtl.strategies.ema import Ema
from medtl.strategies.examples import Examples
from medtl.strategies.fine_tune import FineTune
from medtl.strategies.first_stage import FirstStage
from medtl.strategies.freeze_first import FreezeFirst
from medtl.strategies.from_scratch import FromScratch
from medtl.strategies.full import Full
from medtl.strategies.gradual import Gradual
from medtl.strategies.l2_sp import L2Sp
from medtl.strategies.last_stage import LastStage
from medtl.strategies.lda import Lda
from medtl.strategies.linear_probe import LinearProbe
from medtl.strategies.low_rank import LowRank
from medtl.strategies.multi_task import MultiTask
from medtl.strategies.neighbours import Neighbours
from medtl.strategies.norms import Norms
from medtl.strategies.pseudo_labels import PseudoLabels
from medtl.strategies.recommend import Recommendation, recommend
from medtl.strategies.ridge import Ridge
from medtl.strategies.small_head import SmallHead
from medtl.strategies.strategy import Setting, Strategy, settings_of
from medtl.strategies.strategy import make as _make
from medtl.strategies.suiting import suited
from medtl.strategies.tasks import weighing, why_not
from medtl.strategies.wise_ft import WiseFt
from medtl.vocabulary import Cohort, Outline, Plan, StageOutline, Train, What

STRATEGIES: Catalogue[type[Strategy]] = Catalogue(
    "strategy",
    # The source stays as it is.
    LinearProbe, Ridge, Lda, ClassMeans, Neighbours, Examples, SmallHead,
    # The source adapts: whole, in part, in few values, held back.
    FineTune, Full, Discriminative, Gradual, LastStage, FreezeFirst, FirstStage, ByGradient,
    Norms, Biases, LowRank,
    L2Sp, Bss, WiseFt, Ema,
    # With more than labelled images of one question.
    MultiTask, PseudoLabels, Distil,
    # Nothing transferred.
    FromScratch,
)  # fmt: skip


def make(id: str, settings: Mapping[str, Any] | None = None) -> Strategy:
    """The strategy called `id` with these settings. Raises NotFound and BadInput."""
    return _make(STRATEGIES[id], settings or {})


def make_for(id: str, cohort: Cohort, settings: Mapping[str, Any] | None = None) -> Strategy:
    """The same with the settings that suit this cohort (`suiting`), under the user's own."""
    return make(id, {**suited(id, cohort), **(settings or {})})


def may_change(plan: Plan, outline: Outline, classes: int) -> int | None:
    """How many values of the network this plan may change, the head's included; of low-rank additions theirs are
    counted. None where that was not counted for this network."""
    total = _head_size(plan, outline, classes)
    for stage in outline.stages:
        moving = {
            (step.what, step.rank)
            for step in plan
            if isinstance(step, Train) and any(rate.stage == stage.name for rate in step.rates)
        }
        counts = [_values_of(stage, what, rank) for what, rank in moving]
        if any(count < 0 for count in counts):
            return None
        total += max(counts, default=0)
    return total


def _values_of(stage: StageOutline, what: What, rank: int) -> int:
    """How many of its values train; below 0 where nobody counted them."""
    counts = {"all": stage.parameters, "norms": stage.norms, "biases": stage.biases, "low-rank": stage.low_rank}
    return counts[what] * (rank if what == "low-rank" else 1)


def values(plan: Plan, outline: Outline, classes: int) -> int:
    """How many values the network of this plan has, the head's included."""
    return outline.parameters + _head_size(plan, outline, classes)


def sentences(plan: Plan, outline: Outline, classes: int) -> Iterator[str]:
    """The plan as the clinician reads it, ending with what may change and what may not."""
    yield from (step.says for step in plan)
    total = values(plan, outline, classes)
    moving = may_change(plan, outline, classes)
    if moving is None:
        yield f"A part of its {total / 1e6:.1f} million values may change (not counted for this network)."
    elif any(isinstance(step, Train) and step.what == "low-rank" for step in plan):
        yield f"{moving:,} values are learned; they move the wide layers among its {total / 1e6:.1f} million values."
    else:
        yield f"{moving:,} of {total / 1e6:.1f} million values may change; the rest cannot."


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
    "make_for",
    "may_change",
    "recommend",
    "sentences",
    "settings_of",
    "suited",
    "values",
    "weighing",
    "why_not",
]
