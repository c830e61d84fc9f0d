"""Use in a real browser: an unlike picture is refused without a number, a like one is answered with a map and badges,
and its overlay comes down as a DICOM file that an independent reader opens.
"""

import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from PIL import Image

from .conftest import App, settle, shoot
from .test_pages import address, grave


def test_refused_then_answered_then_taken_along(app: App, tab: Callable[..., Any], tmp_path: Path) -> None:
    page = tab()
    page.goto(address(app, "use"))
    settle(page)
    unlike = tmp_path / "unlike.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (300, 200, 3), np.uint8)).save(unlike)
    page.get_by_test_id("stFileUploader").first.locator("input[type=file]").set_input_files(unlike)
    page.get_by_text("Not answered").wait_for(timeout=120_000)
    settle(page)
    shoot(page, "use-refused")
    assert page.get_by_text("No map is drawn").count() and not page.get_by_text("What to doubt").count()

    page.get_by_role("button", name="Take away").click()
    unblinds = page.get_by_role("button", name="Look all the same")  # where another walk has left a reading unfinished
    tries = page.get_by_role("button", name="Try it").first
    unblinds.or_(tries).first.wait_for()
    if unblinds.count():
        unblinds.click()
    tries.click()
    page.get_by_text("What to doubt").wait_for(timeout=120_000)
    page.get_by_text(re.compile("How each was measured|Not drawn|No map")).first.wait_for(timeout=120_000)
    settle(page)
    page.wait_for_timeout(1500)
    shoot(page, "use-answered")
    assert not grave(page), grave(page)
    assert page.locator("img:not([alt])").count() == 0

    page.get_by_text("As DICOM, for the PACS").click()
    page.get_by_role("button", name="Make the files").click()
    download = page.get_by_role("button", name=re.compile("Download them"))
    if page.get_by_text("There is no map to take along").count():
        return  # said instead of drawn; then there is no overlay either
    download.wait_for()
    with page.expect_download() as coming:
        download.click()
    coming.value.save_as(tmp_path / "dicom.zip")
    with zipfile.ZipFile(tmp_path / "dicom.zip") as bundle:
        read = pydicom.dcmread(io.BytesIO(bundle.read("0001-overlay.dcm")))
    assert read.pixel_array.shape[2] == 3 and read.SOPClassUID.name == "Secondary Capture Image Storage"
