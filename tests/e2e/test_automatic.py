"""Automatic in a real browser: one click on Strategy, a first result, the chosen one, and all of them on Compare."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from medtl import automatic
from medtl.runs import store
from medtl.workspace import Workspace
from tests.builders import add_cohort, add_source
from tests.e2e.conftest import App, chromium, settle, shoot
from tests.e2e.test_pages import grave


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """A workspace of its own: 60 pictures and a source so small that three trainings take a minute."""
    chromium()
    app = App(Workspace(tmp_path_factory.mktemp("automatic") / "home").ensure().home)
    yield app
    app.stop()


def test_from_strategy_to_compare_without_a_number(app: App, tab: Callable[..., Any], tmp_path: Path) -> None:
    ws = Workspace(app.home)
    cohort, source = add_cohort(ws, tmp_path / "brought").id, add_source(ws, tmp_path / "source")
    page = tab()
    page.goto(f"{app.url}/strategy?cohort={cohort}&source={source}")
    settle(page)
    shoot(page, "automatic-1-strategy")
    page.get_by_role("button", name=re.compile("Start Automatic")).click()

    # Train: every member has its line; the probe's result comes first, while the others still go on.
    page.wait_for_url(re.compile(r"/train\?"))
    page.get_by_text(re.compile("Automatic: 3 strategies on one split")).wait_for()
    group = re.search(r"run=([^&]+)", page.url)
    assert group, page.url
    page.get_by_text("all done").wait_for(timeout=600_000)
    page.get_by_text(re.compile("chosen$")).first.wait_for()
    settle(page)
    shoot(page, "automatic-2-train")
    chosen = automatic.chosen(ws, group[1])
    assert chosen is not None and chosen.settled
    assert page.get_by_text(chosen.says[:60]).count() > 0
    assert f"run={chosen.run}" in page.url, "the frame leads on to the result"

    # Compare: said in a sentence, with an interval, and without a grave fault for those who cannot see it.
    page.get_by_role("button", name="Compare them").click()
    page.wait_for_url(re.compile(r"/compare\?"))
    page.get_by_text("Difference to the reference").wait_for()
    settle(page)
    page.wait_for_timeout(1500)
    shoot(page, "automatic-3-compare")
    assert page.get_by_text("Reference:").count() > 0
    found = grave(page)
    assert not found, found
    assert page.locator("img:not([alt])").count() == 0
    address = page.url
    page.goto("about:blank")
    page.goto(address)
    page.get_by_text("Difference to the reference").wait_for()

    # Trust of the chosen one: what the transfer was worth.
    page.goto(f"{app.url}/trust?run={chosen.run}")
    page.get_by_text("Was the transfer worth it?").wait_for()
    settle(page)
    shoot(page, "automatic-4-trust")
    assert len([run for run in store.runs(ws) if run.group == group[1]]) == 3
