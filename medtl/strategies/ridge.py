"""Ridge: the last layer by regularised least squares, in closed form."""

from dataclasses import dataclass
from typing import ClassVar

from medtl.strategies.solved import Solved
from medtl.vocabulary import Card

STRENGTHS = tuple(10 ** (exponent / 2) for exponent in range(-2, 13))  # alpha; 1000 and more on very few cases


@dataclass(frozen=True)
class Ridge(Solved):
    card: ClassVar[Card] = Card(
        id="ridge",
        title="Last layer by least squares",
        says="Keeps the source exactly as it is and works out the last layer at one stroke instead of step by step. "
        "Milliseconds, and often as good as the usual way.",
        reference="Hoerl and Kennard 1970, Technometrics 12:55-67 (ridge regression); Hastie, Tibshirani and Friedman, "
        "The Elements of Statistical Learning, section 4.2",
        limits="Least squares are not made for classes: cases far on the right side of the border count as errors, "
        "too. Cannot learn to see what the source never learned to see.",
    )
    rule = "ridge"
    strengths = STRENGTHS
    does = (
        "Look at every image once with the frozen source, then work out the last layer by least squares; how "
        "strongly to regularise is chosen on the tuning part."
    )
