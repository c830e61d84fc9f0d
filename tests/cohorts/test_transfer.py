"""Ways of packing. Each is written here and must come back as it was; the shared files are in `test_dicom`."""

import struct

import numpy as np
import pydicom.filereader
import pytest

from medtl.cohorts import limits
from medtl.cohorts.formats import transfer
from medtl.cohorts.formats.images import Unsupported
from medtl.errors import BadInput
from tests.cohorts import made_dicom as made

pytestmark = pytest.mark.filterwarnings("ignore")  # pydicom speaks of odd files
GREY = np.random.default_rng(1).integers(0, 4096, (66, 70)).astype(np.uint16)
SIGNED = GREY.astype(np.int16) - 2000
COLOUR = np.random.default_rng(2).integers(0, 256, (66, 70, 3), np.uint8)


def frames(data, count=1, wanted=None):
    dataset = transfer.parse(data)
    return list(transfer.frames(dataset, list(range(count)) if wanted is None else wanted, count))


def values(data):
    return frames(data)[0].values


@pytest.mark.parametrize("pixels", [GREY, SIGNED, COLOUR], ids=["grey", "signed", "colour"])
@pytest.mark.parametrize("syntax", [made.IMPLICIT, made.EXPLICIT, made.BIG_ENDIAN, made.DEFLATED])
def test_plain_syntaxes_give_what_was_stored(pixels, syntax):
    assert np.array_equal(values(made.plain(pixels, syntax)), pixels)


@pytest.mark.parametrize("pixels", [GREY, SIGNED, COLOUR], ids=["grey", "signed", "colour"])
@pytest.mark.parametrize("syntax", [made.RLE, made.J2K])
def test_lossless_syntaxes_give_what_was_stored(pixels, syntax):
    assert np.array_equal(values(made.compressed(pixels, syntax)), pixels)


def test_a_jpeg_in_ybr_comes_back_as_rgb():
    smooth = np.stack(np.broadcast_arrays(np.arange(0, 256, 8)[:, None], np.arange(0, 256, 8)[None], 90), -1)
    (frame,) = frames(made.jpeg(smooth.astype(np.uint8)))
    assert frame.colours == "RGB"
    assert np.abs(frame.values.astype(int) - smooth).mean() < 4


def test_bits_beyond_those_stored_are_not_looked_at():
    dirty = GREY | 0xF000
    words = {"BitsStored": 12, "HighBit": 11}
    assert np.array_equal(values(made.plain(dirty, **words)), GREY)
    signed = values(made.plain(np.array([[0x0FFF, 0x07FF]] * 2, np.uint16), PixelRepresentation=1, **words))
    assert signed[0].tolist() == [-1, 2047]


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_pixels_may_be_floats(kind):
    pixels = np.array([[0.5, -1.5], [1e6, 0]], kind)
    data = made.dataset(pixels)
    raw = data.PixelData
    for word in ("PixelData", "PixelRepresentation", "HighBit", "BitsStored"):
        delattr(data, word)
    setattr(data, "FloatPixelData" if kind is np.float32 else "DoubleFloatPixelData", raw)
    assert np.array_equal(values(made.saved(data)), pixels)


MASK = np.random.default_rng(3).integers(0, 2, (9, 13), np.uint8)
ONE_BIT = {"BitsAllocated": 1, "BitsStored": 1, "HighBit": 0}


def test_one_bit_a_pixel_is_read_plain_in_runs_and_deflated():
    bits = np.packbits(MASK.ravel(), bitorder="little").tobytes()
    runs = struct.pack("<16L", 1, 64, *[0] * 14) + bytes([len(bits) - 1]) + bits
    assert np.array_equal(values(made.plain(MASK, PixelData=bits + b"\0", **ONE_BIT)), MASK)
    assert np.array_equal(values(made.wrapped(MASK, [runs], made.RLE, **ONE_BIT)), MASK)
    packed = made.deflated(bits)
    assert np.array_equal(values(made.wrapped(MASK, [packed], made.DEFLATED_FRAMES, **ONE_BIT)), MASK)


@pytest.mark.parametrize("syntax", [made.EXPLICIT, made.RLE, made.J2K, made.BIG_ENDIAN])
def test_frames_come_one_by_one_and_only_those_that_were_asked_for(syntax):
    clip = np.random.default_rng(4).integers(0, 256, (7, 66, 70), np.uint8)
    make = made.compressed if syntax in (made.RLE, made.J2K) else made.plain
    data = make(clip, syntax, Frames=7)
    assert np.array_equal([frame.values for frame in frames(data, 7)], clip)
    assert np.array_equal([frame.values for frame in frames(data, 7, [1, 6])], clip[[1, 6]])


def test_a_frame_that_is_missing_is_named():
    clip = np.random.default_rng(4).integers(0, 256, (3, 9, 10), np.uint8)
    data = transfer.parse(made.compressed(clip, made.RLE, Frames=3))
    data.NumberOfFrames = 5
    with pytest.raises(BadInput):
        list(transfer.frames(data, list(range(5)), 5))


# ---- bombs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("preamble", [True, False])
def test_a_deflated_file_is_never_left_to_pydicom(preamble, monkeypatch):
    """ASVS 5.0, 5.2.3: `dcmread` would unfold 306 KB to 671 MB, with and without the preamble."""
    element = b"\x09\0\x10\x10OB\0\0" + struct.pack("<L", 40 * limits.MB)
    data = made.header(made.DEFLATED) + made.deflated(element + bytes(40 * limits.MB))
    monkeypatch.setattr(pydicom.filereader.zlib, "decompress", lambda *_: pytest.fail("it was unfolded"))
    with pytest.raises(BadInput, match="unfolds"):
        transfer.parse(data if preamble else data[132:])


@pytest.mark.parametrize("syntax", [made.J2K, made.JPEG])
def test_a_picture_larger_than_the_file_says_is_not_unpacked(syntax):
    """ASVS 5.0, 5.2.6, one floor down: the flood is in the frame."""
    pixels = GREY.astype(np.uint8)
    good = made.compressed(pixels, syntax) if syntax == made.J2K else made.jpeg(pixels)
    dataset = transfer.parse(good)
    dataset.Rows = 10
    with pytest.raises(BadInput, match="another size"):
        list(transfer.frames(dataset, [0], 1))


def test_a_deflated_frame_may_not_hold_more_than_the_frame():
    with pytest.raises(BadInput, match="unfolds"):
        values(made.wrapped(GREY, [made.deflated(bytes(10**6))], made.DEFLATED_FRAMES))


# ---- what is not read -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("syntax", "name", "advice"),
    [
        (made.JPEG_XL, "JPEG XL Lossless", "gdcmconv"),
        (made.MPEG, "MPEG2", "single images"),
        ("1.2.840.10008.1.2.4.94", "JPIP", "together"),
    ],
)
def test_what_nothing_unpacks_is_named_with_its_syntax_and_a_way_out(syntax, name, advice):
    with pytest.raises(Unsupported, match=name) as refused:
        values(made.wrapped(GREY, [b"whatever"], syntax))
    assert syntax in refused.value.message
    assert advice in refused.value.advice


def test_a_syntax_that_is_not_in_the_standard_is_not_quoted():
    with pytest.raises(Unsupported, match="private or unknown") as refused:
        values(made.wrapped(GREY, [b"whatever"], "1.2.826.0.1.99.4711"))
    assert "4711" not in str(refused.value)


def test_seven_bits_of_jpeg_ls_are_named(monkeypatch):
    start = b"\xff\xd8\xff\xf7\0\x0b" + struct.pack(">BHHB", 7, 66, 70, 1) + b"\1\x11\0"
    data = made.wrapped(GREY.astype(np.uint8), [start], "1.2.840.10008.1.2.4.80", BitsStored=7, HighBit=6)
    with pytest.raises(Unsupported, match="6 or 7 bits"):
        values(data)


def test_a_file_that_states_no_syntax_is_read_as_it_is_written():
    for syntax in (made.IMPLICIT, made.EXPLICIT, made.BIG_ENDIAN):
        file = made.plain(GREY, syntax)
        assert np.array_equal(values(file[len(made.header(syntax)) :]), GREY)


@pytest.mark.parametrize("syntax", [made.EXPLICIT, made.RLE, made.J2K])
def test_pixels_that_were_cut_are_refused(syntax):
    data = made.plain(GREY, syntax) if syntax == made.EXPLICIT else made.compressed(GREY, syntax)
    dataset = transfer.parse(data)
    dataset.PixelData = dataset.PixelData[:-60]
    with pytest.raises(BadInput):
        list(transfer.frames(dataset, [0], 1))
