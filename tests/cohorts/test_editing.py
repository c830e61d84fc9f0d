"""Mending: what each edit changes, what it leaves alone, and what it says in the history."""

import numpy as np
import pytest

from medtl.cohorts import library
from medtl.cohorts.formats import images
from medtl.cohorts.originals import Originals
from medtl.cohorts.pixels import Pixels
from medtl.errors import BadInput
from medtl.vocabulary import Blank, Reading


@pytest.fixture
def cohort(ws, folders):
    return library.add(ws, folders({"benign": 12, "adenoma": 6, "malignant": 8}))


def test_a_class_gets_another_name_or_goes_into_another(ws, cohort):
    renamed = library.edit(ws, cohort.id, merge={"malignant": "cancer"}, who="Dr A")
    assert renamed.counts == {"adenoma": 6, "benign": 12, "cancer": 8}
    merged = library.edit(ws, renamed.id, merge={"adenoma": "benign"})
    assert merged.counts == {"benign": 18, "cancer": 8} and merged.positive == "cancer"
    assert [(line.what, line.cases, line.who) for line in renamed.history] == [
        ("class malignant became cancer", 8, "Dr A")
    ]
    assert merged.split.part_of() == cohort.split.part_of(), "nothing was split anew"
    with pytest.raises(BadInput, match="no class"):
        library.edit(ws, cohort.id, merge={"unknown": "benign"})


def test_patients_told_one_by_one_are_kept_together_and_as_codes(ws, cohort):
    ids = [case.id for case in cohort.cases]
    said = {id: f"Jane Doe {n // 2}" for n, id in enumerate(ids)}
    mended = library.edit(ws, cohort.id, patients=said)
    assert mended.patients == 13 and mended.split.patients_shared == 0
    assert not any("Doe" in (case.patient or "") for case in mended.cases)
    again = library.edit(ws, mended.id, patients={ids[0]: "Jane Doe 5"})
    assert again.patients == 13 and "by hand" in again.patient_rule
    one_each = library.edit(ws, cohort.id, patients={id: id for id in ids})
    assert one_each.patients == len(ids)
    assert "patients-unknown" not in {finding.code for finding in one_each.findings}


def test_a_finding_that_was_looked_at_is_a_note_and_stays_one(ws, cohort):
    assert any(finding.code == "patients-unknown" and finding.severity == "warn" for finding in cohort.findings)
    kept = library.edit(ws, cohort.id, accept=["patients-unknown"], who="Dr B")
    (finding,) = [finding for finding in kept.findings if finding.code == "patients-unknown"]
    assert finding.severity == "note" and kept.accepted == ("patients-unknown",)
    assert kept.id != cohort.id and kept.parent == cohort.id and kept.history[-1].who == "Dr B"
    later = library.edit(ws, kept.id, exclude=[kept.cases[0].id])
    assert later.accepted == kept.accepted


def test_a_block_cannot_be_waved_through_and_an_unknown_finding_not_accepted(ws, folders):
    root = folders({"a": 8, "b": 8})
    (root / "b/same.png").write_bytes((root / "a/0.png").read_bytes())
    blocked = library.add(ws, root)
    for code in ("label-conflict", "no-such-finding"):
        with pytest.raises(BadInput):
            library.edit(ws, blocked.id, accept=[code])


def test_what_was_kept_is_asked_again_when_it_names_other_cases(ws, folders, noise, encoded):
    """Two near copies with two labels are looked at and kept; then two more become such a pair by a new label."""
    root = folders({"a": 10, "b": 10})
    for n, labels in enumerate(("ab", "aa")):
        picture = noise(900 + n, (64, 64)) // 2 + 40
        for label, name, shift in zip(labels, ("one", "two"), (0, 1), strict=True):
            (root / label / f"{name}{n}.png").write_bytes(encoded((picture + shift).astype(np.uint8)))
    cohort = library.add(ws, root, file_names="kept")
    assert [len(f.cases) for f in cohort.findings if f.code == "near-conflict"] == [2]
    kept = library.edit(ws, cohort.id, accept=["near-conflict"])
    assert next(f for f in kept.findings if f.code == "near-conflict").severity == "note"
    other = next(case.id for case in kept.cases if case.name == "a/two1.png")
    relabelled = library.edit(ws, kept.id, relabel={other: "b"})
    (finding,) = [f for f in relabelled.findings if f.code == "near-conflict"]
    assert finding.severity == "warn" and len(finding.cases) == 4 and relabelled.accepted == ()


def test_a_rectangle_is_black_in_every_image_of_that_size_and_nowhere_in_the_new_version(ws, folders, noise, encoded):
    root = folders({"a": 8, "b": 8})
    marked = noise(77, (24, 32))
    marked[:6, :16] = 255
    (root / "a/0.png").write_bytes(encoded(marked))
    (root / "a/large.png").write_bytes(encoded(noise(78, (60, 80))))
    cohort = library.add(ws, root)
    box = Blank(32, 24, 0.0, 0.0, 0.5, 0.25)
    blanked = library.edit(ws, cohort.id, blank=[box])
    pixels, before = Pixels(ws.cohort(blanked.id)), Pixels(ws.cohort(cohort.id))
    for case in blanked.cases:
        picture = pixels.image(case.id)
        if (case.facts["width"], case.facts["height"]) == (32, 24):
            assert not picture[:6, :16].any()
            assert np.array_equal(picture[6:], before.image(case.id)[6:])
            assert np.array_equal(picture[:, 16:], before.image(case.id)[:, 16:])
        else:
            assert np.array_equal(picture, before.image(case.id))
    assert [case.id for case in blanked.cases] == [case.id for case in cohort.cases]
    assert "16 of" not in blanked.history[-1].what and blanked.history[-1].cases == 16
    old, new = Originals(ws.cohort(cohort.id)), Originals(ws.cohort(blanked.id))
    hit = {case.at for case in cohort.cases if case.facts["width"] == 32}
    assert not hit & set(new.spans) and len(new.spans) == len(old.spans)
    packed = b"".join(path.read_bytes() for path in new.files())
    assert all(old.read(name) not in packed for name in hit)
    assert library.load(ws, cohort.id) == cohort, "the version before is as it was"
    with pytest.raises(BadInput, match="size"):
        library.edit(ws, cohort.id, blank=[Blank(5, 5, 0, 0, 1, 1)])
    again = library.edit(ws, blanked.id, blank=[Blank(32, 24, 0.5, 0.5, 1.0, 1.0)])
    picture = Pixels(ws.cohort(again.id)).image(next(case.id for case in again.cases if case.facts["width"] == 32))
    assert not picture[:6, :16].any() and not picture[12:, 16:].any()


def test_of_several_findings_one_becomes_the_label(ws, folders, tmp_path):
    root = folders({"images": 40})
    rows = "".join(f"images/{n}.png,{n % 2},{[1, 0, -1, ''][n % 4]}\n" for n in range(40))
    table = tmp_path / "labels.csv"
    table.write_text("file,oedema,effusion\n" + rows)
    cohort = library.add(ws, root, labels=table)
    assert cohort.task == "multi-label" and cohort.classes == ("oedema", "effusion") and cohort.positive is None
    assert cohort.counts == {"oedema": 20, "effusion": 10}
    one = library.edit(ws, cohort.id, outcome="effusion")
    assert one.task == "single-label" and one.counts == {"effusion": 10, "no effusion": 10}
    assert one.positive == "effusion" and len(one.cases) == 20
    unsure = library.edit(ws, cohort.id, outcome="effusion", uncertain="positive")
    assert unsure.counts == {"effusion": 20, "no effusion": 10}
    chosen = library.add(ws, root, labels=table, outcome="oedema")
    assert chosen.counts == {"no oedema": 20, "oedema": 20} and chosen.positive == "oedema"
    with pytest.raises(BadInput, match="several labels"):
        library.edit(ws, cohort.id, relabel={cohort.cases[0].id: "oedema"})
    with pytest.raises(BadInput, match="findings are oedema, effusion"):
        library.edit(ws, cohort.id, outcome="fracture")


def test_grades_keep_their_order_whatever_becomes_of_them(ws, folders, tmp_path):
    root = folders({"images": 50})
    table = tmp_path / "labels.csv"
    table.write_text("file,grade\n" + "".join(f"images/{n}.png,{[0, 1, 2, 10][n % 4]}\n" for n in range(50)))
    cohort = library.add(ws, root, labels=table)
    assert cohort.task == "ordinal" and cohort.classes == ("0", "1", "2", "10")
    merged = library.edit(ws, cohort.id, merge={"1": "1 or 2", "2": "1 or 2"})
    assert merged.task == "ordinal" and merged.classes == ("0", "1 or 2", "10")


def test_an_edit_that_changes_nothing_makes_no_version(ws, cohort):
    assert library.edit(ws, cohort.id, who="Dr A") == cohort
    assert library.edit(ws, cohort.id, merge={"benign": "benign"}).id == cohort.id
    assert len(library.cohorts(ws)) == 1


def test_a_rectangle_in_one_image_only_and_no_image_changes_its_part(ws, cohort):
    wanted = cohort.cases[3]
    box = Blank(32, 24, 0, 0, 1, 0.5, cases=(wanted.id,))
    blanked = library.edit(ws, cohort.id, blank=[box])
    pixels, before = Pixels(ws.cohort(blanked.id)), Pixels(ws.cohort(cohort.id))
    changed = [case.id for case in cohort.cases if not np.array_equal(pixels.image(case.id), before.image(case.id))]
    assert changed == [wanted.id]
    everywhere = library.edit(ws, cohort.id, blank=[Blank(32, 24, 0, 0, 1, 0.95)])
    assert everywhere.split.part_of() == cohort.split.part_of(), "black boxes are alike, and move nobody"


def test_copies_of_one_file_are_both_blacked_out(ws, folders):
    root = folders({"a": 8, "b": 8})
    (root / "a/copy.png").write_bytes((root / "a/0.png").read_bytes())
    cohort = library.add(ws, root)
    blanked = library.edit(ws, cohort.id, blank=[Blank(32, 24, 0, 0, 1, 1)])
    assert all(not Pixels(ws.cohort(blanked.id)).image(case.id).any() for case in blanked.cases)
    assert len(blanked.cases) == 17


def test_a_pattern_gives_codes_as_it_does_when_the_images_are_brought(ws, folders):
    root = folders({"a": 10, "b": 10}, name="IM_p{n}_1.png")
    brought = library.add(ws, root, patient_pattern=r"p\d+")
    mended = library.edit(ws, library.add(ws, root).id, patient_pattern=r"p\d+")
    assert {case.id: case.patient for case in mended.cases} == {case.id: case.patient for case in brought.cases}


def test_what_no_version_holds_any_more_is_off_the_disk(ws, folders):
    """A case is left out and the version before deleted: its picture and its original are nowhere."""
    root = folders({"a": 10, "b": 10})
    cohort = library.add(ws, root)
    gone = cohort.cases[0]
    original, picture = Originals(ws.cohort(cohort.id)).read(gone.at), Pixels(ws.cohort(cohort.id)).image(gone.id)
    child = library.edit(ws, cohort.id, exclude=[gone.id])
    grandchild = library.edit(ws, child.id, merge={"a": "c"})
    assert library.delete(ws, cohort.id) > 0
    for left in (child, grandchild):
        folder = ws.cohort(left.id)
        packed = b"".join(file.read_bytes() for file in folder.iterdir())
        assert original not in packed and picture.tobytes() not in packed
        pixels = Pixels(folder)
        assert set(pixels.stored) == {case.id for case in left.cases}
        assert all(np.array_equal(pixels.image(c.id), decoded(Originals(folder).read(c.at))) for c in left.cases)
    one, two = (ws.cohort(left.id) / Pixels(ws.cohort(left.id)).bin for left in (child, grandchild))
    assert one.stat().st_ino == two.stat().st_ino, "they go on sharing"


def decoded(data):
    return images.read(data, "a.png").pixels


def test_readings_of_the_same_files_in_two_ways_are_two_cohorts(ws, folders):
    root = folders({"a": 8, "b": 8})
    plain = library.add(ws, root)
    lung = library.add(ws, root, reading=Reading(window="lung"))
    assert plain.id != lung.id and library.load(ws, lung.id).reading.window == "lung"
