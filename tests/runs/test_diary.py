"""A run's diary: only ever appended, readable after any crash, without a name, and gone when the user says so."""

from pathlib import Path

import pytest

from medtl.errors import BadInput, NotFound
from medtl.runs import diary

ENTRY = {"sha256": "a" * 64, "predicted": "benign", "scores": {"benign": 0.7}, "set": ["benign"], "accepted": True}


def test_entries_come_back_with_the_last_reading(tmp_path: Path) -> None:
    log = diary.Diary(tmp_path)
    log.answered(**ENTRY)
    log.answered(**ENTRY | {"frame": 3})
    diary.read_by_clinician(tmp_path, "a" * 64, "benign")
    diary.read_by_clinician(tmp_path, "a" * 64, "malignant")
    one, other = diary.entries(tmp_path)
    assert one.reading == "malignant" and other.reading == "" and other.frame == 3
    assert one.set == ("benign",) and one.at.tzinfo is not None
    diary.read_by_clinician(tmp_path, "a" * 64, "")
    assert diary.entries(tmp_path)[0].reading == ""


def test_a_reading_is_of_an_image_that_was_asked_about(tmp_path: Path) -> None:
    diary.Diary(tmp_path).answered(**ENTRY)
    with pytest.raises(NotFound):
        diary.read_by_clinician(tmp_path, "b" * 64, "benign")
    with pytest.raises(BadInput):
        diary.read_by_clinician(tmp_path, "a" * 64, "x" * 101)


def test_a_cut_line_costs_itself(tmp_path: Path) -> None:
    log = diary.Diary(tmp_path)
    log.answered(**ENTRY)
    with (tmp_path / diary.FILE).open("ab") as file:
        file.write(b'{"v":1,"do":"answered","at":"2026-1')
    log.answered(**ENTRY | {"sha256": "c" * 64})
    with (tmp_path / diary.FILE).open("ab") as file:
        file.write(b'[1]\n\xff\xfe\n{"v":1,"do":"answered"}\n{"v":99,"do":"answered","at":"2026-01-01"}\n')
    assert [entry.sha256[0] for entry in diary.entries(tmp_path)] == ["a", "c"]


def test_the_user_switches_it_off_and_deletes_it(tmp_path: Path) -> None:
    assert diary.is_on(tmp_path) and diary.entries(tmp_path) == () and diary.delete(tmp_path) == 0
    diary.Diary(tmp_path).answered(**ENTRY)
    diary.switch(tmp_path, on=False)
    diary.Diary(tmp_path).answered(**ENTRY)
    assert len(diary.entries(tmp_path)) == 1 and not diary.is_on(tmp_path)
    assert diary.delete(tmp_path) > 0 and not (tmp_path / diary.FILE).exists()
    diary.switch(tmp_path, on=True)
    assert diary.is_on(tmp_path)
