from contextlib import suppress

import numpy as np
import pytest
from pydicom.dataset import Dataset

from medtl.cohorts import dicom as reader
from medtl.cohorts import images
from medtl.errors import BadInput

pytestmark = pytest.mark.filterwarnings("ignore")  # libraries speak of damaged files
RAMP = np.arange(48, dtype=np.uint16).reshape(6, 8) * 100


def test_without_a_window_the_full_range_is_shown(dicom):
    pixels = reader.read(dicom(RAMP)).pixels
    assert (pixels.min(), pixels.max()) == (0, 255)
    assert (np.diff(pixels.ravel().astype(int)) > 0).all()


def test_monochrome1_is_inverted_exactly_once(dicom):
    plain = reader.read(dicom(RAMP)).pixels
    assert np.array_equal(reader.read(dicom(RAMP, PhotometricInterpretation="MONOCHROME1")).pixels, 255 - plain)


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


def test_a_table_of_values_of_interest_is_used_when_there_is_no_window(dicom):
    table = Dataset()
    table.LUTDescriptor = [48, 0, 8]
    table.LUTData = np.array([min(255, 10 * n) for n in range(48)], np.uint16).tobytes()
    data = dicom(np.arange(48, dtype=np.uint16).reshape(6, 8), VOILUTSequence=[table])
    assert reader.read(data).pixels.ravel().tolist() == [min(255, 10 * n) for n in range(48)]


def test_signed_values_and_padding(dicom):
    pixels = np.array([[-2000, -100], [0, 100]], np.int16)
    read = reader.read(dicom(pixels, PixelPaddingValue=-2000)).pixels
    assert read.tolist() == [[0, 0], [128, 255]]


def test_colour_stays_colour_and_equal_channels_become_grey(dicom, noise):
    colour = noise(3, (6, 8, 3))
    assert np.array_equal(reader.read(dicom(colour)).pixels, colour)
    assert reader.read(dicom(np.stack([colour[..., 0]] * 3, -1))).pixels.shape == (6, 8)


def test_facts_hold_no_name_and_no_date_and_old_age_is_capped(dicom):
    words = {
        "PatientName": "ZZPHI^NAME",
        "PatientID": "ZZPHI-1",
        "PatientBirthDate": "19200101",
        "StudyDate": "20200101",
        "PatientAge": "097Y",
        "PatientSex": "F",
        "InstitutionName": "ZZPHI-2",
        "Manufacturer": "Acme",
        "ManufacturerModelName": "One",
        "PixelSpacing": [0.2, 0.3],
    }
    read = reader.read(dicom(**words))
    assert "ZZPHI" not in repr(read.facts) and "1920" not in repr(read.facts) and "2020" not in repr(read.facts)
    assert {key: read.facts[key] for key in ("age", "sex", "scanner", "modality", "spacing")} == {
        "age": 90,
        "sex": "F",
        "scanner": "Acme One",
        "modality": "US",
        "spacing": [0.2, 0.3],
    }
    assert read.patient_id == "ZZPHI-1"


@pytest.mark.parametrize(("text", "age"), [("045Y", 45), ("018M", 1), ("006W", 0), ("", None), ("old", None)])
def test_age(text, age):
    assert reader._age(text) == age


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"NumberOfFrames": 3}, "3 frames"),
        ({"Rows": 20_000}, "Rows"),
        ({"SamplesPerPixel": 2}, "values a pixel"),
        ({"PhotometricInterpretation": "WHATEVER"}, "colour model"),
    ],
)
def test_what_cannot_be_read_says_why(words, says, dicom):
    with pytest.raises(BadInput, match=says):
        reader.read(dicom(**words))


def test_the_deflated_syntax_is_refused_before_anything_is_inflated(dicom, monkeypatch):
    import pydicom

    data = dicom(syntax="1.2.840.10008.1.2.1.99")
    monkeypatch.setattr(pydicom, "dcmread", lambda *_, **__: pytest.fail("it was read"))
    with pytest.raises(BadInput, match="deflated"):
        reader.read(data)


def test_a_file_without_pixels_is_named_by_its_modality(dicom):
    data = dicom(Modality="SR")
    cut = data[: data.rindex(b"\xe0\x7f\x10\x00")]
    with pytest.raises(BadInput, match=r"no image.*SR"):
        reader.read(cut)


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


def test_dicom_is_found_without_an_ending_and_by_force_with_one(dicom):
    data = dicom(RAMP)
    assert images.read(data, "IM.0001").facts["format"] == "DICOM"
    assert images.read(data[132:], "a.dcm").pixels.shape == (6, 8)
    with pytest.raises(BadInput):
        images.read(data[132:], "a.png")


def test_flipped_bytes_never_crash(dicom):
    good = dicom(RAMP, WindowCenter=5, WindowWidth=9)
    random = np.random.default_rng(0)
    for _ in range(150):
        bad = bytearray(good)
        for at in random.integers(0, len(bad), 3):
            bad[at] = random.integers(0, 256)
        with suppress(BadInput):
            assert reader.read(bytes(bad)).pixels.dtype == np.uint8


def test_every_file_of_a_broad_collection_is_read_or_refused_in_words(shared):
    read = refused = 0
    for path in sorted((shared / "data/dicom").rglob("*")):
        if path.is_file():
            try:
                pixels = images.read(path).pixels
                assert pixels.dtype == np.uint8 and pixels.ndim in (2, 3)
                read += 1
            except BadInput as error:
                assert error.message and error.advice
                refused += 1
    assert read >= 130
    assert refused >= 100
