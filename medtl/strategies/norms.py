"""Scale and shift of the norm layers only: very few values, spread over the whole network."""

from dataclasses import dataclass
from typing import ClassVar

from medtl.strategies import common
from medtl.strategies.descends import KEEPS, Descends
from medtl.vocabulary import Card, Cohort, Outline, Plan, Source


@dataclass(frozen=True)
class Norms(Descends):
    card: ClassVar[Card] = Card(
        id="norms",
        title="Adapt only scale and shift",
        says="Starts from the fitted last layer, then changes only how strongly each channel of the source speaks, "
        "not what it looks for. Few values can change, so little can be forgotten.",
        reference="Frankle et al. 2021, arXiv:2003.00152 (training batch norm and only batch norm)",
        limits="Needs norm layers in the network. Few values do not make it quick: it takes about two thirds of the "
        "time of adapting everything.",
    )
    family = "adapts"
    rate: float = common.rate(1e-3)

    def plan(self, outline: Outline, classes: int) -> Plan:
        step = self.train(
            "Then let scale and shift of the norm layers in all stages adapt, with the last layer, up to "
            f"{self.epochs} epochs; {KEEPS}",
            common.alike(outline, self.rate),
            what="norms",
            weight_decay=0.0,  # a scale is meant to be near one, not near zero
        )
        return self.probe_then(classes, step)

    def why_not(self, source: Source, cohort: Cohort) -> str | None:
        if all(stage.norms == 0 for stage in source.outline.stages):
            return "This network has no norm layers."
        return None
