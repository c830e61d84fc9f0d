"""The days that dates stand for, in the forms people and scanners write them. What is unclear is no date.

Only for putting cases in order: 2019 alone counts as its middle. Numbers of days, as Excel stores dates, are not read:
nothing tells them from any other number.
"""

import datetime
import re
from collections.abc import Sequence

YEARS = range(1900, 2200)
TIME = r"(?:[T ]\s*[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]+)?)?\s*(?:[AaPp][Mm])?\s*(?:Z|[+-][0-9]{2}:?[0-9]{2})?)?"
YEAR_FIRST = re.compile(rf"([0-9]{{4}})([-./])([0-9]{{1,2}})\2([0-9]{{1,2}}){TIME}")
PACKED = re.compile(  # DICOM DA and DT (PS3.5 6.2)
    r"([0-9]{4})([0-9]{2})([0-9]{2})(?:[0-9]{2,6}(?:\.[0-9]{1,6})?)?(?:[+-][0-9]{4})?"
)
DOTTED = re.compile(rf"([0-9]{{1,2}})\.\s?([0-9]{{1,2}})\.\s?([0-9]{{4}}){TIME}")
SLASHED = re.compile(rf"([0-9]{{1,2}})([/-])([0-9]{{1,2}})\2([0-9]{{4}}){TIME}")
ROUGH = re.compile(r"([0-9]{4})(?:-([0-9]{1,2}))?")


def days_of(texts: Sequence[str]) -> list[datetime.date | None]:
    """A day for each text, whatever the mixture of forms.

    03/04/2020 is the 3rd of April here and the 4th of March there. One with a number above 12 tells how all of them are
    meant; where none does, or they contradict each other, none of them is taken.
    """
    day_first = _day_first(texts)
    known = {text: _day(text.strip(), day_first) for text in set(texts)}
    return [known[text] for text in texts]


def _day_first(texts: Sequence[str]) -> bool | None:
    """None when the dates with slashes do not tell."""
    pairs = {(int(match[1]), int(match[3])) for text in texts if (match := SLASHED.fullmatch(text.strip()))}
    days, months = any(first > 12 for first, _ in pairs), any(second > 12 for _, second in pairs)
    return days if days != months else None


def _day(text: str, day_first: bool | None) -> datetime.date | None:
    if match := YEAR_FIRST.fullmatch(text):
        return _date(match[1], match[3], match[4])
    if match := PACKED.fullmatch(text):
        return _date(match[1], match[2], match[3])
    if match := DOTTED.fullmatch(text):
        return _date(match[3], match[2], match[1])
    if match := SLASHED.fullmatch(text):
        day, month = (match[1], match[3]) if day_first else (match[3], match[1])
        return None if day_first is None else _date(match[4], month, day)
    if match := ROUGH.fullmatch(text):
        return _date(match[1], match[2] or "7", "15" if match[2] else "1")
    return None


def _date(year: str, month: str, day: str) -> datetime.date | None:
    try:
        return datetime.date(int(year), int(month), int(day)) if int(year) in YEARS else None
    except ValueError:
        return None
