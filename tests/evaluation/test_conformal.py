"""Prediction sets hold the true class about as often as promised, in each class; with too few tune cases nothing is
ruled out; and the limits are those of an independent implementation."""

import numpy as np
import pytest
from crepes import ConformalClassifier
from crepes.extras import hinge

from medtl.evaluation import conformal
from medtl.evaluation.intervals import wilson
from medtl.evaluation.resampling import resample


def simulated(n: int, share: tuple[float, ...] = (0.6, 0.3, 0.1), seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    y = random.choice(len(share), n, p=share)
    z = random.normal(size=(n, len(share))) + 1.5 * np.eye(len(share))[y] + np.log(share)
    scores = np.exp(z)
    return y, scores / scores.sum(axis=1, keepdims=True)


def test_sets_hold_the_true_class_about_nine_times_in_ten() -> None:
    y, scores = simulated(16000, (1 / 3, 1 / 3, 1 / 3))
    least = conformal.limit(y[:8000], scores[:8000])
    held = [int(true) in conformal.members(row, least) for true, row in zip(y[8000:], scores[8000:], strict=True)]
    assert 0.88 <= np.mean(held) <= 0.92


def test_few_tune_cases_rule_nothing_out() -> None:
    scores = np.tile([0.9, 0.1], (8, 1))
    least = conformal.limit(np.zeros(8, int), scores)
    assert least == 0.0 and conformal.members(scores[0], least) == [0, 1]
    assert conformal.limits_by_class(np.zeros(8, int), scores) == (0.0, 0.0)
    assert conformal.limits_by_class(np.zeros(9, int), np.tile([0.9, 0.1], (9, 1))) == (0.9, 0.0)
    assert (conformal.needed(0.1), conformal.needed(0.05), conformal.needed(0.2)) == (9, 19, 4)


@pytest.mark.parametrize("error", [0.05, 0.1, 0.2])
@pytest.mark.parametrize("n", [57, 200, 611])
def test_limits_are_those_of_crepes(n: int, error: float) -> None:
    y, scores = simulated(n, seed=n)
    limits = conformal.limits_by_class(y, scores, error)
    oracle = ConformalClassifier()
    oracle.fit(hinge(scores, np.arange(3), y), bins=y)
    for c, least in enumerate(limits):
        around = np.array([least - 1e-9, least + 1e-9]) if least else np.array([0.0, 1e-9])
        p = oracle.predict_p(1 - around, np.full(2, c), smoothing=False)
        assert p[1] > error + 1e-12  # what scores a hair more is in the set
        if least:
            assert p[0] <= error + 1e-12  # and what scores a hair less is not


def test_sets_are_those_of_crepes() -> None:
    y, scores = simulated(300, seed=3)
    _, new = simulated(200, seed=4)
    error = 0.097  # crepes keeps a p that equals the error, so one that none can equal
    limits = conformal.limits_by_class(y, scores, error)
    oracle = ConformalClassifier()
    oracle.fit(hinge(scores, np.arange(3), y), bins=y)
    theirs = np.stack([
        oracle.predict_set(1 - new, np.full(200, c), confidence=1 - error, smoothing=False)[:, c] for c in range(3)
    ], axis=1)  # fmt: skip
    assert np.array_equal(conformal.sets_by_class(new, limits), theirs == 1)
    assert sorted(conformal.members_by_class(new[0], limits)) == np.flatnonzero(theirs[0]).tolist()


def test_every_class_is_held_as_often_as_promised_even_where_it_is_more_common() -> None:
    limits = conformal.limits_by_class(*simulated(6000, seed=5))
    y, scores = simulated(6000, (0.6, 0.3, 0.1), seed=6)
    inside = conformal.sets_by_class(scores, limits)
    by_class = [inside[y == c, c].mean() for c in range(3)]
    assert np.allclose(by_class, 0.9, atol=0.03)
    one_limit = conformal.limit(*simulated(6000, seed=5))
    assert (scores[y == 2, 2] >= one_limit).mean() < 0.8  # what a limit for all does to the rare class


def test_a_patient_counts_once_however_many_images() -> None:
    random = np.random.default_rng(7)
    y, scores = simulated(120, seed=7)
    who = np.array([f"p{i}" for i in range(120)], object)
    assert conformal.limits_by_class(y, scores, patients=who) == conformal.limits_by_class(y, scores)
    again = np.concatenate([np.arange(120), np.repeat(np.flatnonzero(y == 0)[:1], 500)])
    more = random.permutation(again)
    plain, known = (conformal.limits_by_class(y[more], scores[more], patients=p) for p in (None, who[more]))
    assert known == conformal.limits_by_class(y, scores)
    assert plain[0] != known[0]


def test_the_promise_to_a_new_patient_is_kept_with_several_images_each() -> None:
    random = np.random.default_rng(8)
    held = []
    for _ in range(300):
        images = random.choice([1, 2, 12], 31)
        group = np.repeat(np.arange(31), images)
        level = random.normal(0, 1.5, 31)[group] + random.normal(0, 0.5, len(group))
        score = 1 / (1 + np.exp(-level))
        tune = group < 30
        scores = np.stack([score, 1 - score], axis=1)
        least, _ = conformal.limits_by_class(np.zeros(tune.sum(), int), scores[tune], patients=group[tune])
        held.append((score[~tune] >= least).mean())
    assert 0.86 <= np.mean(held) <= 0.95


def test_grades_in_a_set_lie_side_by_side() -> None:
    scores = np.array([[0.4, 0.1, 0.5], [0.1, 0.8, 0.1]])
    assert conformal.sets_by_class(scores, (0.3, 0.3, 0.3)).tolist() == [[True, False, True], [False, True, False]]
    assert conformal.sets_by_class(scores, (0.3, 0.3, 0.3), ordered=True)[0].all()
    assert conformal.members_by_class(scores[0], (0.3, 0.3, 0.3), ordered=True) == [2, 0, 1]


def test_coverage_is_counted_in_each_class_and_not_knowing_is_an_error() -> None:
    y = np.array([0] * 10 + [1] * 10)
    high = np.array([0.9] * 6 + [0.5] * 3 + [0.2] + [0.9] * 8 + [0.5] + [0.1])
    scores = np.where((y == 0)[:, None], np.stack([high, 1 - high], 1), np.stack([1 - high, high], 1))
    draws = resample(y, None, 1, 0, 200)
    made = conformal.coverage(y, scores, (0.5, 0.5), ("well", "ill"), "ill", draws)
    well, ill = made.by_class
    assert (made.held.value, made.single.value, made.several.value, made.empty.value) == (0.9, 0.8, 0.2, 0.0)
    assert (ill.right.name, ill.right.value, ill.right.n) == ("sensitivity", 8 / 9, 9)
    assert (ill.strict.value, ill.strict.n) == (0.8, 10)
    assert (well.right.name, well.right.value, well.strict.value) == ("specificity", 6 / 7, 0.6)
    assert (ill.strict.low, ill.strict.high) == wilson(8, 10)
    assert made.size.value == pytest.approx(1.2) and made.size.low < 1.2 < made.size.high
    assert sum(made.unanswered) == 4
    assert made.says[0].startswith("In 18 of 20 test cases the set held the true class (90 %, 70–97 %); 90 %")


def test_coverage_says_what_cannot_be_ruled_out_and_who_is_missing() -> None:
    y, scores = simulated(50)
    kept = y < 2
    made = conformal.coverage(
        y[kept], scores[kept], (0.2, 0.2, 0.0), ("a", "b", "c"), None, resample(y[kept], None, None, 0, 50)
    )
    assert made.by_class[2].open and made.by_class[2].held is None
    assert any("No test case of c" in text for text in made.says)
    assert any(text.startswith("c can never be ruled out") and "9 tune patients" in text for text in made.says)
    empty = conformal.coverage(
        y[:0], scores[:0], (0.2, 0.2, 0.2), ("a", "b", "c"), None, resample(y[:0], None, None, 0, 5)
    )
    assert empty.held is None and "no case" in empty.says[0]


def test_no_interval_has_no_width() -> None:
    y = np.array([0] * 12 + [1] * 12)
    scores = np.eye(2)[y]
    for who in (None, np.repeat(np.arange(12), 2).astype(object)):
        made = conformal.coverage(y, scores, (0.5, 0.5), ("well", "ill"), "ill", resample(y, who, 1, 0, 100))
        for one in (made.held, made.size, made.single, made.empty, *(c.strict for c in made.by_class)):
            assert one.low < one.high, one
