"""Mending from the page: every click is a new version with a way back, and nothing decided is lost."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from medtl import checkup
from medtl.cohorts import drafts, importing, library, readings
from medtl.vocabulary import Blank, Case, Cohort, Finding, Reading
from medtl.workspace import Workspace
from pages.ui import blanking, coming_in, deep_check, findings, mending, mends, metadata, pictures, table
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
    button(at, "Throw it away").click().run()  # type: ignore[attr-defined]
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
    code = mending.coded(cohort, "Jane Doe")
    assert code.startswith("P-") and "Jane" not in code
    assert mending.coded(cohort, " Jane Doe ") == code == mending.coded(cohort, code)


# ---- what is thrown away, and what is offered ------------------------------------------------------------------------


def test_throwing_away_forgets_only_what_its_sentence_names(ws: Workspace, cohort: Cohort, open_page: Open) -> None:
    out, right = cohort.cases[0].id, cohort.cases[1].id
    drafts.add(ws, cohort.id, out, "leave-out")
    drafts.add(ws, cohort.id, right, "seen")
    at = open_page("data", cohort=cohort.id)
    assert "This forgets: 1 image is left out" in words_on(at)
    button(at, "Throw it away").click().run()  # type: ignore[attr-defined]
    healthy(at)
    left = drafts.read(ws, cohort.id)
    assert left.seen == {right} and not left.touched


class Editor:
    """The table's editor as Streamlit keeps it: all cells edited since it began."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, cohort: Cohort) -> None:
        self.state: dict[str, object] = {}
        self.cohort, self.key = cohort, ""
        monkeypatch.setattr(table.st, "session_state", self.state)

    def draw(self) -> drafts.Draft:
        self.key, start = table._turn(self.cohort, "table")
        self.state.setdefault(self.key, {"edited_rows": {}})
        return start

    def type(self, row: int, column: str, value: object) -> None:
        self.state[self.key]["edited_rows"].setdefault(row, {})[column] = value  # type: ignore[index]
        table._write(self.cohort, self.cohort.cases, self.key)


def test_the_table_does_not_repeat_what_was_thrown_away(
    ws: Workspace, cohort: Cohort, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor = Editor(monkeypatch, cohort)
    editor.draw()
    first = editor.key
    editor.type(0, "leave out", True)
    assert editor.draw().steps == 0 and editor.key == first, "the cell in hand is not forgotten"
    drafts.clear(ws, cohort.id)
    editor.type(1, "leave out", True)  # before anything was drawn again
    assert drafts.read(ws, cohort.id).exclude == {cohort.cases[1].id}
    assert editor.draw().exclude == {cohort.cases[1].id} and editor.key != first, "it shows what the draft says"
    del editor.state[editor.key]  # another page was open
    second = editor.key
    drafts.undo(ws, cohort.id)
    assert editor.draw().exclude == frozenset() and editor.key != second


def test_places_found_go_only_into_the_images_they_were_found_in() -> None:
    def case(id: str, at: str = "") -> Case:
        return Case(id, f"{id}.png", "x", at or id, id, facts={"width": 100, "height": 50})

    cases = [case("a"), case("b"), case("c", "clip"), case("d", "clip"), case("e")]
    near, far = Blank(100, 50, 0.101, 0.1, 0.299, 0.2), Blank(100, 50, 0.11, 0.11, 0.29, 0.19)
    boxes = (("a", near), ("b", far), ("c", Blank(100, 50, 0.5, 0.5, 0.9, 0.9)), ("e", Blank(9, 9, 0, 0, 1, 1)))
    looked = checkup.Checkup("s", "2026", boxes=boxes)
    found = blanking.found_in(looked, cases, [])
    assert {one.cases for one in found} == {("a", "b"), ("c", "d")}, "all frames of a clip carry the same words"
    assert blanking.hit_by(found, cases) == {"a", "b", "c", "d"}
    assert blanking.says(found, 5) == "Will be black: 2 rectangles only in 4 single images."
    assert blanking.found_in(looked, cases, found) == [] == blanking.found_in(None, cases, [])
    everywhere = Blank(100, 50, 0, 0, 1, 0.1)
    assert blanking.hit_by([everywhere], cases) == {one.id for one in cases}


def test_a_strip_nobody_asked_for_does_not_come_with_the_places_found(monkeypatch: pytest.MonkeyPatch) -> None:
    state: dict[str, object] = {}
    monkeypatch.setattr(blanking.st, "session_state", state)
    done: list[Blank] = []
    assert blanking._hand("k") == blanking.FIRST
    blanking._take("k", done, [Blank(9, 9, 0.2, 0.2, 0.4, 0.4, cases=("a",))])
    assert blanking._empty(blanking._hand("k")) and len(done) == 1
    state["k-x"], state["k-y"] = (10, 20), (10, 20)
    blanking._more("k", done, Blank(9, 9, *blanking._hand("k")))
    assert len(done) == 2 and blanking._empty(blanking._hand("k"))


def test_a_grey_picture_is_grey_whatever_its_file_calls_itself(cohort: Cohort) -> None:
    case = dataclasses.replace(cohort.cases[0], facts={"mode": "RGB"})
    assert "grey" in pictures.facts(cohort, case) and "colour" not in pictures.facts(cohort, case)
    assert set(pictures.channels(cohort).values()) == {1}
    assert metadata.value(case, "mode", 1) == "grey" and metadata.value(case, "mode", 3) == "colour"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ({"oedema": 0, "effusion": 0, "fracture": 0}, "none of the findings"),
        ({"oedema": 0, "effusion": -1}, "effusion uncertain; fracture not stated"),
        ({"oedema": 1, "effusion": 1, "fracture": 0}, "oedema; effusion"),
        ({}, "no finding stated"),
    ],
)
def test_uncertain_and_unstated_findings_are_not_absent(cohort: Cohort, said: dict[str, int], shown: str) -> None:
    many = dataclasses.replace(cohort, task="multi-label", classes=("oedema", "effusion", "fracture"))
    assert pictures.labels(many, Case("a", "a.png", "", "", "s", labels=said)) == shown


def with_finding(ws: Workspace, cohort: Cohort, finding: Finding) -> None:
    looked = checkup.Checkup("chest-xray", "2026-11-22T22:00:00+00:00", (finding,))
    (ws.cohort(cohort.id) / checkup.FILE).write_text(json.dumps(dataclasses.asdict(looked)))


def keep_button(at: AppTest, code: str) -> object:
    return next(b for b in at.button if (b.key or "").endswith(f"{code}-1-keep"))


def test_nobody_confirms_what_was_not_looked_at(ws: Workspace, cohort: Cohort, open_page: Open) -> None:
    cases = tuple(case.id for case in cohort.cases[:6])
    with_finding(ws, cohort, Finding(checkup.TEXT, "block", "6 images have writing.", "Look.", cases))
    assert not any("nobody is named" in b.label for b in open_page("data", cohort=cohort.id).button), "no block is kept"
    with_finding(ws, cohort, Finding(checkup.TEXT, "warn", "6 images have writing.", "Look.", cases))
    at = open_page("data", cohort=cohort.id)
    at.session_state[f"finding-{cohort.id}-{checkup.TEXT}-1"] = True
    at = again(at)
    assert keep_button(at, checkup.TEXT).disabled  # type: ignore[attr-defined]
    assert "I have looked at all 6: nobody is named" in words_on(at)
    assert "First turn to all pages above" in words_on(at)
    assert not any(box.label.startswith("I have looked") for box in at.checkbox), "a tick does not stand for looking"
    key = next(str(b.key) for b in at.button if (b.key or "").endswith(f"{checkup.TEXT}-1-keep"))
    at.session_state[key.replace("-keep", "-page")] = 2
    assert not keep_button(again(at), checkup.TEXT).disabled  # type: ignore[attr-defined]


def test_the_receipt_counts_what_the_network_saw_across_parts_too(
    ws: Workspace, cohort: Cohort, open_page: Open
) -> None:
    pair = (cohort.split.train[0], cohort.split.test[0])
    with_finding(ws, cohort, Finding(checkup.ALIKE, "warn", "1 pair of images looks alike.", "Look.", pair))
    said = words_on(open_page("data", cohort=cohort.id))
    assert "across parts by thumbnails; the network sees 1 more pair" in said


def test_all_doubted_labels_can_be_reached_and_biopsy_outweighs_the_network(
    ws: Workspace, cohort: Cohort, open_page: Open
) -> None:
    suspects = tuple(checkup.Suspect(c.id, c.label, cohort.classes[1], 0.1) for c in cohort.cases[:6])
    found = Finding(checkup.WRONG, "block", "6 labels look wrong.", "Look.", tuple(s.case for s in suspects))
    looked = checkup.Checkup("chest-xray", "2026-11-22T22:00:00+00:00", (found,), suspects, seconds=182.0)
    (ws.cohort(cohort.id) / checkup.FILE).write_text(json.dumps(dataclasses.asdict(looked)))
    at = open_page("data", cohort=cohort.id)
    assert "Labels set by biopsy or follow-up should not be changed for a network" in words_on(at)
    keys = {str(b.key) for b in at.button if b.label == "The label is right"}
    prefix = next(iter(keys)).split("-right-")[0]
    at.session_state[f"{prefix}-page"] = 2
    keys |= {str(b.key) for b in again(at).button if b.label == "The label is right"}
    assert {key.split("-right-")[1] for key in keys} == {s.case for s in suspects}
    same: Any = SimpleNamespace(id="chest-xray")
    assert deep_check._takes(cohort, same, True, looked) == "about 3 minutes the last time"


def test_a_finding_without_images_offers_nothing_to_leave_out(ws: Workspace, cohort: Cohort, open_page: Open) -> None:
    with_finding(ws, cohort, Finding("dark-image", "block", "Most images are very dark.", "Keep them.", ()))
    # `still` drops findings without cases, so it is drawn as the cohort's own would be.
    at = AppTest.from_function(_dark, default_timeout=30, args=(cohort.id,)).run()
    healthy(at)
    assert [b.label for b in at.button] == ["I have seen it: keep all images"]


def _dark(id: str) -> None:
    from medtl.vocabulary import Finding
    from pages.ui import mends, shelf

    mends.draw(shelf.cohort(id), Finding("dark-image", "warn", "Most are dark.", "Keep them.", ()), "card")


def test_patients_of_dicom_files_are_not_looked_for_in_the_names(cohort: Cohort) -> None:
    at = AppTest.from_function(_unmatched, default_timeout=30, args=(cohort.id,)).run()
    healthy(at)
    assert "PatientID" in words_on(at) and not at.radio and not at.text_input
    assert len(at.checkbox) == 2, "the images are shown"


def _unmatched(id: str) -> None:
    from dataclasses import replace

    from medtl.vocabulary import Finding
    from pages.ui import mends, shelf

    brought = shelf.cohort(id)
    cases = tuple(replace(case, facts={**case.facts, "format": "DICOM"}) for case in brought.cases)
    cohort = replace(brought, id="dicom", cases=cases, patient_rule="DICOM PatientID, kept as a code")
    two = tuple(case.id for case in cohort.cases[:2])
    mends.draw(cohort, Finding("patient-unmatched", "warn", "For 2.", "Say whose.", two), "card")


def test_what_warns_again_is_asked_again(cohort: Cohort) -> None:
    at = AppTest.from_function(_again, default_timeout=30, args=(cohort.id,)).run()
    assert [b.label for b in at.button if (b.key or "").endswith("-keep")]


def _again(id: str) -> None:
    from dataclasses import replace

    from medtl.vocabulary import Finding
    from pages.ui import mends, shelf

    cohort = replace(shelf.cohort(id), accepted=("blurred-image",))
    cases = tuple(case.id for case in cohort.cases[:2])
    mends.draw(cohort, Finding("blurred-image", "warn", "2 are blurred.", "Look.", cases), "card")


def test_a_warning_says_it_flatters_the_result_only_where_it_does() -> None:
    def says(code: str, severity: str, advice: str = "Look.") -> str:
        return findings.meaning(Finding(code, severity, "x", advice))  # type: ignore[arg-type]

    assert "better" in says("duplicates", "warn") and says("blurred-image", "warn") == ""
    assert says("imbalance", "note") == "" and says("imbalance", "note", "") == "Nothing needs to be done."
    assert findings.FLATTERS and set(findings.FLATTERS) <= set(findings.TITLES)


def test_the_walk_keeps_the_place_of_what_waits_and_cards_name_the_file(
    ws: Workspace, cohort: Cohort, open_page: Open
) -> None:
    at = open_page("data", cohort=cohort.id)
    button(at, "Go through them with the keyboard").click().run()  # type: ignore[attr-defined]
    at = again(at)
    assert "Nothing waits to be saved" in words_on(at)
    assert button(at, "Save as a new version").disabled  # type: ignore[attr-defined]
    assert any("not looked at" in b.label for b in at.button)
    suspect = checkup.Suspect(cohort.cases[0].id, cohort.cases[0].label, cohort.classes[1], 0.1)
    found = Finding(checkup.WRONG, "block", "1 label looks wrong.", "Look.", (suspect.case,))
    looked = checkup.Checkup("chest-xray", "2026-11-22T22:00:00+00:00", (found,), (suspect,))
    (ws.cohort(cohort.id) / checkup.FILE).write_text(json.dumps(dataclasses.asdict(looked)))
    said = words_on(open_page("data", cohort=cohort.id))
    assert f"{cohort.cases[0].name.rsplit('/', 1)[-1]}  \nlabelled" in said


def test_a_filter_says_how_many_it_lets_through(cohort: Cohort, open_page: Open) -> None:
    at = open_page("data", cohort=cohort.id)
    assert f" of {len(cohort.cases)} images" not in words_on(at)
    at.session_state["data-part"] = "test"
    assert f"{len(cohort.split.test)} of {len(cohort.cases)} images" in words_on(again(at))
