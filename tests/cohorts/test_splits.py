import random
from collections import Counter, defaultdict

import pytest

from medtl.cohorts import splits
from medtl.vocabulary import PARTS, Case


def case(id: str, label: str = "a", patient: str | None = None, part: str = "") -> Case:
    return Case(id, f"{id}.png", label, "", id, patient, part)


def singles(counts: dict[str, int]) -> list[Case]:
    return [case(f"{label}{n}", label) for label, count in counts.items() for n in range(count)]


def parts_of(cases, split, key):
    where = defaultdict(set)
    part_of = split.part_of()
    for one in cases:
        where[key(one)].add(part_of[one.id])
    return where


def test_shares_are_60_20_20_in_every_class():
    cases = singles({"benign": 437, "malignant": 210, "normal": 133})
    part_of = splits.make(cases).part_of()
    counts = Counter((one.label, part_of[one.id]) for one in cases)
    for label, count in {"benign": 437, "malignant": 210, "normal": 133}.items():
        for part, share in splits.SHARES.items():
            assert abs(counts[label, part] - share * count) <= 1
    assert Counter(part_of.values()) == {"train": 468, "tune": 156, "test": 156}


def test_the_order_of_the_cases_does_not_matter_but_the_seed_does():
    cases = [case(f"c{n}", "ab"[n % 3 == 0], f"p{n // 2}") for n in range(60)]
    shuffled = random.Random(1).sample(cases, len(cases))
    assert splits.make(cases) == splits.make(shuffled)
    assert splits.make(cases, seed=1).test != splits.make(cases, seed=0).test


@pytest.mark.parametrize("seed", range(200))
def test_no_patient_is_ever_in_two_parts_and_every_class_is_in_every_part(seed):
    draw = random.Random(seed)
    people = [(f"p{n}", draw.choice("aab")) for n in range(draw.randint(8, 40))]
    cases = [case(f"{who}-{n}", label, who) for who, label in people for n in range(draw.randint(1, 6))]
    split = splits.make(cases, seed=seed)
    assert sorted(split.part_of()) == sorted(one.id for one in cases)
    assert split.patients_shared == 0
    assert all(len(parts) == 1 for parts in parts_of(cases, split, lambda one: one.patient).values())
    groups = Counter(label for _, label in people)
    for label, found in parts_of(cases, split, lambda one: one.label).items():
        assert groups[label] < 3 or found == set(PARTS)


@pytest.mark.parametrize("seed", range(50))
def test_given_parts_never_make_a_patient_or_a_copy_stand_in_two(seed):
    draw = random.Random(seed)
    cases = [
        case(f"c{n}", draw.choice("ab"), f"p{draw.randrange(20)}", draw.choice(["train", "train", "test", ""]))
        for n in range(60)
    ]
    twins = [(f"c{draw.randrange(60)}", f"c{draw.randrange(60)}") for _ in range(5)]
    split = splits.make(cases, twins=twins, seed=seed)
    part_of = split.part_of()
    assert split.patients_shared == 0
    assert all(part_of[one] == part_of[other] for one, other in twins)


def test_copies_and_near_copies_stay_together():
    cases = singles({"a": 40, "b": 40})
    pairs = [(f"a{n}", f"b{n}") for n in range(0, 20, 2)]
    split = splits.make(cases, twins=pairs[:5], near=pairs[5:])
    part_of = split.part_of()
    assert all(part_of[one] == part_of[other] for one, other in pairs)
    assert split.near_duplicates_across == 0
    assert "copies kept together" in split.rule


def test_likeness_may_not_chain_on_and_on_and_what_is_torn_is_counted():
    cases = singles({"a": 100, "b": 100})
    chain = [(f"a{n}", f"a{n + 1}") for n in range(99)]
    split = splits.make(cases, near=chain)
    assert len(split.test) == 40
    torn = sum(split.part_of()[one] != split.part_of()[other] for one, other in chain)
    assert split.near_duplicates_across == torn > 0


def test_a_given_test_part_is_kept_and_tune_is_a_quarter_of_train():
    cases = [case(f"c{n}", "ab"[n % 2], None, "test" if n < 20 else "train") for n in range(100)]
    split = splits.make(cases)
    assert set(split.test) == {f"c{n}" for n in range(20)}
    assert (len(split.train), len(split.tune)) == (60, 20)
    assert split.rule.startswith("test part as given; tune taken from train by image (no patient known)")


def test_a_train_part_alone_is_split_whole():
    split = splits.make([case(f"c{n}", "ab"[n % 2], None, "train") for n in range(50)])
    assert (len(split.train), len(split.tune), len(split.test)) == (30, 10, 10)


def test_all_three_parts_as_given():
    cases = [case(f"c{n}", "ab"[n % 2], None, PARTS[n % 3]) for n in range(12)]
    split = splits.make(cases)
    assert split.part_of() == {one.id: one.part for one in cases}
    assert split.rule == "train, tune and test parts as given"


def test_a_patient_in_two_given_parts_goes_to_the_test_part():
    cases = [case("x", "a", "p", "train"), case("y", "b", "p", "test"), *[case(f"c{n}") for n in range(9)]]
    assert splits.make(cases).part_of()["x"] == "test"


def test_parts_without_a_train_part_are_not_kept():
    split = splits.make([case(f"c{n}", "ab"[n % 2], None, "test") for n in range(20)])
    assert len(split.train) == 12 and split.rule.startswith("by image")


def test_an_edit_leaves_cases_where_they_were():
    cases = singles({"a": 50, "b": 50})
    old = splits.make(cases)
    gone = {"a3", "b7"}
    new = splits.make([one for one in cases if one.id not in gone], before=old.part_of())
    assert {**old.part_of(), **new.part_of()} == old.part_of()


def test_an_edit_that_empties_a_part_of_a_class_is_mended():
    cases = singles({"a": 10, "b": 10})
    old = splits.make(cases)
    left = [one for one in cases if one.label == "a" or one.id not in old.test]
    new = splits.make(left, before=old.part_of())
    assert any(id.startswith("b") for id in new.test)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_very_few_cases_are_split_as_well_as_can_be(count):
    assert len(splits.make(singles({"a": count})).part_of()) == count


def test_in_a_thousand_random_cohorts_no_patient_and_no_clip_is_ever_in_two_parts():
    """Patients, clips, copies, near copies, given parts, several labels, earlier versions: all at once."""
    for seed in range(1000):
        draw = random.Random(seed)
        n = draw.randint(12, 50)
        cases = [
            Case(
                f"c{k}",
                f"c{k}.png",
                draw.choice("abc"),
                "",
                f"c{k}",
                draw.choice([None, f"p{draw.randint(0, n // 3)}"]),
                draw.choice(["", "", "train", "tune", "test"]) if seed % 3 else "",
                group=draw.choice(["", f"g{draw.randint(0, n // 4)}"]),
                labels={label: draw.choice([0, 1, -1]) for label in "xyz"} if seed % 5 == 0 else {},
            )
            for k in range(n)
        ]
        pairs = [tuple(sorted(draw.sample([one.id for one in cases], 2))) for _ in range(draw.randint(0, 6))]
        before = {one.id: draw.choice(PARTS) for one in cases} if seed % 7 == 0 else None
        split = splits.make(cases, pairs[:2], pairs[2:], seed, before)
        assert sorted(split.part_of()) == sorted(one.id for one in cases)
        assert split.patients_shared == 0
        for key in (lambda one: one.patient, lambda one: one.group or None):
            found = parts_of(cases, split, key)
            found.pop(None, None)
            assert all(len(parts) == 1 for parts in found.values()), seed


def test_with_several_labels_every_finding_is_in_every_part_in_its_share():
    draw = random.Random(3)
    rates = {"oedema": 0.3, "effusion": 0.5, "fracture": 0.04}
    cases = [
        Case(
            f"c{k}",
            "",
            "",
            "",
            f"c{k}",
            f"p{k // 2}",
            labels={f: int(draw.random() < rate) for f, rate in rates.items()},
        )
        for k in range(600)
    ]
    part_of = splits.make(cases).part_of()
    for finding in (*rates, None):
        mine = [one for one in cases if (one.labels[finding] if finding else not any(one.labels.values()))]
        counts = Counter(part_of[one.id] for one in mine)
        for part, share in splits.SHARES.items():
            assert abs(counts[part] / len(mine) - share) < 0.06, (finding, counts)
