"""What is recommended, as far as it was measured, and what measuring and a race would cost before they start."""

from collections.abc import Iterable
from dataclasses import replace

from medtl.cohorts import library as cohorts
from medtl.rank.measuring import LOOKED_AT, listed
from medtl.rank.values import Ranking, nearest
from medtl.sources import library as sources
from medtl.strategies import STRATEGIES, Recommendation, make, make_for, recommend
from medtl.strategies.recommend import expected, why
from medtl.transferability import race
from medtl.vocabulary import Cohort, Plan, Source
from medtl.workspace import Workspace


def recommended(ws: Workspace, cohort: Cohort, known: Iterable[Source]) -> Recommendation:
    """The source and strategy to begin with: as measured where sources were ranked, else by their cards; the strategy
    is one that this computer can carry out within an hour."""
    known = tuple(known)
    found = advised(cohort, known, nearest(ws, cohort))
    source = next(source for source in known if source.id == found.source)
    strategy, says = strategy_for(ws, cohort, source)
    return replace(found, strategy=strategy, says_strategy=says)


PATIENCE = 3600.0  # seconds that nobody is asked to wait for what is merely recommended


def tried(ws: Workspace, cohort: Cohort, source: Source, budget: float = 0.0) -> tuple[str, ...]:
    """What Automatic tries on this computer, from the one expected to be best: the linear probe, and of the rest those
    that take at most `budget` seconds (0: an hour) each."""
    from medtl.training import cost

    limit = budget or PATIENCE
    order = expected(cohort, source)
    return tuple(
        id
        for id in order
        if id == "linear-probe" or cost.estimate(ws, cohort, source, _plan(id, cohort, source)).seconds <= limit
    )


def strategy_for(ws: Workspace, cohort: Cohort, source: Source, budget: float = 0.0) -> tuple[str, str]:
    """The strategy that is recommended for this source on this computer, and why, in two sentences."""
    best, wanted = tried(ws, cohort, source, budget)[0], expected(cohort, source)[0]
    says = why(cohort, best)
    if best != wanted:
        from medtl.training import cost

        takes = cost.in_words(cost.estimate(ws, cohort, source, _plan(wanted, cohort, source)).seconds)
        says += f" '{STRATEGIES[wanted].card.title}' would take {takes} on this computer."
    return best, says


def _plan(id: str, cohort: Cohort, source: Source) -> Plan:
    return make_for(id, cohort).plan(source.outline, len(cohort.classes))


def advised(cohort: Cohort, known: Iterable[Source], found: Ranking | None) -> Recommendation:
    """The same, for those who have the ranking at hand."""
    known = tuple(known)
    by_card = recommend(cohort, known)
    if found is None or found.recommended not in {source.id for source in known if source.available}:
        return by_card
    basis = "measured on this cohort" if found.cohort == cohort.id else "measured before the last change of this cohort"
    return replace(by_card, source=found.recommended, says_source=found.says, basis=basis)


def known(ws: Workspace) -> tuple[Source, ...]:
    """Every source there is, also those that would have to be fetched first."""
    return tuple(sources.sources(ws))


def takes(ws: Workspace, cohort: Cohort, with_sources: Iterable[Source]) -> float:
    """Seconds it takes here to look at the cases with these sources, before it starts."""
    from medtl.training import cost

    share = min(LOOKED_AT, len(cohort.split.train)) / max(1, len(cohort.cases))
    return sum(cost.estimate(ws, cohort, source, ()).seconds * share for source in with_sources)


def race_takes(ws: Workspace, cohort: Cohort, with_sources: Iterable[Source]) -> float:
    """Seconds a race among these takes here, before it starts."""
    from medtl.training import cost

    share = min(1.0, LOOKED_AT / max(1, len(cohort.split.train)))
    seconds = []
    for source in with_sources:
        plan = make("fine-tune", {"epochs": 1}).plan(source.outline, len(cohort.classes))
        seconds.append(cost.estimate(ws, cohort, source, plan).seconds * share)
    return race.epochs_in_all(race.ENTRANTS) * sum(seconds) / max(1, len(seconds))


def race_says(ws: Workspace, cohort_id: str) -> str:
    """What a race would cost on this computer, before it starts."""
    from medtl.training import cost

    cohort = cohorts.load(ws, cohort_id)
    needs = cost.in_words(race_takes(ws, cohort, listed(ws, cohort)))
    return f"The race trains the best three sources 1, 2 and 4 short epochs: {needs} on this computer."
