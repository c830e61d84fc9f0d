"""Which source and strategy to begin with, and why, in a sentence each. Knows counts and cards, measures nothing."""

from collections.abc import Iterable
from dataclasses import dataclass

from medtl.errors import NotReady
from medtl.strategies.suiting import MANY, fewest
from medtl.strategies.tasks import why_not
from medtl.vocabulary import Cohort, Source, task_of


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
    first = expected(cohort, here[[one.id for one in here].index(source[0])])[0]
    return Recommendation(source[0], first, source[1], why(cohort, first))


def expected(cohort: Cohort, source: Source) -> tuple[str, ...]:
    """The strategies that Automatic tries, from the one expected to be best; those that cannot be used are left out.

    From our own comparison (docs/benchmarks.md, "What a user would pick instead"): with few cases everything at one
    rate from a blank last layer came out ahead of the last layer alone, which in turn costs seconds. With many cases
    the ways of adapting lie close together. The linear probe is always tried.
    """
    from medtl.strategies import make_for

    few = fewest(cohort) < MANY
    order = ("full", "linear-probe", "last-stage") if few else ("full", "fine-tune", "linear-probe")
    return tuple(id for id in order if why_not(make_for(id, cohort), source, cohort) is None) or ("linear-probe",)


def why(cohort: Cohort, id: str) -> str:
    """The reason for a strategy, in two sentences."""
    cases = f"{fewest(cohort)} training case{'s' if fewest(cohort) != 1 else ''} in the smallest class"
    if id == "linear-probe":
        return f"With {cases} the last layer alone is steady and quick. It is what any other has to beat."
    if fewest(cohort) < MANY:
        return (
            f"With {cases}, letting the whole network learn in many small steps was the strongest on average in our "
            "own comparison on few films, cells and ultrasound images, most clearly on cells. The last layer alone "
            "comes first: it is quick and may do."
        )
    return (
        f"With {cases}, the whole network has enough to learn from. The last layer alone comes first, as it is quick "
        "and sets the bar."
    )


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
