"""Which source suits the images, in a real browser: measured, read, drawn around in the map, and overruled."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from medtl.workspace import Workspace
from tests.builders import add_cohort, add_source

from .conftest import App, chromium, settle, shoot
from .test_pages import grave

OTHER = "A small network of ours"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[App, str]]:
    """A cohort nobody knows, the shipped source and a small one of the user's own."""
    chromium()
    folder = tmp_path_factory.mktemp("source")
    ws = Workspace(folder / "home").ensure()
    cohort = add_cohort(ws, folder / "pictures").id
    add_source(ws, folder / "source", OTHER)
    app = App(ws.home)
    yield app, cohort
    app.stop()


def test_from_an_unknown_cohort_to_a_source(prepared: tuple[App, str], tab: Callable[..., Any]) -> None:
    app, cohort = prepared
    page = tab(height=2400)
    address = f"{app.url}/source?cohort={cohort}"
    page.goto(address)
    settle(page)
    shoot(page, "source-1-before")
    page.get_by_role("button", name=re.compile("Measure which source suits your images .about")).click()
    page.get_by_text("Measuring which source suits your images").wait_for()
    page.wait_for_url(re.compile("measuring="))
    shoot(page, "source-2-running")

    # Who comes back without the id is led to it all the same.
    page.goto(address)
    page.get_by_text(re.compile("measured on 36 of your training images")).wait_for(timeout=300_000)
    settle(page)
    page.get_by_text(re.compile("^Take '")).first.wait_for()
    assert "measuring=" not in page.url
    page.locator(".js-plotly-plot").nth(1).wait_for()
    page.wait_for_timeout(1500)
    shoot(page, "source-3-measured")
    assert not grave(page)

    # What is drawn around in the map is shown as pictures.
    page.locator(".js-plotly-plot").nth(1).scroll_into_view_if_needed()
    place = page.locator(".js-plotly-plot").nth(1).bounding_box()
    x, y, width, height = (place[key] for key in ("x", "y", "width", "height"))
    page.mouse.move(x + 0.05 * width, y + 0.15 * height)
    page.mouse.down()
    for right, down in ((0.95, 0.15), (0.95, 0.95), (0.05, 0.95)):
        page.mouse.move(x + right * width, y + down * height, steps=8)
    page.mouse.up()
    page.get_by_text(re.compile("images? marked:")).wait_for()
    settle(page)
    shoot(page, "source-4-marked")

    # Another source than the recommended one: one line, and on.
    recommended = page.get_by_role("combobox", name="Source").input_value()
    other = "Chest films of children" if recommended == OTHER else OTHER
    page.get_by_role("combobox", name="Source").click()
    page.get_by_role("option", name=re.compile(other)).click()
    page.get_by_text(re.compile("You chose")).wait_for()
    settle(page)
    page.get_by_role("button", name="Choose a strategy").click()
    page.wait_for_url(re.compile("/strategy"))
    settle(page)
    assert page.get_by_text(re.compile("You chose")).count() > 0
    shoot(page, "source-5-strategy")


def test_the_answer_in_the_dark_and_narrow(prepared: tuple[App, str], tab: Callable[..., Any]) -> None:
    app, cohort = prepared
    page = tab(width=1280, height=2400, dark=True)
    page.goto(f"{app.url}/source?cohort={cohort}")
    settle(page)
    page.wait_for_timeout(1500)
    shoot(page, "source-6-1280-dark")
    assert page.get_by_text("Something went wrong").count() == 0
