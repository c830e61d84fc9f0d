"""Findings: what about these cases would mislead. Pure functions of the cases and of what was seen of their pixels.

It changes nothing. `block` stops a training, `warn` and `note` are said beside the numbers.
"""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from medtl.cohorts import limits, patients
from medtl.cohorts.splits import Pair, given_parts, later
from medtl.errors import BadInput
from medtl.vocabulary import PARTS, Case, Finding, Split

CODES = (
    *("label-conflict", "one-class", "too-few", "few-patients", "duplicates", "near-duplicates"),
    *("duplicate-across-split", "patient-across-split", "patients-unknown", "patient-unmatched"),
    *("imbalance", "small-test", "constant-image"),
)
IMBALANCE = 20
SMALL_TEST = 30  # cases of a class; 27 of 30 found means 74 to 97 %

HAS_IT = {
    *("malignant", "malignancy", "cancer", "carcinoma", "tumour", "tumor", "melanoma", "pneumonia", "disease"),
    *("diseased", "abnormal", "pathological", "positive", "pos", "lesion", "fracture", "fractured", "covid", "covid19"),
    *("sick", "ill", "yes", "true", "1", "present", "case", "cases", "patient", "infected", "tuberculosis", "tb"),
    *("haemorrhage", "hemorrhage", "bleeding", "stroke", "glaucoma", "metastasis", "pneumothorax", "affected"),
}
HAS_IT_NOT = {
    *("benign", "normal", "healthy", "negative", "neg", "control", "controls", "no", "false", "0", "absent", "none"),
    *("clear", "unaffected", "uninfected", "without", "non", "not"),
}


def findings(
    cases: Sequence[Case], twins: Sequence[Pair], near: Sequence[Pair], constant: Sequence[str], split: Split
) -> tuple[Finding, ...]:
    """All findings, blocks first. `twins` and `near` as in `splits.make`; `constant` are ids of blank pictures."""
    by_id = {case.id: case for case in cases}
    found = [
        _label_conflict(by_id, twins),
        _one_class(cases),
        _too_few(cases),
        _few_patients(cases, split),
        _patient_across(cases),
        _duplicate_across(by_id, twins),
        _patients_unknown(cases),
        _patient_unmatched(cases),
        _imbalance(cases),
        _small_test(by_id, split),
        _constant(constant),
        _near_duplicates(near, twins, split),
        _duplicates(by_id, twins),
    ]
    order = ("block", "warn", "note")
    return tuple(sorted((finding for finding in found if finding), key=lambda finding: order.index(finding.severity)))


def check_codes(codes: Sequence[str]) -> None:
    for code in codes:
        if code not in CODES:
            raise BadInput(f"There is no finding called '{code}'.", f"Known: {', '.join(CODES)}.")


def twins_of(cases: Sequence[Case], fingerprints: Mapping[str, str]) -> list[Pair]:
    """Identical pictures as a chain of pairs: the same bytes of the file, or the same pixels."""
    pairs = []
    for keys in ({case.id: case.sha256 for case in cases}, {case.id: fingerprints[case.id] for case in cases}):
        alike = defaultdict(list)
        for id in sorted(keys):
            alike[keys[id]].append(id)
        pairs += [pair for group in alike.values() for pair in pairwise(group)]
    return sorted(set(pairs))


def positive_class(cases: Sequence[Case], classes: Sequence[str], wanted: str | None = None) -> str | None:
    """The class that counts as "has it": what the user said, else by the words, else the rarer, else the last."""
    if wanted is not None:
        if wanted not in classes:
            raise BadInput(f"There is no class '{wanted}'.", f"The classes are {', '.join(classes)}.")
        if len(classes) != 2:
            raise BadInput(f"There are {len(classes)} classes.", "A positive class can be named for two classes only.")
        return wanted
    if len(classes) != 2:
        return None
    counts = Counter(case.label for case in cases)
    return max(classes, key=lambda label: (_meaning(label), -counts[label], label))


def _meaning(label: str) -> int:
    """1 "has it", -1 "has it not", 0 cannot be told. `no finding`, `non-malignant`: a negation turns the word."""
    words = re.findall(r"[^\W_]+", label.casefold())
    if any(word in HAS_IT_NOT for word in words):
        return -1
    return 1 if any(word in HAS_IT for word in words) else 0


# ---- blocks ---------------------------------------------------------------------------------------------------------


def _label_conflict(by_id: Mapping[str, Case], twins: Sequence[Pair]) -> Finding | None:
    cases = _flat(group for group in _groups(twins) if len({by_id[id].label for id in group}) > 1)
    if not cases:
        return None
    first = by_id[cases[0]]
    other = next(by_id[id] for id in cases[1:] if by_id[id].label != first.label)
    return Finding(
        "label-conflict",
        "block",
        f"{len(cases)} cases are identical images in different classes, for example {first.name} and {other.name}.",
        "Decide which label is right and relabel, or leave these cases out.",
        cases,
    )


def _one_class(cases: Sequence[Case]) -> Finding | None:
    labels = {case.label for case in cases}
    if len(labels) > 1:
        return None
    return Finding(
        "one-class",
        "block",
        f"All {len(cases)} cases have the label '{next(iter(labels))}'; at least two classes are needed.",
        "Add images of the other class, in a folder of their own.",
    )


def _too_few(cases: Sequence[Case]) -> Finding | None:
    counts = Counter(case.label for case in cases)
    few = {label: count for label, count in sorted(counts.items()) if count < limits.FEWEST_CASES}
    if not few:
        return None
    has = _list(f"'{label}' has {count}" for label, count in few.items())
    add = _list(f"{limits.FEWEST_CASES - count} of '{label}'" for label, count in few.items())
    return Finding(
        "too-few",
        "block",
        f"Of the classes, {has}; at least {limits.FEWEST_CASES} cases of each class are needed.",
        f"Add at least {add}, or leave that class out.",
        tuple(case.id for case in cases if case.label in few),
    )


def _few_patients(cases: Sequence[Case], split: Split) -> Finding | None:
    """A class missing from a part: nothing can be learned, tuned or measured there."""
    part_of = split.part_of()
    here = {(case.label, part_of[case.id]) for case in cases}
    counts = Counter(case.label for case in cases)
    missing = [
        (label, part)
        for label, count in sorted(counts.items())
        for part in PARTS
        if count >= limits.FEWEST_CASES and (label, part) not in here
    ]
    if not missing or len(counts) < 2:
        return None
    label, part = missing[0]
    return Finding(
        "few-patients",
        "block",
        f"The {part} part holds no case of '{label}': its cases come from too few patients, or the given parts "
        "leave it out.",
        f"Add cases of '{label}' from at least three patients, or correct the patient pattern or the given parts.",
    )


# ---- patients and parts ---------------------------------------------------------------------------------------------


def _patient_across(cases: Sequence[Case]) -> Finding | None:
    groups = defaultdict(list)
    for case in cases:
        if case.patient is not None:
            groups[case.patient].append(case)
    moved = _moved(groups.values(), given_parts(cases))
    if not moved:
        return None
    count = len({case.patient for case in moved})
    return Finding(
        "patient-across-split",
        "warn",
        f"{count} {_plural(count, 'patient stands', 'patients stand')} in more than one of the given parts; "
        f"{len(moved)} of their images were moved so that each patient is in one part (the test part, if in it).",
        "Nothing needs to be done; to keep your parts as they are, leave these cases out.",
        tuple(case.id for case in moved),
    )


def _duplicate_across(by_id: Mapping[str, Case], twins: Sequence[Pair]) -> Finding | None:
    groups = [[by_id[id] for id in group] for group in _groups(twins)]
    moved = _moved(groups, given_parts(by_id.values()))
    if not moved:
        return None
    return Finding(
        "duplicate-across-split",
        "warn",
        f"{len(moved)} {_plural(len(moved), 'image was', 'images were')} also in another of the given parts, and "
        "moved there (to the test part, if in it), so that no image is both learned and tested.",
        "Nothing needs to be done; to keep your parts as they are, leave these cases out.",
        tuple(case.id for case in moved),
    )


def _moved(groups: Iterable[Sequence[Case]], given: set[str]) -> list[Case]:
    moved: list[Case] = []
    if "train" not in given or len(given) < 2:
        return moved
    for group in groups:
        to = later(case.part for case in group)
        moved += [case for case in group if (case.part or "train") != to]
    return moved


def _patients_unknown(cases: Sequence[Case]) -> Finding | None:
    if any(case.patient is not None for case in cases):
        return None
    return Finding(
        "patients-unknown",
        "warn",
        "Nobody said which images are of the same patient: leakage between the parts cannot be excluded, and the "
        "results may look better than they are.",
        "Give a file-name pattern or a patient column, if a patient has more than one image.",
    )


def _patient_unmatched(cases: Sequence[Case]) -> Finding | None:
    lone = tuple(case.id for case in cases if case.patient == patients.alone(case.id))
    if not lone:
        return None
    return Finding(
        "patient-unmatched",
        "warn",
        f"For {len(lone)} of {len(cases)} cases no patient was found; each was taken as a patient of its own.",
        "Widen the pattern or fill in the patient, or leave these cases out.",
        lone,
    )


# ---- numbers --------------------------------------------------------------------------------------------------------


def _imbalance(cases: Sequence[Case]) -> Finding | None:
    counts = Counter(case.label for case in cases).most_common()
    (most, many), (least, few) = counts[0], counts[-1]
    if many <= IMBALANCE * few:
        return None
    return Finding(
        "imbalance",
        "warn",
        f"'{most}' has {many:,} cases and '{least}' {few:,}: more than {IMBALANCE} to 1.",
        f"Add cases of '{least}'; accuracy will mislead, look at sensitivity and specificity.",
    )


def _small_test(by_id: Mapping[str, Case], split: Split) -> Finding | None:
    counts = Counter(by_id[id].label for id in split.test)
    for case in by_id.values():
        counts.setdefault(case.label, 0)
    label, count = min(counts.items(), key=lambda item: (item[1], item[0]))
    if count >= SMALL_TEST or count == 0 or len(counts) < 2:
        return None
    hits = round(0.9 * count)
    low, high = _wilson(hits, count)
    return Finding(
        "small-test",
        "warn",
        f"The test part holds only {count} {_plural(count, 'case', 'cases')} of '{label}': if {hits} of {count} are "
        f"found, the true value can be anything from {100 * low:.0f} to {100 * high:.0f} %.",
        f"Add cases of '{label}' before drawing conclusions.",
    )


def _wilson(hits: int, n: int, z: float = 1.959964) -> tuple[float, float]:
    """95 % interval of a proportion (Wilson 1927)."""
    p = hits / n
    centre, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return (centre - half) / (1 + z * z / n), (centre + half) / (1 + z * z / n)


# ---- pictures -------------------------------------------------------------------------------------------------------


def _constant(constant: Sequence[str]) -> Finding | None:
    if not constant:
        return None
    return Finding(
        "constant-image",
        "warn",
        f"{len(constant)} {_plural(len(constant), 'image has', 'images have')} one grey value all over.",
        "Export them again, or leave them out.",
        tuple(sorted(constant)),
    )


def _duplicates(by_id: Mapping[str, Case], twins: Sequence[Pair]) -> Finding | None:
    """The copies beyond the first: leaving them out keeps one of each."""
    same = [group for group in _groups(twins) if len({by_id[id].label for id in group}) == 1]
    extra = _flat(group[1:] for group in same)
    if not extra:
        return None
    return Finding(
        "duplicates",
        "note",
        f"{len(extra)} {_plural(len(extra), 'case is', 'cases are')} an exact copy of another of the same class.",
        "Copies stay in one part; leave them out if they were not meant to count twice.",
        extra,
    )


def _near_duplicates(near: Sequence[Pair], twins: Sequence[Pair], split: Split) -> Finding | None:
    same = {frozenset(pair) for group in _groups(twins) for pair in _all_pairs(group)}
    pairs = [pair for pair in near if frozenset(pair) not in same]
    if not pairs:
        return None
    across = split.near_duplicates_across
    where = f"{across} of the pairs lie in different parts" if across else "all were kept within one part"
    return Finding(
        "near-duplicates",
        "warn" if across else "note",
        f"{len(pairs)} {_plural(len(pairs), 'pair of images looks', 'pairs of images look')} nearly the same; {where}.",
        "Look at them side by side; leave out what is a copy.",
        _flat(pairs),
    )


def _all_pairs(group: Sequence[str]) -> list[Pair]:
    return [(one, other) for at, one in enumerate(group) for other in group[at + 1 :]] if len(group) < 200 else []


def _groups(pairs: Sequence[Pair]) -> list[list[str]]:
    """Pairs put together to groups, each sorted."""
    group_of: dict[str, list[str]] = {}
    for one, other in pairs:
        left, right = group_of.setdefault(one, [one]), group_of.setdefault(other, [other])
        if left is not right:
            left += right
            group_of |= dict.fromkeys(right, left)
    unique = {id(group): sorted(group) for group in group_of.values()}
    return sorted(unique.values())


def _flat(groups: Iterable[Iterable[str]]) -> tuple[str, ...]:
    """Ids in order, each once."""
    return tuple(dict.fromkeys(id for group in groups for id in group))


def _plural(count: int, one: str, many: str) -> str:
    return one if count == 1 else many


def _list(words: Iterable[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last
