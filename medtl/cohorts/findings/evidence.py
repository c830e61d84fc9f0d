"""How well levels of anything tell an answer, in patients that had no part in learning it. Knows numbers only.

Five folds; the rate at a level is learned from four and tried on the fifth, as weight of evidence (Good 1950): the log
odds at the level less the usual log odds. Weights of several fields may be added up (naive Bayes).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medtl.cohorts.findings.fields import Floats, Ints

FOLDS = 5
SMOOTHING = 2.0  # cases of the usual mixture, added to every level, so that a rare one proves little


@dataclass(frozen=True)
class Question:
    """Has it (1), has it not (0), nobody knows (-1): `truth`, (N,). `tells`, `share`: pieces of the sentence."""

    name: str  # the class or the finding
    tells: str  # "'malignant' from 'benign'"
    share: str  # "are 'malignant'"
    classes: tuple[str, ...]  # that the answer tells apart
    truth: Ints


class Trial:
    """A question put to patients in folds. `people` (N,) numbers them; several images of one are in one fold.

    Only pairs of one fold are compared. What the other folds teach goes against a fold's own chance, so that scores of
    several folds put together rank the folds, and seem worse than they are (Parker and others, BMC Bioinformatics
    2007;8:326).

    `ill` and `well` are how many patients the interval of an AUROC may count: fewer where some have many more images
    than others (Kish 1965), and fewer for the pairs that are not compared, which matters with a dozen patients only.
    """

    def __init__(self, question: Question, people: Ints, seed: int) -> None:
        self.question, self.people, self.truth = question, people, question.truth
        images = [np.bincount(people[self.truth == value]) for value in (1, 0)]  # of each patient
        self.fewest = min(int(np.count_nonzero(of)) for of in images)
        ill, well = (float(of.sum()) ** 2 / max(1, int((of**2).sum())) for of in images)
        compared = (ill + well + 1) / (ill + well + FOLDS)
        self.ill, self.well = ill * compared, well * compared
        self.patients = len(np.unique(people[self.truth >= 0]))
        self.n = int(np.count_nonzero(self.truth >= 0))
        self._fold = _dealt(people, self.truth == 1, seed)

    def counts(self, codes: Ints, levels: int, value: int) -> Ints:
        """(FOLDS, levels) cases whose truth is `value`."""
        where = self.truth == value
        flat = np.bincount(self._fold[where] * levels + codes[where], minlength=FOLDS * levels)
        return flat.reshape(FOLDS, levels)

    def weights(self, codes: Ints, levels: int) -> Floats:
        """(N,) weight of evidence of each case's level, as the other folds have it."""
        return np.asarray(self._weights(codes, levels)[self._fold, codes])

    def auroc(self, scores: Floats) -> float:
        """Of any score, (N,)."""
        _, rank = np.unique(scores.round(9), return_inverse=True)
        right, pairs = 0.0, 0.0
        for fold in range(FOLDS):
            has, has_not = (rank[(self._fold == fold) & (self.truth == value)] for value in (1, 0))
            ill, well = np.bincount(has, minlength=len(rank)), np.bincount(has_not, minlength=len(rank))
            right += float(ill @ (np.cumsum(well) - well / 2))
            pairs += len(has) * len(has_not)
        return right / pairs

    def auroc_of(self, codes: Ints, levels: int) -> float:
        """Of the weights of one field. Cases of one fold and level are tied, so that levels can be compared instead."""
        ill, well = self.counts(codes, levels, 1), self.counts(codes, levels, 0)
        weights = self._weights(codes, levels).round(9)
        above = (1 + np.sign(weights[:, :, None] - weights[:, None, :])) / 2  # (FOLDS, levels, levels); ties by half
        right = np.einsum("fi,fij,fj->", ill, above, well)
        return float(right / (ill.sum(1) @ well.sum(1)))

    def _weights(self, codes: Ints, levels: int) -> Floats:
        """(FOLDS, levels)."""
        has, has_not = self.counts(codes, levels, 1), self.counts(codes, levels, 0)
        ill, well = has.sum(0) - has, has_not.sum(0) - has_not  # all folds but this one
        usual = (ill.sum(1, keepdims=True) + 1) / ((ill + well).sum(1, keepdims=True) + 2)
        rate = (ill + SMOOTHING * usual) / (ill + well + SMOOTHING)
        return np.asarray(np.log(rate / (1 - rate)) - np.log(usual / (1 - usual)))


def _dealt(people: Ints, has: NDArray[np.bool_], seed: int) -> Ints:
    """(N,) fold of each case: patients dealt out in a drawn order, those who have it first, so that folds are alike."""
    ill = np.zeros(people.max() + 1, bool)
    ill[people[has]] = True
    drawn = np.random.default_rng(seed).permutation(len(ill))
    fold = np.empty(len(ill), np.int64)
    fold[drawn[np.argsort(~ill[drawn], kind="stable")]] = np.arange(len(ill)) % FOLDS
    return fold[people]
