"""Two models on the same test cases: every question that may be asked of the pair, and the answer in words.

The difference of the AUROCs by common draws of patients comes first and decides; DeLong and McNemar stand beside it
where a patient has one case. Knows scores and calls, no runs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from medtl.evaluation import comparison
from medtl.evaluation.comparison import Scored
from medtl.evaluation.delong import DeLong, delong
from medtl.evaluation.mcnemar import McNemar, mcnemar
from medtl.evaluation.resampling import Bools, Floats, Ints, Resampling, percentiles
from medtl.evaluation.thresholds import positive_index
from medtl.vocabulary import Estimate

Standing = Literal["higher", "cannot be told apart", "lower"]


@dataclass(frozen=True)
class Asked:
    """One model as it is compared: its name in sentences, scores (n, k), calls (n,), and its AUROC in every draw."""

    name: str
    scores: Floats
    calls: Ints
    scored: Scored


@dataclass(frozen=True)
class CallsDiffer:
    """How the calls at the frozen thresholds differ in one kind of cases: `name` is sensitivity (among those who have
    it), specificity (among those who have not) or accuracy (more than two classes, all cases).

    `only_first` and `only_second` count the cases that only one of the two called right. `p` is McNemar's; None where a
    patient has several cases, and the interval is that of draws of patients.
    """

    name: str
    difference: Estimate
    only_first: int
    only_second: int
    p: float | None
    how: str


@dataclass(frozen=True)
class Pair:
    """`first` and `second` are run ids; every difference is first minus second. `standing` of the first follows from
    the interval of the AUROC difference alone."""

    first: str
    second: str
    auroc: Estimate
    standing: Standing
    delong: DeLong | None
    calls: tuple[CallsDiffer, ...]
    says: str


def pair(
    ids: tuple[str, str],
    asked: tuple[Asked, Asked],
    y: Ints,
    classes: Sequence[str],
    positive: str | None,
    resampling: Resampling,
) -> Pair:
    """Both models on test cases of labels y (n,). One of more than two classes is judged by the macro average."""
    first, second = asked
    auroc = comparison.gap(first.scored, second.scored)
    standing: Standing = "higher" if auroc.low > 0 else "lower" if auroc.high < 0 else "cannot be told apart"
    tested = None
    if len(classes) == 2 and not resampling.repeats:
        at = positive_index(classes, positive)
        tested = delong(y == at, first.scores[:, at], second.scores[:, at])
    calls = tuple(_calls(first.calls == y, second.calls == y, y, classes, positive, resampling))
    units = f"{resampling.units(np.ones(len(y), bool))} {resampling.unit}s"
    return Pair(*ids, auroc, standing, tested, calls, _says(first.name, second.name, auroc, standing, tested, units))


def p_in_words(p: float) -> str:
    """ "p = 0.03", "p < 0.001"; never p = 0."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.01 else f"p = {p:.2f}"


def signed(value: float) -> str:
    """ "+0.02", "−0.02", and "0.00" without a sign."""
    text = f"{value:+.2f}".replace("-", "−")
    return "0.00" if text in ("+0.00", "−0.00") else text


def _calls(
    first: Bools, second: Bools, y: Ints, classes: Sequence[str], positive: str | None, resampling: Resampling
) -> list[CallsDiffer]:
    kinds = {"accuracy": np.ones(len(y), bool)}
    if len(classes) == 2:
        has = y == positive_index(classes, positive)
        kinds = {"sensitivity": has, "specificity": ~has}
    made = []
    for name, among in kinds.items():
        found = mcnemar(first[among], second[among], name)
        if found is not None:
            made.append(_with_repeats(found, first, second, among, resampling) if resampling.repeats else _as(found))
    return made


def _as(found: McNemar) -> CallsDiffer:
    how = f"McNemar, {found.how}"
    return CallsDiffer(found.difference.name, found.difference, found.only_first, found.only_second, found.p, how)


def _with_repeats(found: McNemar, first: Bools, second: Bools, among: Bools, resampling: Resampling) -> CallsDiffer:
    """Several cases of a patient go together: McNemar's p would count them as if they did not."""
    gain = (first.astype(np.float32) - second.astype(np.float32)) * among
    kind = among.astype(np.float32)
    with np.errstate(divide="ignore", invalid="ignore"):
        drawn = np.concatenate([
            np.einsum("n,nd->d", gain, weights, dtype=float) / np.einsum("n,nd->d", kind, weights, dtype=float)
            for weights in resampling.chunks()
        ])
    low, high = percentiles(drawn)
    plain = found.difference
    how = resampling.how
    if not high > low:  # all draws agree: never an interval of zero width
        low, high, how = plain.low, plain.high, plain.how
    difference = Estimate(plain.name, plain.value, low, high, plain.n, how)
    return CallsDiffer(plain.name, difference, found.only_first, found.only_second, None, how)


def _says(first: str, second: str, gap: Estimate, standing: Standing, tested: DeLong | None, units: str) -> str:
    p = f"; DeLong {p_in_words(tested.p)}" if tested else ""
    more = "higher" if gap.value >= 0 else "lower"
    if standing == "cannot be told apart":
        return (
            f"{first} against {second}: these two cannot be told apart on {units} (AUROC {more} by "
            f"{abs(gap.value):.2f}; the true difference could be {signed(gap.low)} to {signed(gap.high)}{p})."
        )
    low, high = sorted((abs(gap.low), abs(gap.high)))
    return f"{first} against {second}: AUROC {more} by {abs(gap.value):.2f} ({low:.2f} to {high:.2f}{p}) on {units}."
