"""On another cohort: both sets side by side, frozen, with what differs; a fall is seen and a copy falls nowhere."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from medtl import external
from medtl.runs import afterwards, results, store
from medtl.trust import abroad, judge, operating_point
from medtl.vocabulary import OperatingRule

Made = Callable[..., Path]
SIDE = {"cases": 0, "looks": {}, "distance": 0.1, "refused": 0.02}


def go_abroad(folder: Path, rows: list[results.PredictionRow], brighter: float = 0.0, id: str = "c-other") -> None:
    """As `medtl.elsewhere` leaves it."""
    place = folder / store.RESULT / afterwards.EXTERNAL / id
    place.mkdir(parents=True)
    classes = tuple(rows[0].scores)
    results.write_predictions(place / results.PREDICTIONS, classes, rows)
    rng = np.random.default_rng(0)
    test = [row for row in results.predictions(folder) if row.part == "test"]
    inside, outside = rng.normal(0, 1, (len(test), 4)), rng.normal(brighter, 1, (len(rows), 4))
    looks = [rng.uniform(0.4, 0.6, (n, 5)) for n in (len(test), len(rows))]
    looks[1][:, 0] += brighter
    np.savez(
        place / afterwards.FEATURES, internal=inside, external=outside, internal_looks=looks[0],
        external_looks=looks[1], internal_cases=[row.case for row in test], external_cases=[row.case for row in rows],
    )  # fmt: skip
    said = {
        "cohort": id, "title": "Other site", "root": id, "made": "2026-11-28T10:00:00+00:00", "classes": list(classes),
        "positive": "ill", "task": "single-label", "cases": len(rows), "patients": None, "counts": {}, "mapping": {},
        "excluded": {}, "notes": [], "internal": SIDE, "external": SIDE,
    }  # fmt: skip
    (place / afterwards.EXTERNAL_RESULT).write_text(json.dumps(said))


def test_a_run_that_went_nowhere_has_nothing_to_compare(finished: Made) -> None:
    assert abroad.read(finished()) == ()


@pytest.mark.parametrize(
    ("task", "classes"),
    [
        ("single-label", ("well", "ill")),
        ("single-label", ("a", "b", "c")),
        ("ordinal", ("0", "1", "2")),
        ("multi-label", ("oedema", "effusion")),
    ],
)
def test_the_same_cases_elsewhere_fall_nowhere(finished: Made, task: str, classes: tuple[str, ...]) -> None:
    folder = finished(task, classes)
    go_abroad(folder, [row for row in results.predictions(folder) if row.part == "test"])
    (there,) = abroad.read(folder)
    assert (there.whole is not None) == (len(classes) > 2)
    for one in (*there.views, *([there.whole] if there.whole else [])):
        assert one.rows and all(row.standing == "cannot be told apart" for row in one.rows)
        assert all(row.internal.value == pytest.approx(row.external.value) for row in one.rows)


@pytest.mark.parametrize("task", ["single-label", "multi-label"])
def test_the_first_numbers_are_those_of_the_threshold_in_force(finished: Made, task: str) -> None:
    """Changed after the test elsewhere, and put back again: the command line, papers and Trust tell one story."""
    folder = finished(task, ("well", "ill"))
    go_abroad(folder, [row for row in results.predictions(folder) if row.part == "test"])
    if task == "multi-label":
        place = folder / store.RESULT / afterwards.EXTERNAL / "c-other" / afterwards.EXTERNAL_RESULT
        place.write_text(place.read_text().replace("single-label", "multi-label"))
    name = "sensitivity[ill]" if task == "multi-label" else "sensitivity"

    def told() -> float:
        (here,) = (one for one in abroad.read(folder)[0].views if one.about == "ill")
        (found,) = afterwards.externals(folder)
        (number,) = (one for one in external.numbers(found) if one.name == name)
        row = here.get("sensitivity")
        assert row is not None and number.value == pytest.approx(row.external.value)
        return number.value

    operating_point.change(folder, OperatingRule("specificity", 0.95))
    strict = told()
    operating_point.change(folder, OperatingRule("sensitivity", 0.98))
    assert told() > strict
    operating_point.change(folder, results.load(folder).recipe.operating)
    told()


def test_a_fall_and_what_goes_with_it_are_said(finished: Made) -> None:
    folder = finished(n=200)
    rng = np.random.default_rng(1)
    rows = []
    for row in results.predictions(folder):
        if row.part == "test":
            score = float(rng.uniform(0.05, 0.95))  # knows nothing there
            rows.append(results.replace(row, scores={"well": 1 - score, "ill": score}))
    go_abroad(folder, rows, brighter=0.5)
    (there,) = abroad.read(folder)
    auroc = there.views[0].get("auroc")
    assert auroc is not None and auroc.worse and "falls by" in there.says
    assert there.points[0] is not None and there.points[0].tp + there.points[0].fn == sum(
        r.label == "ill" for r in rows
    )
    moved = {one.name: one for one in there.images}
    assert moved["brightness"].smd is not None and moved["brightness"].smd.low > 0.8
    assert moved["contrast"].smd is not None and moved["contrast"].smd.low < 0 < moved["contrast"].smd.high
    assert there.features is not None and there.features.p < 0.01


def test_what_scores_promise_abroad_is_asked_of_those_that_are_shown(finished: Made) -> None:
    """Of a calibrated run the raw scores are shown to nobody, and say nothing about its probabilities."""
    folder = finished(n=800, images=1, seed=1)
    test = [row for row in results.predictions(folder) if row.part == "test"]
    go_abroad(folder, test)
    (there,) = abroad.read(folder)
    (view,) = judge.judge(folder).views
    assert view.calibrator.fitted
    promise = there.shifts[0].promise
    assert promise is not None and "mean calibrated score" in promise.says
    wanted = view.calibrator.score(np.array([row.scores["ill"] for row in test])).mean() - view.having / view.cases
    assert promise.external.value == pytest.approx(wanted, abs=1e-5)
