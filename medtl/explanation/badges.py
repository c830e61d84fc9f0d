"""From what was measured of maps to a badge: the limit, whether it is kept, and a sentence. numpy only.

A badge of many cases is passed when the whole interval keeps the limit, not passed when the whole interval breaks it,
and "cannot be told" between. "Where the network looked" is all a map may be said to show.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medtl.evaluation.resampling import percentiles, resample
from medtl.vocabulary import MapCheck

DRAWS = 2000
# A map depends on the model when shuffling its weights leaves a rank correlation of at most this. Two unrelated maps of
# 7 x 7 cells have .11 in the mean; edges that any network sees in a picture leave more.
SHUFFLED_MOST = 0.5
STEADY_LEAST = 0.7
BETTER = 0.0  # a region chosen by the map must change the score by more than one chosen otherwise


@dataclass(frozen=True)
class _Words:
    title: str
    limit: float
    least: bool  # the value must be at least (else at most) the limit
    passed: str
    failed: str
    says: str


_WORDS = {
    "shuffled-head": _Words(
        "Depends on the last layer", SHUFFLED_MOST, False, "depends on the last layer",
        "does not depend on the last layer",
        "With the weights of the last layer shuffled the map keeps a rank correlation of {value} (at most {limit}).",
    ),
    "shuffled": _Words(
        "Depends on the model", SHUFFLED_MOST, False, "depends on the model", "does not depend on the model",
        "With all weights of the network shuffled the map keeps a rank correlation of {value} (at most {limit}).",
    ),
    "deletion": _Words(
        "Hiding the region", BETTER, True, "the score depends on it", "the score hardly depends on it",
        "The score falls by {value} more when the brightest region is hidden than when a random one of its size is"
        "{centre}.",
    ),
    "insertion": _Words(
        "Showing only the region", BETTER, True, "the region carries the score", "the region does not carry the score",
        "The score rises by {value} more when only the brightest region is shown sharp than for a random one{centre}.",
    ),
    "road": _Words(
        "Filling the region in", BETTER, True, "the score depends on it", "the score hardly depends on it",
        "The score falls by {value} more when the brightest region is filled in from around it than for a random one"
        "{centre}.",
    ),
    "steady": _Words(
        "Steady", STEADY_LEAST, True, "steady", "not steady",
        "When the picture is shifted, mirrored or made grainy a little, the map keeps a rank correlation of {value} "
        "(at least {limit}).",
    ),
}  # fmt: skip
IDS = tuple(_WORDS)


def of_many(
    id: str, values: np.ndarray, patients: Sequence[str | None] | None, seed: int = 0, centre: np.ndarray | None = None
) -> MapCheck:
    """From a number a case (n,), NaN where a case has none; `centre`: the same, against the middle of the picture."""
    kept = np.isfinite(values)
    n, how = int(kept.sum()), "no case"
    words = _WORDS[id]
    if n == 0:
        return MapCheck(id, words.title, 0.0, None, None, 0, words.limit, None, "not measured", "No case had a map.")
    who = None if patients is None else [one for one, has in zip(patients, kept, strict=True) if has]
    value, low, high, how = mean(values[kept], who, seed)
    passed = _verdict(low, high, words) if n >= 5 else None
    middle = ""
    if centre is not None:
        at = float(np.nanmean(centre))
        middle = f" (and by {_signed(at)} against the middle of the image)"
    says = words.says.format(
        value=f"{_told(value)} ({_told(low)} to {_told(high)}; n = {n})", limit=words.limit, centre=middle
    )
    return MapCheck(id, words.title, value, low, high, n, words.limit, passed, _short(words, passed), says, how)


def of_one(id: str, value: float, beaten: float = 1.0, centre: float | None = None) -> MapCheck:
    """For one picture: no interval; `beaten` is the share of random regions that changed the score less."""
    words = _WORDS[id]
    kept = value > words.limit if words.least else value <= words.limit
    passed: bool | None = kept
    if words.limit == BETTER and kept and beaten < 0.85:
        passed = None  # one of few random regions did as much
    middle = "" if centre is None else f" (and by {_signed(centre)} against the middle of the image)"
    says = words.says.format(value=_told(value), limit=words.limit, centre=middle)
    return MapCheck(id, words.title, value, None, None, 1, words.limit, passed, _short(words, passed), says)


def mean(values: np.ndarray, patients: Sequence[str | None] | None, seed: int = 0) -> tuple[float, float, float, str]:
    """Mean, interval and its method: patients drawn with all their cases."""
    who = None if patients is None else np.array(patients, dtype=object)
    drawn = resample(np.zeros(len(values), int), who, None, seed, DRAWS)
    weights = drawn.counts.astype(np.float64)
    means = (values @ weights) / np.maximum(weights.sum(axis=0), 1)
    low, high = percentiles(np.asarray(means))
    return float(values.mean()), low, high, drawn.how


def _verdict(low: float, high: float, words: _Words) -> bool | None:
    if words.least:
        return True if low > words.limit else False if high <= words.limit else None
    return True if high <= words.limit else False if low > words.limit else None


def _told(value: float) -> str:
    return f"{round(value, 2) + 0.0:.2f}".replace("-", "−")  # never "−0.00"


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def _short(words: _Words, passed: bool | None) -> str:
    return "cannot be told" if passed is None else words.passed if passed else words.failed
