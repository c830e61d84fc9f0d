import pytest

from medtl.cohorts import checks, patients, splits
from medtl.errors import BadInput
from medtl.vocabulary import Case


def case(id: str, label: str = "a", patient: str | None = None, part: str = "", sha256: str = "") -> Case:
    return Case(id, f"{id}.png", label, "", sha256 or id, patient, part)


def many(label: str, count: int, patient: str | None = "p") -> list[Case]:
    return [case(f"{label}{n}", label, patient and f"{patient}{label}{n}") for n in range(count)]


def find(cases, near=(), constant=(), fingerprints=None):
    twins = checks.twins_of(cases, fingerprints or {one.id: one.id for one in cases})
    split = splits.make(cases, twins, near)
    found = {one.code: one for one in checks.findings(cases, twins, near, constant, split)}
    assert set(found) <= set(checks.CODES)
    assert all(one.message and one.advice for one in found.values())
    return found


def test_a_sound_cohort_has_no_findings():
    assert find(many("a", 200) + many("b", 200)) == {}


def test_identical_files_in_two_classes_block():
    cases = [*many("a", 200), *many("b", 200), case("x", "a", "q1", sha256="same"), case("y", "b", "q2", sha256="same")]
    found = find(cases)["label-conflict"]
    assert (found.severity, found.cases) == ("block", ("x", "y"))


def test_identical_pixels_under_other_bytes_count_as_well():
    cases = [*many("a", 200), *many("b", 200)]
    fingerprints = {one.id: one.id for one in cases} | {"a0": "same", "b0": "same"}
    assert find(cases, fingerprints=fingerprints)["label-conflict"].cases == ("a0", "b0")


def test_copies_of_one_class_are_a_note_about_all_but_the_first():
    cases = [*many("a", 200), *many("b", 200), *(case(f"x{n}", "a", f"q{n}", sha256="same") for n in range(3))]
    found = find(cases)
    assert (found["duplicates"].severity, found["duplicates"].cases) == ("note", ("x1", "x2"))
    assert "label-conflict" not in found


def test_one_class_and_too_few_block_and_say_what_to_add():
    assert find(many("a", 30))["one-class"].severity == "block"
    few = find([*many("a", 30), *many("b", 3)])["too-few"]
    assert few.severity == "block" and "2 of 'b'" in few.advice
    assert set(few.cases) == {"b0", "b1", "b2"}


def test_a_class_of_one_patient_blocks():
    cases = [*many("a", 30), *(case(f"b{n}", "b", "one") for n in range(30))]
    assert find(cases)["few-patients"].severity == "block"


def test_unknown_and_unmatched_patients_warn():
    assert "leakage" in find(many("a", 200, None) + many("b", 200, None))["patients-unknown"].message
    cases = [*many("a", 200), *many("b", 200), case("x", "a", patients.alone("x"))]
    assert find(cases)["patient-unmatched"].cases == ("x",)


def test_what_stands_in_two_given_parts_is_named_with_what_was_moved():
    cases = [case(f"c{n}", "ab"[n % 2], f"p{n}", "test" if n < 80 else "train") for n in range(400)]
    cases += [case("x", "a", "p0", "train"), case("y", "a", "q", "train", sha256="c1")]
    found = find(cases)
    assert found["patient-across-split"].cases == ("x",)
    assert found["duplicate-across-split"].cases == ("y",)


def test_imbalance_beyond_20_to_1_warns():
    assert "imbalance" in find(many("a", 301) + many("b", 15))
    assert "imbalance" not in find(many("a", 300) + many("b", 15))


def test_a_small_test_part_is_said_in_counts():
    """9 of 10 found: 60 to 98 % (Wilson)."""
    message = find(many("a", 500) + many("b", 50))["small-test"].message
    assert "10 cases of 'b'" in message and "9 of 10" in message and "60 to 98 %" in message


def test_near_copies_come_in_pairs_and_without_exact_copies():
    cases = [*many("a", 200), *many("b", 200)]
    found = find(cases, near=[("a0", "a5"), ("b1", "b2")])["near-duplicates"]
    assert found.cases == ("a0", "a5", "b1", "b2") and found.severity == "note"


def test_blank_pictures_warn():
    assert find(many("a", 200) + many("b", 200), constant=["a1"])["constant-image"].cases == ("a1",)


@pytest.mark.parametrize(
    ("classes", "positive"),
    [
        (("benign", "malignant"), "malignant"),
        (("NORMAL", "PNEUMONIA"), "PNEUMONIA"),
        (("abnormal", "normal"), "abnormal"),
        (("covid", "non-covid"), "covid"),
        (("no", "yes"), "yes"),
        (("0", "1"), "1"),
        (("fracture", "no_fracture"), "fracture"),
        (("healthy", "xyz"), "xyz"),
    ],
)
def test_the_class_that_counts_as_having_it(classes, positive):
    assert checks.positive_class([case("x", classes[0])], classes) == positive
    assert checks.positive_class([case("x", classes[1])], classes) == positive


def test_without_a_telling_word_the_rarer_class_and_else_the_last():
    rare = [*many("left", 2), *many("right", 5)]
    assert checks.positive_class(rare, ("left", "right")) == "left"
    assert checks.positive_class(many("left", 2) + many("right", 2), ("left", "right")) == "right"


def test_a_wish_is_followed_or_refused():
    cases = many("benign", 2) + many("malignant", 2)
    assert checks.positive_class(cases, ("benign", "malignant"), "benign") == "benign"
    with pytest.raises(BadInput, match="no class 'x'"):
        checks.positive_class(cases, ("benign", "malignant"), "x")
    assert checks.positive_class(cases, ("a", "b", "c")) is None


def test_unknown_codes_are_refused_with_the_known_ones():
    with pytest.raises(BadInput) as refused:
        checks.check_codes(["nonsense"])
    assert "label-conflict" in refused.value.advice
