"""A training-free cache of examples over class means (after Tip-Adapter)."""

from dataclasses import dataclass
from typing import ClassVar

from medtl.strategies import common
from medtl.strategies.solved import Solved
from medtl.vocabulary import Card, Cohort, Source

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class Examples(Solved):
    card: ClassVar[Card] = Card(
        id="examples",
        title="Class averages and examples",
        says="Keeps the source exactly as it is; an image gets the class whose average and whose single cases it is "
        "most like. Nothing is trained, only looked up.",
        reference="Zhang et al. 2022, arXiv:2207.09519 (Tip-Adapter, with class averages where it has a text)",
        limits="Made for few cases; the model carries what the source saw in each training image, and grows with their "
        "number. Every feature counts the same.",
    )
    rule = "examples"
    strengths = SHARES
    does = (
        "Look at every image once with the frozen source and keep what it saw in the training images; how much "
        "the single cases count beside the class averages is chosen on the tuning part."
    )

    def why_not(self, source: Source, cohort: Cohort) -> str | None:
        return common.too_many_to_keep(cohort)
