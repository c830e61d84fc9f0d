"""What the strategies that work a head out by a rule, on features of the frozen source, have in common."""

from dataclasses import dataclass
from typing import ClassVar

from medtl.strategies import common
from medtl.strategies.strategy import Strategy
from medtl.vocabulary import HeadRule, Outline, Plan, Solve


@dataclass(frozen=True)
class Solved(Strategy):
    """A strategy states its card, its rule, the strengths it tries (`Solve` says what they are), and what it does."""

    family = "frozen"
    rule: ClassVar[HeadRule]
    strengths: ClassVar[tuple[float, ...]]
    does: ClassVar[str]
    class_weights: str = common.balance()

    def plan(self, outline: Outline, classes: int) -> Plan:
        balanced = self.class_weights == common.BALANCED
        return (common.new_head(classes), Solve(self.does, self.strengths, balanced, self.rule))
