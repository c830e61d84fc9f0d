import numpy as np
import pytest

from medtl.cohorts import limits
from medtl.cohorts.pixels import Pixels, PixelWriter, Shard, as_model_sees, assemble, prepare, shrunk, stretched
from medtl.errors import MedtlError, NotFound
from medtl.vocabulary import InputSpec


@pytest.fixture
def stored(tmp_path, noise):
    pictures = {"grey": noise(1, (40, 60)), "colour": noise(2, (50, 30, 3)), "large": noise(3, (700, 1100))}
    shards = []
    for name, ids in {"shard-0": ["grey", "colour"], "shard-1": ["large"]}.items():
        writer = PixelWriter(tmp_path / name)
        shards.append(Shard(tmp_path / name, {id: writer.add(prepare(pictures[id])) for id in ids}))
        writer.close()
    assemble(tmp_path, shards)
    assert not list(tmp_path.glob("shard-*"))
    return Pixels(tmp_path), pictures


def test_what_is_small_enough_comes_back_as_it_was(stored):
    pixels, pictures = stored
    assert np.array_equal(pixels.image("grey"), pictures["grey"])
    assert np.array_equal(pixels.image("colour"), pictures["colour"])


def test_what_is_large_is_shrunk_to_512_and_never_enlarged(stored):
    pixels, _ = stored
    assert pixels.image("large").shape == (326, 512)
    assert max(pixels.image("large").shape) == limits.STORED_SIDE


def test_thumbnails_and_their_order(stored):
    pixels, pictures = stored
    both = pixels.thumbnails(["colour", "grey"])
    assert both.shape == (2, 32, 32) and both.dtype == np.uint8
    assert np.array_equal(both[1], pixels.thumbnails(["grey"])[0])
    assert abs(both[1].mean() - pictures["grey"].mean()) < 3


@pytest.mark.parametrize("channels", [1, 3])
def test_resized_gives_every_case_in_turn(stored, channels):
    pixels, _ = stored
    found = list(pixels.resized(["large", "grey", "colour"], channels, 24))
    assert [picture.shape for picture in found] == [(channels, 24, 24)] * 3
    assert all(picture.dtype == np.uint8 for picture in found)


def test_shrinking_is_antialiased():
    stripes = np.tile(np.array([0, 255], np.uint8), (64, 32))
    assert np.ptp(stretched(stripes, 1, 8)[0].astype(int)) < 30


def test_the_model_sees_the_same_of_a_new_image_as_of_a_stored_one(stored):
    pixels, pictures = stored
    spec = InputSpec(size=64)
    for id, picture in pictures.items():
        seen = as_model_sees(picture, spec)
        assert seen.shape == (64, 64, 3)
        assert np.array_equal(seen, as_model_sees(pixels.image(id), spec))
        assert np.array_equal(seen.transpose(2, 0, 1), next(pixels.resized([id], 3, 64)))
    assert as_model_sees(pictures["colour"], InputSpec(channels=1, size=8)).shape == (8, 8, 3)


def test_fingerprints_tell_pictures_apart_and_know_copies(noise):
    assert prepare(noise(1)).fingerprint == prepare(noise(1)).fingerprint != prepare(noise(2)).fingerprint
    assert prepare(noise(1)).fingerprint != prepare(noise(1).reshape(32, 24)).fingerprint
    assert prepare(np.full((9, 9), 3, np.uint8)).constant


def test_a_very_long_image_keeps_at_least_one_pixel(noise):
    assert shrunk(noise(1, (2, 4000))).shape == (1, 512)


def test_missing_things_are_said_in_words(stored, tmp_path):
    with pytest.raises(NotFound):
        stored[0].image("nobody")
    with pytest.raises(MedtlError, match="cache"):
        Pixels(tmp_path / "nowhere")
