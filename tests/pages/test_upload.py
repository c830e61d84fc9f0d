"""An upload lands on disk under its own name, inside its own folder, and leaves Streamlit's memory."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from medtl.errors import BadInput
from medtl.workspace import Workspace
from pages.ui import upload
from tests.pages.conftest import healthy, words_on


@pytest.mark.parametrize("name", ["../x.png", "a/../../x.png", "/etc/x.png", "C:\\x.png", "..\\x.png", ""])
def test_a_name_that_leads_outside_is_refused(name: str) -> None:
    with pytest.raises(BadInput):
        upload._inside(name)


def test_the_folders_of_a_folder_upload_are_kept() -> None:
    assert upload._inside("set/benign/6.png") == Path("set/benign/6.png")


def test_a_dropped_zip_is_spooled_and_can_be_taken_away(ws: Workspace, open_page: Callable[..., AppTest]) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("benign/1.png", b"x")
    at = open_page("data")
    at.file_uploader[0].upload("busi.zip", packed.getvalue(), "application/zip").run()
    healthy(at)
    assert "lies ready on this computer" in words_on(at)
    (spooled,) = ws.spool.glob("up-*/busi.zip")
    assert spooled.read_bytes() == packed.getvalue()
    assert not next(b for b in at.button if b.label == "Read the images").disabled
    at.switch_page("pages/data.py").run()  # AppTest takes the page for another one after a rerun
    next(b for b in at.button if b.label == "Take away").click().run()
    healthy(at)
    assert not list(ws.spool.glob("up-*"))
