from medtl.cohorts.findings import copies
from tests.cohorts.cases import case, find, many

SOUND = [*many("a", 200), *many("b", 200)]


def test_identical_files_in_two_classes_block():
    found = find([*SOUND, case("x", "a", "q1", sha256="same"), case("y", "b", "q2", sha256="same")])["label-conflict"]
    assert (found.severity, found.cases) == ("block", ("x", "y"))
    assert "x.png (a) and y.png (b)" in found.message


def test_identical_pixels_under_other_bytes_count_as_well():
    fingerprints = {one.id: one.id for one in SOUND} | {"a0": "same", "b0": "same"}
    assert find(SOUND, fingerprints=fingerprints)["label-conflict"].cases == ("a0", "b0")


def test_with_several_findings_a_conflict_is_two_answers_to_one_question():
    def pair(one, other):
        cases = [
            *(case(f"c{n}", "", f"p{n}", labels={"oedema": n % 2, "mass": n % 2}) for n in range(400)),
            case("x", "", "q1", sha256="same", labels=one),
            case("y", "", "q2", sha256="same", labels=other),
        ]
        return find(cases, task="multi-label")

    found = pair({"oedema": 1, "mass": 0}, {"oedema": 0, "mass": 0})["label-conflict"]
    assert found.cases == ("x", "y") and "x.png (oedema present) and y.png (oedema absent)" in found.message
    silent = pair({"oedema": 1}, {"oedema": 1, "mass": 0})
    assert "label-conflict" not in silent and silent["duplicates"].cases == ("y",)


def test_frames_of_one_file_are_not_copies_of_each_other():
    frames = [case(f"f{n}", "a", "q", sha256="clip", frame=n, group="g-1") for n in range(5)]
    assert copies.twins_of(frames, {one.id: one.id for one in frames}) == []
    assert copies.twins_of(frames, {one.id: "still" for one in frames}) == [(f"f{n}", f"f{n + 1}") for n in range(4)]


def test_copies_of_one_class_are_a_note_about_all_but_the_first():
    found = find([*SOUND, *(case(f"x{n}", "a", f"q{n}", sha256="same") for n in range(3))])
    assert (found["duplicates"].severity, found["duplicates"].cases) == ("note", ("x1", "x2"))
    assert "label-conflict" not in found


def test_a_copy_in_two_given_parts_is_named_with_where_it_went():
    cases = [case(f"c{n}", "ab"[n % 2], f"p{n}", "test" if n < 80 else "train") for n in range(400)]
    found = find([*cases, case("y", "a", "q", "train", sha256="c1")])
    assert found["duplicate-across-split"].cases == ("y",)


def test_near_copies_of_one_class_come_in_pairs_and_without_exact_copies():
    found = find(SOUND, near=[("a0", "a5"), ("b1", "b2")])
    assert found["near-duplicates"].cases == ("a0", "a5", "b1", "b2") and found["near-duplicates"].severity == "note"
    assert "near-conflict" not in found
    same = {one.id: one.id for one in SOUND} | {"a0": "same", "a5": "same"}
    assert "near-duplicates" not in find(SOUND, near=[("a0", "a5")], fingerprints=same)


def test_near_copies_of_two_classes_warn_with_each_pair_side_by_side():
    found = find(SOUND, near=[("a0", "b0"), ("a7", "b7"), ("a1", "a2"), ("a0", "b9")])
    conflict = found["near-conflict"]
    assert conflict.severity == "warn" and conflict.cases == ("a0", "b0", "b9", "a7", "b7")
    assert "3 pairs" in conflict.message
    assert found["near-duplicates"].cases == ("a1", "a2")


def test_neighbours_in_a_clip_are_expected_unless_their_labels_differ():
    clip = [case(f"f{n}", "a" if n < 9 else "b", "q", sha256="clip", frame=n, group="g-1") for n in range(10)]
    found = find([*SOUND, *clip], near=[(f"f{n}", f"f{n + 1}") for n in range(9)])
    assert "near-duplicates" not in found
    assert found["near-conflict"].cases == ("f8", "f9")
