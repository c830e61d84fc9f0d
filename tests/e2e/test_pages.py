"""Every page of a full workspace: drawn without complaint, reachable for everyone, the same after a reload."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import axe_core_python
import pytest

from medtl.cohorts import library as cohorts
from medtl.runs import results, store
from medtl.workspace import Workspace

from .conftest import App, settle, shoot

AXE = Path(axe_core_python.__file__).parent / "axe.min.js"
PAGES = ("", "data", "source", "strategy", "train", "trust", "reading", "use", "library")


def address(app: App, page: str) -> str:
    ws = Workspace(app.home)
    run = next(run.id for run in store.runs(ws) if run.title.startswith("SYNTHETIC"))
    cohort = next(cohort.id for cohort in cohorts.cohorts(ws) if cohort.synthetic and cohort.parent is None)
    return f"{app.url}/{page}?cohort={cohort}&run={run}"


@pytest.mark.parametrize("name", PAGES)
def test_page_is_drawn_and_accessible(app: App, tab: Callable[..., Any], name: str) -> None:
    page = tab(height=2400)
    page.goto(address(app, name))
    settle(page)
    page.wait_for_timeout(1500)
    shoot(page, f"page-{name or 'home'}-1440-light")
    assert page.get_by_role("heading").count() > 0
    assert page.get_by_text("Research use. Not a medical device").count() > 0
    assert page.get_by_text("Your data stays on this computer").count() > 0
    found = grave(page)
    assert not found, found
    assert page.locator("img:not([alt])").count() == 0


@pytest.mark.parametrize("name", PAGES)
def test_page_in_the_dark_and_narrow(app: App, tab: Callable[..., Any], name: str) -> None:
    page = tab(width=1280, height=2400, dark=True)
    page.goto(address(app, name))
    settle(page)
    page.wait_for_timeout(1500)
    shoot(page, f"page-{name or 'home'}-1280-dark")
    assert page.get_by_text("Something went wrong").count() == 0


def test_unknown_and_hostile_ids_get_the_same_words(app: App, tab: Callable[..., Any]) -> None:
    page = tab()
    texts = []
    for run in ("../../etc/passwd", "r-20200101-000000-000abcd"):
        page.goto(f"{app.url}/trust?run={run}")
        settle(page)
        texts.append(page.get_by_test_id("stMain").inner_text())
    assert "There is no such run." in texts[0]
    assert texts[0] == texts[1]


def test_a_killed_server_loses_nothing(app: App, tab: Callable[..., Any]) -> None:
    ws = Workspace(app.home)
    run = next(run for run in store.runs(ws) if run.title.startswith("SYNTHETIC"))
    sentence = results.describe(ws, run.id)["sentence"]
    page = tab()
    page.goto(address(app, "trust"))
    page.get_by_text(sentence).first.wait_for()
    app.kill()
    app.start()
    page.reload()
    page.get_by_text(sentence).first.wait_for()
    settle(page)


def grave(page: Any) -> list[tuple[Any, ...]]:
    """What axe calls serious or worse on the page as it is drawn now."""
    page.add_script_tag(path=AXE)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    return [
        (violation["id"], violation["impact"], [node["html"][:160] for node in violation["nodes"]][:3])
        for violation in found
        if violation["impact"] in ("serious", "critical") and not _streamlits_own(violation)
    ]


def _streamlits_own(violation: dict[str, Any]) -> bool:
    """What Streamlit's own widgets do and no app can mend; named one by one, with the element."""
    own = {
        "aria-allowed-attr": ("stSelectbox", "stPopover", "stFileUploader", "data-baseweb"),
        "scrollable-region-focusable": ("stMain", "stSidebar", "stAppScrollToBottomContainer"),
    }
    marks = own.get(violation["id"], ())
    return bool(marks) and all(any(mark in node["html"] for mark in marks) for node in violation["nodes"])
