"""Two to six finished runs of one cohort on one page: what each reached, what it cost, and who can be told from whom.

Reads result folders; trains nothing and chooses nothing: a choice among runs is made on the tune part (`automatic`).
"""

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medtl import automatic, strategies
from medtl.automatic import listed, quoted, strategy_title
from medtl.errors import BadInput, MedtlError
from medtl.evaluation import comparison, paired
from medtl.evaluation.paired import Asked, Pair
from medtl.evaluation.ranking import macro_auroc
from medtl.evaluation.resampling import resample
from medtl.evaluation.thresholds import positive_index
from medtl.runs import results, store
from medtl.runs.answers import Answers, answers
from medtl.runs.results import Result
from medtl.sources import library as sources
from medtl.vocabulary import Estimate, Source
from medtl.workspace import Workspace

FEWEST, MOST = 2, 6
DRAWS = 2000


@dataclass(frozen=True)
class Row:
    """One run. `name` is what it is called in the sentences, unlike any other row's. `may_change` is how many values of
    the network its plan may change, None where the source is gone; `tune_auroc` and `tune_loss` (log-loss at the
    temperature that suits it) are of the tune part, where choices are made. `stopped` says why it ended early."""

    run: str
    name: str
    title: str
    strategy: str
    source: str
    source_title: str
    estimates: tuple[Estimate, ...]
    seconds: float | None
    peak_memory_mb: float | None
    may_change: int | None
    tune_auroc: float
    tune_loss: float
    stopped: bool
    caveats: tuple[str, ...]

    def estimate(self, name: str) -> Estimate | None:
        return next((one for one in self.estimates if one.name == name), None)


@dataclass(frozen=True)
class Compared:
    """`pairs` are every other run minus the reference, in the order of `rows`; `every` are all pairs, first before
    second in that order. `units` counts the patients of the test part (or cases, `unit`). `says` is the answer in a
    few sentences; `notes` are what must be known to read it."""

    cohort: str
    classes: tuple[str, ...]
    n: int
    units: int
    unit: str
    rows: tuple[Row, ...]
    reference: str
    reference_why: str
    pairs: tuple[Pair, ...]
    every: tuple[Pair, ...]
    says: str
    notes: tuple[str, ...]

    def row(self, run: str) -> Row:
        return next(one for one in self.rows if one.run == run)


def compare(ws: Workspace, run_ids: Sequence[str]) -> Compared:
    """Raises BadInput with what differs when the runs were not tested on the same cases."""
    ids = tuple(dict.fromkeys(run_ids))
    if not FEWEST <= len(ids) <= MOST:
        raise BadInput(
            f"{len(ids)} {'run was' if len(ids) == 1 else 'different runs were'} named.",
            f"Name {FEWEST} to {MOST} finished runs of one cohort.",
        )
    found = [results.load(store.folder(ws, id)) for id in ids]
    _same_cohort(found)
    test = _same_cases([answers(ws.run(id), "test") for id in ids], ids)
    _one_label(test)
    y, classes = test[0].y, test[0].classes
    positive = _positive(found[0]) if len(classes) == 2 else None
    at = positive_index(classes, positive) if len(classes) == 2 else None
    draws = resample(y, test[0].patients, at, seed=0, draws=DRAWS)
    rows = _rows(ws, ids, found)
    asked = {
        row.run: Asked(
            quoted(row.name), one.scores, one.called, comparison.scored(y, one.scores, classes, positive, draws)
        )
        for row, one in zip(rows, test, strict=True)
    }
    reference, why = _reference(ws, rows, found)

    def pair(one: str, other: str) -> Pair:
        return paired.pair((one, other), (asked[one], asked[other]), y, classes, positive, draws)

    pairs = tuple(pair(id, reference) for id in ids if id != reference)
    units = draws.units(np.ones(len(y), bool))
    return Compared(
        cohort=found[0].recipe.cohort,
        classes=classes,
        n=len(y),
        units=units,
        unit=draws.unit,
        rows=rows,
        reference=reference,
        reference_why=why,
        pairs=pairs,
        every=tuple(pair(one, other) for one, other in itertools.combinations(ids, 2)),
        says=_says(pairs, {row.run: row.name for row in rows}, reference, f"{units} {draws.unit}s"),
        notes=tuple(_notes(ids, found, draws.repeats)),
    )


# ---- whether they can be compared ------------------------------------------------------------------------------------


def _one_label(test: Sequence[Answers]) -> None:
    """Raises BadInput for runs of several findings, which would have to be set side by side finding by finding."""
    if any(one.said is not None for one in test):
        raise BadInput(
            "These runs answer several findings an image; runs are set side by side for one label an image so far.",
            "Look at each on the Trust page, or choose one finding on the Data page and train on it.",
        )


def _same_cohort(found: Sequence[Result]) -> None:
    by_cohort = Counter(one.recipe.cohort for one in found)
    if len(by_cohort) > 1:
        told = listed([f"{one.recipe.run} on {one.recipe.cohort}" for one in found])
        raise BadInput(
            f"These runs are of different cohorts, or of different versions of one ({told}): their test cases and what "
            "they learned from differ.",
            "Compare runs of one version of one cohort; train again on it what is missing.",
        )


def _same_cases(test: Sequence[Answers], ids: Sequence[str]) -> list[Answers]:
    """All in the order of the first. Cases are matched by id."""
    first = test[0]
    for id, other in zip(ids[1:], test[1:], strict=True):
        differ = len(set(first.cases) ^ set(other.cases))
        if differ:
            raise BadInput(
                f"{ids[0]} and {id} were not tested on the same cases: {differ} were asked of one of them only.",
                "Compare runs of one cohort with one split.",
            )
        if set(other.classes) != set(first.classes):
            raise BadInput(
                f"{ids[0]} and {id} know different classes ({', '.join(first.classes)}; {', '.join(other.classes)}).",
                "Compare runs that answer the same question.",
            )
    lined_up = [one.of(first.cases) for one in test]
    for id, other in zip(ids[1:], lined_up[1:], strict=True):
        labels = [[one.classes[k] for k in one.y] for one in (first, other)]
        differ = sum(a != b for a, b in zip(*labels, strict=True))
        if differ or other.classes != first.classes:
            raise BadInput(
                f"{ids[0]} and {id} hold {differ} test cases to different labels, or order the classes differently.",
                "One of the two result folders was changed by hand: train that run again.",
            )
    return lined_up


def _positive(found: Result) -> str | None:
    """The class that has it, as the run itself was judged: its one curve is that class's."""
    curves = list(found.curves.get("roc", {}))
    return curves[0] if len(curves) == 1 else None


# ---- rows ------------------------------------------------------------------------------------------------------------


def _rows(ws: Workspace, ids: Sequence[str], found: Sequence[Result]) -> tuple[Row, ...]:
    known = {source.id: source for source in sources.sources(ws)}
    names = _names(found, {id: source.title for id, source in known.items()})
    rows = []
    for id, name, one in zip(ids, names, found, strict=True):
        recipe, tune = one.recipe, answers(ws.run(id), "tune")
        source = known.get(recipe.source)
        rows.append(
            Row(
                run=id,
                name=name,
                title=recipe.title,
                strategy=recipe.strategy,
                source=recipe.source,
                source_title=source.title if source else recipe.source,
                estimates=one.estimates,
                seconds=one.seconds.get("total"),
                peak_memory_mb=one.peak_memory_mb,
                may_change=_may_change(one, source, len(tune.classes)) if source else None,
                tune_auroc=macro_auroc(tune.y, tune.scores),
                tune_loss=automatic.tune_loss(tune),
                stopped=bool(one.stopped),
                caveats=one.caveats,
            )
        )
    return tuple(rows)


def _may_change(found: Result, source: Source, classes: int) -> int | None:
    try:
        plan = strategies.make(found.recipe.strategy, found.recipe.settings).plan(source.outline, classes)
    except MedtlError:  # a strategy or a setting of another version
        return None
    return strategies.may_change(plan, source.outline, classes)


def _names(found: Sequence[Result], titles: dict[str, str]) -> list[str]:
    """The strategy's title; with the source, then the run's id, where that is not enough to tell runs apart."""
    names = [strategy_title(one.recipe.strategy) for one in found]
    of = [titles.get(one.recipe.source, one.recipe.source) for one in found]
    longer = [f"{name}, {source}" for name, source in zip(names, of, strict=True)]
    names = [longer[i] if names.count(name) > 1 else name for i, name in enumerate(names)]
    return [f"{name} ({found[i].recipe.run})" if names.count(name) > 1 else name for i, name in enumerate(names)]


# ---- the reference ---------------------------------------------------------------------------------------------------


def _reference(ws: Workspace, rows: Sequence[Row], found: Sequence[Result]) -> tuple[str, str]:
    for group in dict.fromkeys(one.recipe.group for one in found if one.recipe.automatic):
        choice = automatic.chosen(ws, group)
        if choice and any(row.run == choice.run for row in rows):
            return choice.run, f"the one chosen automatically. {choice.says}"
    for row in rows:
        if row.strategy == automatic.PROBE:
            return row.run, "the linear probe, which every other strategy has to beat"
    return rows[0].run, "the first that was named"


# ---- words -----------------------------------------------------------------------------------------------------------


def _says(pairs: Sequence[Pair], names: dict[str, str], reference: str, units: str) -> str:
    """Every other against the reference, those that can be told from it first."""
    if len(pairs) == 1:
        return pairs[0].says
    of, parts = quoted(names[reference]), []
    for standing in ("higher", "lower"):
        some = [pair for pair in pairs if pair.standing == standing]
        told = [f"{quoted(names[pair.first])} by {abs(pair.auroc.value):.2f} ({_span(pair.auroc)})" for pair in some]
        if told:
            parts.append(f"AUROC {standing} than that of {of}: {listed(told)}, on {units}.")
    alike = [quoted(names[pair.first]) for pair in pairs if pair.standing == "cannot be told apart"]
    if alike:
        parts.append(f"{listed(alike)} cannot be told apart from {of} on {units}.")
    return " ".join(parts)


def _span(gap: Estimate) -> str:
    low, high = sorted((abs(gap.low), abs(gap.high)))
    return f"{low:.2f} to {high:.2f}"


def _notes(ids: Sequence[str], found: Sequence[Result], repeats: bool) -> list[str]:
    count = len(ids)
    said = [
        f"{count} runs were compared. Choose among them by the tune part only: the highest of several numbers of a "
        "test part is partly luck, and would look better than it is.",
    ]
    if count > 2:
        said.append(
            f"Each interval holds for its own pair. With {count - 1} comparisons to the reference, the chance that at "
            "least one of them misses the truth is larger than 5 in 100 (with all pairs larger still)."
        )
    said.append("Two that cannot be told apart may still differ: more test cases would tell.")
    if repeats:
        said.append(
            "Patients have several cases here: differences are judged by draws of whole patients, without DeLong's and "
            "McNemar's tests, which would count the cases as if they were of different patients."
        )
    seeds = {one.recipe.seed for one in found}
    if len(seeds) > 1:
        said.append("The runs were started from different seeds; part of the difference may be chance in training.")
    if any(one.recipe.strategy == "from-scratch" for one in found):
        said.append("'Start from nothing' is the control: it shows what the transfer was worth.")
    stopped = [one.recipe.run for one in found if one.stopped]
    if stopped:
        said.append(f"Stopped early, and so perhaps below what it could reach: {listed(stopped)}.")
    return said
