"""Plain full fine-tuning: a fresh head, one rate for everything, the source's batch-norm statistics kept."""

from dataclasses import dataclass
from typing import ClassVar

from medtl.strategies import common
from medtl.strategies.descends import KEEPS, Descends, all_stages
from medtl.vocabulary import Card, Outline, Plan


@dataclass(frozen=True)
class Full(Descends):
    card: ClassVar[Card] = Card(
        id="full",
        title="Adapt everything at one rate",
        says="A new last layer and all of the source learn together from the first step, equally fast: the plain "
        "recipe, and hard to beat when the source's batch-norm statistics are kept.",
        reference="Kornblith et al. 2019, arXiv:1805.08974; Raghu et al. 2019, arXiv:1902.07208 (on medical images)",
        limits="The new layer begins with random values and disturbs the source at first, so on very few cases it can "
        "end below training only the last layer. Takes as long as adapting the whole network.",
    )
    family = "adapts"
    patience: int = common.patience(10)  # the plain recipe trains all its epochs

    def plan(self, outline: Outline, classes: int) -> Plan:
        return (
            common.new_head(classes),
            self.train(
                f"Train {all_stages(outline)} and the new layer at one rate, up to {self.epochs} epochs; {KEEPS}",
                common.alike(outline, self.rate),
            ),
        )
