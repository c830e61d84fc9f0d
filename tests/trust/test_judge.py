"""A run is judged from its files alone: the numbers agree with the result, and every task has its questions."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss

from medtl.asking import pooling as asking
from medtl.evaluation import thresholds
from medtl.runs import answers, choices, results, store
from medtl.trust import judge
from medtl.vocabulary import Task
from pages.ui import proof
from tests.builders import python

Made = Callable[..., Path]
TASKS = [
    ("single-label", ("well", "ill"), ["ill"]),
    ("single-label", ("a", "b", "c"), ["a", "b", "c"]),
    ("ordinal", ("0", "1", "2"), ["grade 1 or higher", "grade 2 or higher"]),
    ("multi-label", ("oedema", "effusion"), ["oedema", "effusion"]),
]


@pytest.mark.parametrize(("task", "classes", "asked"), TASKS)
def test_every_task_is_judged_question_by_question(finished: Made, task: str, classes: tuple, asked: list) -> None:
    told = judge.judge(finished(task, classes))
    assert [view.name for view in told.views] == asked and told.task == task
    for view in told.views:
        assert view.point.tp + view.point.fn == view.having and view.point.get("sensitivity") is not None
        assert view.mended.after.n == view.cases and view.utility.n == view.cases and view.pr is not None
        assert view.pooled is not None and view.pooled.patients.n < view.pooled.images.n
    assert len(told.sets) == (len(classes) if task == "multi-label" else 1)


def test_numbers_at_the_threshold_are_those_of_the_result(finished: Made) -> None:
    folder = finished()
    view, written = judge.judge(folder).views[0], results.load(folder)
    for name in ("sensitivity", "specificity", "ppv", "npv", "accuracy"):
        assert view.point.get(name) == written.estimate(name)
    assert view.threshold == written.threshold


def test_findings_leave_out_labels_that_are_not_sure(finished: Made) -> None:
    folder = finished("multi-label", ("oedema", "effusion"))
    told = judge.judge(folder)
    counts = results.load(folder).findings["oedema"]["counts"]
    assert told.views[0].cases == counts["present"] + counts["absent"] < 120


def test_calibration_is_learned_from_the_tune_part_only(finished: Made) -> None:
    """Whatever the labels of the test part, the same calibrator and the same limits."""
    folder = finished()
    before = judge.judge(folder)
    file = folder / store.RESULT / results.PREDICTIONS
    rows = results.predictions(folder)
    flip = {"well": "ill", "ill": "well"}
    turned = [r if r.part == "tune" else results.replace(r, label=flip[r.label]) for r in rows]
    results.write_predictions(file, ("well", "ill"), turned)
    after = judge.judge(folder)
    assert after.views[0].calibrator == before.views[0].calibrator
    assert after.sets[0].limits == before.sets[0].limits
    assert after.views[0].point != before.views[0].point


def test_the_brier_score_is_scikit_learns(finished: Made) -> None:
    folder = finished()
    view = judge.judge(folder).views[0]
    test = [row for row in results.predictions(folder) if row.part == "test"]
    score, y = np.array([row.scores["ill"] for row in test]), [row.label == "ill" for row in test]
    assert view.mended.before.brier is not None and view.mended.after.brier is not None
    assert view.mended.before.brier.value == pytest.approx(brier_score_loss(y, score), abs=1e-6)
    assert view.mended.after.brier.value == pytest.approx(brier_score_loss(y, view.calibrator.score(score)), abs=1e-6)


def test_what_the_user_chose_is_followed(finished: Made) -> None:
    folder = finished()
    assert judge.judge(folder).views[0].here is None
    choices.write(folder, prevalence={"ill": 0.1}, range=(0.1, 0.3), pool="max")
    view = judge.judge(folder).views[0]
    assert view.here is not None and view.here.prevalence == 0.1
    assert (view.utility.threshold[0], view.utility.threshold[-1]) == (0.1, 0.3)
    assert view.pooled is not None and view.pooled.pooling.rule == "max" and "you chose" in view.pooled.pooling.why


def test_one_image_a_patient_needs_no_pooling_and_few_cases_stay_scores(finished: Made) -> None:
    told = judge.judge(finished(n=16, images=1))
    assert told.views[0].pooled is None and told.views[0].word == "score"
    assert "Too few" in told.views[0].mended.after.says


def test_enough_cases_that_hold_their_word_are_probabilities(finished: Made) -> None:
    told = judge.judge(finished(n=800, images=1))
    assert told.views[0].calibrator.kind == "platt" and told.views[0].word == "probability"


def test_an_older_run_without_its_tune_answers_is_judged_as_far_as_it_goes(finished: Made) -> None:
    folder = finished()
    rows = [row for row in results.predictions(folder) if row.part == "test"]
    results.write_predictions(folder / store.RESULT / results.PREDICTIONS, ("well", "ill"), rows)
    told = judge.judge(folder)
    assert told.sets == () and told.views[0].pooled is None and not told.views[0].calibrator.fitted
    assert told.views[0].point.get("sensitivity") is not None


def test_which_class_counts_is_known_without_the_cohort(finished: Made) -> None:
    folder = finished()
    place = folder / store.RESULT / results.ESTIMATES
    content = json.loads(place.read_text())
    for key in ("task", "positive"):
        del content[key]
    place.write_text(json.dumps(content))
    assert judge.judge(folder).positive == "ill"


def test_judging_loads_neither_torch_nor_scikit_learn(finished: Made) -> None:
    folder = finished()
    code = (
        "import sys\nfrom pathlib import Path\nfrom medtl.trust import judge\n"
        f"judge.judge(Path({str(folder)!r}))\n"
        "print([name for name in ('torch', 'sklearn', 'pandas') if name in sys.modules])"
    )
    assert python(code).stdout.strip() == "[]"


def test_sets_about_patients_are_told_where_patients_have_several_images(finished: Made) -> None:
    assert judge.judge(finished(images=1)).sets_of_patients == ()
    told = judge.judge(finished("single-label", ("a", "b", "c"), n=240, images=4))
    (one,) = told.sets_of_patients
    assert one.held is not None and one.held.n == 60 < told.sets[0].held.n == 240  # type: ignore[union-attr]
    assert "of 60 test patients" in one.says[0]
    beside = proof.promise(told, 0.1, pooled=True)
    assert "of 60 patients" in beside and proof.promise(told, 0.1) != beside


@pytest.mark.parametrize(("task", "classes"), [("single-label", ("a", "b", "c")), ("ordinal", ("0", "1", "2"))])
def test_of_several_classes_a_patient_is_judged_by_the_call_that_use_gives(
    finished: Made, task: Task, classes: tuple[str, ...]
) -> None:
    folder = finished(task, classes, n=240, images=4)
    result = results.load(folder)
    told, test = judge.judge(folder), answers.answers(folder, "test")
    assert result.threshold is not None and test.patients is not None
    who = list(dict.fromkeys(test.patients))
    rule = told.views[0].pooled.pooling.rule  # type: ignore[union-attr]
    table = np.stack([asking.pooled(test.scores[test.patients == one], rule, task, classes, None) for one in who])
    calls = thresholds.calls(table, result.threshold, classes, None)
    label = np.array([test.y[test.patients == one].max() for one in who])
    for k, view in enumerate(told.views):
        here = view.pooled
        assert here is not None and here.patients.threshold.value is None
        has, called = (label > k, calls > k) if task == "ordinal" else (label == k, calls == k)
        assert (here.patients.found, here.patients.let_pass) == ((has & called).sum(), (~has & ~called).sum())
        assert (here.images.found, here.images.let_pass) == (view.point.tp, view.point.tn)
    if task == "single-label":  # every patient is called one class, so that what is found adds up
        right = sum(view.pooled.patients.found for view in told.views if view.pooled)
        assert right == (calls == label).sum()
