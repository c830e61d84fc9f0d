"""Last stage only: what the stages before it see is worked out once, so that training costs a fraction."""

from dataclasses import dataclass
from typing import ClassVar

from medtl.strategies import common
from medtl.strategies.descends import KEEPS, Descends
from medtl.vocabulary import Card, Cohort, Outline, Plan, Rate, Source


@dataclass(frozen=True)
class LastStage(Descends):
    card: ClassVar[Card] = Card(
        id="last-stage",
        title="Adapt the last stage only",
        says="Starts from the fitted last layer, then adapts only the stage before it. What the earlier stages see is "
        "worked out once, so it takes a fraction of the time and needs no GPU.",
        reference="Yosinski et al. 2014, arXiv:1411.1792 (later layers are the more special ones)",
        limits="The earlier stages stay as they are: it cannot learn textures that the source never saw. The same few "
        "views of each picture are used again and again, so it varies them less than other strategies.",
    )
    family = "adapts"
    views: int = common.views()
    rate: float = common.rate(3e-4)

    def plan(self, outline: Outline, classes: int) -> Plan:
        step = self.train(
            f"Work out once what the earlier stages see, then let the last stage adapt, up to {self.epochs} epochs; "
            f"{KEEPS}",
            (Rate(outline.stages[-1].name, self.rate), Rate("head", self.rate)),
            views=self.views,
        )
        return self.probe_then(classes, step)

    def why_not(self, source: Source, cohort: Cohort) -> str | None:
        return None if len(source.outline.stages) > 1 else "It needs a network of at least two stages."
