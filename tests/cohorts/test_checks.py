import pytest

from medtl.cohorts import splits
from medtl.cohorts.findings import checks
from medtl.errors import BadInput
from tests.cohorts.cases import alike, case, find, many

SOUND = [*many("a", 200), *many("b", 200)]


def test_a_sound_cohort_has_no_findings():
    assert find(SOUND, looks=alike(SOUND)) == {}


def test_blank_pictures_warn():
    assert find(SOUND, constant=["a1"])["constant-image"].cases == ("a1",)


def test_blocks_come_first_and_every_finding_once():
    cases = [*many("a", 30), *many("b", 30), case("x", "a", "q1", sha256="same"), case("y", "b", "q2", sha256="same")]
    twins = checks.twins_of(cases, {one.id: one.id for one in cases})
    found = checks.findings(cases, twins, [("a0", "a1")], ["b0"], splits.make(cases, twins, [("a0", "a1")]))
    assert [one.severity for one in found] == sorted(
        (one.severity for one in found), key=["block", "warn", "note"].index
    )
    assert [one.code for one in found] == ["label-conflict", "small-test", "constant-image", "near-duplicates"]


def test_text_in_the_picture_is_for_a_person_to_confirm():
    facts = [{"burned_in": ("", "likely", "yes")[n % 3]} for n in range(6)]
    cases = [*SOUND, *(case(f"u{n}", "a", f"q{n}", facts=one) for n, one in enumerate(facts))]
    found = find(cases)["burned-in"]
    assert found.severity == "warn" and found.cases == ("u2", "u5", "u1", "u4")
    assert "confirm that you looked" in found.advice
    assert "burned-in" not in find([case(one.id, one.label, one.patient, facts={"burned_in": ""}) for one in SOUND])


def test_uncertain_and_missing_answers_are_a_note():
    cases = [
        case(f"c{n}", "", f"p{n}", labels={"mass": n % 2, **({"oedema": -1 if n < 3 else n % 2} if n > 0 else {})})
        for n in range(400)
    ]
    found = find(cases, task="multi-label")["uncertain-labels"]
    assert found.severity == "note" and found.cases == ("c1", "c2")
    assert "Uncertain: oedema 2" in found.message and "Nothing said: oedema 1" in found.message


def test_a_shortcut_is_among_the_findings():
    cases = [case(one.id, one.label, one.patient, facts={"scanner": f"S{one.label}"}) for one in SOUND]
    assert "The scanner alone" in find(cases)["shortcut"].message


def test_messages_are_sentences_without_loose_ends():
    cases = [case(one.id, one.label, one.patient, facts={"scanner": f"S{one.label}"}) for one in SOUND]
    for one in find(cases, near=[("a0", "b0"), ("a1", "a2")], constant=["a9"]).values():
        for text in (one.message, one.advice):
            assert text[-1] == "." and "  " not in text and "{" not in text and ".." not in text


def test_unknown_codes_are_refused_with_the_known_ones():
    with pytest.raises(BadInput) as refused:
        checks.check_codes(["nonsense"])
    assert "label-conflict" in refused.value.advice
