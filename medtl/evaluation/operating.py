"""The operating point: how a threshold is chosen on the tune part, and what it does to cases. One score a case.

Everything at a threshold is counted, not drawn, so that a slider shows the very numbers of the frozen page. Letters: n
cases, g patients.
"""

from dataclasses import dataclass
from math import inf, isfinite

import numpy as np

from medtl.errors import BadInput
from medtl.evaluation.intervals import FEW, Share, ratio, share
from medtl.evaluation.resampling import Bools, Floats, Ints, Resampling
from medtl.vocabulary import Estimate, OperatingKind, OperatingRule, Threshold

RULES: dict[OperatingKind, str] = {  # what each is for, in the order they are offered
    "youden": "No preference: the best sum of sensitivity and specificity.",
    "sensitivity": "Screening: find at least this share of those who have it.",
    "specificity": "Confirming: let at least this share of the others pass.",
    "cost": "Cost: so many false alarms weigh as much as one miss.",
}
NAMES = ("sensitivity", "specificity", "ppv", "npv", "lr_positive", "lr_negative", "accuracy", "f1")


YOUDEN = OperatingRule()
SCREENING = OperatingRule("sensitivity", 0.9)
CONFIRMING = OperatingRule("specificity", 0.9)


@dataclass(frozen=True)
class Point:
    """What a threshold does to n cases: counts of cases, `estimates` in the order of NAMES, and what is missing, said.

    `sensitive` and `alarming` are the shares called among those who have it and who have not.
    """

    threshold: float
    tp: int
    fn: int
    fp: int
    tn: int
    estimates: tuple[Estimate, ...]
    notes: tuple[str, ...]
    sensitive: Share
    alarming: Share

    def get(self, name: str) -> Estimate | None:
        return next((one for one in self.estimates if one.name == name), None)


def choose(
    has: Bools, score: Floats, rule: OperatingRule = YOUDEN, name: str = "positive", group: Ints | None = None,
    calibrated: bool = False,
) -> Threshold:  # fmt: skip
    """The threshold on the tune part: has (n,), score (n,), `group` (n,) whose case it is.

    Halfway between two neighbouring scores. Youden's: of several equally good, the one that finds more, as a miss
    weighs more than a false alarm. A wanted sensitivity: the highest threshold that reaches it; a wanted specificity:
    the lowest. Cost: of calibrated probabilities 1 / (1 + k) by itself, whatever the tune part holds; of other scores
    the threshold with the least k x misses + false alarms. The rule says what to do where a wish cannot be met.
    """
    has, score = checked(has, score)
    if rule.kind == "cost" and calibrated:
        return Threshold(1 / (1 + (rule.value or 1)), "tune", _by_cost(rule, name))
    if has.all() or not has.any():
        why = "holds one class only" if len(has) else "holds no case that could be used"
        return Threshold(0.5, "tune", f"Called {name} from a score of 0.5: the tune part {why}.")
    levels = np.unique(score)[::-1]  # falling; everything from a level up is called
    found, alarms = _share_from(score[has], levels), _share_from(score[~has], levels)
    best = _best(rule, found, alarms, len(score), int(has.sum()))
    if best is None:
        why = "no threshold tells the tune part's classes apart."
        if rule.kind == "cost":
            why = f"where {rule.says}, calling nobody costs least on the tune part. Let a miss weigh more."
        return Threshold(0.5, "tune", f"Called {name} from a score of 0.5: {why}")
    value = _between(levels, best)
    text = f"Called {name} from this score up: {rule.says} on {_cases(score, group)} of the tune part."
    if rule.kind in ("sensitivity", "specificity"):
        text = " ".join([text, *_reached(rule, has, score, value, group, name, best + 1 == len(levels))])
    elif rule.kind == "cost":
        text += (
            f" The scores are not calibrated, so the cost was counted there, where {100 * has.mean():.0f} % have it; "
            "where it is rarer, each false alarm costs more than was counted."
        )
        if best + 1 == len(levels):
            text += " Calling every case costs least there: let a miss weigh less."
    return Threshold(value, "tune", text)


def at(has: Bools, score: Floats, threshold: float, cases: Resampling | Ints | None = None) -> Point:
    """All numbers at a threshold, in well under 20 ms for 10,000 cases. `cases` (the draws, or group (n,)) says whose
    cases they are; without it each is a patient of its own.

    Shares have Wilson's interval, clustered by patient; the likelihood ratios the log method's; F1 = 2 J / (1 + J) that
    of J = TP / (TP + FP + FN), which is a share of cases.
    """
    has, score = checked(has, score)
    if not isfinite(threshold):
        raise BadInput(f"The threshold is {threshold}.", "Give a number between 0 and 1.")
    group = cases.group if isinstance(cases, Resampling) else cases
    return count(has, score >= threshold, np.arange(len(has)) if group is None else group, threshold)


def count(has: Bools, called: Bools, group: Ints, threshold: float = np.nan) -> Point:
    """`at` from calls (n,) made elsewhere, as by a reader."""
    size = int(group.max(initial=-1)) + 1
    cell = np.bincount(group * 4 + 2 * has + called, minlength=4 * size).reshape(size, 4)  # (g, 4)
    tn, fp, fn, tp = cell.T
    everyone = cell.sum(axis=1)
    shares = {
        "sensitivity": share(tp, tp + fn), "specificity": share(tn, tn + fp), "ppv": share(tp, tp + fp),
        "npv": share(tn, tn + fn),
    }  # fmt: skip
    alarming, missed = share(fp, tn + fp), share(fn, tp + fn)
    ratios = {
        "lr_positive": _ratio("lr_positive", shares["sensitivity"], alarming, len(has)),
        "lr_negative": _ratio("lr_negative", missed, shares["specificity"], len(has)),
    }
    made = [_estimate(name, one) for name, one in shares.items()] + list(ratios.values())
    made += [_estimate("accuracy", share(tp + tn, everyone)), _f1(share(tp, tp + fp + fn), len(has))]
    sums = {name: int(one.sum()) for name, one in zip(("tn", "fp", "fn", "tp"), cell.T, strict=True)}
    return Point(
        threshold, sums["tp"], sums["fn"], sums["fp"], sums["tn"], tuple(one for one in made if one),
        _notes(sums, shares["sensitivity"], alarming, missed, shares["specificity"]), shares["sensitivity"], alarming,
    )  # fmt: skip


def checked(has: Bools, score: Floats) -> tuple[Bools, Floats]:
    """As arrays of one length, or an error in words."""
    has, score = np.asarray(has, bool), np.asarray(score, float)
    if has.shape != score.shape or has.ndim != 1:
        raise BadInput(
            f"Scores of shape {score.shape} were given for labels of shape {has.shape}.",
            "Every case needs one of each.",
        )
    if not np.isfinite(score).all():
        raise BadInput(
            f"{int((~np.isfinite(score)).sum())} of {len(score)} cases have a score that is not a number.",
            "The training has gone astray: train again with a lower learning rate.",
        )
    return has, score


# ---- choosing -------------------------------------------------------------------------------------------------------


def _best(rule: OperatingRule, found: Floats, alarms: Floats, n: int, ill: int) -> int | None:
    """Which of the falling levels; None where none is better than another."""
    if rule.kind == "sensitivity":
        return int(np.flatnonzero(found >= (rule.value or 0) - 1e-12)[0])
    if rule.kind == "specificity":
        meets = np.flatnonzero(1 - alarms >= (rule.value or 0) - 1e-12)
        return int(meets[-1]) if len(meets) else 0
    gain = np.round(found - alarms, 12)
    if rule.kind == "cost":
        gain = np.round((rule.value or 0) * found * ill - alarms * (n - ill), 9)
    best = int(np.flatnonzero(gain == gain.max())[-1])
    return best if gain[best] > 0 else None


def _between(levels: Floats, best: int) -> float:
    if best + 1 == len(levels):
        return float(levels[best])
    value = (levels[best] + levels[best + 1]) / 2
    return float(value if value > levels[best + 1] else levels[best])  # two neighbouring floats


def _reached(
    rule: OperatingRule, has: Bools, score: Floats, value: float, group: Ints | None, name: str, everybody: bool
) -> list[str]:
    point = at(has, score, value, group)
    got = point.get(rule.kind)
    assert got is not None  # both classes are there
    hits = point.tp if rule.kind == "sensitivity" else point.tn
    kind = name if rule.kind == "sensitivity" else f"not {name}"
    did = "found" if rule.kind == "sensitivity" else "let pass"
    met = got.value >= (rule.value or 0) - 1e-12
    # Without an interval: these cases chose the threshold, so they cannot tell how well it would do on others.
    said = [f"There it {did} {hits} of {got.n} {kind}{', as it was chosen to' if met else ''}."]
    if not met:
        said.append(
            f"{_percent(rule.value or 0)} cannot be reached with any case called: take Youden's rule or a lower wish."
        )
    elif everybody and rule.kind == "sensitivity":
        said.append("It reaches that only by calling every case there: take Youden's rule or a lower wish.")
    if min(point.sensitive.patients, point.alarming.patients) < FEW:
        said.append("These are too few to place the threshold well.")
    return said


def _by_cost(rule: OperatingRule, name: str) -> str:
    return (
        f"Called {name} from this probability up: {rule.says}, so the threshold is 1 / (1 + {rule.value:g}). It was "
        "reckoned from the calibrated probability, not chosen on cases."
    )


def _cases(score: Floats, group: Ints | None) -> str:
    text = f"the {len(score)} case{'' if len(score) == 1 else 's'}"
    patients = len(score) if group is None else len(np.unique(group))
    return text if patients == len(score) else f"{text} ({patients} patient{'' if patients == 1 else 's'})"


def _share_from(score: Floats, levels: Floats) -> Floats:
    below: Ints = np.searchsorted(np.sort(score), levels, side="left")
    return np.asarray(1 - below / len(score), float)


def _percent(value: float) -> str:
    return f"{100 * value:g} %"


# ---- counting -------------------------------------------------------------------------------------------------------


def _estimate(name: str, one: Share) -> Estimate | None:
    return Estimate(name, one.value, *one.interval, one.n, one.how) if one.n else None


def _ratio(name: str, first: Share, second: Share, n: int) -> Estimate | None:
    """None where it is infinite, or 0 by 0."""
    if not (first.n and second.n and second.hits):
        return None
    low, high = ratio(first, second)
    if not low < high < inf:
        return None
    return Estimate(name, first.value / second.value, low, high, n, _how(first, second))


def _how(first: Share, second: Share) -> str:
    how = "log method" if 0 < first.value < 1 and 0 < second.value < 1 else "from Wilson's intervals"
    return how if first.patients == first.n and second.patients == second.n else f"{how}, clustered by patient"


def _f1(one: Share, n: int) -> Estimate | None:
    if not one.n:
        return None
    low, high = one.interval
    return Estimate("f1", _twice(one.value), _twice(low), _twice(high), n, one.how)


def _twice(jaccard: float) -> float:
    return 2 * jaccard / (1 + jaccard)


def _notes(sums: dict[str, int], found: Share, alarming: Share, missed: Share, passed: Share) -> tuple[str, ...]:
    said: list[str] = []
    if not sum(sums.values()):
        return ("There is no case, so nothing can be said.",)
    if not found.n:
        said.append("No case has it: sensitivity and the likelihood ratios cannot be computed.")
    if not alarming.n:
        said.append("Every case has it: specificity and the likelihood ratios cannot be computed.")
    if not sums["tp"] + sums["fp"]:
        said.append("No case is called: PPV and LR+ cannot be computed.")
    if not sums["tn"] + sums["fn"]:
        said.append("Every case is called: NPV and LR− cannot be computed.")
    if found.n and alarming.n:
        for text, top, bottom in (("LR+: no false alarm", found, alarming), ("LR−: no case let pass", missed, passed)):
            if top.hits and not bottom.hits:
                low, _ = ratio(top, bottom)
                said.append(f"{text} to divide by; it is above {low:.1f}.")
    return tuple(said)
