"""What all strategies that train by gradient descent have in common: their settings and how these become a step."""

from dataclasses import dataclass
from typing import Any

from medtl.strategies import common
from medtl.strategies.linear_probe import fit_head
from medtl.strategies.strategy import Strategy
from medtl.vocabulary import Outline, Plan, Rate, Solve, Train

KEEPS = "keep the moment at which the tuning part looks best."


@dataclass(frozen=True)
class Descends(Strategy):
    """A strategy states its own settings, and those of these whose default is another one."""

    epochs: int = common.epochs(10)
    rate: float = common.rate(1e-4)
    augmentation: str = common.augment()
    batch_norm: str = common.batchnorm("keep")
    class_weights: str = common.imbalance()
    smoothing: float = common.smoothing()
    batch: int = common.batch()
    patience: int = common.patience(4)

    def train(self, says: str, rates: tuple[Rate, ...], **more: Any) -> Train:
        """The step for these settings; `more` are fields of `Train` that the strategy decides itself."""
        settled: dict[str, Any] = {
            "epochs": self.epochs,
            "batch": self.batch,
            "augment": self.augmentation,
            "patience": self.patience,
            "adapt_batchnorm": self.batch_norm == "adapt",
            "balanced": self.class_weights == common.BALANCED,
            "loss": common.loss_for(self.class_weights),
            "smoothing": self.smoothing,
        }
        return Train(says=says, rates=rates, **settled | more)

    def fit_head(self) -> Solve:
        """The last layer on frozen features, weighing classes as the training will."""
        return fit_head(common.is_balanced(self.class_weights))

    def probe_then(self, classes: int, *steps: Train) -> Plan:
        """A new last layer, fitted first, so that training starts from the best frozen answer (arXiv:2202.10054)."""
        return (common.new_head(classes), self.fit_head(), *steps)


def all_stages(outline: Outline) -> str:
    return f"all {len(outline.stages)} stages" if len(outline.stages) > 1 else "the whole network"
