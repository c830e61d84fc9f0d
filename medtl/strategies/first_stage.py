"""First stages only (surgical fine-tuning): for images that differ from the source's in how they were taken."""

from dataclasses import dataclass
from typing import ClassVar

from medtl.strategies.descends import KEEPS, Descends
from medtl.strategies.strategy import setting
from medtl.vocabulary import Card, Cohort, Outline, Plan, Rate, Source


@dataclass(frozen=True)
class FirstStage(Descends):
    card: ClassVar[Card] = Card(
        id="first-stage",
        title="Adapt the first stage only",
        says="Starts from the fitted last layer, then adapts only the stage nearest to the picture: for images from "
        "another scanner or stain that show the same things.",
        reference="Lee et al. 2023, arXiv:2210.11466 (surgical fine-tuning)",
        limits="Made for a change in how images look, not in what is asked. It takes nearly as long as adapting "
        "everything, because all layers have to be gone through backwards.",
    )
    family = "adapts"
    first: int = setting(1, "Stages that adapt", "Counted from the input side.", low=1, high=6, unit="stages")

    def plan(self, outline: Outline, classes: int) -> Plan:
        chosen = outline.stages[: self.first]
        which = "the first stage" if len(chosen) == 1 else f"the first {len(chosen)} stages"
        step = self.train(
            f"Then let {which} and the last layer adapt, up to {self.epochs} epochs, everything between them stays as "
            f"it is; {KEEPS}",
            (*(Rate(stage.name, self.rate) for stage in chosen), Rate("head", self.rate)),
        )
        return self.probe_then(classes, step)

    def why_not(self, source: Source, cohort: Cohort) -> str | None:
        stages = len(source.outline.stages)
        if stages < 2:
            return "It needs a network of at least two stages."
        if self.first >= stages:
            return f"'{source.title}' has {stages} stages, and at least one must stay. Choose at most {stages - 1}."
        return None
