"""Linear discriminant analysis with a shrunken covariance, in closed form."""

from dataclasses import dataclass
from typing import ClassVar

from medtl.strategies.solved import Solved
from medtl.vocabulary import Card

SHRINKAGES = (0.01, 0.03, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 1.0)


@dataclass(frozen=True)
class Lda(Solved):
    card: ClassVar[Card] = Card(
        id="lda",
        title="Last layer from averages and spread",
        says="Keeps the source exactly as it is; the last layer follows from the average of each class and from how "
        "widely cases spread around it. Milliseconds, and steady on few cases.",
        reference="Fisher 1936, Annals of Eugenics 7:179-188; Friedman 1989, JASA 84:165-175 (shrunken covariance)",
        limits="Takes all classes to spread alike. A class of several kinds of images has an average that looks like "
        "none of them.",
    )
    rule = "lda"
    strengths = SHRINKAGES
    does = (
        "Look at every image once with the frozen source, then work out the last layer from the average of "
        "each class and the spread around it; how far to trust the spread is chosen on the tuning part."
    )
