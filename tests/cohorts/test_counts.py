import pytest

from medtl.cohorts.findings import counts
from tests.cohorts.cases import case, find, many


def multi(**findings: int) -> list:
    """400 cases; of each finding so many are present and the others absent."""
    return [
        case(f"c{n}", "", f"p{n}", labels={name: int(n < present) for name, present in findings.items()})
        for n in range(400)
    ]


def test_one_class_and_too_few_block_and_say_what_to_add():
    assert find(many("a", 30))["one-class"].severity == "block"
    few = find([*many("a", 30), *many("b", 3)])["too-few"]
    assert few.severity == "block" and "2 of 'b'" in few.advice and "as low as 44 %" in few.message
    assert set(few.cases) == {"b0", "b1", "b2"}


def test_a_grade_of_few_can_be_merged_with_its_neighbour():
    few = find([*many("0", 30), *many("1", 30), *many("2", 2)], task="ordinal")["too-few"]
    assert "the one next to it" in few.advice


def test_a_class_of_one_patient_blocks():
    cases = [*many("a", 30), *(case(f"b{n}", "b", "one") for n in range(30))]
    assert find(cases)["few-patients"].severity == "block"


def test_imbalance_beyond_20_to_1_warns():
    assert "imbalance" in find(many("a", 301) + many("b", 15))
    assert "imbalance" not in find(many("a", 300) + many("b", 15))


def test_a_small_test_part_is_said_in_counts():
    """9 of 10 found: 60 to 98 % (Wilson)."""
    message = find(many("a", 500) + many("b", 50))["small-test"].message
    assert "10 cases of 'b'" in message and "9 of 10" in message and "60 to 98 %" in message
    assert "90 % cannot be told from 60 %" in message


def test_every_small_class_is_named():
    message = find(many("a", 500) + many("b", 50) + many("c", 70))["small-test"].message
    assert "'c' (13 of 14 would mean 69 to 99 %)" in message and "'a'" not in message


def test_many_images_of_few_patients_are_few():
    """200 images of 20 patients: the test part has four patients, whatever the number of their images."""
    cases = [*many("a", 500), *(case(f"b{n}", "b", f"q{n % 20}") for n in range(200))]
    message = find(cases)["small-test"].message
    assert "40 cases of 'b' from 4 patients" in message and "4 of 4 patients" in message


def test_several_findings_are_judged_one_by_one():
    found = find(multi(oedema=200, mass=3, nothing=0, pneumothorax=10), task="multi-label")
    assert found["one-class"].severity == "warn" and "no case with 'nothing'" in found["one-class"].message
    assert found["too-few"].severity == "warn" and "'mass' present has 3" in found["too-few"].message
    assert found["imbalance"].message.startswith("'mass' absent has 397 cases and 'mass' present 3")
    assert "with 'mass'" in found["small-test"].message and "'pneumothorax' present" in found["small-test"].message
    assert not [one for one in found.values() if one.severity == "block"]


def test_it_blocks_when_none_of_the_findings_can_be_used():
    found = find(multi(mass=3, nothing=0), task="multi-label")
    assert (found["one-class"].severity, found["too-few"].severity) == ("block", "block")


def test_uncertain_and_missing_answers_count_for_neither_side():
    cases = [case(f"c{n}", "", labels={"mass": (1, 0, -1)[n % 3]} if n < 30 else {}) for n in range(60)]
    assert [(kind.name, len(kind)) for kind in counts.kinds(cases, "multi-label")] == [
        ("'mass' present", 10),
        ("'mass' absent", 10),
    ]


@pytest.mark.parametrize("task", ["single-label", "ordinal"])
def test_a_sound_cohort_has_nothing_to_say(task):
    assert find(many("0", 200) + many("1", 200), task=task) == {}
