"""Split, findings and identity of a set of cases: what every import and every edit ends with. It opens no file."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from medtl.cohorts import splits
from medtl.cohorts.findings import checks
from medtl.cohorts.pixels import Pixels
from medtl.errors import BadInput
from medtl.vocabulary import Case, Cohort, Finding, Split, Task


@dataclass(frozen=True)
class Wishes:
    """What is to be judged besides the cases. `order` lists the classes where it matters (grades, findings)."""

    task: Task = "single-label"
    order: tuple[str, ...] = ()
    positive: str | None = None
    seed: int = 0
    accepted: tuple[str, ...] = ()
    exclude_findings: tuple[str, ...] = ()


def judged(
    cases: Sequence[Case], pixels: Pixels, wishes: Wishes = Wishes(), before: Mapping[str, str] | None = None
) -> Cohort:
    """Split and findings of these cases; findings that are to go take their cases with them, and all is redone.

    The id is still empty: `identified` gives it, once everything else is said. With `before` (case -> part of an
    earlier version) everything stays in the part it was in.
    """
    split, found = _split_and_findings(cases, pixels, wishes, before)
    gone = {id for finding in found if finding.code in wishes.exclude_findings for id in finding.cases}
    if gone:
        cases = [case for case in cases if case.id not in gone]
        if not cases:
            raise BadInput("Leaving out these findings would leave no case.", "Leave out fewer.")
        split, found = _split_and_findings(cases, pixels, wishes, before)
    classes = _classes(cases, wishes)
    positive = None if wishes.task == "multi-label" else checks.positive_class(cases, classes, wishes.positive)
    return Cohort(
        id="",
        title="",
        modality="image",
        task=wishes.task,
        classes=classes,
        positive=positive,
        cases=tuple(cases),
        split=split,
        findings=found,
        created=datetime.now(UTC).isoformat(timespec="milliseconds"),
        accepted=wishes.accepted,
    )


def _split_and_findings(
    cases: Sequence[Case], pixels: Pixels, wishes: Wishes, before: Mapping[str, str] | None
) -> tuple[Split, tuple[Finding, ...]]:
    here = {case.id for case in cases}
    twins = checks.twins_of(cases, {id: pixels.stored[id].fingerprint for id in here})
    near = [pair for pair in pixels.near if here.issuperset(pair)]
    constant = [case.id for case in cases if pixels.stored[case.id].constant]
    split = splits.make(cases, twins, near, wishes.seed, before)
    looks = {id: pixels.looks[id] for id in here if id in pixels.looks}
    found = checks.findings(cases, twins, near, constant, split, looks=looks, task=wishes.task)
    return split, looked_at(found, wishes.accepted)


def looked_at(findings: Sequence[Finding], accepted: Sequence[str]) -> tuple[Finding, ...]:
    """What a person has looked at and kept is still said, as a note. A block cannot be waved through."""
    said = [
        replace(finding, severity="note", advice="You looked at this and kept it.")
        if finding.code in accepted and finding.severity != "block"
        else finding
        for finding in findings
    ]
    order = ("block", "warn", "note")
    return tuple(sorted(said, key=lambda finding: order.index(finding.severity)))


def _classes(cases: Sequence[Case], wishes: Wishes) -> tuple[str, ...]:
    """Grades and findings in the order given; class names as a person counts (`type 2` before `type 10`)."""
    if wishes.task == "multi-label":
        return wishes.order
    present = {case.label for case in cases}
    rest = sorted(present.difference(wishes.order), key=_counted)
    return (*(label for label in wishes.order if label in present), *rest)


def _counted(label: str) -> tuple[list[tuple[int, int, str]], str]:
    pieces = re.findall(r"\d+|\D+", label.casefold())
    return [(0, int(piece), "") if piece.isdecimal() else (1, 0, piece) for piece in pieces], label


def identified(cohort: Cohort, pixels: Pixels) -> Cohort:
    """With its id: a hash of everything that a training or a reader could notice; the same content has the same id."""

    def told(case: Case) -> list[object]:
        picture = pixels.stored[case.id].fingerprint
        facts = sorted((name, str(value)) for name, value in case.facts.items())
        labels = sorted(case.labels.items())
        return [case.id, case.sha256, picture, case.label, labels, case.patient or "", case.part, facts]

    content = {
        "cases": sorted((told(case) for case in cohort.cases), key=lambda one: str(one[0])),
        "reading": vars(cohort.reading),
        "task": cohort.task,
        "classes": list(cohort.classes),
        "positive": cohort.positive,
        "split": vars(cohort.split),
        "accepted": list(cohort.accepted),
        "names": cohort.privacy.names,
    }
    return replace(cohort, id=hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12])
