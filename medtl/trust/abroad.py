"""A run beside itself on another cohort: every number in both sets, their difference, and what else differs.

Everything was frozen before (`medtl.external`); here the stored answers of both sets are compared. No torch.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medtl.evaluation import external, operating
from medtl.evaluation.external import External
from medtl.evaluation.operating import Point
from medtl.evaluation.resampling import Resampling, whose
from medtl.evaluation.shift import Apart, Moved, Shift, compared, energy, shift
from medtl.evaluation.views import View
from medtl.runs import afterwards, answers, results
from medtl.runs import findings as of_findings
from medtl.runs.results import Result
from medtl.trust import cases, judge
from medtl.trust.cases import Cases, Part
from medtl.vocabulary import Threshold


@dataclass(frozen=True)
class Abroad:
    """`tested` is what was written of the test; `whole` all classes together (more than two); then for each view its
    comparison, its counts, and how common it is and what its scores promise there (`shifts`). `images` is how the
    pictures differ, `features` how far apart they lie for the network."""

    tested: afterwards.External
    whole: External | None
    views: tuple[External, ...]
    points: tuple[Point | None, ...]
    shifts: tuple[Shift, ...]
    images: tuple[Moved, ...]
    features: Apart | None

    @property
    def says(self) -> str:
        """What is worse outside, first."""
        told = self.whole or next(iter(self.views), None)
        return told.says[0] if told and told.says else "Nothing can be compared."


def read(folder: Path) -> tuple[Abroad, ...]:
    """Every cohort the run was tested on, the latest first; none where it was on none."""
    found = afterwards.externals(folder)
    if not found:
        return ()
    result = results.load(folder)
    told = cases.read(folder, result)
    return tuple(_beside(result, told, one) for one in found)


def _beside(result: Result, told: Cases, tested: afterwards.External) -> Abroad:
    given = answers.of_rows(afterwards.external_predictions(tested))
    there, here = cases.part(told.question, given), told.test
    inside = whose(len(here.answers.cases), here.answers.patients)
    outside = whose(len(given.cases), given.patients)
    thresholds = [_threshold(result, told, view) for view in here.views]
    pairs = list(zip(here.views, there.views, strict=True))
    calibrators = judge.calibrators(told)  # what scores promise is asked of those that are shown in use
    promised = (judge.mended(told, part, calibrators) for part in (here, there))
    kept = afterwards.shift(tested)
    several = len(told.question.classes) > 2 and told.question.task != "multi-label"
    return Abroad(
        tested=tested,
        whole=external.beside_of_classes(
            (here.answers.y, here.answers.called, here.views, inside), (given.y, given.called, there.views, outside)
        )
        if several
        else None,
        views=tuple(
            external.beside(one, other, _value(at), inside, outside)
            for (one, other), at in zip(pairs, thresholds, strict=True)
        ),
        points=tuple(_point(view, _value(at), there) for view, at in zip(there.views, thresholds, strict=True)),
        shifts=tuple(
            shift(one, other, (inside, outside), calibrated=by.fitted)
            for one, other, by in zip(*promised, calibrators, strict=True)
        ),
        images=_images(kept, here, there),
        features=_features(kept, here, there, result.recipe.seed),
    )


def _threshold(result: Result, told: Cases, view: View) -> Threshold | None:
    if told.question.task == "multi-label":
        return of_findings.result_of(result, view.name).threshold
    return result.threshold


def _value(threshold: Threshold | None) -> float | None:
    return threshold.value if threshold is not None else None


def _point(view: View, threshold: float | None, there: Part) -> Point | None:
    """Counts at the frozen threshold; None where the highest score decides."""
    if threshold is None or not len(view):
        return None
    return operating.at(view.has, view.score, threshold, whose(len(view), there.patients(view)).group)


def _images(kept: afterwards.Shift | None, here: Part, there: Part) -> tuple[Moved, ...]:
    if kept is None:
        return ()
    whom = _whose(here, kept.internal_cases), _whose(there, kept.external_cases)
    sides = (np.asarray(kept.internal_looks, float), np.asarray(kept.external_looks, float))
    return tuple(compared(name, sides[0][:, k], sides[1][:, k], whom) for k, name in enumerate(afterwards.LOOKS))


def _features(kept: afterwards.Shift | None, here: Part, there: Part, seed: int) -> Apart | None:
    if kept is None:
        return None
    whom = _whose(here, kept.internal_cases), _whose(there, kept.external_cases)
    return energy(np.asarray(kept.internal, float), np.asarray(kept.external, float), whom, seed)


def _whose(part: Part, ids: tuple[str, ...]) -> Resampling:
    """Whose the cases are of which rows were kept."""
    given = part.answers
    if given.patients is None:
        return whose(len(ids), None)
    at = dict(zip(given.cases, given.patients, strict=True))
    return whose(len(ids), np.array([at.get(id) for id in ids], dtype=object))
