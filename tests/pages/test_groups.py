"""What belongs side by side stands side by side: copies with what they copy, pairs that share a case together."""

import random

from medtl.vocabulary import Case, Finding
from pages.ui import groups


def case(id: str, label: str = "benign", sha256: str = "", frame: int | None = None) -> Case:
    return Case(id, f"{id}.png", label, "", sha256 or id, frame=frame)


def finding(code: str, *cases: str) -> Finding:
    return Finding(code, "warn", "", "", cases)


def grouped(
    found: Finding, cases: list[Case], prints: dict[str, str] | None = None, near: object = ()
) -> list[groups.Group]:
    return groups.of(found, {one.id: one for one in cases}, prints or {}, near)  # type: ignore[arg-type]


def test_a_copy_stands_beside_what_it_copies() -> None:
    cases = [case("a", sha256="x"), case("b", sha256="x"), case("c"), case("d", sha256="y"), case("e", sha256="z")]
    found = finding("duplicates", "b", "e")
    assert grouped(found, cases, {"d": "p", "e": "p"}) == [("a", "b"), ("d", "e")]


def test_frames_of_one_file_are_no_copies_of_each_other() -> None:
    cases = [case("a", sha256="x", frame=1), case("b", sha256="x", frame=2), case("c", sha256="x", frame=2)]
    assert grouped(finding("duplicates", "c"), cases) == [("b", "c")]


def test_near_pairs_that_share_a_case_become_one_group_and_a_conflict_needs_two_labels() -> None:
    cases = [case("a"), case("b", "malignant"), case("c", "malignant"), case("d"), case("e")]
    near = [("a", "b"), ("a", "c"), ("d", "e"), ("b", "c")]
    assert grouped(finding("near-conflict", "a", "b", "c", "d", "e"), cases, near=near) == [("a", "b", "c")]
    assert grouped(finding("near-duplicates", "d", "e"), cases, near=near) == [("d", "e")]


def test_pairs_of_the_network_come_one_after_the_other() -> None:
    cases = [case(id) for id in "abcd"]
    assert grouped(finding("alike-to-the-network", "c", "d", "a", "b", "c", "x"), cases) == [("c", "d"), ("a", "b")]


def test_whatever_the_pairs_no_case_is_in_two_groups_and_none_stands_alone() -> None:
    choose = random.Random(1)
    ids = [f"c{n}" for n in range(30)]
    for _ in range(50):
        near = [tuple(choose.sample(ids, 2)) for _ in range(choose.randrange(1, 40))]
        found = grouped(finding("near-duplicates", *ids), [case(id) for id in ids], near=near)
        flat = [id for group in found for id in group]
        assert len(flat) == len(set(flat)) and all(len(group) > 1 for group in found)
        assert all(any({one, other} <= set(group) for group in found) for one, other in near)


def test_cases_that_are_gone_are_not_shown() -> None:
    assert grouped(finding("dark-image", "a", "gone"), [case("a")]) == [("a",)]
