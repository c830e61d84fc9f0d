"""A reading beside the model: the same cases on both sides, and what the page opens is what was counted."""

from pathlib import Path

import pytest

from medtl.trust import failures, reader, reader_study
from medtl.trust.failures import Told
from pages.ui import reading_result
from tests.trust.test_failures import result, row, two

CLASSES = ("well", "ill")
# truth, score of the model (called from 0.4 on), without and with the model
TABLE = {
    "a": ("ill", 0.9, "ill", "ill"),
    "b": ("ill", 0.1, "ill", "well"),  # only the reader was right, until the model spoke
    "c": ("ill", 0.8, "well", "ill"),  # only the model was right, and the reader followed
    "d": ("well", 0.9, "ill", "ill"),  # both wrong
    "e": ("well", 0.1, "well", "well"),
    "f": ("well", 0.1, reader.UNSURE, "well"),
    "g": ("well", 0.2, None, None),
}
TOLD = failures.told([two(case, truth, score) for case, (truth, score, _, _) in TABLE.items()], result(0.4))


def read(folder: Path, again: bool) -> reader.Reading:
    reader.start(folder, "AB", sorted(TABLE), CLASSES)
    for case, (_, _, said, _) in TABLE.items():
        if said is not None:
            reader.record(folder, "AB", None, case, said, 5.0)
    if again:
        reader.again(folder, "AB", None)
        for case, (_, _, _, said) in TABLE.items():
            if said is not None:
                reader.record(folder, "AB", None, case, said, 3.0)
    reader.stop(folder, "AB", None)
    return reader.get(folder, "AB", None)


@pytest.mark.parametrize("again", [False, True])
def test_what_was_not_answered_counts_on_neither_side(tmp_path: Path, again: bool) -> None:
    found = reader_study.outcome(read(tmp_path, again), TOLD, result(0.4))
    assert set(found.cases) == set("abcde") and found.unsure == ("f",) and found.unread == 1
    assert found.study.n == 5 and sum(map(sum, found.study.model.counts)) == 5
    sensitivity = [side.get("sensitivity") for side in (found.study.reader, found.study.model)]
    assert [(one.value, one.n) for one in sensitivity if one] == [(2 / 3, 3), (2 / 3, 3)]
    assert (found.aided is None) == (found.study.change is None) == (not again)


def test_what_could_not_be_told_is_also_an_error_on_all_cases(tmp_path: Path) -> None:
    """Leaving the hard cases out flatters; both sides are then told of the same cases."""
    found = reader_study.outcome(read(tmp_path, False), TOLD, result(0.4))
    assert found.strict is not None and found.strict.n == 6
    both = [side.get("specificity") for side in (found.strict.reader, found.strict.model)]
    assert [(one.value, one.n) for one in both if one] == [(1 / 3, 3), (2 / 3, 3)]
    (line,) = reading_result._strict(found)
    assert "On all 6 cases read" in line and "counted as an error" in line and "the model" in line
    all_told = {case: rest for case, rest in TABLE.items() if case != "f"}
    told = tuple(one for one in TOLD if one.case in all_told)
    assert reader_study.outcome(reader.get(tmp_path, "AB", None), told, result(0.4)).strict is None


def test_every_count_opens_its_cases(tmp_path: Path) -> None:
    found = reader_study.outcome(read(tmp_path, True), TOLD, result(0.4))
    made = found.study
    assert (found.ids(made.reader_only), found.ids(made.model_only), found.ids(made.both_wrong)) == (
        ("b",),
        ("c",),
        ("d",),
    )
    assert made.change is not None and made.change.n == 5
    assert found.ids(made.change.to_right) == ("c",) and found.ids(made.change.to_wrong) == ("b",)
    assert found.aided is not None and found.aided.reader.counts == made.model.counts


def test_cases_that_left_the_test_part_are_left_out(tmp_path: Path) -> None:
    told = tuple(one for one in TOLD if one.case != "a")
    assert reader_study.outcome(read(tmp_path, False), told, result(0.4)).study.n == 4


def test_nothing_read_is_said(tmp_path: Path) -> None:
    reader.start(tmp_path, "AB", sorted(TABLE), CLASSES)
    found = reader_study.outcome(reader.get(tmp_path, "AB", None), TOLD, result(0.4))
    assert found.study.n == 0 and found.unread == len(TABLE) and found.study.says


def test_grades_are_weighed(tmp_path: Path) -> None:
    grades = ("0", "1", "2")
    flat = dict.fromkeys(grades, 1 / 3)
    graded = result(None, task="ordinal", positive=None)
    told: tuple[Told, ...] = failures.told([row(f"{i}", grades[i % 3], grades[i % 3], flat) for i in range(9)], graded)
    reader.start(tmp_path, "AB", [one.case for one in told], grades)
    for one in told:
        reader.record(tmp_path, "AB", None, one.case, grades[min(2, int(one.reference) + 1)], 1.0)
    found = reader_study.outcome(reader.get(tmp_path, "AB", None), told, graded)
    assert found.study.kappa is not None and found.study.kappa.name == "kappa_quadratic"
