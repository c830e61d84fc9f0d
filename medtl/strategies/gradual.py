"""Gradual unfreezing: the last stage first, then one more with each round, the whole network at the end."""

from dataclasses import dataclass
from typing import ClassVar

from medtl.strategies import common
from medtl.strategies.descends import KEEPS, Descends
from medtl.strategies.strategy import setting
from medtl.vocabulary import Card, Cohort, Outline, Plan, Source, Train


@dataclass(frozen=True)
class Gradual(Descends):
    card: ClassVar[Card] = Card(
        id="gradual",
        title="Open the stages one by one",
        says="Starts from the fitted last layer, adapts the last stage, then the last two, and so on to the first: "
        "early layers are disturbed last.",
        reference="Howard and Ruder 2018, arXiv:1801.06146 section 3.3 (gradual unfreezing)",
        limits="As many trainings as there are stages: it takes longer, and a round that brings nothing on the tuning "
        "part is undone. Often no better than adapting everything from the fitted last layer.",
    )
    family = "adapts"
    epochs_each: int = setting(
        1, "Epochs a round", "How long each round lasts before one more stage is opened.", low=1, high=5
    )
    earlier_slower: float = common.earlier_slower()
    epochs: int = common.epochs(6)

    def plan(self, outline: Outline, classes: int) -> Plan:
        return self.probe_then(classes, *(self._round(outline, n) for n in range(1, len(outline.stages) + 1)))

    def _round(self, outline: Outline, opened: int) -> Train:
        """The last `opened` stages adapt."""
        last = opened == len(outline.stages)
        names = {stage.name for stage in outline.stages[-opened:]} | {"head"}
        epochs = self.epochs if last else self.epochs_each
        which = "all stages" if last else "the last stage" if opened == 1 else f"the last {opened} stages"
        rounds = f"up to {epochs} epoch{'s' if epochs > 1 else ''}"
        return self.train(
            f"Let {which} adapt, {rounds}; {KEEPS}",
            tuple(r for r in common.slower(outline, self.rate, self.earlier_slower) if r.stage in names),
            epochs=epochs,
        )

    def why_not(self, source: Source, cohort: Cohort) -> str | None:
        return None if len(source.outline.stages) > 1 else "It needs a network of at least two stages."
