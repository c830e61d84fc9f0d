"""Small test parts say what could be, in every variant: two classes, more, grades, findings, several images a patient,
answers a patient, an external set."""

import numpy as np
import pytest

from medtl.evaluation import findings, pooling, sentences
from medtl.evaluation.evaluation import evaluate
from medtl.evaluation.external import beside
from medtl.evaluation.intervals import wilson
from medtl.evaluation.resampling import whose
from medtl.evaluation.views import View
from medtl.vocabulary import Estimate


def scored(called: list[int], k: int) -> np.ndarray:
    return np.eye(k)[called] * 0.8 + 0.1


def small(y: list[int], called: list[int], classes: tuple[str, ...], patients: object = None, **more: object) -> str:
    tune = np.arange(40) % len(classes)
    made = evaluate(
        tune, scored(list(tune), len(classes)), np.array(y), scored(called, len(classes)), classes, None, patients,
        draws=50, **more,
    )  # fmt: skip
    return made.small_test or ""


def test_two_classes_say_the_truth_of_ten_of_eleven() -> None:
    text = small([1] * 11 + [0] * 50, [1] * 10 + [0] * 51, ("well", "ill"))
    assert text == (
        "Only 11 ill cases in the test part: with 10 of 11 found the true sensitivity could be 62–98 %. "
        "More test cases would narrow this."
    )
    text = small([0] * 10 + [1] * 50, [0] * 9 + [1] * 51, ("well", "ill"))
    assert "with 9 of 10 let pass the true specificity could be 60–98 %." in text


def test_more_classes_and_grades_say_it_of_the_rarest() -> None:
    y, called = [0] * 5 + [1] * 30 + [2] * 30, [0] * 5 + [1] * 30 + [2] * 30
    assert "Only 5 a cases" in small(y, called, ("a", "b", "c"))
    assert "with 5 of 5 named correctly the true share could be 57–100 %." in small(y, called, ("a", "b", "c"))
    assert "Only 5 '1' cases" in small(y, called, ("1", "2", "3"), task="ordinal")


def test_many_images_of_few_patients_are_few() -> None:
    y, called = [1] * 60 + [0] * 60, [1] * 55 + [0] * 65
    assert not small(y, called, ("well", "ill"))
    who = np.array([f"p{i // 12}" for i in range(120)], object)
    text = small(y, called, ("well", "ill"), who)
    assert text.startswith(
        "The 60 well cases in the test part come from only 5 patients: with 60 of 60 let pass the true"
    )
    assert text.endswith("More patients would narrow this.")


def test_findings_say_it_of_the_rarest_that_can_be_judged() -> None:
    random = np.random.default_rng(0)
    truth = np.zeros((80, 3), int)
    truth[:3, 0] = truth[:8, 1] = truth[:40, 2] = 1
    scores = np.clip(truth * 0.7 + random.random((80, 3)) * 0.3, 0, 1)
    made = findings.evaluate(truth, scores, truth, scores, ("x", "y", "z"), None, draws=50)
    assert made.small_test.startswith(
        "Fewer than 5 test cases with or without x: nothing can be said of it. Only 8 y cases"
    )


def test_answers_a_patient_and_external_cases_say_it_too() -> None:
    has = np.arange(60) < 22
    view = View("ill", "well", has, has * 0.8 + 0.1, np.arange(60))
    two = whose(60, (np.arange(60) // 2).astype(object))
    assert (
        "Only 11 ill patients: with 11 of 11 found the true sensitivity could be 74–100 %. More would narrow this."
        in (pooling.pool(view, view, two, two).says)
    )
    few = view.take(np.arange(60) >= 10)
    made = beside(view, View("ill", "well", few.has, few.score, np.arange(50)), 0.5, whose(60, None), whose(50, None))
    assert any(text.startswith("Only 12 ill external cases: with 12 of 12 found") for text in made.says)


@pytest.mark.parametrize(
    ("hits", "n", "span"),
    [(10, 11, "62–98 %"), (9, 10, "60–98 %"), (18, 20, "70–97 %"), (45, 50, "79–96 %"), (90, 100, "83–94 %"),
     (180, 200, "85–93 %"), (5, 5, "57–100 %"), (10, 10, "72–100 %"), (20, 20, "84–100 %"), (50, 50, "93–100 %"),
     (100, 100, "96–100 %")],
)  # fmt: skip
def test_the_table_worth_teaching(hits: int, n: int, span: str) -> None:
    assert sentences.span(Estimate("sensitivity", hits / n, *wilson(hits, n), n, "Wilson")) == span
