"""A mending is what scikit-learn would fit, keeps the order, goes through JSON, and is refused in words."""

import json

import numpy as np
import pytest
from sklearn.calibration import _sigmoid_calibration, _TemperatureScaling
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from medtl.errors import BadInput
from medtl.evaluation.calibration import logit
from medtl.evaluation.operating import choose
from medtl.evaluation.recalibrating import KEPT, NEEDS, Calibrator, Kind, fit, fit_table, from_dict
from medtl.vocabulary import OperatingRule, to_dict


def overdone(n: int = 400, by: float = 2.5, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """has (n,), and scores whose logits are so many times too large."""
    random = np.random.default_rng(seed)
    x = random.normal(0, 1.5, n)
    return random.random(n) < 1 / (1 + np.exp(-x)), 1 / (1 + np.exp(-by * x - 0.4))


def test_platt_is_scikit_learn_s() -> None:
    has, score = overdone()
    by, constant = fit(has, score).numbers
    a, b = _sigmoid_calibration(logit(score), has.astype(int))
    assert (by, constant) == pytest.approx((-a, -b), abs=2e-4)  # it stops at a looser tolerance
    # What both look for: where the slope of the smoothed log-loss is nought.
    wanted = np.where(has, (has.sum() + 1) / (has.sum() + 2), 1 / ((~has).sum() + 2))
    miss = 1 / (1 + np.exp(-by * logit(score) - constant)) - wanted
    assert [miss.mean(), (miss * logit(score)).mean()] == pytest.approx([0, 0], abs=1e-8)


def test_one_temperature_is_scikit_learn_s() -> None:
    has, score = overdone()
    x = logit(score)[:, None]
    coefficient = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-10).fit(x, has).coef_[0, 0]
    assert 1 / fit(has, score, kind="temperature").numbers[0] == pytest.approx(coefficient, abs=1e-6)
    random = np.random.default_rng(1)
    y = random.integers(0, 4, 500)
    z = 3 * (random.normal(size=(500, 4)) + np.eye(4)[y])
    scores = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    found = fit_table(y, scores)
    theirs = _TemperatureScaling().fit(np.log(scores), y)
    assert 1 / found.numbers[0] == pytest.approx(theirs.beta_, abs=1e-5)
    mended = found.table(scores)
    assert mended.sum(axis=1) == pytest.approx(1) and (mended.argmax(axis=1) == scores.argmax(axis=1)).all()
    assert (np.diff(np.take_along_axis(mended, scores.argsort(axis=1), axis=1), axis=1) >= 0).all()


def test_isotonic_levels_are_scikit_learn_s() -> None:
    has, score = overdone(1500)
    corners, levels = np.split(np.array(fit(has, score, kind="isotonic").numbers), 2)
    theirs = np.unique(IsotonicRegression().fit_transform(score, has))
    assert levels == pytest.approx(np.clip(theirs, 1e-6, 1 - 1e-6), abs=1e-9) and (np.diff(corners) > 0).all()


def test_scores_that_were_overdone_are_mended() -> None:
    has, score = overdone(4000)
    later, of_later = overdone(4000, seed=9)
    for kind in ("platt", "temperature", "isotonic"):
        mended = fit(has, score, kind=kind).score(of_later)
        assert np.mean((mended - later) ** 2) < np.mean((of_later - later) ** 2) - 0.01
    by, constant = fit(has, score).numbers
    assert by == pytest.approx(1 / 2.5, abs=0.04) and constant == pytest.approx(-0.4 / 2.5, abs=0.1)


@pytest.mark.parametrize("kind", ["platt", "temperature", "isotonic"])
def test_order_and_calls_stay(kind: Kind) -> None:
    has, score = overdone(1000)
    frozen = fit(has, score, kind=kind)
    many = np.linspace(0, 1, 2001)
    assert (np.diff(frozen.score(many)) > 0).all() and frozen.score(many).min() >= 0 and frozen.score(many).max() <= 1
    threshold = choose(has, score, OperatingRule("sensitivity", 0.8), "ill")
    carried = frozen.threshold(threshold)
    assert carried.value is not None and threshold.value is not None
    assert ((frozen.score(score) >= carried.value) == (score >= threshold.value)).all()
    assert "Carried over" in carried.rule
    for at in (0, 1):
        table = frozen.table(np.stack([score, 1 - score] if at == 0 else [1 - score, score], axis=1), at)
        assert table[:, at] == pytest.approx(frozen.score(score)) and table.sum(axis=1) == pytest.approx(1)


def test_it_goes_through_json() -> None:
    frozen = fit(*overdone())
    again = from_dict(json.loads(json.dumps(to_dict(frozen))))
    assert again == frozen and "20" not in again.kind and again.fitted


def test_few_cases_get_fewer_numbers_and_then_none() -> None:
    has, score = overdone(2000)
    ill, well = np.flatnonzero(has), np.flatnonzero(~has)

    def of(few: int) -> Calibrator:
        chosen = np.concatenate([ill[:few], well[:200]])
        return fit(has[chosen], score[chosen], "ill")

    assert [of(few).kind for few in (20, 19, 10, 9)] == ["platt", "temperature", "temperature", "none"]
    assert of(9).says == (
        "Not calibrated: only 9 cases of the tune part are ill, and temperature scaling needs 10. They stay scores."
    )
    assert fit(has[:300], score[:300], kind="isotonic").kind == "none"
    # Ten images of one patient are one patient.
    assert fit(has, score, group=np.zeros(2000, int)).kind == "none"
    three = np.full((40, 3), 1 / 3)
    assert "needs 50" in fit_table(np.arange(40) % 3, three).says


@pytest.mark.parametrize(
    "has, score",
    [
        (np.arange(60) < 30, np.full(60, 0.4)),  # constant
        (np.arange(60) < 30, np.linspace(0, 1, 60)),  # upside down
        (np.zeros(60, bool), np.linspace(0, 1, 60)),  # one class
        (np.zeros(0, bool), np.zeros(0)),
    ],
)
@pytest.mark.parametrize("kind", [None, *NEEDS])
def test_where_nothing_can_be_learned_scores_stay_scores(has: np.ndarray, score: np.ndarray, kind: Kind | None) -> None:
    found = fit(has, score, "ill", kind)
    if kind == "temperature" and len(has) and np.ptp(score) == 0:
        return  # a score of 0.4 for half of the cases: hotter is a little better, and 20 is the hottest
    assert not found.fitted and "tay scores" in found.says and (found.score(score) == score).all()


def test_separated_classes_tell_no_temperature() -> None:
    has = np.arange(60) >= 30
    found = fit(has, np.where(has, 0.9, 0.1) + np.linspace(-0.01, 0.01, 60), kind="temperature")
    assert not found.fitted and "separate" in found.says
    platt = fit(has, np.linspace(0, 1, 60))
    assert platt.fitted and platt.score(np.array([1.0, 0.9])).tolist()[1] < 1
    assert not fit_table(np.arange(90) % 3, np.eye(3)[np.arange(90) % 3]).fitted


def test_scores_that_are_none_are_refused() -> None:
    with pytest.raises(BadInput):
        fit(np.array([True, False]), np.array([np.nan, 0.1]))
    with pytest.raises(BadInput):
        fit_table(np.array([0, 1]), np.full((2, 3), np.nan))
    with pytest.raises(BadInput):
        fit(*overdone()).table(np.full((2, 3), 1 / 3))
    assert KEPT < 0.05
