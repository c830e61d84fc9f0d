import re

import pytest

from medtl.cohorts import limits, patients
from medtl.cohorts.matching import patient_in
from medtl.errors import BadInput

KERMANY = r"(person\d+_(?:bacteria|virus))|((?:NORMAL2-)?IM-\d+)"


def claims(*names: str, said: str | None = None, code: str | None = None) -> list[patients.Claim]:
    return [patients.Claim(f"c{n}", name, said, code) for n, name in enumerate(names)]


@pytest.mark.parametrize(
    ("pattern", "name", "patient"),
    [
        (r"p\d+", "a/p12_1.png", "p12"),
        (r"p(\d+)", "a/p12_1.png", "12"),
        (r"(\w)(\d+)_", "a/p12_1.png", "p-12"),
        (r"(x)?(?P<patient>\d+)", "a/p12_1.png", "12"),
        (KERMANY, "train/PNEUMONIA/person12_virus_46.jpeg", "person12_virus"),
        (KERMANY, "test/NORMAL/NORMAL2-IM-0030-0001.jpeg", "NORMAL2-IM-0030"),
        (r"z", "a/p12_1.png", None),
    ],
)
def test_what_a_pattern_makes_of_a_name(pattern, name, patient):
    assert patient_in(re.compile(pattern), name) == patient
    assert patients.match(pattern, [name]) == [patient]


def test_preview_groups_and_names_what_does_not_fit():
    seen = patients.preview(["p1_a.png", "p1_b.png", "p2_a.png", "x.png"], r"p\d+")
    assert dict(seen.groups) == {"p1": ("p1_a.png", "p1_b.png"), "p2": ("p2_a.png",)}
    assert seen.unmatched == ("x.png",)


def test_a_wrong_pattern_is_explained():
    with pytest.raises(BadInput, match="cannot be read"):
        patients.match("(", ["a"])
    with pytest.raises(BadInput, match="characters"):
        patients.match("a" * (limits.PATTERN + 1), ["a"])


@pytest.mark.parametrize("pattern", [r"(a+)+$", r"(a|a)*$", r"(?:a?){40}a{40}b"])
def test_a_pattern_without_end_is_stopped(pattern, monkeypatch):
    monkeypatch.setattr(limits, "PATTERN_SECONDS", 0.7)
    with pytest.raises(BadInput, match="did not finish"):
        patients.match(pattern, ["a" * 60 + "c"])


def test_a_pattern_wins_over_the_table_and_the_table_over_dicom():
    who, rule = patients.assign(claims("p1_a.png", said="T", code="P-1"), r"p\d+")
    assert (who, rule) == ({"c0": "p1"}, r"file-name pattern p\d+")
    assert patients.assign(claims("x", said="T", code="P-1"), None)[0] == {"c0": "T"}
    assert patients.assign(claims("x", code="P-1"), None) == ({"c0": "P-1"}, "DICOM PatientID, kept as a code")
    assert patients.assign(claims("x"), None) == ({"c0": None}, patients.NOBODY_KNOWN)


def test_who_is_not_found_is_nobody_elses():
    who, _ = patients.assign(claims("p1.png", "x.png", "y.png"), r"p\d+")
    assert len(set(who.values())) == 3 and who["c1"] == patients.alone("c1")


def test_a_pattern_that_fits_nothing_is_refused_with_a_name_to_look_at():
    with pytest.raises(BadInput, match="fits none") as refused:
        patients.assign(claims("abc.png"), r"\d+")
    assert "abc.png" in refused.value.advice


def test_a_code_is_stable_and_depends_on_the_secret():
    assert patients.code("12", b"a") == patients.code("12", b"a") != patients.code("12", b"b")
    assert re.fullmatch(r"P-[0-9a-f]{10}", patients.code("12", b"a") or "")
    assert patients.code("", b"a") is None


def test_suggestions_group_sensibly():
    names = [f"benign/SYNTHETIC_p{n // 2:03d}_{n % 2}.png" for n in range(40)]
    first = patients.suggest(names)[0]
    assert first.patients == 20
    assert len(patients.preview(names, first.pattern).groups) == 20


def test_no_suggestion_where_names_say_nothing():
    assert patients.suggest([f"benign/benign ({n}).png" for n in range(50)]) == ()
    assert patients.suggest([f"basophil/BA_{n}.jpg" for n in range(50)]) == ()


def test_suggestions_for_real_x_rays(shared):
    root = shared / "data/images/chest-xray-kermany-224"
    names = [path.relative_to(root).as_posix() for path in root.rglob("*.jpeg")]
    assert KERMANY in {suggestion.pattern for suggestion in patients.suggest(names)}
