"""From files to a cohort: what is kept of them, and what is not."""

import csv
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from medtl.cohorts import library
from medtl.cohorts.originals import Originals
from medtl.cohorts.pixels import Pixels
from medtl.errors import BadInput
from medtl.vocabulary import Reading
from medtl.workspace import PROJECT


def codes(cohort):
    return {finding.code for finding in cohort.findings}


def test_frames_of_one_clip_are_cases_that_stay_together(ws, tmp_path, dicom):
    rng = np.random.default_rng(0)
    for n in range(12):
        file = tmp_path / f"set/{'ab'[n % 2]}/{n}.dcm"
        file.parent.mkdir(parents=True, exist_ok=True)
        clip = rng.integers(0, 255, (4, 16, 20), np.uint8)
        file.write_bytes(_clip(dicom, clip, n))
    cohort = library.add(ws, tmp_path / "set")
    assert len(cohort.cases) == 48 and {case.frame for case in cohort.cases} == {0, 1, 2, 3}
    part = cohort.split.part_of()
    groups = {}
    for case in cohort.cases:
        groups.setdefault(case.group, set()).add(part[case.id])
    assert len(groups) == 12 and all(len(parts) == 1 for parts in groups.values())
    assert "sequences" in codes(cohort)
    assert len(Originals(ws.cohort(cohort.id)).spans) == 12, "a clip is stored once"
    middle = library.add(ws, tmp_path / "set", reading=Reading(frames="middle"))
    assert len(middle.cases) == 12 and middle.reading.frames == "middle" and middle.id != cohort.id


def _clip(dicom, clip, n):
    """A multi-frame file, made of a single-frame one."""
    import io

    from pydicom import dcmread

    data = dcmread(io.BytesIO(dicom(clip[0], SeriesInstanceUID=f"1.2.3.{n}")))
    data.NumberOfFrames = len(clip)
    data.PixelData = clip.tobytes()
    out = io.BytesIO()
    data.save_as(out, enforce_file_format=True)
    return out.getvalue()


def test_a_key_is_kept_apart_only_when_it_is_wished_for(ws, tmp_path, dicom, noise):
    for n in range(12):
        file = tmp_path / f"set/{'ab'[n % 2]}/Jane_Doe_{n}.dcm"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(dicom(noise(n).astype(np.uint16), PatientID=f"MRN-{n // 2}", PatientName="Doe^Jane"))
    thrown = library.add(ws, tmp_path / "set")
    assert library.key_file(ws, thrown.id) is None and thrown.privacy.key == "thrown away"
    assert {item.name for item in thrown.privacy.removed} >= {"Patient's Name", "Patient ID"}
    kept = library.add(ws, tmp_path / "set", keep_key=True, name="With a key")
    path = library.key_file(ws, kept.id)
    assert path is not None and path.stat().st_mode & 0o077 == 0
    rows = list(csv.reader(path.read_text().splitlines()))
    back = {code: original for _, original, code in rows[1:]}
    assert {back[case.patient] for case in kept.cases} == {f"MRN-{n}" for n in range(6)}
    assert not any(
        "MRN" in file.read_text(errors="replace") for file in ws.cohort(kept.id).rglob("*") if file.is_file()
    )
    assert kept.privacy.key == "kept" and library.load(ws, kept.id).privacy.key == "kept"
    edited = library.edit(ws, kept.id, exclude=[kept.cases[0].id])
    last = library.edit(ws, edited.id, exclude=[kept.cases[1].id])
    assert library.key_file(ws, last.id) == path, "versions share the key"
    library.delete(ws, edited.id)
    library.delete(ws, kept.id)
    assert library.key_file(ws, last.id) == path, "it goes with the last version only"
    library.delete(ws, last.id)
    assert not path.exists()


def test_a_key_can_be_thrown_away_alone(ws, folders):
    cohort = library.add(ws, folders({"a": 6, "b": 6}, name="Jane_Doe_{n}.png"), keep_key=True)
    later = library.edit(ws, cohort.id, exclude=[cohort.cases[0].id])
    assert library.delete_key(ws, later.id) and library.key_file(ws, cohort.id) is None


def test_a_zip_with_images_and_its_only_table_needs_no_more_words(ws, zipped, noise, encoded):
    rows = "".join(f"{n}.png,{'sick' if n % 2 else 'well'}\n" for n in range(16))
    members = {f"images/{n}.png": encoded(noise(n)) for n in range(16)} | {
        "my findings.csv": b"file,label\n" + rows.encode()
    }
    assert library.add(ws, zipped(members)).counts == {"sick": 8, "well": 8}


def test_labels_by_patient_meet_dicom_files(ws, tmp_path, dicom, noise):
    (tmp_path / "scans").mkdir()
    for n in range(24):
        (tmp_path / f"scans/IM{n}").write_bytes(dicom(noise(n).astype(np.uint16), PatientID=f"MRN-{n // 2}"))
    table = tmp_path / "labels.csv"
    table.write_text("patient,label\n" + "".join(f"MRN-{n},{'sick' if n < 5 else 'well'}\n" for n in range(11)))
    cohort = library.add(ws, tmp_path / "scans", labels=table)
    assert cohort.counts == {"sick": 10, "well": 12} and cohort.patients == 11
    assert len(cohort.skipped) == 2 and "not in the labels file" in cohort.skipped[0].reason


def test_what_a_table_says_of_the_cases_becomes_facts_and_a_date_only_a_period(ws, folders, tmp_path):
    root = folders({"images": 20})
    table = tmp_path / "labels.csv"
    rows = "".join(
        f"images/{n}.png,{'ab'[n % 2]},{20 + n},{'FM'[n % 2]},Site {n % 3},20{10 + n % 10}-03-0{1 + n % 9}\n"
        for n in range(20)
    )
    table.write_text("file,label,age,sex,site,date\n" + rows)
    cohort = library.add(ws, root, labels=table)
    facts = [case.facts for case in cohort.cases]
    assert {fact["sex"] for fact in facts} == {"F", "M"} and all(20 <= fact["age"] < 40 for fact in facts)
    assert {fact["period"] for fact in facts} == {f"{n} of 5" for n in range(1, 6)}
    assert "date" not in facts[0]
    assert "2013-03" not in (ws.cohort(cohort.id) / "cohort.json").read_text()


def test_medmnist_archives_are_read_with_their_parts(ws, tmp_path):
    rng = np.random.default_rng(0)
    content = {}
    for part, n in (("train", 30), ("val", 12), ("test", 12)):
        content[f"{part}_images"] = rng.integers(0, 255, (n, 28, 28), np.uint8)
        content[f"{part}_labels"] = (np.arange(n)[:, None] % 2).astype(np.uint8)
    np.savez(tmp_path / "breastmnist.npz", **content)
    cohort = library.add(ws, tmp_path / "breastmnist.npz")
    assert len(cohort.cases) == 54 and len(cohort.split.test) == 12 and len(cohort.split.tune) == 12
    assert "malignant" in cohort.classes
    pixels = Pixels(ws.cohort(cohort.id))
    stored = {pixels.image(case.id).tobytes() for case in cohort.cases}
    assert stored == {picture.tobytes() for part in ("train", "val", "test") for picture in content[f"{part}_images"]}
    assert not (ws.cohort(cohort.id) / "unpacked").exists()


def test_too_many_pictures_in_all_are_refused_and_nothing_stays(ws, tmp_path, dicom, monkeypatch):
    from medtl.cohorts import limits

    monkeypatch.setattr(limits, "CASES", 20)
    for n in range(6):
        file = tmp_path / f"set/{'ab'[n % 2]}/{n}.dcm"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(_clip(dicom, np.random.default_rng(n).integers(0, 255, (5, 8, 8), np.uint8), n))
    with pytest.raises(BadInput, match="more than 20 pictures"):
        library.add(ws, tmp_path / "set")
    assert list(ws.cohorts.iterdir()) == []


def test_killed_at_any_moment_nothing_half_made_is_ever_listed(ws, folders):
    """The import is shot at some moments; what is listed is whole, and no reading process stays behind."""
    root = folders({"a": 150, "b": 150})
    command = [sys.executable, "-m", "medtl", "cohort", "add", str(root), "--json", "--home", str(ws.home)]
    for wait in (0.3, 0.7, 1.1, 1.6):
        process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(wait)
        process.send_signal(signal.SIGKILL)
        process.wait()
        for summary in library.cohorts(ws):
            cohort = library.load(ws, summary.id)
            pixels = Pixels(ws.cohort(summary.id))
            assert all(pixels.image(case.id).size for case in cohort.cases)
    whole = library.add(ws, root)
    assert len(whole.cases) == 300
    assert [path.name for path in ws.cohorts.iterdir()] == [whole.id], "what was left over is swept away"
    time.sleep(0.5)
    for process_folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (process_folder / "cmdline").read_bytes()
            parent = (process_folder / "stat").read_text().rsplit(")", 1)[1].split()[1]
        except OSError:
            continue
        assert b"medtl.cohorts.reader" not in words or parent != "1", "a reading process outlived its import"
