"""From files to pictures that a network can be shown, read ahead by processes of their own while it computes.

Knows no network: only the size and the number of channels it wants.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from medtl.asking.brought import Brought
from medtl.cohorts import patients
from medtl.cohorts.appearance import Appearance, of_plain
from medtl.cohorts.reading import Asker, job
from medtl.errors import BadInput
from medtl.vocabulary import Cohort

FEW = 16  # files for which the process that is warm is enough
RULE = "file-name pattern "  # how the rule of a cohort begins whose patients were told by file names


@dataclass(frozen=True)
class Picture:
    """One picture of a file. `pixels` (H, W) or (H, W, 3) uint8 as a cohort keeps it where `whole`, else (C, S, S) as
    the network wants it, C = 1 for a grey one. `patient` and `group` are codes."""

    pixels: np.ndarray
    facts: Mapping[str, Any]
    looks: Appearance
    frame: int | None = None
    patient: str | None = None
    group: str = ""
    whole: bool = False


@dataclass(frozen=True)
class File:
    """What became of the file number `number`: its pictures, or why there are none."""

    number: int
    name: str
    sha256: str = ""
    pictures: tuple[Picture, ...] = ()
    why_not: str = ""
    given: int = 0  # with which of the paths it came


def read(
    desk: Asker, files: Sequence[Brought], whole: bool, should_stop: Callable[[], bool] = lambda: False
) -> Iterator[File]:
    """One for each of `files`, in no order; after `should_stop` no more come."""
    for number, one in enumerate(files):
        if one.place is None:
            yield File(number, one.name, why_not=one.why_not, given=one.given)
    jobs = [job(n, one.name, one.place, whole=whole) for n, one in enumerate(files) if one.place is not None]
    told = desk.few(jobs) if len(jobs) <= FEW else desk.many(jobs)
    with closing(told):  # type: ignore[type-var]
        for answer in told:
            if should_stop():
                return
            yield _file(answer, files[answer["job"]], whole)


def with_patients(files: Sequence[Brought], cohort: Cohort, salt: bytes) -> dict[int, str]:
    """Number of a file -> the code of its patient, where the cohort tells patients by file names."""
    if not cohort.patient_rule.startswith(RULE):
        return {}
    try:
        found = patients.match(cohort.patient_rule.removeprefix(RULE), [one.name for one in files])
    except BadInput:
        return {}
    codes = ((number, patients.code(who, salt)) for number, who in enumerate(found) if who)
    return {number: code for number, code in codes if code}


def _file(answer: Mapping[str, Any], of: Brought, whole: bool) -> File:
    if "skipped" in answer:
        return File(answer["job"], of.name, why_not=" ".join(answer["skipped"]).strip(), given=of.given)
    flat = np.frombuffer(answer["payload"], np.uint8)
    made, at = [], 0
    for said in answer["pictures"]:
        size = int(np.prod(said["shape"]))
        pixels = flat[at : at + size].reshape(said["shape"])
        at += size
        looks = of_plain(said["looks"])
        made.append(Picture(pixels, said["facts"], looks, said["frame"], said["patient"], said["group"], whole))
    return File(answer["job"], of.name, answer["sha256"], tuple(made), given=of.given)


def of_patient(file: File, patient: str | None) -> File:
    """With the patient that its name tells, where the file itself tells none."""
    if patient is None:
        return file
    return replace(file, pictures=tuple(replace(one, patient=one.patient or patient) for one in file.pictures))
