"""L2-SP: everything adapts, and every step away from the source costs something."""

from dataclasses import dataclass
from typing import ClassVar

from medtl.strategies import common
from medtl.strategies.descends import KEEPS, Descends, all_stages
from medtl.strategies.strategy import setting
from medtl.vocabulary import Card, Outline, Penalty, Plan


@dataclass(frozen=True)
class L2Sp(Descends):
    card: ClassVar[Card] = Card(
        id="l2-sp",
        title="Adapt, held near the source",
        says="Starts from the fitted last layer, then lets every layer adapt, but charges for every step away from "
        "the source, so that less of it is forgotten.",
        reference="Li et al. 2018, arXiv:1802.01483 (L2-SP)",
        limits="Worth trying on few cases; on many it does what adapting the whole network does. Holds even where the "
        "source was wrong for your images.",
    )
    family = "adapts"
    strength: float = setting(
        0.01, "How strongly it is held", "What a step away from the source costs.", low=1e-4, high=1.0
    )

    def plan(self, outline: Outline, classes: int) -> Plan:
        step = self.train(
            f"Then let {all_stages(outline)} adapt, up to {self.epochs} epochs, held near the source; {KEEPS}",
            common.alike(outline, self.rate),
            penalties=(Penalty("l2-sp", self.strength),),
            weight_decay=0.0,  # it would pull to zero what the penalty holds at the source
        )
        return self.probe_then(classes, step)
