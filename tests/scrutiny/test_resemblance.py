"""Copies in disguise are found and lookalikes are not; strangers are found and family is not. Limits need no units."""

import numpy as np
import pytest

from medtl.scrutiny import resemblance


def family(n: int = 200, width: int = 64, seed: int = 0) -> np.ndarray:
    """(n, width) positive features that have much in common, as those of one kind of image."""
    rng = np.random.default_rng(seed)
    common = rng.uniform(0.5, 2, width)
    spread = np.geomspace(0.6, 0.05, width)
    return np.abs(common + rng.normal(size=(n, width)) * spread).astype(np.float32)


def noise(n: int, seed: int = 0) -> np.ndarray:
    """(n, 32, 32) uint8 thumbnails that resemble nothing."""
    return np.random.default_rng(seed).integers(0, 256, (n, 32, 32)).astype(np.uint8)


def pairs(features: np.ndarray, thumbnails: np.ndarray | None = None) -> set[tuple[int, int]]:
    found = resemblance.alike(features, noise(len(features)) if thumbnails is None else thumbnails)
    assert [pair.ratio for pair in found] == sorted(pair.ratio for pair in found)
    return {(pair.one, pair.other) for pair in found}


@pytest.mark.parametrize("n", [40, 200, 600])
def test_a_family_without_copies_has_hardly_a_pair(n: int) -> None:
    assert len(pairs(family(n))) <= 1


@pytest.mark.parametrize("n", [40, 200, 600])
@pytest.mark.parametrize("scale", [1.0, 1000.0])
def test_slightly_changed_copies_are_found_at_any_scale_of_the_features(n: int, scale: float) -> None:
    features = family(n)
    rng = np.random.default_rng(1)
    copies = features[:8] + 0.15 * features.std(axis=0) * rng.normal(size=(8, features.shape[1]))
    found = pairs(np.vstack([features, copies]).astype(np.float32) * scale)
    assert sum((row, n + row) in found for row in range(8)) >= 7
    assert len(found) <= 10


def test_what_is_known_to_belong_together_is_no_pair_and_hides_nothing() -> None:
    """Twelve frames of one clip, and a copy of one of them under another patient's name."""
    rng = np.random.default_rng(1)
    features = family(100)
    spread = 0.1 * features.std(axis=0)
    frames = features[:1] + spread * rng.normal(size=(12, features.shape[1]))
    copy = features[:1] + spread * rng.normal(size=(1, features.shape[1]))
    everyone = np.vstack([features[1:], frames, copy]).astype(np.float32)
    together = np.concatenate([np.arange(99), np.full(12, 99), [100]])
    found = resemblance.alike(everyone, noise(len(everyone)), together)
    assert {(pair.one, pair.other) for pair in found} >= {(99 + n, 111) for n in range(12)}
    assert all(together[pair.one] != together[pair.other] for pair in found)


def test_of_more_pairs_than_can_be_looked_at_the_closest_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    features = family(200)
    far = np.linspace(0.01, 0.15, 12)[:, None] * features.std(axis=0)
    copies = features[:12] + far * np.random.default_rng(1).normal(size=(12, features.shape[1]))
    everyone = np.vstack([features, copies]).astype(np.float32)
    all_of_them = resemblance.alike(everyone, noise(212))
    monkeypatch.setattr(resemblance, "MOST_PAIRS", 5)
    assert len(all_of_them) > 5 and resemblance.alike(everyone, noise(212)) == all_of_them[:5]


@pytest.mark.parametrize("axes", [(1,), (0,), (0, 1)])
def test_a_mirrored_or_turned_picture_is_found_by_its_thumbnail(axes: tuple[int, ...]) -> None:
    thumbnails = noise(60)
    thumbnails[50] = np.flip(thumbnails[3], axes)
    assert (3, 50) in pairs(family(60), thumbnails)


def test_symmetric_and_blank_pictures_are_no_mirror_images() -> None:
    thumbnails = noise(60)
    thumbnails[10] = thumbnails[11] = 7
    round_one = np.hypot(*np.mgrid[-16:16, -16:16] + 0.5).astype(np.uint8) * 8
    thumbnails[20], thumbnails[21] = round_one, round_one + 1
    assert not pairs(family(60), thumbnails) & {(10, 11), (20, 21)}


def test_strangers_are_found_and_family_is_not() -> None:
    strangers = family(5, seed=9)[:, ::-1] * 2
    found = resemblance.unlike(np.vstack([family(200), strangers]))
    assert set(range(200, 205)) <= set(found)
    assert len(found) <= 5 + 4
    assert not set(resemblance.unlike(family(200))) - set(range(200)) and len(resemblance.unlike(family(200))) <= 4


def test_the_frames_of_a_foreign_clip_do_not_hide_each_other() -> None:
    clip = np.repeat(family(1, seed=9)[:, ::-1] * 2, 15, axis=0)
    features = np.vstack([family(200), clip])
    alone = np.concatenate([np.arange(200), np.full(15, 200)])
    assert not set(resemblance.unlike(features)) & set(range(200, 215))
    assert set(range(200, 215)) <= set(resemblance.unlike(features, alone))


def test_one_clip_alone_has_no_strangers() -> None:
    assert resemblance.unlike(family(60), np.zeros(60, np.int64)) == []


@pytest.mark.parametrize("features", [family(39), np.ones((60, 8), np.float32), np.zeros((60, 8), np.float32)])
def test_too_few_or_all_the_same_says_nothing_of_strangers(features: np.ndarray) -> None:
    assert resemblance.unlike(features) == []


def test_too_few_says_nothing_of_copies() -> None:
    assert resemblance.alike(family(39), noise(39)) == []
