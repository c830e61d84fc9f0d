"""Linear probe: the source stays frozen, only a well-fitted head is learned, on features computed once."""

from dataclasses import dataclass
from typing import ClassVar

from medtl.strategies import common
from medtl.strategies.strategy import Strategy
from medtl.vocabulary import Card, Outline, Plan, Solve


@dataclass(frozen=True)
class LinearProbe(Strategy):
    card: ClassVar[Card] = Card(
        id="linear-probe",
        title="Train only the last layer",
        says="Keeps the source exactly as it is and learns only how to weigh what it already sees. Quick, steady on "
        "few cases, and the reference every other strategy has to beat.",
        reference="Alain and Bengio 2016, arXiv:1610.01644; logistic regression on frozen features",
        limits="Cannot learn to see what the source never learned to see; falls behind on large cohorts whose images "
        "are unlike the source's.",
    )
    family = "frozen"
    class_weights: str = common.balance()
    looks: int = common.looks()
    learn_tune: str = common.learn_tune()

    def plan(self, outline: Outline, classes: int) -> Plan:
        return (
            common.new_head(classes),
            *common.look(self.looks),
            fit_head(self.class_weights == common.BALANCED, self.learn_tune == "yes"),
        )


def fit_head(balanced: bool, learn_tune: bool = False) -> Solve:
    in_the_end = ", which is then learned from, too" if learn_tune else ""
    return Solve(
        says="See every image with the frozen source, then fit the last layer (regularised logistic regression); how "
        f"strongly to regularise is chosen on the tuning part{in_the_end}.",
        strengths=common.STRENGTHS,
        balanced=balanced,
        learn_tune=learn_tune,
    )
