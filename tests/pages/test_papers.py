"""The papers on the Trust page: questions are kept in the run, nothing is made before it is asked for."""

import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from medtl.errors import MedtlError
from medtl.reporting import answers, exporting
from medtl.runs import choices
from pages.ui import papers, study_form
from tests.conftest import Practice
from tests.pages.conftest import healthy

Open = Callable[..., AppTest]


@pytest.fixture(autouse=True)
def at_home(practice: Practice, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("MEDTL_HOME", str(practice.ws.home))
    st.cache_data.clear()
    st.cache_resource.clear()
    yield
    for left in (answers.ANSWERS, choices.FILE):
        (practice.folder / left).unlink(missing_ok=True)
    st.cache_data.clear()
    st.cache_resource.clear()


def test_the_questions_are_asked_once_and_kept_in_the_run(practice: Practice, open_page: Open) -> None:
    at = open_page("trust", run=practice.run)
    healthy(at)
    assert any(box.label.startswith(study_form.SAYS) for box in at.expander)
    areas = {area.key: area for area in at.text_area}
    assert len(areas) == 8
    areas[f"study-{practice.run}-ethics"].set_value("Waiver 12/2024")
    next(button for button in at.button if button.label == "Keep the answers").click().run()
    healthy(at)
    assert answers.load(practice.folder) == {"ethics": "Waiver 12/2024"}
    again = open_page("trust", run=practice.run)
    assert "1 of 8 answered" in str([box.label for box in again.expander])


@pytest.mark.parametrize("paper", papers._all(), ids=lambda paper: paper.file)
def test_every_paper_is_made_on_the_click_and_not_before(paper: papers.Paper, practice: Practice) -> None:
    for _, ending in paper.forms:
        assert ending in papers.MIME
        if ending == ".pdf":
            pytest.importorskip("reportlab", reason="PDF needs reportlab")
        made = papers._maker(paper.write, practice.ws, practice.run, ending)
        before = set(practice.ws.spool.iterdir())
        assert len(made()) > 500 and set(practice.ws.spool.iterdir()) == before


def test_the_model_is_exported_by_another_process(practice: Practice, tmp_path: Path) -> None:
    if not exporting.can_write():
        pytest.skip("writing ONNX needs the package onnx")
    said = papers.export(practice.ws, practice.run, tmp_path / "model.zip")
    assert "largest difference" in said and "calibrated" in said
    assert exporting.MODEL in zipfile.ZipFile(tmp_path / "model.zip").namelist()
    with pytest.raises(MedtlError):
        papers.export(practice.ws, "r-nobody", tmp_path / "other.zip")


def test_the_panel_loads_no_network() -> None:
    from tests.builders import python

    code = "import sys\nfrom pages.ui import papers\nprint('torch' in sys.modules)"
    assert python(code).stdout.strip() == "False", sys.version
