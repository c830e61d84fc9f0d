"""A case opens large and the arrows go on; every plot comes down as SVG, PNG and CSV; a reading is done by keys."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pages.ui.reading_test import NAMELESS

from .conftest import App, settle
from .test_pages import address, grave


def test_a_mistake_opens_large_and_the_arrows_go_on(app: App, tab: Callable[..., Any]) -> None:
    page = tab(height=900)
    page.goto(address(app, "trust"))
    page.get_by_role("button", name="Look closer").first.click()
    dialog = page.get_by_test_id("stDialog")
    dialog.get_by_text("Most alike in training").wait_for()
    dialog.get_by_text("Opacity of the map").wait_for(timeout=180_000)  # torch is loaded first
    page.keyboard.press("ArrowRight")
    dialog.get_by_text("2 of ").wait_for()
    assert not grave(page)
    dialog.get_by_role("button", name="Open on the page Use").click()
    page.wait_for_url("**/use?**")


def test_every_plot_comes_down_in_three_kinds(app: App, tab: Callable[..., Any], tmp_path: Path) -> None:
    page = tab(height=900)
    to = address(app, "trust")
    run = to.rsplit("run=", 1)[1]
    page.goto(to)
    page.get_by_text("Your own reading").wait_for()
    settle(page)
    page.get_by_role("button", name="Save").first.click()
    dialog = page.get_by_test_id("stDialog")
    begins = {"SVG": b"<svg", "PNG": b"\x89PNG", "CSV": b"\xef\xbb\xbfseries,"}
    for kind, begin in begins.items():
        with page.expect_download() as coming:
            if kind == "CSV":
                dialog.get_by_role("button", name="Numbers (CSV)").click()
            else:
                dialog.get_by_text(kind, exact=True).click()
                dialog.get_by_text(f".{kind.lower()}").wait_for()
                page.wait_for_timeout(500)  # until the camera knows the kind
                dialog.locator(".modebar-btn").first.click()
        name = coming.value.suggested_filename
        assert name.startswith(f"{run}-trust-") and name.endswith(f".{kind.lower()}")
        coming.value.save_as(tmp_path / kind)
        assert (tmp_path / kind).read_bytes().startswith(begin)


def test_a_reading_is_done_by_keys_and_tells_nothing(app: App, tab: Callable[..., Any]) -> None:
    page = tab(height=900)
    to = address(app, "reading")
    run = to.rsplit("run=", 1)[1]
    page.goto(to)
    page.get_by_test_id("stTextInputField").fill("E2E")
    page.keyboard.press("Tab")
    page.get_by_role("button", name="Begin", exact=True).click()
    page.get_by_text("Without the model: E2E").wait_for()
    for done in range(1, 4):
        before = page.get_by_alt_text(NAMELESS).get_attribute("src")
        page.keyboard.press(str(done % 2 + 1))
        page.get_by_text(f"{done} looked at").wait_for()
        settle(page)  # keys belong to an image: one pressed before the next image has its keys does nothing
        assert page.get_by_alt_text(NAMELESS).get_attribute("src") != before
    drawn = page.get_by_test_id("stMain").inner_html()
    assert "SYNTHETIC_p" not in drawn and ", labelled" not in drawn and "patient" not in drawn
    assert drawn.count("malignant") == drawn.count("benign") == 1, "the keys, and nothing else"
    assert not grave(page)
    assert len((app.home / "runs" / run / "reader.jsonl").read_text().strip().split("\n")) == 4
