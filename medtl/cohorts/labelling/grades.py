"""Grades: are these class names the steps of one scale, and in which order? Looks at the names only.

Understood are numbers ("0", "3.0"), a word with a number or letter ("grade 2", "BI-RADS 4a"), Roman numbers
("stage II") and the usual words of severity ("mild", "moderate", "severe").
"""

import re
from collections.abc import Iterable

WORDS = {
    **dict.fromkeys(("none", "absent", "no", "normal"), 0),
    **dict.fromkeys(("minimal", "trace", "doubtful"), 1),
    **dict.fromkeys(("mild", "slight", "low"), 2),
    **dict.fromkeys(("moderate", "medium", "intermediate"), 3),
    **dict.fromkeys(("severe", "marked", "high"), 4),
    **dict.fromkeys(("very severe", "critical", "proliferative"), 5),
}
ROMAN = {"i": 1, "ii": 2, "iii": 3, "iv": 4, "v": 5, "vi": 6, "vii": 7, "viii": 8, "ix": 9, "x": 10}
NUMBER = re.compile(r"(?P<word>[^\W\d_][^\d]*?)?[ _:.-]*(?P<number>\d{1,3})(?P<zeros>[.,]0+)?[ _-]?(?P<letter>[a-d]?)")
NUMERAL = re.compile(r"(?P<word>[^\W\d_]+)?[ _:.-]+(?P<number>[ivx]+)(?P<letter>[a-d]?)|(?P<alone>[ivx]+)")

Step = tuple[str, int, str]  # the word before (the same for all), the number, the letter behind it


def in_order(names: Iterable[str]) -> tuple[str, ...] | None:
    """The names from the lowest step to the highest; None when they are no steps of one scale."""
    steps = {name: _step(name) for name in names}
    known = [step for step in steps.values() if step is not None]
    if len(known) < len(steps) or len(set(known)) < len(known) or len({word for word, _, _ in known}) != 1:
        return None
    return tuple(sorted(steps, key=lambda name: steps[name] or ("", 0, "")))


def plain(name: str) -> str:
    """ "3.0" -> "3": a spreadsheet with a gap in a column of whole numbers writes them so."""
    return re.sub(r"^(\d+)[.,]0+$", r"\1", name.strip())


def _step(name: str) -> Step | None:
    text = name.strip().casefold()
    if text in WORDS:
        return "a word of severity", WORDS[text], ""
    if found := NUMBER.fullmatch(text):
        return (found["word"] or "").strip(), int(found["number"]), found["letter"]
    if (found := NUMERAL.fullmatch(text)) and (number := ROMAN.get(found["alone"] or found["number"])):
        return found["word"] or "", number, found["letter"] or ""
    return None
