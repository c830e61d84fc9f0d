"""The accuracy benchmark hands out images fairly, and its tables say what its lines say."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import strategies, strategies_tables
from benchmarks.strategies_tables import AUTOMATIC


def a_target() -> strategies.Ready:
    """Two classes of 60, in groups of three; the first 20 of each are for judging."""
    labels, groups = np.repeat([0, 1], 60), np.arange(120) // 3
    test = np.concatenate([np.arange(18), 60 + np.arange(18)])
    pool = np.setdiff1d(np.arange(120), test)
    return strategies.Ready("made", Path("none"), np.zeros((120, 3, 1, 1), np.uint8), labels, groups, test, pool)


@pytest.mark.parametrize("size", ["5", "10", "all"])
def test_a_draw_divides_no_group_and_touches_no_test_case(size: str) -> None:
    of = a_target()
    for number in range(5):
        draw = strategies.drawn(of, size, number)
        assert not set(of.groups[draw.train]) & set(of.groups[draw.tune])
        assert not set(draw.both) & set(of.test)
        assert len(set(draw.both)) == len(draw.both)


def test_a_draw_has_so_many_a_class_and_a_third_more_and_small_ones_lie_in_large_ones() -> None:
    of = a_target()
    small, large = strategies.drawn(of, "5", 3), strategies.drawn(of, "10", 3)
    assert np.bincount(of.labels[small.train]).tolist() == [5, 5]
    assert np.bincount(of.labels[small.tune]).tolist() == [2, 2]
    assert np.bincount(of.labels[large.tune]).tolist() == [3, 3]
    assert set(small.train) <= set(large.train)
    assert set(small.train) != set(strategies.drawn(of, "5", 4).train)


def results(reached: dict[str, list[float]]) -> list[dict[str, Any]]:
    return [
        {"target": "BUSI", "size": "5", "draw": draw, "method": method, "auroc": value}
        for method, values in reached.items()
        for draw, value in enumerate(values)
    ]


def test_a_lead_and_no_regret_are_met(capsys: pytest.CaptureFixture[str]) -> None:
    lines = results({"frozen": [0.80, 0.82, 0.81], AUTOMATIC: [0.85, 0.86, 0.86], "full": [0.83, 0.84, 0.84]})
    strategies_tables.show(lines, strategies.PEERS)
    said = capsys.readouterr().out
    assert "Lead over the best single peer: +0.0467, wanted 0.015: met" in said
    assert "Mean regret: 0.0000, wanted at most 0.01: met" in said
    assert "MISSED" not in said


def test_a_better_peer_and_a_better_strategy_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    lines = results({"frozen": [0.90, 0.92, 0.91], AUTOMATIC: [0.80, 0.82, 0.81], "full": [0.85, 0.87, 0.86]})
    strategies_tables.show(lines, strategies.PEERS)
    said = capsys.readouterr().out
    assert "a peer is better beyond the interval: 1 of 1, wanted 0: MISSED" in said
    assert "Lead over the best single peer: -0.1000, wanted 0.015: MISSED" in said
    assert "Mean regret: 0.0500, wanted at most 0.01: MISSED" in said


def told(method: str, auroc: float, right: float, cases: int) -> dict[str, Any]:
    """Its line, when it gives the true class of every tuning case this score."""
    labels = [0, 1] * cases
    scores = [[right, 1 - right] if label == 0 else [1 - right, right] for label in labels]
    return {
        "target": "PBC", "size": "5", "draw": 0, "method": method, "auroc": auroc, "expected": ["full", "linear-probe"],
        "tune_scores": scores, "tune_labels": labels, "tune_groups": list(range(len(labels))),
    }  # fmt: skip


def test_automatic_takes_what_the_tune_part_says_clearly_and_else_what_is_expected() -> None:
    [clear] = strategies.chosen([told("linear-probe", 0.9, 0.9, 20), told("full", 0.8, 0.4, 20)])
    assert (clear["chose"], clear["auroc"]) == ("linear-probe", 0.9)
    [level] = strategies.chosen([told("linear-probe", 0.9, 0.9, 20), told("full", 0.8, 0.9, 20)])
    assert (level["chose"], level["auroc"]) == ("full", 0.8)


def test_automatic_has_no_result_before_all_it_tries_have() -> None:
    assert not list(strategies.chosen([told("full", 0.8, 0.9, 5)]))


def test_one_draw_has_no_interval() -> None:
    low, high = strategies_tables.interval(np.array([0.1]))
    assert low == -np.inf and high == np.inf


def test_methods_are_compared_on_the_draws_both_have() -> None:
    [cell] = strategies_tables.cells_of(results({"frozen": [0.8], AUTOMATIC: [0.9, 0.1]}))
    assert cell.gaps(AUTOMATIC, "frozen") == pytest.approx([0.1])


def test_two_draws_meet_nothing_by_being_uncertain(capsys: pytest.CaptureFixture[str]) -> None:
    strategies_tables.show(results({"frozen": [0.8, 0.9], AUTOMATIC: [0.81, 0.89]}), strategies.PEERS)
    assert "0 of 1, wanted 0: open, 1 cells have few draws" in capsys.readouterr().out
