"""What a report says, as one plain value read from the stored run and its cohort: `Facts`. Draws and writes nothing.

Counts are counted, numbers are taken over as the worker wrote them and as `medtl.trust` judges them for the page. No
name of a file and no name of a person is in it: cases are called by their ids, which are codes.
"""

import hashlib
import itertools
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medtl import checkup, strategies
from medtl.cohorts import library as cohorts
from medtl.cohorts import readings as labelling
from medtl.cohorts.agreement import Agreement
from medtl.cohorts.pixels import Pixels
from medtl.errors import MedtlError, NotFound, NotReady
from medtl.explanation import neighbours
from medtl.explanation.neighbours import Neighbours
from medtl.reporting import answers
from medtl.runs import attention, events, results, store
from medtl.runs.attention import Attention
from medtl.sources import library as sources
from medtl.trust import abroad, failures, fields, judge, lights, reader, reader_study
from medtl.trust.abroad import Abroad
from medtl.trust.failures import Told
from medtl.trust.lights import Light
from medtl.trust.reader_study import Outcome
from medtl.trust.values import Judgement
from medtl.vocabulary import PARTS, Card, Case, Cohort, Edit, Estimate, Finding, Plan, Recipe, Source, labels_of
from medtl.workspace import Workspace

GATED = 2000  # test cases that are held against the gate while somebody waits
OLD = 90  # years; who is older is told from others by it (HIPAA Safe Harbor), so ages from here on are one group
CHARACTERISTICS = tuple(name for name in fields.FIELDS if name != "age")


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
class Facts:
    """Everything the papers print. `source` is None when it was deleted since; `source_title` is known all the same.

    `told` maps each question to what was said of its test cases, wrong and sure first: "" where a case has one label,
    else each finding. `refused` are the test cases that the gate would have refused, with its reasons (None: a run that
    cannot say). `labellers` is how far those who read the cohort's cases agree: two of them, or one with the cohort's
    own labels; None where nobody did, or is done. `neighbours` know the training cases most like each test case.
    """

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
    judgement: Judgement
    lights: tuple[Light, ...]
    verdict: str
    told: Mapping[str, tuple[Told, ...]]
    abroad: tuple[Abroad, ...]
    attention: Attention | None
    readings: tuple[Outcome, ...]
    neighbours: Neighbours | None
    labellers: Agreement | None
    refused: Mapping[str, tuple[str, ...]] | None
    fingerprint: str
    finished: str  # ISO time at which the result was there
    tested: int  # runs of this cohort that have a result: so often the test part was looked at
    deep: tuple[Finding, ...] = ()  # what the deep check of the data found, as far as it still holds

    @property
    def classes(self) -> tuple[str, ...]:
        return self.cohort.classes

    @property
    def several(self) -> bool:
        """Whether a case may have several findings at once."""
        return self.judgement.task == "multi-label"

    @property
    def two(self) -> bool:
        return len(self.classes) == 2 and not self.several

    @property
    def positive(self) -> str | None:
        """The class that counts as having it; None with more than two, and of findings."""
        return self.judgement.positive if self.two else None

    @property
    def wrong(self) -> Mapping[str, tuple[Told, ...]]:
        """Question -> its mistakes, in the order of the gallery."""
        return {name: failures.wrong(one) for name, one in self.told.items()}

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
    try:
        cohort = cohorts.load(ws, result.recipe.cohort)
    except NotFound as error:
        raise NotReady(
            "The cohort of this run was deleted, so its papers cannot be written.",
            "Its numbers are still there: `show RUN`.",
        ) from error
    return of(ws, folder, result, cohort)


def of(ws: Workspace, folder: Path, result: results.Result, cohort: Cohort) -> Facts:
    """Of what was loaded already."""
    recipe = result.recipe
    known = sources.sources(ws)
    source = next((one for one in known if one.id == recipe.source), None)
    model = sources.from_run(folder)
    strategy = strategies.make(recipe.strategy, recipe.settings)
    plan = strategy.plan(model.outline, len(cohort.classes))
    rows = results.predictions(folder)
    told, near = _told(rows, result), _neighbours(result)
    tested = sum(one.cohort == recipe.cohort and one.headline is not None for one in store.runs(ws))
    judged, looked = judge.judge(folder), _attention(folder)
    deep = _deep(ws, cohort)
    left = [*cohort.findings, *(one for one in deep if one.code not in cohort.accepted)]
    lit = lights.lights(judged, result, cohort, open_findings=left, tested=tested, looked=looked)
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
        test=tuple(row for row in rows if row.part == "test"),
        judgement=judged,
        lights=lit,
        verdict=lights.verdict(lit, result),
        told=told,
        abroad=abroad.read(folder),
        attention=looked,
        readings=tuple(_readings(folder, told, result)),
        neighbours=near,
        labellers=_labellers(ws, cohort),
        refused=_refused(ws, result, cohort, near),
        fingerprint=fingerprint(cohort),
        finished=_finished(folder),
        tested=tested,
        deep=deep,
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
    """Frames of one file are cases of their own, so files and cases are counted apart. Of cases left out nobody knows
    the file any more; where each case is a file of its own, they were files."""
    skipped = Counter(file.reason for file in cohort.skipped)
    left_out = [(_reason(edit), edit.cases) for edit in cohort.history if edit.what.startswith("left out")]
    cases = len(cohort.cases)
    files = len({case.at or case.id for case in cohort.cases})
    gone = sum(n for _, n in left_out) if files == cases else 0
    return Flow(
        files=files + gone + sum(skipped.values()),
        skipped=tuple(skipped.most_common()),
        read=cases + sum(n for _, n in left_out),
        left_out=tuple(left_out),
        cases=cases,
    )


def _reason(edit: Edit) -> str:
    """Its own words; of one who left cases out by hand nobody kept a reason."""
    return edit.what if edit.what != "left out" else f"left out by hand on {edit.at[:10]}, no reason kept"


def _characteristics(cohort: Cohort) -> Iterable[Characteristic]:
    """Per patient where patients are known (the first image of each counts), else per image."""
    parts = {part: _first_of_each(cases) for part, cases in _parts(cohort).items()}
    ages = {part: [age for case in cases if (age := fields.age(case)) is not None] for part, cases in parts.items()}
    if any(ages.values()):
        yield Characteristic("age in years", "median (range)", tuple(_ages(ages[part]) for part in PARTS))
        unknown = [len(parts[part]) - len(ages[part]) for part in PARTS]
        if any(unknown):
            yield Characteristic("age in years", "not recorded", tuple(f"{n:,}" for n in unknown))
    for name in CHARACTERISTICS:
        known = (fields.value(case, name) for cases in parts.values() for case in cases)
        values = Counter(value for value in known if value is not None)
        if not values:
            continue
        for value, _ in values.most_common(8):
            yield Characteristic(name, value, tuple(_share(parts[part], name, value) for part in PARTS))
        rest = {value for value, _ in values.most_common()[8:]}
        if rest:
            numbers = [sum(fields.value(case, name) in rest for case in parts[part]) for part in PARTS]
            yield Characteristic(name, f"{len(rest)} others", tuple(f"{n:,}" for n in numbers))
        unknown = [sum(fields.value(case, name) is None for case in parts[part]) for part in PARTS]
        if any(unknown):
            yield Characteristic(name, "not recorded", tuple(f"{n:,}" for n in unknown))


def _first_of_each(cases: Iterable[Case]) -> list[Case]:
    seen: dict[str, Case] = {}
    for case in cases:
        seen.setdefault(case.patient or f"case {case.id}", case)
    return list(seen.values())


def _share(cases: list[Case], name: str, value: str) -> str:
    n = sum(fields.value(case, name) == value for case in cases)
    return f"{n:,} ({100 * n / len(cases):.0f} %)" if cases else "0"


def _ages(ages: list[float]) -> str:
    if not ages:
        return "not recorded"

    def said(age: float) -> str:
        return f"{OLD} or more" if age >= OLD else f"{age:.0f}"

    return f"{said(statistics.median(ages))} ({said(min(ages))} to {said(max(ages))})"


# ---- what else is known ----------------------------------------------------------------------------------------------


def _told(rows: tuple[results.PredictionRow, ...], result: results.Result) -> dict[str, tuple[Told, ...]]:
    if result.findings:
        return {name: failures.told(rows, result, name) for name in result.findings}
    return {"": failures.told(rows, result)}


def _deep(ws: Workspace, cohort: Cohort) -> tuple[Finding, ...]:
    """Of the deep check of this version or, as far as it still holds, of the nearest one before it, as the page has it;
    none where nobody made it, or it is damaged."""
    at: Cohort | None = cohort
    while at is not None:
        if (found := checkup.load(ws, at.id)) is not None:
            return found.findings if at.id == cohort.id else checkup.still(found, at, cohort).findings
        try:
            at = cohorts.load(ws, at.parent) if at.parent else None
        except MedtlError:
            return ()
    return ()


def _attention(folder: Path) -> Attention | None:
    """None where it was not checked; what is damaged can be checked again and is no part of the papers."""
    try:
        return attention.load(folder)
    except MedtlError:
        return None


def _readings(folder: Path, told: Mapping[str, tuple[Told, ...]], result: results.Result) -> Iterable[Outcome]:
    """Only those that are over: until then nobody may see how it stands."""
    for one in reader.readings(folder):
        answered = told.get(one.finding or "")
        if one.over and one.blind and answered is not None:
            yield reader_study.outcome(one, answered, result)


def _neighbours(result: results.Result) -> Neighbours | None:
    return neighbours.load(result.folder) if (result.folder / neighbours.FILE).exists() else None


def _labellers(ws: Workspace, cohort: Cohort) -> Agreement | None:
    pairs = itertools.combinations([*labelling.readers(ws, cohort), labelling.OWN], 2)
    for one, other in pairs:
        try:
            found = labelling.compare(ws, cohort, one, other)
        except MedtlError:  # somebody still reads
            continue
        if found.n:
            return found
    return None


def _refused(
    ws: Workspace, result: results.Result, cohort: Cohort, near: Neighbours | None
) -> dict[str, tuple[str, ...]] | None:
    """As Use would judge them; of so many that it would take long, nothing is said."""
    from medtl.gate import gate, learning

    known = {case.id: case for case in cohort.cases}
    if near is None or near.test is None or not 0 < len(near.tested) <= GATED or not set(near.tested) <= known.keys():
        return None
    features = near.test.astype(np.float32)
    distances, kept = near.distances(features), gate.load(result.folder, near)
    if kept is None:
        verdicts = gate.by_likeness(near, distances)
    else:
        seen = learning.seen_of(Pixels(ws.cohort(cohort.id)), [known[id] for id in near.tested])
        verdicts = kept.judge(features, seen, distances)
    return {id: one.reasons for id, one in zip(near.tested, verdicts, strict=True) if not one.accepted}


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


__all__ = ["Facts", "counted", "fingerprint", "level_of_split", "of", "read"]
