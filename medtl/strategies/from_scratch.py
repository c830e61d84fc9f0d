"""From scratch: the same network with nothing transferred. The full control for every other strategy."""

from dataclasses import dataclass
from typing import ClassVar

from medtl.strategies import common
from medtl.strategies.strategy import Strategy
from medtl.vocabulary import Card, NewHead, Outline, Plan, Rate, Reinitialise, Train


@dataclass(frozen=True)
class FromScratch(Strategy):
    card: ClassVar[Card] = Card(
        id="from-scratch",
        title="Start from nothing (control)",
        says="Forgets the source and trains the same network from random values. Shows what the transfer was worth.",
        reference="Raghu et al. 2019, arXiv:1902.07208 (Transfusion: when transfer helps in medical imaging)",
        limits="Needs thousands of cases to be good; on small cohorts it is meant as a control, not as a model to use.",
    )
    family = "control"
    epochs: int = common.epochs(20)
    rate: float = common.rate(1e-3)
    augmentation: str = common.augment()
    class_weights: str = common.imbalance()
    batch: int = common.batch()
    patience: int = common.patience(8)

    def plan(self, outline: Outline, classes: int) -> Plan:
        names = [stage.name for stage in outline.stages] + ["head"]
        return (
            Reinitialise("Forget everything the source learned: all weights become random."),
            NewHead(f"Put a new last layer on it, one output for each of your {classes} classes."),
            Train(
                says=f"Train all {len(outline.stages)} stages at one rate, up to {self.epochs} epochs; keep the moment "
                "at which the tuning part looks best.",
                epochs=self.epochs,
                rates=tuple(Rate(name, self.rate) for name in names),
                batch=self.batch,
                augment=self.augmentation,
                patience=self.patience,
                adapt_batchnorm=True,  # nothing worth keeping: the statistics must be learned too
                balanced=self.class_weights == common.BALANCED,
                loss=common.loss_for(self.class_weights),
            ),
        )

    @property
    def forgets_source(self) -> bool:
        return True
