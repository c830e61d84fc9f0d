"""Several images of a patient become one answer about the patient: how, chosen on the tune part, and what it comes to
on the test part beside the answers image by image.

Letters: n images, g patients. A patient has it as soon as one image shows it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from medtl.errors import BadInput
from medtl.evaluation import operating, sentences, words
from medtl.evaluation.intervals import FEW
from medtl.evaluation.operating import YOUDEN
from medtl.evaluation.resampling import Bools, Floats, Ints, Resampling
from medtl.evaluation.sides import Side, auroc_side, average, of_view, paired
from medtl.evaluation.thresholds import positive_index
from medtl.evaluation.values import spoken
from medtl.evaluation.views import View
from medtl.vocabulary import Estimate, OperatingRule, Task, Threshold

Rule = Literal["mean", "max", "noisy-or"]
RULES: dict[Rule, str] = {
    "mean": "the mean of the patient's scores",
    "max": "the highest of the patient's scores",
    "noisy-or": "the chance that at least one image shows it, were the images independent (noisy-or)",
}
ENOUGH = 20  # tune patients with several images, for a rule to be chosen among them


@dataclass(frozen=True)
class Pooling:
    """The rule, and why; `tried` is the AUROC of each rule over the tune part's patients."""

    rule: Rule
    why: str
    tried: Mapping[Rule, Estimate] = field(default_factory=dict)


@dataclass(frozen=True)
class Level:
    """What the test part says of images, or of patients: counts, numbers, and the threshold of the tune part."""

    unit: Literal["image", "patient"]
    n: int
    present: int
    found: int
    let_pass: int
    threshold: Threshold
    estimates: tuple[Estimate, ...]
    notes: tuple[str, ...]

    def get(self, name: str) -> Estimate | None:
        return next((one for one in self.estimates if one.name == name), None)


@dataclass(frozen=True)
class Pooled:
    """`differences` are patients less images, paired by patient. `several` test patients have more than one image, and
    `mixed` of them images with and without it."""

    name: str
    pooling: Pooling
    images: Level
    patients: Level
    differences: tuple[Estimate, ...]
    several: int
    mixed: int
    says: tuple[str, ...]


def rules_for(task: Task, classes: Sequence[str]) -> tuple[Rule, ...]:
    """Of more than two classes without order only the mean: any other would give scores that no longer share one
    between them. (The mean of the logits would; one image that rules a class out would then rule it out for good.)"""
    return ("mean",) if task == "single-label" and len(classes) > 2 else tuple(RULES)


def pooled(score: Floats, group: Ints, rule: Rule) -> Floats:
    """(n,) or (n, k) scores in [0, 1] -> (g,) or (g, k), patients in the order of their number."""
    if rule not in RULES:
        raise BadInput(f"There is no way of pooling called {rule!r}.", f"Take one of {', '.join(RULES)}.")
    score = np.asarray(score, float)
    if not len(score):
        return score
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.append(True, np.diff(group[order]) > 0))
    if rule == "max":
        return np.asarray(np.maximum.reduceat(score[order], starts, axis=0))
    if rule == "noisy-or":  # 1 - product of (1 - score), Pearl 1988
        return np.asarray(-np.expm1(np.add.reduceat(np.log1p(-np.minimum(score[order], 1 - 1e-12)), starts, axis=0)))
    images = np.diff(np.append(starts, len(score))).reshape(-1, *[1] * (score.ndim - 1))
    return np.asarray(np.add.reduceat(score[order], starts, axis=0) / images)


def table(scores: Floats, group: Ints, rule: Rule, task: Task, classes: Sequence[str], positive: str | None) -> Floats:
    """(n, K) -> (g, K): of two classes the one that counts is pooled, of grades "this or higher", of findings each by
    itself, of more classes all. Scores of one label sum to 1 afterwards, too."""
    if task == "multi-label" or (len(classes) > 2 and task != "ordinal"):
        return pooled(scores, group, rule)
    if task == "ordinal" and len(classes) > 2:
        beyond = np.clip(np.cumsum(scores[:, ::-1], axis=1)[:, ::-1], 0, 1)  # (n, K) this grade or higher
        most = pooled(beyond, group, rule)
        most[:, 0] = 1.0
        return np.asarray(most - np.append(most[:, 1:], np.zeros((len(most), 1)), axis=1))
    at = positive_index(classes, positive)
    has = pooled(scores[:, at], group, rule)
    return np.stack([has, 1 - has] if at == 0 else [1 - has, has], axis=1)


def by_patient(view: View, whose: Resampling, rule: Rule) -> tuple[View, Resampling]:
    """The view with a row a patient, and who the rows are. `index` is the table's row of the patient's first image;
    `whose` may be of the whole table."""
    whose = whose.of(view.index)
    patients, first, at = np.unique(whose.group, return_index=True, return_inverse=True)
    has = np.bincount(at, view.has, len(patients)) > 0
    score = np.clip(pooled(view.score, at, rule), 0.0, 1.0)
    row = View(view.name, view.without, has, score, view.index[first])
    return row, Resampling(np.zeros((len(patients), 0), np.uint16), patients, "patient", repeats=False)


def choose(tune: Sequence[View], whose: Resampling, rules: Sequence[Rule] = tuple(RULES)) -> Pooling:
    """By the AUROC over the tune part's patients (of grades the mean over the cut points, which must share a rule).

    Another rule than the mean is taken only when its AUROC is higher by more than one standard error of the difference
    (the rule of Breiman et al. 1984): on few patients the best of three is mostly the luckiest.
    """
    several = max((_several(whose.of(view.index).group) for view in tune), default=0)
    if len(rules) == 1:
        return Pooling(rules[0], f"{_start(RULES[rules[0]])}, so that the scores of the classes still sum to 1.")
    if several < ENOUGH:
        return Pooling(
            "mean",
            f"{_start(RULES['mean'])}: {several} tune patient{'' if several == 1 else 's'} with several images "
            f"{'is' if several == 1 else 'are'} too few to choose ({ENOUGH} would do).",
        )
    sides = {rule: _auroc(tune, whose, rule) for rule in rules}
    known: dict[Rule, Side] = {rule: side for rule, side in sides.items() if side is not None}
    if "mean" not in known or known["mean"].units < FEW:
        return Pooling("mean", f"{_start(RULES['mean'])}: too few tune patients with or without it to choose.")
    tried = {rule: side.estimate for rule, side in known.items()}
    best = max(known, key=lambda rule: (tried[rule].value, rule == "mean"))
    if best != "mean":
        difference = paired(known[best], known["mean"])
        error = (difference.high - difference.low) / 4
        if difference.value > error:
            return Pooling(
                best, f"{_start(RULES[best])}: on the tune part its AUROC over patients was {tried[best].value:.2f}, "
                f"that of the mean {tried['mean'].value:.2f}.", tried,
            )  # fmt: skip
    return Pooling(
        "mean", f"{_start(RULES['mean'])}: on {several} tune patients with several images no other way ranked better "
        "beyond chance.", tried,
    )  # fmt: skip


def pool(
    tune: View,
    test: View,
    whose_tune: Resampling,
    whose_test: Resampling,
    pooling: Pooling | None = None,
    wanted: OperatingRule = YOUDEN,
    threshold: Threshold | None = None,
    called: tuple[Bools, Bools] | None = None,
) -> Pooled:
    """Images and patients side by side. Both thresholds come from the tune part, chosen in the same way; `threshold` is
    that of the images where it is frozen already. Where no threshold decides but the highest score or the middle grade
    (then `threshold` says so), `called` are the calls of the test part's images (n,) and patients (g,). `whose_*` are
    of the tables the views are of."""
    pooling = pooling or choose([tune], whose_tune)
    of_tune, of_test = whose_tune.of(tune.index), whose_test.of(test.index)
    tune_patients, _ = by_patient(tune, of_tune, pooling.rule)
    patients, whose = by_patient(test, of_test, pooling.rule)
    frozen = threshold or operating.choose(tune.has, tune.score, wanted, tune.name, of_tune.group)
    chosen = frozen if called else operating.choose(tune_patients.has, tune_patients.score, wanted, tune.name)
    calls = called or tuple(view.score >= _value(at) for view, at in ((test, frozen), (patients, chosen)))
    image, image_sides = _level("image", test, of_test, frozen, calls[0])
    patient, patient_sides = _level("patient", patients, whose, chosen, calls[1])
    differences = tuple(
        paired(side, image_sides[name]) for name, side in patient_sides.items() if name in image_sides and name != "ppv"
    )
    several = _several(of_test.group)
    mixed = len(np.intersect1d(of_test.group[test.has], of_test.group[~test.has]))
    says = _says(test, pooling, image, patient, differences, several, mixed)
    return Pooled(test.name, pooling, image, patient, differences, several, mixed, tuple(says))


def _several(group: Ints) -> int:
    return int((np.bincount(group) > 1).sum()) if len(group) else 0


def _auroc(views: Sequence[View], whose: Resampling, rule: Rule) -> Side | None:
    each = []
    for view in views:
        row, of = by_patient(view, whose, rule)
        each.append(auroc_side(row.has, row.score, _all(row.has), of))
    known = [side for side in each if side is not None]
    return known[0] if len(known) == 1 else average(known)


def _level(
    unit: Literal["image", "patient"], view: View, whose: Resampling, threshold: Threshold, called: Bools
) -> tuple[Level, dict[str, Side]]:
    has, score = operating.checked(view.has, view.score)
    point = operating.count(has, called, whose.group, _value(threshold))
    sides = of_view(has, score, called, _all(has), whose) if len(view) else {}
    estimates = [*point.estimates, *(side.estimate for name, side in sides.items() if name == "auroc")]
    made = Level(unit, len(view), int(view.has.sum()), point.tp, point.tn, threshold, tuple(estimates), point.notes)
    return made, sides


def _value(threshold: Threshold) -> float:
    return threshold.value if threshold.value is not None else 0.5


def _all(has: Bools) -> Bools:
    return np.ones(len(has), bool)


# ---- words ----------------------------------------------------------------------------------------------------------


def _says(
    view: View, pooling: Pooling, images: Level, patients: Level, differences: Sequence[Estimate], several: int,
    mixed: int,
) -> list[str]:  # fmt: skip
    if not patients.n:
        return ["There is no case in the test part, so nothing can be said."]
    if not several:
        return ["Every patient of the test part has one image, so images and patients are the same."]
    by_image = _counts(view, images)
    says = [_counts(view, patients), f"Image by image: {by_image[:1].lower()}{by_image[1:]}"]
    for one in differences:
        if one.low > 0 or one.high < 0:
            says.append(
                f"{words.title(one.name)} is {'higher' if one.value > 0 else 'lower'} by patient than by image, by "
                f"{_by(one)}."
            )
    says.append(f"One answer a patient is {pooling.why[:1].lower()}{pooling.why[1:]}")
    if mixed:
        says.append(
            f"{mixed} of {patients.n} patients {'has' if mixed == 1 else 'have'} both {spoken(view.name)} and "
            f"{spoken(view.without)} images: they count as {spoken(view.name)}, as one such image is enough."
        )
    return says + _few(view, patients)


def _few(view: View, level: Level) -> list[str]:
    absent = level.n - level.present
    made = []
    for name, hits, n, measure in (
        (view.name, level.found, level.present, "sensitivity"), (view.without, level.let_pass, absent, "specificity"),
    ):  # fmt: skip
        one = level.get(measure)
        made.append(sentences.few(name, level.unit, hits, n, one) if one is not None else None)
    return [text for text in made if text is not None]


def _counts(view: View, level: Level) -> str:
    found, passed = level.get("sensitivity"), level.get("specificity")
    parts = []
    if found is not None:
        parts.append(
            f"found {level.found} of {level.present} {spoken(view.name)} {level.unit}s "
            f"(sensitivity {sentences.share(found)})"
        )
    if passed is not None:
        without = level.n - level.present
        parts.append(
            f"let {level.let_pass} of {without} {spoken(view.without)} {level.unit}s pass "
            f"(specificity {sentences.share(passed)})"
        )
    return f"{_start(', and '.join(parts))}."


def _by(gap: Estimate) -> str:
    low, high = sorted((abs(gap.low), abs(gap.high)))
    if gap.name in words.PERCENT:
        return f"{100 * abs(gap.value):.0f} points ({100 * low:.0f}–{100 * high:.0f})"
    return f"{abs(gap.value):.2f} ({low:.2f}–{high:.2f})"


def _start(text: str) -> str:
    return text[:1].upper() + text[1:]
