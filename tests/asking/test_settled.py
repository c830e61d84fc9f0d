"""What trusting a run found out is what it answers by: limits by class, the point in force, a proven calibration."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from medtl.asking import settled as settling
from medtl.evaluation import conformal
from medtl.runs import choices, findings, results
from medtl.runs.answers import answers
from medtl.trust import judge, operating_point
from medtl.vocabulary import OperatingRule
from tests.trust.conftest import finished  # noqa: F401 - the same runs on disk

Made = Callable[..., Path]


def settled(folder: Path, classes: tuple[str, ...] = ("well", "ill")) -> settling.Settled:
    return settling.settled(folder, results.load(folder), classes)


def test_limits_are_those_of_each_class_on_the_tune_part(finished: Made) -> None:  # noqa: F811
    folder = finished()
    tune = answers(folder, "tune")
    wanted = conformal.limits_by_class(tune.y, tune.scores, patients=tune.patients)
    assert settled(folder).limits == pytest.approx(wanted)


def test_a_score_is_called_a_probability_only_where_it_was_shown_to_be_one(finished: Made) -> None:  # noqa: F811
    few, many = settled(finished(n=60)), settled(finished(n=800, images=1, seed=1))
    assert few.word == "score" and few.calibrated(np.array([[0.3, 0.7]])) is None
    assert many.word == "probability"
    made = many.calibrated(np.array([[0.3, 0.7], [0.1, 0.9]]))
    assert made is not None and made.sum(axis=1) == pytest.approx([1, 1]) and made[1, 1] > made[0, 1]


def test_another_operating_point_is_followed(finished: Made) -> None:  # noqa: F811
    folder = finished()
    before, stamp = settled(folder), settling.stamp(folder)
    operating_point.change(folder, OperatingRule("sensitivity", 0.95))
    after = settled(folder)
    assert settling.stamp(folder) != stamp
    assert before.threshold.value is not None and after.threshold.value is not None
    assert after.threshold.value < before.threshold.value
    assert {one.name for one in after.reached} == {"sensitivity", "specificity"} and after.reached != before.reached


def test_findings_are_ruled_out_by_limits_of_their_own(finished: Made) -> None:  # noqa: F811
    folder = finished("multi-label", ("oedema", "effusion"))
    said = settled(folder, ("oedema", "effusion")).findings
    limits = judge.limits(judge.cases.read(folder, results.load(folder)))
    assert said["oedema"]["set_limits"] == list(limits[0])
    absent, present = limits[0]
    assert findings.answers({"oedema": max(present, 1 - absent) + 1e-6}, said)["oedema"] == "present"
    assert findings.answers({"oedema": min(present, 1 - absent) - 1e-6}, said)["oedema"] == "absent"


def test_a_patient_is_called_by_the_threshold_of_patients(finished: Made) -> None:  # noqa: F811
    folder = finished(n=240, images=4)
    choices.write(folder, pool="max")
    found = settled(folder)
    assert found.pool == "max" and found.of_patients is not None
    level = judge.judge(folder).views[0].pooled
    assert level is not None and found.of_patients.threshold == level.patients.threshold != found.threshold
    assert {one.name for one in found.of_patients.reached} == {"sensitivity", "specificity"}
    assert settled(finished(images=1)).of_patients is None
