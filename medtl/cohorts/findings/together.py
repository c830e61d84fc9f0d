"""What belongs together: the images of a patient, the frames of a clip, the slices of a series.

How the parts were made is `splits`; here it is said what that did to the parts the user gave, and what nobody knows.
"""

from collections import defaultdict
from collections.abc import Sequence

from medtl.cohorts import patients
from medtl.cohorts.findings.copies import moved_cases
from medtl.cohorts.findings.phrases import counted, plural
from medtl.cohorts.splits import given_parts
from medtl.vocabulary import Case, Finding, Split


def patient_across_parts(cases: Sequence[Case]) -> Finding | None:
    groups = defaultdict(list)
    for case in cases:
        if case.patient is not None:
            groups[case.patient].append(case)
    moved = moved_cases(groups.values(), given_parts(cases))
    if not moved:
        return None
    count = len({case.patient for case in moved})
    return Finding(
        "patient-across-split",
        "warn",
        f"{count:,} {plural(count, 'patient stands', 'patients stand')} in more than one of the given parts; "
        f"{len(moved):,} of their images were moved so that each patient is in one part (the test part, if in it).",
        "Nothing needs to be done; to keep your parts as they are, leave these cases out.",
        tuple(case.id for case in moved),
    )


def patients_unknown(cases: Sequence[Case]) -> Finding | None:
    if any(case.patient is not None for case in cases):
        return None
    return Finding(
        "patients-unknown",
        "warn",
        "Nobody said which images are of the same patient: leakage between the parts cannot be excluded, and the "
        "results may look better than they are.",
        "Give a file-name pattern or a patient column, if a patient has more than one image.",
    )


def patient_unmatched(cases: Sequence[Case]) -> Finding | None:
    lone = tuple(case.id for case in cases if case.patient == patients.alone(case.id))
    if not lone:
        return None
    return Finding(
        "patient-unmatched",
        "warn",
        f"For {len(lone):,} of {len(cases):,} cases no patient was found; each was taken as a patient of its own.",
        "Say whose they are, or leave these cases out.",
        lone,
    )


def sequences(cases: Sequence[Case], split: Split) -> Finding | None:
    """Counted on the finished split, not promised: a clip that was divided after all is said as a warning."""
    groups = defaultdict(list)
    for case in cases:
        if case.group:
            groups[case.group].append(case.id)
    many = [group for group in groups.values() if len(group) > 1]
    if not many:
        return None
    part_of = split.part_of()
    divided = [group for group in many if len({part_of[id] for id in group}) > 1]
    images = sum(map(len, many))
    says = f"{images:,} images are frames or slices of {counted(len(many), 'clip or series', 'clips and series')}"
    if divided:
        return Finding(
            "sequences",
            "warn",
            f"{says}, and {len(divided):,} of these {plural(len(divided), 'lies', 'lie')} in more than one part: the "
            "test part holds images almost like those that were learned.",
            "Split the cohort anew, so that each clip and each series is in one part.",
            tuple(id for group in divided for id in group),
        )
    return Finding(
        "sequences",
        "note",
        f"{says}; each was kept whole in one part.",
        "Images of one clip or series resemble each other: they count for less than as many single images, and every "
        "interval should be read by patient.",
    )
