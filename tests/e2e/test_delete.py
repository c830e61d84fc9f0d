"""Deleting a cohort says what went and leaves the page usable, also while a deeper check of that cohort is followed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medtl.workspace import Workspace
from tests.e2e.conftest import App, chromium, settle
from tests.e2e.following import checking, late_ticks
from tests.pages.conftest import make_cohort


@pytest.mark.parametrize("following", [False, True])
def test_after_a_cohort_was_deleted_the_page_says_so_and_leads_on(
    tmp_path: Path, tab: Callable[..., Any], following: bool
) -> None:
    chromium()
    ws = Workspace(tmp_path / "home").ensure()
    cohort = make_cohort(ws, tmp_path / "brought")
    app = App(ws.home)
    try:
        with checking(ws, cohort.id) as check:
            page = tab()
            late_ticks(page)
            page.goto(f"{app.url}/data?cohort={cohort.id}{f'&checking={check.folder.name}' if following else ''}")
            page.get_by_role("button", name="Delete this cohort").click()
            page.get_by_role("dialog").get_by_role("button", name="Delete").evaluate("way => leave(way)")
            page.get_by_text("Deleted: 1 version").wait_for()
            settle(page)
            assert page.get_by_text("Bring labelled images.").is_visible() and page.url == f"{app.url}/data"
            page.get_by_role("link", name="Library").first.click()
            page.get_by_text("Cohorts you bring will stand here.").wait_for()
            assert not ws.cohort(cohort.id).exists() and not check.folder.exists()
            assert check.process.wait(10) != 0, "the check that ran on it was stopped"
    finally:
        app.stop()
