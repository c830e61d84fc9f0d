"""The feature cache: by content, for one source and one preparation, never half-written."""

from pathlib import Path

import numpy as np
import pytest

from medtl.training.features import FeatureCache, cached
from medtl.vocabulary import InputSpec

SPEC = InputSpec()


class Counted:
    """Works features out from the index, and remembers for which."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def __call__(self, indices: np.ndarray) -> np.ndarray:
        self.asked += indices.tolist()
        return np.outer(indices + 1, np.ones(3)).astype(np.float32)


def test_what_is_known_is_not_computed_again(tmp_path: Path) -> None:
    cache, compute = FeatureCache(tmp_path, "abc", SPEC), Counted()
    first = cached(cache, ["a", "b", "c"], compute)
    assert compute.asked == [0, 1, 2] and first[:, 0].tolist() == [1, 2, 3]
    again = cached(cache, ["c", "a"], compute)
    assert compute.asked == [0, 1, 2] and again[:, 0].tolist() == [3, 1]
    more = cached(FeatureCache(tmp_path, "abc", SPEC), ["a", "d"], compute)
    assert compute.asked == [0, 1, 2, 1] and more[:, 0].tolist() == [1, 2]


def test_identical_images_are_computed_once(tmp_path: Path) -> None:
    for cache in (FeatureCache(tmp_path, "abc", SPEC), None):
        compute = Counted()
        rows = cached(cache, ["a", "b", "a", "b", "b"], compute)
        assert compute.asked == [0, 1] and rows[:, 0].tolist() == [1, 2, 1, 2, 2]


def test_another_source_or_preparation_has_a_place_of_its_own(tmp_path: Path) -> None:
    caches = [
        FeatureCache(tmp_path, "abc", SPEC),
        FeatureCache(tmp_path, "abd", SPEC),
        FeatureCache(tmp_path, "abc", InputSpec(size=96)),
        FeatureCache(tmp_path, "abc", InputSpec(channels=1)),
        FeatureCache(tmp_path, "abc", InputSpec(mean=(0.5, 0.5, 0.5))),
        FeatureCache(tmp_path, "abc", InputSpec(std=(0.5, 0.5, 0.5))),
    ]
    assert len({cache.folder for cache in caches}) == len(caches)
    caches[0].add(["a"], np.ones((1, 3)))
    assert all(not cache.load(["a"]) for cache in caches[1:])
    assert FeatureCache(tmp_path, "abc", InputSpec()).load(["a"])


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 3] ^= 255
    file.write_bytes(data)


@pytest.mark.parametrize("damage", [cut, flip, lambda f: f.write_bytes(b""), lambda f: f.write_bytes(b"noise" * 99)])
def test_a_damaged_block_is_dropped_and_worked_out_anew(tmp_path: Path, damage: object) -> None:
    cache, compute = FeatureCache(tmp_path, "abc", SPEC), Counted()
    cached(cache, ["a", "b"], compute)
    cached(cache, ["c"], compute)
    block = next(f for f in cache.folder.glob("*.npz") if "a" in np.load(f)["keys"])
    damage(block)  # type: ignore[operator]
    compute.asked.clear()
    rows = cached(cache, ["a", "b", "c"], compute)
    assert compute.asked == [0, 1] and rows[:2, 0].tolist() == [1, 2]
    compute.asked.clear()
    cached(cache, ["a", "b", "c"], compute)
    assert not compute.asked


def test_two_runs_may_add_the_same(tmp_path: Path) -> None:
    one, other = FeatureCache(tmp_path, "abc", SPEC), FeatureCache(tmp_path, "abc", SPEC)
    one.add(["a"], np.ones((1, 3)))
    other.add(["a"], np.ones((1, 3)))
    assert one.load(["a"])["a"].tolist() == [1, 1, 1]
    assert not list(one.folder.glob(".*"))


def test_the_folder_may_be_deleted(tmp_path: Path) -> None:
    import shutil

    cache, compute = FeatureCache(tmp_path, "abc", SPEC), Counted()
    cached(cache, ["a"], compute)
    shutil.rmtree(cache.folder)
    cached(cache, ["a"], compute)
    assert compute.asked == [0, 0]
