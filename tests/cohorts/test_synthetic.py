import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medtl.cohorts import patients, synthetic


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    synthetic.write_demo(folder, cases=40)
    return folder


def test_counts_names_and_size(demo):
    files = sorted(demo.rglob("*.png"))
    assert len(files) == 40
    assert len(list((demo / "malignant").iterdir())) == 15
    assert all(re.fullmatch(r"SYNTHETIC_p\d{3}_[12]\.png", file.name) for file in files)
    assert {(Image.open(file).size, Image.open(file).mode) for file in files} == {((256, 192), "L")}


def test_some_patients_have_two_images_and_none_is_in_two_classes(demo):
    names = [file.relative_to(demo).as_posix() for file in sorted(demo.rglob("*.png"))]
    groups = patients.preview(names, r"p\d+").groups
    assert {len(group) for group in groups.values()} == {1, 2}
    assert all(len({name.split("/")[0] for name in group}) == 1 for group in groups.values())


def test_the_same_seed_draws_the_same_images(demo, tmp_path):
    synthetic.write_demo(tmp_path, cases=40)
    for file in demo.rglob("*.png"):
        assert (tmp_path / file.relative_to(demo)).read_bytes() == file.read_bytes()


def test_images_look_like_pictures_and_not_alike(demo):
    pictures = np.stack([np.asarray(Image.open(file)) for file in sorted(demo.rglob("*.png"))]).astype(float)
    assert (pictures.std(axis=(1, 2)) > 15).all()
    assert ((pictures.mean(axis=(1, 2)) > 60) & (pictures.mean(axis=(1, 2)) < 220)).all()
    assert len(np.unique(pictures.mean(axis=(1, 2)))) == 40
