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
        says="A blank last layer and all of the source learn together, equally fast, in many small steps. Of all ways "
        "the strongest on average on 5 and 10 cases a class where we measured; minutes instead of seconds.",
        reference="Kornblith et al. 2019, arXiv:1805.08974; Szegedy et al. 2016, arXiv:1512.00567 section 7 (label "
        "smoothing); measured in docs/benchmarks.md",
        limits="Can forget what the source knew, and can learn shortcuts. All epochs are trained, as a few tuning "
        "cases cannot tell epochs apart; with many cases let it stop early (patience).",
    )
    family = "adapts"
    epochs: int = common.epochs(20)
    rate: float = common.rate(1e-4)
    smoothing: float = common.smoothing(0.1)
    batch: int = common.batch(16)
    patience: int = common.patience(0)
    learn_tune: str = common.learn_tune()

    def plan(self, outline: Outline, classes: int) -> Plan:
        learn = self.learn_tune == "yes"
        most = "up to " if self.patience else ""
        keeps = KEEPS if self.patience else "keep what it knows at the end."
        again = " Then once more from the start, with the tuning part." if learn else ""
        return (
            common.new_head(classes, zero=True),
            self.train(
                f"Train {all_stages(outline)} and the new layer at one rate, {most}{self.epochs} epochs; "
                f"{keeps}{again}",
                common.alike(outline, self.rate),
                learn_tune=learn,
            ),
        )
