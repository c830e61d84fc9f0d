"""What a report says, as one plain value read from the stored run and its cohort: `Facts`. Draws and writes nothing.

Counts are counted, numbers are taken over as the worker wrote them. No name of a file and no name of a person is in it:
cases are called by their ids, which are codes.
"""

import hashlib
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from medtl import strategies
from medtl.cohorts import library as cohorts
from medtl.errors import NotFound, NotReady
from medtl.reporting import answers
from medtl.runs import events, results, store
from medtl.sources import library as sources
from medtl.vocabulary import PARTS, Card, Case, Cohort, Estimate, Plan, Recipe, Source, labels_of
from medtl.workspace import Workspace

OLD = 90  # years; who is older is told from others by it (HIPAA Safe Harbor), so ages from here on are one group
FAILURES = 12
CHARACTERISTICS = ("sex", "site", "scanner", "modality", "view", "side", "period")


@dataclass(frozen=True)
class Count:
    """One class in one part. `patients` is None where nobody said who is who."""

    part: str
    label: str
    cases: int
    patients: int | None


@dataclass(frozen=True)
class Flow:
    """From the files that were brought to the cases of each part. `skipped` and `left_out` are (reason, how many)."""

    files: int
    skipped: tuple[tuple[str, int], ...]
    read: int
    left_out: tuple[tuple[str, int], ...]
    cases: int


@dataclass(frozen=True)
class Characteristic:
    """One line of the table of patients: what is known of the cases of each part, in the order of PARTS."""

    name: str
    value: str
    parts: tuple[str, ...]


@dataclass(frozen=True)
class Failure:
    """A test case the model got wrong. `by` is how far its score lies on the wrong side, `patient` a code."""

    case: str
    patient: str | None
    label: str
    predicted: str
    score: float
    by: float


@dataclass(frozen=True)
class Facts:
    """Everything the papers print. `source` is None when it was deleted since; `source_title` is known all the same."""

    folder: Path
    recipe: Recipe
    result: results.Result
    cohort: Cohort
    source: Source | None
    source_title: str
    model: Source  # the run as a source: its network, its licence
    strategy: Card
    steps: Plan
    plan: tuple[str, ...]  # the steps in sentences
    answers: Mapping[str, str]
    counts: tuple[Count, ...]
    flow: Flow
    characteristics: tuple[Characteristic, ...]
    test: tuple[results.PredictionRow, ...]
    failures: tuple[Failure, ...]
    fingerprint: str
    finished: str  # ISO time at which the result was there
    tested: int  # runs of this cohort that have a result: so often the test part was looked at

    @property
    def classes(self) -> tuple[str, ...]:
        return self.cohort.classes

    @property
    def two(self) -> bool:
        return len(self.classes) == 2

    @property
    def positive(self) -> str | None:
        """The class that counts as having it; None with more than two."""
        return (self.cohort.positive or self.classes[-1]) if self.two else None

    @property
    def learns_tune(self) -> bool:
        """True when the tune part, having done its service, was learned from as well."""
        return any(getattr(step, "learn_tune", False) for step in self.steps)

    def answer(self, key: str) -> str:
        return self.answers.get(key, answers.NOT_STATED)

    def count(self, part: str, label: str | None = None) -> Count:
        """Of a part and class; of the whole part without `label`."""
        if label is not None:
            return next(one for one in self.counts if (one.part, one.label) == (part, label))
        stored = self.result.parts.get(part, {})
        return Count(part, "", int(stored.get("cases") or 0), stored.get("patients"))


def read(ws: Workspace, run: str) -> Facts:
    """Raises NotReady without a result or without the cohort: a report of half the facts would look like a whole."""
    folder = store.folder(ws, run)
    result = results.load(folder)
    if result.findings:
        raise NotReady(
            "Papers are written for runs of one label an image so far; this run answers several findings.",
            "Its numbers are on the Trust page and in `show RUN`, its scores in the table of the run.",
        )
    recipe = result.recipe
    try:
        cohort = cohorts.load(ws, recipe.cohort)
    except NotFound as error:
        raise NotReady(
            "The cohort of this run was deleted, so its papers cannot be written.",
            "Its numbers are still there: `show RUN`.",
        ) from error
    known = sources.sources(ws)
    source = next((one for one in known if one.id == recipe.source), None)
    model = sources.from_run(folder)
    strategy = strategies.make(recipe.strategy, recipe.settings)
    plan = strategy.plan(model.outline, len(cohort.classes))
    test = tuple(row for row in results.predictions(folder) if row.part == "test")
    summaries = store.runs(ws)
    return Facts(
        folder=folder,
        recipe=recipe,
        result=result,
        cohort=cohort,
        source=source,
        source_title=source.title if source else recipe.source,
        model=model,
        strategy=strategy.card,
        steps=plan,
        plan=tuple(strategies.sentences(plan, model.outline, len(cohort.classes))),
        answers=answers.load(folder),
        counts=tuple(_counts(cohort)),
        flow=_flow(cohort),
        characteristics=tuple(_characteristics(cohort)),
        test=test,
        failures=_failures(test, result, cohort),
        fingerprint=fingerprint(cohort),
        finished=_finished(folder),
        tested=sum(one.cohort == recipe.cohort and one.headline is not None for one in summaries),
    )


def fingerprint(cohort: Cohort) -> str:
    """SHA-256 over what was learned and tested: hash of each file, frame, label, patient's code and part, sorted."""
    part = cohort.split.part_of()
    lines = sorted(
        f"{case.sha256} {case.frame} {case.label} {case.patient or ''} {part.get(case.id, '')}" for case in cohort.cases
    )
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogatepass")).hexdigest()


def counted(estimate: Estimate, facts: Facts) -> str:
    """ "38 of 42 malignant found" where the number is a share of something one can count, else its n."""
    table = facts.result.confusion
    if table is None or facts.positive is None:
        return f"n = {estimate.n:,}"
    at = table.classes.index(facts.positive)
    other = 1 - at
    hit, miss = table.counts[at][at], table.counts[at][other]
    alarm, passed = table.counts[other][at], table.counts[other][other]
    said = {
        "sensitivity": f"{hit:,} of {hit + miss:,} {table.classes[at]} found",
        "specificity": f"{passed:,} of {alarm + passed:,} {table.classes[other]} let pass",
        "ppv": f"{hit:,} of {hit + alarm:,} calls right",
        "npv": f"{passed:,} of {passed + miss:,} let pass rightly",
        "accuracy": f"{hit + passed:,} of {hit + miss + alarm + passed:,} named correctly",
    }
    return said.get(estimate.name, f"n = {estimate.n:,}")


# ---- who and how many ----------------------------------------------------------------------------------------------


def _parts(cohort: Cohort) -> dict[str, list[Case]]:
    where = cohort.split.part_of()
    parts: dict[str, list[Case]] = {part: [] for part in PARTS}
    for case in cohort.cases:
        if case.id in where:
            parts[where[case.id]].append(case)
    return parts


def _counts(cohort: Cohort) -> Iterable[Count]:
    for part, cases in _parts(cohort).items():
        for label in cohort.classes:
            mine = [case for case in cases if label in labels_of(case)]
            known = {case.patient for case in mine if case.patient is not None}
            yield Count(part, label, len(mine), len(known) if cohort.patients is not None else None)


def _flow(cohort: Cohort) -> Flow:
    """Frames of one file are cases of their own, so files and cases are counted apart."""
    skipped = Counter(file.reason for file in cohort.skipped)
    left_out = [(edit.what, edit.cases) for edit in cohort.history if edit.what.startswith("left out")]
    cases = len(cohort.cases)
    return Flow(
        files=len({case.at or case.id for case in cohort.cases}) + sum(skipped.values()),
        skipped=tuple(skipped.most_common()),
        read=cases + sum(n for _, n in left_out),
        left_out=tuple(left_out),
        cases=cases,
    )


def _characteristics(cohort: Cohort) -> Iterable[Characteristic]:
    """Per patient where patients are known (the first image of each counts), else per image."""
    parts = {part: _first_of_each(cases) for part, cases in _parts(cohort).items()}
    ages = {part: [age for case in cases if (age := _age(case)) is not None] for part, cases in parts.items()}
    if any(ages.values()):
        yield Characteristic("age in years", "median (range)", tuple(_ages(ages[part]) for part in PARTS))
        unknown = [len(parts[part]) - len(ages[part]) for part in PARTS]
        if any(unknown):
            yield Characteristic("age in years", "not recorded", tuple(f"{n:,}" for n in unknown))
    for name in CHARACTERISTICS:
        values = Counter(str(case.facts[name]) for cases in parts.values() for case in cases if case.facts.get(name))
        if not values:
            continue
        for value, _ in values.most_common(8):
            yield Characteristic(name, value, tuple(_share(parts[part], name, value) for part in PARTS))
        rest = {value for value, _ in values.most_common()[8:]}
        if rest:
            numbers = [sum(str(case.facts.get(name)) in rest for case in parts[part]) for part in PARTS]
            yield Characteristic(name, f"{len(rest)} others", tuple(f"{n:,}" for n in numbers))
        unknown = [sum(not case.facts.get(name) for case in parts[part]) for part in PARTS]
        if any(unknown):
            yield Characteristic(name, "not recorded", tuple(f"{n:,}" for n in unknown))


def _first_of_each(cases: Iterable[Case]) -> list[Case]:
    seen: dict[str, Case] = {}
    for case in cases:
        seen.setdefault(case.patient or f"case {case.id}", case)
    return list(seen.values())


def _share(cases: list[Case], name: str, value: str) -> str:
    n = sum(str(case.facts.get(name)) == value for case in cases)
    return f"{n:,} ({100 * n / len(cases):.0f} %)" if cases else "0"


def _age(case: Case) -> float | None:
    """Years from "63", 63.0, "063Y" or "018M"; None for anything else."""
    text = str(case.facts.get("age", "")).strip().upper()
    unit = {"Y": 1.0, "M": 12.0, "W": 52.18, "D": 365.25}.get(text[-1:])
    try:
        return float(text[:-1] if unit else text) / (unit or 1.0)
    except ValueError:
        return None


def _ages(ages: list[float]) -> str:
    if not ages:
        return "not recorded"

    def said(age: float) -> str:
        return f"{OLD} or more" if age >= OLD else f"{age:.0f}"

    return f"{said(statistics.median(ages))} ({said(min(ages))} to {said(max(ages))})"


# ---- what went wrong -----------------------------------------------------------------------------------------------


def _failures(test: Iterable[results.PredictionRow], result: results.Result, cohort: Cohort) -> tuple[Failure, ...]:
    """Wrong and sure first. With two classes misses stand before false alarms: a miss weighs more."""
    two = len(cohort.classes) == 2
    positive = cohort.positive or cohort.classes[-1]
    value = result.threshold.value if result.threshold else None
    found = []
    for row in test:
        if row.label == row.predicted:
            continue
        if two and value is not None:
            score = row.scores[positive]
            by = abs(score - value) / (value if score < value else 1 - value or 1.0)
        else:
            score = row.scores[row.predicted]
            by = score - row.scores.get(row.label, 0.0)
        found.append(Failure(row.case, row.patient, row.label, row.predicted, score, by))
    return tuple(sorted(found, key=lambda one: (two and one.label != positive, -one.by, one.case)))


def _finished(folder: Path) -> str:
    told = [event for event in events.read(folder, skip=("step", "phase", "epoch")) if event["event"] == "evaluated"]
    return str(told[-1].get("at", "")) if told else ""


def level_of_split(cohort: Cohort) -> str:
    """At which level the parts are disjoint, in a sentence."""
    if cohort.patients is None:
        return "The parts are disjoint by image; nobody said which images are of one patient."
    return (
        f"The parts are disjoint by patient: {cohort.split.patients_shared} patients are in more than one part "
        f"({cohort.patient_rule})."
    )


__all__ = ["Facts", "counted", "fingerprint", "level_of_split", "read"]
