"""Reader and model on the same cases: counted rightly, compared in pairs, and what was changed is neither lost nor
counted twice."""

import numpy as np
import pytest
from scipy.stats import binom

from medtl.errors import BadInput
from medtl.evaluation import operating
from medtl.evaluation.mcnemar import mcnemar
from medtl.evaluation.readers import NOT_READ, ReaderStudy, median_seconds, study
from medtl.evaluation.resampling import whose

CLASSES = ("well", "ill")


def answers(n: int, right: float, truth: np.ndarray, seed: int, k: int = 2) -> np.ndarray:
    random = np.random.default_rng(seed)
    return np.where(random.random(n) < right, truth, (truth + random.integers(1, k, n)) % k)


def simulated(n: int = 60, patients: np.ndarray | None = None, **more: object) -> tuple[ReaderStudy, tuple]:
    truth = np.random.default_rng(0).integers(0, 2, n)
    reader, model = answers(n, 0.85, truth, 1), answers(n, 0.75, truth, 2)
    return study(truth, reader, model, CLASSES, "ill", whose(n, patients), **more), (truth, reader, model)


def test_both_stand_beside_each_other_on_the_same_cases() -> None:
    made, (truth, reader, model) = simulated()
    point = operating.count(truth == 1, reader == 1, np.arange(60))
    assert made.reader.estimates == point.estimates
    assert made.reader.counts == ((point.tn, point.fp), (point.fn, point.tp))
    sensitivity, specificity = made.differences
    ill = truth == 1
    found = mcnemar((reader == truth)[ill], (model == truth)[ill], "sensitivity")
    assert (sensitivity.difference, sensitivity.p) == (found.difference, found.p)
    assert specificity.difference.value == pytest.approx((reader == truth)[~ill].mean() - (model == truth)[~ill].mean())


def test_cases_where_they_differ_are_listed_once() -> None:
    made, (truth, reader, model) = simulated()
    for i in made.reader_only:
        assert reader[i] == truth[i] != model[i]
    for i in made.model_only:
        assert model[i] == truth[i] != reader[i]
    assert len(made.reader_only) + len(made.model_only) == int((reader != model).sum())
    assert f"Both gave the same answer in {int((reader == model).sum())} of 60 cases" in " ".join(made.says)


def test_what_was_not_read_is_left_out_on_both_sides() -> None:
    _, (truth, reader, model) = simulated()
    reader[:20] = NOT_READ
    made = study(truth, reader, model, CLASSES, "ill", whose(60, None))
    alone = study(truth[20:], reader[20:], model[20:], CLASSES, "ill", whose(40, None))
    assert (made.n, made.model.counts) == (40, alone.model.counts)
    assert made.reader_only == tuple(20 + i for i in alone.reader_only)
    assert any(text.startswith("20 of 60 cases were not read") for text in made.says)


def test_what_reading_with_the_model_changed_is_counted_by_where_it_led() -> None:
    truth = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2, 2] * 3)
    before = np.array([0, 1, 1, 1, 0, 2, 2, 2, 0, 1] * 3)
    after = np.array([0, 0, 2, 1, 1, 2, 0, 2, 0, NOT_READ] * 3)
    made = study(truth, before, truth, ("a", "b", "c"), None, whose(30, None), ordered=True, after=after)
    change = made.change
    assert (change.n, change.changed) == (27, 12)
    assert change.to_right == (1, 4, 11, 14, 21, 24) and change.to_wrong == (6, 16, 26)
    assert change.still_wrong == (2, 12, 22)
    assert change.differences[0].difference.value == pytest.approx((6 - 3) / 27)
    assert "changed 12 of 27 answers: 6 to right, 3 to wrong, 3 from wrong to wrong." in " ".join(made.says)
    assert made.kappa.name == "kappa_quadratic" and made.reader.get("sensitivity[a]").n == 9


def test_several_images_of_a_patient_are_paired_by_patient() -> None:
    made, _ = simulated(90, np.repeat(np.arange(30), 3).astype(object))
    assert made.patients == 30
    for one in made.differences:
        assert one.p is None and one.difference.low < one.difference.value < one.difference.high


def test_the_same_answers_are_told_apart_by_nobody_and_have_a_width() -> None:
    truth = np.array([0, 1] * 20)
    half = np.where(np.arange(40) % 4 < 2, truth, 1 - truth)
    for patients in (None, np.repeat(np.arange(20), 2).astype(object), np.repeat(np.arange(4), 10).astype(object)):
        made = study(truth, half, half, CLASSES, "ill", whose(40, patients), after=half)
        for one in (*made.differences, *made.change.differences):
            assert one.difference.low < 0 < one.difference.high
        assert "cannot be told apart" in made.says[0] and "changed 0 of 40" in " ".join(made.says)


def test_the_median_time_lies_between_two_of_the_times() -> None:
    random = np.random.default_rng(0)
    assert median_seconds(None) is None and median_seconds(random.random(5)) is None
    assert median_seconds(np.full(20, 4.0)) is None
    for n in (6, 15, 40):
        times = np.append(np.sort(random.lognormal(2, 1, n)), np.nan)
        made = median_seconds(times)
        below = int(np.flatnonzero(times == made.low)[0])
        assert made.n == n and made.value == np.nanmedian(times)
        assert binom.cdf(below, n, 0.5) <= 0.025 < binom.cdf(below + 1, n, 0.5)
        assert times[n - 1 - below] == made.high


def test_nothing_read_is_said_and_nonsense_refused() -> None:
    truth = np.array([0, 1])
    made = study(truth, np.full(2, NOT_READ), truth, CLASSES, "ill", whose(2, None))
    assert made.n == 0 and made.says == ("No case has been read yet, so nothing can be said.",)
    one_kind = study(np.ones(8, int), np.ones(8, int), np.ones(8, int), CLASSES, "ill", whose(8, None))
    assert one_kind.kappa is None and len(one_kind.differences) == 1
    with pytest.raises(BadInput):
        study(truth, truth[:1], truth, CLASSES, "ill", whose(2, None))
    with pytest.raises(BadInput):
        study(truth, np.array([0, 2]), truth, CLASSES, "ill", whose(2, None))
