"""A new user's way in a real browser: from a zip of breast ultrasound to an explained answer, without an error."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from medtl.cohorts.synthetic import write_demo

from .conftest import BUSI, App, settle, shoot, zipped


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """BUSI where it is at hand; elsewhere a synthetic set with one image planted in both classes."""
    if BUSI.is_dir():
        return BUSI
    folder = tmp_path_factory.mktemp("images") / "ultrasound"
    write_demo(folder, seed=3, cases=120)
    planted = next((folder / "benign").iterdir())
    (folder / "malignant" / "copy.png").write_bytes(planted.read_bytes())
    return folder


def test_from_a_zip_to_an_explained_prediction(app: App, tab: Callable[..., Any], images: Path, tmp_path: Path) -> None:
    page = tab()
    page.goto(app.url)
    settle(page)
    page.get_by_role("button", name="Bring images").click()
    settle(page)

    # Data: the upload leaves the server's memory, is read by a process of its own, and survives a refresh.
    archive = zipped(images, tmp_path / "images.zip")
    page.get_by_test_id("stFileUploader").first.locator("input[type=file]").set_input_files(archive)
    page.get_by_role("button", name="Read the images").click()
    page.wait_for_timeout(1500)
    page.reload()
    page.get_by_text("What was found").wait_for(timeout=240_000)
    settle(page)
    shoot(page, "walk-1-blocked")
    page.get_by_role("button", name=re.compile("Leave these 2")).click()
    page.get_by_text("This is a new version").wait_for()
    settle(page)
    assert page.get_by_text(re.compile("0 (patients|images|near-copies)")).count() > 0
    shoot(page, "walk-2-mended")

    # Source and strategy: no number is typed. The quickest strategy is taken; Automatic has a test of its own.
    page.get_by_role("button", name="Choose a source").click()
    settle(page)
    shoot(page, "walk-3-source")
    page.get_by_role("button", name="Choose a strategy").click()
    settle(page)
    shoot(page, "walk-4-strategy")
    page.goto(f"{page.url}&strategy=linear-probe")
    page.get_by_text("The plan: Train only the last layer").wait_for()
    settle(page)
    page.get_by_role("button", name=re.compile("Start this one")).click()

    # Train: a refresh in the middle loses nothing; the address carries the run.
    page.wait_for_url(re.compile("run="))
    page.wait_for_timeout(1500)
    page.reload()
    trust = page.get_by_role("button", name=re.compile("See whether"))
    trust.wait_for(timeout=300_000)
    settle(page)
    shoot(page, "walk-5-train")
    trust.click()
    settle(page)

    # Trust: numbers with intervals, and a count that opens its images.
    page.wait_for_timeout(1500)
    shoot(page, "walk-6-trust")
    text = page.get_by_test_id("stMain").inner_text()
    assert re.search(r"\d+–\d+ %", text), "no interval on the page"
    assert "thumbnails" in text, "no control on the page"
    page.get_by_role("combobox", name=re.compile("Open the images of a cell")).click()
    page.get_by_role("option").nth(1).click()
    settle(page)
    page.wait_for_timeout(800)
    shoot(page, "walk-7-cell")

    # Use: where the network looked, for a stored case and for a new image.
    page.get_by_role("link", name=re.compile("Use")).first.click()
    settle(page)
    page.get_by_text("A case of the test part", exact=True).first.click()
    page.get_by_text("Where the network looked").first.wait_for(timeout=120_000)
    page.get_by_text("It does not show where the disease is").first.wait_for()
    settle(page)
    shoot(page, "walk-8-use-case")
    page.get_by_text("New images", exact=True).first.click()
    settle(page)
    new = tmp_path / "new.png"
    Image.open(next(images.glob("*/*.png"))).rotate(3).save(new)
    page.get_by_test_id("stFileUploader").first.locator("input[type=file]").set_input_files(new)
    page.get_by_text("Where the network looked").first.wait_for(timeout=120_000)
    settle(page)
    shoot(page, "walk-9-use-new")


def test_what_is_no_image_is_said_not_thrown(app: App, tab: Callable[..., Any], tmp_path: Path) -> None:
    page = tab()
    page.goto(app.url + "/data")
    settle(page)
    broken = tmp_path / "broken.zip"
    broken.write_bytes(b"this is not a zip")
    page.get_by_test_id("stFileUploader").first.locator("input[type=file]").set_input_files(broken)
    page.get_by_role("button", name="Read the images").click()
    page.get_by_text(re.compile("zip", re.I)).first.wait_for()
    settle(page)
    page.wait_for_timeout(3000)
    shoot(page, "wrong-zip")
    assert page.get_by_text(re.compile("neither a folder nor a zip", re.I)).count() > 0
