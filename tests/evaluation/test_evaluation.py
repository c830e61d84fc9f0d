"""The whole test: threshold from the tune part alone, everything JSON, and words for every size of test part."""

import json
import re

import numpy as np
import pytest

from medtl.evaluation.evaluation import Evaluation, evaluate

TWO, THREE = ("benign", "malignant"), ("benign", "malignant", "normal")


def cohort(counts: tuple[int, ...], skill: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    y = np.repeat(np.arange(len(counts)), counts)
    z = np.random.default_rng(seed).normal(size=(len(y), len(counts))) + skill * np.eye(len(counts))[y]
    return y, np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)


def run(counts: tuple[int, ...], skill: float = 2.0, control: bool = True, images: int = 1) -> Evaluation:
    classes = THREE[: len(counts)]
    y_tune, s_tune = cohort((30,) * len(counts), skill, 1)
    y, s = cohort(counts, skill, 2)
    patients = np.array([f"p{i // images}" for i in range(len(y))], dtype=object)
    weak = cohort(counts, 0.2, 3)[1] if control else None
    return evaluate(y_tune, s_tune, y, s, classes, classes[1], patients, weak, draws=300)


@pytest.mark.parametrize(
    "counts", [(87, 42), (60, 40, 30), (8, 4), (3, 0), (0, 3), (0, 0), (5, 0, 0), (4, 3, 0), (1, 1)]
)
@pytest.mark.parametrize("images", [1, 3])
def test_every_test_part_has_a_sentence_and_is_json(counts: tuple[int, ...], images: int) -> None:
    evaluation = run(counts, images=images)
    content = json.loads(json.dumps(evaluation.as_dict(), allow_nan=False))
    assert content.keys() >= {"estimates", "threshold", "control", "confusion", "sentence", "small_test"}
    json.dumps(evaluation.curves, allow_nan=False)
    assert np.sum(content["confusion"]["counts"]) == sum(counts)
    for words in (evaluation.sentence, evaluation.small_test or "", *evaluation.notes):
        assert not re.search(r"\b(nan|inf)\b", words) and (not words or words.endswith("."))
    assert evaluation.sentence
    if min(counts) < 20:
        assert evaluation.small_test or not sum(counts)


def test_the_headline_of_two_classes_counts_people_first() -> None:
    evaluation = run((87, 42))
    (let_pass, alarms), (missed, found) = evaluation.confusion
    assert evaluation.sentence.startswith(f"Found {found} of 42 malignant cases in this test part (sensitivity ")
    assert f"let {let_pass} of 87 benign cases pass (specificity " in evaluation.sentence
    assert "–" in evaluation.sentence and (missed, alarms) == (42 - found, 87 - let_pass)
    assert evaluation.control is not None and evaluation.control.verdict == "helps"
    assert "129 patients" not in evaluation.control.says  # only where no difference is seen


def test_the_headline_of_three_classes_names_each() -> None:
    sentence = run((60, 40, 30)).sentence
    assert sentence.startswith("Named ") and "of 130 test cases correctly" in sentence
    assert all(f"{name} " in sentence for name in THREE)


def test_a_small_test_part_says_what_could_be() -> None:
    evaluation = run((40, 11))
    found = evaluation.confusion[1][1]
    assert evaluation.small_test is not None
    assert evaluation.small_test.startswith(
        f"Only 11 malignant cases in the test part: with {found} of 11 found the true sensitivity could be "
    )
    assert run((400, 300)).small_test is None
    wide = run((30, 30), skill=0.3).small_test
    assert wide is not None and "leave much open" in wide


def test_the_threshold_looks_at_the_tune_part_only() -> None:
    y_tune, s_tune = cohort((30, 30), 2, 1)
    thresholds = set()
    for seed in range(3):
        y, s = cohort((20 + seed, 9), 1, seed)
        thresholds.add(evaluate(y_tune, s_tune, y, s, TWO, "malignant", None, draws=20).threshold)
    assert len(thresholds) == 1


def test_without_a_control_there_is_none() -> None:
    assert run((40, 40), control=False).as_dict()["control"] is None
    one_class = run((10, 0))
    assert one_class.control is None and any("No comparison" in note for note in one_class.notes)


def test_page_and_comparison_tell_the_same_auroc() -> None:
    evaluation = run((60, 50))
    auroc = evaluation.estimates[0].value
    assert evaluation.control is not None
    assert evaluation.control.auroc.value + evaluation.control.difference.value == pytest.approx(auroc)
    assert evaluation.curves["roc"]["malignant"]["auroc"] == pytest.approx(auroc)
