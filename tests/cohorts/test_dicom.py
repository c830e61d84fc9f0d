import io
import sys
from collections import Counter

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_voi_lut

from medtl.cohorts import limits
from medtl.cohorts.deidentify import clean
from medtl.cohorts.formats import dicom as reader
from medtl.cohorts.formats import images, transfer
from medtl.cohorts.formats.images import NoImage, Unsupported
from medtl.cohorts.pseudonyms import Pseudonyms
from medtl.errors import BadInput
from medtl.vocabulary import WINDOWS, Reading
from tests.cohorts import made_dicom as made

pytestmark = pytest.mark.filterwarnings("ignore")  # libraries speak of damaged files
RAMP = np.arange(48, dtype=np.uint16).reshape(6, 8) * 100


# ---- grey -----------------------------------------------------------------------------------------------------------


def test_without_a_window_the_full_range_is_shown(dicom):
    pixels = reader.read(dicom(RAMP)).pixels
    assert (pixels.min(), pixels.max()) == (0, 255)
    assert (np.diff(pixels.ravel().astype(int)) > 0).all()


@pytest.mark.parametrize(
    "words", [{}, {"WindowCenter": 2000, "WindowWidth": 1000}, {"PresentationLUTShape": "INVERSE"}]
)
def test_monochrome1_is_inverted_exactly_once(words, dicom):
    plain = reader.read(dicom(RAMP, **words)).pixels
    inverted = reader.read(dicom(RAMP, PhotometricInterpretation="MONOCHROME1", **words)).pixels
    assert np.array_equal(inverted, 255 - plain)


def test_rescale_comes_before_the_window(dicom):
    """Stored 0..4700, rescaled to -1000..3700; a window of 400 around 40 shows soft tissue (PS3.3 C.11.2.1.2.1)."""
    words = {"RescaleSlope": 1, "RescaleIntercept": -1000, "WindowCenter": [40, 500], "WindowWidth": [400, 2000]}
    pixels = reader.read(dicom(RAMP, **words)).pixels.ravel()
    hounsfield = RAMP.ravel().astype(float) - 1000
    expected = np.clip((hounsfield - 39.5) / 399 + 0.5, 0, 1) * 255
    assert np.abs(pixels - expected).max() <= 0.5


@pytest.mark.parametrize("function", ["SIGMOID", "LINEAR_EXACT"])
def test_other_window_functions_follow_their_formula(function, dicom):
    words = {"WindowCenter": 2000, "WindowWidth": 1000, "VOILUTFunction": function}
    pixels = reader.read(dicom(RAMP, **words)).pixels.ravel()
    x = RAMP.ravel().astype(float)
    sigmoid, exact = 1 / (1 + np.exp(-4 * (x - 2000) / 1000)), np.clip((x - 2000) / 1000 + 0.5, 0, 1)
    assert np.abs(pixels - 255 * (sigmoid if function == "SIGMOID" else exact)).max() <= 0.51


def test_a_window_of_no_width_is_passed_over(dicom):
    assert np.array_equal(
        reader.read(dicom(RAMP, WindowCenter=5, WindowWidth=0)).pixels, reader.read(dicom(RAMP)).pixels
    )


def table(values, bits, first=0):
    return made.with_items(LUTDescriptor=[len(values), first, bits], LUTData=np.asarray(values, np.uint16).tobytes())


def test_a_table_of_values_of_interest_is_used_and_comes_before_a_window(dicom):
    tens = [min(255, 10 * n) for n in range(48)]
    words = {"WindowCenter": 5, "WindowWidth": 2}
    data = dicom(np.arange(48, dtype=np.uint16).reshape(6, 8), VOILUTSequence=[table(tens, 8)], **words)
    assert reader.read(data).pixels.ravel().tolist() == tens


def test_a_modality_table_comes_before_the_window(dicom):
    squares = [n * n for n in range(48)]
    words = {"WindowCenter": 100, "WindowWidth": 101, "ModalityLUTSequence": [table(squares, 16)]}
    pixels = reader.read(dicom(np.arange(48, dtype=np.uint16).reshape(6, 8), **words)).pixels.ravel()
    assert np.abs(pixels - 255 * np.clip((np.array(squares) - 99.5) / 100 + 0.5, 0, 1)).max() <= 0.5


def test_signed_values_and_padding(dicom):
    pixels = np.array([[-2000, -100], [0, 100]], np.int16)
    read = reader.read(dicom(pixels, PixelPaddingValue=-2000)).pixels
    assert read.tolist() == [[0, 0], [128, 255]]
    ranged = reader.read(dicom(pixels, PixelPaddingValue=-2000, PixelPaddingRangeLimit=-100)).pixels
    assert ranged.tolist() == [[0, 0], [0, 255]]


# ---- CT windows -----------------------------------------------------------------------------------------------------

HOUNSFIELD = {"Modality": "CT", "RescaleSlope": 1, "RescaleIntercept": -1000, "RescaleType": "HU"}


@pytest.mark.parametrize("name", [name for name, window in WINDOWS.items() if window])
def test_a_ct_window_by_name_is_laid_over_hounsfield_units(name, dicom):
    centre, width = WINDOWS[name]
    pixels = reader.read(dicom(RAMP, WindowCenter=0, WindowWidth=9, **HOUNSFIELD), Reading(window=name)).pixels.ravel()
    expected = np.clip((RAMP.ravel() - 1000.0 - (centre - 0.5)) / (width - 1) + 0.5, 0, 1) * 255
    assert np.abs(pixels - expected).max() <= 0.5


@pytest.mark.parametrize(
    "words",
    [
        {"Modality": "MR"},
        {"RescaleType": "US"},
        {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]},
        {"RescaleSlope": 1, "RescaleIntercept": 0},
    ],
)
def test_no_ct_window_is_laid_over_anything_else(words, dicom):
    data = dicom(RAMP, **{**HOUNSFIELD, **words})
    assert np.array_equal(reader.read(data, Reading(window="lung")).pixels, reader.read(data).pixels)


# ---- colour ---------------------------------------------------------------------------------------------------------


def test_colour_stays_colour_and_equal_channels_become_grey(dicom, noise):
    colour = noise(3, (6, 8, 3))
    assert np.array_equal(reader.read(dicom(colour)).pixels, colour)
    assert reader.read(dicom(np.stack([colour[..., 0]] * 3, -1))).pixels.shape == (6, 8)


def palette(bits, segmented=False, **more):
    """Red rises, green falls, blue is always the same."""
    kind = np.uint8 if bits == 8 else np.uint16
    full = 255 if bits == 8 else 65_535
    words = {}
    ramps = {"Red": (0, full), "Green": (full, 0), "Blue": (full // 2, full // 2)}
    for name, (start, end) in ramps.items():
        plain = np.round(np.linspace(start, end, 16))
        pieces = np.array([0, 1, start, 1, 15, end])
        word = f"Segmented{name}PaletteColorLookupTableData" if segmented else f"{name}PaletteColorLookupTableData"
        words[word] = (pieces if segmented else plain).astype(kind).tobytes()
        words[f"{name}PaletteColorLookupTableDescriptor"] = [16, 0, bits]
    return {"PhotometricInterpretation": "PALETTE COLOR", **words, **more}


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("segmented", [False, True])
def test_a_palette_gives_colours(bits, segmented, dicom):
    stored = np.arange(16, dtype=np.uint8).reshape(2, 8)
    pixels = reader.read(dicom(stored, **palette(bits, segmented))).pixels.reshape(16, 3)
    steps = np.arange(16) * 17
    assert np.abs(pixels[:, 0] - steps).max() <= 1
    assert np.abs(pixels[:, 1] - steps[::-1]).max() <= 1
    assert set(pixels[:, 2]) == {127}


@pytest.mark.parametrize(
    "words",
    [
        {"GreenPaletteColorLookupTableData": b"\0\0"},
        {"RedPaletteColorLookupTableDescriptor": [16, 0, 99]},
        {"BluePaletteColorLookupTableDescriptor": None},
    ],
)
def test_a_bad_palette_is_refused(words, dicom):
    """Orthanc CVE-2026-5443 and its kind: a palette that is shorter than it says."""
    with pytest.raises(BadInput, match="table"):
        reader.read(dicom(np.arange(16, dtype=np.uint8).reshape(2, 8), **palette(8, **words)))


def test_stored_values_outside_a_palette_get_its_ends(dicom):
    stored = np.array([[3, 200], [15, 16]], np.uint8)
    pixels = reader.read(dicom(stored, **palette(8))).pixels
    assert np.array_equal(pixels[0, 1], pixels[1, 0]) and np.array_equal(pixels[0, 1], pixels[1, 1])


@pytest.mark.parametrize(
    "words",
    [{"PhotometricInterpretation": "YBR_PARTIAL_422"}, {"PhotometricInterpretation": "HSV"}],
)
def test_colours_that_cannot_be_told_are_named(words, dicom, noise):
    with pytest.raises(Unsupported, match="colour"):
        reader.read(dicom(noise(3, (6, 8, 3)), **words))


# ---- frames ---------------------------------------------------------------------------------------------------------


def clip(count=5, **words):
    frames = np.arange(count, dtype=np.uint8)[:, None, None] * 10 + np.arange(48, dtype=np.uint8).reshape(6, 8)
    return made.plain(frames, Frames=count, **words)


def test_every_frame_is_a_picture_and_they_stay_together():
    read = list(images.read_all(clip(SeriesInstanceUID="1.2.9"), "a.dcm"))
    assert [one.frame for one in read] == [0, 1, 2, 3, 4]
    assert {one.group for one in read} == {"1.2.9"}
    assert {one.group for one in images.read_all(clip(), "a.dcm")} == {"file"}


def test_the_middle_frame_or_evenly_spaced_ones():
    assert [one.frame for one in images.read_all(clip(), "a.dcm", Reading(frames="middle"))] == [2]
    assert [one.frame for one in images.read_all(clip(9), "a.dcm", Reading(slices=3))] == [1, 4, 7]
    assert images.read(clip(), "a.dcm").frame == 2


def test_a_single_frame_has_no_number_and_is_grouped_by_its_series(dicom):
    read = reader.read(dicom(RAMP, SeriesInstanceUID="1.2.9", StudyInstanceUID="1.2.8"))
    assert (read.frame, read.group) == (None, "1.2.9")
    assert reader.read(dicom(RAMP, StudyInstanceUID="1.2.8")).group == "1.2.8"
    assert reader.read(dicom(RAMP)).group == ""


def test_frames_are_unpacked_one_at_a_time(monkeypatch):
    """The first is there before the second is looked at, so that memory does not grow with their number."""
    seen = []
    real = transfer._native
    monkeypatch.setattr(transfer, "_native", lambda *args: seen.append(args[2]) or real(*args))
    next(images.read_all(clip(), "a.dcm"))
    assert seen == [0]


def test_too_many_frames_are_refused_before_one_is_unpacked(monkeypatch):
    monkeypatch.setattr(transfer, "frames", lambda *_: pytest.fail("it was unpacked"))
    with pytest.raises(BadInput, match="megapixels"):
        next(images.read_all(clip(NumberOfFrames=limits.FRAME_PIXELS // 48 + 1), "a.dcm"))


def test_each_frame_of_an_enhanced_image_has_its_own_window_and_rescale():
    def group(centre, intercept):
        return made.with_items(
            FrameVOILUTSequence=[made.with_items(WindowCenter=centre, WindowWidth=11)],
            PixelValueTransformationSequence=[made.with_items(RescaleSlope=1, RescaleIntercept=intercept)],
        )

    shared = made.with_items(PixelMeasuresSequence=[made.with_items(PixelSpacing=[0.5, 0.25])])
    data = made.plain(
        np.tile(np.arange(48, dtype=np.uint8).reshape(6, 8), (3, 1, 1)),
        Frames=3,
        PerFrameFunctionalGroupsSequence=[group(10, 0), group(20, 0), group(20, -10)],
        SharedFunctionalGroupsSequence=[shared],
        WindowCenter=1,
        WindowWidth=1,
    )
    read = list(images.read_all(data, "a.dcm"))
    for one, start in zip(read, (4.5, 14.5, 24.5), strict=True):  # where the window begins, in stored values
        expected = np.clip((np.arange(48) - start) / 10, 0, 1) * 255
        assert np.abs(one.pixels.ravel() - expected).max() <= 0.5
        assert one.facts["spacing"] == [0.5, 0.25]


# ---- what is said of it ---------------------------------------------------------------------------------------------

SAID = {
    "PatientName": "ZZPHI^NAME",
    "PatientID": "ZZPHI-1",
    "PatientBirthDate": "19200101",
    "StudyDate": "20200101",
    "AcquisitionDate": "20200102",
    "PatientAge": "097Y",
    "PatientSex": "F",
    "InstitutionName": "ZZPHI-2",
    "Manufacturer": "Acme",
    "ManufacturerModelName": "One",
    "PixelSpacing": [0.2, 0.3],
    "ViewPosition": "MLO",
    "ImageLaterality": "L",
    "BodyPartExamined": "BREAST",
    "StudyInstanceUID": "1.2.8",
    "SeriesInstanceUID": "1.2.9",
    "SOPInstanceUID": "1.2.10",
}


def test_facts_hold_no_name_and_no_date_and_old_age_is_capped(dicom):
    read = reader.read(dicom(**SAID))
    assert "ZZPHI" not in repr(read.facts) and "1920" not in repr(read.facts) and "2020" not in repr(read.facts)
    words = ("age", "sex", "scanner", "modality", "spacing", "view", "side", "body")
    assert {key: read.facts[key] for key in words} == {
        "age": 90,
        "sex": "F",
        "scanner": "Acme One",
        "modality": "US",
        "spacing": [0.2, 0.3],
        "view": "MLO",
        "side": "L",
        "body": "BREAST",
    }


def test_what_names_somebody_is_in_the_identity_only(dicom):
    read = reader.read(dicom(**SAID))
    assert read.identity == images.Identity("ZZPHI-1", "1.2.8", "1.2.9", "1.2.10", "ZZPHI-2", "20200102")
    assert read.patient_id == "ZZPHI-1"
    nameless = reader.read(dicom(PatientName="ZZPHI^NAME", StationName="S", ContentDate="20200103")).identity
    assert (nameless.patient, nameless.institution, nameless.date) == ("ZZPHI^NAME", "S", "20200103")


def test_text_that_is_no_code_is_not_kept(dicom):
    words = {"ViewPosition": "by Dr A", "BodyPartExamined": "CHEST 2", "ImageLaterality": "left", "Modality": "x y"}
    facts = reader.read(dicom(**words)).facts
    assert (facts["view"], facts["body"], facts["side"], facts["modality"]) == ("", "", "", None)


def test_facts_say_of_the_machine_and_the_body_what_the_cleaned_file_says(dicom):
    """Anybody can type anything into these, and pattern and terms are the same in both places."""
    words = {
        "PatientName": "Zebulon^Anna",
        "Manufacturer": "Acme",
        "ManufacturerModelName": "Zebulon 9",
        "ViewPosition": "MUSTERFRAU",
        "BodyPartExamined": "MUSTERFRAU",
        "Modality": "MUSTERFRAU",
    }
    data = dicom(**words)
    facts = reader.read(data).facts
    assert (facts["scanner"], facts["view"], facts["body"], facts["modality"]) == ("Acme", "", "", None)
    after = dcmread(io.BytesIO(clean(data, "DICOM", Pseudonyms(b"secret")).data))
    assert after.Manufacturer == "Acme" and not after.ManufacturerModelName
    assert not after.ViewPosition and not after.BodyPartExamined and not after.Modality
    numbered = dicom(Manufacturer="Acme", ManufacturerModelName="room 12345", BodyPartExamined="C SPINE")
    assert (reader.read(numbered).facts["scanner"], reader.read(numbered).facts["body"]) == ("Acme", "C SPINE")
    foreign = dicom(SpecificCharacterSet="ISO_IR 192", Manufacturer="Müller")
    assert reader.read(foreign).facts["scanner"] is None


CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"


@pytest.mark.parametrize(
    ("modality", "sop", "said", "expected"),
    [
        ("CT", CT_IMAGE, "YES", "yes"),
        ("CT", CT_IMAGE, "NO", ""),
        ("CT", CT_IMAGE, None, ""),
        ("US", CT_IMAGE, None, "likely"),
        ("US", CT_IMAGE, "NO", "likely"),
        ("OT", CAPTURE, "NO", "likely"),
        ("OT", f"{CAPTURE}.4", None, "likely"),
        ("OT", CT_IMAGE, None, ""),
        ("XA", CT_IMAGE, None, "likely"),
        ("XA", CT_IMAGE, "NO", ""),
    ],
)
def test_where_a_name_may_stand_in_the_pixels(modality, sop, said, expected, dicom):
    words = {"Modality": modality, "SOPClassUID": sop} | ({"BurnedInAnnotation": said} if said else {})
    assert reader.read(dicom(**words)).facts["burned_in"] == expected


@pytest.mark.parametrize(("text", "age"), [("045Y", 45), ("018M", 1), ("006W", 0), ("", None), ("old", None)])
def test_age(text, age):
    assert reader._age(text) == age


def test_a_malformed_word_costs_no_picture():
    data = made.plain(RAMP, PixelSpacing=[0.25, 0.5], PatientAge="045Y")
    broken = data.replace(b"0.25\\0.5", b"0.2,\\0.5").replace(b"045Y", b"\xff\xfeY ")
    assert broken != data
    facts = reader.read(broken).facts
    assert (facts["spacing"], facts["age"]) == (None, None)


# ---- refusals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"NumberOfFrames": -3}, "frames"),
        ({"NumberOfFrames": 3}, "frame 1 of 3|missing|fit"),
        ({"Rows": 20_000}, "Rows"),
        ({"SamplesPerPixel": 2}, "values a pixel"),
        ({"SamplesPerPixel": 3}, "fit"),
        ({"PhotometricInterpretation": "WHATEVER"}, "colour model"),
        ({"PhotometricInterpretation": None}, "black"),
    ],
)
def test_what_cannot_be_read_says_why(words, says, dicom):
    with pytest.raises(BadInput, match=says):
        list(reader.pictures(dicom(**words)))


@pytest.mark.parametrize(
    ("modality", "says"), [("SR", "a report"), ("RTPLAN", "plan"), ("ECG", "ECG"), ("PR", "shown"), ("XYZ", "XYZ")]
)
def test_a_file_without_a_picture_says_what_it_holds(modality, says):
    data = made.dataset(RAMP, Modality=modality)
    for word in ("PixelData", "Rows", "Columns", "BitsAllocated"):
        delattr(data, word)
    with pytest.raises(NoImage, match=rf"no image.*{says}"):
        reader.read(made.saved(data))


def test_a_list_of_files_is_no_image():
    data = made.dataset(RAMP)
    del data.PixelData
    data.DirectoryRecordSequence = [Dataset()]
    with pytest.raises(NoImage, match="DICOMDIR"):
        reader.read(made.saved(data))


def test_pixels_that_were_lost_are_not_called_no_image():
    data = made.dataset(RAMP)
    del data.PixelData
    with pytest.raises(BadInput, match="cut short") as refused:
        reader.read(made.saved(data))
    assert not isinstance(refused.value, NoImage)


@pytest.mark.parametrize("share", [0.01, 0.25, 0.5, 0.75, 0.99])
def test_a_cut_file_is_refused(share, dicom):
    data = dicom(np.zeros((64, 64), np.uint16))
    with pytest.raises(BadInput):
        images.read(data[: int(len(data) * share)], "a.dcm")


def test_refusals_never_quote_the_file(dicom):
    data = dicom(PatientName="ZZPHI^NAME", PatientID="ZZPHI-1", PixelRepresentation=7)
    with pytest.raises(BadInput) as refused:
        reader.read(data[:-40])
    assert "ZZPHI" not in str(refused.value)


def test_reading_writes_nothing_of_the_file_to_a_log(dicom, capfd, caplog):
    bad = dicom(PatientName="ZZPHI^NAME", PatientID="ZZPHI" * 30, PatientAge="ZZPHI", WindowCenter=1, WindowWidth=2)
    reader.read(bad.replace(b"1 ", b"Z "))
    with pytest.raises(BadInput):
        reader.read(bad[:-20])
    out, err = capfd.readouterr()
    assert "ZZPHI" not in caplog.text + out + err


def test_dicom_is_found_without_an_ending_and_without_its_mark(dicom):
    data = dicom(RAMP)
    assert images.read(data, "IM.0001").facts["format"] == "DICOM"
    assert images.read(data[132:], "a.dcm").pixels.shape == (6, 8)
    assert images.read(data[132:], "IM_0001").pixels.shape == (6, 8)
    for syntax in (made.IMPLICIT, made.EXPLICIT, made.BIG_ENDIAN):
        bare = made.plain(RAMP, syntax)[len(made.header(syntax)) :]
        assert images.kind_of(bare) == "DICOM"
        assert np.array_equal(images.read(bare, "scan").pixels, reader.read(data).pixels)
    with pytest.raises(BadInput):
        images.read(data[132:], "a.png")


def hostile():
    """Orthanc's list (CVE-2026-5437 to 5445): lengths, kinds and depths that nobody would write."""
    plain = made.plain(RAMP)
    rows = plain.index(b"\x28\0\x10\0US\2\0")
    yield "UL in Rows", plain[:rows] + b"\x28\0\x10\0UL\4\0\xff\xff\xff\x7f" + plain[rows + 10 :]
    yield "a meta header of 4 GB", plain[:140] + b"\xff\xff\xff\xff" + plain[144:]
    yield "an element of 4 GB", plain[:rows] + b"\x28\0\x06\0OB\0\0\xfe\xff\xff\xff" + plain[rows:]
    for depth in (300, 5000):
        item = b"\x08\0\x40\x11SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\0\xe0\xff\xff\xff\xff"
        start = len(made.header(made.EXPLICIT))
        yield f"{depth} sequences deep", plain[:start] + item * depth + plain[start:]


@pytest.mark.parametrize("data", [data for _, data in hostile()], ids=[name for name, _ in hostile()])
def test_hostile_files_are_refused_or_read_and_never_crash(data):
    try:
        assert images.read(data, "a.dcm").pixels.shape == (6, 8)
    except BadInput as refused:
        assert refused.message and refused.advice


# ---- a broad collection ---------------------------------------------------------------------------------------------

# What another decoder would read and we do not; everything pydicom reads by itself is read.
UNSUPPORTED = {"JLSL_08_07_0_1F.dcm": "7 bits"}
BROKEN = {
    "JPEG2000-embedded-sequence-delimiter.dcm",  # bytes of the picture overwritten on purpose
    "MR_truncated.dcm",  # 8,130 of 8,192 bytes
    "badVR.dcm",  # "1A" frames
    "emri_small_jpeg_2k_lossless_too_short.dcm",  # ends within the header
    "meta_missing_tsyntax.dcm",  # pixels without a size
    "nested_priv_SQ.dcm",  # the same
}
NO_DICOM = {"LICENSE", "README", "README.txt", "zipMR.gz"}


def test_every_file_of_a_broad_collection_is_read_or_refused_in_words(shared, capsys):
    outcomes: Counter[str] = Counter()
    wrong = []
    for path in sorted((shared / "data/dicom").rglob("*")):
        if not path.is_file():
            continue
        outcome, pictures = told(path)
        outcomes[outcome] += 1
        outcomes["pictures"] += pictures
        expected = (
            "unsupported" if path.name in UNSUPPORTED
            else "damaged" if path.name in BROKEN
            else "not dicom" if path.name in NO_DICOM
            else "no image" if not has_pixels(path)
            else "decoded"
        )  # fmt: skip
        if outcome != expected:
            wrong.append((path.name, outcome, expected))
    with capsys.disabled():
        sys.stdout.write(f"\nDICOM collection: {dict(outcomes)}\n")
    assert not wrong
    assert outcomes["decoded"] >= 167 and outcomes["unsupported"] == 1


def told(path):
    """What became of a file, and how many pictures it gave."""
    try:
        read = list(images.read_all(path.read_bytes(), path.name))
        assert all(one.pixels.dtype == np.uint8 and one.pixels.ndim in (2, 3) for one in read)
        return "decoded", len(read)
    except BadInput as error:
        assert error.message and error.advice
        if isinstance(error, NoImage):
            return "no image", 0
        if isinstance(error, Unsupported):
            return "unsupported", 0
        return ("not dicom" if path.name in NO_DICOM else "damaged"), 0


def has_pixels(path):
    import pydicom

    dataset = pydicom.dcmread(path, force=True)
    return any(word in dataset for word in transfer.PIXELS)


def stored(path):
    """Stored values and data set, by pydicom alone."""
    import pydicom

    dataset = pydicom.dcmread(path, force=True)
    return dataset.pixel_array, dataset


@pytest.mark.parametrize(
    "name",
    ["CT_small.dcm", "MR_small.dcm", "693_J2KI.dcm", "examples_overlay.dcm", "JPEG2000.dcm", "mlut_18.dcm",
     "vlut_04.dcm", "RG3_J2KI.dcm", "693_UNCR.dcm", "MR2_UNCI.dcm", "J2K_pixelrep_mismatch.dcm"],
)  # fmt: skip
def test_grey_is_what_pydicom_makes_of_it(name, shared):
    """Modality LUT, VOI LUT or window by `pydicom.pixels`, then scaled to 0..255 by their nominal range."""
    path = next((shared / "data/dicom").rglob(name))
    values, dataset = stored(path)
    shown = apply_voi_lut(apply_modality_lut(values, dataset), dataset).astype(float)
    usable = "VOILUTSequence" in dataset or "WindowWidth" in dataset
    low, high = nominal(dataset) if usable else (shown.min(), shown.max())
    expected = np.clip((shown - low) / (high - low), 0, 1) * 255
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        expected = 255 - expected
    padding = dataset.get("PixelPaddingValue")
    inside = values != padding if isinstance(padding, int) else np.ones(values.shape, bool)
    assert np.abs(images.read(path).pixels.astype(float) - expected)[inside].max() <= 0.51 + (not usable)


def nominal(dataset):
    """The range that pydicom scales a window to, or the one of the table."""
    if "VOILUTSequence" in dataset:
        return 0, 2 ** dataset.VOILUTSequence[0].LUTDescriptor[2] - 1
    if "ModalityLUTSequence" in dataset:
        return 0, 2 ** dataset.ModalityLUTSequence[0].LUTDescriptor[2] - 1
    signed = dataset.PixelRepresentation
    ends = np.array([-(2 ** (dataset.BitsStored - 1)), 2 ** (dataset.BitsStored - 1) - 1])
    ends = ends if signed else np.array([0, 2**dataset.BitsStored - 1])
    slope, intercept = dataset.get("RescaleSlope"), dataset.get("RescaleIntercept")
    return tuple(ends * slope + intercept) if slope is not None and intercept is not None else tuple(ends)


@pytest.mark.parametrize("name", ["examples_palette.dcm", "OBXXXX1A_rle.dcm", "gdcm-US-ALOKA-16.dcm"])
def test_palettes_are_what_pydicom_makes_of_them(name, shared):
    path = next((shared / "data/dicom").rglob(name))
    values, dataset = stored(path)
    theirs = apply_color_lut(values, dataset)
    theirs = theirs >> 8 if theirs.dtype == np.uint16 and theirs.max() > 255 else theirs
    ours = images.read(path).pixels
    assert np.array_equal(ours if ours.ndim == 3 else np.stack([ours] * 3, -1), theirs)


@pytest.mark.parametrize(
    "alike",
    [
        ["OBXXXX1A.dcm", "OBXXXX1A_expb.dcm", "OBXXXX1A_rle.dcm"],
        ["gdcm-US-ALOKA-16.dcm", "gdcm-US-ALOKA-16_big.dcm"],
        ["SC_rgb_16bit.dcm", "SC_rgb_expb_16bit.dcm", "SC_rgb_rle_16bit.dcm"],
        ["SC_rgb_32bit_2frame.dcm", "SC_rgb_expb_32bit_2frame.dcm", "SC_rgb_rle_32bit_2frame.dcm"],
        ["liver.dcm", "liver_expb.dcm", "liver_j2k.dcm", "liver_rle.dcm", "liver_deflate.dcm"],
        ["liver_nonbyte_aligned.dcm", "liver_nonbyte_aligned_deflate.dcm", "liver_nonbyte_aligned_rle.dcm"],
        ["emri_small.dcm", "emri_small_big_endian.dcm", "emri_small_jpeg_2k_lossless.dcm", "emri_small_RLE.dcm",
         "emri_small_jpeg_ls_lossless.dcm"],
        ["MR_small.dcm", "MR_small_implicit.dcm", "MR_small_expb.dcm", "MR_small_RLE.dcm", "MR_small_jp2klossless.dcm",
         "MR_small_jpeg_ls_lossless.dcm", "MR_small_padded.dcm"],
        ["rtdose.dcm", "rtdose_expb.dcm", "rtdose_rle.dcm"],
        ["US1_UNCR.dcm", "US1_J2KR.dcm"],
    ],
    ids=lambda names: names[0],
)  # fmt: skip
def test_the_same_picture_packed_in_different_ways_is_the_same_picture(alike, shared):
    paths = [path for name in alike for path in (shared / "data/dicom").rglob(name)]
    assert len(paths) == len(alike)
    first, *others = ([one.pixels for one in images.read_all(path.read_bytes(), path.name)] for path in paths)
    for other in others:
        assert len(other) == len(first)
        assert all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize("name", ["JPEG-lossy.dcm", "JPGExtended.dcm"])
def test_twelve_bit_jpeg_has_the_values_another_viewer_shows(name, shared):
    """Two points that pydicom's tests took from OsiriX: 244 at row 420, column 140; 95 at row 230, column 120."""
    pytest.importorskip("gdcm")
    dataset = transfer.parse(next((shared / "data/dicom").rglob(name)).read_bytes())
    (frame,) = transfer.frames(dataset, [0], 1)
    assert (frame.values[420, 140], frame.values[230, 120]) == (244, 95)
