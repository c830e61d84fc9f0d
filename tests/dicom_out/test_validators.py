"""What programs of others say of our objects: dciodvfy (dicom3tools), dcmdump and dsrdump (DCMTK).

In CI (`.ci/run` installs them) a missing program is a failure; elsewhere a skip.
"""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.dicom_out.conftest import KINDS

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


def test_dcmtk_reads_the_report_as_a_report(made: Make) -> None:
    dsrdump = tool("dsrdump", "dcmtk")
    said = ask(dsrdump, "+Pl", made("CT", "keep")[0] / "0001-report.dcm")
    assert "Imaging Measurement Report" in said and "E: " not in said
    for line in ('"Score for malignant")="0.8"', "Research use only", "Sensitivity, lower end of 95 % interval"):
        assert line in said, line
