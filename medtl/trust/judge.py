"""From the scored cases of a run to its `Judgement`. No torch, no network; the test part is judged, never learned from.

Everything rests on predictions.csv: thresholds, calibration and set limits on its tune part, all numbers on its test
part, each with the draws of patients that gave the numbers of the result.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from medtl.cohorts import library as cohorts
from medtl.errors import MedtlError
from medtl.evaluation import (
    conformal,
    curves,
    findings,
    operating,
    pooling,
    recalibrating,
    reliability,
    thresholds,
    utility,
)
from medtl.evaluation.conformal import Coverage
from medtl.evaluation.pooling import Pooled, Pooling
from medtl.evaluation.prevalence import Elsewhere, at_prevalence
from medtl.evaluation.recalibrating import Calibrator
from medtl.evaluation.resampling import Bools, Floats, Ints, Resampling, resample, whose
from medtl.evaluation.subgroups import Subgroups, subgroups, subgroups_of_classes
from medtl.evaluation.views import View, views
from medtl.runs import choices, results
from medtl.runs import findings as of_findings
from medtl.runs.choices import Choices
from medtl.runs.results import Result
from medtl.trust import by_patient, cases, fields
from medtl.trust.cases import Cases, Part
from medtl.trust.values import Judgement, OfView
from medtl.vocabulary import Threshold
from medtl.workspace import Workspace

DRAWS = 2000


def judge(folder: Path) -> Judgement:
    """Of a finished run; what its choices and its cohort add is in it. Raises NotReady where there is no result."""
    result = results.load(folder)
    return _Story(folder, result, cases.read(folder, result), choices.read(folder)).tell()


def calibrators(told: Cases) -> tuple[Calibrator, ...]:
    """One a view, fitted on the tune part; of more than two classes, and of grades, all views share one temperature."""
    if told.tune is None:
        none = Calibrator("none", (), 0, 0, None, "Not calibrated: the answers of the tune part were not kept.")
        return (none,) * len(told.test.views)
    tune = told.tune
    group = whose(len(tune.answers.y), tune.answers.patients).group
    if len(told.question.classes) > 2 and told.question.task != "multi-label":
        one = recalibrating.fit_table(tune.answers.y, tune.answers.scores, group=group)
        return (one,) * len(told.test.views)
    return tuple(recalibrating.fit(view.has, view.score, view.name, group=group[view.index]) for view in tune.views)


def mended(told: Cases, part: Part, calibrators: Sequence[Calibrator]) -> tuple[View, ...]:
    """The views of a part with calibrated scores."""
    asked = told.question
    if len(asked.classes) > 2 and asked.task != "multi-label":
        table = calibrators[0].table(part.answers.scores)
        return views(asked.task, asked.classes, asked.positive, cases.truth(part.answers), table)
    return tuple(replace(view, score=one.score(view.score)) for view, one in zip(part.views, calibrators, strict=True))


def limits(told: Cases) -> tuple[tuple[float, ...], ...]:
    """Of the prediction sets, a limit a class: one tuple for all classes, of findings one each (without, with)."""
    if told.tune is None:
        return ()
    given = told.tune.answers
    if told.question.task != "multi-label":
        return (conformal.limits_by_class(given.y, given.scores, patients=given.patients),)
    return tuple(
        conformal.limits_by_class(view.has.astype(int), _both(view.score), patients=told.tune.patients(view))
        for view in told.tune.views
    )


class _Story:
    """One part of the judgement a method, all from the same draws."""

    def __init__(self, folder: Path, result: Result, told: Cases, chosen: Choices) -> None:
        self.folder, self.result, self.told, self.chosen = folder, result, told, chosen
        self.asked, self.test = told.question, told.test
        self.several = self.asked.task == "multi-label"
        self.seed = result.recipe.seed
        given = self.test.answers
        at = (
            thresholds.positive_index(self.asked.classes, self.asked.positive) if len(self.asked.classes) == 2 else None
        )
        of = np.zeros(len(given.y), int) if self.several else given.y
        self.draws = findings.affordable(given.scores.size, DRAWS) if self.several else DRAWS
        self.rule = chosen.rule or result.recipe.operating
        self._pooling: Pooling | None = None
        self.whole = resample(of, given.patients, None if self.several else at, self.seed, self.draws)

    def tell(self) -> Judgement:
        found = calibrators(self.told)
        after = mended(self.told, self.test, found)
        made = tuple(self._view(view, one, mine) for view, one, mine in zip(self.test.views, found, after, strict=True))
        several_classes = len(self.asked.classes) > 2 and not self.several
        return Judgement(
            run=self.folder.name,
            task=self.asked.task,
            classes=self.asked.classes,
            positive=self.asked.positive,
            views=made,
            calls=reliability.of_calls(self.test.answers.y, found[0].table(self.test.answers.scores), self.whole)
            if several_classes
            else None,
            sets=self._sets(),
            subgroups=self._subgroups(made),
            rule=self.rule,
            changed=tuple(one.at for one in self.chosen.changed),
            openings=self.chosen.openings,
            opened=self.chosen.opened,
            sets_of_patients=self._sets_of_patients(),
        )

    # ---- a view ------------------------------------------------------------------------------------------------------

    def _view(self, view: View, calibrator: Calibrator, after: View) -> OfView:
        draws = self._draws(view)
        threshold = self._threshold(view)
        called = view.score >= threshold.value if threshold and threshold.value is not None else self._called(view)
        value = threshold.value if threshold and threshold.value is not None else np.nan
        point = operating.count(view.has, called, draws.group, value)
        shown = reliability.mended(view.has, view.score, after.score, draws, calibrator, view.name)
        return OfView(
            name=view.name,
            without=view.without,
            cases=len(view),
            having=int(view.has.sum()),
            threshold=threshold,
            point=point,
            here=self._here(view, point),
            calibrator=calibrator,
            mended=shown,
            word="probability" if reliability.word(calibrator, shown.after) == "probability" else "score",
            utility=utility.decision_curve(
                view.has, after.score, draws, self.chosen.range, self.chosen.prevalence.get(view.name), view.name,
                calibrator.fitted, self._learned(view),
            ),
            pr=curves.pr(view.has, view.score, draws),
            pooled=self._pooled(view, threshold, draws),
        )  # fmt: skip

    def _draws(self, view: View) -> Resampling:
        """Of findings each is judged by itself, as the result has it."""
        if not self.several:
            return self.whole.of(view.index)
        return resample(view.has.astype(int), self.test.patients(view), 1, self.seed, self.draws)

    def _learned(self, view: View) -> float | None:
        """The share of the tune part that has it, at which its probabilities were calibrated; None where unknown."""
        if self.told.tune is None:
            return None
        tune = self.told.tune.views[self.told.at(view.name)]
        return None if tune.one_sided else float(tune.has.mean())

    def _threshold(self, view: View) -> Threshold | None:
        if self.several:
            return of_findings.result_of(self.result, view.name).threshold
        chosen = self.result.threshold
        return chosen if chosen is not None and chosen.value is not None else None

    def _called(self, view: View, calls: Ints | None = None) -> Bools:
        """Where the highest score, or of grades the middle one, decides: which cases were called so; or which patients,
        from their calls (g,)."""
        calls, at = self.test.answers.called if calls is None else calls, self.told.at(view.name)
        called: Bools = calls > at if self.asked.task == "ordinal" else calls == at
        return called

    def _here(self, view: View, point: operating.Point) -> Elsewhere | None:
        share = self.chosen.prevalence.get(view.name)
        return at_prevalence(point, share) if share else None

    def _pooled(self, view: View, threshold: Threshold | None, draws: Resampling) -> Pooled | None:
        """Only where some patient of the test part has several images."""
        if self.told.tune is None or not draws.repeats:
            return None
        tune = self.told.tune
        whose_tune = whose(len(tune.answers.y), tune.answers.patients)
        mine = tune.views[self.told.at(view.name)]
        how, called = self._how_pooled(tune), None
        if threshold is None and not self.several:
            threshold = self.result.threshold
            called = self._called(view), self._called(view, by_patient.called(self.asked, self.test, how.rule))
        return pooling.pool(mine, view, whose_tune, draws, how, self.rule, threshold, called)

    def _how_pooled(self, tune: Part) -> Pooling:
        """One rule for all findings, and for all grades: an answer about a patient has one."""
        rule = self.chosen.pool
        if rule in pooling.RULES:
            return Pooling(rule, f"{pooling.RULES[rule].capitalize()}, as you chose after the test part had been seen.")
        if self._pooling is None:
            rules = pooling.rules_for(self.asked.task, self.asked.classes)
            self._pooling = pooling.choose(tune.views, whose(len(tune.answers.y), tune.answers.patients), rules)
        return self._pooling

    # ---- all of them -------------------------------------------------------------------------------------------------

    def _sets(self) -> tuple[Coverage, ...]:
        kept = limits(self.told)
        given = self.test.answers
        if not kept:
            return ()
        if not self.several:
            ordered = self.asked.task == "ordinal"
            return (
                conformal.coverage(
                    given.y, given.scores, kept[0], self.asked.classes, self.asked.positive, self.whole, ordered=ordered
                ),
            )
        return tuple(
            conformal.coverage(
                view.has.astype(int), _both(view.score), mine, (view.without, view.name), view.name, self._draws(view)
            )
            for view, mine in zip(self.test.views, kept, strict=True)
        )

    def _sets_of_patients(self) -> tuple[Coverage, ...]:
        """Only where some patient of the test part has several images, as these have limits of their own."""
        if self.told.tune is None or not self.whole.repeats:
            return ()
        return by_patient.sets(self.told, self._how_pooled(self.told.tune).rule)

    def _subgroups(self, made: Sequence[OfView]) -> tuple[Subgroups, ...]:
        """None where the cohort is gone, or nothing is recorded of its cases."""
        try:
            cohort = cohorts.load(Workspace(self.folder.parent.parent), self.result.recipe.cohort)
        except MedtlError:
            return ()
        given = self.test.answers
        facts: Mapping[str, Sequence[Any]] = fields.of(cohort, given.cases)
        if not facts:
            return ()
        as_a_whole = len(self.asked.classes) > 2 and not self.several
        questions = len(made) + as_a_whole
        found = [
            subgroups(view, one.threshold.value if one.threshold else None, facts, self.whole, questions)
            for view, one in zip(self.test.views, made, strict=True)
        ]
        if as_a_whole:
            whole = subgroups_of_classes(given.y, given.called, self.test.views, facts, self.whole, questions)
            found.insert(0, whole)
        return tuple(found)


def _both(score: Floats) -> Floats:
    """(n,) -> (n, 2): without and with, as if they were two classes."""
    return np.stack([1 - score, score], axis=1)
