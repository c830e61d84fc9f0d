"""A threshold's numbers against scikit-learn and written-out formulas; its choice against brute force."""

import time

import numpy as np
import pytest
from sklearn import metrics

from medtl.errors import BadInput
from medtl.evaluation.estimates import measure
from medtl.evaluation.intervals import Z, share, student, wilson
from medtl.evaluation.operating import CONFIRMING, NAMES, SCREENING, Point, at, choose, count
from medtl.evaluation.resampling import resample
from medtl.vocabulary import OperatingRule


def simulate(
    n: int = 200, seed: int = 0, digits: int = 8, images: int = 1
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """has (n,), score (n,), group (n,): images of a patient resemble each other."""
    random = np.random.default_rng(seed)
    group = np.arange(n) // images
    has = group % 3 == 0
    z = 1.5 * has + random.normal(0, 0.8, n)[group] + random.normal(0, 0.6, n)
    return has, np.round(1 / (1 + np.exp(0.5 - z)), digits), group


def values(point: Point) -> dict[str, float]:
    return {one.name: one.value for one in point.estimates}


@pytest.mark.parametrize("images", [1, 3])
def test_every_number_is_what_scikit_learn_says(images: int) -> None:
    has, score, group = simulate(images=images)
    point = at(has, score, 0.6, group)
    called = score >= 0.6
    tn, fp, fn, tp = metrics.confusion_matrix(has, called).ravel()
    assert (point.tp, point.fn, point.fp, point.tn) == (tp, fn, fp, tn)
    positive, negative = metrics.class_likelihood_ratios(has, called)
    oracle = {
        "sensitivity": metrics.recall_score(has, called), "ppv": metrics.precision_score(has, called),
        "specificity": metrics.recall_score(~has, ~called), "npv": metrics.precision_score(~has, ~called),
        "lr_positive": positive, "lr_negative": negative, "accuracy": metrics.accuracy_score(has, called),
        "f1": metrics.f1_score(has, called),
    }  # fmt: skip
    assert [one.name for one in point.estimates] == list(NAMES)
    for name, value in values(point).items():
        assert value == pytest.approx(oracle[name], abs=1e-9), name
    assert all(one.low < one.value < one.high for one in point.estimates)


def test_likelihood_ratios_have_the_published_interval() -> None:
    """The log method written out: exp(ln(LR) -+ z sqrt(1/a - 1/(a + c) + 1/b - 1/(b + d)))."""
    has = np.repeat([True, False], [100, 200])
    called = np.concatenate([np.arange(100) < 80, np.arange(200) < 30])
    point = count(has, called, np.arange(300))
    one = point.get("lr_positive")
    assert one is not None and one.value == pytest.approx(0.8 / 0.15) and one.how == "log method"
    spread = np.sqrt(1 / 80 - 1 / 100 + 1 / 30 - 1 / 200)
    assert (one.low, one.high) == pytest.approx(tuple(0.8 / 0.15 * np.exp(np.array([-Z, Z]) * spread)))


def test_the_slider_and_the_frozen_page_agree_number_for_number() -> None:
    has, score, group = simulate(300, images=3)
    scores, calls = np.column_stack([1 - score, score]), (score >= 0.55).astype(int)
    resampling = resample(has.astype(int), group.astype(str).astype(object), 1, 0, 50)
    frozen = {one.name: one for one in measure(has.astype(int), scores, calls, ("a", "b"), "b", resampling).estimates}
    for one in at(has, score, 0.55, resampling).estimates:
        if one.name in frozen:
            assert one == frozen[one.name]


def test_ten_thousand_cases_move_with_the_slider() -> None:
    has, score, group = simulate(10_000, images=2)
    at(has, score, 0.5, group)
    begin = time.perf_counter()
    for threshold in np.linspace(0.1, 0.9, 20):
        at(has, score, threshold, group)
    assert (time.perf_counter() - begin) / 20 < 0.02


def test_a_clustered_share_is_what_its_definition_says() -> None:
    random = np.random.default_rng(1)
    sizes = random.integers(1, 6, 30)
    hits = random.binomial(sizes, random.beta(2, 1, 30))
    one = share(hits, sizes)
    n, p = sizes.sum(), hits.sum() / sizes.sum()
    variance = 30 / 29 * sum((x - p * m) ** 2 for x, m in zip(hits, sizes, strict=True)) / n**2
    deff = variance / (p * (1 - p) / n)
    assert 1 < deff < (sizes**2).sum() / n  # so that neither bound is what is tested
    assert one.effective == pytest.approx(n / deff * (Z / student(29)) ** 2)
    assert one.interval == pytest.approx(wilson(p * one.effective, one.effective))  # type: ignore[arg-type]
    # As many hits in patients of one case each are Wilson's own.
    assert share(np.repeat([1, 0], [18, 2]), np.ones(20, int)).interval == wilson(18, 20)


def test_copies_of_cases_add_no_certainty_and_likeness_costs() -> None:
    ones = np.repeat([1, 0], [30, 10])
    plain, copied = share(ones, np.ones(40, int)), share(4 * ones, np.full(40, 4))
    assert copied.effective == pytest.approx(40, rel=0.07) and plain.effective == 40
    unlike = share(np.full(40, 3), np.full(40, 4))  # every patient has one miss in four
    assert unlike.effective > 140
    assert share(np.full(12, 3), np.full(12, 3)).interval == wilson(12, 12)  # no miss: patients count


# ---- choosing -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("digits", [1, 2, 8])
@pytest.mark.parametrize(
    "rule",
    [SCREENING, CONFIRMING, OperatingRule("sensitivity", 1.0), OperatingRule("cost", 4), OperatingRule("cost", 0.25)],
)
def test_no_other_threshold_meets_the_wish_better(rule: OperatingRule, digits: int) -> None:
    has, score, group = simulate(150, digits, digits)
    chosen = choose(has, score, rule, "ill", group)
    assert chosen.value is not None and chosen.chosen_on == "tune" and "150 cases" in chosen.rule

    def worth(threshold: float) -> tuple[float, ...]:
        called = score >= threshold
        found, passed = float(called[has].mean()), float((~called)[~has].mean())
        if rule.kind == "cost":
            return (-(rule.value or 0) * float((has & ~called).sum()) - float((~has & called).sum()),)
        wanted, other = (found, passed) if rule.kind == "sensitivity" else (passed, found)
        return (1.0, other) if wanted >= (rule.value or 0) - 1e-12 else (0.0, wanted)

    best = max(worth(t) for t in np.append(np.unique(score), 2.0))
    assert worth(chosen.value) == pytest.approx(best)


def test_the_cost_of_calibrated_probabilities_needs_no_cases() -> None:
    none = np.zeros(0)
    chosen = choose(none.astype(bool), none, OperatingRule("cost", 9), "ill", calibrated=True)
    assert chosen.value == pytest.approx(0.1) and "one miss weighs as much as 9 false alarms" in chosen.rule
    has, score, _ = simulate()
    assert choose(has, score, OperatingRule("cost", 9), calibrated=True).value == pytest.approx(0.1)
    assert "not calibrated" in choose(has, score, OperatingRule("cost", 9)).rule


def test_what_a_wish_comes_to_is_said() -> None:
    has, score, _ = simulate(150, images=3)
    said = choose(has, score, SCREENING, "ill", np.arange(150) // 3).rule
    assert "150 cases (50 patients)" in said and " found " in said and "wanted sensitivity of 90 %" in said
    few = choose(has[:12], score[:12], SCREENING, "ill").rule
    assert "too few to place the threshold well" in few
    flat = choose(has, np.full(150, 0.4), SCREENING, "ill")
    assert flat.value == 0.4 and "only by calling every case" in flat.rule
    top = choose(np.array([False, True, True]), np.array([0.9, 0.9, 0.1]), OperatingRule("specificity", 1.0), "ill")
    assert "cannot be reached" in top.rule and "as it was chosen to" not in top.rule


@pytest.mark.parametrize("rule", [SCREENING, CONFIRMING])
def test_what_the_tune_part_reached_is_not_told_as_a_finding(rule: OperatingRule) -> None:
    """Its threshold was chosen on these very cases: an interval would promise what was never tested."""
    has, score, group = simulate(150, images=3)
    said = choose(has, score, rule, "ill", group).rule
    assert "as it was chosen to." in said and "–" not in said


@pytest.mark.parametrize("rule", [OperatingRule(), SCREENING, CONFIRMING, OperatingRule("cost", 3)])
@pytest.mark.parametrize("has", [[], [True, True], [False, False]])
def test_a_tune_part_of_one_class_falls_back_to_one_half_in_words(has: list[bool], rule: OperatingRule) -> None:
    chosen = choose(np.array(has, bool), np.linspace(0.2, 0.4, len(has)), rule, "ill")
    assert chosen.value == 0.5 and "0.5" in chosen.rule


@pytest.mark.parametrize(
    "kind, value", [("sensitivity", None), ("specificity", 1.5), ("cost", 0), ("cost", np.nan), ("luck", 1)]
)
def test_a_wish_that_is_none_is_refused(kind: str, value: float | None) -> None:
    with pytest.raises(BadInput):
        OperatingRule(kind, value)  # type: ignore[arg-type]


# ---- hopeless input -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("images", [1, 3])
@pytest.mark.parametrize("has", [[], [True] * 6, [False] * 6, [True] * 3 + [False] * 3])
@pytest.mark.parametrize("called", ["none", "all", "right", "wrong"])
def test_no_zero_width_and_no_traceback(has: list[bool], called: str, images: int) -> None:
    truth = np.array(has, bool)
    calls = {"none": truth & False, "all": truth | True, "right": truth, "wrong": ~truth}[called]
    point = count(truth, calls, np.arange(len(truth)) // images)
    for one in point.estimates:
        assert one.low <= one.value <= one.high and one.low < one.high < np.inf, one
    assert point.notes or called == "wrong"
    if len(truth) and not truth.all() and truth.any() and called == "right":
        assert any("LR+: no false alarm" in note for note in point.notes)
        negative = point.get("lr_negative")
        assert negative is not None and negative.value == 0 < negative.high


def test_scores_that_are_none_are_refused_in_words() -> None:
    with pytest.raises(BadInput, match="1 of 2 cases"):
        at(np.array([True, False]), np.array([0.5, np.nan]), 0.5)
    with pytest.raises(BadInput, match="shape"):
        choose(np.array([True, False]), np.array([0.5]))
    with pytest.raises(BadInput, match="threshold"):
        at(np.array([True, False]), np.array([0.5, 0.1]), np.nan)


def test_a_cost_at_which_nobody_or_everybody_is_called_is_said() -> None:
    """Nobody: that is no sign that the classes cannot be told apart."""
    has = np.repeat([True, False], [5, 95])
    score = np.append(np.linspace(0.3, 0.6, 5), np.linspace(0.05, 0.65, 95))
    nobody, everybody = (choose(has, score, OperatingRule("cost", k), "ill").rule for k in (1, 1000))
    assert "calling nobody costs least" in nobody and "apart" not in nobody
    assert "where 5 % have it" in everybody
    flat = choose(has, np.full(100, 0.4), OperatingRule("cost", 1000), "ill").rule
    assert "Calling every case costs least" in flat
