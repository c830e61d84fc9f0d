import time
from dataclasses import replace

import numpy as np
import pytest

from medtl.cohorts.findings import shortcuts
from medtl.cohorts.findings.looks import Looks
from medtl.vocabulary import Case
from tests.cohorts.cases import alike, case

SCANNERS = ("GE", "Siemens", "Philips")


def chance(
    count: int, seed: int, classes=("benign", "malignant"), images: int = 3
) -> tuple[list[Case], dict[str, Looks]]:
    """A cohort in which nothing but chance goes with the label: patients of one to three images, 18 fields."""
    random = np.random.default_rng(seed)
    cases: list[Case] = []
    while len(cases) < count:
        label, patient = str(random.choice(classes)), f"p{len(cases)}"
        person = {
            "scanner": str(random.choice(SCANNERS)),
            "site": f"site-{random.integers(3)}",
            "period": int(random.integers(12)),
            "age": int(random.integers(18, 90)),
            "sex": "FM"[random.integers(2)],
        }
        for _ in range(random.integers(1, images + 1)):
            image = {
                "width": int(random.choice([400, 512, 640])),
                "height": 480,
                "format": ("PNG", "JPEG")[random.integers(2)],
                "mode": ("L", "RGB")[random.integers(2)],
                "bytes": int(random.integers(40_000, 90_000)),
                "view": ("CC", "MLO")[random.integers(2)],
                "side": "LR"[random.integers(2)],
                "spacing": [float(random.uniform(0.05, 0.2))] * 2,
            }
            cases.append(case(f"c{len(cases):05d}", label, patient, facts={**person, **image}))
    return cases[:count], alike(cases[:count], seed)


def by_field(cases, looks, task="single-label"):
    return {found.field: found for found in shortcuts.find(cases, looks, task)}


def with_scanner(cases, certainty: float, seed: int = 0) -> list[Case]:
    """Of the malignant so many come from GE, and as many of the others from Siemens."""
    random = np.random.default_rng(seed)
    return [
        replace(
            one, facts={**one.facts, "scanner": SCANNERS[(random.random() < certainty) != (one.label == "malignant")]}
        )
        for one in cases
    ]


def test_a_scanner_that_tells_the_label_is_named_with_its_numbers():
    cases, looks = chance(300, 0)
    found = by_field(with_scanner(cases, 0.9), looks)["scanner"]
    assert found.warns and found.auroc == pytest.approx(0.88, abs=0.05) and found.low < found.auroc < found.high
    assert found.classes == ("benign", "malignant") and found.n == 300
    assert "The scanner alone tells 'malignant' from 'benign' (AUROC 0." in found.says
    assert "of 'GE' " in found.says and "of 'Siemens' " in found.says and "patients" in found.says
    assert "every scanner" in found.advice


def test_only_what_tells_the_label_warns():
    cases, looks = chance(300, 1)
    (finding,) = shortcuts.findings(with_scanner(cases, 0.95), looks)
    assert (finding.code, finding.severity) == ("shortcut", "warn") and "scanner" in finding.message


def test_its_cases_show_one_of_each_side_in_turn():
    cases, looks = chance(300, 2)
    cases = with_scanner(cases, 0.95)
    shown = by_field(cases, looks)["scanner"].cases
    known = {one.id: one for one in cases}
    assert [known[id].label for id in shown] == ["malignant", "benign"] * shortcuts.SHOWN
    assert len({known[id].patient for id in shown}) == len(shown)


def test_a_number_is_told_by_its_ranges_also_when_the_middle_tells():
    cases, looks = chance(400, 3)
    brightness = {"benign": (0.1, 0.7), "malignant": (0.4, 0.4)}
    looks = {
        one.id: replace(looks[one.id], brightness=brightness[one.label][n % 2] + 0.001 * (n % 50))
        for n, one in enumerate(cases)
    }
    found = by_field(cases, looks)["brightness"]
    assert found.warns and found.auroc > 0.95 and "where it is 4" in found.says
    assert "may be the disease itself" in found.advice


def test_age_is_said_as_a_confounder_and_not_as_a_fault():
    cases, looks = chance(300, 4)
    cases = [
        replace(one, facts={**one.facts, "age": one.facts["age"] // 2 + 40 * (one.label == "malignant")})
        for one in cases
    ]
    found = by_field(cases, looks)
    assert found["age"].warns and "no fault of the images" in found["age"].advice
    assert not found[shortcuts.TOGETHER].warns  # age and sex have no part in it


def test_that_only_the_ill_have_it_on_record_is_a_shortcut():
    cases, looks = chance(300, 5)
    cases = [
        replace(one, facts={**one.facts, "sex": None if one.label == "benign" else one.facts["sex"]}) for one in cases
    ]
    rare = [one for n, one in enumerate(cases) if one.label == "malignant" or n % 2]  # known for more than half
    found = by_field(rare, looks)["sex"]
    assert found.warns and "not recorded" in found.says


def test_a_class_of_many_that_alone_is_told_is_named():
    cases, looks = chance(400, 6, classes=("a", "b", "c", "d", "e", "f"))
    cases = [
        replace(one, facts={**one.facts, "site": "site-9" if one.label == "c" else one.facts["site"]}) for one in cases
    ]
    found = by_field(cases, looks)["site"]
    assert found.warns and found.classes == ("c",) and "'c' from the other classes" in found.says


def test_many_classes_told_apart_are_a_mean():
    cases, looks = chance(300, 7, classes=("a", "b", "c"))
    cases = [replace(one, facts={**one.facts, "scanner": SCANNERS["abc".index(one.label)]}) for one in cases]
    found = by_field(cases, looks)["scanner"]
    assert found.classes == ("a", "b", "c") and found.auroc == 1 and "mean of one class" in found.says


def test_a_finding_of_several_is_told_by_itself_and_unknown_answers_are_left_out():
    cases, looks = chance(300, 8)
    cases = with_scanner(cases, 0.95)
    cases = [
        replace(
            one,
            label="",
            labels={"mass": int(one.label == "malignant"), "oedema": n % 2} if n >= 30 else {"oedema": -1},
        )
        for n, one in enumerate(cases)
    ]
    found = by_field(cases, looks, "multi-label")["scanner"]
    assert found.warns and found.classes == ("mass",) and found.n == 270
    assert "cases with 'mass' from those without" in found.says and "have 'mass'" in found.says


def test_weak_fields_add_up():
    cases, looks = chance(300, 9)
    random = np.random.default_rng(9)
    flips = {one.id: random.random(3) < 0.3 for one in cases}
    cases = [
        replace(
            one,
            facts={
                **one.facts,
                **{
                    key: "xy"[int((one.label == "benign") != flips[one.id][n])]
                    for n, key in enumerate(("view", "side", "mode"))
                },
            },
        )
        for one in cases
    ]
    found = by_field(cases, looks)
    together = found.pop(shortcuts.TOGETHER)
    assert together.warns and together.auroc > max(one.auroc for one in found.values()) + shortcuts.ADDS
    assert "All recorded fields together tell" in together.says


def test_a_dozen_cases_do_not_cry_wolf_unless_the_field_is_perfect_in_more_of_them():
    small, looks = chance(12, 10, images=1)
    assert not any(found.warns for found in shortcuts.find(with_scanner(small, 0.8), looks))
    cases, looks = chance(40, 11, images=1)
    assert by_field(with_scanner(cases, 1.0), looks)["scanner"].warns


@pytest.mark.parametrize(("count", "cohorts"), [(20, 60), (60, 60), (300, 20)])
def test_chance_seldom_warns(count, cohorts):
    """At most about 5 in 100 cohorts; the module's docstring has the larger simulation."""
    alarms = sum(bool(shortcuts.findings(*chance(count, 1000 + seed))) for seed in range(cohorts))
    assert alarms <= 0.05 * cohorts


def test_without_facts_or_classes_or_cases_there_is_nothing_to_say():
    cases, looks = chance(60, 12)
    assert shortcuts.find([replace(one, facts={}) for one in cases], {}) == ()
    assert shortcuts.find([replace(one, label="a") for one in cases], looks) == ()
    assert shortcuts.find([], {}) == ()
    assert shortcuts.find(cases[:6], looks) == ()


def test_the_answer_does_not_depend_on_the_run():
    cases, looks = chance(100, 13)
    assert shortcuts.find(cases, looks) == shortcuts.find(cases, looks)


def test_ten_thousand_cases_take_a_moment():
    """0.6 s on one core, with 18 fields."""
    cases, looks = chance(10_000, 14)
    start = time.process_time()
    found = shortcuts.find(cases, looks)
    assert time.process_time() - start < 2 and len(found) >= 15
