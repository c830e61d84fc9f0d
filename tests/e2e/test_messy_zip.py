"""A clinician brings a messy zip and is led through every finding, in a real browser, without leaving the page."""

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import axe_core_python
import numpy as np
import pydicom
import pytest
from PIL import Image, ImageDraw
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

from medtl.cohorts import drafts, library
from medtl.cohorts.pixels import Pixels
from medtl.workspace import Workspace

from .conftest import App, chromium, settle, shoot, zipped

AXE = Path(axe_core_python.__file__).parent / "axe.min.js"
NAME = "ZZDOE^JANE"
# What a person clicks in the card that is open; the last one is for every other kind of finding.
CLICKS = (
    ("The same image has two labels", ("benign", "Put 1 image right")),
    ("Nearly the same image has two labels", ("They are different images: keep all labels",)),
    ("Nobody said who is who", ("Use this",)),
    ("Images without a patient", ("Use this",)),
    ("A name may be written", ("I have looked at it: nobody is named",)),
    ("A shortcut", ("I have seen it: keep it in mind",)),
    ("Blank images", ("Leave this case out",)),
)
KEEP = re.compile("^(Understood|They are fine: keep them|It is fine: keep it|They are different images: keep)$")


def draw(rng: np.random.Generator, ill: bool, side: tuple[int, int] = (120, 100)) -> Image.Image:
    """Speckle with a dark disc; in the ill ones it has a ragged edge."""
    y, x = np.mgrid[: side[1], : side[0]]
    at = rng.integers(30, 70, 2)
    radius = rng.integers(12, 24) + (6 * np.sin(7 * np.arctan2(y - at[1], x - at[0])) if ill else 0)
    ground = rng.gamma(4, 22, (side[1], side[0])) + rng.uniform(0, 30) * x / side[0]
    ground[np.hypot(x - at[0], y - at[1]) < radius] *= 0.35
    return Image.fromarray(np.clip(ground, 0, 255).astype(np.uint8))


def write_dicom(path: Path, picture: Image.Image) -> None:
    """A screen capture that has a name in its header and drawn into the picture."""
    ImageDraw.Draw(picture).text((4, 4), NAME, fill=255)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = SecondaryCaptureImageStorage, generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file = FileDataset(str(path), {}, file_meta=meta, preamble=bytes(128))
    file.SOPClassUID, file.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    file.PatientName, file.PatientID, file.Modality = NAME, "ZZ-4711", "OT"
    file.Rows, file.Columns, file.SamplesPerPixel = picture.height, picture.width, 1
    file.PhotometricInterpretation, file.PixelRepresentation = "MONOCHROME2", 0
    file.BitsAllocated, file.BitsStored, file.HighBit = 8, 8, 7
    file.PixelData = picture.tobytes()
    pydicom.dcmwrite(path, file, enforce_file_format=True)


@pytest.fixture(scope="module")
def messy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Mixed sizes and modes, a copy, a contradiction, a blank one, a text named .png, a DICOM with a name in it."""
    folder = tmp_path_factory.mktemp("messy") / "ultrasound"
    rng = np.random.default_rng(7)
    for k, label in enumerate(("benign", "malignant")):
        (folder / label).mkdir(parents=True)
        for n in range(60):
            picture = draw(rng, bool(k), (160, 90) if n % 9 == 4 else (120, 100))
            stem = folder / label / f"p{500 * k + n // 2:03}_{n % 2}"
            if n % 7 == 3:
                picture.convert("RGB").save(stem.with_suffix(".jpg"), quality=92)
            elif n % 11 == 5:
                Image.fromarray(np.asarray(picture).astype(np.uint16) * 200).save(stem.with_suffix(".png"))
            else:
                picture.save(stem.with_suffix(".png"))
    copied = (folder / "benign/p001_0.png").read_bytes()
    (folder / "malignant/p001_0.png").write_bytes(copied)
    (folder / "malignant/p502_9.png").write_bytes((folder / "malignant/p502_0.png").read_bytes())
    Image.new("L", (120, 100)).save(folder / "benign/p003_9.png")
    (folder / "benign/p004_9.png").write_text("this is a letter and no image")
    write_dicom(folder / "malignant/p600_0.dcm", draw(rng, True))
    return zipped(folder, folder.parent / "ultrasound.zip")


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    chromium()
    app = App(tmp_path_factory.mktemp("e2e-messy") / "home")
    yield app
    app.stop()


def shown(page: Any) -> str:
    return re.search(r"cohort=([0-9a-f]+)", page.url)[1]  # type: ignore[index]


def mend(page: Any) -> str:
    """One click, or two, in the card that stands open; its title."""
    card = page.locator("details[open]").first
    title = card.locator("summary").inner_text()
    before = shown(page)
    clicks = next((clicks for start, clicks in CLICKS if start in title), ())
    for word in clicks:
        button = card.get_by_role("button", name=word, exact=True)
        (button if button.count() else card.get_by_text(word, exact=True).last).first.click()
        settle(page)
    if not clicks:
        card.get_by_role("button", name=KEEP).click()
    page.wait_for_function("(before) => !location.href.includes(before)", arg=before)
    settle(page)
    return str(title)


def test_a_messy_zip_is_mended_without_leaving_the_page(empty: App, tab: Callable[..., Any], messy: Path) -> None:
    page = tab(width=1440, height=1500)
    page.goto(f"{empty.url}/data")
    settle(page)
    page.get_by_test_id("stFileUploader").first.locator("input[type=file]").set_input_files(messy)
    page.get_by_role("button", name="Read the images").click()
    page.get_by_text("What was found").wait_for(timeout=120_000)
    settle(page)
    shoot(page, "messy-1-found")
    text = page.get_by_test_id("stMain").inner_text()
    assert "1 file skipped" in text and "1 to resolve" in text
    assert page.get_by_role("button", name="Choose a source").is_disabled()
    brought = shown(page)

    # The name drawn into the picture: boxed and blacked out before anything else.
    page.get_by_text("A name may be written into the picture").click()
    settle(page)
    page.get_by_role("button", name="Black something out…").first.click()
    page.get_by_role("dialog").get_by_text("Draw a rectangle").wait_for()
    settle(page)
    page.wait_for_timeout(1000)
    plot = page.get_by_role("dialog").locator(".nsewdrag").bounding_box()
    page.mouse.move(plot["x"] + 2, plot["y"] + 2)
    page.mouse.down()
    page.mouse.move(plot["x"] + 0.7 * plot["width"], plot["y"] + 0.17 * plot["height"], steps=8)
    page.mouse.up()
    settle(page)
    page.wait_for_timeout(1000)
    shoot(page, "messy-2-blanking")
    page.get_by_role("button", name=re.compile("^Black out in")).click()
    page.wait_for_function("(before) => !location.href.includes(before)", arg=brought)
    settle(page)

    titles = []
    for _ in range(30):
        if not page.locator("details[open]").count():
            break
        titles.append(mend(page))
    shoot(page, "messy-3-mended")
    text = page.get_by_test_id("stMain").inner_text()
    assert any("two labels" in title for title in titles)
    assert "to resolve" not in text and "to look at" not in text, titles
    assert "0 patients shared between parts" in text
    assert page.get_by_role("button", name="Choose a source").is_enabled()

    ws = Workspace(empty.home)
    mended = library.load(ws, shown(page))
    captured = next(case for case in mended.cases if case.facts["format"] == "DICOM")
    assert Pixels(ws.cohort(mended.id)).image(captured.id)[:17, :80].max() == 0, "the name is blacked out"

    # Nobody's name is on the page or on the disk, and the version that was brought is still there.
    html = page.content()
    assert "ZZDOE" not in html and "ZZ-4711" not in html
    traces = [file for file in ws.home.rglob("*") if file.is_file() and re.search(b"ZZDOE|ZZ-4711", file.read_bytes())]
    assert not traces
    assert library.load(ws, brought).blocks and not mended.blocks


def test_two_hundred_images_in_five_minutes_by_keyboard(empty: App, tab: Callable[..., Any]) -> None:
    ws = Workspace(empty.home)
    cohort = library.cohorts(ws)[0]
    page = tab(width=1280, height=800)
    page.goto(f"{empty.url}/data?cohort={cohort.id}")
    settle(page)
    page.get_by_role("button", name="Go through them with the keyboard").click()
    settle(page)
    place = page.get_by_test_id("stProgress").last
    began, keys = time.monotonic(), ["Space", "1", "Space", "2", "x", "ArrowLeft", "u", "Space"] * 3
    for key in keys:
        before = place.text_content()
        page.keyboard.press(key)
        page.wait_for_function(
            "(before) => [...document.querySelectorAll('[data-testid=stProgress]')].pop().textContent !== before",
            arg=before,
        )
        page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]')
        page.wait_for_timeout(50)  # as quick as nobody looks
    seconds = (time.monotonic() - began) / len(keys)
    shoot(page, "messy-4-walk-1280")
    assert seconds < 1.5, f"{seconds:.2f} s a key; 200 images must not take more than five minutes"
    draft = drafts.read(ws, cohort.id)
    assert draft.steps and draft.seen
    page.add_script_tag(path=AXE)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    grave = [(v["id"], [n["html"][:200] for n in v["nodes"]]) for v in found if v["impact"] in ("serious", "critical")]
    assert not [v for v in grave if v[0] not in ("aria-allowed-attr", "scrollable-region-focusable")], grave
    page = tab(width=1280, height=1800, dark=True)
    page.goto(f"{empty.url}/data?cohort={cohort.id}")
    settle(page)
    page.wait_for_timeout(2500)
    shoot(page, "messy-5-waiting-1280-dark")
    assert page.get_by_text("Waiting:").count() > 0, "a closed tab loses nothing"
