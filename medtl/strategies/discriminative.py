"""Discriminative rates from a fresh head: each stage nearer to the input moves more slowly."""

from dataclasses import dataclass
from typing import ClassVar

from medtl.strategies import common
from medtl.strategies.descends import KEEPS, Descends, all_stages
from medtl.vocabulary import Card, Outline, Plan


@dataclass(frozen=True)
class Discriminative(Descends):
    card: ClassVar[Card] = Card(
        id="discriminative",
        title="Adapt all, early layers slower",
        says="A new last layer and all of the source learn together from the first step; the layers that see edges "
        "and textures move least.",
        reference="Howard and Ruder 2018, arXiv:1801.06146 section 3.2 (discriminative fine-tuning)",
        limits="The new layer begins with random values: on few cases, starting from the fitted one is steadier. Early "
        "layers hardly adapt, which is wrong where your images look unlike the source's already in their texture.",
    )
    family = "adapts"
    earlier_slower: float = common.earlier_slower()
    rate: float = common.rate(5e-4)
    patience: int = common.patience(6)

    def plan(self, outline: Outline, classes: int) -> Plan:
        return (
            common.new_head(classes),
            self.train(
                f"Train {all_stages(outline)} and the new layer, up to {self.epochs} epochs, each stage nearer to the "
                f"input at {self.earlier_slower:g} of the next one's rate; {KEEPS}",
                common.slower(outline, self.rate, self.earlier_slower),
            ),
        )
