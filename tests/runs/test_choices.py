"""What a user chose of a finished run: kept with its time, never undone, never in the way of the result."""

from pathlib import Path

from medtl.runs import choices
from medtl.runs.choices import Choices
from medtl.vocabulary import OperatingRule


def test_what_was_chosen_is_read_back_and_what_was_not_keeps_its_default(tmp_path: Path) -> None:
    assert choices.read(tmp_path) == Choices()
    choices.write(tmp_path, prevalence={"malignant": 0.1})
    choices.write(tmp_path, range=(0.1, 0.4))
    assert choices.read(tmp_path) == Choices(prevalence={"malignant": 0.1}, range=(0.1, 0.4))


def test_every_change_of_the_operating_point_stays_on_record(tmp_path: Path) -> None:
    screening, none = OperatingRule("sensitivity", 0.95), OperatingRule()
    choices.changes(tmp_path, screening)
    after = choices.changes(tmp_path, none)
    assert [one.rule for one in after.changed] == [screening, none]
    assert all(one.at.endswith("+00:00") for one in after.changed)
    assert choices.read(tmp_path).rule == none


def test_the_first_opening_keeps_its_time(tmp_path: Path) -> None:
    first = choices.opened(tmp_path)
    second = choices.opened(tmp_path)
    assert first.opened and second.opened == first.opened
    assert (first.openings, second.openings) == (1, 2)


def test_a_damaged_file_is_no_choice(tmp_path: Path) -> None:
    for content in ("{", "[]", '{"range": 3}', '{"changed": [{"at": 1}]}'):
        (tmp_path / choices.FILE).write_text(content)
        assert choices.read(tmp_path) == Choices()
