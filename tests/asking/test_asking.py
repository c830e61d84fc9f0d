"""What is brought becomes a list of files, pictures come with codes and never names, and pooling keeps to its rule."""

import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medtl.asking import pooling, reading
from medtl.asking.answer import Answer, in_words
from medtl.asking.brought import brought
from medtl.asking.table import Table
from medtl.cohorts.reading import Asker
from medtl.errors import BadInput
from medtl.vocabulary import Reading
from tests.builders import cohort

ODD = ("=1+1.png", "-rf.png", "é ü.png", "a'b;c,d\".png", "x\u202egnp.png")


def write(path: Path, side: int = 40, colour: bool = False) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (side, side, 3) if colour else (side, side)
    pixels = np.random.default_rng(len(path.name)).integers(0, 255, shape).astype(np.uint8)
    Image.fromarray(pixels).save(path, format="PNG")
    return path


@pytest.fixture(scope="module")
def desk() -> Iterator[Asker]:
    desk = Asker(Reading(), b"s" * 32, 16, 3)
    yield desk
    desk.close()


# ---- what is brought ------------------------------------------------------------------------------------------------


def test_files_folders_and_zips_are_one_list_in_order(tmp_path: Path) -> None:
    single = write(tmp_path / "one.png")
    for name in ODD:
        write(tmp_path / "folder" / "sub" / name)
    with zipfile.ZipFile(tmp_path / "some.zip", "w") as archive:
        archive.write(single, "in/zip.png")
        archive.write(single, "__MACOSX/zip.png")
    found = brought([single, tmp_path / "folder", tmp_path / "some.zip"])
    assert [one.given for one in found] == [0, *[1] * len(ODD), 2]
    assert found[0].name == "one.png" and found[-1].name.endswith("zip.png")
    assert all(one.place is not None for one in found)
    assert not any("\u202e" in one.name for one in found)


def test_what_cannot_be_opened_is_on_the_list_with_its_reason(tmp_path: Path) -> None:
    good = write(tmp_path / "good.png")
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros.png", bytes(30_000_000))
    with zipfile.ZipFile(tmp_path / "whole.zip", "w") as archive:
        archive.write(good, "good.png")
    (tmp_path / "cut.zip").write_bytes((tmp_path / "whole.zip").read_bytes()[:60])
    (tmp_path / "empty").mkdir()
    found = brought([tmp_path / "bomb.zip", tmp_path / "cut.zip", tmp_path / "empty", good])
    assert [one.place is None for one in found] == [True, True, True, False]
    assert "unfolds" in found[0].why_not and "damaged" in found[1].why_not and "no file" in found[2].why_not


# ---- reading --------------------------------------------------------------------------------------------------------


def test_every_file_has_an_answer_and_a_broken_one_ends_nothing(desk: Asker, tmp_path: Path) -> None:
    for n in range(40):
        write(tmp_path / f"p{n:02}.png", colour=n % 3 == 0)
    (tmp_path / "p05.png").write_bytes(b"")
    (tmp_path / "p06.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(50))
    (tmp_path / "words.txt").write_text("words")
    files = brought([tmp_path])
    for whole in (False, True):
        read = sorted(reading.read(desk, files, whole), key=lambda file: file.number)
        assert [file.name for file in read] == [one.name for one in files]
        assert [file.name for file in read if file.why_not] == ["p05.png", "p06.png", "words.txt"]
        shapes = {file.pictures[0].pixels.shape for file in read if file.pictures}
        assert shapes == ({(40, 40), (40, 40, 3)} if whole else {(1, 16, 16), (3, 16, 16)})
        assert all(len(file.sha256) == 64 for file in read if file.pictures)


def test_it_stops_when_told(desk: Asker, tmp_path: Path) -> None:
    for n in range(60):
        write(tmp_path / f"p{n:02}.png")
    taken: list[reading.File] = []
    for file in reading.read(desk, brought([tmp_path]), False, lambda: len(taken) >= 5):
        taken.append(file)
    assert len(taken) == 5


def test_pages_of_a_file_are_pictures_of_one_group(desk: Asker, tmp_path: Path) -> None:
    pages = [Image.fromarray(np.full((30, 30), 20 * n, np.uint8)) for n in range(1, 4)]
    pages[0].save(tmp_path / "pages.tif", save_all=True, append_images=pages[1:])
    (file,) = reading.read(desk, brought([tmp_path / "pages.tif"]), False)
    assert [one.frame for one in file.pictures] == [0, 1, 2] and {one.group for one in file.pictures} == {"file"}
    brightness = [one.looks.looks.brightness for one in file.pictures]
    assert brightness == sorted(brightness) and brightness[0] < brightness[2]


def test_patients_by_file_name_are_codes(tmp_path: Path) -> None:
    import dataclasses

    of = dataclasses.replace(cohort(), patient_rule=r"file-name pattern (?P<patient>[a-z]+)-\d+")
    files = brought([write(tmp_path / name) for name in ("meier-1.png", "meier-2.png", "huber-1.png", "none.png")])
    codes = reading.with_patients(files, of, b"s" * 32)
    assert codes[0] == codes[1] != codes[2] and 3 not in codes
    assert all(code.startswith("P-") and "meier" not in code for code in codes.values())
    assert reading.with_patients(files, cohort(), b"s" * 32) == {}


# ---- pooling and words ----------------------------------------------------------------------------------------------


def test_pooling_by_patient_then_series_then_file() -> None:
    units = pooling.units(["a", None, "a", None, None], ["", "g-1", "", "g-1", "file"], [0, 1, 2, 3, 4])
    assert units == {("patient", "a"): [0, 2], ("series", "g-1"): [1, 3], ("file", 4): [4]}


def test_pictures_are_pooled_as_the_run_was_judged() -> None:
    scores, two = np.array([[0.9, 0.1], [0.5, 0.5], [0.7, 0.3]]), ("well", "ill")
    assert pooling.pooled(scores, "mean", "single-label", two, "ill") == pytest.approx([0.7, 0.3])
    assert pooling.pooled(scores, "max", "single-label", two, "ill") == pytest.approx([0.5, 0.5])
    assert pooling.pooled(scores, "max", "single-label", two, "well") == pytest.approx([0.9, 0.1])
    assert pooling.pooled(scores, "noisy-or", "multi-label", two, None) == pytest.approx(
        1 - np.prod(1 - scores, axis=0)
    )
    grades = np.array([[0.6, 0.3, 0.1], [0.1, 0.2, 0.7]])
    worst = pooling.pooled(grades, "max", "ordinal", ("0", "1", "2"), None)
    assert worst == pytest.approx([0.1, 0.2, 0.7]) and worst.sum() == pytest.approx(1)
    with pytest.raises(BadInput) as error:
        pooling.check("max", "single-label", ("a", "b", "c"))
    assert "auto, mean." in error.value.advice


def test_words_say_when_it_cannot_tell() -> None:
    assert in_words("benign", ("benign",), None, 0.1).startswith("benign.")
    assert in_words(None, ("benign", "malignant"), None, 0.1).startswith("Cannot tell: benign or malignant")
    assert "none of the classes" in in_words(None, (), None, 0.1)
    split = in_words(None, ("benign",), None, 0.1, ("malignant",), ("benign", "malignant"))
    assert split.startswith("Cannot tell: benign or malignant. The score is enough to call it malignant, but")
    assert in_words(None, ("benign",), "This image is blank.", 0.1) == "No answer: This image is blank."


def test_no_cell_of_the_table_is_a_formula(tmp_path: Path) -> None:
    import csv

    with Table(tmp_path / "deep" / "t.csv", ["=cmd", "b"]) as table:
        for name in ODD:
            table.add(Answer(name, "=cmd", {"=cmd": 0.6, "b": 0.4}, ("=cmd",), True, None, settled="=cmd", says="-x"))
        table.add(Answer("gone.png", None, {}, (), False, "@not there", says="@not there"))
    rows = list(csv.reader((tmp_path / "deep" / "t.csv").open(newline="", encoding="utf-8")))
    assert len(rows) == len(ODD) + 2 and len({len(row) for row in rows}) == 1
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row)
    with pytest.raises(BadInput):
        Table(tmp_path, ["a"])
