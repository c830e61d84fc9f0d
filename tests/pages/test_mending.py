"""Mending from the page: every click is a new version with a way back, and nothing decided is lost."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from medtl import checkup
from medtl.cohorts import drafts, importing, library, readings
from medtl.vocabulary import Cohort, Finding, Reading
from medtl.workspace import Workspace
from pages.ui import coming_in, findings, mends
from tests.pages.conftest import healthy, make_cohort, words_on

Open = Callable[..., AppTest]


@pytest.fixture
def conflict(ws: Workspace, tmp_path: Path) -> Cohort:
    return make_cohort(ws, tmp_path / "conflict", per_class=12, conflict=True)


def button(at: AppTest, label: str) -> object:
    return next(b for b in at.button if b.label.replace("\\", "") == label)


def shown(at: AppTest) -> Cohort:
    """The version the page has open."""
    asked = at.query_params["cohort"]
    return library.load(Workspace(), asked if isinstance(asked, str) else asked[0])


def again(at: AppTest) -> AppTest:
    """AppTest takes the page for another one after a rerun."""
    at.switch_page("pages/data.py")
    return at.run()


def test_picking_the_right_label_of_a_contradiction_mends_it(conflict: Cohort, open_page: Open) -> None:
    at = open_page("data", cohort=conflict.id)
    assert button(at, "Put right").disabled  # type: ignore[attr-defined]
    next(r for r in at.radio if r.label == "Which label is right?").set_value("benign").run()
    button(again(at), "Put 1 image right").click().run()  # type: ignore[attr-defined]
    healthy(at)
    mended = shown(at)
    assert mended.parent == conflict.id and not mended.blocks
    assert {case.label for case in mended.cases if case.sha256 == conflict.cases[0].sha256} <= {"benign"}
    assert len(mended.cases) == len(conflict.cases)


def test_undo_opens_the_version_before(conflict: Cohort, open_page: Open) -> None:
    at = open_page("data", cohort=conflict.id)
    button(at, "Leave these 2 cases out").click().run()  # type: ignore[attr-defined]
    assert shown(at).parent == conflict.id
    button(again(at), "Undo").click().run()  # type: ignore[attr-defined]
    healthy(at)
    assert shown(at).id == conflict.id
    assert not any(b.label == "Undo" for b in again(at).button), "there is nothing left to undo"


def test_who_mended_stands_in_the_log_and_is_asked_once(conflict: Cohort, open_page: Open) -> None:
    at = open_page("data", cohort=conflict.id)
    next(box for box in at.text_input if box.label == "Who is mending?").set_value("Dr *Berg*").run()
    button(again(at), "Leave these 2 cases out").click().run()  # type: ignore[attr-defined]
    assert shown(at).history[-1].who == "Dr *Berg*"


def test_a_finding_that_was_looked_at_becomes_a_note(cohort: Cohort, open_page: Open) -> None:
    warned = [f for f in cohort.findings if f.severity == "warn"]
    assert warned, "a tiny cohort has a small test part"
    at = open_page("data", cohort=cohort.id)
    keep = next(b for b in at.button if (b.key or "").endswith(f"{warned[0].code}-1-keep"))
    keep.click().run()
    healthy(at)
    assert shown(at).accepted == (warned[0].code,)
    assert warned[0].code not in {f.code for f in shown(at).findings if f.severity == "warn"}


def test_the_walk_writes_every_key_to_disk_and_saves_it_as_a_version(
    ws: Workspace, cohort: Cohort, open_page: Open
) -> None:
    at = open_page("data", cohort=cohort.id)
    button(at, "Go through them with the keyboard").click().run()  # type: ignore[attr-defined]
    first, second, third = cohort.cases[:3]
    for key in (f"class-2-{first.id}", f"out-{second.id}", f"agree-{third.id}"):
        next(b for b in again(at).button if (b.key or "").endswith(key)).click().run()
        healthy(at)
    draft = drafts.read(ws, cohort.id)
    assert draft.relabel == {first.id: cohort.classes[1]} and draft.exclude == {second.id}
    assert draft.seen == {first.id, second.id, third.id}
    button(again(at), "Undo").click().run()  # type: ignore[attr-defined]
    assert drafts.read(ws, cohort.id).seen == {first.id, second.id}
    button(again(at), "Save as a new version").click().run()  # type: ignore[attr-defined]
    healthy(at)
    saved = shown(at)
    assert second.id not in {case.id for case in saved.cases}
    assert next(case.label for case in saved.cases if case.id == first.id) == cohort.classes[1]
    assert drafts.read(ws, saved.id).touched == frozenset(), "nothing waits in the new version"
    assert drafts.read(ws, saved.id).seen == {first.id, second.id}


def test_what_waits_survives_a_closed_tab_and_can_be_thrown_away(
    ws: Workspace, cohort: Cohort, open_page: Open
) -> None:
    drafts.add(ws, cohort.id, cohort.cases[0].id, "leave-out")
    at = open_page("data", cohort=cohort.id)
    assert "1 image is left out" in words_on(at)
    button(at, "Throw away").click().run()  # type: ignore[attr-defined]
    healthy(at)
    assert drafts.read(ws, cohort.id).steps == 0


def test_a_draft_of_foreign_words_harms_nothing(ws: Workspace, cohort: Cohort, open_page: Open) -> None:
    drafts.add(ws, cohort.id, "gone", "leave-out")
    drafts.add(ws, cohort.id, cohort.cases[0].id, "label", "no such class")
    at = open_page("data", cohort=cohort.id)
    healthy(at)
    assert "Waiting" not in words_on(at)


def test_what_the_deep_check_found_stands_among_the_findings_and_outlives_an_edit(
    ws: Workspace, cohort: Cohort, open_page: Open
) -> None:
    suspects = tuple(checkup.Suspect(c.id, c.label, cohort.classes[1], 0.1) for c in cohort.cases[:3])
    message = "3 labels look wrong to a network."
    found = Finding(checkup.WRONG, "block", message, "Look at them.", tuple(s.case for s in suspects))
    looked = checkup.Checkup("chest-xray", "2026-11-22T22:00:00+00:00", (found,), suspects)
    (ws.cohort(cohort.id) / checkup.FILE).write_text(json.dumps(dataclasses.asdict(looked)))
    at = open_page("data", cohort=cohort.id)
    healthy(at)
    assert message in words_on(at) and "Looked deeper" in "".join(e.label for e in at.expander)
    button(at, f"Change to {cohort.classes[1]}").click().run()  # type: ignore[attr-defined]
    assert drafts.read(ws, cohort.id).relabel == {cohort.cases[0].id: cohort.classes[1]}
    edited = library.edit(ws, cohort.id, exclude=[cohort.cases[1].id])
    assert message in words_on(open_page("data", cohort=edited.id))


def test_every_finding_has_a_title_and_something_to_do(ws: Workspace) -> None:
    from medtl.cohorts.findings import checks

    known = {*checks.CODES, checkup.WRONG, checkup.ALIKE, checkup.UNLIKE, checkup.TEXT, checkup.MARKER}
    assert known <= set(findings.TITLES)
    assert set(mends.MENDS) <= known


def test_a_blind_reading_shows_neither_label_nor_name(ws: Workspace, cohort: Cohort, open_page: Open) -> None:
    readings.start(ws, cohort, "Dr Berg", cases=10)
    at = open_page("data", cohort=cohort.id)
    at.session_state["reading"] = (cohort.id, "Dr Berg")
    at = again(at)
    healthy(at)
    said = words_on(at)
    assert "Reading by Dr Berg" in said and "labelled" not in said and ".png" not in said
    first = next(iter(readings.paper(ws, cohort, "Dr Berg")))
    next(b for b in at.button if (b.key or "").endswith(f"class-1-{first}")).click().run()
    assert readings.labels(ws, cohort, "Dr Berg") == {first: cohort.classes[0]}


def test_an_import_that_failed_is_read_again_without_a_second_upload(ws: Workspace, tmp_path: Path) -> None:
    options = importing.ImportOptions(name="x", reading=Reading("middle", "lung", 5), keep_key=True)
    folder = ws.spool / "abc"
    folder.mkdir()
    asked = {**dataclasses.asdict(options), "labels": None, "split": None}
    (folder / coming_in.ASKED).write_text(json.dumps({"what": str(tmp_path), "options": asked}))
    assert coming_in._asked(folder) == (str(tmp_path), options)
    (folder / coming_in.ASKED).write_text(json.dumps({"what": str(tmp_path / "gone"), "options": asked}))
    assert coming_in._asked(folder) is None
    (folder / coming_in.ASKED).write_text("{")
    assert coming_in._asked(folder) is None


def test_a_table_may_name_a_patient_and_only_the_code_is_kept(ws: Workspace, cohort: Cohort) -> None:
    from pages.ui import mending

    code = mending.coded(cohort, "Jane Doe")
    assert code.startswith("P-") and "Jane" not in code
    assert mending.coded(cohort, " Jane Doe ") == code == mending.coded(cohort, code)
