"""A reading that is over, set beside the model: the reader's answers and the model's on the same cases, as the
statistics want them and as the page opens them. Computes nothing itself.

Letters: n cases of the reading.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medtl.evaluation import readers, resampling
from medtl.evaluation.readers import NOT_READ, ReaderStudy
from medtl.runs.results import Result
from medtl.trust import cases
from medtl.trust.failures import Told
from medtl.trust.reader import UNSURE, Pass, Reading


@dataclass(frozen=True)
class Outcome:
    """`cases` are the rows of `study`: those the reader answered. `unsure` are cases the reader could not tell and
    `unread` how many were not reached: neither is counted on either side. As those left out are the hard ones, which
    flatters, `strict` is the study with what could not be told counted as an error; None where all was told. `aided`
    is the same study of the answers given with the model's in view, over the cases answered both times; None without a
    second pass."""

    reading: Reading
    cases: tuple[str, ...]
    study: ReaderStudy
    unsure: tuple[str, ...]
    unread: int
    aided: ReaderStudy | None = None
    strict: ReaderStudy | None = None

    def ids(self, rows: Sequence[int]) -> tuple[str, ...]:
        return tuple(self.cases[row] for row in rows)


def outcome(reading: Reading, told: Sequence[Told], result: Result) -> Outcome:
    """`told` is what the model said of the test part (`failures.told`, of the finding that was read). Cases that are
    there no more are left out."""
    model = {one.case: one for one in told}
    here = [case for case in reading.cases if case in model]
    unsure = tuple(case for case in here if case in reading.blind and reading.blind[case].label == UNSURE)
    ids = tuple(case for case in here if case in reading.blind and case not in unsure)
    again = tuple(case for case in ids if case in reading.aided and reading.aided[case].label != UNSURE)
    unread = len(here) - len(ids) - len(unsure)
    return Outcome(
        reading,
        ids,
        _study(reading, 1, ids, model, result, both=bool(again)),
        unsure,
        unread,
        _study(reading, 2, again, model, result) if again else None,
        _study(reading, 1, (*ids, *unsure), model, result) if unsure else None,
    )


def _study(
    reading: Reading, which: Pass, ids: Sequence[str], model: Mapping[str, Told], result: Result, both: bool = False
) -> ReaderStudy:
    """Of one pass; `both` with what the second one changed. A case among `ids` that could not be told is an error."""
    index = {name: k for k, name in enumerate(reading.classes)}
    two = len(reading.classes) == 2
    patients = np.array([model[case].patient for case in ids], dtype=object)
    truth = np.array([index[model[case].reference] for case in ids], int)
    answers = _answers(reading, which, ids, index)
    untold = np.array([reading.said(which)[case].label == UNSURE for case in ids], bool)
    answers[untold] = (truth[untold] + 1) % len(reading.classes)  # any class that it is not: an error
    return readers.study(
        truth,
        answers,
        np.array([index[model[case].called] for case in ids], int),
        reading.classes,
        reading.finding or (cases.positive_of(result, reading.classes) if two else None),
        resampling.whose(len(ids), patients if any(who is not None for who in patients) else None),
        ordered=not two and cases.many(result) == "ordinal",
        after=_answers(reading, 2, ids, index) if both else None,
        seconds=_seconds(reading, which, ids),
        seconds_after=_seconds(reading, 2, ids) if both else None,
    )


def _answers(reading: Reading, which: Pass, ids: Sequence[str], index: Mapping[str, int]) -> NDArray[np.int_]:
    """(n,) numbers of classes; what was not read or could not be told is NOT_READ."""
    said = reading.said(which)
    return np.array([index.get(said[case].label, NOT_READ) if case in said else NOT_READ for case in ids], int)


def _seconds(reading: Reading, which: Pass, ids: Sequence[str]) -> NDArray[np.float64]:
    """(n,) NaN where nothing was read."""
    said = reading.said(which)
    return np.array([said[case].counted if case in said else np.nan for case in ids], float)
