"""Which cases of the test part a run got wrong, and in which order they are worth looking at. No pictures, no files."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from medtl.runs import findings
from medtl.runs.results import PredictionRow, Result
from medtl.trust import cases
from medtl.vocabulary import Task

# "missed" and "false alarm" where something is had or not, "too low" and "too high" of grades, "mixed up" of classes
Kind = Literal["missed", "false alarm", "too low", "too high", "mixed up", "right"]
# A missed case may harm a patient before anybody looks again, so that it stands before a false alarm.
FIRST: dict[Kind, int] = {"missed": 0, "too low": 0, "mixed up": 0, "false alarm": 1, "too high": 1, "right": 2}
HALF = 0.5  # the score a class is called from where no threshold was chosen


@dataclass(frozen=True)
class Told:
    """What was said of one test case, and what it is. `score` is that of having it; of more classes that of the called
    one. `sure` is how far the answer stands on its side: the distance of the score from the threshold, of more classes
    the score of the called minus that of the reference (of a right answer: of the next best). `apart` is in grades, 1
    of anything else that is wrong, 0 of what is right. `line` is the threshold, None where there is none."""

    case: str
    patient: str | None
    reference: str
    called: str
    score: float
    sure: float
    kind: Kind
    apart: int
    line: float | None = None

    @property
    def right(self) -> bool:
        return self.kind == "right"


def told(
    rows: Iterable[PredictionRow], result: Result, finding: str | None = None, threshold: float | None = None
) -> tuple[Told, ...]:
    """Every test case, the surest mistakes first. With several findings `finding` says which is meant, and cases whose
    label of it is not sure are left out. `threshold` tries out another one than the frozen one."""
    tested = [row for row in rows if row.part == "test"]
    frozen = result.threshold.value if result.threshold else None
    positive: str | None = finding
    if finding is not None:
        frozen = findings.thresholds(result.findings)[finding]
        tested = list(findings.predictions_of(tested, result, finding))
    elif tested and len(tested[0].scores) == 2:
        positive = cases.positive_of(result, tuple(tested[0].scores))
    at = threshold if threshold is not None else frozen if frozen is not None else HALF
    return ordered(
        _has_it(row, positive, at, threshold is not None) if positive else _of_many(row, cases.many(result))
        for row in tested
    )


def ordered(told: Iterable[Told]) -> tuple[Told, ...]:
    """Wrong before right, missed before false alarms, far apart before near, sure before unsure; of the right ones the
    closest calls first. Ties by case, so that a page looks the same twice."""
    return tuple(
        sorted(
            told,
            key=lambda one: (
                one.right,
                -one.apart,
                FIRST[one.kind],
                one.sure if one.right else -one.sure,
                one.case,
            ),
        )
    )


def wrong(told: Iterable[Told]) -> tuple[Told, ...]:
    return tuple(one for one in told if not one.right)


def kinds(told: Iterable[Told]) -> dict[Kind, int]:
    """How many of each kind of mistake there are, in the order of the gallery; kinds that do not occur are left out."""
    counted = Counter(one.kind for one in told if not one.right)
    return {kind: counted[kind] for kind in FIRST if counted[kind]}


def cell(told: Iterable[Told], reference: str, called: str) -> tuple[Told, ...]:
    """Those behind one count of the confusion table."""
    return tuple(one for one in told if (one.reference, one.called) == (reference, called))


def cells(told: Iterable[Told]) -> dict[tuple[str, str], int]:
    """(reference, called) -> how many, of the mistakes; the most frequent first."""
    return dict(Counter((one.reference, one.called) for one in told if not one.right).most_common())


def of(told: Iterable[Told], ids: Sequence[str]) -> tuple[Told, ...]:
    """Those of these cases, in the order of the gallery; cases that were not tested are passed over."""
    asked = set(ids)
    return tuple(one for one in told if one.case in asked)


# ---- one case -------------------------------------------------------------------------------------------------------


def _has_it(row: PredictionRow, positive: str, at: float, anew: bool) -> Told:
    score = row.scores[positive]
    without = next(name for name in row.scores if name != positive)
    called = row.predicted if not anew else positive if score >= at else without
    kind: Kind = "right" if called == row.label else "missed" if row.label == positive else "false alarm"
    return Told(row.case, row.patient, row.label, called, score, abs(score - at), kind, int(kind != "right"), at)


def _of_many(row: PredictionRow, task: Task) -> Told:
    names = list(row.scores)
    right = row.label == row.predicted
    against = max(score for name, score in row.scores.items() if name != row.predicted)
    if not right:
        against = row.scores[row.label]
    steps = names.index(row.predicted) - names.index(row.label)
    kind: Kind = "right" if right else "mixed up"
    if steps and task == "ordinal":
        kind = "too low" if steps < 0 else "too high"
    apart = abs(steps) if task == "ordinal" else int(not right)
    score = row.scores[row.predicted]
    return Told(row.case, row.patient, row.label, row.predicted, score, score - against, kind, apart)
