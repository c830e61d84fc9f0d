"""Which source and strategy to begin with, and why, in a sentence each. Knows counts and cards, measures nothing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from medtl.errors import NotReady
from medtl.strategies.suiting import suited
from medtl.vocabulary import Case, Cohort, Source, task_of

# Below this many training cases per class full fine-tuning rarely beats a well-fitted last layer (methods.md 1 and 4).
ENOUGH_PER_CLASS = 200


@dataclass(frozen=True)
class Recommendation:
    """Ids, with the reason for each. Both may be overruled. `basis` says what the choice of the source rests on."""

    source: str
    strategy: str
    says_source: str
    says_strategy: str
    basis: str = "by its card"


def recommend(cohort: Cohort, sources: Iterable[Source]) -> Recommendation:
    """A source that can be used at once, and the strategy to see first on it. Raises NotReady when there is none."""
    usable = [s for s in sources if s.available and s.modality == cohort.modality]
    here = [s for s in usable if s.on_disk and s.origin != "run"] or [s for s in usable if s.on_disk] or usable
    if not here:
        raise NotReady("None of the sources can be used.", "Choose or add another source.")
    source = _source(cohort, here)
    fewest = min((sum(c.label == k for c in _train(cohort)) for k in cohort.classes), default=0)
    why = (
        f"With {fewest} training cases in the smallest class we keep the source as it is and train only the last "
        "layer: it takes seconds and is steady on few cases."
        if fewest < ENOUGH_PER_CLASS
        else f"Train only the last layer first: it takes seconds and sets the bar. With {fewest} training cases in the "
        "smallest class, adapting the whole network may then be worth its time."
    )
    return Recommendation(source[0], "linear-probe", source[1], why)


def promising(cohort: Cohort, source: Source, budget: float = 0.0) -> tuple[tuple[str, Mapping[str, Any]], ...]:
    """The two strategies, besides the linear probe, most likely to be best here, the likelier first, with the settings
    that differ from their defaults. `budget` in seconds; 0: none.

    A first rule from published comparisons (methods.md): adapting the whole network from the fitted head, then
    keeping the first stages. Those that cannot be used on this cohort and source are left out.
    """
    from medtl.strategies import make

    order: tuple[tuple[str, Mapping[str, Any]], ...] = (("fine-tune", {}), ("freeze-first", {}))
    able = [(id, {**suited(id, cohort), **settings}) for id, settings in order]
    return tuple((id, more) for id, more in able if make(id, more).why_not(source, cohort) is None)


def _source(cohort: Cohort, here: list[Source]) -> tuple[str, str]:
    """An imported or fetched general network before a narrow one: its features are the broader start."""
    for origin, reason in (
        ("imported", "It is a source you added yourself, and it can be used at once."),
        ("torchvision", "General features learned from over a million photographs; the file is already here."),
        ("shipped", "It comes with MedTL, works without a network, and was itself trained on medical images."),
    ):
        # Of several, one that learned several kinds of images: a narrow one may be worse than nothing elsewhere.
        for source in sorted(here, key=lambda one: -len({task_of(label) for label in one.labels})):
            if source.origin == origin and source.on_disk:
                return source.id, f"{reason} Which source suits your images best is only known by trying."
    first = here[0]
    return first.id, f"{first.why_not} Which source suits your images best is only known by trying.".strip()


def _train(cohort: Cohort) -> list[Case]:
    train = set(cohort.split.train)
    return [case for case in cohort.cases if case.id in train]
