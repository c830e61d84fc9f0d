"""What a change of the images costs: the fall in AUROC on the same cases, and the calls that change. Knows scores only.

Letters: n cases, K classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Literal

import numpy as np

from medtl.evaluation import intervals, tasks
from medtl.evaluation.resampling import Bools, Floats, Ints, percentiles, resample
from medtl.evaluation.tasks import Patients
from medtl.vocabulary import Cohort, Estimate

MOST = 300  # test cases that are changed and scored again
LEAST_OF_A_KIND = 4  # no kind of case gets less than a fourth of an equal share, however rare it is
FEW = 20  # patients; with fewer nothing is said but the number
OF_ANY_WEIGHT = 0.01  # the least fall that is called one

Verdict = Literal["falls", "no fall shown", "too few"]


@dataclass(frozen=True)
class Cost:
    """Of one change: AUROC with it, `fall` (without less with it), and the share of cases whose call changes.

    `fall` has its own interval of 95 %; `widened` is that which decides, wider for the number of changes looked at.
    """

    auroc: Estimate
    fall: Estimate
    widened: Estimate
    changed: Estimate
    verdict: Verdict
    says: str


def unchanged(cohort: Cohort, truth: Ints, scores: Floats, patients: Patients, seed: int) -> Estimate:
    """The AUROC of the images as they are, from the draws that the falls come from."""
    return _compared(cohort, truth, scores, scores, patients, seed)[0]


def cost(
    cohort: Cohort, truth: Ints, before: Floats, after: Floats, differ: Bools, patients: Patients, name: str, seed: int,
    among: int = 1,
) -> Cost:  # fmt: skip
    """Scores (n, K) before and after a change called `name`; `differ` (n,) says whose call is another one. `among` is
    the number of changes looked at: one that shows no fall beyond chance among so many is not said to show one."""
    auroc, fall = _compared(cohort, truth, before, after, patients, seed)
    wide = widened(fall, among)
    changed = _share(differ, patients, seed)
    verdict: Verdict = "no fall shown"
    if too_few(cohort, truth, patients):
        verdict = "too few"
    elif wide.low > 0 and fall.value >= OF_ANY_WEIGHT:
        verdict = "falls"
    return Cost(auroc, fall, wide, changed, verdict, _says(name, fall, changed, int(differ.sum()), verdict, among))


def widened(fall: Estimate, among: int) -> Estimate:
    """By Bonferroni's rule, so that with all changes looked at the chance of even one false fall stays below 5 %.

    Each arm is stretched as a normal one would be: draws of patients are too few to find so far a percentile.
    """
    normal = NormalDist()
    more = normal.inv_cdf(1 - 0.025 / max(1, among)) / normal.inv_cdf(0.975)
    low, high = fall.value - more * (fall.value - fall.low), fall.value + more * (fall.high - fall.value)
    how = f"{fall.how}, widened for {among} changes" if among > 1 else fall.how
    return replace(fall, low=low, high=high, how=how)


def too_few(cohort: Cohort, truth: Ints, patients: Patients) -> bool:
    """Too few patients, or too few of one kind, for an interval to be read."""
    who = _numbers(len(truth), patients)
    if len(np.unique(who)) < FEW:
        return True
    if cohort.task == "multi-label":
        return False  # findings with few cases are left out of the mean already
    return sum(len(np.unique(who[truth == k])) >= 5 for k in range(len(cohort.classes))) < 2


def sentence(names: Sequence[str], costs: Sequence[Cost], n: int) -> str:
    """One for all changes, the worst first."""
    every = f"{len(costs)} changes of the images"
    if any(one.verdict == "too few" for one in costs):
        return f"Too few test cases ({n}) to say how far {every} harm."
    order = sorted(zip(names, costs, strict=True), key=lambda pair: -pair[1].fall.value)
    falls = [f"by {_of(one.fall)} under {name}" for name, one in order if one.verdict == "falls"]
    if not falls:
        widest = max(order, key=lambda pair: pair[1].fall.high)
        could = f"the true fall could be up to {widest[1].fall.high:.2f}, under {widest[0]}"
        return f"No fall of the AUROC shown under any of {every} (n = {n}; {could}). {_calls(order)}"
    more = f" and less under {len(falls) - 3} more" if len(falls) > 3 else ""
    rest = len(costs) - len(falls)
    others = f"; no fall shown under the other {rest} of {every}" if rest else f", of {every}"
    return f"AUROC falls {_listed(falls[:3], more)}{others} (n = {n}). {_calls(order)}"


def _calls(order: Sequence[tuple[str, Cost]]) -> str:
    """Where the most calls change, which the AUROC does not see."""
    name, most = max(order, key=lambda pair: pair[1].changed.value)
    calls = round(most.changed.value * most.changed.n)
    return f"Calls change most under {name} ({calls} of {most.changed.n})." if calls else "No call changes."


def drawn(cohort: Cohort, truth: Ints, patients: Patients, seed: int, most: int = MOST) -> Ints:
    """Which cases to change, in rising order: all where they are few; else patients by chance with all their cases,
    within each kind of case (class, grade, rarest finding) in proportion, rare kinds more than that."""
    if len(truth) <= most:
        return np.arange(len(truth))
    who, kind = _numbers(len(truth), patients), _kinds(cohort, truth)
    order = np.random.default_rng(seed).permutation(int(who.max()) + 1)
    of_patient = np.full(len(order), kind.max())
    np.minimum.at(of_patient, who, kind)  # kinds are numbered from the rarest
    kinds = np.unique(of_patient)
    sizes = {k: int((of_patient[who] == k).sum()) for k in kinds}
    floor = most // (LEAST_OF_A_KIND * len(kinds))
    wanted = {k: min(size, max(floor, most * size / len(truth))) for k, size in sizes.items()}
    largest = max(kinds, key=lambda k: wanted[k])
    wanted[largest] -= max(0.0, sum(wanted.values()) - most)
    cases = np.bincount(who, minlength=len(order))
    chosen = np.zeros(len(order), bool)
    for k in kinds:
        left = wanted[k]
        for patient in order[of_patient[order] == k]:
            if cases[patient] <= left or not chosen[of_patient == k].any():
                chosen[patient] = True
                left -= cases[patient]
            if left < 1:
                break
    return np.flatnonzero(chosen[who])


def _compared(
    cohort: Cohort, truth: Ints, before: Floats, after: Floats, patients: Patients, seed: int
) -> tuple[Estimate, Estimate]:
    said = tasks.compare(cohort, truth, before, after, patients, "changed", seed=seed)
    return Estimate(**said["auroc"]), Estimate(**{**said["difference"], "name": "fall in AUROC"})


def _share(differ: Bools, patients: Patients, seed: int) -> Estimate:
    """Wilson where a patient has one case, else by draws of patients, or Wilson on patients where these all agree."""
    n = len(differ)
    resampling = resample(np.zeros(n, int), patients, None, seed, 2000)
    units = resampling.units(np.ones(n, bool))
    low, high = intervals.wilson(float(differ.mean()) * units, units)
    how = "Wilson" if units == n else f"Wilson on {units} {resampling.unit}s"
    if resampling.repeats:
        kinds = np.concatenate([
            np.einsum("n,nd->d", differ.astype(np.float32), weights) / weights.sum(axis=0)
            for weights in resampling.chunks()
        ])
        one, other = percentiles(kinds)
        if other > one:
            low, high, how = one, other, resampling.how
    return Estimate("calls that change", float(differ.mean()), low, high, n, how)


def _says(name: str, fall: Estimate, changed: Estimate, calls: int, verdict: Verdict, among: int) -> str:
    called = f"{calls} of {changed.n} calls change"
    title = name[:1].upper() + name[1:]
    if verdict == "too few":
        return f"{title}: too few to say; {called}."
    if verdict == "falls":
        return f"{title}: AUROC falls by {_of(fall)}; {called}."
    if fall.low > 0:
        little = fall.value < OF_ANY_WEIGHT
        why = "too little to count" if little else f"which among {among} changes can be chance"
        return f"{title}: no fall shown (AUROC lower by {_of(fall)}, {why}); {called}."
    more = "lower" if fall.value >= 0 else "higher"
    return (
        f"{title}: no fall shown (AUROC {more} by {abs(fall.value):.2f}; the true fall could be {_signed(fall.low)} to "
        f"{_signed(fall.high)}); {called}."
    )


def _of(fall: Estimate) -> str:
    return f"{fall.value:.2f} ({fall.low:.2f} to {fall.high:.2f})"


def _signed(value: float) -> str:
    text = f"{value:+.2f}".replace("-", "−")
    return "0.00" if text in ("+0.00", "−0.00") else text


def _listed(parts: Sequence[str], more: str) -> str:
    if more or len(parts) == 1:
        return ", ".join(parts) + more
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def _numbers(n: int, patients: Patients) -> Ints:
    """(n,) the number of each case's patient; unknown ones are patients of their own."""
    keys = [f"case {i}" if patients is None or patients[i] is None else f"patient {patients[i]}" for i in range(n)]
    return np.unique(keys, return_inverse=True)[1]


def _kinds(cohort: Cohort, truth: Ints) -> Ints:
    """(n,) a number from 0, the rarest kind: the class, or the rarest finding that is present."""
    if cohort.task == "multi-label":
        order = np.argsort((truth == 1).sum(axis=0), kind="stable")
        present = truth[:, order] == 1
        return np.where(present.any(axis=1), present.argmax(axis=1), truth.shape[1])
    rank = np.argsort(np.argsort(np.bincount(truth, minlength=len(cohort.classes)), kind="stable"), kind="stable")
    return np.asarray(rank[truth])
