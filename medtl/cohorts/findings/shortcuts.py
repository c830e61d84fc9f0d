"""Shortcuts: can one thing that is not the picture's content tell the label? Size, file, scanner, brightness, age.

A model takes whatever tells the classes apart, and a scanner is easier to see than a disease (Zech and others, PLoS Med
2018;15:e1002683; DeGrave and others, Nat Mach Intell 2021;3:610). Here each recorded field alone predicts the label of
patients it has not seen (`evidence`), and the AUROC says how well.

A field warns when its AUROC is above .7 and so surely above .5 that, with all fields asked, at most about 5 of 100
cohorts without a shortcut are warned of any (Bonferroni on the lower bound). Simulated with 19 fields of pure chance
and two classes, 150 to 500 cohorts each, 0.5, 3.8 and 0.0 % of those with 20, 60 and 300 images were warned; with one
to three images a patient 0.0, 1.0 and 2.0 %, with four classes 0.3, 3.2 and 0.0 %. Among the 19 a scanner that goes
with the label in 9 of 10 images was found in 0, 30 and 100 % of cohorts of 12, 20 and 40; in 8 of 10, in 52, 85 and
100 % of cohorts of 40, 60 and 100.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from medtl.cohorts import limits
from medtl.cohorts.findings.evidence import Question, Trial
from medtl.cohorts.findings.fields import Ints, Levels, recorded
from medtl.cohorts.findings.intervals import of_auroc
from medtl.cohorts.findings.looks import Looks
from medtl.cohorts.findings.phrases import listed, percent
from medtl.cohorts.findings.positives import positive_class
from medtl.vocabulary import Case, Finding, Task

WARNS = 0.7  # AUROC
FALSE_ALARM = 0.05  # of cohorts without a shortcut, over all fields together
TOGETHER = "all together"
ADDS = 0.05  # AUROC that all fields together must add to the best of them to be worth a warning
SHOWN = 8  # cases of either side, to look at


@dataclass(frozen=True)
class Shortcut:
    """How well one field alone tells the label. `says` is a sentence, `advice` what to do.

    `classes`: those it tells apart, or the only one it tells from all others. For more than two the AUROC is the mean
    of one against the rest. `low` and `high`: 95 %, Newcombe's method 5 with patients as observations (`Trial.ill`);
    for a mean, the mean of the bounds. `n` counts images. `warns`: above .7 and not by chance. `cases`: typical ones of
    both sides, in turn.
    """

    field: str
    says: str
    advice: str
    auroc: float
    low: float
    high: float
    n: int
    classes: tuple[str, ...]
    warns: bool
    cases: tuple[str, ...] = ()


def findings(cases: Sequence[Case], looks: Mapping[str, Looks], task: Task = "single-label") -> list[Finding]:
    """A warning for each field that tells the label, the strongest first; all together if they tell it still better."""
    warned = [found for found in find(cases, looks, task) if found.warns]
    best = max((found.auroc for found in warned if found.field != TOGETHER), default=0.0)
    return [
        Finding("shortcut", "warn", found.says, found.advice, found.cases)
        for found in warned
        if found.field != TOGETHER or found.auroc > best + ADDS
    ]


def find(
    cases: Sequence[Case], looks: Mapping[str, Looks], task: Task = "single-label", seed: int = 0
) -> tuple[Shortcut, ...]:
    """Every field that can be asked, the strongest first; folds are drawn from `seed`."""
    people = _people(cases)
    trials = [Trial(question, people, seed) for question in _questions(cases, task)]
    trials = [trial for trial in trials if trial.fewest >= limits.FEWEST_CASES]
    fields = recorded(cases, looks)
    if not trials or not fields:
        return ()
    jury = _Jury(trials, whole=task != "multi-label" and len(trials) > 1, fields=len(fields) + 1)
    found = [_alone(cases, levels, jury) for levels in fields]
    return tuple(sorted([*found, *_together(fields, jury)], key=lambda one: (not one.warns, -one.auroc, one.field)))


# ---- questions ------------------------------------------------------------------------------------------------------


def _questions(cases: Sequence[Case], task: Task) -> list[Question]:
    """One for two classes, else one for each class or finding."""
    if task == "multi-label":
        names = sorted({name for case in cases for name in case.labels})
        return [_present(name, cases) for name in names]
    labels = np.array([case.label for case in cases], object)
    classes = sorted(set(labels))
    positive = positive_class(cases, classes)
    if positive is not None:
        (other,) = (label for label in classes if label != positive)
        return [_is(positive, f"'{other}'", tuple(classes), labels)]
    return [_is(label, "the other classes", (label,), labels) for label in classes] if len(classes) > 2 else []


def _is(label: str, others: str, classes: tuple[str, ...], labels: NDArray[np.object_]) -> Question:
    return Question(label, f"'{label}' from {others}", f"are '{label}'", classes, (labels == label).astype(np.int64))


def _present(name: str, cases: Sequence[Case]) -> Question:
    truth = np.array([case.labels.get(name, -1) for case in cases])
    return Question(name, f"cases with '{name}' from those without", f"have '{name}'", (name,), truth)


def _people(cases: Sequence[Case]) -> Ints:
    """(N,) a number for what must not be divided: the patient, else the clip or series, else the image."""
    number: dict[str, int] = {}
    keys = (case.patient or case.group or case.id for case in cases)
    return np.array([number.setdefault(key, len(number)) for key in keys])


# ---- answers --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Verdict:
    """An AUROC with its 95 % interval, and the lower bound that chance brings above .5 in one of 20 cohorts at most."""

    auroc: float
    low: float
    high: float
    surely: float
    trial: Trial  # that it is about, or of a mean the plainest
    of: tuple[str, ...]  # the classes it tells apart

    @property
    def warns(self) -> bool:
        return self.auroc > WARNS and self.surely > 0.5


class _Jury:
    """Judges AUROCs, one a trial, knowing how many are looked at. `whole`: the mean over all classes counts as well."""

    def __init__(self, trials: Sequence[Trial], whole: bool, fields: int) -> None:
        self.trials, self.whole = trials, whole
        # Halved, for which way a field points is learned: chance may go either way.
        self.z = NormalDist().inv_cdf(1 - FALSE_ALARM / 2 / (fields * (len(trials) + whole)))

    def judge(self, aurocs: Sequence[float]) -> _Verdict:
        """The mean of one class against the rest, unless only a single class (or finding) is told."""
        each = [self._verdict(auroc, trial) for auroc, trial in zip(aurocs, self.trials, strict=True)]
        best = max(each, key=lambda verdict: (verdict.warns, verdict.auroc))
        if not self.whole:
            return best
        auroc, low, high, surely = np.mean([(one.auroc, one.low, one.high, one.surely) for one in each], axis=0)
        names = tuple(trial.question.name for trial in self.trials)
        mean = _Verdict(float(auroc), float(low), float(high), float(surely), best.trial, names)
        return best if best.warns and not mean.warns else mean

    def _verdict(self, auroc: float, trial: Trial) -> _Verdict:
        low, high = of_auroc(auroc, trial.ill, trial.well)
        surely, _ = of_auroc(auroc, trial.ill, trial.well, self.z)
        return _Verdict(auroc, low, high, surely, trial, trial.question.classes)


def _alone(cases: Sequence[Case], levels: Levels, jury: _Jury) -> Shortcut:
    count = len(levels.names)
    verdict = jury.judge([trial.auroc_of(levels.codes, count) for trial in jury.trials])
    has, has_not = (verdict.trial.counts(levels.codes, count, value).sum(0) for value in (1, 0))
    high, low = _extremes(has, has_not)
    name = f"{levels.field.name} (and with it the {listed(levels.also)})" if levels.also else levels.field.name
    example = _example(levels, high, low, has, has_not, verdict.trial.question.share)
    found = _shortcut(levels.field.name, f"The {name} alone tells", verdict, example, ADVICE[levels.field.origin])
    return replace(found, cases=_side_by_side(cases, levels.codes, high, low, verdict.trial)) if found.warns else found


def _together(fields: Sequence[Levels], jury: _Jury) -> list[Shortcut]:
    """Naive Bayes: the evidence of all fields added up. Age and sex are left out: they are no fault of the images."""
    used = [levels for levels in fields if levels.field.origin != "person"]
    if len(used) < 2:
        return []
    verdict = jury.judge([
        trial.auroc(np.sum([trial.weights(levels.codes, len(levels.names)) for levels in used], axis=0))
        for trial in jury.trials
    ])
    example = f"used were {listed((levels.field.name for levels in used), 6)}"
    return [_shortcut(TOGETHER, "All recorded fields together tell", verdict, example, ADVICE[TOGETHER])]


def _extremes(has: Ints, has_not: Ints) -> tuple[int, int]:
    """The levels that stand out most to either side, in standard errors, so that a handful of cases is no example."""
    total = has + has_not
    usual = has.sum() / total.sum()
    off = (has - usual * total) / np.sqrt(np.maximum(total, 1))
    return int(np.argmax(off)), int(np.argmin(off))


def _side_by_side(cases: Sequence[Case], codes: Ints, high: int, low: int, trial: Trial) -> tuple[str, ...]:
    """One of each side in turn, of different patients: what the field says, the label says too."""
    sides = []
    for level, truth in ((high, 1), (low, 0)):
        rows = np.flatnonzero((codes == level) & (trial.truth == truth))
        _, first = np.unique(trial.people[rows], return_index=True)
        sides.append(rows[np.sort(first)][:SHOWN])
    return tuple(cases[row].id for pair in zip(*sides, strict=False) for row in pair)


# ---- words ----------------------------------------------------------------------------------------------------------

NO_MORE = "a model that reaches no more than {auroc} may have learned no more than this."
ADVICE = {
    "acquisition": "A model can learn the {field} instead of the disease. Collect all classes with every {field}, or "
    "keep only the part of the images where all classes occur. Compare: " + NO_MORE,
    "file": "This comes from how the files were made, not from the disease. Export all images in one way and add them "
    "again, or leave out those that were made differently. Compare: " + NO_MORE,
    "compression": "How small a file packs depends on how it was saved, and on how smooth the picture is: it may be an "
    "earlier compression, an enlargement, or the disease itself. Look at images of both sides; if it is not the "
    "disease, start from originals that were saved alike. Compare: " + NO_MORE,
    "picture": "It may be the disease itself, or the device, or the export: only a person can say. Look at images of "
    "both sides; if it is not the disease, export them alike. Compare: " + NO_MORE,
    "person": "The {field} is no fault of the images; the disease may go with it. But a model can read it from an "
    "image: match the classes by {field}, or report the results for each group. Compare: " + NO_MORE,
    TOGETHER: "No single field needs to be at fault. Make the classes more alike in how they were acquired and "
    "exported. Compare: " + NO_MORE,
}


def _shortcut(field: str, begins: str, verdict: _Verdict, example: str, advice: str) -> Shortcut:
    trial, auroc = verdict.trial, f"{verdict.auroc:.2f}"
    several = len(verdict.of) > 2
    told = f"the {len(verdict.of)} classes apart" if several else trial.question.tells
    mean = ", mean of one class against the rest" if several else ""
    of = f" images of {trial.patients:,} patients" if trial.patients < trial.n else ""
    numbers = f"AUROC {auroc}{mean}, {verdict.low:.2f} to {verdict.high:.2f}, n = {trial.n:,}{of}"
    return Shortcut(
        field,
        f"{begins} {told} ({numbers}): {example}.",
        advice.format(field=field, auroc=f"AUROC {auroc}"),
        verdict.auroc,
        verdict.low,
        verdict.high,
        trial.n,
        verdict.of,
        verdict.warns,
    )


def _example(levels: Levels, high: int, low: int, has: Ints, has_not: Ints, share: str) -> str:
    """The shares as they are, at the two levels that tell most."""
    most, least = (percent(has[level] / max(1, has[level] + has_not[level])) for level in (high, low))
    if levels.ordered:
        return f"where it is {levels.names[high]}, {most} {share}; where it is {levels.names[low]}, {least}"
    return f"of {levels.names[high]} {most} {share}, of {levels.names[low]} {least}"
