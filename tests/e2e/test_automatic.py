"""Automatic in a real browser: one click on Strategy, a first result, the chosen one, and all of them on Compare."""

import re
from collections.abc import Callable
from typing import Any

from medtl import automatic
from medtl.cohorts import library as cohorts
from medtl.runs import store
from medtl.workspace import Workspace

from .conftest import App, settle, shoot
from .test_pages import grave


def test_from_strategy_to_compare_without_a_number(app: App, tab: Callable[..., Any]) -> None:
    ws = Workspace(app.home)
    cohort = next(one.id for one in cohorts.cohorts(ws) if one.synthetic and one.parent is None)
    page = tab()
    page.goto(f"{app.url}/strategy?cohort={cohort}&source=medical-mix")
    settle(page)
    page.get_by_text("1 min", exact=True).click()
    settle(page)
    shoot(page, "automatic-1-strategy")
    page.get_by_role("button", name=re.compile("Start Automatic")).click()

    # Train: every member has its line; the probe's result comes first, while the others still go on.
    page.wait_for_url(re.compile(r"/train\?"))
    page.get_by_text(re.compile("Automatic: 3 strategies on one split")).wait_for()
    group = re.search(r"run=([^&]+)", page.url)
    assert group, page.url
    page.get_by_text("all done").wait_for(timeout=600_000)
    page.get_by_text("chosen", exact=True).wait_for()
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
    assert not grave(page)
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
