"""How a DICOM file is written (its transfer syntax): from bytes to a data set, and from packed pixels to stored values.

It knows every way of packing and nothing of what the values mean. Nothing is unpacked further than the file's own
header allows, and whatever cannot be unpacked is named with its transfer syntax and with what to do about it.
"""

import io
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from medtl.cohorts.formats.images import Unsupported
from medtl.cohorts.formats.inflating import inflated
from medtl.errors import BadInput

if TYPE_CHECKING:
    from pydicom import Dataset
    from pydicom.dataset import FileMetaDataset

PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")

STANDARD = "1.2.840.10008.1.2"
EXPLICIT = f"{STANDARD}.1"
DEFLATED_FILE = f"{STANDARD}.1.99"
DEFLATED_FRAMES = f"{STANDARD}.8.1"
RLE = f"{STANDARD}.5"
JPEG_EXTENDED = f"{STANDARD}.4.51"
JPEG_LS = (f"{STANDARD}.4.80", f"{STANDARD}.4.81")
JPEG = tuple(f"{STANDARD}.4.{n}" for n in (50, 51, 57, 70))
# Decoders that pydicom knows, the safest first. All that know a syntax agree to the last bit on the files we have;
# GDCM ends the whole process at some damaged files, so it is asked only where nobody else can answer.
DECODERS = ("pillow", "pylibjpeg", "pydicom", "gdcm")
ON_A_SERVER = tuple(f"{STANDARD}.4.{n}" for n in (94, 95, 204, 205))
FILM = tuple(f"{STANDARD}.4.{n}" for n in (100, 101, 102, 103, 104, 105, 106, 107, 108)) + tuple(
    f"{STANDARD}.7.{n}" for n in (1, 2, 3)
)
NEWER = {  # in the standard, not yet in every list of names
    DEFLATED_FRAMES: "Deflated Image Frame Compression",
    f"{STANDARD}.4.110": "JPEG XL Lossless",
    f"{STANDARD}.4.111": "JPEG XL JPEG Recompression",
    f"{STANDARD}.4.112": "JPEG XL",
}
EXPORT = "Export it again as an uncompressed or JPEG 2000 image, or as PNG."


@dataclass(frozen=True)
class Frame:
    """One frame as it was stored. `colours` is the photometric interpretation after unpacking: YBR has become RGB."""

    values: NDArray[Any]  # (H, W) or (H, W, 3)
    colours: str


def parse(data: bytes) -> "Dataset":
    """The data set of a file, with a transfer syntax stated in its `file_meta` even where the file states none.

    `dcmread` would inflate a deflated file first and ask later: 306 KB became 671 MB. So the header, which is never
    packed, is looked at before, and the rest is unpacked with a limit.
    """
    from pydicom import dcmread
    from pydicom.filereader import read_dataset

    file = io.BytesIO(data)
    meta = _meta(file)
    if str(meta.get("TransferSyntaxUID", "") or "").strip() == DEFLATED_FILE:
        dataset: Dataset = read_dataset(io.BytesIO(inflated(file.read())), False, True)
        dataset.file_meta = meta
    else:
        dataset = dcmread(io.BytesIO(data), force=True)
    _state_syntax(dataset)
    return dataset


def frames(dataset: "Dataset", wanted: Sequence[int], count: int) -> Iterator[Frame]:
    """The wanted frames of `count`, in rising order, one in memory at a time."""
    syntax = str(dataset.file_meta.TransferSyntaxUID).strip()
    _check_known(syntax)
    _quiet_decoders()
    if not _encapsulated(syntax):
        for index in wanted:
            yield _native(dataset, syntax, index, count)
        return
    left = list(wanted)
    for index, packed in enumerate(_packed(dataset, count, syntax)):
        if not left:
            return
        if index == left[0]:
            left.pop(0)
            yield _unpacked(dataset, packed, syntax)
    if left:
        raise BadInput(f"Frame {left[0] + 1} of {count} is missing from the DICOM file: it is cut short.", EXPORT)


def named(syntax: str) -> str:
    """The name and the UID of a transfer syntax in the standard; what else stands there is not repeated."""
    from pydicom.uid import UID

    name = NEWER.get(syntax) or UID(syntax).name
    return f"{name}, {syntax}" if name != syntax else "a private or unknown transfer syntax"


def little_endian(dataset: "Dataset") -> bool:
    """The order of the bytes in the words of this file."""
    syntax = dataset.file_meta.TransferSyntaxUID
    return bool(syntax.is_little_endian) if syntax.is_transfer_syntax else True


# ---- the file -------------------------------------------------------------------------------------------------------


def _meta(file: io.BytesIO) -> "FileMetaDataset":
    """Group 0002, with or without the preamble, read as `dcmread` reads it; leaves `file` at what follows."""
    from pydicom.dataset import FileMetaDataset
    from pydicom.filereader import read_dataset

    file.seek(128)
    start = 132 if file.read(4) == b"DICM" else 0

    def group(implicit: bool) -> FileMetaDataset:
        file.seek(start)
        found = read_dataset(file, implicit, True, stop_when=lambda tag, vr, length: tag >> 16 != 2)
        return FileMetaDataset(found)

    meta = group(implicit=False)
    try:
        for tag in list(meta.keys())[:1]:
            meta[tag]
    except NotImplementedError:  # no such kind of value: written without kinds
        meta = group(implicit=True)
    return meta


def _state_syntax(dataset: "Dataset") -> None:
    """Files without a meta header: pydicom found out how they are written, but its decoder asks the header."""
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    if getattr(dataset, "file_meta", None) is None:
        dataset.file_meta = FileMetaDataset()
    if not dataset.file_meta.get("TransferSyntaxUID"):
        implicit, little = dataset.original_encoding
        explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit


def _check_known(syntax: str) -> None:
    """Raises Unsupported for pixels that nothing here unpacks."""
    from pydicom.pixels import get_decoder

    if syntax in FILM:
        raise _unsupported(syntax, "It is a film: export the frames that matter as single images.")
    if syntax in ON_A_SERVER:
        raise _unsupported(syntax, "Its pixels stayed on a server: export the file together with its pixels.")
    if syntax == DEFLATED_FRAMES:
        return
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError as error:
        raise _unsupported(syntax) from error
    if not decoder.is_available:
        raise _unsupported(syntax)


def _unsupported(syntax: str, advice: str = "", because: str = "") -> Unsupported:
    tool = "dcmdjpls" if syntax in JPEG_LS else "dcmdjpeg" if syntax in JPEG else ""
    convert = "Convert it to an uncompressed file, for example with gdcmconv --raw" + (f" or {tool}." if tool else ".")
    reason = f"The pixels of the DICOM file are packed in a way that is not read ({named(syntax)}){because}."
    return Unsupported(reason, advice or convert)


def _encapsulated(syntax: str) -> bool:
    from pydicom.uid import UID

    return syntax == DEFLATED_FRAMES or bool(UID(syntax).is_encapsulated)


@cache
def _quiet_decoders() -> None:
    """GDCM speaks of damaged files on the error stream."""
    try:
        import gdcm  # type: ignore[import-untyped]
    except ImportError:
        return
    gdcm.Trace.WarningOff()
    gdcm.Trace.ErrorOff()
    gdcm.Trace.DebugOff()


# ---- pixels as they are ---------------------------------------------------------------------------------------------


def _native(dataset: "Dataset", syntax: str, index: int, count: int) -> Frame:
    from pydicom.pixels import get_decoder

    try:
        return _frame(get_decoder(syntax).as_array(dataset, index=index), dataset)
    except (BadInput, MemoryError):
        raise
    except Exception as error:
        which = f" (frame {index + 1} of {count})" if count > 1 else ""
        raise BadInput(
            f"The pixels of the DICOM file do not fit its description{which}: damaged or cut short.", EXPORT
        ) from error


def _frame(decoded: tuple[NDArray[Any], dict[str, Any]], dataset: "Dataset") -> Frame:
    values, said = decoded
    if values.shape[:2] != (dataset.Rows, dataset.Columns):
        raise BadInput("The pixels of the DICOM file do not fit its description.", EXPORT)
    return Frame(values, str(said["photometric_interpretation"]))


# ---- packed pixels --------------------------------------------------------------------------------------------------


def _packed(dataset: "Dataset", count: int, syntax: str) -> Iterator[bytes]:
    from pydicom.encaps import generate_frames

    offsets, lengths = dataset.get("ExtendedOffsetTable"), dataset.get("ExtendedOffsetTableLengths")
    extended = (offsets, lengths) if offsets and lengths and len(offsets) == len(lengths) else None
    try:
        yield from generate_frames(dataset.PixelData, number_of_frames=count, extended_offsets=extended)
    except Exception as error:
        raise _damaged(syntax) from error


def _damaged(syntax: str) -> BadInput:
    return BadInput(
        f"The pixels of the DICOM file cannot be unpacked ({named(syntax)}): damaged or cut short.",
        "Export or copy it again.",
    )


def _unpacked(dataset: "Dataset", packed: bytes, syntax: str) -> Frame:
    """One frame. A picture inside that is larger than the file says is refused before it is unpacked."""
    stated = _stated(packed)
    if stated is None and syntax in (*JPEG, *JPEG_LS):  # GDCM would end the process
        raise _damaged(syntax)
    _check_stated(stated, dataset)
    try:
        if syntax == DEFLATED_FRAMES:
            return _plain(dataset, inflated(packed, _frame_bytes(dataset) + 1))
        if syntax == RLE and dataset.BitsAllocated == 1:
            return _plain(dataset, _run_lengths(packed, _frame_bytes(dataset)))
        if syntax == JPEG_EXTENDED and stated is not None and stated.bits == 12:
            return _twelve_bits(dataset, packed)
        return _decoded(dataset, packed, syntax)
    except (BadInput, MemoryError):
        raise
    except Exception as error:
        if syntax in JPEG_LS and dataset.BitsStored in (6, 7):
            raise _unsupported(syntax, because=" with 6 or 7 bits a pixel") from error
        raise _damaged(syntax) from error


def _decoded(dataset: "Dataset", packed: bytes, syntax: str) -> Frame:
    from pydicom.encaps import encapsulate
    from pydicom.pixels import get_decoder

    decoder = get_decoder(syntax)
    plugin = next(name for name in _preferred(syntax) if name in decoder.available_plugins)
    wrapped = encapsulate([packed], has_bot=False)
    try:
        return _frame(decoder.as_array(wrapped, index=0, decoding_plugin=plugin, **_options(dataset)), dataset)
    except BaseException as error:
        if type(error).__module__ == "pyo3_runtime":  # a decoder written in Rust ran over an end; it is no Exception
            raise ValueError("the decoder stopped") from error
        raise


def _preferred(syntax: str) -> tuple[str, ...]:
    """Pillow only for JPEG: it cannot read JPEG 2000 in colour with more than 8 bits."""
    return DECODERS if syntax in JPEG else tuple(name for name in DECODERS if name != "pillow")


def _plain(dataset: "Dataset", data: bytes) -> Frame:
    """One unpacked frame as bytes, little endian."""
    from pydicom.pixels import get_decoder

    words = {**_options(dataset), "pixel_keyword": "PixelData", "pixel_vr": "OW"}
    return _frame(get_decoder(EXPLICIT).as_array(data, index=0, **words), dataset)


def _options(dataset: "Dataset") -> dict[str, Any]:
    from pydicom.pixels.utils import as_pixel_options

    options: dict[str, Any] = as_pixel_options(dataset, number_of_frames=1)
    options.pop("extended_offsets", None)
    return options


def _frame_bytes(dataset: "Dataset") -> int:
    return ceil(dataset.Rows * dataset.Columns * dataset.SamplesPerPixel * dataset.BitsAllocated / 8)


def _run_lengths(packed: bytes, size: int) -> bytes:
    """One segment of PackBits (PS3.5 G.3), for pictures of one bit a pixel, which the decoders refuse."""
    segments, start = struct.unpack_from("<LL", packed)
    if segments != 1:
        raise ValueError("one segment was expected")
    found = bytearray()
    at = start
    while len(found) < size:
        head = packed[at]
        if head < 128:
            found += packed[at + 1 : at + head + 2]
            at += head + 2
        else:
            found += packed[at + 1 : at + 2] * (257 - head if head > 128 else 0)
            at += 2 if head > 128 else 1
    return bytes(found[:size])


def _twelve_bits(dataset: "Dataset", packed: bytes) -> Frame:
    """Twelve-bit JPEG Extended. pydicom leaves it out; asked directly, GDCM unpacks it.

    Two such files, read with GDCM, have the values at two points that pydicom's authors once read off another viewer.
    """
    if dataset.SamplesPerPixel != 1:
        raise _unsupported(JPEG_EXTENDED, because=" with 12 bits a pixel and in colour")
    try:
        import gdcm
    except ImportError as error:
        raise _unsupported(JPEG_EXTENDED, because=" with 12 bits a pixel") from error
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(packed)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((dataset.Columns, dataset.Rows, 1))
    image.SetDataElement(element)
    grey = gdcm.PhotometricInterpretation.GetPIType("MONOCHROME2")
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(grey))
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(JPEG_EXTENDED)))
    image.SetPixelFormat(gdcm.PixelFormat(1, 16, 12, 11, 0))
    buffer = image.GetBuffer().encode("utf-8", "surrogateescape")  # its bytes come as text
    values = np.frombuffer(buffer, "<u2").reshape(dataset.Rows, dataset.Columns)
    if dataset.PixelRepresentation == 1:
        values = (values << 4).view("<i2") >> 4
    return Frame(values, str(dataset.PhotometricInterpretation))


@dataclass(frozen=True)
class _Stated:
    """What a packed picture says of itself. `rows` 0: it tells only at its end."""

    rows: int
    columns: int
    bits: int
    colours: int


def _check_stated(stated: _Stated | None, dataset: "Dataset") -> None:
    if stated is None:
        return
    if (stated.rows and stated.rows != dataset.Rows) or stated.columns != dataset.Columns:
        raise BadInput("The picture inside the DICOM file has another size than the file says.", EXPORT)
    if stated.bits > dataset.BitsAllocated or stated.colours != dataset.SamplesPerPixel:
        raise BadInput("The picture inside the DICOM file is of another kind than the file says.", EXPORT)


def _stated(packed: bytes) -> _Stated | None:
    """For JPEG, JPEG-LS and JPEG 2000; None where the picture says nothing."""
    if packed[:2] == b"\xff\xd8":
        return _stated_by_jpeg(packed)
    at = packed.find(b"\xff\x4f\xff\x51", 0, 4096)  # a raw code stream, or one wrapped as a JP2 file
    if at < 0 or len(packed) < at + 43:
        return None
    right, bottom, left, top = struct.unpack_from(">4L", packed, at + 8)
    (colours,) = struct.unpack_from(">H", packed, at + 40)
    return _Stated(bottom - top, right - left, (packed[at + 42] & 0x7F) + 1, colours)


def _stated_by_jpeg(packed: bytes) -> _Stated | None:
    at = 2
    while at + 10 <= len(packed) and packed[at] == 0xFF:
        marker, length = packed[at + 1], int.from_bytes(packed[at + 2 : at + 4], "big")
        if (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)) or marker == 0xF7:
            bits, rows, columns, colours = struct.unpack_from(">BHHB", packed, at + 4)
            return _Stated(rows, columns, bits, colours)
        at += 1 if marker == 0xFF else 2 + length  # 0xFF may stand before a marker any number of times
    return None
