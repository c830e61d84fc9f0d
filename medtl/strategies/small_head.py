"""A small network on frozen features: one hidden layer, trained on a few views of each picture that are kept."""

from dataclasses import dataclass
from typing import ClassVar

from medtl.strategies import common
from medtl.strategies.descends import KEEPS, Descends
from medtl.strategies.strategy import setting
from medtl.vocabulary import Card, NewHead, Outline, Plan, Rate


@dataclass(frozen=True)
class SmallHead(Descends):
    card: ClassVar[Card] = Card(
        id="small-head",
        title="Train a small extra layer",
        says="Keeps the source exactly as it is and learns a small hidden layer on top of what it sees: it can combine "
        "features, where the last layer alone can only weigh them.",
        reference="Chatfield et al. 2014, arXiv:1405.3531 (new layers on frozen features); Srivastava et al. 2014, "
        "JMLR 15:1929-1958 (dropout)",
        limits="Begins with random values and has more to learn than the last layer alone: on few cases it is less "
        "steady and seldom better.",
    )
    family = "frozen"
    hidden: int = setting(64, "Hidden layer", "Units in the layer under the classes.", low=8, high=1024, unit="units")
    dropout: float = setting(
        0.3, "Dropout", "Share of hidden units left out at random in each step.", low=0.0, high=0.9
    )
    views: int = common.views()
    epochs: int = common.epochs(40)
    rate: float = common.rate(2e-3)
    patience: int = common.patience(10)

    def plan(self, outline: Outline, classes: int) -> Plan:
        return (
            NewHead(
                f"Put a hidden layer of {self.hidden} units and a new last layer for your {classes} classes on the "
                "source.",
                hidden=self.hidden,
                dropout=self.dropout,
            ),
            self.train(
                f"Look at {self.views} views of every picture once with the frozen source, then train the new layers "
                f"on what it saw, up to {self.epochs} epochs; {KEEPS}",
                (Rate("head", self.rate),),
                views=self.views,
            ),
        )
