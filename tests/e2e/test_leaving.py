"""A page that is left while a bar on it is renewed: the next one is drawn and stays, however late the bar ticks."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medtl.workspace import Workspace
from tests.e2e.conftest import App, chromium, settle
from tests.e2e.following import checking, late_ticks
from tests.pages.conftest import make_cohort


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Any:
    chromium()
    app = App(Workspace(tmp_path_factory.mktemp("leaving") / "home").ensure().home)
    yield app
    app.stop()


@pytest.mark.parametrize(("role", "name"), [("button", "Choose a source"), ("link", "2 Source")])
def test_the_next_page_stays(tmp_path: Path, tab: Callable[..., Any], app: App, role: str, name: str) -> None:
    ws = Workspace(app.home)
    cohort = make_cohort(ws, tmp_path / "brought")
    with checking(ws, cohort.id) as check:
        page = tab()
        late_ticks(page)
        page.goto(f"{app.url}/data?cohort={cohort.id}&checking={check.folder.name}")
        page.get_by_text("You may close this page").wait_for()
        page.get_by_role(role, name=name).evaluate("way => leave(way)")
        page.wait_for_url("**/source?*")
        page.get_by_role("heading", name="Source").wait_for()
        settle(page)
        page.wait_for_timeout(2_000)  # what was on its way has arrived
        assert page.get_by_role("heading", name="Source").is_visible(), "a late tick emptied the page"
