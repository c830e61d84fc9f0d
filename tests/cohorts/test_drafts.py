"""A draft is a diary: nothing decided is lost, the last word counts, and taking back restores what was."""

import random
from pathlib import Path

import pytest

from medtl.cohorts import drafts
from medtl.errors import BadInput, NotFound
from medtl.workspace import Workspace


@pytest.fixture
def ws(tmp_path: Path) -> Workspace:
    ws = Workspace(tmp_path / "home").ensure()
    (ws.cohorts / "c1").mkdir()
    return ws


def test_nothing_decided_is_an_empty_draft(ws: Workspace) -> None:
    assert drafts.read(ws, "c1") == drafts.Draft()
    assert drafts.undo(ws, "c1") is None


def test_the_last_word_about_a_case_counts(ws: Workspace) -> None:
    for action, value in (("label", "a"), ("leave-out", ""), ("label", "b"), ("patient", "P7")):
        drafts.add(ws, "c1", "x", action, value)  # type: ignore[arg-type]
    drafts.add(ws, "c1", "y", "leave-out")
    drafts.add(ws, "c1", "z", "seen")
    draft = drafts.read(ws, "c1")
    assert draft.relabel == {"x": "b"} and draft.patients == {"x": "P7"}
    assert draft.exclude == {"y"}, "a class given afterwards brings a case back"
    assert draft.seen == {"x", "y", "z"} and draft.touched == {"x", "y"}
    assert (draft.last, draft.steps) == ("z", 6)


def test_undo_restores_every_state_there_was(ws: Workspace) -> None:
    choose = random.Random(0)
    states = [drafts.read(ws, "c1")]
    for _ in range(40):
        action = choose.choice(("label", "leave-out", "put-back", "patient", "seen"))
        drafts.add(ws, "c1", choose.choice("abcd"), action, choose.choice(("one", "two")))  # type: ignore[arg-type]
        states.append(drafts.read(ws, "c1"))
    for before in reversed(states[:-1]):
        drafts.undo(ws, "c1")
        assert drafts.read(ws, "c1") == before


def test_a_decision_after_an_undo_stands(ws: Workspace) -> None:
    drafts.add(ws, "c1", "x", "label", "a")
    drafts.undo(ws, "c1")
    drafts.add(ws, "c1", "y", "leave-out")
    assert drafts.read(ws, "c1").touched == {"y"}


def test_a_torn_line_costs_one_decision_and_no_other(ws: Workspace) -> None:
    drafts.add(ws, "c1", "x", "leave-out")
    with (ws.cohort("c1") / drafts.FILE).open("ab") as file:
        file.write(b'\n{"case": "y", "do": "lea')
    drafts.add(ws, "c1", "z", "leave-out")
    assert drafts.read(ws, "c1").exclude == {"x", "z"}


@pytest.mark.parametrize("line", ["[]", "3", '{"do": "label"}', '{"do": "rm", "case": "x", "value": ""}', "\x00", "{"])
def test_foreign_lines_are_passed_over(ws: Workspace, line: str) -> None:
    (ws.cohort("c1") / drafts.FILE).write_text(line + "\n")
    assert drafts.read(ws, "c1") == drafts.Draft()


def test_text_stays_as_it_was_typed(ws: Workspace) -> None:
    typed = 'gutartig, ähnlich \n"x" \u2028 雪'
    drafts.add(ws, "c1", "x", "label", typed)
    assert drafts.read(ws, "c1").relabel == {"x": typed}


def test_clear_forgets_and_may_be_asked_twice(ws: Workspace) -> None:
    drafts.add(ws, "c1", "x", "seen")
    drafts.clear(ws, "c1")
    drafts.clear(ws, "c1")
    assert drafts.read(ws, "c1") == drafts.Draft()


def test_what_cannot_be_noted_is_refused(ws: Workspace) -> None:
    with pytest.raises(BadInput):
        drafts.add(ws, "c1", "x", "burn")  # type: ignore[arg-type]
    with pytest.raises(BadInput):
        drafts.add(ws, "c1", "x", "label", "a" * 501)
    with pytest.raises(NotFound):
        drafts.add(ws, "gone", "x", "seen")
    with pytest.raises(NotFound):
        drafts.add(ws, "../c1", "x", "seen")


def test_a_draft_is_carried_along_and_stays_where_it_was(ws: Workspace) -> None:
    for name in ("c2", "c3"):
        (ws.cohorts / name).mkdir()
    drafts.add(ws, "c1", "x", "label", "a")
    drafts.add(ws, "c1", "y", "leave-out")
    drafts.undo(ws, "c1")
    drafts.carry(ws, "c1", "c2")
    drafts.carry(ws, "c1", "c3", only_seen=True)
    assert drafts.read(ws, "c2") == drafts.read(ws, "c1")
    assert drafts.read(ws, "c3").touched == frozenset() and drafts.read(ws, "c3").seen == {"x"}
    drafts.add(ws, "c1", "z", "leave-out")
    drafts.carry(ws, "c1", "c2")
    assert drafts.read(ws, "c2").touched == {"x"}, "a version that has a draft keeps its own"
