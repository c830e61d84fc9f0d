"""What clinicians answer to a map is kept as it was given, and the latest counts."""

from pathlib import Path

import pytest

from medtl.errors import BadInput
from medtl.runs import marks
from medtl.runs.marks import Mark

HERE = marks.box(0.1, 0.2, 0.5, 0.6)


def test_the_latest_answer_counts_and_nothing_is_overwritten(tmp_path: Path) -> None:
    assert marks.load(tmp_path) == ()
    marks.add(tmp_path, Mark("a", "ill", (HERE,), "right", who="reader 1"))
    marks.add(tmp_path, Mark("b", "ill", (), "wrong", "it looked at the marker"))
    marks.add(tmp_path, Mark("a", "ill", (HERE, HERE), "wrong"))
    now = marks.load(tmp_path)
    assert [(m.case, m.said, len(m.regions)) for m in now] == [("a", "wrong", 2), ("b", "wrong", 0)]
    assert now[0].regions[0] == HERE and now[0].at and len(marks.history(tmp_path)) == 3
    assert marks.wrong(tmp_path) == ("a", "b")
    marks.withdraw(tmp_path, "a", "ill")
    assert marks.wrong(tmp_path) == ("b",) and len(marks.history(tmp_path)) == 4


def test_a_line_cut_off_by_a_crash_costs_itself(tmp_path: Path) -> None:
    marks.add(tmp_path, Mark("a", "ill", (HERE,)))
    with (tmp_path / marks.FILE).open("a") as file:
        file.write('{"case": "b", "lab\n[1]\n{"case": "c", "label": "ill", "regions": [[[0, 0]]]}\n')
    marks.add(tmp_path, Mark("d", "ill"))
    assert [m.case for m in marks.load(tmp_path)] == ["a", "d"]


@pytest.mark.parametrize(
    "mark",
    [
        Mark("", "ill"), Mark("a", ""), Mark("a", "ill", (((0, 0), (1, 1)),)),
        Mark("a", "ill", (((0, 0), (1, 1), (2, 0)),)),
        Mark("a", "ill", (((0, 0), (1, 1), (float("nan"), 0)),)), Mark("a", "ill", said="maybe"),  # type: ignore[arg-type]
        Mark("a", "ill", words="x" * 1001), Mark("a", "ill", (HERE,) * 51),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_and_not_stored(tmp_path: Path, mark: Mark) -> None:
    with pytest.raises(BadInput) as error:
        marks.add(tmp_path, mark)
    assert error.value.advice and not (tmp_path / marks.FILE).exists()
