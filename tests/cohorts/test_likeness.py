import numpy as np

from medtl.cohorts.findings import likeness


def test_a_brighter_noisier_copy_is_found_and_strangers_are_not():
    random = np.random.default_rng(0)
    strangers = random.integers(0, 200, (40, 32, 32)).astype(np.uint8)
    copy = np.clip(strangers[7] * 1.1 + 10 + random.normal(0, 2, (32, 32)), 0, 255).astype(np.uint8)
    assert likeness.near_copies(np.concatenate([strangers, copy[None]])) == [(7, 40)]


def test_blocks_do_not_change_the_answer(monkeypatch):
    random = np.random.default_rng(1)
    some = random.integers(0, 256, (30, 32, 32)).astype(np.uint8)
    thumbnails = np.concatenate([some, some[::-1], some[:5]])
    whole = likeness.near_copies(thumbnails)
    monkeypatch.setattr(likeness, "BLOCK", 7)
    assert set(likeness.near_copies(thumbnails)) == set(whole)
    assert len(whole) == 30 + 10


def test_blank_pictures_resemble_nothing():
    assert likeness.near_copies(np.full((4, 32, 32), 9, np.uint8)) == []


def test_a_thousand_copies_of_one_picture_stay_a_bounded_number_of_pairs():
    picture = np.random.default_rng(2).integers(0, 256, (1, 32, 32)).astype(np.uint8)
    pairs = likeness.near_copies(np.repeat(picture, 1000, axis=0))
    assert len(pairs) <= 1000 * likeness.NEIGHBOURS
    assert len({pair[1] for pair in pairs}) == 999  # and every one is tied to another
