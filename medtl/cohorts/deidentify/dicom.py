"""A DICOM file as it may be kept: read, its attributes cleaned by `attributes`, signed, and written in its own syntax.

Of the pixels it knows where they end and which of their bits are unused. It decodes none.
"""

import hashlib
import io
import re
import warnings
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from medtl.cohorts.deidentify.attributes import Cleaning, plain, read_bytes
from medtl.cohorts.deidentify.frames import blank_comments
from medtl.cohorts.deidentify.raster import Touched
from medtl.cohorts.formats.inflating import inflated
from medtl.cohorts.pseudonyms import Pseudonyms
from medtl.errors import BadInput

if TYPE_CHECKING:
    from pydicom import Dataset

OURS = "2.25.222107262716339812346517298312705346193"  # implementation class UID: a UUID of our own
DEFLATED = "1.2.840.10008.1.2.1.99"
IMPLICIT, EXPLICIT, BIG_ENDIAN = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
PATIENT_ID, STUDY, PIXEL_DATA = 0x00100020, 0x0020000D, 0x7FE00010
PIXELS = (PIXEL_DATA, 0x7FE00008, 0x7FE00009)  # integers, floats, doubles
UNDEFINED = 0xFFFFFFFF
METHOD = "MedTL, PS3.15 Annex E: basic profile, options as coded"
CODES = (  # PS3.16 CID 7050
    ("113100", "Basic Application Confidentiality Profile"),
    ("113108", "Retain Patient Characteristics Option"),
    ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
)
# Videos, JPEG XL and what refers to a server: streams that may carry texts we do not know to find.
UNSEEN = re.compile(r"MPEG|HEVC|JPIP|JPEG XL|SMPTE")
IN_FRAMES = {"1.2.840.10008.1.2.8.1", "1.2.840.10008.1.2.1.98"}  # deflated and plain frames, newer than pydicom 3.0
CONVERT = "Export it again as an uncompressed or JPEG 2000 image, or as PNG."

warnings.filterwarnings("ignore", module=r"pydicom(\.|$)")  # they quote values


def clean(data: bytes, pseudonyms: Pseudonyms, patient: str) -> tuple[bytes, Touched]:
    """Raises BadInput where there is no image, or where it is packed in a way whose inside we cannot look at."""
    dataset, syntax = _read(data)
    if not any(tag in dataset for tag in PIXELS):
        raise BadInput("There is no image in the DICOM file.", "Leave it out; add the image files only.")
    unique = hashlib.sha256(data).hexdigest()
    drawn = _drawn_bits(dataset, syntax)
    patient = patient or plain(dataset, PATIENT_ID)
    code = pseudonyms.patient(patient) or ""
    # Where nobody is named, one shift of dates for the study, else for the file.
    days = pseudonyms.days(patient or plain(dataset, STUDY) or unique)
    cleaning = Cleaning(pseudonyms.uid, pseudonyms.site, days, code)
    cleaning.run(dataset)
    _cut_pixels(dataset, syntax, drawn)
    _sign(dataset, code, pseudonyms.uid(unique))
    return _written(dataset, syntax, cleaning.unsaid), tuple(cleaning.touched)


# ---- reading and writing --------------------------------------------------------------------------------------------


def _read(data: bytes) -> tuple["Dataset", str]:
    """The data set, its elements still raw, and the transfer syntax it is to be written in."""
    from pydicom import dcmread
    from pydicom.filereader import read_dataset

    said, body = "", 0
    if data[128:132] == b"DICM":
        meta = io.BytesIO(data[132:])
        said = str(read_dataset(meta, False, True, stop_when=_beyond_meta).get("TransferSyntaxUID", "")).strip()
        body = 132 + meta.tell()
    if said == DEFLATED:  # never left to pydicom, which would inflate without end
        return dcmread(io.BytesIO(inflated(data[body:])), force=True), EXPLICIT
    dataset = dcmread(io.BytesIO(data), force=True)
    return dataset, _syntax(dataset, said or str(dataset.file_meta.get("TransferSyntaxUID", "")).strip())


def _beyond_meta(tag: Any, vr: str | None, length: int) -> bool:
    return tag >> 16 != 2


def _syntax(dataset: "Dataset", said: str) -> str:
    """What the file says for compressed pixels; else how it is really written, whatever it says."""
    if said and said not in _known_syntaxes() | IN_FRAMES:
        raise BadInput("The DICOM file is packed in a way we cannot look into.", CONVERT)
    if _in_frames(said):
        return said
    implicit, little = dataset.original_encoding
    return IMPLICIT if implicit else EXPLICIT if little else BIG_ENDIAN


def _in_frames(syntax: str) -> bool:
    from pydicom.uid import UID

    return syntax in IN_FRAMES or (bool(syntax) and UID(syntax).is_encapsulated)


@lru_cache(maxsize=1)
def _known_syntaxes() -> frozenset[str]:
    from pydicom.uid import AllTransferSyntaxes

    return frozenset(uid for uid in AllTransferSyntaxes if not UNSEEN.search(uid.name))


def _written(dataset: "Dataset", syntax: str, unsaid: bool) -> bytes:
    """With a preamble of zeros and a meta header that names our program and nobody's device (PS3.10, 7.1)."""
    from pydicom.dataset import FileMetaDataset
    from pydicom.filebase import DicomBytesIO
    from pydicom.filewriter import write_dataset, write_file_meta_info
    from pydicom.uid import UID

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = UID(syntax)
    meta.ImplementationClassUID = UID(OURS)
    meta.ImplementationVersionName = "MEDTL"
    out = DicomBytesIO()
    out.is_little_endian, out.is_implicit_VR = syntax != BIG_ENDIAN, syntax == IMPLICIT
    out.write(bytes(128) + b"DICM")
    write_file_meta_info(out, meta, enforce_standard=True)
    if unsaid and not out.is_implicit_VR:
        _say_representations(dataset)
    write_dataset(out, dataset)
    return out.getvalue()


def _say_representations(dataset: "Dataset") -> None:
    """Where a file names no value representations although its syntax demands them: take those of the dictionary."""
    from pydicom.filewriter import correct_ambiguous_vr

    for _ in dataset.iterall():
        pass  # reading an element looks its representation up
    correct_ambiguous_vr(dataset, True)


def _sign(dataset: "Dataset", code: str, instance: str) -> None:
    """Whose code it is, and that and how identifiers were removed (PS3.15 E.1.1, PS3.3 C.7.1.1 and C.12.1)."""
    from pydicom.dataset import Dataset

    codes = []
    for value, meaning in CODES:
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
        codes.append(item)
    dataset.PatientName = dataset.PatientID = code
    dataset.PatientIdentityRemoved = "YES"
    dataset.DeidentificationMethod = METHOD
    dataset.DeidentificationMethodCodeSequence = codes
    dataset.LongitudinalTemporalInformationModified = "MODIFIED"
    dataset.SOPClassUID = dataset.get("SOPClassUID") or SECONDARY_CAPTURE
    dataset.SOPInstanceUID = dataset.get("SOPInstanceUID") or instance


# ---- pixels ---------------------------------------------------------------------------------------------------------


def _cut_pixels(dataset: "Dataset", syntax: str, drawn: int) -> None:
    """Nothing behind the pixels, no comments in their streams, no drawing in bits that hold no pixel."""
    from pydicom.dataelem import RawDataElement

    element = dataset.get_item(PIXEL_DATA)
    if not isinstance(element, RawDataElement) or not element.value:
        return
    if _in_frames(syntax):
        value = blank_comments(element.value, syntax)
    elif element.length == UNDEFINED:
        raise BadInput("The DICOM file has compressed pixels and says they are not.", CONVERT)
    else:
        value = element.value[: _length(dataset, len(element.value))]
        value = _without_drawings(value, drawn, syntax) if drawn else value
    dataset[PIXEL_DATA] = element._replace(value=value)


def _length(dataset: "Dataset", length: int) -> int:
    """Bytes of uncompressed pixels, even. Raises BadInput where the file holds fewer than it says.

    Colour at half the width takes two thirds; files that say so but hold all of it are common.
    """
    rows, columns, bits = (int(dataset[word].value) for word in ("Rows", "Columns", "BitsAllocated"))
    samples, frames = int(dataset.get("SamplesPerPixel") or 1), int(dataset.get("NumberOfFrames") or 1)
    expected = (rows * columns * bits * samples * frames + 7) // 8
    if str(dataset.get("PhotometricInterpretation")).endswith("_422") and length < expected:
        expected = expected // 3 * 2
    if length < expected:
        raise BadInput("The DICOM file is cut short: there are fewer pixels than it says.", "Export it again.")
    return min(length, expected + expected % 2)


def _drawn_bits(dataset: "Dataset", syntax: str) -> int:
    """Unused bits of 16-bit pixels in which an overlay was drawn, as the standard allowed until 2004 (PS3.5, 8.1.2)."""

    def number(tag: int) -> int:
        raw = read_bytes(dataset, tag)
        return int.from_bytes(raw, "big" if syntax == BIG_ENDIAN else "little") if len(raw) == 2 else -1

    planes = {number(tag) for tag in list(dataset.keys()) if tag >> 24 == 0x60 and tag & 0xFFFF == 0x0102}
    allocated, stored, high = (number(tag) for tag in (0x00280100, 0x00280101, 0x00280102))
    if allocated != 16 or not 0 < stored <= high + 1 <= 16:
        return 0
    used = range(high + 1 - stored, high + 1)
    return sum(1 << bit for bit in planes if 0 <= bit < 16 and bit not in used)


def _without_drawings(pixels: bytes, drawn: int, syntax: str) -> bytes:
    import numpy as np

    order = ">u2" if syntax == BIG_ENDIAN else "<u2"
    values = np.frombuffer(pixels[: len(pixels) // 2 * 2], order) & np.uint16(0xFFFF & ~drawn)
    return values.astype(order).tobytes()
