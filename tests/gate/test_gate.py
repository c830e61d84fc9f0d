"""The gate lets its own kind pass and refuses other kinds, each for a reason that is said; and it survives the disk."""

from pathlib import Path

import numpy as np
import pytest

from medtl.cohorts.appearance import NUMBERS, appearance, negative, of_plain
from medtl.explanation import neighbours
from medtl.gate import gate
from medtl.gate.gate import NEGATIVE, UNLIKE, Cases, Gate, Verdict
from medtl.gate.photometry import MEASURES, Seen, bounds, seen

SIDE = 48


def picture(random: np.random.Generator) -> np.ndarray:
    """A dark film with a soft bright disc in its upper half."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    y, x = random.integers(10, 20), random.integers(16, 32)
    disc = 120 * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / 90)
    return np.clip(30 + disc + random.normal(0, 8, (SIDE, SIDE)), 0, 255).astype(np.uint8)


def features(pictures: list[np.ndarray]) -> np.ndarray:
    """Stands for a network: means of a grid, of whatever colour."""
    grey = np.stack([p if p.ndim == 2 else p.mean(axis=2) for p in pictures]).astype(np.float32)
    return grey.reshape(len(grey), 6, 8, 6, 8).mean(axis=(2, 4)).reshape(len(grey), -1)


def look(pictures: list[np.ndarray], **facts: str) -> Seen:
    return seen([appearance(p) for p in pictures], [{"width": SIDE, "height": SIDE, **facts} for _ in pictures])


def cases(pictures: list[np.ndarray], **facts: str) -> Cases:
    return Cases(features(pictures), look(pictures, **facts), np.arange(len(pictures)))


def learned(train: int = 120, tune: int = 60, frozen: bool = True, **facts: str) -> Gate:
    random = np.random.default_rng(0)
    one, other = ([picture(random) for _ in range(n)] for n in (train, tune))
    near = neighbours.learn([f"c{i}" for i in range(train)], features(one), features(other))
    return gate.learn(near, np.arange(train), cases(one, **facts), cases(other, **facts), frozen)


def judge(at: Gate, pictures: list[np.ndarray], **facts: str) -> list[Verdict]:
    rows = features(pictures)
    return at.judge(rows, look(pictures, **facts), at.neighbours.distances(rows))


@pytest.fixture(scope="module")
def at() -> Gate:
    return learned()


def own(n: int, seed: int = 7) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    return [picture(random) for _ in range(n)]


def test_its_own_kind_passes(at: Gate) -> None:
    verdicts = judge(at, own(400))
    assert np.mean([verdict.accepted for verdict in verdicts]) >= 0.95
    assert all(not verdict.reasons for verdict in verdicts if verdict.accepted)


@pytest.mark.parametrize("train, tune", [(12, 4), (30, 10), (300, 250)])
@pytest.mark.parametrize("frozen", [True, False])
def test_it_holds_with_few_cases_and_with_many(train: int, tune: int, frozen: bool) -> None:
    at = learned(train, tune, frozen)
    passed = np.mean([verdict.accepted for verdict in judge(at, own(200))])
    assert passed >= 0.9  # and what it says of itself is true
    assert (0 <= at.low < at.high <= 1 and f"{tune:,} cases" in at.how) or at.how == gate.NO_LIMIT
    assert ("training cases" in at.how) == (frozen and tune < gate.ENOUGH)
    noise = [np.random.default_rng(1).integers(0, 256, (SIDE, SIDE)).astype(np.uint8)]
    assert not judge(at, noise)[0].accepted


def test_each_other_kind_is_refused_in_its_own_words(at: Gate) -> None:
    random = np.random.default_rng(3)
    some = own(20)
    foreign = {
        "in colour": [np.stack([p, p * 0.7, p * 0.5], axis=-1).astype(np.uint8) for p in some],
        "blank": [np.full((SIDE, SIDE), value, np.uint8) for value in range(0, 250, 25)],
        "noise": [random.integers(0, 256, (SIDE, SIDE)).astype(np.uint8) for _ in range(10)],
        NEGATIVE: [255 - p for p in some],
        "brighter": [np.clip(p.astype(int) + 150, 0, 255).astype(np.uint8) for p in some],
        UNLIKE: [np.ascontiguousarray(p[::-1]) for p in some],
    }
    for words, pictures in foreign.items():
        for verdict in judge(at, pictures):
            assert not verdict.accepted and any(words in reason for reason in verdict.reasons), words
            assert words != "in colour" or NEGATIVE not in verdict.reasons, "of colours nobody can say it"


def test_of_a_negative_in_colour_only_the_colour_is_said(at: Gate) -> None:
    smears = [np.stack([255 - p, 200 - p // 2, 255 - p], axis=-1).astype(np.uint8) for p in own(5)]
    for verdict in judge(at, smears):
        assert not verdict.accepted and "in colour" in verdict.reasons[0] and NEGATIVE not in verdict.reasons


def test_what_the_file_says_counts_where_the_cohort_says_it_too() -> None:
    said = learned(modality="US", body="BREAST")
    assert judge(said, own(5), modality="US")[0].reasons == ()
    assert "CT" in judge(said, own(5), modality="CT")[0].reasons[0]
    assert "CHEST" in judge(said, own(5), modality="US", body="CHEST")[0].reasons[0]
    assert judge(said, own(5))[0].accepted  # a file that says nothing is judged by its picture
    assert judge(learned(), own(5), modality="CT")[0].accepted  # as is any where the cohort said nothing


def test_a_colour_model_refuses_grey() -> None:
    random = np.random.default_rng(0)
    stained = [np.stack([p, p // 3, p // 2], axis=-1) for p in (picture(random) for _ in range(60))]
    near = neighbours.learn([str(i) for i in range(40)], features(stained[:40]), features(stained[40:]))
    at = gate.learn(near, np.arange(40), cases(stained[:40]), cases(stained[40:]), True)
    assert "is grey" in " ".join(judge(at, own(3))[0].reasons)


def test_shape_and_size_far_outside_are_said(at: Gate) -> None:
    rows = features(own(1))
    for facts, words in (({"width": 4 * SIDE, "height": SIDE}, "wider"), ({"width": 8, "height": 8}, "fewer pixels")):
        verdict = at.judge(rows, seen([appearance(own(1)[0])], [facts]), at.neighbours.distances(rows))[0]
        assert any(words in reason for reason in verdict.reasons)


def test_it_is_the_same_from_the_disk_and_damage_is_no_crash(at: Gate, tmp_path: Path) -> None:
    at.save(tmp_path)
    again = gate.load(tmp_path, at.neighbours)
    assert again is not None
    pictures = [*own(20), *(255 - p for p in own(5))]
    for one, other in zip(judge(at, pictures), judge(again, pictures), strict=True):
        assert one.reasons == other.reasons and one.far == pytest.approx(other.far, rel=1e-4, abs=1e-4)
    (tmp_path / gate.FILE).write_bytes((tmp_path / gate.FILE).read_bytes()[:500])
    assert gate.load(tmp_path, at.neighbours) is None
    assert gate.load(tmp_path / "nowhere", at.neighbours) is None


def test_a_run_without_the_file_is_judged_by_likeness_and_says_so(at: Gate) -> None:
    near = at.neighbours
    verdicts = gate.by_likeness(near, near.distances(np.concatenate([features(own(3)), -features(own(1))])))
    assert any(verdict.accepted for verdict in verdicts[:3]) and not verdicts[3].accepted
    assert verdicts[-1].reasons == (UNLIKE,) and verdicts[0].how == gate.BEFORE


def test_cases_of_one_patient_are_no_evidence_for_each_other() -> None:
    """Copies in one group, held against each other, would lie at no distance: the limit would refuse everybody."""
    random = np.random.default_rng(0)
    once = [picture(random) for _ in range(40)]
    twice, groups = [p for p in once for _ in range(2)], np.repeat(np.arange(40), 2)
    near = neighbours.learn([str(i) for i in range(80)], features(twice), features(own(4)))
    at = gate.learn(near, groups, Cases(features(twice), look(twice), groups), cases(own(4)), True)
    assert np.mean([verdict.accepted for verdict in judge(at, own(200, 9))]) >= 0.9


def test_a_network_that_learned_from_the_tune_part_too_is_not_asked() -> None:
    """Its features put every case it knows at no distance: held against these, every new one would be refused."""
    random = np.random.default_rng(0)
    one, other = ([picture(random) for _ in range(n)] for n in (120, 60))
    learned_by_heart = np.tile(np.eye(1, 36, dtype=np.float32), (60, 1))
    near = neighbours.learn([str(i) for i in range(120)], np.tile(np.eye(1, 36), (120, 1)), learned_by_heart)
    tune = Cases(learned_by_heart, look(other), np.arange(60))
    at = gate.learn(near, np.arange(120), cases(one), tune, frozen=False, unseen=False)
    assert "look like alone" in at.how
    assert np.mean([verdict.accepted for verdict in judge(at, own(200))]) >= 0.95
    assert not any(verdict.accepted for verdict in judge(at, [255 - p for p in own(20)]))


def test_too_few_to_say_anything() -> None:
    at = learned(2, 1, frozen=False)
    assert at.how == gate.NO_LIMIT and judge(at, own(1))[0].accepted
    empty = bounds(look([]))
    assert len(empty.low) == len(MEASURES) and not np.isfinite(empty.low).any()


def test_the_numbers_of_a_negative_are_those_of_the_negative() -> None:
    for one in own(5):
        found = negative(appearance(one).numbers[None])[0]
        assert found == pytest.approx(appearance((255 - one).astype(np.uint8)).numbers, abs=2e-2)
        assert found.shape == (NUMBERS,)
        plain = of_plain(appearance(one).plain())
        assert plain.numbers == pytest.approx(appearance(one).numbers, rel=1e-4) and plain.coloured == 0
