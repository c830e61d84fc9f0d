import gzip
import io
import struct
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin
from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames

from medtl.cohorts import limits
from medtl.cohorts.deidentify import clean, profile
from medtl.cohorts.pseudonyms import Pseudonyms
from medtl.errors import BadInput

pytestmark = pytest.mark.filterwarnings("ignore")  # libraries speak of damaged files
SECRET = b"secret"
SHARED = Path(__file__).resolve().parents[2].parent / "shared"
RAMP = np.arange(48, dtype=np.uint16).reshape(6, 8) * 100


def cleaned(data: bytes, kind: str = "DICOM", patient: str = "") -> bytes:
    return clean(data, kind, Pseudonyms(SECRET), patient=patient).data


def read(data: bytes) -> Dataset:
    return dcmread(io.BytesIO(data))


def touched(data: bytes, kind: str = "DICOM") -> set[tuple[str, str]]:
    return {(tag, action) for tag, _, action in clean(data, kind, Pseudonyms(SECRET)).removed}


# ---- DICOM ----------------------------------------------------------------------------------------------------------


def test_the_table_is_whole():
    """Rows of Table E.1-1, edition 2026c, by action; repeating and private groups have rules of their own."""
    actions = [action for _, action in profile.table().values()]
    assert len(actions) == 652
    assert {action: actions.count(action) for action in ("D", "Z", "U", "Z/D", "X/Z", "X/D", "X/Z/D", "X/Z/U*")} == {
        "D": 93, "Z": 42, "U": 55, "Z/D": 6, "X/Z": 11, "X/D": 23, "X/Z/D": 8, "X/Z/U*": 2,
    }  # fmt: skip


def test_every_attribute_of_the_standard_has_a_rule_and_no_free_text_stays_by_default():
    from pydicom.datadict import DicomDictionary

    kept = set()
    for tag, (vr, *_rest) in DicomDictionary.items():
        rule = profile.rule(tag)
        if rule.vr in profile.TEXT_VRS and rule.action in ("check", "keep", "descend"):
            kept.add(tag)
        if rule.vr == "PN" or tag in (0x00080018, 0x00100020):
            assert rule.action in ("remove", "empty", "dummy", "patient", "uid"), vr
        if rule.vr == "UI":
            assert rule.action in ("uid", "remove", "dummy")
    assert not kept


def test_what_is_said_of_the_removal(dicom):
    signed = read(cleaned(dicom(PatientID="12", PatientName="A^B")))
    assert signed.PatientID == str(signed.PatientName) == Pseudonyms(SECRET).patient("12")
    assert signed.PatientIdentityRemoved == "YES"
    assert signed.LongitudinalTemporalInformationModified == "MODIFIED"
    assert [item.CodeValue for item in signed.DeidentificationMethodCodeSequence] == ["113100", "113108", "113107"]
    assert len(signed.DeidentificationMethod) <= 64


def test_the_caller_may_know_better_who_it_is(dicom):
    data = dicom(PatientID="wrong", StudyDate="20200101")
    assert read(cleaned(data, patient="12")).PatientID == Pseudonyms(SECRET).patient("12")
    assert read(cleaned(data, patient="12")).StudyDate != read(cleaned(data)).StudyDate


def test_nobody_named_gets_no_code(dicom):
    signed = read(cleaned(dicom()))
    assert signed.PatientID == "" and str(signed.PatientName) == ""


def test_the_same_file_gives_the_same_bytes_and_is_clean_for_good(dicom):
    data = dicom(PatientID="12", StudyInstanceUID="1.2.3.4", StudyDate="20200101")
    assert cleaned(data) == cleaned(data)
    assert clean(data, "DICOM", Pseudonyms(SECRET)).removed


def test_uids_are_mapped_alike_everywhere_and_those_of_the_standard_stay(dicom):
    item = Dataset()
    item.ReferencedSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    item.ReferencedSOPInstanceUID = "1.2.3.9"
    data = dicom(SOPInstanceUID="1.2.3.9", SOPClassUID="1.2.840.10008.5.1.4.1.1.2", SourceImageSequence=[item])
    mapped = read(cleaned(data))
    assert mapped.SOPInstanceUID == Pseudonyms(SECRET).uid("1.2.3.9") == mapped.file_meta.MediaStorageSOPInstanceUID
    assert mapped.SourceImageSequence[0].ReferencedSOPInstanceUID == mapped.SOPInstanceUID
    assert mapped.SourceImageSequence[0].ReferencedSOPClassUID == mapped.SOPClassUID == item.ReferencedSOPClassUID


def test_dates_move_together_and_times_of_day_go(dicom):
    item = Dataset()
    item.ScheduledProcedureStepStartDate = "20200108"
    item.ContrastBolusStartTime = "101010"
    words = {
        "PatientID": "12", "StudyDate": "20200101", "SeriesDate": "2020.01.04", "StudyTime": "101112.5",
        "AcquisitionDateTime": "20200102101112.250000+0100", "PatientBirthDate": "19500312",
        "ContentDate": "nonsense", "RadiopharmaceuticalInformationSequence": [item],
    }  # fmt: skip
    moved = read(cleaned(dicom(**words)))
    from datetime import date, timedelta

    day = date(2020, 1, 1) + timedelta(days=Pseudonyms(SECRET).days("12"))
    said = lambda days: f"{day + timedelta(days=days):%Y%m%d}"  # noqa: E731 - one use of a word
    assert (moved.StudyDate, moved.AcquisitionDateTime, moved.SeriesDate) == (said(0), said(1), said(3))
    inner = moved.RadiopharmaceuticalInformationSequence[0]
    assert inner.ScheduledProcedureStepStartDate == said(7) and "ContrastBolusStartTime" not in inner
    assert (moved.StudyTime or "", moved.PatientBirthDate, moved.ContentDate) == ("", "", "")


@pytest.mark.parametrize(
    ("age", "after"),
    [("089Y", "089Y"), ("090Y", "090Y"), ("101Y", "090Y"), ("999M", "999M"), ("006W", "006W"), ("old", "")],
)
def test_great_ages_are_capped(age, after, dicom):
    assert (read(cleaned(dicom(PatientAge=age))).get("PatientAge") or "") == after


def test_patient_characteristics_and_technical_facts_stay(dicom):
    words = {
        "PatientSex": "F", "PatientSize": "1.66", "PatientWeight": "61.5", "Manufacturer": "Acme", "Modality": "MR",
        "ManufacturerModelName": "Seer 9", "BodyPartExamined": "BREAST", "WindowCenter": [40, 500],
        "WindowWidth": [400, 2000], "WindowCenterWidthExplanation": ["WINDOW1", "LUNG"], "SequenceName": "*tfl3d1_16ns",
        "PixelSpacing": [0.2, 0.3], "RescaleType": "HU", "BurnedInAnnotation": "YES",
        "SpecificCharacterSet": "ISO_IR 192",
    }  # fmt: skip
    before, after = read(dicom(**words)), read(cleaned(dicom(**words)))
    assert {word: after.get(word) for word in words} == {word: before.get(word) for word in words}


def test_texts_that_are_no_terms_go(dicom):
    after = read(cleaned(dicom(WindowCenterWidthExplanation="Mr Smith", RescaleType="SMITH", Manufacturer="S\u00fcd")))
    assert not any(after.get(word) for word in ("WindowCenterWidthExplanation", "RescaleType", "Manufacturer"))


def test_what_was_taken_out_does_not_stand_elsewhere(dicom):
    words = {"PatientName": "Farnsworth^Hubert", "PatientID": "4711998", "FilterType": "for farnsworth"}
    after = read(cleaned(dicom(**words, ManufacturerModelName="Seer", BodyPartExamined="HUBERT")))
    assert not after.FilterType and not after.BodyPartExamined and after.ManufacturerModelName == "Seer"


def test_no_text_of_a_code_stays_and_no_code_of_somebodys_own(dicom):
    def coded(value: str, scheme: str) -> Dataset:
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, "Breast of Mrs Smith"
        return item

    after = read(cleaned(dicom(AnatomicRegionSequence=[coded("76752008", "SCT"), coded("SMITH", "99LOCAL")])))
    [item] = after.AnatomicRegionSequence
    assert (item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning) == ("76752008", "SCT", "76752008")


def test_private_unknown_overlay_and_curve_groups_go(dicom):
    before = read(dicom())
    before.private_block(0x0029, "ACME", create=True).add_new(1, "LO", "Smith")
    before.add_new(0x60003000, "OW", b"Sm")
    before.add_new(0x50003000, "OW", b"Sm")
    before.add_new(0x0008FFF0, "LO", "Smith")
    out = io.BytesIO()
    before.save_as(out)
    after = read(cleaned(out.getvalue()))
    assert not [tag for tag in after.keys() if tag.group % 2 or tag.group >> 8 in (0x50, 0x60) or tag == 0x0008FFF0]  # noqa: SIM118
    assert touched(out.getvalue()) >= {
        ("private", "removed"), ("unknown", "removed"), ("(60xx,xxxx)", "removed"), ("(50xx,xxxx)", "removed"),
    }  # fmt: skip


def test_a_picture_within_a_sequence_goes(dicom):
    item = Dataset()
    item.Modality = "US"
    item.add_new(0x7FE00010, "OW", b"Smith!")
    after = read(cleaned(dicom(RAMP, SharedFunctionalGroupsSequence=[item])))
    assert [element.keyword for element in after.SharedFunctionalGroupsSequence[0]] == ["Modality"]
    assert np.array_equal(after.pixel_array, RAMP)


def test_an_overlay_drawn_into_unused_bits_goes(dicom):
    pixels = np.arange(48, dtype=np.uint16).reshape(6, 8) | 0x8000
    data = read(dicom(pixels, BitsStored=12, HighBit=11))
    data.BitsStored, data.HighBit = 12, 11
    data.add_new(0x60000100, "US", 16)
    data.add_new(0x60000102, "US", 15)
    out = io.BytesIO()
    data.save_as(out)
    stored = np.frombuffer(read(cleaned(out.getvalue())).PixelData, "<u2")
    assert stored.tolist() == list(range(48))


def test_the_meta_header_and_the_preamble_are_ours(dicom):
    data = bytearray(dicom(PatientID="12"))
    data[:2] = b"MZ"
    after = cleaned(bytes(data))
    meta = read(after).file_meta
    assert after[:128] == bytes(128)
    assert {element.keyword for element in meta} == {
        "FileMetaInformationGroupLength", "FileMetaInformationVersion", "MediaStorageSOPClassUID",
        "MediaStorageSOPInstanceUID", "TransferSyntaxUID", "ImplementationClassUID", "ImplementationVersionName",
    }  # fmt: skip


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"])
def test_pixels_and_syntax_stay(syntax, dicom):
    before = read(dicom(RAMP))
    order = ">u2" if syntax.endswith("1.2.2") else "<u2"
    before.PixelData = RAMP.astype(order).tobytes()
    before["PixelData"].VR = "OW"
    before.file_meta.TransferSyntaxUID = syntax
    out = io.BytesIO()
    dcmwrite(out, before)
    after = read(cleaned(out.getvalue()))
    assert after.file_meta.TransferSyntaxUID == syntax
    assert np.array_equal(after.pixel_array, RAMP)


def test_a_file_without_preamble_gets_one(dicom):
    body = dicom(RAMP)
    start = 132 + 12 + struct.unpack_from("<I", body, 140)[0]
    after = cleaned(body[start:])
    assert after[128:132] == b"DICM" and np.array_equal(read(after).pixel_array, RAMP)


def test_a_deflated_file_is_unpacked_and_a_bomb_is_not(dicom, monkeypatch):
    plain = dicom(RAMP, syntax="1.2.840.10008.1.2.1")
    start = 132 + 12 + struct.unpack_from("<I", plain, 140)[0]
    head = dicom(RAMP)[:start].replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.1\0")

    def packed(body: bytes) -> bytes:
        packer = zlib.compressobj(wbits=-15)
        meta = read(head + plain[start:]).file_meta
        meta.TransferSyntaxUID = "1.2.840.10008.1.2.1.99"
        out = io.BytesIO()
        from pydicom.filewriter import write_file_meta_info

        write_file_meta_info(out, meta)
        return bytes(128) + b"DICM" + out.getvalue() + packer.compress(body) + packer.flush()

    after = read(cleaned(packed(plain[start:])))
    assert after.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1" and np.array_equal(after.pixel_array, RAMP)
    monkeypatch.setattr(limits, "INFLATED_FREE", 10_000)
    with pytest.raises(BadInput, match="unfolds"):
        cleaned(packed(plain[start:] + bytes(3_000_000)))


def _framed(dicom, frames: list[bytes], syntax: str, side: int = 16) -> bytes:
    data = read(dicom(np.zeros((side, side), np.uint8)))
    data.NumberOfFrames = len(frames)
    data.PixelData = encapsulate(frames)
    data["PixelData"].is_undefined_length = True
    data.file_meta.TransferSyntaxUID = syntax
    out = io.BytesIO()
    data.save_as(out)
    return out.getvalue()


def _encoded(number: int, kind: str, **options) -> bytes:
    out = io.BytesIO()
    pixels = np.random.default_rng(number).integers(0, 256, (16, 16), np.uint8)
    Image.fromarray(pixels).save(out, kind, **options)
    return out.getvalue()


def test_comments_in_compressed_frames_are_blanked_in_place(dicom):
    jpegs = [_encoded(n, "JPEG", comment=b"Smith") + b"SmithSmith" for n in range(3)]
    data = _framed(dicom, jpegs, "1.2.840.10008.1.2.4.50")
    after = cleaned(data)
    assert b"Smith" not in after
    assert np.array_equal(read(data).pixel_array, read(after).pixel_array)

    j2k = _encoded(1, "JPEG2000", no_jp2=True, irreversible=False)
    first = 4 + struct.unpack_from(">H", j2k, 4)[0]
    j2k = j2k[:first] + struct.pack(">HHH", 0xFF64, 9, 1) + b"Smith" + j2k[first:]
    data = _framed(dicom, [j2k, _encoded(2, "JPEG2000")], "1.2.840.10008.1.2.4.90")
    after = cleaned(data)
    assert b"Smith" in data and b"Smith" not in after
    frames = list(generate_frames(read(after).PixelData, number_of_frames=2))
    for frame, number in zip(frames, (1, 2), strict=True):
        pixels = np.random.default_rng(number).integers(0, 256, (16, 16), np.uint8)
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(frame))), pixels)


def test_videos_reports_and_nonsense_are_refused(dicom):
    with pytest.raises(BadInput, match="cannot look into"):
        cleaned(_framed(dicom, [b"\0" * 20], "1.2.840.10008.1.2.4.102"))
    data = dicom()
    with pytest.raises(BadInput, match="no image"):
        cleaned(data[: data.rindex(b"\xe0\x7f\x10\x00")])
    for nonsense in (b"", b"DICM", bytes(200), b"\x08\0\x05\0" * 40):
        with pytest.raises(BadInput):
            cleaned(nonsense)


def test_every_image_of_a_broad_collection_is_cleaned_and_decodes_as_before():
    folder = SHARED / "data/dicom"
    if not folder.is_dir():
        pytest.skip("the shared test data is not on this computer")
    done = same = 0
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.stat().st_size > 60_000:  # the large ones decode slowly
            continue
        data = path.read_bytes()
        try:
            after = cleaned(data)
        except BadInput as refused:
            assert "no image" in refused.message or _decoded(data) is None, path.name
            continue
        done += 1
        before = _decoded(data)
        same += before is not None and np.array_equal(before, _decoded(after))
        assert before is None or np.array_equal(before, _decoded(after)), path.name
    assert done >= 90 and same >= 80


def _decoded(data: bytes) -> np.ndarray | None:
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    dataset = dcmread(io.BytesIO(data), force=True)
    if "TransferSyntaxUID" not in dataset.file_meta:
        implicit, little = dataset.original_encoding
        explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit
    try:
        return dataset.pixel_array
    except Exception:  # noqa: BLE001 - damaged on purpose
        return None


# ---- other formats --------------------------------------------------------------------------------------------------


def saved(image: Image.Image, kind: str, **options) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def pixels(seed: int, *shape: int, kind: type = np.uint8) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, np.iinfo(kind).max + 1, shape or (9, 13), kind)


def same_picture(one: bytes, other: bytes) -> bool:
    from PIL import ImageSequence

    with Image.open(io.BytesIO(one)) as before, Image.open(io.BytesIO(other)) as after:
        if before.getexif().get(0x0112, 1) != after.getexif().get(0x0112, 1):
            return False
        pages = zip(ImageSequence.Iterator(before), ImageSequence.Iterator(after), strict=True)
        return all(a.mode == b.mode and np.array_equal(np.asarray(a), np.asarray(b)) for a, b in pages)


def exif(orientation: int | None = None) -> Image.Exif:
    made = Image.Exif()
    made[0x010E] = "Smith"
    if orientation:
        made[0x0112] = orientation
    return made


PICTURES = {
    "L": Image.fromarray(pixels(1)),
    "RGB": Image.fromarray(pixels(2, 9, 13, 3)),
    "RGBA": Image.fromarray(pixels(3, 9, 13, 4)),
    "I;16": Image.fromarray(pixels(4, 9, 13, kind=np.uint16)),
    "1": Image.fromarray(pixels(5) > 99),
    "P": Image.fromarray(pixels(6, 9, 13, 3)).quantize(17),
}


@pytest.mark.parametrize("mode", PICTURES)
def test_png(mode):
    info = PngImagePlugin.PngInfo()
    info.add_text("Author", "Smith")
    info.add_itxt("Comment", "Smith", zip=True)
    data = saved(PICTURES[mode], "PNG", pnginfo=info, exif=exif(), icc_profile=b"Smith", dpi=(72, 72)) + b"Smith"
    after = clean(data, "PNG", Pseudonyms(SECRET))
    assert b"Smith" not in after.data and same_picture(data, after.data)
    assert {tag for tag, _, _ in after.removed} == {
        "PNG text", "PNG EXIF", "PNG colour profile", "PNG other", "PNG end",
    }  # fmt: skip
    assert clean(after.data, "PNG", Pseudonyms(SECRET)) == type(after)(after.data)  # as it is, nothing to take out


def test_a_plain_file_is_given_back_as_it_is():
    for kind in ("PNG", "BMP"):
        data = saved(PICTURES["RGB"], kind)
        assert clean(data, kind, Pseudonyms(SECRET)).data is data
    plain = cleaned(saved(PICTURES["RGB"], "JPEG"), "JPEG")
    assert clean(plain, "JPEG", Pseudonyms(SECRET)).data is plain


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_which_way_is_up_stays(kind, orientation):
    data = saved(PICTURES["RGB"], kind, exif=exif(orientation))
    after = cleaned(data, kind)
    assert b"Smith" not in after and same_picture(data, after)


@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"quality": 100, "subsampling": 0}, {"restart_marker_blocks": 1}]
)
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_jpeg(mode, options):
    image = Image.fromarray(pixels(7, 40, 50, 4)).convert("RGB").convert(mode)
    data = saved(image, "JPEG", exif=exif(), comment=b"Smith", icc_profile=b"Smith", xmp=b"Smith", **options)
    unknown = b"\xff\xe9\0\x07Smith"
    data = data[:2] + unknown + b"\xff" + data[2:] + b"Smith"  # a fill byte, too
    after = cleaned(data, "JPEG")
    assert b"Smith" not in after and same_picture(data, after)


def test_a_jfif_thumbnail_goes():
    data = saved(PICTURES["L"], "JPEG")
    assert data[6:10] == b"JFIF"
    small = data[:4] + struct.pack(">H", 16 + 12) + data[6:18] + b"\2\2" + b"Smith1234567" + data[20:]
    assert same_picture(small, cleaned(small, "JPEG")) and b"Smith" not in cleaned(small, "JPEG")


TIFFS = {
    "grey": (PICTURES["L"], {}),
    "lzw": (PICTURES["RGB"], {"compression": "tiff_lzw"}),
    "deflate": (PICTURES["I;16"], {"compression": "tiff_adobe_deflate"}),
    "packbits": (PICTURES["L"], {"compression": "packbits"}),
    "jpeg": (PICTURES["RGB"], {"compression": "jpeg"}),
    "group4": (PICTURES["1"], {"compression": "group4"}),
    "palette": (PICTURES["P"], {}),
    "alpha": (PICTURES["RGBA"], {}),
    "sixteen": (PICTURES["I;16"], {}),
    "float": (Image.fromarray(np.random.default_rng(0).random((9, 13)).astype(np.float32)), {}),
    "big": (PICTURES["I;16"], {"big_tiff": True}),
    "white is zero": (PICTURES["L"], {"tiffinfo": {262: 0}}),
    "turned": (PICTURES["L"], {"tiffinfo": {274: 6}}),
}


@pytest.mark.parametrize("case", TIFFS)
def test_tiff(case):
    image, options = TIFFS[case]
    tags = {270: "Smith", 315: "Smith", 306: "1912:02:03 04:05:06", **options.get("tiffinfo", {})}
    more = [image.crop((0, 0, 6, 5)), image]
    data = saved(image, "TIFF", save_all=True, append_images=more, **{**options, "tiffinfo": tags}) + b"Smith"
    after = cleaned(data, "TIFF")
    assert b"Smith" not in after and b"1912" not in after and same_picture(data, after)


def test_big_endian_tiff():
    values = pixels(1, 6, 4, kind=np.uint16)
    entries = [(256, 3, 4), (257, 3, 6), (258, 3, 16), (262, 3, 1), (273, 4, 8), (277, 3, 1), (279, 4, 48)]
    directory = struct.pack(">H", len(entries))
    for tag, kind, value in entries:
        directory += struct.pack(">HHI", tag, kind, 1) + (
            struct.pack(">HH", value, 0) if kind == 3 else struct.pack(">I", value)
        )
    data = b"MM\0*" + struct.pack(">I", 56) + values.astype(">u2").tobytes() + directory + bytes(4)
    after = cleaned(data, "TIFF")
    assert after[:4] == b"MM\0*" and same_picture(data, after)


def test_a_tiff_that_points_in_circles_or_grows_is_refused():
    data = saved(PICTURES["L"], "TIFF")
    (at,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, at)
    circle = bytearray(data)
    struct.pack_into("<I", circle, at + 2 + 12 * count, at)
    with pytest.raises(BadInput):
        cleaned(bytes(circle), "TIFF")


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
def test_bmp(mode):
    data = saved(PICTURES[mode], "BMP")
    (offset,) = struct.unpack_from("<I", data, 10)
    hidden = bytearray(data[:offset] + b"SmithSmith!!" + data[offset:] + b"Smith")
    struct.pack_into("<I", hidden, 10, offset + 12)
    struct.pack_into("<I", hidden, 6, 4711)
    after = cleaned(bytes(hidden), "BMP")
    assert b"Smith" not in after and same_picture(data, after)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("packed", [False, True])
def test_nifti(version, packed):
    nibabel = pytest.importorskip("nibabel")
    kind = nibabel.Nifti1Image if version == 1 else nibabel.Nifti2Image
    values = pixels(3, 5, 6, 7, kind=np.int16)
    volume = kind(values, np.diag([2, 3, 4, 1]))
    for word in ("descrip", "aux_file", "intent_name"):
        volume.header[word] = b"Smith"
    volume.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", b"Smith"))
    data = volume.to_bytes() + b"Smith"
    if packed:
        out = io.BytesIO()
        with gzip.GzipFile(filename="Smith.nii", mode="wb", fileobj=out, mtime=9) as file:
            file.write(data)
        data = out.getvalue()
    after = cleaned(data, "NIFTI")
    plain = gzip.decompress(after) if packed else after
    assert (b"Smith" not in after) and (b"Smith" not in plain) and (after[:2] == b"\x1f\x8b") == packed
    again = kind.from_bytes(plain)
    assert np.array_equal(np.asarray(again.dataobj), values) and np.array_equal(again.affine, volume.affine)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "TIFF", "NIFTI", "DICOM", "GIF", ""])
def test_damaged_and_foreign_files_are_refused_in_words(kind, dicom):
    good = {"DICOM": dicom(RAMP), "NIFTI": b"\x1f\x8b" + bytes(400)}.get(kind) or saved(
        PICTURES["L"], kind if kind else "PNG"
    )
    random = np.random.default_rng(0)
    refused = 0
    for n in range(60):
        bad = bytearray(good)
        for at in random.integers(0, len(bad), 4):
            bad[at] = random.integers(0, 256)
        try:
            clean(bytes(bad[: len(bad) * (n + 1) // 61]), kind, Pseudonyms(SECRET))
        except BadInput as error:
            assert error.message and error.advice
            refused += 1
    assert refused >= 10


def test_it_is_quick():
    """Best of many, in microseconds, for files of about 10 KB: the bytes are walked over, nothing is decoded."""
    image = Image.fromarray(pixels(8, 64, 64, 3))
    for kind, options in (("PNG", {}), ("JPEG", {"quality": 95, "comment": b"x"})):
        data, codes = saved(image, kind, **options), Pseudonyms(SECRET)
        best = min(_seconds(data, kind, codes) for _ in range(50))
        assert best < 1e-3, f"{kind}: {best * 1e6:.0f} microseconds"


def _seconds(data: bytes, kind: str, codes: Pseudonyms) -> float:
    began = time.perf_counter()
    clean(data, kind, codes)
    return time.perf_counter() - began
