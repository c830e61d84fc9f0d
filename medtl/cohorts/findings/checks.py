"""Findings: what about these cases would mislead. Pure functions of the cases and of what was seen of their pixels.

Each check lives in the file of its idea: `copies`, `counts`, `together`, `outliers`, `shortcuts`. It changes nothing;
`block` stops a training, `warn` and `note` are said beside the numbers.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from medtl.cohorts.findings import copies, counts, outliers, shortcuts, together
from medtl.cohorts.findings.copies import twins_of
from medtl.cohorts.findings.looks import Looks
from medtl.cohorts.findings.phrases import counted, listed, plural
from medtl.cohorts.findings.positives import positive_class
from medtl.cohorts.splits import Pair
from medtl.errors import BadInput
from medtl.vocabulary import Case, Finding, Split, Task

__all__ = ["CODES", "check_codes", "findings", "positive_class", "twins_of"]

CODES = (
    *("label-conflict", "one-class", "too-few", "few-patients"),
    *("patient-across-split", "duplicate-across-split", "patients-unknown", "patient-unmatched"),
    *("near-conflict", "burned-in", "shortcut", "imbalance", "small-test"),
    *("constant-image", "dark-image", "blurred-image", "odd-size", "colour-outlier", "odd-modality"),
    *("near-duplicates", "duplicates", "sequences", "uncertain-labels"),
    # With a network, by `medtl.checkup`.
    *("likely-wrong-labels", "alike-to-the-network", "unlike-the-rest", "text-in-image", "marker-in-image"),
)


def findings(
    cases: Sequence[Case],
    twins: Sequence[Pair],
    near: Sequence[Pair],
    constant: Sequence[str],
    split: Split,
    *,
    looks: Mapping[str, Looks] = {},
    task: Task = "single-label",
) -> tuple[Finding, ...]:
    """All findings, blocks first, else in the order of CODES.

    `twins` and `near` as in `splits.make`; `constant` are ids of blank pictures; `looks` by case, as far as measured.
    """
    by_id = {case.id: case for case in cases}
    found = [
        copies.label_conflict(by_id, twins),
        copies.near_conflict(by_id, twins, near),
        copies.across_parts(by_id, twins),
        copies.near_duplicates(by_id, twins, near, split),
        copies.duplicates(by_id, twins),
        together.patient_across_parts(cases),
        together.patients_unknown(cases),
        together.patient_unmatched(cases),
        together.sequences(cases, split),
        *counts.findings(cases, split, task),
        *outliers.findings(cases, looks, constant),
        *shortcuts.findings(cases, looks, task),
        _burned_in(cases),
        _uncertain(cases),
    ]
    severity = ("block", "warn", "note")
    order = {code: place for place, code in enumerate(CODES)}
    return tuple(sorted(filter(None, found), key=lambda one: (severity.index(one.severity), order[one.code])))


def check_codes(codes: Sequence[str]) -> None:
    """Findings whose cases are to be left out: known ones, and such that this would mend."""
    for code in codes:
        if code not in CODES:
            raise BadInput(f"There is no finding called '{code}'.", f"Known: {', '.join(CODES)}.")
        if code == "shortcut":
            raise BadInput(
                "The images shown with a shortcut are examples; leaving them out would not mend it.",
                "Balance the cohort, or keep the finding in mind and accept it.",
            )


def _burned_in(cases: Sequence[Case]) -> Finding | None:
    """Nothing in a header proves that a picture is free of names; only a person can say so (PS3.15 E.3.2)."""
    sure = [case.id for case in cases if case.facts.get("burned_in") == "yes"]
    likely = [case.id for case in cases if case.facts.get("burned_in") == "likely"]
    if not sure and not likely:
        return None
    says = []
    if sure:
        says.append(
            f"{counted(len(sure), 'image says', 'images say')} of {plural(len(sure), 'itself', 'themselves')} "
            "that text is written into the picture"
        )
    if likely:
        says.append(
            f"{counted(len(likely), 'image comes', 'images come')} from ultrasound or a screen capture, where "
            "names are often written into the picture"
        )
    return Finding(
        "burned-in",
        "warn",
        f"{'; '.join(says)}.",
        "Look at one of each kind. Where there is a name, a number or a date, draw a box over it and blank it in all "
        "images of that size; where there is none, confirm that you looked.",
        (*sure, *likely),
    )


def _uncertain(cases: Sequence[Case]) -> Finding | None:
    """With several findings a case: what was read as uncertain, and what nobody said."""
    unsure = Counter(name for case in cases for name, value in case.labels.items() if value == -1)
    asked = dict.fromkeys(name for case in cases for name in case.labels)
    unsaid = {name: sum(name not in case.labels for case in cases) for name in asked}
    if not unsure and not any(unsaid.values()):
        return None
    says = []
    if unsure:
        says.append(f"Uncertain: {listed((f'{name} {count:,}' for name, count in unsure.most_common()), 6)}")
    if any(unsaid.values()):
        most = sorted(((name, count) for name, count in unsaid.items() if count), key=lambda item: -item[1])
        says.append(f"Nothing said: {listed((f'{name} {count:,}' for name, count in most), 6)}")
    return Finding(
        "uncertain-labels",
        "note",
        f"{'. '.join(says)} (of {len(cases):,} cases).",
        "When you choose an outcome, say what uncertain counts as: left out, present or absent. Cases of which nothing "
        "was said are left out. Try more than one and compare.",
        tuple(case.id for case in cases if -1 in case.labels.values()),
    )
