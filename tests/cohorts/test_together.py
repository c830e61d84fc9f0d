from dataclasses import replace

from medtl.cohorts import patients, splits
from medtl.cohorts.findings import together
from tests.cohorts.cases import case, find, many

SOUND = [*many("a", 200), *many("b", 200)]


def test_unknown_and_unmatched_patients_warn():
    assert "leakage" in find(many("a", 200, None) + many("b", 200, None))["patients-unknown"].message
    assert find([*SOUND, case("x", "a", patients.alone("x"))])["patient-unmatched"].cases == ("x",)


def test_a_patient_in_two_given_parts_is_named_with_what_was_moved():
    cases = [case(f"c{n}", "ab"[n % 2], f"p{n}", "test" if n < 80 else "train") for n in range(400)]
    assert find([*cases, case("x", "a", "p0", "train")])["patient-across-split"].cases == ("x",)


def test_a_clip_kept_whole_is_a_note():
    clip = [case(f"f{n}", "a", "q", frame=n, group="g-1") for n in range(10)]
    found = find([*SOUND, *clip])["sequences"]
    assert found.severity == "note" and "10 images" in found.message and "1 clip or series" in found.message
    assert found.cases == ()
    assert "sequences" not in find([*SOUND, case("lone", "a", "q", group="g-2")])


def test_a_divided_clip_is_counted_on_the_split_and_warned_of():
    clip = [case(f"f{n}", "a", "q", frame=n, group="g-1") for n in range(4)]
    split = splits.make([*SOUND, *clip])
    torn = replace(split, train=("f0", "f1"), tune=(), test=("f2", "f3"))
    found = together.sequences(clip, torn)
    assert found is not None and found.severity == "warn" and found.cases == ("f0", "f1", "f2", "f3")
