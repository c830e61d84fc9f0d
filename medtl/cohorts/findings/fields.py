"""What is known of a case besides its picture: scanner, site, size, file, brightness, age. As levels, one a case.

A level is a category, or a bin of a number; "not recorded" is a level like others, for that only the ill have an age on
record is telling too. Labels have no part in it.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from medtl.cohorts.findings.looks import Looks
from medtl.cohorts.names import shown, suffix
from medtl.vocabulary import Case

LEVELS = 30  # of a category at most, "any other" among them
BINS = 10  # of a number at most
NUMBERS = 8  # up to so many distinct numbers are categories
SIZES = 15  # up to so many distinct sizes are categories; more are measured by their number of pixels and their shape
KNOWN = 0.5  # a field that is recorded for fewer of the cases is left out
UNKNOWN = "not recorded"

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Origin = Literal["acquisition", "file", "compression", "picture", "person"]


@dataclass(frozen=True)
class Field:
    """One thing to know. `value` gives a number, a word or None; `number` and `unit` put a number into words."""

    name: str
    origin: Origin
    value: Callable[[Case, Looks | None], Any]
    number: Callable[[float], str] = lambda value: f"{value:.3g}"
    unit: str = ""


@dataclass(frozen=True)
class Levels:
    """A field as level numbers, (N,). `also` names fields that divide the cases likewise. `ordered`: bins of a number,
    lowest first, rather than categories."""

    field: Field
    codes: Ints
    names: tuple[str, ...]
    ordered: bool
    also: tuple[str, ...] = ()


def recorded(cases: Sequence[Case], looks: Mapping[str, Looks]) -> list[Levels]:
    """Fields that are known for enough cases and differ among them; two that divide the cases alike count as one."""
    found: dict[bytes, Levels] = {}
    for field in (*ACQUISITION, *_sizes(cases), *FILE, *PICTURE, *PERSON):
        levels = _levels(field, [field.value(case, looks.get(case.id)) for case in cases])
        if levels:
            partition = _partition(levels.codes)
            known = found.get(partition)
            found[partition] = replace(known, also=(*known.also, field.name)) if known else levels
    return list(found.values())


# ---- fields ---------------------------------------------------------------------------------------------------------


def _fact(key: str, origin: Origin, name: str = "", unit: str = "") -> Field:
    return Field(name or key, origin, lambda case, looks: case.facts.get(key), lambda value: f"{value:g}", unit)


def _share(name: str, origin: Origin, of: Callable[[Looks], float]) -> Field:
    return Field(
        name, origin, lambda case, looks: of(looks) if looks else None, lambda value: f"{100 * value:.0f}", " %"
    )


def _pixels(case: Case) -> int:
    return int(case.facts.get("width") or 0) * int(case.facts.get("height") or 0)


def _size(case: Case) -> str | None:
    return f"{case.facts['width']} x {case.facts['height']}" if _pixels(case) else None


def _shape(case: Case) -> float | None:
    return round(case.facts["width"] / case.facts["height"], 2) if _pixels(case) else None


def _spacing(case: Case) -> float | None:
    """mm; the mean of rows and columns."""
    spacing = case.facts.get("spacing")
    return round(math.fsum(spacing) / len(spacing), 4) if spacing else None


def _per_pixel(case: Case) -> float | None:
    """Bytes a pixel: how far the file was compressed. Of a file with many pictures nobody knows which are whose."""
    pixels, size = _pixels(case), case.facts.get("bytes")
    return float(size) / pixels if size and pixels and case.frame is None else None


ACQUISITION = (
    _fact("scanner", "acquisition"),
    _fact("site", "acquisition"),
    _fact("period", "acquisition"),
    _fact("modality", "acquisition"),
    _fact("view", "acquisition"),
    _fact("side", "acquisition"),
    Field("pixel spacing", "acquisition", lambda case, looks: _spacing(case), unit=" mm"),
)
SIZE = (Field("size", "file", lambda case, looks: _size(case), unit=" pixels"),)
MANY_SIZES = (
    Field("number of pixels", "file", lambda case, looks: _pixels(case) or None, lambda value: f"{value:,.0f}"),
    Field("shape", "file", lambda case, looks: _shape(case), unit=" (width over height)"),
)
FILE = (
    _fact("format", "file", "file format"),
    _fact("mode", "file", "colour mode"),
    Field("file ending", "file", lambda case, looks: suffix(case.name) or None),
    Field(
        "file size", "compression", lambda case, looks: _per_pixel(case), lambda value: f"{value:.2g}", " bytes a pixel"
    ),
    _share("border", "file", lambda looks: round(looks.border, 2)),
)
PICTURE = (
    _share("brightness", "picture", lambda looks: looks.brightness),
    _share("contrast", "picture", lambda looks: looks.contrast),
    Field("sharpness", "picture", lambda case, looks: looks.sharpness if looks else None, lambda value: f"{value:.2f}"),
    _share("colour", "picture", lambda looks: round(looks.colour, 3)),
)
PERSON = (_fact("age", "person"), _fact("sex", "person"))


def _sizes(cases: Sequence[Case]) -> tuple[Field, ...]:
    return SIZE if len({_size(case) for case in cases}) <= SIZES else MANY_SIZES


# ---- levels ---------------------------------------------------------------------------------------------------------


def _levels(field: Field, values: Sequence[Any]) -> Levels | None:
    known = [value for value in values if value not in (None, "")]
    if len(known) < KNOWN * len(values):
        return None
    numeric = all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in known)
    ordered = numeric and len(set(known)) > NUMBERS
    codes, names = _binned(field, values) if ordered else _named(field, values)
    return Levels(field, codes, names, ordered) if len(names) > 1 else None


def _named(field: Field, values: Sequence[Any]) -> tuple[Ints, tuple[str, ...]]:
    """A level for each value, the most frequent first; beyond LEVELS they are "any other"."""
    words = {value: _word(field, value) for value in set(values)}
    counts = Counter(words[value] for value in values)
    ranked = sorted(counts, key=lambda word: (-counts[word], word))
    kept = ranked if len(ranked) <= LEVELS else [*ranked[: LEVELS - 1], "any other"]
    place = {word: number for number, word in enumerate(kept)}
    return np.array([place.get(words[value], len(kept) - 1) for value in values]), tuple(kept)


def _word(field: Field, value: Any) -> str:
    if value in (None, ""):
        return UNKNOWN
    return f"{field.number(value)}{field.unit}" if isinstance(value, (int, float)) else f"'{shown(str(value), 60)}'"


def _binned(field: Field, values: Sequence[Any]) -> tuple[Ints, tuple[str, ...]]:
    """Into 2 to 10 bins by middle rank: equal values stay together, and a few beside a great mass keep a bin."""
    numbers = np.array([np.nan if value in (None, "") else float(value) for value in values])
    known = np.isfinite(numbers)
    distinct, inverse, counts = np.unique(numbers[known], return_inverse=True, return_counts=True)
    bins = int(np.clip(math.sqrt(len(inverse)) / 2, 2, BINS))
    middle = (np.cumsum(counts) - counts / 2) / len(inverse)  # rank of each distinct value, 0 to 1
    _, bin_of = np.unique((bins * middle).astype(np.int64), return_inverse=True)
    codes = np.full(len(numbers), bin_of.max() + 1)
    codes[known] = bin_of[inverse]
    names = [_range(field, distinct[bin_of == number]) for number in range(bin_of.max() + 1)]
    return codes, tuple(names if known.all() else [*names, UNKNOWN])


def _range(field: Field, values: Floats) -> str:
    low, high = field.number(float(values[0])), field.number(float(values[-1]))
    return f"{low}{field.unit}" if low == high else f"{low} to {high}{field.unit}"


def _partition(codes: Ints) -> bytes:
    """The same for two fields that put the same cases together, whatever they call them."""
    _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    return first[inverse].astype(np.int32).tobytes()
