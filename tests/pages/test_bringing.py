"""What the drop zones let through, what a cohort is called, what is said of privacy and of versions, and readings."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from medtl import housekeeping
from medtl.cohorts import importing, library, readings
from medtl.vocabulary import Case, Cohort, Edit
from medtl.workspace import Workspace
from pages.ui import bring, coming_in, privacy, upload, versions
from tests.pages.conftest import healthy, words_on

Open = Callable[..., AppTest]


def test_every_kind_of_image_may_be_dropped_beside_a_table(ws: Workspace, open_page: Open) -> None:
    assert {"png", "jpg", "jpeg", "bmp", "tif", "tiff", "dcm", "nii", "gz"} <= set(bring.TYPES)
    assert all(len(ending) > 1 for ending in bring.TYPES)
    at = open_page("data")
    at.session_state["bring-way"] = bring.TABLE
    at.switch_page("pages/data.py").run()
    healthy(at)
    images, table = at.file_uploader[0], at.file_uploader[1]
    assert ".png" in images.proto.type and ".dcm" in images.proto.type
    assert table.proto.max_upload_size_mb == 200


@pytest.mark.parametrize(
    ("names", "title"),
    [
        (["my set/benign/1.png", "my set/malignant/2.png"], "my set"),
        (["a/1.png", "b/2.png"], None),
        (["1.png", "2.png"], None),
        (["my set/1.png", "2.png"], None),
    ],
)
def test_a_folder_gives_its_name_and_loose_images_their_day(names: list[str], title: str | None) -> None:
    folder = Path("/spool/up-0123")
    said = upload.Spooled(folder, tuple(folder / name for name in names), 1).title
    assert said == title if title else said.startswith("Images of ")


def failed(ws: Workspace, answer: str) -> str:
    folder = ws.spool / "abc"
    folder.mkdir()
    (folder / importing.ANSWER).write_text(answer)
    asked = {**dataclasses.asdict(importing.ImportOptions()), "labels": None, "split": None}
    (folder / coming_in.ASKED).write_text(json.dumps({"what": str(ws.home), "options": asked}))
    return folder.name


@pytest.mark.parametrize(
    ("answer", "main"),
    [('{"error": {"message": "No label.", "advice": "Add one."}}', "Bring something else"), ("", "Read them again")],
)
def test_the_main_button_fits_why_an_import_ended(ws: Workspace, open_page: Open, answer: str, main: str) -> None:
    at = open_page("data", importing=failed(ws, answer))
    healthy(at)
    buttons = {b.label: b.proto.type for b in at.button if b.label in ("Bring something else", "Read them again")}
    assert [label for label, kind in buttons.items() if kind == "primary"] == [main] and len(buttons) == 2


def test_privacy_says_what_became_of_names_and_patients(ws: Workspace, cohort: Cohort) -> None:
    named = dataclasses.replace(cohort, privacy=dataclasses.replace(cohort.privacy, names="replaced"))
    called = dataclasses.replace(named, cases=tuple(dataclasses.replace(c, patient="pat000") for c in named.cases))
    assert "not by a code" in privacy._patients(called) and "pat000" in privacy._patients(called)
    coded = dataclasses.replace(named, cases=tuple(dataclasses.replace(c, patient="P-0123456789") for c in named.cases))
    assert privacy._patients(coded).startswith("Patients are codes.")
    nobody = dataclasses.replace(named, cases=tuple(dataclasses.replace(c, patient=None) for c in named.cases))
    assert "No patient is known" in privacy._patients(nobody)
    one = Case("a", "benign/pat000_1.png", "benign", "", "", None)
    assert "pat000_1.png" in privacy._example(dataclasses.replace(cohort, cases=(one,))).replace("\\", "")


def test_versions_are_counted_as_versions_and_say_a_thing_once(ws: Workspace, cohort: Cohort, open_page: Open) -> None:
    assert versions.known(cohort) == (cohort.id,)
    second = library.edit(ws, cohort.id, exclude=[cohort.cases[0].id], relabel={cohort.cases[1].id: "malignant"})
    versions.shelf.forget()
    assert set(versions.known(second)) == {cohort.id, second.id}
    at = open_page("data", cohort=second.id)
    healthy(at)
    assert any(box.label == "Versions (2)" for box in at.expander)
    twice = [Edit("now", "blacked out a rectangle", 3), Edit("now", "blacked out a rectangle", 5)]
    said = versions._says(dataclasses.replace(second, history=tuple(twice)))
    assert said == "blacked out a rectangle (8 cases, in 2 steps)"


def test_deleting_says_what_went_in_words(ws: Workspace) -> None:
    gone = housekeeping.Deleted(("a", "b"), 2_000_000, 0, 3158, False, ())
    assert versions._gone(gone) == "Deleted: 2 versions, 2.0 MB on disk, the second readings."


def test_a_result_is_shown_only_when_the_reading_is_ended(ws: Workspace, cohort: Cohort, open_page: Open) -> None:
    readings.start(ws, cohort, "Dr Berg", cases=10)
    for case in list(readings.paper(ws, cohort, "Dr Berg"))[:6]:
        readings.record(ws, cohort, "Dr Berg", case, cohort.classes[0])

    def panel() -> AppTest:
        at = open_page("data", cohort=cohort.id)
        at.session_state[f"adjust-supervisor_account-{cohort.id}"] = True
        at.switch_page("pages/data.py")
        at.query_params["cohort"] = cohort.id
        return at.run()

    at = panel()
    healthy(at)
    stop = next(b for b in at.button if b.key == "reader-stop-Dr Berg")
    assert stop.label == "I stop here, show the result"
    assert "kappa" not in words_on(at).lower() and "They differ" not in words_on(at)
    stop.click().run()
    assert readings.progress(ws, cohort, "Dr Berg").over
    at = panel()
    healthy(at)
    assert "They differ" in words_on(at)
    assert any(b.label.startswith("It is ") for b in at.button)
    assert all(c.value.startswith("p1") for c in at.caption if "Dr Berg:" in c.value), "the name of the file"
    decided = next(b for b in at.button if (b.key or "").startswith("judge-") and b.label == "It is malignant")
    case = (decided.key or "").split("-")[1]
    decided.click().run()
    assert readings.judged(ws, cohort) == {case: "malignant"}
    assert "1 of them decided" in words_on(panel())
