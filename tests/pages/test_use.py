"""The page Use: refused without a number, answered in words, the map only where it is honest, and the clinician's word
back. The network is a stand-in; what it says is tested with the engine.
"""

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from medtl.evaluation.prevalence import Elsewhere
from medtl.runs import diary, marks
from medtl.vocabulary import Cohort, Estimate
from medtl.workspace import Workspace
from pages.ui import asking, many, out, proof, side_view
from pages.ui.consultant import Subject
from pages.ui.where_it_looked import Looked
from tests.pages.conftest import CLASSES, healthy, words_on

Open = Callable[..., AppTest]
REFUSAL = "It does not look like the images this model was trained on."
TEST_CASE = "A case of the test part"


def png(side: int = 40) -> bytes:
    kept = io.BytesIO()
    Image.fromarray(np.full((side, side), 90, np.uint8)).save(kept, "PNG")
    return kept.getvalue()


class Stand:
    """Says what it is told to, at once."""

    def __init__(self, spool: Path) -> None:
        self.spool, self.state, self.accepted = spool, "ok", True
        self.set: tuple[str, ...] = ("malignant",)
        self.known: str | None = None
        self.far = 1.0
        self.asked: list[dict[str, Any]] = []
        self.checked = 0

    def warm(self, run: str | None = None) -> None: ...

    def ways(self, run: str) -> dict[str, Any]:
        way = {"id": "gradcam", "title": "Grad-CAM", "says": "", "limits": "", "reference": "", "passes": 1.0,
               "live": True, "exact": True, "any_layer": True, "of_class": True}  # fmt: skip
        return {"ways": [way], "layers": ["one", "last"]}

    def explain_all(self, run: str, case_id: str = "", **how: Any) -> list[dict[str, Any]]:
        values = [[0.0, 0.2], [0.5, 1.0]]
        says = "" if self.state == "ok" else "The map is flat."
        one = {"method": "Grad-CAM", "layer": "last", "state": self.state, "says": says, "values": values,
               "signed": [[-1.0, 0.2], [0.5, 1.0]], "exact": True}  # fmt: skip
        return [{**one, "label": name} for name in CLASSES]

    def check_map(self, run: str, label: str, **how: Any) -> list[dict[str, Any]]:
        self.checked += 1
        return [{"id": "steady", "title": "Steady", "short": "not steady", "passed": False, "says": "It moved."}]

    def similar(self, run: str, **how: Any) -> dict[str, Any]:
        raise AssertionError("asked for by nobody")

    def predict(self, run: str, paths: list[str], explain: str | None = None, **wishes: Any) -> dict[str, Any]:
        self.asked.append({"paths": paths, **wishes})
        said = []
        for given, path in enumerate(paths):
            picture = self.spool / f"picture-{len(self.asked)}-{given}.png"
            picture.write_bytes(png())
            settled = self.set[0] if self.accepted and self.set == ("malignant",) else None
            said.append({
                "file": Path(path).name, "given": given, "frame": None, "kind": "image", "pooled": 1, "sha256": "ab",
                "predicted": "malignant", "settled": settled, "scores": {"benign": 0.2, "malignant": 0.8},
                "word": "score", "calibrated": {}, "set": list(self.set), "called": ["malignant"], "findings": {},
                "accepted": self.accepted, "why_not": None if self.accepted else f"{REFUSAL} Do not rely on its score.",
                "gate": {"reasons": [] if self.accepted else [REFUSAL], "far": self.far if self.accepted else 9.0,
                         "limit": 3.0, "how": "30 cases.",
                         "checks": []},
                "known": self.known, "nearest": [], "looks": 0, "ranged": None, "says": "", "explanation": None,
                "picture": str(picture),
            })  # fmt: skip
        return {"predictions": said, "run": {"set_error": 0.1}}


@pytest.fixture
def stand(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> Stand:
    made = Stand(ws.spool)
    monkeypatch.setattr("pages.ui.consultant.consultant", lambda: made)
    return made


def with_images(open_page: Open, run: str, *names: str) -> AppTest:
    at = open_page("use", run=run)
    for name in names or ("new.png",):
        at.file_uploader[0].upload(name, png(), "image/png")
    at.run()
    at.switch_page("pages/use.py").run()  # AppTest takes the page for another one after a rerun
    healthy(at)
    return at


# ---- the answer -----------------------------------------------------------------------------------------------------


def test_the_answer_is_in_words_with_what_the_threshold_reached_and_what_to_doubt(
    run: str, open_page: Open, stand: Stand
) -> None:
    stand.known = "This very image is in the cohort."
    said = words_on(with_images(open_page, run))
    assert "## malignant" in said
    assert "malignant found (sensitivity" in said and "others let pass (specificity" in said
    assert "Not ruled out: **malignant**" in said and "the truth in" in said
    doubts = said.split("What to doubt")[1]
    assert doubts.index("This very image") < doubts.index("Few test cases") < doubts.index("a score, not a probability")


def test_several_classes_that_are_left_are_not_an_answer(run: str, open_page: Open, stand: Stand) -> None:
    stand.set = ("malignant", "benign")
    said = words_on(with_images(open_page, run))
    assert "## Cannot tell: malignant or benign" in said
    assert "## malignant" not in said


def test_a_set_of_one_class_that_the_threshold_does_not_call_leans_to_neither(
    run: str, open_page: Open, stand: Stand
) -> None:
    stand.set = ("benign",)
    said = words_on(with_images(open_page, run))
    assert "## Cannot tell: benign or malignant" in said and "Not ruled out: **benign, malignant**" in said
    assert "The score is enough to call it malignant, but" in said
    row = {"accepted": "yes", "predicted": "malignant", "settled": "", "set": "benign", "score_malignant": "0.55"}
    assert many.kind_of(row) == many.CANNOT


def test_a_case_of_the_test_part_is_settled_by_the_rule_of_new_images(
    run: str, open_page: Open, stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged = proof.judgement(run)
    assert judged is not None
    nothing = replace(judged, sets=(replace(judged.sets[0], limits=(0.0, 0.0)),))
    monkeypatch.setattr(proof, "judgement", lambda _: nothing)
    at = open_page("use", run=run)
    at.segmented_control(key="use-what").set_value(TEST_CASE).run()
    said = words_on(at)
    assert "## Cannot tell:" in said and "The call is" in said and "The answer is" not in said


def test_an_image_that_is_only_just_let_through_has_no_green_tick(run: str, open_page: Open, stand: Stand) -> None:
    assert "check_circle: It looks like" in words_on(with_images(open_page, run))
    stand.far = 2.9
    said = words_on(with_images(open_page, run, "other.png"))
    assert "just within" in said and "It looks like the images" not in said


def test_a_refused_image_has_a_reason_and_neither_number_nor_map(run: str, open_page: Open, stand: Stand) -> None:
    stand.accepted = False
    at = with_images(open_page, run)
    said = words_on(at)
    assert "Not answered" in said and REFUSAL in at.warning[0].value.replace("\\", "")
    assert "0.8" not in said and "Where the network looked" not in said and "No map is drawn" in said
    assert not at.get("plotly_chart") and stand.checked == 0


def test_no_map_is_said_to_show_the_disease(run: str, open_page: Open, stand: Stand) -> None:
    said = words_on(with_images(open_page, run))
    assert "Where the network looked" in said and "It does not show where the disease is." in said
    assert "confidence" not in said.lower()


def test_what_a_map_is_worth_stands_beside_it(run: str, open_page: Open, stand: Stand) -> None:
    at = with_images(open_page, run)
    assert "It moved." in words_on(at)
    assert "Steady: not steady" in words_on(at)


def test_a_flat_map_is_said_and_neither_drawn_nor_judged(run: str, open_page: Open, stand: Stand) -> None:
    stand.state = "flat"
    at = with_images(open_page, run)
    assert "The map is flat." in at.warning[0].value.replace("\\", "")
    assert "What this map is worth" not in words_on(at) and stand.checked == 0


def test_more_looks_are_asked_for_only_on_wish(run: str, open_page: Open, stand: Stand) -> None:
    at = with_images(open_page, run)
    assert stand.asked[-1]["looks"] == 0
    at.toggle(key="use-looks").set_value(True).run()
    assert stand.asked[-1]["looks"] == asking.MORE_LOOKS


def test_a_picture_of_the_test_part_can_be_tried(run: str, open_page: Open, stand: Stand) -> None:
    at = open_page("use", run=run)
    next(button for button in at.button if button.label == "Try it").click().run()
    at.switch_page("pages/use.py").run()
    healthy(at)
    assert stand.asked and "What to doubt" in words_on(at)


# ---- several --------------------------------------------------------------------------------------------------------


def test_several_images_stand_in_a_table_with_filters(run: str, open_page: Open, stand: Stand) -> None:
    stand.accepted = False
    at = with_images(open_page, run, "a.png", "=b.png")
    table = at.dataframe[0].value.to_dict("list")
    assert table["image"] == ["a.png", "=b.png"] and table["answer"] == ["refused", "refused"]
    assert all(np.isnan(value) or value is None for value in np.array(table["malignant"], float))
    assert stand.asked[-1]["pool"] == "auto"


def test_a_list_to_take_along_has_no_number_of_what_was_refused_and_no_formula() -> None:
    refused = {
        "file": "=b.png",
        "accepted": "no",
        "predicted": "malignant",
        "set": "malignant",
        "score_malignant": "0.9",
    }
    answered = {**refused, "file": "a.png", "accepted": "yes"}
    header, first, second = many.as_csv([refused, answered]).decode().splitlines()
    assert "0.9" not in first and "malignant" not in first and first.startswith("'=b.png")
    assert "0.9" in second and header.startswith("file")


def test_many_images_wait_for_a_press(run: str, open_page: Open, stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "FEW", 1)
    said = words_on(with_images(open_page, run, "a.png", "b.png"))
    assert "2 image files" in said and "Answer them" in said and not stand.asked


def test_a_batch_that_is_gone_is_said(run: str, open_page: Open, stand: Stand) -> None:
    at = open_page("use", run=run, asking="../../etc")
    healthy(at)
    assert "There is no such" in words_on(at)


# ---- the clinician's word -------------------------------------------------------------------------------------------


def test_what_it_looked_at_wrongly_is_put_on_the_list(ws: Workspace, run: str, open_page: Open, stand: Stand) -> None:
    at = open_page("use", run=run)
    at.segmented_control(key="use-what").set_value(TEST_CASE).run()
    next(button for button in at.button if button.label == "It looked at the wrong thing").click().run()
    healthy(at)
    assert len(marks.wrong(ws.run(run))) == 1
    assert any("wrong thing in 1 case" in box.label for box in at.expander)


def test_the_own_reading_goes_into_the_diary(ws: Workspace, run: str, open_page: Open, stand: Stand) -> None:
    diary.Diary(ws.run(run)).answered(sha256="ab", frame=None, kind="image", predicted="malignant")
    at = with_images(open_page, run)
    box = next(box for box in at.selectbox if box.label == "What do you say it is?")
    box.select("benign").run()
    assert diary.entries(ws.run(run))[0].reading == "benign"


def test_the_diary_is_shown_switched_off_and_said(ws: Workspace, run: str, open_page: Open, stand: Stand) -> None:
    at = open_page("use", run=run)
    at.segmented_control(key="use-what").set_value("Diary").run()
    healthy(at)
    assert "diary of this run is empty" in words_on(at)
    next(toggle for toggle in at.toggle if toggle.label == "Keep this diary").set_value(False).run()
    assert not diary.is_on(ws.run(run))
    assert "switched off" in words_on(at)


# ---- lost things ----------------------------------------------------------------------------------------------------


def test_without_a_run_or_a_cohort_there_is_a_way_on(
    ws: Workspace, run: str, cohort: Cohort, open_page: Open, stand: Stand
) -> None:
    from medtl.cohorts import library

    at = open_page("use")
    healthy(at)
    assert "Open the Library" in words_on(at)
    library.delete(ws, cohort.id)
    at = open_page("use", run=run)
    healthy(at)
    assert "was deleted" in words_on(at) and "Open the Library" in words_on(at)


# ---- parts ----------------------------------------------------------------------------------------------------------


def test_what_is_drawn_comes_back_as_shares_inside_the_picture() -> None:
    event = {"selection": {"box": [{"x": [50, -10], "y": [0, 20]}], "lasso": [{"x": [1, 2], "y": [1, 2]}]}}
    (box,) = side_view.drawn(event, 100, 40)
    assert box == [(0, 0), (0.5, 0), (0.5, 0.5), (0, 0.5)], "a lasso of two points is none"


def test_both_pictures_move_together() -> None:
    figure = side_view.figure(np.zeros((30, 60), np.uint8), np.zeros((30, 60, 3), np.uint8), ("a", "b"))
    assert figure.layout.xaxis2.matches == "x" and figure.layout.yaxis2.matches == "y"
    assert [image.xref for image in figure.layout.images] == ["x", "x2"]


def test_a_window_spreads_its_greys_and_a_whole_one_changes_nothing() -> None:
    picture = np.array([[0, 100, 150, 200, 255]], np.uint8)
    assert side_view.windowed(picture, 0, 255) is picture
    assert side_view.windowed(picture, 100, 200).tolist() == [[0, 0, 127, 255, 255]]


def test_the_overlay_says_what_it_is_in_the_picture_itself() -> None:
    heat = {"values": [[0.0, 1.0]], "label": "malignant"}
    with Image.open(io.BytesIO(out.overlay_png(Looked("malignant", heat, np.zeros((50, 400), np.uint8))))) as image:
        assert image.height > 50
        strip = np.asarray(image)[50:]
    assert len(np.unique(strip)) > 2, "there is writing below the picture"


def test_near_the_threshold_and_looks_that_disagree_are_doubts(ws: Workspace, run: str, cohort: Cohort) -> None:
    judged = proof.judgement(run)
    assert judged is not None
    line = judged.views[0].threshold
    assert line is not None and line.value is not None
    answer = {
        "scores": {"benign": 1 - line.value - 0.01, "malignant": line.value + 0.01}, "called": ["malignant"],
        "ranged": [line.value - 0.1, line.value + 0.1], "looks": 8, "word": "probability",
    }  # fmt: skip
    said = " ".join(proof.doubts(answer, judged, cohort.classes, {}))
    assert "close to the threshold" in said and "do not agree" in said
    far = {**answer, "scores": {"benign": 0.01, "malignant": 0.99}, "ranged": [0.985, 0.99]}
    said = " ".join(proof.doubts(far, judged, cohort.classes, {}))
    assert "close" not in said and "agree" not in said


def test_the_class_that_the_sets_held_least_is_named_where_it_is_below_the_aim(run: str) -> None:
    judged = proof.judgement(run)
    assert judged is not None and judged.sets
    whole, (first, *rest) = judged.sets[0], judged.sets[0].by_class
    held = Estimate("held", 0.8, 0.61, 0.92, 25, "")
    sound = [replace(one, held=replace(held, value=0.96)) for one in rest]
    for value, named in ((0.8, True), (0.92, False)):
        less = replace(first, held=replace(held, value=value))
        sets = (replace(whole, held=held, by_class=(less, *sound)),)
        said = proof.promise(replace(judged, sets=sets), 0.1)
        assert (f"Of {first.name} it held only 20 of 25 (80\u00a0%, 61–92\u00a0%)." in said) == named


def test_what_a_call_is_worth_at_the_prevalence_that_was_said(run: str, cohort: Cohort) -> None:
    judged = proof.judgement(run)
    assert judged is not None
    view = judged.views[0]
    answer = {"scores": {}, "called": ["malignant"], "word": "probability"}
    assert "in 100" not in " ".join(proof.doubts(answer, judged, cohort.classes, {})), "nobody said how common it is"
    ppv = Estimate("ppv", 0.31, 0.2, 0.44, 60, "")
    here = Elsewhere(0.02, ppv, replace(ppv, value=0.97, low=0.9, high=0.99), None, "")
    known = replace(judged, views=(replace(view, here=here),))
    said = " ".join(proof.doubts(answer, known, cohort.classes, {}))
    assert "With 2 in 100" in said and "a call of malignant is right in about 31\u00a0%, 20–44\u00a0%." in said
    said = " ".join(proof.doubts({**answer, "called": ["benign"]}, known, cohort.classes, {}))
    assert "having malignant, a call of benign is right in about 97" in said
    assert "in 100" not in " ".join(proof.doubts({**answer, "pooled": 3}, known, cohort.classes, {}))


def test_a_subject_is_asked_about_by_file_and_frame() -> None:
    asked = Subject("r", "n", path="/x/a.zip", file="in/b.dcm", frame=3).asked
    assert asked == {"case_id": "", "path": "/x/a.zip", "only": {"file": "in/b.dcm", "frame": 3}}
    assert Subject("r", "n", case="c").asked == {"case_id": "c", "path": "", "only": None}


def test_dicom_files_are_made_without_a_name_unless_somebody_wants_it(
    ws: Workspace, run: str, open_page: Open, stand: Stand
) -> None:
    at = open_page("use", run=run)
    at.segmented_control(key="use-what").set_value(TEST_CASE).run()
    whose = next(radio for radio in at.radio if radio.label == "Whose image it is")
    assert whose.value == out.REMOVE
    kinds = {key.split("-")[1] for key in (box.key or "" for box in at.checkbox) if key.startswith("kind-")}
    assert kinds == {"overlay"} and "no DICOM image" in words_on(at), "a report cannot refer to a PNG"
    next(button for button in at.button if button.label == "Make the files").click().run()
    healthy(at)
    assert "Made 1 file: overlay" in words_on(at), "a report needs a DICOM image to point to"
    assert list(ws.spool.glob("up-dicom-*/made/*-overlay.dcm"))


def test_nothing_can_be_sent_before_a_pacs_is_named(run: str, open_page: Open, stand: Stand) -> None:
    at = open_page("use", run=run)
    at.segmented_control(key="use-what").set_value(TEST_CASE).run()
    assert "No PACS is named, so nothing can be sent or fetched." in words_on(at)
    assert not any(button.label == "Send the files" for button in at.button)
