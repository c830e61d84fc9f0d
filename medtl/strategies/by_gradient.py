"""Auto-RGN: each stage moves as fast as its share of the gradient says it should."""

from dataclasses import dataclass
from typing import ClassVar

from medtl.strategies import common
from medtl.strategies.descends import KEEPS, Descends, all_stages
from medtl.vocabulary import Card, Cohort, Outline, Plan, Source


@dataclass(frozen=True)
class ByGradient(Descends):
    card: ClassVar[Card] = Card(
        id="by-gradient",
        title="Adapt where your images ask for it",
        says="Starts from the fitted last layer, then lets every stage adapt as fast as your images pull at it: the "
        "network finds out itself whether its early or its late stages have to change.",
        reference="Lee et al. 2023, arXiv:2210.11466 (Auto-RGN: rates by relative gradient norm)",
        limits="On few cases the pull is noisy, and so is the choice. Takes as long as adapting the whole network.",
    )
    family = "adapts"
    rate: float = common.rate(2e-4)

    def plan(self, outline: Outline, classes: int) -> Plan:
        step = self.train(
            f"Then let {all_stages(outline)} adapt, up to {self.epochs} epochs, each as fast as your images pull at "
            f"it; {KEEPS}",
            common.alike(outline, self.rate),
            by_gradient=True,
        )
        return self.probe_then(classes, step)

    def why_not(self, source: Source, cohort: Cohort) -> str | None:
        return None if len(source.outline.stages) > 1 else "It needs a network of at least two stages."
