"""Calibration against formulas written out and scikit-learn; words for few cases; nothing of zero width."""

import numpy as np
import pytest
from sklearn import metrics
from sklearn.calibration import calibration_curve
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import SplineTransformer

from medtl.evaluation import recalibrating, smoothing
from medtl.evaluation.calibration import logit
from medtl.evaluation.estimates import measure
from medtl.evaluation.intervals import wilson
from medtl.evaluation.reliability import Reliability, judge, mended, of_calls, word
from medtl.evaluation.resampling import Resampling, resample
from medtl.vocabulary import Estimate


def simulate(n: int = 800, by: float = 1.0, seed: int = 0, digits: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """has (n,), and scores whose logits are so many times too large: 1 is calibrated."""
    random = np.random.default_rng(seed)
    x = random.normal(-0.3, 1.5, n)
    return random.random(n) < 1 / (1 + np.exp(-x)), np.round(1 / (1 + np.exp(-by * x)), digits)


def draws(has: np.ndarray, images: int = 1, number: int = 200) -> Resampling:
    who = np.array([f"p{i // images}" for i in range(len(has))], dtype=object)
    return resample(has.astype(int), who, 1, 0, number)


def some(one: Estimate | None) -> Estimate:
    assert one is not None and one.low < one.high
    return one


@pytest.mark.parametrize("images", [1, 2])
def test_numbers_are_those_of_the_definitions_and_of_the_other_page(images: int) -> None:
    has, score = simulate(by=1.7)
    resampling = draws(has, images)
    shown = judge(has, score, resampling, "ill")
    calls = (score > 0.5).astype(int)
    y = has.astype(int)
    others = measure(y, np.column_stack([1 - score, score]), calls, ("well", "ill"), "ill", resampling).estimates
    page = {one.name: one for one in others}
    brier, same = some(shown.brier), page["brier"]
    assert (brier.value, brier.low, brier.high) == pytest.approx((same.value, same.low, same.high), abs=1e-6)
    assert some(shown.brier).value == pytest.approx(metrics.brier_score_loss(y, score))
    assert shown.slope == page["calibration_slope"] and shown.intercept == page["calibration_intercept"]
    assert shown.brier_of_prevalence == pytest.approx(np.mean((has.mean() - has) ** 2))
    fit = LogisticRegression(C=np.inf, tol=1e-10).fit(logit(score)[:, None], y)
    assert some(shown.slope).value == pytest.approx(fit.coef_[0, 0], abs=1e-6)
    at = 1 / (1 + np.exp(-logit(score) - some(shown.intercept).value))
    assert at.sum() == pytest.approx(has.sum(), abs=1e-6)  # what the intercept is defined by


def test_bins_are_scikit_learn_s_and_the_error_is_their_mean_gap() -> None:
    has, score = simulate(by=2.0)
    shown = judge(has, score, draws(has))
    share, mean = calibration_curve(has, score, n_bins=10, strategy="quantile")
    assert [one.share.value for one in shown.bins] == pytest.approx(share.tolist(), abs=0.02)
    assert [one.mean for one in shown.bins] == pytest.approx(mean.tolist(), abs=0.01)
    assert sum(one.share.n for one in shown.bins) == 800 and {one.share.n for one in shown.bins} == {80}
    ece = sum(one.share.n / 800 * abs(one.share.value - one.mean) for one in shown.bins)
    assert some(shown.ece).value == pytest.approx(ece) and "10 bins" in some(shown.ece).how
    first = shown.bins[0]
    assert (first.share.low, first.share.high) == pytest.approx(wilson(first.having, 80))
    assert np.sum(shown.histogram) == 800 and sum(shown.histogram[0]) == has.sum()


def test_what_chance_would_show_is_what_calibrated_scores_show() -> None:
    seen = []
    for seed in range(40):
        has, score = simulate(400, seed=seed)
        shown = judge(has, score, draws(has, number=100))
        seen.append((some(shown.ece).value, shown.chance))
    value, chance = np.mean(np.array(seen, float), axis=0)
    assert chance == pytest.approx(value, rel=0.1)


def test_equal_scores_are_never_divided_and_bins_hold_ten_cases() -> None:
    has, score = simulate(digits=1)
    shown = judge(has, score, draws(has))
    assert all(a.high < b.low for a, b in zip(shown.bins, shown.bins[1:], strict=False))
    has, score = simulate(45)
    assert [one.share.n for one in judge(has, score, draws(has)).bins] == [11, 11, 11, 12]


def test_calibrated_scores_have_slope_1_and_intercept_0_and_say_so() -> None:
    has, score = simulate(4000)
    shown = judge(has, score, draws(has), "ill")
    assert some(shown.slope).low < 1 < some(shown.slope).high
    assert some(shown.intercept).low < 0 < some(shown.intercept).high
    assert some(shown.slope).value == pytest.approx(1, abs=0.1)
    assert not shown.off and not shown.few
    too_extreme = judge(has, simulate(4000, by=2.0)[1], draws(has), "ill")
    assert too_extreme.off and "too extreme (slope 0.5" in too_extreme.says and "% were ill" in too_extreme.says
    too_low = judge(has, 1 / (1 + np.exp(0.6 - logit(score))), draws(has), "ill")
    assert too_low.off and "too low on average" in too_low.says


def test_the_curve_is_a_logistic_spline_and_lies_inside_its_band() -> None:
    has, score = simulate(1500, by=2.0)
    shown = judge(has, score, draws(has)).curve
    assert shown is not None
    at, share, low, high = (np.array(one) for one in (shown.score, shown.share, shown.low, shown.high))
    assert (low < share).all() and (share < high).all() and (np.diff(at) > 0).all()
    x = logit(score)[:, None]
    natural = SplineTransformer(
        degree=3, knots=np.quantile(x, smoothing.KNOTS)[:, None], extrapolation="linear", include_bias=True
    )
    theirs = LogisticRegression(C=np.inf, max_iter=5000).fit(natural.fit_transform(x), has)
    found = theirs.predict_proba(natural.transform(logit(at)[:, None]))[:, 1]
    assert share == pytest.approx(found, abs=0.06)  # theirs bends a little more, at its ends


def test_the_band_holds_the_truth() -> None:
    held = []
    for seed in range(30):
        has, score = simulate(600, by=2.0, seed=seed)
        shown = smoothing.curve(has, score, draws(has))
        assert shown is not None
        truth = 1 / (1 + np.exp(-logit(np.array(shown.score)) / 2))
        held.append(np.mean((shown.low <= truth) & (truth <= shown.high)))
    assert 0.88 < np.mean(held) < 0.99


def test_few_cases_are_not_judged() -> None:
    has, score = simulate(150)
    shown = judge(has, score, draws(has), "ill")
    assert shown.few and shown.says.startswith(f"Too few to judge calibration: {has.sum()} patients ill")
    assert shown.curve is None and shown.slope is not None
    has, score = simulate(600)
    assert not judge(has, score, draws(has)).few and judge(has, score, draws(has, images=6)).few


def test_a_mending_is_shown_before_and_after() -> None:
    tune, test = simulate(600, by=2.5, seed=1), simulate(1200, by=2.5)
    frozen = recalibrating.fit(*tune, "ill")
    resampling = draws(test[0])
    both = mended(test[0], test[1], frozen.score(test[1]), resampling, frozen, "ill")
    change = some(both.change)
    assert change.high < 0 and change.value == pytest.approx(
        some(both.after.brier).value - some(both.before.brier).value
    )
    assert "smaller is better" in both.says and "Platt scaling" in both.says
    assert both.before.off and not both.after.off
    assert (word(frozen, both.after), word(frozen, both.before), word(None, both.after)) == (
        "probability",
        "score",
        "score",
    )
    few = judge(test[0][:150], frozen.score(test[1][:150]), draws(test[0][:150]))
    assert word(frozen, few) == "score" and word(frozen, None) == "score"
    nothing = recalibrating.fit(tune[0][:12], tune[1][:12], "ill")
    assert mended(test[0], test[1], test[1], resampling, nothing, "ill").says == nothing.says
    assert word(nothing, both.after) == "score"


def test_of_many_classes_the_highest_score_is_asked() -> None:
    random = np.random.default_rng(0)
    y = random.integers(0, 3, 600)
    z = random.normal(size=(600, 3)) + 1.5 * np.eye(3)[y]
    scores = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    shown = of_calls(y, scores, resample(y, None, None, 0, 100))
    right = scores.argmax(axis=1) == y
    assert sum(one.having for one in shown.bins) == right.sum() and "called right" in shown.examples[0]


@pytest.mark.parametrize(
    "has, score",
    [
        ([], []),
        ([True] * 30, np.linspace(0.1, 0.9, 30)),
        ([False] * 30, np.linspace(0.1, 0.9, 30)),
        ([True, False] * 150, np.full(300, 0.5)),
        ([True, False] * 150, np.tile([1.0, 0.0], 150)),
        ([True, False] * 150, np.tile([0.0, 1.0], 150)),
        ([True, False], [0.9, 0.1]),
        ([True], [1.0]),
    ],
)
def test_degenerate_input_is_answered_in_words(has: list[bool], score: np.ndarray) -> None:
    truth = np.array(has, bool)
    shown: Reliability = judge(truth, np.array(score, float), draws(truth, number=50), "ill")
    assert shown.says
    for one in (shown.slope, shown.intercept, shown.brier, shown.ece, *(b.share for b in shown.bins)):
        assert one is None or (one.low <= one.value + 1e-9 and one.value <= one.high + 1e-9 and one.low < one.high)


def test_of_ten_bins_of_calibrated_scores_one_is_seldom_said_to_be_off() -> None:
    """At their own 95 % intervals it would be in two plots of five."""
    off = []
    for seed in range(60):
        has, score = simulate(400, seed=seed)
        off.append(any(one.off for one in judge(has, score, draws(has, number=20)).bins))
    assert np.mean(off) <= 0.15


def test_a_slope_a_little_off_departs_and_one_that_cannot_be_told_is_not_said_to_hold() -> None:
    has, score = simulate(20_000)
    steep = judge(has, 1 / (1 + np.exp(-1.12 * logit(score))), draws(has, number=100), "ill")
    assert steep.departs and not steep.off
    apart = np.repeat([False, True], 120)
    shown = judge(apart, np.where(apart, 0.999, 0.001), draws(apart), "ill")
    assert not shown.few and "cannot be judged" in shown.says


def test_the_intercept_has_the_interval_of_logistic_recalibration() -> None:
    """Whatever the mix of kinds, which chance has made: draws within each kind would be too sure by far."""
    out, width = [], []
    for seed in range(60):
        random = np.random.default_rng(seed)
        score = 1 / (1 + np.exp(-random.normal(0, 0.8, 240)))
        has = random.random(240) < score
        one = some(judge(has, score, draws(has, number=60)).intercept)
        out.append(not one.low <= 0 <= one.high)
        width.append((one.high - one.low) / 3.92 * np.sqrt((score * (1 - score)).sum()))
    assert np.mean(out) <= 0.12 and np.mean(width) == pytest.approx(1, abs=0.05)


def test_the_brier_score_has_one_interval_that_holds_whatever_the_mix() -> None:
    random = np.random.default_rng(0)
    wanted, out = 1 / (1 + np.exp(-random.normal(-2, 0.8, 100_000))), []
    truth = float((wanted * (1 - wanted)).mean())
    for seed in range(60):
        random = np.random.default_rng(seed)
        score = 1 / (1 + np.exp(-random.normal(-2, 0.8, 300)))
        has = random.random(300) < score
        one = some(judge(has, score, draws(has, number=20)).brier)
        out.append(not one.low <= truth <= one.high)
    assert np.mean(out) <= 0.13
