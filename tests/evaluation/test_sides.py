"""A side's values and intervals are those of the test page; a difference of two is as wide as draws of patients say
where no patient lies on both sides, and rather wider where some do."""

import numpy as np
import pytest

from medtl.evaluation.estimates import estimates
from medtl.evaluation.intervals import Z, square_and_add, wilson
from medtl.evaluation.ranking import auroc, found, rank
from medtl.evaluation.resampling import Resampling, resample, whose
from medtl.evaluation.sides import Side, auroc_side, average, gap, mean, of_view, share

NAMES = ("sensitivity", "specificity", "ppv", "auroc")


def simulated(patients: int, seed: int, images: int = 2) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    who = np.repeat(np.arange(patients), images)
    has = (who % 2) == 0
    raw = random.normal(0, 1.0, patients)[who] + random.normal(0, 0.3, len(who)) + 2.0 * has - 1
    return has, 1 / (1 + np.exp(-raw)), who, random.permutation(len(who))


def both_sides(patients: int, shared: bool, seed: int) -> tuple[list[dict[str, Side]], Resampling]:
    """Two images a patient, from two scanners; `shared`: each patient was in both."""
    has, score, who, _ = simulated(patients, seed)
    one = np.tile([True, False], patients) if shared else (who // 2) % 2 == 0
    draws = whose(len(who), who.astype(object))
    return [of_view(has, score, score >= 0.5, among, draws) for among in (one, ~one)], draws


@pytest.mark.parametrize("images", [1, 3])
def test_a_side_of_all_is_the_test_page(images: int) -> None:
    has, score, who, _ = simulated(90, 0, images)
    y, calls, patients = has.astype(int), (score >= 0.5).astype(int), who.astype(object)
    page = estimates(y, np.stack([1 - score, score], 1), calls, ("well", "ill"), "ill", patients, 0, 100)
    sides = of_view(has, score, score >= 0.5, np.ones(len(y), bool), whose(len(y), patients))
    assert [sides[name].estimate for name in NAMES] == [next(o for o in page if o.name == name) for name in NAMES]


@pytest.mark.parametrize("shared", [True, False])
def test_a_difference_varies_as_draws_of_patients_do(shared: bool) -> None:
    has, score, who, _ = simulated(120, 3)
    one = np.tile([True, False], 120) if shared else (who // 2) % 2 == 0
    draws = resample(has.astype(int), who.astype(object), 1, 0, 3000)
    counts = draws.counts.astype(float)
    sides, _ = both_sides(120, shared, 3)

    def share_in(hits: np.ndarray, of: np.ndarray) -> np.ndarray:
        return counts[hits & of].sum(0) / counts[of].sum(0)

    for name, drawn in {
        "sensitivity": share_in(score >= 0.5, has & one) - share_in(score >= 0.5, has & ~one),
        "auroc": np.subtract(*(auroc(*found(rank(has[m], score[m]), counts[m])) for m in (one, ~one))),
    }.items():
        made = gap(sides[0][name], sides[1][name])
        width = (made.high - made.low) / (2 * Z * drawn.std())
        assert 0.88 < width < (1.8 if shared else 1.2)  # of what goes together rather too wide
        assert made.value == pytest.approx(drawn.mean(), abs=0.01)


@pytest.mark.parametrize("shared", [True, False])
def test_where_nothing_differs_about_one_in_twenty_passes(shared: bool) -> None:
    passed = {"sensitivity": 0, "auroc": 0}
    for seed in range(200):
        (one, other), _ = both_sides(80, shared, seed)
        for name in passed:
            made = gap(one[name], other[name])
            passed[name] += made.low > 0 or made.high < 0
    assert max(passed.values()) <= 18


def test_two_cohorts_are_taken_for_independent() -> None:
    (one, other), _ = both_sides(80, True, 2)
    assert gap(one["auroc"], other["auroc"], common=False).low < gap(one["auroc"], other["auroc"]).low


def test_one_case_a_patient_is_newcombes_interval() -> None:
    called = np.arange(60) % 3 > 0
    among, draws = np.arange(60) < 20, whose(60, None)
    sides = [of_view(np.ones(60, bool), np.zeros(60), called, one, draws) for one in (among, ~among)]
    made = gap(sides[0]["sensitivity"], sides[1]["sensitivity"])
    a, b = int(called[:20].sum()), int(called[20:].sum())
    assert (made.low, made.high) == pytest.approx(square_and_add(a / 20, wilson(a, 20), b / 40, wilson(b, 40)))
    assert gap(sides[0]["sensitivity"], sides[1]["sensitivity"], 2 * Z).low < made.low
    assert "auroc" not in sides[0] and "specificity" not in sides[0]


def test_nothing_has_no_width_and_nobody_no_value() -> None:
    has = np.arange(40) < 20
    draws, everyone = whose(40, np.repeat(np.arange(20), 2).astype(object)), np.ones(40, bool)
    perfect = of_view(has, has * 0.5, has, everyone, draws)
    constant = of_view(has, np.zeros(40), has, everyone, draws)
    for one in (*perfect.values(), *constant.values()):
        assert one.estimate.low < one.estimate.high
    same = gap(perfect["auroc"], perfect["auroc"], common=False)
    assert same.low < 0 < same.high
    assert share("held", has, ~everyone, draws) is None and mean("size", np.ones(40), ~everyone, draws, 3) is None
    one = mean("size", np.ones(40), everyone, draws, 3)
    assert one is not None and one.low < 1 < one.high
    assert average([]) is None and auroc_side(has, np.zeros(40), has, draws) is None


def test_an_average_knows_that_its_parts_are_of_the_same_patients() -> None:
    has, score, _, shuffled = simulated(100, 5, 1)
    draws, everyone = whose(100, None), np.ones(100, bool)
    one = auroc_side(has, score, everyone, draws)
    other = auroc_side(has, score[shuffled], everyone, draws)
    alike, mixed = average([one, one]), average([one, other])
    assert (alike.estimate.low, alike.estimate.high) == pytest.approx((one.estimate.low, one.estimate.high), abs=0.01)
    assert mixed.estimate.high - mixed.estimate.low < other.estimate.high - other.estimate.low
