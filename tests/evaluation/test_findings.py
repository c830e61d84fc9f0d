"""Several findings: each as if it were alone, on its sure cases; the means over them; what cannot be judged is said."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from medtl.errors import BadInput
from medtl.evaluation import findings
from medtl.evaluation.conformal import members
from medtl.evaluation.evaluation import evaluate

NAMES = ("oedema", "effusion", "nodule")


def simulated(n: int = 160, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Two findings with uncertain and missing labels, and a third that three cases have."""
    rng = np.random.default_rng(seed)
    truth = (rng.random((n, 3)) < [0.4, 0.25, 0]).astype(np.int8)
    truth[:3, 2] = 1
    scores = 1 / (1 + np.exp(-(2 * truth - 1 + rng.normal(0, 1.2, (n, 3)))))
    truth[rng.permutation(n)[:20], 0] = -1
    truth[rng.permutation(n)[:30], 1] = -2
    return truth, scores


@pytest.fixture(scope="module")
def made() -> findings.Findings:
    y, scores = simulated()
    return findings.evaluate(*simulated(seed=1), y, scores, NAMES, None, 1 - scores, draws=300)


def test_each_finding_is_judged_as_if_it_were_alone(made: findings.Findings) -> None:
    (y_tune, s_tune), (y, s) = simulated(seed=1), simulated()
    for k in (0, 1):
        tune, test = y_tune[:, k] >= 0, y[:, k] >= 0
        two = (f"no {NAMES[k]}", NAMES[k])
        alone = evaluate(
            y_tune[tune, k], np.stack([1 - s_tune[tune, k], s_tune[tune, k]], 1),
            y[test, k], np.stack([1 - s[test, k], s[test, k]], 1), two, NAMES[k], None, draws=300,
        )  # fmt: skip
        same = {one.name: one for one in alone.estimates if one.name != "accuracy"}
        assert {one.name: one for one in made.each[NAMES[k]].estimates} == same
        assert made.each[NAMES[k]].threshold == alone.threshold


def test_left_out_cases_change_nothing_and_are_counted(made: findings.Findings) -> None:
    y, scores = simulated()
    other = np.where(y < 0, 1 - scores, scores)
    again = findings.evaluate(*simulated(seed=1), y, other, NAMES, None, 1 - scores, draws=300)
    assert [one for one in again.estimates if "[" in one.name] == [one for one in made.estimates if "[" in one.name]
    assert (made.counts["oedema"].uncertain, made.counts["effusion"].unsaid) == (20, 30)
    assert any("20 uncertain" in note and "30 that nobody" in note for note in made.notes)


def test_means_are_over_the_findings_that_can_be_judged(made: findings.Findings) -> None:
    y, scores = simulated()
    values = {one.name: one for one in made.estimates}
    sure = [y[:, k] >= 0 for k in range(3)]
    for name, measure in (("auroc", roc_auc_score), ("auprc", average_precision_score)):
        each = [measure(y[sure[k], k], scores[sure[k], k]) for k in (0, 1)]
        assert values[name].value == pytest.approx(np.mean(each))
        assert values[name].low < values[name].value < values[name].high
    assert made.counts["nodule"].few and "nodule" in (made.small_test or "") and "nodule" in " ".join(made.notes)


def test_accuracy_is_never_said(made: findings.Findings) -> None:
    assert not any(one.name.startswith("accuracy") for one in made.estimates)
    assert not any(one.name == "accuracy" for alone in made.each.values() for one in alone.estimates)


def test_calibration_and_a_threshold_of_ones_own_for_every_finding(made: findings.Findings) -> None:
    names = {one.name for one in made.estimates}
    assert {"calibration_slope[oedema]", "calibration_slope[effusion]", "sensitivity[oedema]"} <= names
    assert set(made.thresholds) == set(NAMES) and len(set(made.thresholds.values())) == 3


def test_the_interval_of_the_mean_holds_patients_together() -> None:
    """Ten copies of every case are no more evidence than one."""
    y, scores = simulated(80)
    many, told = np.repeat(y, 10, axis=0), np.repeat(scores, 10, axis=0)
    who = np.repeat(np.arange(80).astype(str).astype(object), 10)
    one, ten = (
        findings.evaluate(a, b, a, b, NAMES, patients, draws=300).estimates[0]
        for a, b, patients in ((y, scores, None), (many, told, who))
    )
    assert ten.high - ten.low == pytest.approx(one.high - one.low, rel=0.3)


def test_a_control_is_compared_on_the_same_draws(made: findings.Findings) -> None:
    assert made.control is not None and made.control.verdict == "helps"
    y, scores = simulated()
    same = findings.compare(y, scores, scores, None, draws=300)
    assert same["difference"]["value"] == 0 and same["verdict"] == "no difference seen"
    with pytest.raises(BadInput):
        findings.compare(np.full((5, 3), -2), scores[:5], scores[:5], None)


def test_sets_of_each_finding_hold_the_truth_about_as_often_as_they_should() -> None:
    y_tune, s_tune = simulated(600, seed=5)
    y, s = simulated(2000, seed=6)
    made = findings.evaluate(y_tune, s_tune, y[:50], s[:50], NAMES, None, draws=50)
    for k in (0, 1):
        sure = y[:, k] >= 0
        held = [
            y[i, k] in members(np.array([1 - s[i, k], s[i, k]]), made.limits[NAMES[k]]) for i in np.flatnonzero(sure)
        ]
        assert np.mean(held) == pytest.approx(0.9, abs=0.04)


def test_nothing_sure_in_the_test_part_is_said() -> None:
    y, scores = simulated(40)
    made = findings.evaluate(y, scores, np.full((12, 3), -1), scores[:12], NAMES, None, scores[:12], draws=50)
    assert made.estimates == () and made.control is None and "nothing can be said" in made.sentence.lower()
    assert set(made.as_dict()["findings"]) == set(NAMES)


def test_wrong_shapes_and_numbers_that_are_none_are_refused() -> None:
    y, scores = simulated(20)
    with pytest.raises(BadInput):
        findings.evaluate(y, scores[:, :2], y, scores[:, :2], NAMES, None)
    with pytest.raises(BadInput):
        findings.evaluate(y, scores, y, np.where(scores > 0.5, np.nan, scores), NAMES, None)
