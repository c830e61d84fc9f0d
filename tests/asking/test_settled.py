"""What trusting a run found out is what it answers by: limits by class, the point in force, a proven calibration."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from medtl.asking import pooling
from medtl.asking import settled as settling
from medtl.evaluation import conformal
from medtl.runs import choices, findings, results
from medtl.runs.answers import answers
from medtl.trust import judge, operating_point
from medtl.vocabulary import OperatingRule, Task
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


@pytest.mark.parametrize("task", ["single-label", "ordinal", "multi-label"])
def test_sets_about_patients_hold_what_they_promise_however_images_are_pooled(finished: Made, task: Task) -> None:  # noqa: F811
    """Limits of images would rule "well" out of a third of the patients, as the highest of four scores is high."""
    classes = ("0", "1", "2") if task == "ordinal" else ("well", "ill") if task == "single-label" else ("a", "b")
    folder = finished(task, classes, n=800, images=4)
    choices.write(folder, pool="max")
    found = settled(folder, classes).of_patients
    assert found is not None and found.word == "score"
    part = answers(folder, "test")
    group = np.unique(part.patients.astype(str), return_inverse=True)[1]  # type: ignore[union-attr]
    rows = [group == number for number in np.unique(group)]
    together = [pooling.pooled(part.scores[row], "max", task, classes, "ill") for row in rows]
    if task == "multi-label":
        assert part.said is not None
        inside, seen = [], [(part.said[row, 0], one[0]) for row, one in zip(rows, together, strict=True)]
        for said, score in seen:
            has = "present" if (said == 1).any() else "absent" if (said == 0).any() else ""
            call = findings.answers({"a": float(score)}, {"a": found.findings["a"]})["a"]
            inside += [(has, call in (has, "cannot tell"))] if has else []
    else:
        limits = found.limits.tolist()
        inside = [
            (
                int(part.y[row].max()),
                int(part.y[row].max()) in conformal.members_by_class(one, limits, ordered=task == "ordinal"),
            )
            for row, one in zip(rows, together, strict=True)
        ]
    told = judge.judge(folder).sets_of_patients[0].held  # what Trust says of patients is what Use does to them
    assert told is not None and told.value == pytest.approx(np.mean([one for _, one in inside]))
    assert told.n == len(inside)
    for kind in {kind for kind, _ in inside}:
        held = [one for of, one in inside if of == kind]
        assert np.mean(held) > 0.9 - 3 * np.sqrt(0.09 / len(held)) - 0.03, kind


def test_all_findings_of_a_patient_are_pooled_alike_and_none_is_forgotten(finished: Made) -> None:  # noqa: F811
    """A finding about which no test patient has two sure images keeps the threshold of images."""
    classes = ("oedema", "effusion")
    folder = finished("multi-label", classes, n=240, images=4)
    found, views = settled(folder, classes), judge.judge(folder).views
    assert {view.pooled.pooling.rule for view in views if view.pooled} == {found.pool}
    alone = [dataclasses.replace(views[0], pooled=None), views[1]]
    told = judge.cases.read(folder, results.load(folder))
    said = settling._of_patients(found, told, alone, found.pool).findings
    assert said["oedema"]["threshold"] == found.findings["oedema"]["threshold"]
    assert set(said["effusion"]["set_limits"]) != set(found.findings["effusion"]["set_limits"])


def test_by_a_rule_nobody_settled_nothing_is_ruled_out(finished: Made) -> None:  # noqa: F811
    one = settled(finished(n=800, images=1, seed=1))
    bare = one.unproven()
    assert one.word == "probability" and bare.word == "score" and bare.limits.tolist() == [0, 0]
