"""Whether the numbers suffice: of each class in the cohort, in each part, and for what a test part can say.

Several findings a case (multi-label) are as many questions; each needs cases that have it and cases that have not.
It counts and looks at no picture.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from medtl.cohorts import limits
from medtl.cohorts.findings.intervals import wilson
from medtl.cohorts.findings.phrases import counted, listed, percent, plural
from medtl.vocabulary import PARTS, Case, Finding, Severity, Split, Task

IMBALANCE = 20
SMALL_TEST = 30  # patients of a class; 27 of 30 found means 74 to 97 %
NAMED = 4  # in one sentence; the rest is a number


@dataclass(frozen=True)
class Kind:
    """Cases that should be told from others: a class, or those with (or without) one finding."""

    name: str  # "'benign'"; "'oedema' present"
    of: str  # cases "of 'benign'", "with 'oedema'", "without 'oedema'"
    question: str  # the finding; "" where the classes exclude each other
    cases: tuple[Case, ...]

    def __len__(self) -> int:
        return len(self.cases)


def kinds(cases: Sequence[Case], task: Task) -> list[Kind]:
    """In the order of the classes' names, or of the findings, present before absent."""
    if task != "multi-label":
        labels = sorted({case.label for case in cases})
        return [
            Kind(f"'{label}'", f"of '{label}'", "", tuple(case for case in cases if case.label == label))
            for label in labels
        ]
    questions = dict.fromkeys(question for case in cases for question in case.labels)
    return [
        Kind(
            f"'{question}' {word}",
            f"{preposition} '{question}'",
            question,
            tuple(case for case in cases if case.labels.get(question) == value),
        )
        for question in questions
        for value, word, preposition in ((1, "present", "with"), (0, "absent", "without"))
    ]


def findings(cases: Sequence[Case], split: Split, task: Task) -> list[Finding | None]:
    found = kinds(cases, task)
    enough = [kind for kind in found if len(kind) >= limits.FEWEST_CASES]
    return [
        _one_sided(found, enough) if task == "multi-label" else _one_class(found),
        _too_few(found, enough, task),
        _few_patients(enough, found, split),
        _imbalance(found),
        _small_test(found, split),
    ]


# ---- in the cohort --------------------------------------------------------------------------------------------------


def _one_class(found: Sequence[Kind]) -> Finding | None:
    if len(found) != 1:
        return None
    return Finding(
        "one-class",
        "block",
        f"All {len(found[0]):,} cases have the label {found[0].name}; at least two classes are needed.",
        "Add images of the other class, in a folder of their own.",
    )


def _one_sided(found: Sequence[Kind], enough: Sequence[Kind]) -> Finding | None:
    """Findings that nobody has, or everybody: nothing to be told apart there."""
    empty = [kind.of for kind in found if not kind.cases]
    if not empty:
        return None
    return Finding(
        "one-class",
        _severity(enough),
        f"There is no case {listed(empty, NAMED)}: {plural(len(empty), 'this finding', 'these findings')} cannot be "
        "learned or measured.",
        "Choose another finding as the outcome, or add cases of the other kind.",
    )


def _too_few(found: Sequence[Kind], enough: Sequence[Kind], task: Task) -> Finding | None:
    few = [kind for kind in found if 0 < len(kind) < limits.FEWEST_CASES]
    if not few:
        return None
    least = min(few, key=len)
    low, _ = wilson(len(least), len(least))
    has = listed((f"{kind.name} has {len(kind)}" for kind in few), NAMED)
    add = listed((f"{limits.FEWEST_CASES - len(kind)} {kind.of}" for kind in few), NAMED)
    named = "findings" if task == "multi-label" else "classes"
    otherwise = {
        "single-label": "leave that class out, or merge it with one that means nearly the same",
        "ordinal": "merge that grade with the one next to it",
        "multi-label": "choose another finding as the outcome",
    }[task]
    return Finding(
        "too-few",
        "block" if task != "multi-label" else _severity(enough),
        f"Of the {named}, {has}; at least {limits.FEWEST_CASES} cases of each are needed. Even if a model found "
        f"{len(least)} of {len(least)}, the true share could be as low as {percent(low)}.",
        f"Add at least {add}, or {otherwise}.",
        tuple(case.id for kind in few for case in kind.cases) if task != "multi-label" else (),
    )


def _severity(enough: Sequence[Kind]) -> Severity:
    """Of several findings one that cannot be used is no obstacle, as long as another can."""
    questions = [kind.question for kind in enough]
    return "warn" if any(questions.count(question) == 2 for question in questions) else "block"


def _imbalance(found: Sequence[Kind]) -> Finding | None:
    lopsided = []
    for question in dict.fromkeys(kind.question for kind in found):
        asked = sorted((kind for kind in found if kind.question == question), key=len)
        least, most = asked[0], asked[-1]
        if len(least) and len(most) > IMBALANCE * len(least):
            lopsided.append((least, most))
    if not lopsided:
        return None
    lopsided.sort(key=lambda pair: len(pair[1]) / len(pair[0]), reverse=True)
    says = "; ".join(
        f"{most.name} has {len(most):,} cases and {least.name} {len(least):,}" for least, most in lopsided[:2]
    )
    more = f" ({len(lopsided) - 2} more of this sort)" if len(lopsided) > 2 else ""
    return Finding(
        "imbalance",
        "warn",
        f"{says}: more than {IMBALANCE} to 1{more}.",
        f"Add cases {lopsided[0][0].of}; accuracy will mislead, look at sensitivity and specificity.",
    )


# ---- in the parts ---------------------------------------------------------------------------------------------------


def _few_patients(enough: Sequence[Kind], found: Sequence[Kind], split: Split) -> Finding | None:
    """A class missing from a part: nothing can be learned, tuned or measured there."""
    part_of = split.part_of()
    missing = [
        (kind, part) for kind in enough for part in PARTS if all(part_of[case.id] != part for case in kind.cases)
    ]
    if not missing or len(found) < 2:
        return None
    kind, part = missing[0]
    more = f" ({len(missing) - 1} more of this sort)" if len(missing) > 1 else ""
    return Finding(
        "few-patients",
        "warn" if kind.question else "block",
        f"The {part} part holds no case {kind.of}{more}: its cases come from too few patients, or the given "
        "parts leave it out.",
        f"Add cases {kind.of} from at least three patients, or correct the patient pattern or the given parts.",
    )


def _small_test(found: Sequence[Kind], split: Split) -> Finding | None:
    """What the test part could prove at best, of every kind it holds few of; a part that holds none is said above."""
    tested = set(split.test)
    small = []
    for kind in found:
        here = [case for case in kind.cases if case.id in tested]
        if 0 < _people(here) < SMALL_TEST:
            small.append((kind, here))
    if not small or len(found) < 2:
        return None
    small.sort(key=lambda one: _people(one[1]))
    (kind, here), others = small[0], small[1:]
    n = _people(here)
    hits, low, high = _at_best(n)
    who = f" from {counted(n, 'patient', 'patients')}" if n < len(here) else ""
    unit = " patients" if n < len(here) else ""
    also = f" Also few: {listed((_briefly(*other) for other in others), NAMED)}." if others else ""
    return Finding(
        "small-test",
        "warn",
        f"The test part holds only {counted(len(here), 'case', 'cases')} {kind.of}{who}: if {hits} of {n}{unit} "
        f"{plural(hits, 'is', 'are')} found, the true value can be anything from {100 * low:.0f} to {percent(high)}, "
        f"so {percent(hits / n)} cannot be told from {percent(low)}.{also}",
        f"Add cases {kind.of} before drawing conclusions: 90 of 100 found would mean 83 to 94 %.",
    )


def _briefly(kind: Kind, here: Sequence[Case]) -> str:
    n = _people(here)
    hits, low, high = _at_best(n)
    return f"{kind.name} ({hits} of {n} would mean {100 * low:.0f} to {percent(high)})"


def _at_best(n: int) -> tuple[int, float, float]:
    """A good result on n patients, nine of ten found, and its 95 % interval."""
    hits = round(0.9 * n)
    return hits, *wilson(hits, n)


def _people(cases: Sequence[Case]) -> int:
    """Several images of a patient are one observation; where nobody is known, every image counts."""
    return len({case.patient if case.patient is not None else case.id for case in cases})
