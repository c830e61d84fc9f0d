"""Fingerprints find the same picture again, changed a little, and not another one."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medtl.transferability import seen


def pictures(n: int, seed: int = 0) -> list[Image.Image]:
    """Smooth random pictures, as films are."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(n):
        coarse = Image.fromarray(rng.integers(0, 256, (12, 12)).astype(np.uint8))
        made.append(coarse.resize((200, 180), Image.Resampling.BICUBIC))
    return made


def thumbnails(images: list[Image.Image]) -> np.ndarray:
    return np.stack([np.asarray(image.convert("L").resize((32, 32), Image.Resampling.BILINEAR)) for image in images])


def jpeg(image: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=50)
    return Image.open(buffer)


CHANGES = {
    "the same": lambda image: image,
    "saved as JPEG again": jpeg,
    "halved": lambda image: image.resize((100, 90)),
    "brightened": lambda image: image.point(lambda v: min(255, int(v * 1.1 + 8))),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_picture_is_found_again(change: str) -> None:
    before = pictures(30)
    prints = seen.fingerprints(thumbnails([CHANGES[change](image) for image in before[:10]]))
    assert seen.among(prints, seen.fingerprints(thumbnails(before))).all()


def test_another_picture_is_not_found() -> None:
    mine, theirs = (seen.fingerprints(thumbnails(pictures(200, seed))) for seed in (1, 2))
    assert not seen.among(mine, theirs).any()


def test_pictures_without_contrast_are_nobodys() -> None:
    flat = seen.fingerprints(np.full((3, 32, 32), 7, np.uint8))
    assert not seen.among(flat, flat).any()


def test_it_is_kept_and_read_again(tmp_path: Path) -> None:
    prints = seen.fingerprints(thumbnails(pictures(5)))
    assert prints.shape == (5, 32) and prints.dtype == np.uint8
    seen.save(tmp_path, prints)
    assert np.array_equal(seen.load(tmp_path), prints)
    (tmp_path / seen.FILE).write_bytes(b"damaged")
    assert len(seen.load(tmp_path)) == 0 == len(seen.load(tmp_path / "nowhere"))
    assert not seen.among(prints, seen.load(tmp_path)).any()
