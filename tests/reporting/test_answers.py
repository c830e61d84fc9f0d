"""Eight questions: what was answered stays, what was not is said, nothing else is taken."""

from pathlib import Path

import pytest

from medtl.errors import BadInput
from medtl.reporting import answers


def test_answers_are_kept_added_to_and_taken_back(tmp_path: Path) -> None:
    assert answers.load(tmp_path) == {}
    answers.save(tmp_path, {"question": "Malignant?", "ethics": "waiver 12/2024"})
    assert answers.save(tmp_path, {"use": "Radiologists"}) == answers.load(tmp_path)
    assert set(answers.load(tmp_path)) == {"question", "ethics", "use"}
    answers.save(tmp_path, {"ethics": ""})
    assert "ethics" not in answers.load(tmp_path)


def test_only_the_eight_questions_are_taken(tmp_path: Path) -> None:
    assert len(answers.QUESTIONS) == len(set(answers.KEYS)) == 8
    with pytest.raises(BadInput, match="no question"):
        answers.save(tmp_path, {"patient": "somebody"})
    with pytest.raises(BadInput, match="at most"):
        answers.save(tmp_path, {"question": "x" * (answers.LONGEST + 1)})
    assert not (tmp_path / answers.ANSWERS).exists()


def test_a_toml_file_answers_several_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('question = "Malignant?"\nwhere = "One hospital"\n')
    assert answers.from_toml(tmp_path / "a.toml") == {"question": "Malignant?", "where": "One hospital"}
    (tmp_path / "b.toml").write_text("question = unquoted")
    with pytest.raises(BadInput, match="cannot be read"):
        answers.from_toml(tmp_path / "b.toml")


def test_what_turns_the_line_round_is_taken_out(tmp_path: Path) -> None:
    assert answers.save(tmp_path, {"question": "a\u202eb\x00\nc"})["question"] == "ab c"
