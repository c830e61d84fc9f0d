"""The deep check from pictures to sentences: what was planted is found, kept whole, and still holds after mending."""

import dataclasses
import json
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from medtl import checkup
from medtl.checkup import Checkup, Suspect
from medtl.cohorts import library as cohorts
from medtl.cohorts.pixels import Pixels
from medtl.errors import BadInput, NotFound
from medtl.modalities.image import ImageInputs, keys
from medtl.sources import library as sources
from medtl.training.features import FeatureCache, cached
from medtl.vocabulary import Blank, Case, Cohort, Finding, Split, to_dict
from medtl.workspace import Workspace
from tests import builders

PER_CLASS = 30
READ = 8  # originals that are looked at for writing; each takes a third of a second


def plant(folder: Path) -> None:
    """A mirrored copy of another patient, two labels swapped, a line of text, and five foreign pictures."""
    benign, malignant = folder / "benign", folder / "malignant"
    Image.open(benign / "p003.png").transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(benign / "p090.png")
    (malignant / "p111.png").replace(benign / "p111.png")
    (malignant / "p112.png").replace(benign / "p112.png")
    rng = np.random.default_rng(5)
    written = Image.fromarray(rng.integers(20, 60, (200, 320)).astype(np.uint8))
    ImageDraw.Draw(written).text((20, 20), "ANNA SCHMIDT", fill=255, font=ImageFont.load_default(24))
    written.save(malignant / "p191.png")


@dataclasses.dataclass(frozen=True)
class Checked:
    ws: Workspace
    cohort: Cohort
    source: str
    found: Checkup
    told: list[tuple[int, int]]

    def case(self, name: str) -> str:
        return next(case.id for case in self.cohort.cases if case.name.endswith(name))

    def finding(self, code: str) -> Finding:
        return next(finding for finding in self.found.findings if finding.code == code)


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Checked:
    place = tmp_path_factory.mktemp("checked")
    ws = Workspace(place / "home").ensure()
    folder = builders.write_pictures(place / "pictures", PER_CLASS)
    for file in (folder / "malignant").iterdir():  # what even a network of random weights tells apart
        Image.open(file).point(lambda value: min(255, 2 * value)).save(file)
    plant(folder)
    cohort = cohorts.add(ws, folder, patient_pattern=r"p\d+", positive="malignant", file_names="kept")
    source = builders.add_source(ws, place / "source")
    told: list[tuple[int, int]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkup, "READ_AT_MOST", READ)
        found = checkup.run(ws, cohort.id, source, on_progress=lambda done, total: told.append((done, total)))
    return Checked(ws, cohort, source, found, told)


# ---- what is found --------------------------------------------------------------------------------------------------


def test_swapped_labels_are_suspected_worst_first(checked: Checked) -> None:
    suspects = {suspect.case: suspect for suspect in checked.found.suspects}
    for name in ("p111.png", "p112.png"):
        assert suspects[checked.case(name)].given == "benign"
        assert suspects[checked.case(name)].suggested == "malignant"
    qualities = [suspect.quality for suspect in checked.found.suspects]
    assert qualities == sorted(qualities)
    assert checked.finding("likely-wrong-labels").cases == tuple(suspects)


def test_a_mirrored_copy_is_found_as_a_pair(checked: Checked) -> None:
    cases = checked.finding("alike-to-the-network").cases
    pairs = {frozenset(pair) for pair in zip(cases[::2], cases[1::2], strict=True)}
    assert frozenset((checked.case("p003.png"), checked.case("p090.png"))) in pairs


def test_writing_is_boxed_and_not_quoted(checked: Checked) -> None:
    assert checked.finding("text-in-image").cases == (checked.case("p191.png"),)
    ((case, box),) = checked.found.boxes
    assert case == checked.case("p191.png") and (box.width, box.height) == (320, 200)
    assert box.left < 30 / 320 and box.right > 150 / 320 and box.top < 30 / 200 < box.bottom
    text = (checked.ws.cohort(checked.cohort.id) / checkup.FILE).read_text()
    assert "anna" not in text.casefold() and "schmidt" not in text.casefold()


def test_sentences_name_the_source_and_how_much_was_read(checked: Checked) -> None:
    title = sources.sources(checked.ws)[checked.source].title
    assert title in checked.finding("likely-wrong-labels").message
    assert f"looked at {READ} of {len(checked.cohort.cases)}" in checked.finding("text-in-image").message
    assert all(finding.severity in ("warn", "note") for finding in checked.found.findings)


def test_progress_only_grows_and_ends_at_the_end(checked: Checked) -> None:
    done = [step for step, _ in checked.told]
    totals = {total for _, total in checked.told}
    assert done == sorted(done) and len(totals) == 1 and done[-1] == totals.pop()
    begun = len(checked.cohort.cases) + checkup.JUDGING
    assert set(range(begun, begun + READ + 1)) <= set(done), "writing comes last, an image a step, as `stage` says"
    assert max(done) == begun + READ


def test_a_later_training_finds_the_features(checked: Checked) -> None:
    source = sources.sources(checked.ws)[checked.source]
    folder = checked.ws.cohort(checked.cohort.id)
    inputs = ImageInputs(folder, checked.cohort, source.input)
    cache = FeatureCache(checked.ws.features, source.sha256, source.input)

    def compute(indices: np.ndarray) -> np.ndarray:
        raise AssertionError(f"{len(indices)} images were looked at again")

    rows = cached(cache, keys(inputs.pixels, checked.cohort), compute)
    assert rows.shape[0] == len(checked.cohort.cases)


def test_the_answer_is_the_same_twice(checked: Checked) -> None:
    again = checkup.run(checked.ws, checked.cohort.id, checked.source, text=False)
    for code in ("likely-wrong-labels", "alike-to-the-network"):
        assert next(finding for finding in again.findings if finding.code == code) == checked.finding(code)
    assert not again.boxes and not any(finding.code == "text-in-image" for finding in again.findings)


def test_it_needs_no_network(checked: Checked, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(self: Any, address: Any) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refused)
    checkup.run(checked.ws, checked.cohort.id, checked.source, text=False)


def test_an_unknown_source_or_cohort_is_said(checked: Checked) -> None:
    with pytest.raises(NotFound):
        checkup.run(checked.ws, checked.cohort.id, "no-such-source", text=False)
    with pytest.raises(NotFound):
        checkup.run(checked.ws, "000000000000", checked.source, text=False)


def test_without_the_reader_of_writing_the_rest_is_still_told(
    checked: Checked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "rapidocr", None)
    found = checkup.run(checked.ws, checked.cohort.id, checked.source)
    assert found.suspects == checked.found.suspects
    assert any("Writing in pictures was not looked for" in note for note in found.notes)


# ---- kept -----------------------------------------------------------------------------------------------------------


def test_what_is_kept_is_what_was_answered(checked: Checked, tmp_path: Path) -> None:
    ws = Workspace(tmp_path)
    ws.cohort("c").mkdir(parents=True)
    (ws.cohort("c") / checkup.FILE).write_text(json.dumps(to_dict(checked.found)))
    assert checkup.load(ws, "c") == checked.found


@pytest.mark.parametrize("damage", ["", "{", "[]", "null", '{"source": "x"}', '{"findings": [{"code": 1}]}'])
def test_a_damaged_answer_is_none(checked: Checked, tmp_path: Path, damage: str) -> None:
    ws = Workspace(tmp_path)
    ws.cohort("c").mkdir(parents=True)
    (ws.cohort("c") / checkup.FILE).write_text(damage)
    assert checkup.load(ws, "c") is None
    assert checkup.load(ws, "nobody") is None


# ---- after mending --------------------------------------------------------------------------------------------------


def case(id: str, label: str = "a", **more: Any) -> Case:
    return Case(id, f"{id}.png", label, f"originals/{id}.png", id, **more)


def cohort_of(*cases: Case, **more: Any) -> Cohort:
    classes = tuple(sorted({one.label for one in cases}))
    ids = tuple(one.id for one in cases)
    facts: dict[str, Any] = {"task": "single-label", "classes": classes, "positive": None} | more
    return Cohort("id", "t", "image", cases=cases, split=Split(ids, (), (), "test"), **facts)


FOUND = Checkup(
    "s",
    "2025",
    (
        Finding("likely-wrong-labels", "warn", "2 labels look wrong.", "Look.", ("1", "2")),
        Finding("alike-to-the-network", "warn", "2 pairs.", "Look.", ("1", "2", "3", "4")),
        Finding("text-in-image", "warn", "1 image.", "Look.", ("4",)),
    ),
    (Suspect("1", "a", "b", 0.01), Suspect("2", "a", "b", 0.1)),
    boxes=(("4", Blank(9, 9, 0, 0, 1, 0.1, cases=("4",))),),
)
BEFORE = cohort_of(case("1"), case("2"), case("3", "b"), case("4", "b"))

Change = Callable[[Case], Case | None]


def after(change: Change, **more: Any) -> Checkup:
    cases = [changed for one in BEFORE.cases if (changed := change(one))]
    return checkup.still(FOUND, BEFORE, cohort_of(*cases, **more))


def codes(found: Checkup) -> dict[str, tuple[str, ...]]:
    return {finding.code: finding.cases for finding in found.findings}


def test_without_a_change_all_of_it_holds() -> None:
    assert after(lambda one: one) == FOUND


def test_a_changed_label_is_settled_and_the_rest_stays() -> None:
    found = after(lambda one: dataclasses.replace(one, label="b") if one.id == "1" else one)
    assert [suspect.case for suspect in found.suspects] == ["2"]
    assert codes(found) == {
        "likely-wrong-labels": ("2",), "alike-to-the-network": ("1", "2", "3", "4"), "text-in-image": ("4",)
    }  # fmt: skip
    assert found.findings[0].message.startswith("1 of 2 are left.")


def test_a_pair_goes_when_one_of_it_is_left_out() -> None:
    found = after(lambda one: None if one.id == "2" else one)
    assert codes(found)["alike-to-the-network"] == ("3", "4")


def test_a_blacked_out_picture_is_done_with() -> None:
    found = after(lambda one: dataclasses.replace(one, at="originals/new.png") if one.id == "4" else one)
    assert "text-in-image" not in codes(found) and not found.boxes


def test_what_was_looked_at_becomes_a_note() -> None:
    found = after(lambda one: one, accepted=("alike-to-the-network",))
    assert {finding.code: finding.severity for finding in found.findings}["alike-to-the-network"] == "note"


# ---- which originals are read ---------------------------------------------------------------------------------------


def test_what_may_carry_names_is_read_first_then_every_kind() -> None:
    plain = [case(f"c{n}", facts={"scanner": "A", "width": 10, "height": 10}) for n in range(500)]
    rare = [case(f"r{n}", facts={"scanner": "B", "width": 10, "height": 10}) for n in range(3)]
    burned = [case(f"b{n}", facts={"burned_in": "likely"}) for n in range(50)]
    chosen = checkup._to_read(cohort_of(*plain, *rare, *burned))
    ids = [one.id for one in chosen]
    assert len(ids) == len(set(ids)) == checkup.READ_AT_MOST
    assert {one.id for one in burned} == set(ids[:50])
    assert {one.id for one in rare} <= set(ids)
    assert chosen == checkup._to_read(cohort_of(*rare, *burned, *plain[::-1]))


def test_one_frame_of_a_clip_is_read() -> None:
    frames = [dataclasses.replace(case(f"f{n}"), at="originals/clip.dcm", frame=n) for n in range(9)]
    assert len(checkup._to_read(cohort_of(*frames))) == 1


# ---- several labels -------------------------------------------------------------------------------------------------


def test_several_labels_are_asked_about_one_by_one_among_those_who_were_labelled() -> None:
    rng = np.random.default_rng(0)
    present = rng.integers(0, 2, 120)
    features = (rng.normal(size=(120, 12)) + 5 * present[:, None] * np.eye(12)[0]).astype(np.float32)
    said = present.copy()
    said[7] = 1 - said[7]
    labels = [{"effusion": int(value)} if n % 10 else {} for n, value in enumerate(said)]
    cases = [case(f"c{n}", labels=mine | {"nodule": -1}) for n, mine in enumerate(labels)]
    many = cohort_of(*cases, task="multi-label", classes=("effusion", "nodule"))
    questions = list(checkup._questions(many))
    assert [len(question.rows) for question in questions] == [108, 0]
    suspects, note = checkup._suspects(many, questions[0], features, np.arange(120))
    assert not note and "c7" in {suspect.case for suspect in suspects}
    worst = next(suspect for suspect in suspects if suspect.case == "c7")
    words = ("effusion", "no effusion") if said[7] else ("no effusion", "effusion")
    assert (worst.given, worst.suggested) == words
    assert checkup._suspects(many, questions[1], features, np.arange(120)) == (
        [],
        "Whether labels of 'nodule' are wrong could not be judged for 'no nodule', 'nodule': that takes images of at "
        "least 5 patients of a class.",
    )


def test_a_class_too_small_to_judge_is_left_out_and_said() -> None:
    rng = np.random.default_rng(0)
    labels = ["a"] * 40 + ["b"] * 40 + ["c"] * 3
    features = (rng.normal(size=(83, 8)) + 4 * np.array([[label == "b"] for label in labels])).astype(np.float32)
    few = cohort_of(*(case(str(n), label) for n, label in enumerate(labels)))
    (question,) = checkup._questions(few)
    suspects, note = checkup._suspects(few, question, features, np.arange(83))
    assert "'c'" in note and not {suspect.case for suspect in suspects} & {"80", "81", "82"}


def test_markers_that_go_with_the_label_warn_and_others_do_not() -> None:
    cases = [case(str(n), "ab"[n % 2]) for n in range(80)]
    everyone = cohort_of(*cases)
    (uneven,) = checkup._marker_finding(everyone, [str(n) for n in range(0, 60, 2)], cases, "looked at 80 of 80")
    assert uneven.severity == "warn" and "30 of 40 'a' (75 %), 0 of 40 'b' (0 %)" in uneven.message
    (even,) = checkup._marker_finding(everyone, [str(n) for n in range(30)], cases, "looked at 80 of 80")
    assert even.severity == "note"


def test_eleven_of_72_against_one_of_71_is_not_called_chance() -> None:
    """What a radiologist was told: "here it does not go with the label"."""
    cases = [case(str(n), "a" if n < 72 else "b") for n in range(143)]
    (found,) = checkup._marker_finding(cohort_of(*cases), [*map(str, range(11)), "72"], cases, "looked at 143 of 143")
    assert found.severity == "warn" and "They go with the label" in found.message
    assert "11 of 72 'a' (15 %), 1 of 71 'b' (1 %)" in found.message


def test_what_is_not_shown_is_not_denied() -> None:
    cases = [case(str(n), "ab"[n % 2]) for n in range(20)]
    for marked in (["0", "2", "1"], [one.id for one in cases]):
        (found,) = checkup._marker_finding(cohort_of(*cases), marked, cases, "looked at 20 of 20")
        assert found.severity == "note" and "not shown to go with the label" in found.message
        assert "does not" not in found.message and "Nothing needs" not in found.advice
    alone = [case(str(n)) for n in range(5)]
    (found,) = checkup._marker_finding(cohort_of(*alone), ["1"], alone, "looked at 5 of 5")
    assert "cannot be asked" in found.message


def test_images_of_one_patient_are_one_proof() -> None:
    cases = [case(str(n), "ab"[n % 2], patient="ab"[n % 2]) for n in range(80)]
    (found,) = checkup._marker_finding(cohort_of(*cases), [str(n) for n in range(0, 80, 2)], cases, "looked at 80")
    assert found.severity == "note"


def test_the_bar_counts_images_and_not_passes() -> None:
    total = 143 + checkup.JUDGING + 120
    said = [checkup.stage(done, total, 143) for done in range(total + 1)]
    assert said[0] == "Looked at 0 of 143 images" and said[143] == "Comparing 143 images"
    assert said[-1] == "Looked for writing in 120 of 120 images"
    assert checkup.stage(163, 163, 143) == "Comparing 143 images" and checkup.stage(0, 0, 143) == "Beginning…"


def test_a_small_class_of_its_own_kind_is_not_foreign() -> None:
    cases = [case(str(n), "a" if n < 50 else "b") for n in range(55)]
    far = checkup._without_whole_classes(cohort_of(*cases), [*cases[50:], cases[3]])
    assert [one.id for one in far] == ["3"]


def test_a_source_for_something_else_is_refused(checked: Checked, monkeypatch: pytest.MonkeyPatch) -> None:
    table = dataclasses.replace(sources.sources(checked.ws)[checked.source], modality="table")
    monkeypatch.setattr(sources, "sources", lambda ws: {checked.source: table})
    with pytest.raises(BadInput, match="table"):
        checkup.run(checked.ws, checked.cohort.id, checked.source, text=False)


def test_keys_are_of_the_pixels(checked: Checked) -> None:
    pixels = Pixels(checked.ws.cohort(checked.cohort.id))
    found = keys(pixels, checked.cohort)
    assert len(set(found)) == len(checked.cohort.cases) == len(found)
    assert json.dumps(found)
