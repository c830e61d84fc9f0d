"""Text that would be markup: as class, as file, as title and as the name of who mends. It is shown, never obeyed."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from medtl.cohorts import library
from medtl.cohorts.synthetic import write_demo
from medtl.workspace import Workspace

from .conftest import App, chromium, settle, shoot

STRINGS = (
    "<script>alert(1)<|script>",
    "<img src=x onerror=alert(2)>",
    "![x](http:||host.example|x.png)",
    "[click](javascript:alert(3))",
    "<a href=http:||host.example>x<|a>",
    "<iframe src=http:||host.example>",
    ":red[danger] $x^2$ **bold**",
    "{{7*7}} ${7*7} <%= 7 %>",
    "'\"><svg onload=alert(4)>",
    "<b>bold<|b><br>",
)  # `|` becomes a slash that is none, for a folder's name holds no `/`


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[App, str]]:
    chromium()
    place = tmp_path_factory.mktemp("hostile")
    write_demo(place / "demo", seed=2, cases=60)
    files = sorted((place / "demo").rglob("*.png"))
    for n, file in enumerate(files):
        text = STRINGS[n % len(STRINGS)].replace("|", "\u2215")
        folder = place / "set" / text
        folder.mkdir(parents=True, exist_ok=True)
        file.rename(folder / f"{text[:60]}{n}.png")
    ws = Workspace(place / "home").ensure()
    cohort = library.add(ws, place / "set", name=STRINGS[1], file_names="kept")
    edited = library.edit(ws, cohort.id, exclude=[cohort.cases[0].id], who=STRINGS[0])
    app = App(place / "home")
    yield app, edited.id
    app.stop()


def test_markup_in_names_is_shown_as_text(hostile: tuple[App, str], tab: Callable[..., Any]) -> None:
    app, id = hostile
    page = tab(1440, 3000)
    for address in (f"/data?cohort={id}", f"/source?cohort={id}", f"/strategy?cohort={id}", "/library", "/"):
        page.goto(app.url + address)
        settle(page)
        page.wait_for_timeout(1500)
    page.goto(f"{app.url}/data?cohort={id}")
    settle(page)
    page.wait_for_timeout(2000)
    shoot(page, "hostile-names")
    text = page.get_by_test_id("stMain").inner_text()
    assert "<img src=x onerror=alert(2)>" in text
    assert page.locator("stMain img[src*='host.example']").count() == 0
    assert page.locator("a[href*='host.example'], a[href^='javascript']").count() == 0
    assert not re.search(r"\b49\b.*7\*7", text)


def test_unknown_and_hostile_ids_get_the_same_answer(app: App, tab: Callable[..., Any]) -> None:
    page = tab()
    said = set()
    for id in ("../../etc", "000000000000", "<script>", "%00", "a" * 300):
        page.goto(f"{app.url}/data?cohort={id}")
        settle(page)
        said.add(page.get_by_test_id("stAlert").first.inner_text())
    assert len(said) == 1, said
