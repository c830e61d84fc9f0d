"""Who is who: patients from DICOM, a table or the file names. It never keeps a DICOM PatientID, only a code of it."""

import hashlib
import hmac
import json
import re
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from medtl.cohorts import limits
from medtl.errors import BadInput
from medtl.vocabulary import Case

MATCHER = Path(__file__).with_name("matching.py")
NOBODY_KNOWN = "no patient known"
CODE = re.compile(r"P-[0-9a-f]{10}")


@dataclass(frozen=True)
class PatientPreview:
    """What a pattern would group: patient -> names, and the names it does not fit."""

    groups: Mapping[str, tuple[str, ...]]
    unmatched: tuple[str, ...]


@dataclass(frozen=True)
class PatternSuggestion:
    pattern: str
    says: str
    patients: int


@dataclass(frozen=True)
class Claim:
    """What is known of one case: the name, the table's cell, the code of the DICOM PatientID."""

    case: str
    name: str
    said: str | None = None
    code: str | None = None


# What people do when they name files. `suggest` offers only those that group sensibly.
HABITS = (
    (r"(person\d+_(?:bacteria|virus))|((?:NORMAL2-)?IM-\d+)", "the person and type, or the IM number, in the name"),
    (
        r"(?i)(?:^|[/_. -])(?P<patient>(?:patient|person|subject|pat|subj|sub|case|pid|pt|p|s)[-_ ]?\d+)(?![0-9])",
        "a word such as patient, subject or p with a number",
    ),
    (r"^(?:[^/]+/)+(?P<patient>[^/]+)/[^/]+$", "the folder the image lies in"),
    (r"(?P<patient>[^/]+)[_-][^/_-]+$", "the file name up to its last _ or -"),
    (r"(?P<patient>[^/_]+)_[^/]*$", "the file name up to its first _"),
    (r"(?P<patient>[^/-]+)-[^/]*$", "the file name up to its first -"),
)


def code(patient_id: str, salt: bytes) -> str | None:
    """A code that stays the same in this workspace and cannot be turned back without its secret."""
    if not patient_id:
        return None
    return "P-" + hmac.new(salt, patient_id.encode(), hashlib.sha256).hexdigest()[:10]


def alone(case: str) -> str:
    """The patient of a case nobody is known for, among others that are: nobody else's."""
    return f"unknown-{case}"


def nameless(cases: Iterable[Case]) -> int:
    """How many cases, among others whose patient is known, were taken as patients of their own for want of a name."""
    return sum(case.patient == alone(case.id) for case in cases)


def assign(claims: Sequence[Claim], pattern: str | None) -> tuple[dict[str, str | None], str]:
    """Case -> patient, and the rule in words. A pattern that was given wins over the table, the table over DICOM."""
    found = match(pattern, [claim.name for claim in claims]) if pattern else [None] * len(claims)
    if pattern and not any(found):
        raise BadInput(
            f"The pattern fits none of the {len(claims):,} file names.",
            f"Look at a name, for example '{claims[0].name}', and try the pattern in the preview.",
        )
    if pattern:
        chosen, rule = found, f"file-name pattern {pattern}"
    elif any(claim.said for claim in claims):
        chosen, rule = [claim.said for claim in claims], "patient column of the labels file"
    elif any(claim.code for claim in claims):
        chosen, rule = [claim.code for claim in claims], "DICOM PatientID, kept as a code"
    else:
        return {claim.case: None for claim in claims}, NOBODY_KNOWN
    return {claim.case: who or alone(claim.case) for claim, who in zip(claims, chosen, strict=True)}, rule


def preview(names: Sequence[str], pattern: str) -> PatientPreview:
    groups: dict[str, list[str]] = defaultdict(list)
    unmatched = []
    for name, who in zip(names, match(pattern, names), strict=True):
        if who is None:
            unmatched.append(name)
        else:
            groups[who].append(name)
    return PatientPreview({who: tuple(groups[who]) for who in sorted(groups)}, tuple(unmatched))


def suggest(names: Sequence[str]) -> tuple[PatternSuggestion, ...]:
    """Patterns that put several images together without putting everything together; best fitting first."""
    suggestions: dict[tuple[str | None, ...], PatternSuggestion] = {}
    for pattern, says in HABITS:
        compiled = re.compile(pattern)  # our own, and quick on any name
        found = tuple(_search(compiled, name) for name in names)
        if _sensible(found) and found not in suggestions:
            suggestions[found] = PatternSuggestion(pattern, says, len(set(found) - {None}))
    return tuple(suggestions.values())


def match(pattern: str, names: Sequence[str]) -> list[str | None]:
    """One patient or None for each name; BadInput when the pattern is wrong or does not come to an end.

    It runs in a process of its own with a time limit: no inspection of a pattern finds every one that explodes.
    """
    if len(pattern) > limits.PATTERN:
        raise BadInput(f"The pattern has {len(pattern)} characters; at most {limits.PATTERN} are taken.", "Shorten it.")
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise BadInput(f"The pattern cannot be read: {error}.", r"Try for example: patient(\d+)") from error
    question = json.dumps({"pattern": pattern, "names": list(names)})
    try:
        answer = subprocess.run(
            [sys.executable, "-I", "-S", str(MATCHER)],
            input=question,
            capture_output=True,
            text=True,
            timeout=limits.PATTERN_SECONDS,
            check=True,
        )
    except subprocess.TimeoutExpired as error:
        raise BadInput(
            f"The pattern did not finish within {limits.PATTERN_SECONDS:.0f} seconds.",
            "Avoid a repetition inside a repetition, such as (a+)+.",
        ) from error
    except subprocess.CalledProcessError as error:
        raise BadInput("The pattern cannot be applied to these names.", r"Try for example: patient(\d+)") from error
    found: list[str | None] = json.loads(answer.stdout)
    return found


def _search(pattern: re.Pattern[str], name: str) -> str | None:
    from medtl.cohorts.matching import patient_in

    return patient_in(pattern, name)


def _sensible(found: Sequence[str | None]) -> bool:
    """Fits nearly all names, groups some images, and no group is a whole class."""
    counts = Counter(who for who in found if who is not None)
    matched = sum(counts.values())
    if not counts or matched < 0.9 * len(found) or len(counts) < 4:
        return False
    return len(counts) < matched and max(counts.values()) <= max(10, matched // 10)
