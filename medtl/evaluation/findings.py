"""The test of several findings: each judged by itself on the cases where its label is sure, and the mean over them.

Letters: n cases, F findings; labels (n, F) are 1 present, 0 absent, below 0 not sure (uncertain -1, nobody said -2).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medtl.errors import BadInput
from medtl.evaluation import comparison, conformal, evaluation, intervals, ranking
from medtl.evaluation.comparison import SOURCE, Comparison, Worth
from medtl.evaluation.evaluation import Evaluation
from medtl.evaluation.operating import YOUDEN
from medtl.evaluation.resampling import Bools, Floats, Ints, Resampling, Weights, percentiles, resample
from medtl.vocabulary import Estimate, OperatingRule, Threshold, to_dict, without

FEWEST = 5  # of either kind in the test part; with fewer a finding is shown, but judged by nobody
AVERAGED = ("auroc", "auprc", "sensitivity", "specificity", "brier")
NEVER = "accuracy"  # of a rare finding it says how rare it is
CELLS = 150_000  # cases x findings above which fewer draws are made, so that a large test takes minutes at most
Patients = NDArray[np.object_] | None


@dataclass(frozen=True)
class Counted:
    """How many cases of the test part have a finding, have not, and were left out as nobody is sure."""

    present: int
    absent: int
    uncertain: int
    unsaid: int

    @property
    def few(self) -> bool:
        return min(self.present, self.absent) < FEWEST


@dataclass(frozen=True)
class Findings:
    """What the test part says. `each` holds the findings that some test case is sure of, in their order, as if there
    were no other; `limits` the least score with which an answer of that finding cannot be ruled out."""

    classes: tuple[str, ...]
    estimates: tuple[Estimate, ...]
    control: Comparison | None
    sentence: str
    small_test: str | None
    notes: tuple[str, ...]
    curves: dict[str, Any]
    each: Mapping[str, Evaluation]
    counts: Mapping[str, Counted]
    limits: Mapping[str, float]
    rule: str

    @property
    def threshold(self) -> Threshold:
        return Threshold(
            None, "tune", f"Each finding has a threshold of its own, chosen on the tune part: {self.rule}."
        )

    @property
    def thresholds(self) -> dict[str, float]:
        """Finding -> the score it is called from; 0.5 where nothing was known to choose one."""
        return _thresholds(self.each, self.classes)

    def as_dict(self) -> dict[str, Any]:
        return {
            "schema_version": 1,
            "task": "multi-label",
            "estimates": [to_dict(estimate) for estimate in self.estimates],
            "threshold": to_dict(self.threshold),
            "control": to_dict(self.control) if self.control else None,
            "confusion": None,
            "sentence": self.sentence,
            "small_test": self.small_test,
            "notes": list(self.notes),
            "findings": {
                name: {
                    **(self.each[name].as_dict() if name in self.each else {}),
                    "counts": to_dict(self.counts[name]) | {"few": self.counts[name].few},
                    "set_limit": self.limits[name],
                }
                for name in self.classes
            },
        }


def evaluate(
    y_tune: Ints,
    scores_tune: Floats,
    y_test: Ints,
    scores_test: Floats,
    classes: Sequence[str],
    patients_test: Patients,
    control_scores_test: Floats | None = None,
    control_name: str = "thumbnails",
    seed: int = 0,
    draws: int = 2000,
    rule: OperatingRule = YOUDEN,
    patients_tune: Patients = None,
) -> Findings:
    """Choose each threshold on the tune part, then score the test part once. Scores (n, F) are each in [0, 1]."""
    classes = tuple(classes)
    for y, scores in ((y_tune, scores_tune), (y_test, scores_test)):
        _check(y, scores, classes)
    draws = affordable(y_test.size, draws)
    each, counts, limits = {}, {}, {}
    for k, name in enumerate(classes):
        tune, test = y_tune[:, k] >= 0, y_test[:, k] >= 0
        two = (without(name), name)
        counts[name] = Counted(*(int((y_test[:, k] == value).sum()) for value in (1, 0, -1, -2)))
        limits[name] = conformal.limit(y_tune[tune, k].astype(int), _both(scores_tune[tune, k]))
        if not test.any():
            continue
        made = evaluation.evaluate(
            y_tune[tune, k].astype(int), _both(scores_tune[tune, k]),
            y_test[test, k].astype(int), _both(scores_test[test, k]), two, name,
            patients_test[test] if patients_test is not None else None,
            _both(control_scores_test[test, k]) if control_scores_test is not None else None,
            control_name, seed, draws, rule=rule,
            patients_tune=patients_tune[tune] if patients_tune is not None else None,
        )  # fmt: skip
        each[name] = replace(made, estimates=tuple(one for one in made.estimates if one.name != NEVER))
    resampling = _resampling(len(y_test), patients_test, seed, draws)
    judged = _judged(y_test)
    calls = scores_test >= np.array(list(_thresholds(each, classes).values()))
    means = _means(y_test, scores_test, calls, judged, resampling, each, classes)
    control = None
    if control_scores_test is not None and judged:
        control = against(y_test, scores_test, control_scores_test, resampling, control_name)
    return Findings(
        classes=classes,
        estimates=(*means, *_renamed(each)),
        control=control,
        sentence=_sentence(means, judged, each, classes),
        small_test=_small(counts, each),
        notes=_notes(counts, judged, classes),
        curves={"roc": {name: made.curves["roc"][name] for name, made in each.items() if name in made.curves["roc"]}},
        each=each,
        counts=counts,
        limits=limits,
        rule=rule.says,
    )


def affordable(size: int, draws: int) -> int:
    """How many draws are made of a table of so many cases x findings."""
    return min(draws, max(400, draws * CELLS // max(1, size)))


def compare(
    y: Ints, scores: Floats, control_scores: Floats, patients: Patients,
    name: str = "from-scratch", run: str | None = None, seed: int = 0, draws: int = 2000, worth: Worth = SOURCE,
) -> dict[str, Any]:  # fmt: skip
    """The model against a control that came later, as control.json holds it."""
    said: dict[str, Any] = to_dict(
        against(y, scores, control_scores, _resampling(len(y), patients, seed, draws), name, run, worth)
    )
    return said


def against(
    y: Ints,
    scores: Floats,
    control_scores: Floats,
    resampling: Resampling,
    name: str,
    run: str | None = None,
    worth: Worth = SOURCE,
) -> Comparison:
    """Mean AUROC of the model less that of the control, from the same draws of patients. Raises BadInput where no
    finding has test cases of both kinds."""
    judged = _judged(y)
    if not judged:
        raise BadInput(
            "Two models cannot be compared here: no finding has test cases with and without it.",
            "Bring a cohort whose test part holds both for some finding.",
        )
    ours, theirs = (_aurocs(y, one, judged, resampling) for one in (scores, control_scores))
    (value_a, drawn_a), (value_b, drawn_b) = ours, theirs
    of_a, of_b = (_spread(y, judged, *one, resampling) for one in (ours, theirs))
    low, high = percentiles(drawn_a - drawn_b)
    how = resampling.how
    if not high > low:
        low, high = intervals.square_and_add(value_a, of_a, value_b, of_b)
        how = "square and add, all draws agree"
    units = resampling.units(np.ones(len(y), bool))
    return comparison.told(
        run, name, Estimate("auroc", value_b, *of_b, len(y), resampling.how),
        Estimate("auroc", value_a - value_b, low, high, len(y), how), f"{units} {resampling.unit}s", worth,
    )  # fmt: skip


def _thresholds(each: Mapping[str, Evaluation], classes: Sequence[str]) -> dict[str, float]:
    values = {name: each[name].threshold.value if name in each else None for name in classes}
    return {name: 0.5 if value is None else value for name, value in values.items()}


# ---- means over the findings ----------------------------------------------------------------------------------------


def _judged(y: Ints) -> list[int]:
    """The findings that enter the means: enough of either kind; where there is no such finding, some of either."""
    kinds = [min(int((column == 1).sum()), int((column == 0).sum())) for column in y.T]
    return [k for k, fewest in enumerate(kinds) if fewest >= FEWEST] or [k for k, fewest in enumerate(kinds) if fewest]


def _means(
    y: Ints, scores: Floats, calls: Bools, judged: list[int], resampling: Resampling,
    each: Mapping[str, Evaluation], classes: Sequence[str],
) -> list[Estimate]:  # fmt: skip
    if not judged:
        return []
    whole = _values(y, scores, calls, judged, np.ones((len(y), 1), np.float32))
    parts = [_values(y, scores, calls, judged, weights) for weights in resampling.chunks()]
    n = int((y[:, judged] >= 0).any(axis=1).sum())
    made = []
    for name in AVERAGED:
        value = float(whole[name][0])
        low, high = percentiles(np.concatenate([part[name] for part in parts]))
        how = resampling.how
        if not high > low:  # draws that all agree say nothing: the mean of the findings' own bounds does
            own = [one for k in judged for one in each[classes[k]].estimates if one.name == name]
            if not own:
                continue
            low, high = (float(np.mean([getattr(one, end) for one in own])) for end in ("low", "high"))
            how = "mean of the findings' bounds"
        made.append(Estimate(name, value, low, high, n, how))
    return made


def _values(y: Ints, scores: Floats, calls: Bools, judged: list[int], weights: Weights) -> dict[str, Floats]:
    """Name -> (d,): the mean over the judged findings, for weights (n, d); NaN where a draw lacks a kind in all."""
    found: dict[str, list[Floats]] = {name: [] for name in AVERAGED}
    for k in judged:
        sure = y[:, k] >= 0
        w, has, called = weights[sure], y[sure, k] == 1, calls[sure, k]
        true, false = ranking.found(ranking.rank(has, scores[sure, k]), w)
        found["auroc"].append(ranking.auroc(true, false))
        found["auprc"].append(ranking.auprc(true, false))
        miss = ((scores[sure, k] - has) ** 2).astype(w.dtype)
        with np.errstate(divide="ignore", invalid="ignore"):
            found["brier"].append(np.einsum("n,nd->d", miss, w) / w.sum(axis=0, dtype=float))
            found["sensitivity"].append(w[has & called].sum(axis=0, dtype=float) / w[has].sum(axis=0, dtype=float))
            found["specificity"].append(w[~has & ~called].sum(axis=0, dtype=float) / w[~has].sum(axis=0, dtype=float))
    return {name: _mean(values) for name, values in found.items()}


def _aurocs(y: Ints, scores: Floats, judged: list[int], resampling: Resampling) -> tuple[float, Floats]:
    """The mean AUROC, and in each draw."""
    sure = [y[:, k] >= 0 for k in judged]
    ranks = [ranking.rank(y[mask, k] == 1, scores[mask, k]) for k, mask in zip(judged, sure, strict=True)]

    def mean(weights: Weights) -> Floats:
        return _mean([ranking.auroc(*ranking.found(one, weights[m])) for one, m in zip(ranks, sure, strict=True)])

    drawn = np.concatenate([mean(weights) for weights in resampling.chunks()])
    return float(mean(np.ones((len(y), 1), np.float32))[0]), drawn


def _spread(y: Ints, judged: list[int], value: float, drawn: Floats, resampling: Resampling) -> tuple[float, float]:
    """The draws' interval, or Newcombe's for as many patients as the rarest judged finding has."""
    low, high = percentiles(drawn)
    if high > low:
        return low, high
    units = [(resampling.units(y[:, k] == 1), resampling.units(y[:, k] == 0)) for k in judged]
    return intervals.newcombe(value, *min(units))


def _mean(values: list[Floats]) -> Floats:
    """Over those that have a value, draw by draw; NaN where none has."""
    table = np.stack(values)
    known = np.isfinite(table).sum(axis=0)
    return np.where(known > 0, np.nansum(table, axis=0) / np.maximum(known, 1), np.nan)


def _resampling(n: int, patients: Patients, seed: int, draws: int) -> Resampling:
    """Draws of patients with all their cases; not by kind, as a patient is of many kinds."""
    return resample(np.zeros(n, int), patients, None, seed, draws)


# ---- words ----------------------------------------------------------------------------------------------------------


def _renamed(each: Mapping[str, Evaluation]) -> list[Estimate]:
    return [replace(one, name=f"{one.name}[{name}]") for name, made in each.items() for one in made.estimates]


def _sentence(
    means: Sequence[Estimate], judged: list[int], each: Mapping[str, Evaluation], classes: Sequence[str]
) -> str:
    auroc = next((one for one in means if one.name == "auroc"), None)
    if auroc is None:
        return "No finding has test cases with and without it, so nothing can be said."
    found = [(one, classes[k]) for k in judged for one in each[classes[k]].estimates if one.name == "auroc"]
    text = f"Over {len(judged)} findings the mean AUROC was {_short(auroc)}" if len(judged) > 1 else ""
    if len(judged) == 1:
        return f"{classes[judged[0]]}: AUROC {_short(auroc)} in this test part; the other findings cannot be judged."
    if len(found) > 1:
        best, worst = max(found, key=lambda pair: pair[0].value), min(found, key=lambda pair: pair[0].value)
        text += (
            f" in this test part: highest for {best[1]}, {_short(best[0])}, lowest for {worst[1]}, {_short(worst[0])}"
        )
    return text + "."


def _short(one: Estimate) -> str:
    return f"{one.value:.2f} ({one.low:.2f} to {one.high:.2f})"


def _small(counts: Mapping[str, Counted], each: Mapping[str, Evaluation]) -> str | None:
    """Which findings nothing can be said of, and of the rarest of the others what it could be."""
    few = [name for name, one in counts.items() if one.few]
    said = []
    if few:
        said.append(
            f"Fewer than {FEWEST} test cases with or without {_listed(few)}: nothing can be said of "
            f"{'it' if len(few) == 1 else 'them'}."
        )
    warned = {name: each[name].small_test for name in counts if name not in few and name in each}
    warned = {name: text for name, text in warned.items() if text}
    if warned:
        rarest = min(warned, key=lambda name: min(counts[name].present, counts[name].absent))
        said.append(str(warned.pop(rarest)))
        if warned:
            said.append(f"Little can be said of {_listed(list(warned))}, too.")
    return " ".join(said) or None


def _notes(counts: Mapping[str, Counted], judged: list[int], classes: Sequence[str]) -> tuple[str, ...]:
    said = []
    uncertain = sum(one.uncertain for one in counts.values())
    unsaid = sum(one.unsaid for one in counts.values())
    if uncertain or unsaid:
        said.append(
            f"Every finding is counted on the test cases whose label is sure: {uncertain:,} uncertain labels and "
            f"{unsaid:,} that nobody stated were left out."
        )
    if 0 < len(judged) < len(classes):
        said.append(f"The means leave out {_listed([name for k, name in enumerate(classes) if k not in judged])}.")
    return tuple(said)


def _listed(names: Sequence[str], most: int = 4) -> str:
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _both(score: Floats) -> Floats:
    """(n,) -> (n, 2): absent and present as if they were two classes."""
    return np.stack([1 - score, score], axis=1)


def _check(y: Ints, scores: Floats, classes: Sequence[str]) -> None:
    if scores.shape != (len(y), len(classes)) or y.shape != scores.shape:
        raise BadInput(
            f"Scores of shape {scores.shape} and labels of shape {y.shape} were given for {len(classes)} findings.",
            "Every case needs one score and one label a finding.",
        )
    if not np.isfinite(scores).all():
        raise BadInput(
            "Some scores are not numbers.", "The training has gone astray: train again with a lower learning rate."
        )
