"""A difference of two sides: as wide as it should be, whether patients lie on one side or on both."""

import numpy as np
import pytest

from medtl.evaluation.grouped import grouped
from medtl.evaluation.intervals import Z, square_and_add, wilson
from medtl.evaluation.resampling import resample
from medtl.evaluation.sides import Side, gap, of_view


def both_sides(patients: int, shared: bool, seed: int) -> tuple[dict[str, Side], dict[str, Side]]:
    """Two images a patient, from two scanners; `shared`: each patient was in both."""
    random = np.random.default_rng(seed)
    who = np.repeat(np.arange(patients), 2)
    has = (who % 2) == 0
    level = random.normal(0, 2.0, patients)[who] + random.normal(0, 0.3, 2 * patients) + 2.0 * has
    called = level > 1.0
    scanner = np.tile([0, 1], patients) if shared else (who // 2) % 2
    draws = resample(has.astype(int), who.astype(object), 1, 0, 300)
    score = 1 / (1 + np.exp(-level))
    (whole,), (drawn,) = (grouped(has, score, called, [scanner], one) for one in (None, draws))
    made = []
    for side in (0, 1):
        values = {name: float(one[0, 0]) for name, one in whole[side].values().items()}
        every = {name: one[0] for name, one in drawn[side].values().items()}
        made.append(of_view(has, called, (scanner == 0) if side == 0 else (scanner == 1), values, every, draws))
    return made[0], made[1]


@pytest.mark.parametrize("shared", [True, False])
def test_where_nothing_differs_about_one_in_twenty_passes(shared: bool) -> None:
    passed = {"sensitivity": 0, "auroc": 0}
    for seed in range(200):
        one, other = both_sides(80, shared, seed)
        for name in passed:
            found = gap(one[name], other[name])
            passed[name] += found.low > 0 or found.high < 0
    assert max(passed.values()) <= 20


def test_what_is_common_to_both_sides_cancels_out() -> None:
    for name in ("sensitivity", "specificity", "auroc"):
        together, apart = (gap(*(side[name] for side in both_sides(80, shared, 1))) for shared in (True, False))
        assert together.high - together.low < 0.7 * (apart.high - apart.low)


def test_two_cohorts_are_taken_for_independent() -> None:
    one, other = both_sides(80, True, 2)
    assert gap(one["auroc"], other["auroc"], common=False).low < gap(one["auroc"], other["auroc"]).low


def test_one_case_a_patient_is_newcombes_interval() -> None:
    has = np.ones(60, bool)
    called = np.arange(60) % 3 > 0
    group = (np.arange(60) >= 20).astype(int)
    draws = resample(has.astype(int), None, 1, 0, 100)
    ((inside, others),) = grouped(has, np.zeros(60), called, [group], draws)
    one = of_view(has, called, group == 0, {"auroc": np.nan}, {k: v[0] for k, v in inside.values().items()}, draws)
    other = of_view(has, called, group == 1, {"auroc": np.nan}, {k: v[0] for k, v in others.values().items()}, draws)
    made = gap(one["sensitivity"], other["sensitivity"])
    a, b = called[:20].sum(), called[20:].sum()
    assert (made.low, made.high) == pytest.approx(square_and_add(a / 20, wilson(a, 20), b / 40, wilson(b, 40)))
    assert gap(one["sensitivity"], other["sensitivity"], 2 * Z).low < made.low
    assert "auroc" not in one
