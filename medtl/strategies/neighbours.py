"""k nearest neighbours in the features of the frozen source."""

from dataclasses import dataclass
from typing import ClassVar

from medtl.strategies import common
from medtl.strategies.solved import Solved
from medtl.vocabulary import Card, Cohort, Source

HOW_MANY = (1.0, 3.0, 5.0, 10.0, 20.0, 50.0, 100.0)


@dataclass(frozen=True)
class Neighbours(Solved):
    card: ClassVar[Card] = Card(
        id="neighbours",
        title="Most similar cases",
        says="Keeps the source exactly as it is and answers as the training images that it finds most alike. Can be "
        "explained by showing them.",
        reference="Cover and Hart 1967, IEEE Transactions on Information Theory 13:21-27; Wu et al. 2018, "
        "arXiv:1805.01978 (votes weighted by likeness)",
        limits="Every feature counts the same, also those that say nothing of your question. The model carries what "
        "the source saw in each training image, and grows with their number. Where all similar cases agree there is no "
        "heat map.",
    )
    rule = "neighbours"
    strengths = HOW_MANY
    does = (
        "Look at every image once with the frozen source and keep what it saw in the training images; how many "
        "of the most similar ones answer is chosen on the tuning part."
    )

    def why_not(self, source: Source, cohort: Cohort) -> str | None:
        return common.too_many_to_keep(cohort)
