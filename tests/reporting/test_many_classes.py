"""Three classes and more: no threshold, no positive class, every class by itself."""

import dataclasses
from html import unescape

import pytest

from medtl.evaluation import words
from medtl.reporting import chai, checklists, content, figures, html, markdown, model_card, report
from medtl.reporting.content import Facts
from medtl.runs.results import Confusion, PredictionRow
from medtl.vocabulary import PARTS, Estimate, Threshold
from tests.conftest import Practice

CLASSES = ("normal", "bacterial", "viral")


@pytest.fixture(scope="module", params=[3, 14])
def facts(practice: Practice, request: pytest.FixtureRequest) -> Facts:
    """The run of two classes as if it had been one of many: only what papers read is changed."""
    classes = (*CLASSES, *(f"kind {n}" for n in range(20)))[: request.param]
    k = len(classes)
    two = content.read(practice.ws, practice.run)
    rows = tuple(
        PredictionRow(row.case, row.patient, "test", classes[n % k], classes[n % 2], dict.fromkeys(classes, 1 / k))
        for n, row in enumerate(two.test)
    )
    counts = tuple(tuple(sum((r.label, r.predicted) == (a, b) for r in rows) for b in classes) for a in classes)
    each = tuple(Estimate(f"auroc[{label}]", 0.8, 0.7, 0.9, 12, "bootstrap by case, 2000") for label in classes)
    curve = {"fpr": [0.0, 1.0], "tpr": [0.0, 1.0], "low": [0.0, 0.9], "high": [0.2, 1.0], "auroc": 0.8}
    result = dataclasses.replace(
        two.result,
        estimates=(*(one for one in two.result.estimates if not one.name.startswith("calibration")), *each),
        threshold=Threshold(None, "tune", "The class with the highest score."),
        confusion=Confusion(classes, counts),
        curves={"roc": dict.fromkeys(classes, curve)},
    )
    cohort = dataclasses.replace(two.cohort, classes=classes, positive=None)
    per_part = tuple(content.Count(part, label, 4, 3) for part in PARTS for label in classes)
    failures = content._failures(rows, result, cohort)
    return dataclasses.replace(two, result=result, cohort=cohort, test=rows, counts=per_part, failures=failures)


def test_every_class_has_its_number_and_no_threshold_is_made_up(facts: Facts) -> None:
    text = unescape(html.write(report.make(facts))).replace("\u00a0", " ")
    for label in facts.classes:
        assert words.title(f"auroc[{label}]") in text
    assert "mean over the classes" in text and "The class with the highest score." in text
    assert "at the threshold" not in text and "Threshold 0." not in text


def test_cards_and_checklists_do_without_a_positive_class(facts: Facts) -> None:
    card = markdown.write(model_card.make(facts))
    assert "None" not in card and "Threshold" not in card.replace("Results and threshold", "")
    assert b"The class with the highest score" in chai.write(facts)
    for name in checklists.NAMES:
        assert " None " not in markdown.write(checklists.make(checklists.named(name), facts))


def test_wrong_answers_are_sorted_by_how_sure_they_were(facts: Facts) -> None:
    assert [one.by for one in facts.failures] == sorted((one.by for one in facts.failures), reverse=True)


def test_drawings_stay_on_their_page(facts: Facts) -> None:
    drawn = [figures.flow(facts), figures.numbers(facts), figures.roc(facts), figures.confusion(facts)]
    drawn += [figures.scores(facts, label) for label in facts.classes]
    for one in filter(None, drawn):
        for shape in one.shapes:
            x = [x for x, _ in shape.points] if hasattr(shape, "points") else [shape.x]
            y = [y for _, y in shape.points] if hasattr(shape, "points") else [shape.y]
            assert min(x) >= 0 and max(x) <= one.width and min(y) >= 0 and max(y) <= one.height, shape
