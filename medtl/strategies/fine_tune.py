"""Full fine-tuning: the fitted head first, then everything moves, early layers slower."""

from dataclasses import dataclass
from typing import ClassVar

from medtl.strategies import common
from medtl.strategies.linear_probe import fit_head
from medtl.strategies.strategy import Strategy
from medtl.vocabulary import Card, NewHead, Outline, Plan, Rate, Train


@dataclass(frozen=True)
class FineTune(Strategy):
    card: ClassVar[Card] = Card(
        id="fine-tune",
        title="Adapt the whole network",
        says="Starts from the fitted last layer, then lets every layer adapt to your images, early layers slower. "
        "Pays off with a few hundred cases or more; wants a GPU, or patience.",
        reference="Kumar et al. 2022, arXiv:2202.10054 (head first, then all); Howard and Ruder 2018, "
        "arXiv:1801.06146 section 3.2 (smaller rates for earlier layers); Wortsman et al. 2021, arXiv:2109.01903 "
        "(mixing the source back in)",
        limits="Can forget what the source knew, and can learn shortcuts; on small cohorts it is often no better than "
        "training only the last layer. The tuning part decides when to stop, and keeps the fitted head alone if "
        "nothing improves on it.",
    )
    family = "adapts"
    epochs: int = common.epochs(10)
    rate: float = common.rate(1e-4)
    earlier_slower: float = common.earlier_slower()
    augmentation: str = common.augment()
    batch_norm: str = common.batchnorm("keep")
    class_weights: str = common.balance()
    batch: int = common.batch()
    patience: int = common.patience(4)
    blend: float = common.blend(0.0)

    def plan(self, outline: Outline, classes: int) -> Plan:
        balanced = self.class_weights == "balanced"
        return (
            NewHead(f"Put a new last layer on the source, one output for each of your {classes} classes."),
            fit_head(balanced),
            Train(
                says=f"Then let all {len(outline.stages)} stages adapt, up to {self.epochs} epochs, early stages "
                "slower; keep the moment at which the tuning part looks best.",
                epochs=self.epochs,
                rates=slower(outline, self.rate, self.earlier_slower),
                batch=self.batch,
                augment=self.augmentation,
                patience=self.patience,
                adapt_batchnorm=self.batch_norm == "adapt",
                balanced=balanced,
            ),
            *common.blend_back(self.blend),
            *([fit_head(balanced)] if self.blend else []),
        )


def slower(outline: Outline, rate: float, share: float) -> tuple[Rate, ...]:
    """Every stage and the head; each stage nearer to the input gets `share` of the next one's rate."""
    last = len(outline.stages) - 1
    stages = (Rate(stage.name, rate * share ** (last - i)) for i, stage in enumerate(outline.stages))
    return (*stages, Rate("head", rate))
