"""What a cell of a table says about a case: an age, a sex, a side. Knows single cells only.

A date stays as it is written, for others to make a rank of it: it is never stored or shown.
"""

import re
from collections.abc import Iterable
from typing import Any

from medtl.cohorts.names import shown

MISSING = {"", "nan", "null", "?", "#n/a", "n/a", "na", "<na>", "none given"}
SEX = {"f": "F", "female": "F", "w": "F", "woman": "F", "m": "M", "male": "M", "man": "M", "o": "O", "other": "O"}
SIDES = {"l": "L", "left": "L", "r": "R", "right": "R", "b": "B", "both": "B", "bilateral": "B"}
AGE = re.compile(r"(?P<more>>)?\s*(\d{1,4})(?:[.,]\d+)?\s*(y|yrs?|years?|m|mo|months?|w|weeks?|d|days?)?\s*\+?")
OLDEST = 90  # years; above it age alone can name somebody (45 CFR 164.514(b)(2))
LONGEST = 60  # characters
TOGETHER = ("view", "scanner")  # what two columns say of these is put together (AP/PA and Frontal/Lateral)


def facts_of(cells: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """(fact, cell) pairs of one row -> what is known; a cell that says nothing of use is passed over."""
    found: dict[str, Any] = {}
    for fact, cell in cells:
        value = _fact(fact, cell)
        if fact in found and fact in TOGETHER and value not in (None, found[fact]):
            found[fact] = shown(f"{found[fact]} {value}", LONGEST)
        elif fact not in found and value is not None:
            found[fact] = value
    return found


def _fact(fact: str, cell: str) -> Any:
    word = cell.casefold()
    if word in MISSING or word in ("unknown", "unk", "u"):
        return None
    if fact == "age":
        return _age(word)
    if fact == "sex":
        return SEX.get(word)
    if fact == "side":
        return SIDES.get(word)
    text = shown(cell, LONGEST)
    return (text.upper() if fact == "modality" else text) or None


def _age(word: str) -> int | None:
    """Years, capped. `063Y` and `018M` are DICOM's way to write it."""
    found = AGE.fullmatch(word)
    if not found:
        return None
    per_year = {"m": 12, "w": 52, "d": 365}.get((found[3] or "y")[0], 1)
    years = int(found[2]) // per_year + bool(found["more"])
    return min(years, OLDEST) if years <= 130 else None
