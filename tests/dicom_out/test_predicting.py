"""`predict --dicom` with a real run: the map of the network itself lies on the image that was asked about."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.pixels import set_pixel_data

from medtl import cli, printing
from tests.conftest import Practice
from tests.dicom_out.originals import NAME, original


def bright(place: Path, practice: Practice) -> Path:
    """A case of the cohort as it would lie in a PACS."""
    pixels = np.asarray(Image.open(practice.original(practice.cohort.split.test[0])).convert("L"))
    (place / "asked.dcm").write_bytes(original("CR"))
    one = dcmread(place / "asked.dcm")
    set_pixel_data(one, pixels, "MONOCHROME2", 8)
    one.save_as(place / "asked.dcm")
    return place / "asked.dcm"


@pytest.mark.parametrize("identity", ["keep", "remove"])
def test_it_writes_what_belongs_to_the_image(
    practice: Practice, tmp_path: Path, capsys: pytest.CaptureFixture[str], identity: str
) -> None:
    asked = bright(tmp_path, practice)
    code = cli.main([
        "predict", practice.run, str(asked), "--dicom", str(tmp_path / "out"), "--identity", identity, "--json",
        "--home", str(practice.ws.home),
    ])  # fmt: skip
    said: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert code == 0 and said["identity"] == identity
    (answer,) = said["predictions"]
    drawn = answer["map"]["state"] == "ok"
    assert {one["kind"] for one in said["objects"]} == (
        {"overlay", "region", "contour", "report"} if drawn else {"report"}
    )
    for one in said["objects"]:
        read = dcmread(one["file"])
        assert (read.PatientName == NAME) == (identity == "keep")
    if drawn:
        overlay = dcmread(said["objects"][0]["file"])
        assert overlay.Columns >= 64 and overlay.Rows > 64 and answer["map"]["label"] in overlay.DerivationDescription
    assert not list(Path.cwd().glob("*-where-it-looked.png"))  # no map was asked for as a picture
    printing.predictions(said)
    assert f"report of image 1: {said['objects'][-1]['file']}" in capsys.readouterr().out


@pytest.mark.parametrize("more", [["--csv", "a.csv"], ["--cut", "0"], ["--cut", "1.5"]])
def test_what_does_not_go_together_is_said_before_anything_is_loaded(
    practice: Practice, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str]
) -> None:
    words = ["predict", practice.run, str(tmp_path), "--dicom", str(tmp_path / "out"), *more]
    assert cli.main([*words, "--json", "--home", str(practice.ws.home)]) == 2
    said = json.loads(capsys.readouterr().out)
    assert said["error"] and said["advice"] and not (tmp_path / "out").exists()


def test_without_it_nothing_is_written(practice: Practice, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["predict", practice.run, str(bright(tmp_path, practice)), "--json", "--home", str(practice.ws.home)])
    assert "objects" not in json.loads(capsys.readouterr().out)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["asked.dcm"]
