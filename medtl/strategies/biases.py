"""Biases only (BitFit): every layer may shift its answers, none may change what it looks for."""

from dataclasses import dataclass
from typing import ClassVar

from medtl.strategies import common
from medtl.strategies.descends import KEEPS, Descends
from medtl.vocabulary import Card, Cohort, Outline, Plan, Source


@dataclass(frozen=True)
class Biases(Descends):
    card: ClassVar[Card] = Card(
        id="biases",
        title="Adapt only the offsets",
        says="Starts from the fitted last layer, then lets every layer raise or lower its answers, and nothing else. "
        "Very few values can change.",
        reference="Ben Zaken et al. 2022, arXiv:2106.10199 (BitFit)",
        limits="Found for transformers; in a convolutional network the shifts of its norms are nearly all it has. Few "
        "values do not make it quick.",
    )
    family = "adapts"
    rate: float = common.rate(1e-3)

    def plan(self, outline: Outline, classes: int) -> Plan:
        step = self.train(
            f"Then let the offsets of all layers adapt, with the last layer, up to {self.epochs} epochs; {KEEPS}",
            common.alike(outline, self.rate),
            what="biases",
            weight_decay=0.0,
        )
        return self.probe_then(classes, step)

    def why_not(self, source: Source, cohort: Cohort) -> str | None:
        if all(stage.biases == 0 for stage in source.outline.stages):
            return "The layers of this network have no biases."
        return None
