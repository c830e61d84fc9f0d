"""Freeze the first k stages, train the rest under a hidden layer: the recipe of the classical ResNet-50 example."""

from dataclasses import dataclass
from typing import ClassVar

from medtl.strategies import common
from medtl.strategies.descends import Descends
from medtl.strategies.strategy import setting
from medtl.vocabulary import Card, Cohort, NewHead, Outline, Plan, Rate, Source


@dataclass(frozen=True)
class FreezeFirst(Descends):
    card: ClassVar[Card] = Card(
        id="freeze-first",
        title="Keep the first stages, adapt the last",
        says="Keeps the stages that see edges and textures, adapts the later ones, and learns a hidden layer on top: "
        "the recipe of most transfer-learning tutorials.",
        reference="Yosinski et al. 2014, arXiv:1411.1792 (how transferable are layers)",
        limits="The new layers start from random values, so it needs more cases than training only the last layer.",
    )
    family = "adapts"
    freeze: int = setting(
        4,
        "Stages kept frozen",
        "Counted from the input side. At least one trains unless all are frozen.",
        low=0,
        high=12,
    )
    hidden: int = setting(512, "Hidden layer", "Units in the layer under the classes.", low=8, high=4096, unit="units")
    rate: float = common.rate(1e-3)
    dropout: float = setting(
        0.3, "Dropout", "Share of hidden units left out at random in each step.", low=0.0, high=0.9
    )
    patience: int = common.patience(5)

    def plan(self, outline: Outline, classes: int) -> Plan:
        kept = outline.stages[: self.freeze]
        trained = outline.stages[self.freeze :]
        moving = f"stages {len(kept) + 1} to {len(outline.stages)}" if len(trained) > 1 else "the last stage"
        what = f"Train {moving} and the new layers" if trained else "Train the new layers only"
        # The new layers start from noise and may move ten times as fast as what the source learned.
        rates = tuple(Rate(stage.name, self.rate / 10) for stage in trained)
        return (
            NewHead(
                f"Put a hidden layer of {self.hidden} units and a new last layer for your {classes} classes on the "
                "source.",
                hidden=self.hidden,
                dropout=self.dropout,
            ),
            self.train(
                f"{what}, up to {self.epochs} epochs; the first {len(kept)} of {len(outline.stages)} stages stay "
                "exactly as they are. Keep the moment at which the tuning part looks best.",
                (*rates, Rate("head", self.rate)),
            ),
        )

    def why_not(self, source: Source, cohort: Cohort) -> str | None:
        stages = len(source.outline.stages)
        if self.freeze > stages:
            return f"'{source.title}' has {stages} stages; {self.freeze} cannot be frozen. Choose at most {stages}."
        return None
