"""Which objects are made of what, of whom they speak, and that they belong together; that nothing is overwritten."""

import io
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag

from medtl import dicom_out
from medtl.cohorts import deidentify
from medtl.cohorts.formats import header
from medtl.cohorts.pseudonyms import Pseudonyms
from medtl.dicom_out import KINDS as ALL
from medtl.dicom_out.common import Numbering, Original, Said, header_of, quiet
from medtl.dicom_out.making import _each, model_of
from medtl.errors import BadInput, NotFound
from medtl.workspace import Workspace
from tests.dicom_out.conftest import KINDS
from tests.dicom_out.originals import BORN, NAME, NUMBER, answer, original

Make = Callable[..., tuple[Path, Dataset, dict[str, Any]]]
SOP = {
    "overlay": ("1.2.840.10008.5.1.4.1.1.7",),
    "region": ("1.2.840.10008.5.1.4.1.1.66.4",),
    "contour": ("1.2.840.10008.5.1.4.1.1.11.1", "1.2.840.10008.5.1.4.1.1.11.2"),
    "report": ("1.2.840.10008.5.1.4.1.1.88.33",),
}


def objects(folder: Path) -> list[Dataset]:
    return [dcmread(path) for path in sorted(folder.glob("*.dcm"))]


@pytest.mark.parametrize("identity", ["keep", "remove"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_object_is_of_its_class_and_about_the_original(made: Make, kind: str, identity: str) -> None:
    folder, original, said = made(kind, identity)
    kinds = {"overlay", "contour", "report", *({"region"} if kind != "CLIP" else ())}
    assert {one["kind"] for one in said["objects"]} == kinds
    assert [one["kind"] for one in said["left_out"]] == ([] if kind != "CLIP" else ["region"])
    for one in said["objects"]:
        read = dcmread(one["file"])
        assert read.SOPClassUID in SOP[one["kind"]] and read.SOPClassUID == read.file_meta.MediaStorageSOPClassUID
        assert read.SOPInstanceUID == one["sop_instance"] == read.file_meta.MediaStorageSOPInstanceUID
        assert read.Manufacturer == "MedTL" and "research use" in read.SeriesDescription
        assert Path(one["file"]).stat().st_size == one["bytes"]
    read_all = objects(folder)
    assert len({one.StudyInstanceUID for one in read_all}) == 1  # one study
    uids = [uid for one in read_all for uid in (one.SOPInstanceUID, one.SeriesInstanceUID)]
    assert len(set(uids)) == len(uids)  # a series of its own each
    assert not {original.SOPInstanceUID, original.SeriesInstanceUID} & set(uids)


@pytest.mark.parametrize("kind", KINDS)
def test_kept_they_go_back_to_the_same_patient_and_study(made: Make, kind: str) -> None:
    folder, original, _ = made(kind, "keep")
    for one in objects(folder):
        for word in ("StudyInstanceUID", "PatientName", "PatientID", "PatientBirthDate", "AccessionNumber", "StudyID"):
            assert one[word].value == original[word].value, word
        assert original.SOPInstanceUID in one.to_json()  # it refers to the original


@pytest.mark.parametrize("kind", KINDS)
def test_removed_nobody_is_named_and_they_refer_to_the_copy_a_cohort_keeps(
    made: Make, office_ws: tuple[Workspace, str], kind: str
) -> None:
    folder, original, _ = made(kind, "remove")
    codes = Pseudonyms(office_ws[0].salt())
    for path in folder.glob("*.dcm"):
        data = path.read_bytes()
        for secret in (NAME, NUMBER, BORN, "Hollerith", "Arzt", "ACC123", original.SOPInstanceUID, "Nirgendwo"):
            assert secret.encode() not in data, secret
        one = dcmread(path)
        assert one.StudyInstanceUID == codes.uid(original.StudyInstanceUID)
        assert codes.uid(original.SOPInstanceUID) in one.to_json()
        assert one.PatientID == codes.patient(NUMBER) and one.PatientIdentityRemoved == "YES"
        assert one.StudyDate != original.StudyDate


def test_where_a_name_may_stand_in_the_pixels_it_is_said(made: Make) -> None:
    """Codes in the header are no help there, and an overlay shows every pixel."""
    assert [doubt["image"] for doubt in made("US", "remove")[2]["doubts"]] == [1]
    assert made("CT", "remove")[2]["doubts"] == made("US", "keep")[2]["doubts"] == []


def test_the_codes_are_those_of_a_cohort(office_ws: tuple[Workspace, str], made: Make) -> None:
    folder, kept, _ = made("CT", "remove")
    data = (folder.parent / "original.dcm").read_bytes()
    stored = dcmread(io.BytesIO(deidentify.clean(data, "DICOM", Pseudonyms(office_ws[0].salt()), patient=NUMBER).data))
    one = dcmread(folder / "0001-overlay.dcm")
    assert one.SourceImageSequence[0].ReferencedSOPInstanceUID == stored.SOPInstanceUID
    assert one.StudyDate == stored.StudyDate and kept.StudyDate == "20260301"


def test_images_of_a_study_share_their_series(office_ws: tuple[Workspace, str], tmp_path: Path) -> None:
    ws, run = office_ws
    study = "1.2.3.4.5"
    paths = [tmp_path / f"{n}.dcm" for n in range(2)]
    for n, path in enumerate(paths):
        path.write_bytes(original("CR", n, StudyInstanceUID=study))
    said = dicom_out.make(
        ws, run, [(path, answer()) for path in paths], tmp_path / "out", identity="keep", kinds=("overlay", "report")
    )
    assert len(said["objects"]) == 4
    read = [dcmread(one["file"]) for one in said["objects"]]
    for kind in ("OT", "SR"):
        series = [one for one in read if one.Modality == kind]
        assert len({one.SeriesInstanceUID for one in series}) == 1
        assert sorted(one.InstanceNumber for one in series) == [1, 2]
    again = dicom_out.make(ws, run, [(paths[0], answer())], tmp_path / "out", kinds=("overlay",))
    assert Path(again["objects"][0]["file"]).name == "0001-overlay-2.dcm"  # nothing is overwritten


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_picture_that_is_no_dicom_becomes_a_capture_of_nobody(
    office_ws: tuple[Workspace, str], tmp_path: Path, mode: str
) -> None:
    ws, run = office_ws
    Image.new(mode, (500, 400)).save(tmp_path / "Hollerith.png")
    said = dicom_out.make(ws, run, [(tmp_path / "Hollerith.png", answer())], tmp_path / "out", identity="keep")
    (one,) = said["objects"]
    assert {left["kind"] for left in said["left_out"]} == {"region", "contour", "report"}
    read = dcmread(one["file"])
    assert read.pixel_array.shape[1:] == (500, 3) and read.pixel_array.shape[0] > 400
    assert not read.PatientName and not read.PatientID and "SourceImageSequence" not in read
    assert "Hollerith" not in json.dumps(said["left_out"]) and b"Hollerith" not in Path(one["file"]).read_bytes()


def test_without_an_honest_map_there_is_a_report_only(office_ws: tuple[Workspace, str], tmp_path: Path) -> None:
    ws, run = office_ws
    (tmp_path / "a.dcm").write_bytes(original("CR"))
    flat = {**answer()["explanation"], "state": "flat", "says": "It looked nowhere in particular."}
    for without in (answer(explanation=None), answer(explanation=flat)):
        said = dicom_out.make(ws, run, [(tmp_path / "a.dcm", without)], tmp_path / "out")
        assert [one["kind"] for one in said["objects"]] == ["report"]
        assert len(said["left_out"]) == 3 and all(left["why"] and left["advice"] for left in said["left_out"])


def test_what_cannot_be_made_is_said(office_ws: tuple[Workspace, str], tmp_path: Path) -> None:
    ws, run = office_ws
    (tmp_path / "nobody.dcm").write_bytes(original("CR", StudyInstanceUID=""))
    (tmp_path / "broken.dcm").write_bytes(original("CR")[:700])
    (tmp_path / "good.dcm").write_bytes(original("CR"))
    asked = [(tmp_path / f"{name}.dcm", answer()) for name in ("nobody", "broken", "good")]
    said = dicom_out.make(ws, run, asked, tmp_path / "some", identity="keep", kinds=("report",))
    assert [(left["image"], left["kind"]) for left in said["left_out"]] == [(1, "all"), (2, "all")]
    assert "which image it is" in said["left_out"][0]["why"] and [one["image"] for one in said["objects"]] == [3]
    with pytest.raises(NotFound):
        dicom_out.make(ws, "r-9", [], tmp_path / "out")
    with pytest.raises(BadInput, match="cut"):
        dicom_out.make(ws, run, [], tmp_path / "out", cut=0)
    assert not (tmp_path / "out").exists()


def test_no_warning_quotes_a_name(office_ws: tuple[Workspace, str], tmp_path: Path) -> None:
    ws, run = office_ws
    (tmp_path / "a.dcm").write_bytes(original("CR", PatientName="Einwort", ReferringPhysicianName="Auch"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dicom_out.make(ws, run, [(tmp_path / "a.dcm", answer())], tmp_path / "out", identity="keep")


@pytest.mark.parametrize(
    ("letters", "name"),
    [
        ("ISO_IR 100", "Müller^Jürgen"),
        ("ISO_IR 144", "Люкceмбypг^Б"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        ("ISO_IR 192", "Wang^XiaoDong=王^小东"),
    ],
)
def test_a_name_stays_as_it_is_in_whatever_letters(
    office_ws: tuple[Workspace, str], tmp_path: Path, letters: Any, name: str
) -> None:
    ws, run = office_ws
    (tmp_path / "a.dcm").write_bytes(original("CR", SpecificCharacterSet=letters, PatientName=name))
    said = dicom_out.make(ws, run, [(tmp_path / "a.dcm", answer())], tmp_path / "out", identity="keep")
    assert len(said["objects"]) == 4
    assert {str(dcmread(one["file"]).PatientName) for one in said["objects"]} == {name}


FAULTY = {
    "PatientSex": ("X", "male"), "StudyDate": ("20263355", "x", "20260301-20260302", "2026.03.01"),
    "StudyTime": ("10:15:00", "99", "x"), "PatientBirthDate": ("1961", "19610431"), "RescaleSlope": ("0", "x"),
    "PixelSpacing": ("0.1", "a\\b"), "ImageOrientationPatient": ("1\\0\\0",), "PatientAge": ("65",),
    "AccessionNumber": ("A" * 40,), "PatientID": ("P" * 100,), "PatientName": ("a^b^c^d^e^f^g", "A=B=C=D", "x" * 200),
    "PatientOrientation": ("L", "XX\\YY", "L\\F\\H"), "Laterality": ("BOTH",), "StudyDescription": ("d" * 100,),
    "BodyPartExamined": ("Chest wall, upper part",), "ImageType": ("DERIVED", ""), "WindowCenter": ("x", "1\\2"),
    "WindowWidth": ("0", "-5"), "FrameOfReferenceUID": ("", "1.2.x"), "SpecificCharacterSet": ("UTF8",),
    "StudyInstanceUID": ("1.2.3.004",),
}  # fmt: skip


@pytest.mark.parametrize("word", FAULTY)
def test_a_fault_of_the_original_keeps_nothing_from_being_made(office_ws: tuple[Workspace, str], word: str) -> None:
    """As they lie in archives: old dates, codes nobody knows, too long, the wrong number of values."""
    model = model_of(*office_ws)
    tag, kind = tag_for_keyword(word), dictionary_VR(word)
    assert tag is not None
    for value in FAULTY[word]:
        faulty = dcmread(io.BytesIO(original("CT" if word in ("RescaleSlope", "PixelSpacing") else "CR")))
        raw = value.encode() + (b"" if len(value) % 2 == 0 else b"\0" if kind == "UI" else b" ")
        faulty[tag] = RawDataElement(Tag(tag), kind, len(raw), raw, 0, False, True, True)
        file = io.BytesIO()
        faulty.save_as(file)
        with quiet():
            head = header_of(header.of(file.getvalue()))
        source = Original(np.zeros((96, 128), np.uint8), head, None, (0, 200))
        for made, one in _each(source, Said.of(answer()), model, Numbering(), ALL, "binary", 0.5):
            if word == "PixelSpacing" and made == "region":
                continue  # a region of a CT wants to know how large a pixel is
            assert not isinstance(one, Exception), (word, value, made, one)
            with quiet():
                one.save_as(io.BytesIO(), enforce_file_format=True)


@pytest.mark.parametrize("identity", ["keep", "remove"])
def test_a_file_that_says_hardly_anything_is_enough(
    office_ws: tuple[Workspace, str], tmp_path: Path, identity: Any
) -> None:
    ws, run = office_ws
    (tmp_path / "a.dcm").write_bytes(original("CR"))
    bare = dcmread(tmp_path / "a.dcm")
    needed = ("StudyInstanceUID", "SeriesInstanceUID", "SOPClassUID", "SOPInstanceUID")
    for element in list(bare):
        if element.tag.group != 0x28 and element.keyword not in (*needed, "PixelData"):
            del bare[element.tag]
    bare.save_as(tmp_path / "a.dcm")
    said = dicom_out.make(ws, run, [(tmp_path / "a.dcm", answer())], tmp_path / "out", identity=identity)
    assert len(said["objects"]) == 4 and not said["left_out"]
    assert all("PatientName" in dcmread(one["file"]) for one in said["objects"])


def test_hostile_words_do_no_harm(office_ws: tuple[Workspace, str], tmp_path: Path) -> None:
    ws, run = office_ws
    label = "a\\b\n\x00" + "ü" * 300
    heat = {**answer()["explanation"], "label": label}
    nasty = answer(scores={label: 0.5, "b": float("nan")}, called=[label], set=[label], explanation=heat, why_not=label)
    (tmp_path / "a.dcm").write_bytes(original("CR"))
    said = dicom_out.make(ws, run, [(tmp_path / "a.dcm", nasty)], tmp_path / "out", identity="keep")
    assert len(said["objects"]) == 4
    for one in said["objects"]:
        assert "\\" not in dcmread(one["file"]).SeriesDescription
    assert np.isfinite(dcmread(said["objects"][0]["file"]).pixel_array).all()
