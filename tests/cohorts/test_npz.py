import ast
import importlib.util
import io
import random
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medtl.cohorts import limits
from medtl.cohorts.labelling import medmnist_sets, npz
from medtl.errors import BadInput

RANDOM = np.random.default_rng(0)


def arrays(n: int = 6, side: int = 8, colour: bool = False, labels: object = None, parts=("train", "val", "test")):
    shape = (n, side, side, 3) if colour else (n, side, side)
    found = {}
    for part in parts:
        found[f"{part}_images"] = RANDOM.integers(0, 256, shape, dtype=np.uint8)
        found[f"{part}_labels"] = np.arange(n, dtype=np.uint8)[:, None] % 2 if labels is None else np.asarray(labels)
    return found


def saved(folder: Path, name: str = "mine.npz", compressed: bool = True, **content: np.ndarray) -> Path:
    path = folder / name
    (np.savez_compressed if compressed else np.savez)(path, **content)
    return path


def unpacked(path: Path, **options: object) -> npz.Unpacked:
    place = path.with_suffix("")
    place.mkdir()
    return npz.unpacked(path, place, **options)  # type: ignore[arg-type]


def refused(path: Path) -> BadInput:
    with pytest.raises(BadInput) as error:
        unpacked(path)
    assert error.value.message and error.value.advice
    return error.value


# ---- what comes out


@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("compressed", [False, True])
def test_every_picture_comes_out_as_it_was(tmp_path, colour, compressed):
    content = arrays(colour=colour)
    seen: list[tuple[int, int]] = []
    found = unpacked(saved(tmp_path, compressed=compressed, **content), on_progress=lambda *at: seen.append(at))
    assert len(found.items) == 18 and seen[-1] == (18, 18)
    for item in found.items:
        part, number = item.entry.name.removesuffix(".png").split("/")
        picture = np.asarray(Image.open(io.BytesIO(item.entry.read())))
        assert (picture == content[f"{part}_images"][int(number)]).all()
        assert item.label == str(int(content[f"{part}_labels"][int(number), 0]))
        assert item.part == {"train": "train", "val": "tune", "test": "test"}[part]
        assert Path(item.entry.place.path).is_file() and item.patient is None
    assert (found.task, found.classes, found.skipped) == ("single-label", (), ())


def test_a_part_may_be_missing_and_a_channel_may_be_single(tmp_path):
    content = arrays(parts=("train",))
    content["train_images"] = content["train_images"][..., None]
    assert {item.part for item in unpacked(saved(tmp_path, **content)).items} == {"train"}


@pytest.mark.parametrize("size", ["", "_64", "_224"])
def test_published_sets_are_known_by_their_name(tmp_path, size):
    found = unpacked(saved(tmp_path, f"BreastMNIST{size}.npz", **arrays()))
    assert {item.label for item in found.items} == {"malignant", "normal, benign"}
    assert found.title.startswith("Breast ultrasound") and "CC BY 4.0" in found.says[0]


def test_a_licence_that_forbids_trade_is_said(tmp_path):
    assert "forbids commercial use" in unpacked(saved(tmp_path, "dermamnist.npz", **arrays(colour=True))).says[0]


def test_grades_keep_their_order(tmp_path):
    labels = np.arange(6)[:, None] % 5
    found = unpacked(saved(tmp_path, "retinamnist.npz", **arrays(colour=True, labels=labels)))
    assert (found.task, found.classes) == ("ordinal", ("0", "1", "2", "3", "4"))


def test_several_findings(tmp_path):
    labels = RANDOM.integers(0, 2, (6, 14))
    found = unpacked(saved(tmp_path, "chestmnist.npz", **arrays(labels=labels)))
    assert found.task == "multi-label" and found.classes[0] == "atelectasis" and found.classes[-1] == "hernia"
    assert [list(item.labels.values()) for item in found.items[:6]] == labels.tolist()
    assert {item.label for item in found.items} == {""}


def test_a_file_that_is_only_called_like_a_published_set(tmp_path):
    found = unpacked(saved(tmp_path, "breastmnist.npz", **arrays(labels=np.arange(6)[:, None])))
    assert {item.label for item in found.items} == set("012345") and found.says == ()


def test_one_label_written_as_columns_is_one_label(tmp_path):
    found = unpacked(saved(tmp_path, **arrays(labels=np.eye(6, dtype=int))))
    assert found.task == "single-label" and [item.label for item in found.items[:6]] == list("012345")


def test_too_many_pictures_become_a_stratified_sample(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "FILES", 100)
    content = {}
    for part, n in (("train", 700), ("val", 100), ("test", 200)):
        content[f"{part}_images"] = RANDOM.integers(0, 256, (n, 4, 4), dtype=np.uint8)
        content[f"{part}_labels"] = (np.arange(n)[:, None] % 10 == 0).astype(int)
    path = saved(tmp_path, **content)
    found = unpacked(path)
    count = {(part, label): 0 for part in ("train", "tune", "test") for label in "01"}
    for item in found.items:
        count[item.part, item.label] += 1
    assert list(count.values()) == [63, 7, 9, 1, 18, 2]
    assert "1,000 pictures; a stratified sample of 100 was taken (seed 0)" in found.skipped[0].reason
    (tmp_path / "again").mkdir()
    again = npz.unpacked(path, tmp_path / "again")
    assert [item.entry.name for item in again.items] == [item.entry.name for item in found.items]
    (tmp_path / "other").mkdir()
    other = npz.unpacked(path, tmp_path / "other", seed=1)
    assert [item.entry.name for item in other.items] != [item.entry.name for item in found.items]


def test_memory_does_not_grow_with_the_array(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "FILES", 50)
    content = arrays(n=600, side=200, labels=np.arange(600)[:, None] % 2, parts=("train",))
    path = saved(tmp_path, compressed=False, **content)
    assert path.stat().st_size > 5 * npz.BLOCK
    del content
    tracemalloc.start()
    unpacked(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3 * npz.BLOCK


# ---- what is refused


def test_volumes_are_refused_with_words(tmp_path):
    content = {"train_images": np.zeros((3, 8, 8, 8), np.uint8), "train_labels": np.zeros((3, 1), int)}
    assert "volumes" in refused(saved(tmp_path, **content)).message


def test_objects_are_refused_and_never_opened(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|O", "fortran_order": False, "shape": (2, 8, 8)})
    path = tmp_path / "trap.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("train_images.npy", header.getvalue() + b"cos\nsystem\n(S'false'\ntR.")
        archive.writestr("train_labels.npy", b"")
    assert "run a program" in refused(path).message


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ({"x": np.zeros(3), "y": np.zeros(3)}, "x, y"),
        ({"train_images": np.zeros((2, 8, 8), np.float32), "train_labels": np.zeros((2, 1), int)}, "float32"),
        ({"train_images": np.zeros((2, 8, 8), np.uint16), "train_labels": np.zeros((2, 1), int)}, "uint16"),
        ({"train_images": np.zeros((2, 64), np.uint8), "train_labels": np.zeros((2, 1), int)}, "2 x 64"),
        ({"train_images": np.zeros((2, 8, 2), np.uint8), "train_labels": np.zeros((2, 1), int)}, "2 x 8 pixels"),
        ({"train_images": np.zeros((2, 8, 8), np.uint8)}, "no train_labels"),
        ({"train_images": np.zeros((2, 8, 8), np.uint8), "train_labels": np.zeros((3, 1), int)}, "for 2 pictures"),
        ({"train_images": np.zeros((2, 8, 8), np.uint8), "train_labels": np.zeros((2, 2, 2), int)}, "2 x 2 x 2"),
        ({"train_images": np.zeros((2, 8, 8), np.uint8), "train_labels": np.array(["a", "b"])}, "<U1"),
        ({"train_images": np.zeros((2, 8, 8), np.uint8), "train_labels": np.array([0.5, 1])}, "no whole numbers"),
        ({"train_images": np.zeros((2, 8, 8), np.uint8), "train_labels": np.array([0, np.nan])}, "no whole numbers"),
        ({"train_images": np.zeros((2, 8, 8), np.uint8), "train_labels": np.array([-1, 0])}, "no whole numbers"),
        ({"train_images": np.zeros((2, 8, 8), np.uint8), "train_labels": np.array([0, 10**6])}, "1,000,000"),
        ({"train_images": np.zeros((2, 8, 8), np.uint8), "train_labels": np.array([[0, 2], [1, 1]])}, "0 or 1"),
        ({"train_images": np.zeros((8, 8, 2), np.uint8, order="F"), "train_labels": np.zeros(8, int)}, "by columns"),
    ],
)
def test_another_layout_is_named(tmp_path, content, word):
    assert word in refused(saved(tmp_path, **content)).message


def test_a_header_that_promises_more_than_there_is(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (10**12, 224, 224)})
    path = tmp_path / "liar.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("train_images.npy", header.getvalue())
        archive.writestr("train_labels.npy", header.getvalue())
    assert "damaged" in refused(path).message


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path):
    content = {"train_images": np.zeros((600, 100, 100), np.uint8), "train_labels": np.zeros((600, 1), int)}
    assert "unfolds" in refused(saved(tmp_path, **content)).message


def test_cut_and_changed_files_are_refused_or_read_and_nothing_else(tmp_path):
    good = saved(tmp_path, **arrays()).read_bytes()
    draw = random.Random(0)
    for number in range(150):
        data = bytearray(good)
        if number % 10 == 0:
            del data[draw.randrange(len(data)) :]
        else:
            for _ in range(draw.randint(1, 4)):
                data[draw.randrange(len(data))] = draw.randrange(256)
        path = tmp_path / f"changed{number}.npz"
        path.write_bytes(data)
        try:
            unpacked(path)
        except BadInput:
            continue


# ---- what is known of the published sets


def test_the_facts_are_those_of_the_package():
    package = importlib.util.find_spec("medmnist")
    if package is None or package.origin is None:
        pytest.skip("the package medmnist is not installed")
    tree = ast.parse(Path(package.origin).with_name("info.py").read_text(encoding="utf-8"))  # importing it loads torch
    (info,) = (ast.literal_eval(n.value) for n in tree.body if isinstance(n, ast.Assign) and n.targets[0].id == "INFO")
    tasks = {"ordinal-regression": "ordinal", "multi-label, binary-class": "multi-label"}
    assert {known.name for known in medmnist_sets.SETS} | set(medmnist_sets.VOLUMES) == set(info)
    for known in medmnist_sets.SETS:
        published = info[known.name]
        assert known.classes == tuple(published["label"].values())
        assert known.task == tasks.get(published["task"], "single-label")
        assert known.cases == sum(published["n_samples"].values())
        assert (known.licence, known.channels) == (published["license"], published["n_channels"])
    assert [known.name for known in medmnist_sets.SETS if not known.commercial] == ["dermamnist"]
