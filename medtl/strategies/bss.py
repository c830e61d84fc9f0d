"""Batch spectral shrinkage: directions of the features that a batch hardly uses are not carried along."""

from dataclasses import dataclass
from typing import ClassVar

from medtl.strategies import common
from medtl.strategies.descends import KEEPS, Descends, all_stages
from medtl.strategies.strategy import setting
from medtl.vocabulary import Card, Outline, Penalty, Plan


@dataclass(frozen=True)
class Bss(Descends):
    card: ClassVar[Card] = Card(
        id="bss",
        title="Adapt, weak features damped",
        says="Starts from the fitted last layer, then lets every layer adapt, and damps those features of the source "
        "that your images hardly use and that may mislead.",
        reference="Chen et al. 2019, Catastrophic forgetting meets negative transfer: batch spectral shrinkage for "
        "safe transfer learning (NeurIPS)",
        limits="A small addition to adapting the whole network, meant for few cases; what a batch hardly uses can "
        "still be what a rare class is known by.",
    )
    family = "adapts"
    strength: float = setting(1e-3, "How strongly they are damped", "Weight of the penalty.", low=1e-4, high=1e-2)
    smallest: int = setting(
        1, "How many are damped", "The weakest directions of a batch's features.", low=1, high=4, unit="directions"
    )

    def plan(self, outline: Outline, classes: int) -> Plan:
        step = self.train(
            f"Then let {all_stages(outline)} adapt, up to {self.epochs} epochs, damping what a batch hardly uses; "
            f"{KEEPS}",
            common.alike(outline, self.rate),
            penalties=(Penalty("bss", self.strength, self.smallest),),
        )
        return self.probe_then(classes, step)
