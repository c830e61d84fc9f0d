"""A reader study: blind, in an order that tells nothing, on disk at every moment, and over before anything is told."""

import hashlib
import json
from collections import Counter
from pathlib import Path

import pytest

from medtl.errors import BadInput, NotFound
from medtl.trust import reader
from medtl.vocabulary import Case, Cohort, Split

CLASSES = ("benign", "malignant")


def cohort(n: int = 40) -> Cohort:
    """Every fourth malignant, in the order of the labels, as folders bring them."""
    cases = tuple(
        Case(hashlib.md5(f"{i}".encode()).hexdigest()[:12], f"{label} ({i}).png", label, f"at-{i}", "0" * 64)
        for i, label in enumerate([CLASSES[0]] * (3 * n // 4) + [CLASSES[1]] * (n // 4))
    )
    ids = tuple(case.id for case in cases)
    split = Split(ids[:8], (), ids[8:], "by hand")
    return Cohort("c", "A set", "image", "single-label", CLASSES, "malignant", cases, split)


TESTED = cohort().split.test


def begin(folder: Path, number: int = 10, who: str = "AB") -> reader.Reading:
    return reader.start(folder, who, reader.draw(cohort(), TESTED, number, True), CLASSES)


def read_all(folder: Path, who: str = "AB", label: str = "benign") -> None:
    while (case := reader.get(folder, who, None).next) is not None:
        reader.record(folder, who, None, case, label, 2.0)


# ---- what is read ---------------------------------------------------------------------------------------------------


def test_a_sample_is_of_the_test_part_and_the_same_for_everybody() -> None:
    for stratified in (True, False):
        one = reader.draw(cohort(), TESTED, 12, stratified)
        assert len(set(one)) == 12 and set(one) <= set(TESTED)
        assert one == reader.draw(cohort(), TESTED, 12, stratified)
    assert (
        set(reader.draw(cohort(), TESTED, None, False)) == set(TESTED) == set(reader.draw(cohort(), TESTED, 99, True))
    )


def test_a_stratified_sample_keeps_the_proportions() -> None:
    label = {case.id: case.label for case in cohort().cases}
    whole = Counter(label[id] for id in TESTED)
    part = Counter(label[id] for id in reader.draw(cohort(), TESTED, 16, True))
    assert all(abs(part[name] / 16 - whole[name] / len(TESTED)) < 1 / 16 for name in CLASSES)


def test_the_order_tells_nothing_and_is_each_readers_own(tmp_path: Path) -> None:
    one, other = begin(tmp_path, 32, "AB").order, begin(tmp_path, 32, "CD").order
    assert sorted(one) == sorted(other) and one != other and list(one) != sorted(one)
    assert reader.get(tmp_path, "AB", None).order == one
    at = {case.id: case.label == "malignant" for case in cohort().cases}
    places = [i for i, id in enumerate(one) if at[id]]
    assert min(places) < 16 <= max(places), "the ill are not all on one end"


def test_only_initials(tmp_path: Path) -> None:
    for name in ("", "  ", "Jane Doe", "A" * 30, "\u202e"):
        with pytest.raises(BadInput):
            begin(tmp_path, who=name)
    begin(tmp_path, who="ab")
    with pytest.raises(BadInput, match="already"):
        begin(tmp_path, who="AB")


def test_no_case_is_no_reading(tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        reader.start(tmp_path, "AB", [], CLASSES)
    with pytest.raises(BadInput):
        reader.draw(cohort(), ["elsewhere"], 5, True)
    with pytest.raises(BadInput):
        reader.draw(cohort(), TESTED, 0, True)
    with pytest.raises(NotFound, match="AB"):
        reader.get(tmp_path, "AB", None)


# ---- leaving and coming back ----------------------------------------------------------------------------------------


def test_every_answer_is_on_disk_at_once(tmp_path: Path) -> None:
    first = begin(tmp_path)
    for n, case in enumerate(first.order[:4], start=1):
        reader.record(tmp_path, "AB", None, case, CLASSES[n % 2], float(n))
        now = reader.get(tmp_path, "AB", None)
        assert now.done == n and now.next == first.order[n] and now.blind[case] == reader.Said(CLASSES[n % 2], float(n))


def test_a_torn_line_costs_one_answer(tmp_path: Path) -> None:
    first = begin(tmp_path)
    reader.record(tmp_path, "AB", None, first.order[0], "benign", 1)
    file = tmp_path / reader.FILE
    file.write_bytes(file.read_bytes() + b'\n{"at": "2026", "reader": "AB", "do": "re')
    reader.record(tmp_path, "AB", None, first.order[1], "malignant", 1)
    assert reader.get(tmp_path, "AB", None).done == 2


def test_an_answer_can_be_changed_and_taken_back(tmp_path: Path) -> None:
    one, other = begin(tmp_path).order[:2]
    reader.record(tmp_path, "AB", None, one, "benign", 2)
    reader.record(tmp_path, "AB", None, other, reader.UNSURE, 2)
    reader.record(tmp_path, "AB", None, one, "malignant", 3)
    assert reader.get(tmp_path, "AB", None).blind[one] == reader.Said("malignant", 5.0)
    assert reader.undo(tmp_path, "AB", None) == one and reader.undo(tmp_path, "AB", None) == other
    assert reader.undo(tmp_path, "AB", None) is None and reader.get(tmp_path, "AB", None).done == 0


def test_what_is_no_answer_is_refused(tmp_path: Path) -> None:
    case = begin(tmp_path).order[0]
    with pytest.raises(BadInput):
        reader.record(tmp_path, "AB", None, case, "a fracture", 1)
    with pytest.raises(BadInput):
        reader.record(tmp_path, "AB", None, "elsewhere", "benign", 1)


# ---- the second pass, and the end -----------------------------------------------------------------------------------


def test_the_second_pass_is_of_the_cases_read_blind_in_another_order(tmp_path: Path) -> None:
    first = begin(tmp_path, 10).order
    for case in first[:7]:
        reader.record(tmp_path, "AB", None, case, "benign", 1)
    reader.again(tmp_path, "AB", None)
    now = reader.get(tmp_path, "AB", None)
    assert now.now == 2 and sorted(now.order) == sorted(first[:7]) and now.order != first[:7] and now.done == 0
    read_all(tmp_path, label="malignant")
    now = reader.get(tmp_path, "AB", None)
    assert now.next is None and len(now.blind) == len(now.aided) == 7
    assert {one.label for one in now.blind.values()} == {"benign"}, "what was said blind stays"


def test_after_the_end_nothing_can_be_added(tmp_path: Path) -> None:
    begin(tmp_path)
    with pytest.raises(BadInput):
        reader.again(tmp_path, "AB", None)
    read_all(tmp_path)
    reader.stop(tmp_path, "AB", None)
    before = (tmp_path / reader.FILE).read_bytes()
    for act in (
        lambda: reader.record(tmp_path, "AB", None, TESTED[0], "benign", 1),
        lambda: reader.undo(tmp_path, "AB", None),
        lambda: reader.again(tmp_path, "AB", None),
    ):
        with pytest.raises(BadInput, match="ended"):
            act()
    reader.stop(tmp_path, "AB", None)
    assert (tmp_path / reader.FILE).read_bytes() == before and reader.get(tmp_path, "AB", None).over


def test_test_cases_opened_while_it_is_blind_are_kept_and_later_ones_are_not(tmp_path: Path) -> None:
    begin(tmp_path, who="AB")
    begin(tmp_path, who="CD")
    read_all(tmp_path, "CD")
    reader.stop(tmp_path, "CD", None)
    reader.peeked(tmp_path)
    reader.peeked(tmp_path)
    assert (tmp_path / reader.FILE).read_text().count("peeked") == 1, "once, and only where it was to be blind"
    read_all(tmp_path, "AB")
    reader.again(tmp_path, "AB", None)
    begin(tmp_path, who="EF")
    read_all(tmp_path, "EF")
    reader.again(tmp_path, "EF", None)
    reader.peeked(tmp_path)
    assert {one.reader: one.peeked for one in reader.readings(tmp_path)} == {"AB": True, "CD": False, "EF": False}


def test_readers_and_findings_stand_apart(tmp_path: Path) -> None:
    begin(tmp_path, who="AB")
    begin(tmp_path, who="CD")
    reader.start(tmp_path, "AB", TESTED[:3], ("without disc", "disc"), "disc")
    read_all(tmp_path, "CD")
    told = {(one.reader, one.finding): one.done for one in reader.readings(tmp_path)}
    assert told == {("AB", None): 0, ("CD", None): 10, ("AB", "disc"): 0}


def test_the_diary_holds_no_label_and_no_name_of_a_file(tmp_path: Path) -> None:
    begin(tmp_path)
    lines = [json.loads(line) for line in (tmp_path / reader.FILE).read_text().split("\n") if line]
    assert all(".png" not in json.dumps(line) for line in lines)
    assert set(lines[0]["cases"]) <= set(TESTED) and lines[0]["cases"] == sorted(lines[0]["cases"]), (
        "ids, and no order that tells what they are"
    )
