"""Pseudo-labels: the user's unlabelled images, given the label the fitted head is sure of; kept only if it helps."""

from dataclasses import dataclass
from typing import ClassVar

from medtl.strategies import common
from medtl.strategies.linear_probe import fit_head
from medtl.strategies.strategy import Strategy, setting
from medtl.vocabulary import Card, Outline, Plan, PseudoLabel


@dataclass(frozen=True)
class PseudoLabels(Strategy):
    card: ClassVar[Card] = Card(
        id="pseudo-labels",
        title="Learn from unlabelled images, too",
        says="Trains only the last layer, lets it label those of your unlabelled images it is sure of, and trains it "
        "again with them. What does not help on the tuning part is undone.",
        reference="Lee 2013, Pseudo-label: the simple and efficient semi-supervised learning method (ICML workshop)",
        limits="Being sure is not being right: it repeats the errors of the first answer, above all in rare classes "
        "and when the unlabelled images are of another kind.",
    )
    family = "more"
    asks = ("unlabelled",)
    sure: float = setting(
        0.95, "How sure it must be", "The score from which on an answer is taken for a label.", low=0.5, high=0.999
    )
    class_weights: str = common.balance()

    def plan(self, outline: Outline, classes: int) -> Plan:
        balanced = self.class_weights == common.BALANCED
        return (
            common.new_head(classes),
            fit_head(balanced),
            PseudoLabel(
                f"Label the unlabelled images whose answer has a score of {self.sure:g} or more, and fit the last "
                "layer again with them; keep it only if the tuning part is answered better.",
                self.sure,
                common.STRENGTHS,
                balanced,
            ),
        )
