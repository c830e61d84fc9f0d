import numpy as np
import pytest

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


def pictures_of(what: str) -> np.ndarray:
    """(N, 32, 32) uint8: sets at which a bound made of 2 x 2 squares is tight, loose, and of no use at all."""
    random = np.random.default_rng(5)
    rows, columns = np.mgrid[:32, :32]
    if what == "noise":
        return random.integers(0, 256, (150, 32, 32)).astype(np.uint8)
    if what == "smooth":  # one bright spot each, many close together: thousands of correlations on either side of .98
        at = random.uniform(10, 22, (150, 2, 1, 1))
        return (250 * np.exp(-((rows - at[:, 0]) ** 2 + (columns - at[:, 1]) ** 2) / 200)).astype(np.uint8)
    if what == "squares without a mean":  # nothing is left of them when they are made coarse, and all seem alike
        sign = random.choice([-1, 1], (150, 16, 16)).repeat(2, axis=1).repeat(2, axis=2)
        return (128 + 100 * sign * (-1) ** (rows + columns)).astype(np.uint8)
    base = random.integers(60, 190, (30, 32, 32))  # copies under more and more noise, through .98 and out of it
    return np.concatenate([
        np.clip(base + random.normal(0, dirt, base.shape), 0, 255) for dirt in (0, 4, 7, 8, 9)
    ]).astype(np.uint8)


SETS = ("noise", "smooth", "squares without a mean", "copies")


def truth(thumbnails: np.ndarray) -> np.ndarray:
    """(N, N), every correlation in double precision."""
    return np.corrcoef(thumbnails.reshape(len(thumbnails), -1).astype(float))


@pytest.mark.parametrize("what", SETS)
@pytest.mark.parametrize("candidates", [0, 10_000, 10**9])
def test_the_coarse_bound_loses_and_adds_no_pair(what, candidates, monkeypatch):
    monkeypatch.setattr(likeness, "CANDIDATES", candidates)
    monkeypatch.setattr(likeness, "NEIGHBOURS", 10**6)
    monkeypatch.setattr(likeness, "BLOCK", 64)
    thumbnails = pictures_of(what)
    alike = truth(thumbnails)
    pairs = {(int(one), int(other)) for one, other in zip(*np.nonzero(np.triu(alike > likeness.ALIKE, 1)), strict=True)}
    found = likeness.near_copies(thumbnails)
    assert len(set(found)) == len(found)
    assert all(abs(alike[pair] - likeness.ALIKE) < 1e-5 for pair in pairs ^ set(found))
    assert bool(pairs) == (what in ("smooth", "copies"))


@pytest.mark.parametrize("what", SETS)
def test_the_bound_is_never_below_the_likeness(what):
    thumbnails = pictures_of(what)
    coarse = likeness._coarse(likeness._standardised(thumbnails))
    assert (coarse @ coarse.T >= truth(thumbnails) - likeness.ROUNDING).all()
