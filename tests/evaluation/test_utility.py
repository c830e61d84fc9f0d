"""The decision curve by hand, its ranges, another prevalence, and words where there is none."""

import numpy as np
import pytest

from medtl.errors import BadInput
from medtl.evaluation.operating import at
from medtl.evaluation.resampling import resample
from medtl.evaluation.utility import RANGE, benefit, decision_curve, exchange, moved, treat_all


def simulate(n: int = 600, seed: int = 0, by: float = 1.6) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    x = random.normal(-0.8, by, n)
    p = 1 / (1 + np.exp(-x))
    return random.random(n) < p, p


def test_net_benefit_of_model_and_of_treating_all_by_hand() -> None:
    has, p = simulate()
    curve = decision_curve(has, p, None, name="ill")
    for t, model, everybody in zip(curve.threshold, curve.model, curve.treat_all, strict=True):
        tp, fp = np.sum(has & (p >= t)), np.sum(~has & (p >= t))
        assert model == pytest.approx(tp / 600 - fp / 600 * t / (1 - t), abs=1e-6)
        assert everybody == pytest.approx(has.mean() - (1 - has.mean()) * t / (1 - t), abs=1e-6)
    assert (curve.threshold[0], curve.threshold[-1]) == RANGE
    # 30 of 100 have it and one miss weighs as much as 4 false alarms: 0.3 - 0.7 x 0.25.
    assert treat_all(0.3, np.array([0.2]))[0] == pytest.approx(0.125)


def test_the_useful_range_is_where_the_whole_band_lies_above_both() -> None:
    has, p = simulate()
    curve = decision_curve(has, p, None, (0.02, 0.9))
    assert len(curve.useful) >= 1 and curve.says.startswith("Better than treating all or none between ")
    inside = np.zeros(len(curve.threshold), bool)
    for first, last in curve.useful:
        inside |= (np.array(curve.threshold) >= first - 1e-6) & (np.array(curve.threshold) <= last + 1e-6)
    above = np.array(curve.low) > np.maximum(curve.treat_all, 0)
    assert not (inside & ~above).any() and (above & ~inside).sum() <= 3  # single points are no range
    assert all(low < model < high for low, model, high in zip(curve.low, curve.model, curve.high, strict=True))


def test_scores_that_say_nothing_are_nowhere_useful_and_reversed_ones_harm() -> None:
    has, p = simulate()
    shuffled = np.random.default_rng(1).permutation(p)
    nothing = decision_curve(has, shuffled)
    assert not nothing.useful and "nowhere shown" in nothing.says
    assert decision_curve(has, 1 - p).harmful and "Worse than the better of both" in decision_curve(has, 1 - p).says


def test_at_the_clinic_s_prevalence_it_is_the_curve_of_a_cohort_of_that_prevalence() -> None:
    has, p = simulate(60_000)
    random = np.random.default_rng(2)
    kept = ~has | (random.random(60_000) < 0.2)  # the clinic sees a fifth of the ill
    clinic, own = float(has[kept].mean()), float(has.mean())
    there = decision_curve(has[kept], moved(p[kept], own, clinic), None, (0.02, 0.6))
    told = decision_curve(has, p, None, (0.02, 0.6), prevalence=clinic)
    assert np.abs(np.array(told.model) - np.array(there.model)).max() < 0.002
    assert "prevalence" not in there.says and told.says.startswith("At a prevalence of ")
    assert "reach down" not in told.says
    rare = decision_curve(has, p, None, (0.05, 0.5), prevalence=0.01).says
    assert rare.startswith("At a prevalence of 1 %: ") and "reach down towards 1 %" in rare
    assert "Reweighted to a prevalence of" in told.notes[0] and told.prevalence == clinic
    assert moved(np.array([0.3]), 0.3, 0.1)[0] == pytest.approx(0.1)


def test_the_band_knows_whose_cases_they_are() -> None:
    has, p = simulate(200)
    plain = decision_curve(has, p, np.arange(200))
    copied = decision_curve(np.repeat(has, 4), np.repeat(p, 4), np.repeat(np.arange(200), 4))
    width = [np.mean(np.subtract(one.high, one.low)) for one in (plain, copied)]
    assert width[1] == pytest.approx(width[0], rel=0.05) and "clustered" in copied.how
    draws = resample(has.astype(int), None, 1, 0, 1500)
    for t in (0.2, 0.5):
        called, w = p >= t, draws.counts.astype(float)
        drawn = ((has & called) @ w - (~has & called) @ w * t / (1 - t)) / 200
        one = benefit(at(has, p, t, draws), float(has.mean()), t)
        assert (one.low, one.high) == pytest.approx(tuple(np.percentile(drawn, [2.5, 97.5])), abs=0.012)


@pytest.mark.parametrize("has, p", [([], []), ([True] * 5, [0.5] * 5), ([False] * 5, [0.5] * 5)])
def test_one_kind_alone_has_no_curve_and_says_so(has: list[bool], p: list[float]) -> None:
    curve = decision_curve(np.array(has, bool), np.array(p), name="ill")
    assert not curve.threshold and "no decision curve" in curve.says


@pytest.mark.parametrize("p", [np.full(20, 0.4), np.repeat([1.0, 0.0], 10), np.repeat([0.0, 1.0], 10)])
def test_odd_scores_have_a_band(p: np.ndarray) -> None:
    curve = decision_curve(np.arange(20) < 10, p)
    assert all(low < high for low, high in zip(curve.low, curve.high, strict=True))


def test_wishes_that_are_none_are_refused_and_scores_are_named() -> None:
    has, p = simulate(50)
    for wrong in ((0.0, 0.5), (0.5, 0.2), (0.1, 1.0)):
        with pytest.raises(BadInput):
            decision_curve(has, p, None, wrong)
    with pytest.raises(BadInput):
        decision_curve(has, p, prevalence=1.0)
    assert "not calibrated" in decision_curve(has, p, calibrated=False).notes[1]
    assert exchange(0.1) == "10 %: examining 9 healthy people to find one ill"
    assert "1 healthy person" in exchange(0.5) and "to find 4 ill" in exchange(0.8)


def test_probabilities_move_from_the_prevalence_they_were_calibrated_at() -> None:
    """A test part with more ill than the tune part had: its own share is not what the probabilities hold at."""
    has, p = simulate(60_000)
    learned = float(has.mean())
    kept = has | (np.random.default_rng(3).random(60_000) < 0.3)
    right, wrong = (
        decision_curve(has[kept], p[kept], None, (0.02, 0.6), prevalence=learned, learned=one)
        for one in (learned, None)
    )
    own = decision_curve(has, p, None, (0.02, 0.6))
    assert np.abs(np.array(right.model) - np.array(own.model)).max() < 0.004
    assert np.abs(np.array(wrong.model) - np.array(own.model)).max() > 0.01


def test_few_people_are_not_rounded_to_more() -> None:
    assert exchange(0.6).endswith("to find 1.5 ill") and "2.3 healthy people" in exchange(0.3)


def test_with_several_images_a_patient_it_is_said_to_be_by_image() -> None:
    has, p = simulate(200)
    for group, unit in ((np.arange(200), "person"), (np.arange(200) // 2, "image")):
        curve = decision_curve(has, p, group)
        assert curve.unit == unit and ("per image, not per person" in " ".join(curve.notes)) == (unit == "image")
