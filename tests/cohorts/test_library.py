import json
import os
import subprocess
import sys
import zipfile
from collections import Counter

import numpy as np
import pytest

from medtl.cohorts import library
from medtl.cohorts.originals import Originals
from medtl.cohorts.pixels import Pixels
from medtl.errors import BadInput, MedtlError, NotFound
from medtl.vocabulary import PARTS, Cohort
from medtl.workspace import PROJECT

TWO = {"benign": 12, "malignant": 8}


def codes(cohort: Cohort) -> set[str]:
    return {finding.code for finding in cohort.findings}


def left_over(ws) -> list[str]:
    return [path.name for path in ws.cohorts.iterdir() if path.name.startswith(".")]


# ---- adding


def test_class_folders_become_a_cohort_that_loads_as_it_was(ws, folders):
    root = folders(TWO)
    cohort = library.add(ws, root)
    assert cohort.counts == TWO
    assert (cohort.title, cohort.positive, cohort.modality) == ("set", "malignant", "image")
    assert library.load(ws, cohort.id) == cohort
    assert {len(getattr(cohort.split, part)) for part in PARTS} == {12, 4}
    first = cohort.cases[0]
    assert Originals(ws.cohort(cohort.id)).read(first.at) == (root / first.name).read_bytes()
    assert Pixels(ws.cohort(cohort.id)).image(first.id).shape == (24, 32)
    assert left_over(ws) == []


def test_the_same_again_is_the_same_cohort_and_a_name_renames_it(ws, folders):
    root = folders(TWO)
    one, again = library.add(ws, root), library.add(ws, root, name="Better name")
    assert one.id == again.id
    assert [summary.title for summary in library.cohorts(ws)] == ["Better name"]
    assert library.add(ws, root).title == "Better name"


def test_a_zip_and_its_folder_are_the_same_cohort(ws, folders, zipped):
    root = folders(TWO)
    members = {f"set/{path.relative_to(root).as_posix()}": path.read_bytes() for path in root.rglob("*.png")}
    assert library.add(ws, zipped(members)).id == library.add(ws, root).id


def test_one_bad_file_is_named_and_stops_nobody(ws, folders):
    root = folders(TWO)
    (root / "benign/text.png").write_text("not an image")
    (root / "benign/empty.png").write_bytes(b"")
    (root / "malignant/cut.png").write_bytes((root / "malignant/0.png").read_bytes()[:200])
    (root / "notes.txt").write_text("x")
    heard = []
    cohort = library.add(ws, root, on_skipped=heard.append)
    assert cohort.counts == TWO
    names = {"benign/text.png", "benign/empty.png", "malignant/cut.png", "notes.txt"}
    assert {skip.file for skip in heard} == names, "whoever brings the files is told by their own names"
    assert all(skip.reason and skip.advice for skip in heard)
    assert [skip.reason for skip in cohort.skipped] == [skip.reason for skip in heard]
    kept = library.add(ws, root, file_names="kept")
    assert {skip.file for skip in kept.skipped} == names


def test_progress_counts_every_file(ws, folders):
    seen = []
    library.add(ws, folders(TWO), on_progress=lambda done, total: seen.append((done, total)))
    assert seen == [(n, 20) for n in range(1, 21)]


def test_a_labels_file_beside_or_inside(ws, folders, tmp_path):
    root = folders({"images": 20})
    rows = "".join(f"images/{n}.png;{'sick' if n < 8 else 'well'};p{n // 2}\n" for n in range(20))
    table = tmp_path / "any.csv"
    table.write_text("file;label;patient\n" + rows)
    beside = library.add(ws, root, labels=table)
    assert beside.counts == {"sick": 8, "well": 12}
    assert (beside.patients, beside.patient_rule) == (10, "patient column of the labels file")
    (root / "labels.csv").write_text("file;label;patient\n" + rows)
    assert library.add(ws, root).id == beside.id
    assert library.add(ws, root / "labels.csv").id == beside.id


def test_given_parts_from_folders_and_from_a_split_file(ws, folders, tmp_path):
    root = folders({"train/a": 16, "train/b": 16, "test/a": 5, "test/b": 5})
    cohort = library.add(ws, root)
    part_of = cohort.split.part_of()
    assert all((part_of[case.id] == "test") == (case.part == "test") for case in cohort.cases)
    assert (len(cohort.split.train), len(cohort.split.tune)) == (24, 8)
    table = tmp_path / "split.csv"
    table.write_text("file,part\n" + "".join(f"{p.relative_to(root)},train\n" for p in root.rglob("*.png")))
    assert len(library.add(ws, root, split=table).split.test) == 8


def test_patients_from_names_and_from_dicom_as_codes(ws, tmp_path, folders, dicom, noise):
    named = library.add(ws, folders({"a": 12, "b": 12}, "named", name="s{n}.png"), patient_pattern=r"s\d+")
    assert (named.patients, named.split.patients_shared) == (12, 0)
    for n in range(20):
        file = tmp_path / f"dicom/{'ab'[n % 2]}/IM{n}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(dicom(noise(n).astype(np.uint16), PatientID=f"ZZPHI-{n // 2}", PatientName="ZZPHI^N"))
    cohort = library.add(ws, tmp_path / "dicom")
    assert cohort.patients == 10
    assert all(case.patient.startswith("P-") for case in cohort.cases)
    folder = ws.cohort(cohort.id)
    assert "ZZPHI" not in (folder / "cohort.json").read_text() + (folder / "header.json").read_text()


def test_the_preamble_of_a_dicom_file_is_stored_as_zeros(ws, folders, dicom):
    root = folders({"a": 6, "b": 6})
    (root / "a/x.dcm").write_bytes(b"MZ evil".ljust(128, b"!") + dicom()[128:])
    cohort = library.add(ws, root)
    (stored,) = [case for case in cohort.cases if case.name == "a/x.dcm"]
    assert Originals(ws.cohort(cohort.id)).read(stored.at)[:132] == bytes(128) + b"DICM"


def test_excluding_a_finding_drops_its_cases_and_judges_again(ws, folders):
    root = folders(TWO)
    (root / "malignant/same.png").write_bytes((root / "benign/0.png").read_bytes())
    assert library.add(ws, root).blocks[0].code == "label-conflict"
    mended = library.add(ws, root, exclude_findings=["label-conflict"])
    assert mended.counts == {"benign": 11, "malignant": 8}
    assert mended.blocks == ()
    originals = Originals(ws.cohort(mended.id))
    assert set(originals.spans) == {case.at for case in mended.cases}
    assert sum(path.stat().st_size for path in originals.files()) == sum(size for *_, size in originals.spans.values())


def test_one_class_or_too_few_are_stored_and_blocked(ws, folders):
    assert "one-class" in codes(library.add(ws, folders({"a": 6}, "one")))
    assert "too-few" in codes(library.add(ws, folders({"a": 6, "b": 1}, "few")))
    assert all(summary.blocked for summary in library.cohorts(ws))


def test_hostile_names_are_kept_as_text(ws, folders):
    root = folders({"<script>alert(1)</script>"[:9]: 6, "=cmd|' !A0": 6}, name="{n}\u202e<b>.png")
    cohort = library.add(ws, root)
    assert set(cohort.classes) == {"<script>a", "=cmd|' !A0"}
    assert all("\u202e" not in case.name and case.at.startswith(case.sha256) for case in cohort.cases)
    stored = [path.relative_to(ws.home).as_posix() for path in ws.cohort(cohort.id).rglob("*")]
    assert not any("script" in path or "cmd" in path for path in stored)


@pytest.mark.parametrize("name", ["empty", "loose", "text", "missing", "one.png"])
def test_nothing_usable_says_what_is_needed_and_leaves_nothing(name, ws, tmp_path, encoded, noise):
    (tmp_path / "empty").mkdir()
    (tmp_path / "loose").mkdir()
    (tmp_path / "loose/1.png").write_bytes(encoded(noise(1)))
    (tmp_path / "text/a").mkdir(parents=True)
    (tmp_path / "text/a/1.png").write_text("no")
    (tmp_path / "one.png").write_bytes(encoded(noise(1)))
    with pytest.raises(MedtlError) as refused:
        library.add(ws, tmp_path / name)
    assert refused.value.advice
    assert list(ws.cohorts.iterdir()) == []


def test_a_hostile_zip_leaves_nothing(ws, zipped):
    with pytest.raises(BadInput):
        library.add(ws, zipped({"a/1.png": b"x", "../../evil.png": b"x"}))
    assert list(ws.cohorts.iterdir()) == []


def test_a_full_disk_is_said_before_anything_is_written(ws, folders, monkeypatch):
    root = folders(TWO)
    monkeypatch.setattr(type(ws), "free", lambda self: 10)
    with pytest.raises(MedtlError, match="free"):
        library.add(ws, root)
    assert list(ws.cohorts.iterdir()) == []


def test_a_wrong_pattern_or_code_is_said_before_the_reading(ws, folders):
    root = folders(TWO)
    for options in ({"patient_pattern": "("}, {"exclude_findings": ["nonsense"]}):
        with pytest.raises(BadInput):
            library.add(ws, root, **options, on_progress=lambda *_: pytest.fail("it read"))


def test_an_error_half_way_leaves_nothing(ws, folders):
    def stop(done: int, total: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        library.add(ws, folders(TWO), on_progress=stop)
    assert list(ws.cohorts.iterdir()) == []


def test_what_a_killed_import_left_is_swept_away_by_the_next(ws, folders):
    root = folders(TWO)
    killed = f"""
import os
from pathlib import Path
from medtl.cohorts import library
from medtl.workspace import Workspace
library.add(Workspace({str(ws.home)!r}), Path({str(root)!r}), on_progress=lambda done, total: done == 9 and os._exit(9))
"""
    process = subprocess.run([sys.executable, "-c", killed], env={**os.environ, "PYTHONPATH": str(PROJECT)})
    assert process.returncode == 9
    assert len(left_over(ws)) == 1
    assert library.cohorts(ws) == ()
    library.add(ws, root)
    assert left_over(ws) == []
    assert len(library.cohorts(ws)) == 1


# ---- editing


def test_an_edit_is_a_new_version_and_the_old_one_stays(ws, folders):
    old = library.add(ws, folders(TWO))
    gone, changed = [case.id for case in old.cases if case.id in old.split.train and case.label == "benign"][:2]
    new = library.edit(ws, old.id, exclude=[gone], relabel={changed: "malignant"}, name="Corrected")
    assert new.parent == old.id and new.title == "Corrected"
    assert new.counts == {"benign": 10, "malignant": 9}
    assert [edit.cases for edit in new.history] == [1, 1]
    assert library.load(ws, old.id) == old
    assert {**old.split.part_of(), **new.split.part_of()} == old.split.part_of()
    assert library.load(ws, new.id) == new


def test_versions_share_their_files(ws, folders):
    old = library.add(ws, folders(TWO))
    new = library.edit(ws, old.id, exclude=[old.cases[0].id])
    packs = [path.name for path in Originals(ws.cohort(old.id)).files()]
    for name in ("pixels.bin", *packs):
        assert (ws.cohort(old.id) / name).stat().st_ino == (ws.cohort(new.id) / name).stat().st_ino
    assert library.delete(ws, old.id) < library.delete(ws, new.id)


def test_excluding_a_finding_by_edit(ws, folders):
    root = folders(TWO)
    (root / "malignant/same.png").write_bytes((root / "benign/0.png").read_bytes())
    new = library.edit(ws, library.add(ws, root).id, exclude_findings=["label-conflict"])
    assert len(new.cases) == 19 and new.blocks == ()


def test_a_new_patient_pattern_splits_anew(ws, folders):
    old = library.add(ws, folders({"a": 12, "b": 12}, name="s{n}.png"))
    assert "patients-unknown" in codes(old)
    new = library.edit(ws, old.id, patient_pattern=r"s\d")
    assert new.patients == 10 and new.split.patients_shared == 0
    assert "patients-unknown" not in codes(new)


def test_a_name_alone_makes_no_version_and_the_positive_class_does(ws, folders):
    old = library.add(ws, folders(TWO))
    assert library.edit(ws, old.id, name="Other").id == old.id
    assert library.load(ws, old.id).title == "Other"
    assert library.edit(ws, old.id).id == old.id
    assert library.edit(ws, old.id, positive="benign").positive == "benign"


def test_wrong_edits_are_refused(ws, folders):
    cohort = library.add(ws, folders(TWO))
    with pytest.raises(NotFound):
        library.edit(ws, cohort.id, exclude=["nobody"])
    with pytest.raises(BadInput, match="classes are benign, malignant"):
        library.edit(ws, cohort.id, relabel={cohort.cases[0].id: "bening"})
    with pytest.raises(BadInput, match="no case"):
        library.edit(ws, cohort.id, exclude=[case.id for case in cohort.cases])


# ---- the shelf


@pytest.mark.parametrize("id", ["nope", "../../etc", "", "a b"])
def test_an_unknown_id_is_not_found_in_the_same_words(id, ws):
    for act in (library.load, library.delete, library.edit):
        with pytest.raises(NotFound, match="There is no such cohort"):
            act(ws, id)


def test_summaries_come_from_the_header_alone(ws, folders):
    cohort = library.add(ws, folders(TWO), synthetic=True)
    (ws.cohort(cohort.id) / "cohort.json").write_text("damaged")
    (summary,) = library.cohorts(ws)
    assert (summary.id, summary.classes, summary.cases, summary.synthetic) == (cohort.id, TWO, 20, True)
    assert summary.bytes > 20 * 24 * 32
    with pytest.raises(MedtlError, match="damaged"):
        library.load(ws, cohort.id)


def test_delete_takes_the_bytes_away(ws, folders):
    cohort = library.add(ws, folders(TWO))
    assert library.delete(ws, cohort.id) > 20 * 24 * 32
    assert list(ws.cohorts.iterdir()) == []
    assert library.cohorts(ws) == ()


def test_describe_is_json_in_the_shape_of_the_command_line(ws, folders):
    said = library.describe(library.add(ws, folders(TWO)))
    assert json.loads(json.dumps(said)) == said
    assert said["classes"] == TWO
    assert said["patients"] is None
    assert said["split"]["rule"] == "by image (no patient known), stratified, seed 0"
    assert {"id", "title", "modality", "task", "cases", "skipped", "findings", "positive", "history"} <= set(said)


# ---- real sets


def test_busi(ws, shared):
    root = shared / "data/images/breast-ultrasound-busi-256"
    cohort = library.add(ws, root)
    (conflict,) = [finding for finding in cohort.findings if finding.code == "label-conflict"]
    names = {case.name for case in cohort.cases if case.id in conflict.cases}
    assert names == {"malignant/malignant (145).png", "benign/benign (433).png"}
    assert (len(cohort.cases), cohort.patients, cohort.skipped) == (780, None, ())
    mended = library.edit(ws, cohort.id, exclude_findings=["label-conflict"])
    assert len(mended.cases) == 778 and mended.blocks == ()
    assert mended.split.near_duplicates_across == 0


def test_busi_as_a_zip(ws, shared, tmp_path):
    root = shared / "data/images/breast-ultrasound-busi-256"
    with zipfile.ZipFile(tmp_path / "busi.zip", "w") as archive:
        for path in [*root.glob("normal/*"), *root.glob("malignant/*")]:
            archive.write(path, f"busi/{path.relative_to(root)}")
    cohort = library.add(ws, tmp_path / "busi.zip")
    assert cohort.counts == {"malignant": 210, "normal": 133}
    assert (cohort.title, cohort.positive) == ("busi", "malignant")
    assert Counter(cohort.split.part_of().values())["test"] in (68, 69)
