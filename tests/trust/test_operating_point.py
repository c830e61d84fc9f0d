"""Another operating point: from the tune part alone, on record with its time, and said with every number it changes."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from medtl.errors import BadInput
from medtl.runs import choices, results, store
from medtl.trust import judge, operating_point
from medtl.vocabulary import Estimate, OperatingRule

Made = Callable[..., Path]
SCREENING = OperatingRule("sensitivity", 0.95)


def test_every_number_follows_and_the_first_result_stays(finished: Made) -> None:
    folder = finished()
    before, file = results.load(folder), (folder / store.RESULT / results.ESTIMATES).read_bytes()
    operating_point.change(folder, SCREENING)
    after = results.load(folder)
    assert after.threshold is not None and before.threshold is not None
    assert after.threshold.value != before.threshold.value and "wanted sensitivity of 95 %" in after.threshold.rule
    assert after.estimate("sensitivity") != before.estimate("sensitivity")
    assert (folder / store.RESULT / results.ESTIMATES).read_bytes() == file
    tuned = [row for row in results.predictions(folder) if row.part == "tune" and row.label == "ill"]
    assert sum(row.predicted == "ill" for row in tuned) >= 0.95 * len(tuned)


def test_that_it_was_chosen_after_the_test_is_said_and_stays_on_record(finished: Made) -> None:
    folder = finished()
    operating_point.change(folder, SCREENING)
    assert any("changed after the test part had been seen" in one for one in results.load(folder).caveats)
    assert judge.judge(folder).rule == SCREENING and len(judge.judge(folder).changed) == 1
    operating_point.change(folder, OperatingRule())
    assert results.load(folder).caveats == () and not (folder / store.RESULT / results.OPERATING).exists()
    assert len(choices.read(folder).changed) == 2


def test_what_was_wanted_stands_beside_what_the_test_part_reached(finished: Made) -> None:
    folder = finished()
    assert operating_point.wanted(judge.judge(folder)) == ()
    operating_point.change(folder, SCREENING)
    judged = judge.judge(folder)
    (said,) = operating_point.wanted(judged)
    point = judged.views[0].point
    assert said.startswith(f"Wanted: sensitivity 95 %; in the test part {point.tp} of {point.tp + point.fn} (")
    for low, value, high, ends in ((0.64, 0.85, 0.94, "below it."), (0.64, 0.85, 0.97, "less, with an interval that"),
                                   (0.951, 0.98, 0.99, "above it.")):  # fmt: skip
        got = Estimate("sensitivity", value, low, high, 20, "Wilson")
        view = replace(judged.views[0], point=replace(point, estimates=(got,)))
        (said,) = operating_point.wanted(replace(judged, views=(view,)))
        assert ends in said and f"({100 * value:.0f} %, {100 * low:.0f}–{100 * high:.0f} %)" in said


def test_calls_counts_and_table_agree_after_the_change(finished: Made) -> None:
    folder = finished()
    operating_point.change(folder, SCREENING)
    test = [row for row in results.predictions(folder) if row.part == "test"]
    table = results.load(folder).confusion
    assert table is not None
    for i, of in enumerate(table.classes):
        for j, called in enumerate(table.classes):
            assert table.counts[i][j] == sum(row.label == of and row.predicted == called for row in test)
    point = judge.judge(folder).views[0].point
    assert (point.tp, point.fp) == (table.counts[1][1], table.counts[0][1])


def test_findings_change_one_by_one(finished: Made) -> None:
    folder = finished("multi-label", ("oedema", "effusion"))
    before = judge.judge(folder)
    operating_point.change(folder, SCREENING)
    after = judge.judge(folder)
    assert all(
        a.threshold is not None and b.threshold is not None and a.threshold.value < b.threshold.value
        for a, b in zip(after.views, before.views, strict=True)
    )
    test = [row for row in results.predictions(folder) if row.part == "test"]
    called = sum("oedema" in row.predicted for row in test if row.said["oedema"] >= 0)
    assert called == after.views[0].point.tp + after.views[0].point.fp


def test_where_the_highest_score_decides_there_is_nothing_to_choose(finished: Made) -> None:
    with pytest.raises(BadInput, match="highest score decides"):
        operating_point.change(finished(classes=("a", "b", "c")), SCREENING)


def test_the_rule_of_the_recipe_is_used_from_the_start(finished: Made) -> None:
    folder = finished(operating=SCREENING)
    told = judge.judge(folder)
    assert told.rule == SCREENING and told.changed == ()
    assert told.views[0].threshold is not None and "wanted sensitivity" in told.views[0].threshold.rule
