import os
import random
from dataclasses import replace

import pytest

from medtl.cohorts import folders, readings
from medtl.cohorts.readings import OWN, UNSURE
from medtl.errors import BadInput, NotFound
from medtl.vocabulary import Case, Cohort, Edit, Split
from medtl.workspace import Workspace


@pytest.fixture
def ws(tmp_path) -> Workspace:
    return Workspace(tmp_path).ensure()


def cohort(
    ws: Workspace, id: str = "v0", n: int = 30, classes=("a", "b"), parent: str | None = None, **changes
) -> Cohort:
    """On disk as a version: each third case is of the second class, two images a patient."""
    cases = tuple(
        Case(f"case{i:03d}", f"{i}.png", classes[i % 3 // 2], f"originals/{i}", f"{i:064d}", f"P-{i // 2}")
        for i in range(n)
    )
    made = Cohort(id, "t", "image", "single-label", tuple(classes), None, cases, Split((), (), (), ""), parent=parent)
    made = replace(made, **changes)
    ws.cohort(id).mkdir(exist_ok=True)
    return folders.rename(ws, made, "t")


def remove(ws: Workspace, id: str) -> int:
    freed = readings.before_delete(ws, id)
    for file in ws.cohort(id).iterdir():
        file.unlink()
    ws.cohort(id).rmdir()
    return freed


# ---- reading


def test_a_reading_goes_from_case_to_case_until_all_are_read(ws):
    made = cohort(ws)
    now = readings.start(ws, made, "Dr. A")
    seen = []
    while now.next:
        seen.append(now.next)
        readings.record(ws, made, "Dr. A", now.next, "b")
        now = readings.progress(ws, made, "Dr. A")
    assert sorted(seen) == [case.id for case in made.cases] != seen
    assert (now.of, now.done, now.blind) == (30, 30, True)
    assert readings.labels(ws, made, "Dr. A") == dict.fromkeys(seen, "b")


def test_the_order_is_the_readers_own_and_stays(ws):
    made = cohort(ws)
    first = readings.start(ws, made, "A").next
    assert readings.start(ws, made, "A").next == first
    orders = {readings.start(ws, made, name).next for name in "ABCDEFGH"}
    assert len(orders) > 1


def test_taking_back_restores_what_was_said_before(ws):
    made = cohort(ws)
    readings.start(ws, made, "A")
    for label in ("a", "b", UNSURE):
        readings.record(ws, made, "A", "case001", label)
    assert readings.progress(ws, made, "A").unsure == 1 and readings.labels(ws, made, "A") == {}
    assert readings.undo(ws, made, "A") == "case001"
    assert readings.labels(ws, made, "A") == {"case001": "b"}
    assert [readings.undo(ws, made, "A") for _ in range(3)] == ["case001", "case001", None]
    assert readings.progress(ws, made, "A").done == 0


def test_any_number_of_steps_and_as_many_back_leave_nothing(ws):
    made, draw = cohort(ws), random.Random(0)
    readings.start(ws, made, "A")
    states = [readings.labels(ws, made, "A")]
    for _ in range(40):
        readings.record(ws, made, "A", draw.choice(made.cases).id, draw.choice(["a", "b", UNSURE]))
        states.append(readings.labels(ws, made, "A"))
    while states:
        assert readings.labels(ws, made, "A") == states.pop()
        readings.undo(ws, made, "A")


def test_the_paper_lists_what_stands(ws):
    made = cohort(ws, n=4)
    order = readings.start(ws, made, "A").next
    readings.record(ws, made, "A", "case001", "b")
    readings.record(ws, made, "A", "case003", UNSURE)
    paper = readings.paper(ws, made, "A")
    assert next(iter(paper)) == order and set(paper) == {case.id for case in made.cases}
    assert paper["case001"] == "b" and paper["case003"] == UNSURE and paper["case000"] is None
    assert len(readings.paper(ws, replace(made, cases=made.cases[1:]), "A")) == 3


def test_a_sample_is_stratified_drawn_from_the_seed_and_grows(ws):
    made = cohort(ws, n=300)
    chosen = readings.sample(made, 30)
    labels = {case.id: case.label for case in made.cases}
    assert [labels[case] for case in chosen].count("b") == 10 and len(set(chosen)) == 30
    assert readings.sample(made, 30) == chosen != readings.sample(made, 30, seed=1)
    assert readings.sample(made, 9999) == [case.id for case in made.cases]
    assert readings.start(ws, made, "A", cases=30).of == 30
    readings.record(ws, made, "A", chosen[0], "a")
    grown = readings.start(ws, made, "A")
    assert (grown.of, grown.done) == (300, 1)


def test_a_rare_class_is_not_forgotten(ws):
    made = cohort(ws, n=100)
    rare = replace(made, cases=(replace(made.cases[0], label="b"), *(replace(c, label="a") for c in made.cases[1:])))
    assert made.cases[0].id in readings.sample(rare, 5)


@pytest.mark.parametrize(
    ("case", "label", "error"), [("nobody", "a", NotFound), ("case001", "c", BadInput), ("case002", "a", BadInput)]
)
def test_what_cannot_be_recorded(ws, case, label, error):
    made = cohort(ws)
    readings.start(ws, replace(made, cases=made.cases[:2]), "A")
    with pytest.raises(error):
        readings.record(ws, made, "A", case, label)


def test_readers_are_found_by_their_names_as_text(ws):
    made = cohort(ws)
    names = ["Dr. Ä", "../../etc/passwd", "<b>x</b>", "=cmd|' /C calc'!A0", "张医生"]
    for name in names:
        readings.start(ws, made, name)
    assert set(readings.readers(ws, made)) == set(names)
    assert {file.suffix for file in (ws.readings / "v0").iterdir()} == {".jsonl"}
    assert readings.progress(ws, made, "dr. ä").reader == "Dr. Ä"  # capitals make no other reader
    for name in ("", " \u202e ", OWN.upper()):
        with pytest.raises(BadInput):
            readings.start(ws, made, name)
    with pytest.raises(NotFound, match="Known"):
        readings.progress(ws, made, "nobody")


def test_a_torn_line_costs_one_answer_and_no_other(ws):
    made = cohort(ws)
    readings.start(ws, made, "A")
    readings.record(ws, made, "A", "case001", "a")
    (file,) = (ws.readings / "v0").iterdir()
    with file.open("ab") as out:
        out.write(b'\n{"do": "read", "case": "case0')
    readings.record(ws, made, "A", "case003", "b")
    assert readings.labels(ws, made, "A") == {"case001": "a", "case003": "b"}


def test_foreign_lines_are_passed_over(ws):
    made = cohort(ws)
    readings.start(ws, made, "A")
    (file,) = (ws.readings / "v0").iterdir()
    with file.open("ab") as out:
        out.write(b'\n[]\n{"do": "read", "case": 3, "label": []}\n{"do": "start", "reader": "B"}\n\xff\xfe\nnull\n7')
    assert readings.progress(ws, made, "A").of == 30 and readings.labels(ws, made, "A") == {}


def test_the_diary_is_its_owners_alone(ws):
    made = cohort(ws)
    readings.start(ws, made, "A")
    (file,) = (ws.readings / "v0").iterdir()
    assert os.name != "posix" or (file.stat().st_mode & 0o077 == 0 and file.parent.stat().st_mode & 0o077 == 0)


def test_several_findings_are_not_read_this_way(ws):
    with pytest.raises(BadInput, match="several findings"):
        readings.start(ws, cohort(ws, task="multi-label"), "A")


# ---- comparing


def test_readers_are_compared_on_what_both_have_read(ws):
    made = cohort(ws)
    for name, wrong in (("A", {3}), ("B", {3, 4, 5})):
        readings.start(ws, made, name)
        for i, case in enumerate(made.cases[: 20 if name == "A" else 25]):
            flipped = {"a": "b", "b": "a"}[case.label]
            readings.record(ws, made, name, case.id, flipped if i in wrong else case.label)
        readings.stop(ws, made, name)
    found = readings.compare(ws, made, "A", "B")
    assert found.n == 20 and {item.case for item in found.disagreements} == {"case004", "case005"}
    assert found.kappa is not None and found.kappa.how.endswith("by patient")
    own = readings.compare(ws, made, "A", OWN)
    assert [item.case for item in own.disagreements] == ["case003"] and own.readers == ("A", OWN)
    assert own.disagreements[0].other == made.cases[3].label
    settled = readings.consensus(ws, made, ["A", "B", OWN])
    assert len(settled.agreed) == 20 and settled.open == () and settled.agreed["case003"] != made.cases[3].label
    assert set(readings.consensus(ws, made, ["A", "B"]).open) == {"case004", "case005"}
    with pytest.raises(BadInput):
        readings.compare(ws, made, "A", "A")


@pytest.mark.parametrize("pair", [("A", OWN), (OWN, "A"), ("B", "A")])
def test_nothing_is_told_before_a_reading_is_ended(ws, pair):
    made = cohort(ws)
    for name in ("A", "B"):
        readings.start(ws, made, name, cases=10)
        for case in list(readings.paper(ws, made, name))[:6]:
            readings.record(ws, made, name, case, "a")
    readings.stop(ws, made, "B")
    with pytest.raises(BadInput, match="reading of A is not ended: 6 of 10 images"):
        readings.compare(ws, made, *pair)


def test_grades_are_weighted(ws):
    made = cohort(ws, classes=("0", "1"), task="ordinal")
    readings.start(ws, made, "A")
    for case in made.cases:
        readings.record(ws, made, "A", case.id, case.label)
    readings.stop(ws, made, "A")
    assert readings.compare(ws, made, "A", OWN).weights == "quadratic"
    assert readings.compare(ws, made, "A", OWN, "linear").weights == "linear"


def test_cannot_tell_is_no_class(ws):
    made = cohort(ws)
    readings.start(ws, made, "A")
    readings.record(ws, made, "A", "case001", UNSURE)
    readings.stop(ws, made, "A")
    with pytest.raises(BadInput, match="no case that both"):
        readings.compare(ws, made, "A", OWN)


# ---- versions


def test_a_reading_goes_on_through_edits(ws):
    made = cohort(ws)
    readings.start(ws, made, "A")
    readings.record(ws, made, "A", "case001", "a")
    readings.record(ws, made, "A", "case000", "b")
    kept = tuple(replace(case, label=case.label.replace("a", "A")) for case in made.cases[1:])
    later = cohort(ws, "v1", parent="v0", root="v0", cases=kept, classes=("A", "b"))
    assert readings.readers(ws, later) == ("A",)
    assert readings.labels(ws, later, "A") == {"case001": "A"}  # a case that is gone, a class with a new capital
    assert readings.progress(ws, later, "A").of == 29
    readings.record(ws, later, "A", "case002", "b")
    assert "case002" in readings.labels(ws, made, "A")


def test_a_reading_outlives_a_deleted_version_and_goes_with_the_last(ws):
    made = cohort(ws)
    readings.start(ws, made, "A")
    readings.record(ws, made, "A", "case001", "a")
    cohort(ws, "v1", parent="v0", root="v0")
    last = cohort(ws, "v2", parent="v1", root="v0")
    other = cohort(ws, "w0")
    readings.start(ws, other, "A")
    assert remove(ws, "v1") == remove(ws, "v0") == 0
    assert readings.labels(ws, last, "A") == {"case001": "a"}
    assert remove(ws, "v2") > 0
    assert {folder.name for folder in ws.readings.iterdir()} == {"w0"}
    assert readings.delete_for(ws, "w0") > 0 and readings.delete_for(ws, "w0") == 0


def test_an_id_that_is_a_path_is_not_followed(ws):
    with pytest.raises(NotFound):
        readings.delete_for(ws, "../cohorts")


# ---- ended, decided, renamed


def test_an_ended_reading_takes_nothing_more_and_says_so(ws):
    made = cohort(ws)
    readings.start(ws, made, "A")
    readings.record(ws, made, "A", "case001", "b")
    assert not readings.progress(ws, made, "A").over
    readings.stop(ws, made, "A")
    readings.stop(ws, made, "A")
    assert readings.progress(ws, made, "A").over
    for late in (
        lambda: readings.record(ws, made, "A", "case002", "a"),
        lambda: readings.undo(ws, made, "A"),
        lambda: readings.start(ws, made, "A"),
    ):
        with pytest.raises(BadInput, match="ended"):
            late()
    assert readings.labels(ws, made, "A") == {"case001": "b"}
    assert not readings.start(ws, made, "B").over


def test_a_decision_in_favour_of_the_cohort_is_kept_and_can_be_taken_back(ws):
    made = cohort(ws)
    readings.judge(ws, made, "case000", "a")  # the label it has
    readings.judge(ws, made, "case001", "b")
    readings.judge(ws, made, "case000", "b")
    assert list(readings.judged(ws, made).items()) == [("case001", "b"), ("case000", "b")]
    assert readings.unjudge(ws, made) == "case000"
    assert readings.judged(ws, made) == {"case000": "a", "case001": "b"}
    assert readings.readers(ws, made) == (), "deciding makes nobody a reader"
    later = cohort(ws, "v1", parent="v0", root="v0")
    assert readings.judged(ws, later) == readings.judged(ws, made)
    with pytest.raises(BadInput):
        readings.judge(ws, made, "case001", "z")


def test_answers_follow_a_class_that_was_renamed_or_merged(ws):
    made = cohort(ws, classes=("a", "b"))
    readings.start(ws, made, "A")
    readings.record(ws, made, "A", "case000", "a")
    readings.record(ws, made, "A", "case001", "b")
    readings.judge(ws, made, "case000", "a")
    history = (Edit("", "class a became Alpha", 20), Edit("", "left out", 1), Edit("", "class alpha became x y", 20))
    later = cohort(ws, "v1", classes=("x y", "b"), parent="v0", root="v0", history=history)
    assert readings.labels(ws, later, "A") == {"case000": "x y", "case001": "b"}
    assert readings.paper(ws, later, "A")["case000"] == "x y"
    assert readings.judged(ws, later) == {"case000": "x y"}
    one = (*history, Edit("", "class b became x y", 10))
    merged = cohort(ws, "v2", classes=("x y", "d"), parent="v1", root="v0", history=one)
    assert readings.labels(ws, merged, "A") == {"case000": "x y", "case001": "x y"}
