"""From scores to probabilities: a mending fitted on the tune part, then frozen. Knows no test part.

It keeps the order of the scores of two classes, so that a threshold can be carried over and AUROC stays as it is.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from medtl.errors import BadInput
from medtl.evaluation.calibration import EDGE, logit
from medtl.evaluation.operating import checked
from medtl.evaluation.resampling import Bools, Floats, Ints
from medtl.vocabulary import Threshold

Kind = Literal["none", "temperature", "platt", "isotonic"]
TITLES: dict[Kind, str] = {
    "none": "no recalibration",
    "temperature": "temperature scaling",
    "platt": "Platt scaling",
    "isotonic": "isotonic regression",
}
# Cases of the rarer class in the tune part that a fit needs: ten for each number that is fitted, as for any logistic
# model (Peduzzi et al., J Clin Epidemiol 1996;49:1373), and hundreds for a free curve.
NEEDS: dict[Kind, int] = {"temperature": 10, "platt": 20, "isotonic": 200}
NEEDS_TABLE = 50  # cases for the one temperature of more than two classes
COLDEST, HOTTEST = 0.05, 20.0  # a temperature at these bounds is none: the tune part has nothing to tell it from
KEPT = 0.01  # of the score itself is mixed into isotonic levels, so that equal levels keep the order of the scores
LEAST = 1e-12  # the smallest score of one of several classes


@dataclass(frozen=True)
class Calibrator:
    """A frozen mending. `numbers`: temperature (T,), platt (slope, constant) on the logit scale, isotonic the scores
    and then the levels of its corners. It rests on `cases` of the tune part, of whose rarer class there are `rarer`
    patients; `share` of them has it (None for a whole table). `says` how it came about, or why there is none."""

    kind: Kind
    numbers: tuple[float, ...]
    cases: int
    rarer: int
    share: float | None
    says: str

    @property
    def fitted(self) -> bool:
        return self.kind != "none"

    def score(self, score: Floats) -> Floats:
        """(n,) scores of "has it" -> (n,), in the same order."""
        from scipy.special import expit
        from scipy.special import logit as exact

        score = np.asarray(score, float)
        if self.kind == "none":
            return score.copy()
        if self.kind == "isotonic":
            corners, levels = np.split(np.array(self.numbers), 2)
            return np.asarray((1 - KEPT) * np.interp(score, corners, levels) + KEPT * score)
        by, constant = (1 / self.numbers[0], 0.0) if self.kind == "temperature" else self.numbers
        return np.asarray(expit(by * exact(score) + constant))

    def table(self, scores: Floats, at: int | None = None) -> Floats:
        """(n, k) scores, rows sum to 1 -> (n, k). `at` is the column of "has it" of two; of more, one temperature is
        for the whole row, which keeps its order."""
        scores = np.asarray(scores, float)
        if self.kind == "none":
            return scores.copy()
        if scores.shape[1] == 2:
            has = self.score(scores[:, 1 if at is None else at])
            return np.stack([has, 1 - has] if at == 0 else [1 - has, has], axis=1)
        if self.kind != "temperature":
            raise BadInput(
                f"{TITLES[self.kind].capitalize()} is for two classes and cannot mend {scores.shape[1]} columns.",
                "Fit a temperature on the whole table.",
            )
        return _softened(np.log(np.maximum(scores, LEAST)), self.numbers[0])

    def threshold(self, threshold: Threshold) -> Threshold:
        """The same threshold on the mended scale: who is called stays the same."""
        if threshold.value is None or self.kind == "none":
            return threshold
        value = float(self.score(np.array([min(max(threshold.value, 0.0), 1.0)]))[0])
        return replace(threshold, value=value, rule=f"{threshold.rule} Carried over by {TITLES[self.kind]}.")


def from_dict(kept: Mapping[str, Any]) -> Calibrator:
    """What `to_dict` of the vocabulary wrote."""
    return Calibrator(**{**kept, "numbers": tuple(kept["numbers"])})


def fit(
    has: Bools, score: Floats, name: str = "positive", kind: Kind | None = None, group: Ints | None = None
) -> Calibrator:
    """Two classes or one finding: has (n,), score (n,) of the tune part, `group` (n,) whose case it is.

    Platt's two numbers where 20 patients of the rarer class allow them, one temperature from 10 on, below that none.
    Isotonic regression is for the asking, from 200 on.
    """
    has, score = checked(has, score)
    groups = np.arange(len(has)) if group is None else group
    patients = [len(np.unique(groups[chosen])) for chosen in (has, ~has)]
    rarer, n = min(patients), len(has)
    share = float(has.mean()) if n else None
    if kind == "none":
        return Calibrator("none", (), n, rarer, share, "The scores are left as they are.")
    kind = kind or ("platt" if rarer >= NEEDS["platt"] else "temperature")
    who = "patients" if sum(patients) < n else "cases"
    if rarer < NEEDS[kind]:
        rare = name if patients[0] <= patients[1] else f"not {name}"
        return Calibrator("none", (), n, rarer, share, _refused(kind, f"{rarer} {who} of the tune part are {rare}"))
    fitted = {"temperature": _temperature, "platt": _platt, "isotonic": _isotonic}[kind](has, score)
    if isinstance(fitted, str):
        return Calibrator("none", (), n, rarer, share, fitted)
    says = (
        f"{TITLES[kind].capitalize()}, fitted on the {n:,} cases of the tune part ({rarer:,} {who} of the rarer class)."
    )
    return Calibrator(kind, fitted, n, rarer, share, says)


def fit_table(y: Ints, scores: Floats, at: int | None = None, group: Ints | None = None) -> Calibrator:
    """The whole table of the tune part: y (n,), scores (n, k). Of two classes `fit` on the column `at`; of more, and of
    grades, one temperature (Guo et al., arXiv:1706.04599), which keeps the order within a case."""
    y, scores = np.asarray(y, int), np.asarray(scores, float)
    if scores.ndim != 2 or len(y) != len(scores) or not np.isfinite(scores).all():
        raise BadInput(
            f"Scores of shape {scores.shape} for {len(y)} cases, or scores that are no numbers, cannot be calibrated.",
            "Every case needs one score a class.",
        )
    if scores.shape[1] == 2:
        at = 1 if at is None else at
        return fit(y == at, scores[:, at], group=group)
    n, sizes = len(y), np.bincount(y, minlength=scores.shape[1])
    patients, rarer = n if group is None else len(np.unique(group)), int(sizes.min(initial=0))
    if patients < NEEDS_TABLE:
        who = "cases" if patients == n else "patients"
        why = f"the tune part has {patients} {who}, and one temperature needs {NEEDS_TABLE}. They stay scores."
        return Calibrator("none", (), n, rarer, None, f"Not calibrated: {why}")
    logs = np.log(np.maximum(scores, LEAST))
    rows = np.arange(n)
    found = _coldest(lambda heat: -float(_log_softened(logs, heat)[rows, y].sum()))
    if isinstance(found, str):
        return Calibrator("none", (), n, rarer, None, found)
    says = f"Temperature scaling, fitted on the {n:,} cases of the tune part ({rarer:,} of the rarest class)."
    return Calibrator("temperature", found, n, rarer, None, says)


# ---- fits: the numbers, or why there are none -----------------------------------------------------------------------


def _temperature(has: Bools, score: Floats) -> tuple[float, ...] | str:
    x = np.where(has, 1.0, -1.0) * logit(score)
    return _coldest(lambda heat: float(np.logaddexp(0, -x / heat).sum()))


def _coldest(loss: Callable[[float], float]) -> tuple[float, ...] | str:
    """The temperature of least log-loss, searched in 1 / T, in which the loss has one valley."""
    from scipy.optimize import minimize_scalar

    found = minimize_scalar(
        lambda by: loss(1 / by), bounds=(1 / HOTTEST, 1 / COLDEST), method="bounded", options={"xatol": 1e-10}
    )
    heat = float(1 / found.x)
    if heat < COLDEST * 1.01:
        return (
            "Not calibrated: the scores separate the tune part's classes wholly, so nothing there says how far to "
            "trust them. They stay scores."
        )
    return _against() if heat > HOTTEST * 0.99 else (heat,)


def _platt(has: Bools, score: Floats) -> tuple[float, ...] | str:
    """Slope and constant of a logistic fit on logit(score), towards (N+ + 1) / (N+ + 2) and 1 / (N- + 2) instead of 1
    and 0 (Platt 1999, Advances in Large Margin Classifiers, section 2.2), so that it has an end also where the classes
    are separated."""
    from scipy.optimize import minimize

    x, ill, well = logit(score), int(has.sum()), int((~has).sum())
    wanted = np.where(has, (ill + 1) / (ill + 2), 1 / (well + 2))

    def loss(numbers: Floats) -> tuple[float, Floats]:
        eta = numbers[0] * x + numbers[1]
        miss = 1 / (1 + np.exp(-np.clip(eta, -500, 500))) - wanted
        return float((np.logaddexp(0, eta) - wanted * eta).mean()), np.array([(miss * x).mean(), miss.mean()])

    def bend(numbers: Floats) -> Floats:
        mu = 1 / (1 + np.exp(-np.clip(numbers[0] * x + numbers[1], -500, 500)))
        w = mu * (1 - mu) / len(x)
        return np.array([[(w * x * x).sum(), (w * x).sum()], [(w * x).sum(), w.sum()]])

    if np.ptp(x) == 0:
        return _against()
    found = minimize(loss, np.array([1.0, 0.0]), jac=True, hess=bend, method="trust-exact", options={"gtol": 1e-10})
    by, constant = (float(one) for one in found.x)
    return (by, constant) if by > 1 / HOTTEST else _against()


def _isotonic(has: Bools, score: Floats) -> tuple[float, ...] | str:
    """Corners in the middle of the scores of each level, so that levels are joined by slopes and not by steps."""
    from scipy.optimize import isotonic_regression

    at, inverse, size = np.unique(score, return_inverse=True, return_counts=True)
    share = np.bincount(inverse, has) / size
    fitted = isotonic_regression(share, weights=size).x
    levels, block = np.unique(fitted, return_inverse=True)
    if len(levels) == 1:
        return _against()
    corners = np.bincount(block, at * size) / np.bincount(block, size)
    return (*corners.tolist(), *np.clip(levels, EDGE, 1 - EDGE).tolist())


def _against() -> str:
    return "Not calibrated: in the tune part a higher score does not mean that more cases have it. They stay scores."


def _refused(kind: Kind, why: str) -> str:
    return f"Not calibrated: only {why}, and {TITLES[kind]} needs {NEEDS[kind]}. They stay scores."


def _log_softened(logs: Floats, heat: float) -> Floats:
    z = logs / heat
    z = z - z.max(axis=1, keepdims=True)
    return np.asarray(z - np.log(np.exp(z).sum(axis=1, keepdims=True)))


def _softened(logs: Floats, heat: float) -> Floats:
    return np.exp(_log_softened(logs, heat))
