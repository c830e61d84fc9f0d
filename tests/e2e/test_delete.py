"""Deleting a cohort leads to the Library, and it is drawn, also while a deeper check of that cohort is followed."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medtl.cohorts import importing
from medtl.workspace import Workspace
from tests.e2e.conftest import App, chromium, settle
from tests.pages.conftest import make_cohort

HOLD = "import fcntl, sys, time; f = open(sys.argv[1], 'w'); fcntl.flock(f, fcntl.LOCK_EX); time.sleep(300)"


@pytest.mark.parametrize("following", [False, True])
def test_the_library_is_drawn_after_a_cohort_was_deleted(
    tmp_path: Path, tab: Callable[..., Any], following: bool
) -> None:
    chromium()
    ws = Workspace(tmp_path / "home").ensure()
    cohort = make_cohort(ws, tmp_path / "brought")
    check = ws.spool / "check"
    check.mkdir()
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(check / importing.ALIVE)], start_new_session=True)
    (check / importing.PROCESS).write_text(str(process.pid))
    (check / importing.ON).write_text(cohort.id)
    app = App(ws.home)
    try:
        page = tab()
        page.goto(f"{app.url}/data?cohort={cohort.id}{'&checking=check' if following else ''}")
        page.get_by_role("button", name="Delete this cohort").click()
        page.locator("[role=dialog] button", has_text="Delete").first.click()
        page.wait_for_url("**/library*")
        settle(page)
        page.get_by_text("Cohorts you bring will stand here.").wait_for(timeout=20_000)
        assert not ws.cohort(cohort.id).exists() and not check.exists()
        assert process.wait(10) != 0, "the check that ran on it was stopped"
    finally:
        app.stop()
        if process.poll() is None:
            process.kill()
