"""Which group a case belongs to: ages in bands, other numbers in quarters, rare values together. Knows no score."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

LEAST = 20  # cases in a band; a smaller one joins its neighbour
# Below 18 the ages of ICH E11 (infants, children, adolescents), then decades: the same edges in every cohort.
AGES = (2, 12, 18, 30, 40, 50, 60, 70, 80)
MOST = 8  # values of a field with a row of their own
MISSING = "not recorded"
AGE = re.compile(r"\s*(\d+(?:[.,]\d+)?)\s*([dwmy]?)[a-z]*\s*", re.IGNORECASE)
YEARS = {"": 1.0, "y": 1.0, "m": 1 / 12, "w": 7 / 365.25, "d": 1 / 365.25}

Value = str | float | int | None


def age_bands(ages: Sequence[Value], least: int = LEAST) -> list[str | None]:
    """Years as numbers, as text ("63") or as DICOM has them ("063Y", "018M") -> "60–69" and the like, None where nobody
    can tell. Neighbouring bands are joined, from the youngest up, until each holds `least` cases."""
    years = np.array([_years(one) for one in ages], float)
    return _labelled(years, _joined(years, AGES, least), _of_years)


def number_bands(values: Sequence[Value], bands: int = 4, least: int = LEAST) -> list[str | None]:
    """Other numbers (a size, a brightness) in bands that hold about as many cases each, cut between two values."""
    numbers = np.array([_number(one) for one in values], float)
    known = np.unique(numbers[np.isfinite(numbers)])
    if len(known) < 2:
        return [None if np.isnan(one) else f"{one:g}" for one in numbers]
    wanted = np.nanquantile(numbers, np.arange(1, bands) / bands)
    edges = sorted({float(f"{one:.3g}") for one in wanted})
    return _labelled(numbers, _joined(numbers, edges, least), _of_numbers)


def groups(field: str, values: Sequence[Value]) -> list[str]:
    """The group of every case: an age in its band, any other number of many different ones in a quarter, the rest as
    `folded` has it. Values that are bands already stay as they are."""
    known = [one for one in values if not _is_missing(one)]
    if field.lower().startswith("age") and known and all(np.isfinite(_years(one)) for one in known):
        return folded(age_bands(values))
    numbers = all(isinstance(one, int | float | np.number) and not isinstance(one, bool) for one in known)
    return folded(number_bands(values) if numbers and len(set(known)) > MOST else values)


def folded(values: Sequence[Value], most: int = MOST, least: int = 5) -> list[str]:
    """Every case's value as text; missing ones are "not recorded", and where more than one value is rare (fewer than
    `least` cases, or beyond the `most` common ones) these become "other (k values)"."""
    known = [MISSING if _is_missing(one) else str(one).strip() for one in values]
    counts = Counter(one for one in known if one != MISSING)
    common = [name for name, count in counts.most_common() if count >= least]
    kept = set(common if len(counts) <= most else common[: most - 1])
    rare = sorted(set(counts) - kept)
    if len(rare) < 2:
        return known
    other = f"other ({len(rare)} values)"
    return [one if one in kept or one == MISSING else other for one in known]


def in_order(groups: Sequence[str]) -> list[str]:
    """By their first number, else by name; "other" and "not recorded" last."""

    def place(name: str) -> tuple[int, float, str]:
        if name == MISSING or name.startswith("other ("):
            return (2 if name == MISSING else 1), 0.0, name
        number = re.match(r"(?:under |from )?(\d+(?:\.\d+)?)", name)
        under = -0.5 if name.startswith("under") else 0.0
        return 0, float(number[1]) + under if number else np.inf, name.lower()

    return sorted(set(groups), key=place)


def _years(value: Value) -> float:
    if _is_missing(value):
        return np.nan
    if isinstance(value, str):
        found = AGE.fullmatch(value)
        return float(found[1].replace(",", ".")) * YEARS[found[2].lower()] if found else np.nan
    return float(value) if value is not None and value >= 0 else np.nan


def _number(value: Value) -> float:
    try:
        return np.nan if _is_missing(value) or value is None else float(value)
    except ValueError:
        return np.nan


def _is_missing(value: Value) -> bool:
    if isinstance(value, str):
        return not value.strip()
    return value is None or bool(np.isnan(value))


def _joined(numbers: np.ndarray, edges: Sequence[float], least: int) -> list[float]:
    """The edges that leave no band with fewer than `least` cases."""
    kept: list[float] = []
    known = np.sort(numbers[np.isfinite(numbers)])
    start = 0
    for edge in edges:
        at = int(np.searchsorted(known, edge, side="left"))
        if at - start >= least and len(known) - at >= least:
            kept.append(edge)
            start = at
    return kept


def _labelled(
    numbers: np.ndarray, edges: list[float], name: Callable[[float | None, float | None], str]
) -> list[str | None]:
    bounds = [None, *edges, None]
    labels = [name(low, high) for low, high in pairwise(bounds)]
    at = np.searchsorted(edges, numbers, side="right") if edges else np.zeros(len(numbers), int)
    return [labels[i] if np.isfinite(number) else None for i, number in zip(at, numbers, strict=True)]


def _of_years(low: float | None, high: float | None) -> str:
    if low is None:
        return "all ages" if high is None else f"under {high:g}"
    return f"{low:g} and over" if high is None else f"{low:g}–{high - 1:g}"


def _of_numbers(low: float | None, high: float | None) -> str:
    if low is None:
        return "all" if high is None else f"under {high:g}"
    return f"from {low:g}" if high is None else f"{low:g} to {high:g}"
