"""Grades in order: how far the model's lie from the reference. Counts cases; knows no score but for the middle one."""

from collections.abc import Sequence

import numpy as np

from medtl.evaluation import agreement, sides
from medtl.evaluation.resampling import Floats, Ints, Resampling
from medtl.vocabulary import Estimate

NAMES = ("kappa_quadratic", "mean_grade_error", "exact_agreement", "within_one")
MIDDLE = "The grade in the middle: the lowest that is not exceeded with a score above one half."


def middle(scores: Floats) -> Ints:
    """(n, K) scores of the grades -> (n,) the grade called: as many as are exceeded with more than one half
    (arXiv:2111.08851 eq. 5), the median of the scores; of no other is the expected distance smaller."""
    beyond = np.cumsum(np.asarray(scores, float)[:, ::-1], axis=1)[:, ::-1]  # (n, K) P(y >= k)
    called: Ints = (beyond[:, 1:] > 0.5).sum(axis=1)
    return called


def kappa(y: Ints, calls: Ints, classes: int) -> float:
    """Cohen's kappa with quadratic weights (Psychol Bull 1968;70:213); nan where neither ever leaves one grade."""
    table = np.bincount(np.asarray(y) * classes + calls, minlength=classes**2).reshape(classes, classes)
    return agreement.kappa_of(table, "quadratic")


def estimates(y: Ints, calls: Ints, classes: Sequence[str], whose: Resampling) -> list[Estimate]:
    """The numbers of NAMES, each by patient and never without width. Kappa is left out where it is not defined: one
    grade only, in the reference and in the calls."""
    if not len(y):
        return []
    k, everyone = len(classes), np.ones(len(y), bool)
    away = np.abs(np.asarray(y) - calls)
    made = {
        "kappa_quadratic": agreement.kappa(y, calls, k, whose, "quadratic"),
        "mean_grade_error": sides.mean("mean_grade_error", away.astype(float), everyone, whose, top=k - 1),
        "exact_agreement": sides.share("exact_agreement", away == 0, everyone, whose),
        "within_one": sides.share("within_one", away <= 1, everyone, whose),
    }
    return [one for name in NAMES if (one := made[name]) is not None]


def sentence(found: Sequence[Estimate], y: Ints, calls: Ints) -> str:
    """In counts first, as every headline."""
    said = {one.name: one for one in found}
    n, right, near = len(y), int((y == calls).sum()), int((np.abs(y - calls) <= 1).sum())
    text = f"Gave {right} of {n} test cases the grade of the reference, and {near} of {n} that or the one next to it"
    if (one := said.get("kappa_quadratic")) is not None:
        text += f" (quadratic kappa {one.value:.2f}, {one.low:.2f} to {one.high:.2f})"
    return text + "."
