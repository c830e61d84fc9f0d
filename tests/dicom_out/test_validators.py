"""What programs of others say of our objects: dciodvfy (dicom3tools), and DCMTK.

In CI (`.ci/run` installs them) a missing program is a failure; elsewhere a skip.
"""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread

from medtl import dicom_out
from medtl.cohorts.formats import dicom
from medtl.workspace import Workspace
from tests.dicom_out.conftest import KINDS
from tests.dicom_out.originals import answer, original

Make = Callable[..., tuple[Path, Any, dict[str, Any]]]


def tool(name: str, package: str) -> str:
    found = shutil.which(name)
    if found is None:
        assert not os.environ.get("CI"), f"{name} is missing; `.ci/run` installs it"
        pytest.skip(f"{name} is not installed (Debian package {package})")
    return found


def ask(*words: object) -> str:
    done = subprocess.run(list(map(str, words)), capture_output=True, timeout=60)
    assert done.returncode == 0, (done.stdout + done.stderr).decode(errors="replace")
    return (done.stdout + done.stderr).decode(errors="replace")


@pytest.mark.parametrize("identity", ["keep", "remove"])
@pytest.mark.parametrize("kind", KINDS)
def test_dciodvfy_finds_no_error(made: Make, kind: str, identity: str) -> None:
    dciodvfy = tool("dciodvfy", "dicom3tools")
    for path in made(kind, identity)[0].glob("*.dcm"):
        done = subprocess.run([dciodvfy, "-new", path], capture_output=True, timeout=60)
        said = (done.stdout + done.stderr).decode(errors="replace").splitlines()
        assert not [line for line in said if line.startswith("Error")], (path.name, said)


@pytest.mark.parametrize("kind", KINDS)
def test_dcmtk_reads_every_object(made: Make, kind: str) -> None:
    dcmdump = tool("dcmdump", "dcmtk")
    for path in made(kind, "keep")[0].glob("*.dcm"):
        said = ask(dcmdump, path)
        assert "E: " not in said and "SOPInstanceUID" in said


@pytest.mark.parametrize("kind", KINDS)
def test_dcmtk_finds_the_contour_in_order(made: Make, kind: str) -> None:
    said = ask(tool("dcmpschk", "dcmtk"), "-v", made(kind, "keep")[0] / "0001-contour.dcm")
    assert "Test passed" in said and "E: " not in said


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("CR", {}),  # inverted, no window: a state that says nothing would show it black
        ("CR", {"WindowCenter": 100, "WindowWidth": 120}),
        ("CR", {"PhotometricInterpretation": "MONOCHROME2", "WindowCenter": 100, "WindowWidth": 120}),
        ("CT", {"WindowCenter": -940, "WindowWidth": 160}),
        ("CT", {}),
    ],
)
def test_under_the_contour_a_viewer_shows_the_original_as_without_it(
    office_ws: tuple[Workspace, str], tmp_path: Path, kind: str, words: dict[str, Any]
) -> None:
    """A viewer takes from a presentation state what is bright and what is black, not from the image."""
    dcmp2pgm = tool("dcmp2pgm", "dcmtk")
    ws, run = office_ws
    (tmp_path / "a.dcm").write_bytes(original(kind, **words))
    said = dicom_out.make(
        ws, run, [(tmp_path / "a.dcm", answer())], tmp_path / "out", kinds=("contour",), identity="keep"
    )
    assert not said["left_out"]
    ask(dcmp2pgm, "-p", said["objects"][0]["file"], tmp_path / "a.dcm", tmp_path / "shown.pgm")
    shown = np.asarray(Image.open(tmp_path / "shown.pgm")).astype(int)
    ours = dicom.read(tmp_path / "a.dcm").pixels.astype(int)
    assert np.abs(shown - ours).max() <= 2 and shown.std() > 10


def test_dcmtk_draws_the_overlay_as_it_is(made: Make, tmp_path: Path) -> None:
    path = made("US", "keep")[0] / "0001-overlay.dcm"
    ask(tool("dcm2pnm", "dcmtk"), "--write-raw-pnm", path, tmp_path / "drawn.ppm")
    assert np.array_equal(np.asarray(Image.open(tmp_path / "drawn.ppm")), dcmread(path).pixel_array)


def test_dcmtk_reads_the_report_as_a_report(made: Make) -> None:
    dsrdump = tool("dsrdump", "dcmtk")
    said = ask(dsrdump, "+Pl", made("CT", "keep")[0] / "0001-report.dcm")
    assert "Imaging Measurement Report" in said and "E: " not in said
    for line in ('"Score for malignant")="0.8"', "Research use only", "Sensitivity, lower end of 95 % interval"):
        assert line in said, line
