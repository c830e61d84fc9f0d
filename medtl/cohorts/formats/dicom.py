"""Reads a DICOM file into uint8 pictures, the way a viewer would show them. What names somebody stays in `Identity`.

It knows what a file may hold and what may be said of it. How pixels are packed is in `transfer`, how grey values and
palettes become a picture in `rendering`.
"""

import logging
import math
import re
import struct
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

import numpy as np

from medtl.cohorts import limits
from medtl.cohorts.deidentify.attributes import kept
from medtl.cohorts.formats import lookup, transfer
from medtl.cohorts.formats.images import (
    Decoded,
    Identity,
    NoImage,
    Picture,
    Unsupported,
    check_total,
    chosen,
    grey_if_equal,
    read_bytes,
)
from medtl.cohorts.formats.rendering import (
    Palette,
    Rendering,
    Rescale,
    Window,
    WindowFunction,
    eight_bits,
)
from medtl.errors import BadInput
from medtl.vocabulary import WINDOWS, Reading

if TYPE_CHECKING:
    from pydicom import Dataset

CONVERT = transfer.EXPORT
COLOURS = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
GREYS = ("MONOCHROME1", "MONOCHROME2")
MACROS = ("PixelValueTransformationSequence", "FrameVOILUTSequence", "PixelMeasuresSequence")
MAKER, MODEL, MODALITY, VIEW, BODY = 0x00080070, 0x00081090, 0x00080060, 0x00185101, 0x00180015
OLDEST = 90  # HIPAA 45 CFR 164.514(b)(2)(i)(C): so few are older that the number would name them
CODE = re.compile(r"[A-Z0-9_]{1,16}")  # a code string without blanks (PS3.5 6.2, CS)

# Files that are in order and hold no picture: by SOP class, then by modality.
DIRECTORY = "1.2.840.10008.1.3.10"
NO_PICTURE = {
    "SR": "a report",
    "KO": "a list of chosen images",
    "PR": "how another image is to be shown",
    "RTPLAN": "a radiotherapy plan",
    "RTSTRUCT": "outlines for radiotherapy",
    "RTRECORD": "a record of radiotherapy",
    "REG": "how two images lie to each other",
    "FID": "marked points",
    "DOC": "a document",
    "M3D": "a model for printing",
    "PLAN": "a plan",
    "AU": "sound",
    **dict.fromkeys(("ECG", "EPS", "HD", "RESP", "EEG", "EMG", "EOG"), "curves such as an ECG"),
}
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"  # a picture of a screen or a print; its kinds are .1 to .4 below it
ULTRASOUND = ("US", "IVUS")
DATES = ("AcquisitionDate", "StudyDate", "ContentDate")

# What pydicom raises at a value that is not what its kind should be.
MALFORMED = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RuntimeError, OSError, struct.error)

# pydicom's warnings quote values, and values may be names: they must not reach a log.
warnings.filterwarnings("ignore", module=r"pydicom(\.|$)")
for _name in ("pydicom", "pylibjpeg", "openjpeg", "rle"):
    logging.getLogger(_name).setLevel(logging.CRITICAL + 1)


def read(source: Path | str | bytes, how: Reading = Reading()) -> Decoded:
    """One picture of a DICOM file: of many, the middle one. Raises BadInput as `pictures`."""
    data = source if isinstance(source, bytes) else read_bytes(Path(source))
    return next(pictures(data, Reading("middle", how.window, how.slices)))


def pictures(data: bytes, how: Reading = Reading()) -> Iterator[Decoded]:
    """The pictures of a DICOM file, one at a time.

    Raises BadInput with the reason; its text never quotes what stands in the file. `NoImage`: it holds no picture;
    `Unsupported`: it holds one in a form that nothing here unpacks. With many frames it may come late.
    """
    try:
        yield from _pictures(data, how)
    except (BadInput, MemoryError):
        raise
    except Exception as error:  # pydicom and its decoders raise anything at all on damaged files
        raise BadInput("The DICOM file is damaged, cut short, or not DICOM.", "Export it again.") from error


def _pictures(data: bytes, how: Reading) -> Iterator[Decoded]:
    dataset = transfer.parse(data)
    _check(dataset)
    count = _frames(dataset)
    wanted = chosen(count, how)
    check_total(len(wanted), len(wanted) * dataset.Columns * dataset.Rows)
    identity, facts = _identity(dataset), _facts(dataset, len(data))
    group = identity.series or identity.study or ("file" if count > 1 else "")
    for index, frame in zip(wanted, transfer.frames(dataset, wanted, count), strict=True):
        places = _places(dataset, index)
        picture = _picture(dataset, places, frame, how)
        more = {**facts, "spacing": _spacing(places)}
        yield Decoded(picture, more, identity, index if count > 1 else None, group)


# ---- what can be known before a pixel is touched --------------------------------------------------------------------


def _check(dataset: "Dataset") -> None:
    if not any(word in dataset for word in transfer.PIXELS):
        raise _no_image(dataset)
    rows, columns = _side(dataset, "Rows"), _side(dataset, "Columns")
    if not _colours(dataset):
        raise BadInput("The DICOM file does not say whether its small values are black, white or a colour.", CONVERT)
    if _colours(dataset) not in (*GREYS, *COLOURS, "PALETTE COLOR"):
        raise Unsupported("The colour model of the DICOM image is not one that is read.", CONVERT)
    samples = _integer(dataset, "SamplesPerPixel", 1)
    if samples not in (1, 3):
        raise Unsupported(f"The DICOM image has {samples} values a pixel; 1 or 3 can be read.", CONVERT)
    if (samples == 3) != (_colours(dataset) in COLOURS):
        raise BadInput("The colour model of the DICOM image does not fit its values.", CONVERT)
    if rows * columns * samples * _integer(dataset, "BitsAllocated", 16) // 8 > limits.FILE_BYTES:
        raise BadInput("The DICOM image is larger than can be read.", CONVERT)


def _no_image(dataset: "Dataset") -> BadInput:
    """In order and without a picture, or a picture whose pixels were lost on the way."""
    advice = "Leave it out; add the image files only."
    modality = _code(dataset, "Modality")
    if "DirectoryRecordSequence" in dataset or _sop_class(dataset) == DIRECTORY:
        return NoImage("There is no image in the DICOM file: it is a list of other files (DICOMDIR).", advice)
    if modality in NO_PICTURE:
        return NoImage(f"There is no image in the DICOM file: it holds {NO_PICTURE[modality]} ({modality}).", advice)
    if "Rows" in dataset or "BitsAllocated" in dataset:
        return BadInput("The pixels of the DICOM file are missing: it is cut short.", "Export or copy it again.")
    if not len(dataset):
        return BadInput("The DICOM file is damaged, cut short, or not DICOM.", "Export it again.")
    return NoImage("There is no image in the DICOM file" + (f" (modality {modality})." if modality else "."), advice)


def _frames(dataset: "Dataset") -> int:
    try:
        count = _integer(dataset, "NumberOfFrames", 1)
    except MALFORMED as error:
        raise BadInput("The DICOM file does not say properly how many frames it holds.", CONVERT) from error
    if count < 0:
        raise BadInput("The DICOM file does not say properly how many frames it holds.", CONVERT)
    return max(1, count)


def _colours(dataset: "Dataset") -> str:
    """The photometric interpretation."""
    return _text(dataset, "PhotometricInterpretation")


def _side(dataset: "Dataset", word: str) -> int:
    if word not in dataset or dataset[word].VR != "US":
        raise BadInput(f"The DICOM file does not say its size properly ({word}).", CONVERT)
    side = _integer(dataset, word, 0)
    if not 2 <= side <= limits.DICOM_SIDE:
        raise BadInput(f"The DICOM image has {word} = {side}; 2 to {limits.DICOM_SIDE} can be read.", CONVERT)
    return side


def _integer(dataset: "Dataset", word: str, default: int) -> int:
    value = dataset.get(word, default)
    return default if value is None or value == "" else int(value)


# ---- from a frame to a picture --------------------------------------------------------------------------------------


def _places(dataset: "Dataset", index: int) -> "tuple[Dataset, ...]":
    """Where the words of one frame stand, nearest first: what is said of this frame, of all frames, of the file.

    Enhanced multi-frame images keep windows, rescale and spacing in functional groups (PS3.3 C.7.6.16).
    """
    found: list[Dataset] = []
    per_frame = _items(dataset, "PerFrameFunctionalGroupsSequence")
    groups = [*per_frame[index : index + 1], *_items(dataset, "SharedFunctionalGroupsSequence")[:1]]
    for group in groups:
        for macro in MACROS:
            found += _items(group, macro)[:1]
    return (*found, dataset)


def _items(dataset: "Dataset", word: str) -> "Sequence[Dataset]":
    try:
        value = dataset.get(word)
        return value if value is not None and not isinstance(value, (str, bytes)) and len(value) else ()
    except MALFORMED:
        return ()


def _picture(dataset: "Dataset", places: "Sequence[Dataset]", frame: transfer.Frame, how: Reading) -> Picture:
    if frame.colours == "PALETTE COLOR":
        return grey_if_equal(_palette(dataset)(frame.values))
    if frame.values.ndim == 3:
        if frame.colours != "RGB":
            raise Unsupported("The colours of the DICOM image cannot be turned into red, green and blue.", CONVERT)
        return grey_if_equal(eight_bits(frame.values, _integer(dataset, "BitsStored", 8)))
    return _rendering(dataset, places, how)(frame.values)


def _rendering(dataset: "Dataset", places: "Sequence[Dataset]", how: Reading) -> Rendering:
    """PresentationLUTShape INVERSE goes with MONOCHROME1 (PS3.3 C.8.11.3.1.2) and is not a second inversion."""
    modality = _modality(dataset, places)
    return Rendering(
        modality,
        _preset(dataset, places, modality, how) or _voi(dataset, places),
        _colours(dataset) == "MONOCHROME1",
        _padding(dataset),
    )


def _modality(dataset: "Dataset", places: "Sequence[Dataset]") -> Rescale | lookup.Table:
    for place in places:
        for item in _items(place, "ModalityLUTSequence")[:1]:
            return _table(item, dataset)
        slope, intercept = _number(place, "RescaleSlope"), _number(place, "RescaleIntercept")
        if slope and intercept is not None:
            return Rescale(slope, intercept)
    return Rescale()


def _preset(
    dataset: "Dataset", places: "Sequence[Dataset]", modality: Rescale | lookup.Table, how: Reading
) -> Window | None:
    """A CT window by name, for CT in Hounsfield units only: never for other modalities, nor for a scout view."""
    preset = WINDOWS.get(how.window)
    kind = next((text for place in places if (text := _text(place, "RescaleType"))), "HU")
    scout = "LOCALIZER" in _text(dataset, "ImageType")
    rescaled = isinstance(modality, Rescale) and modality != Rescale()
    hounsfield = _code(dataset, "Modality") == "CT" and rescaled and kind in ("HU", "HU_MOD") and not scout
    return Window(*preset) if preset and hounsfield else None


def _voi(dataset: "Dataset", places: "Sequence[Dataset]") -> Window | lookup.Table | None:
    """The first table, or else the first window: where a maker gives both, the window only comes near the table."""
    for place in places:
        for item in _items(place, "VOILUTSequence")[:1]:
            if "LUTDescriptor" in item and "LUTData" in item:
                return _table(item, dataset)
        window = _window(place)
        if window is not None and window.usable:
            return window
    return None


def _window(place: "Dataset") -> Window | None:
    centre, width = _number(place, "WindowCenter"), _number(place, "WindowWidth")
    if centre is None or width is None:
        return None
    function = _text(place, "VOILUTFunction")
    known = cast(WindowFunction, function) if function in get_args(WindowFunction) else "LINEAR"
    return Window(centre, width, known)


def _table(item: "Dataset", dataset: "Dataset") -> lookup.Table:
    return lookup.table(item.get("LUTDescriptor"), item.get("LUTData"), transfer.little_endian(dataset))


def _padding(dataset: "Dataset") -> tuple[float, float] | None:
    value, limit = (_number(dataset, word) for word in ("PixelPaddingValue", "PixelPaddingRangeLimit"))
    return None if value is None else (value, value if limit is None else limit)


def _palette(dataset: "Dataset") -> Palette:
    little = transfer.little_endian(dataset)
    tables = []
    for colour in ("Red", "Green", "Blue"):
        descriptor = dataset.get(f"{colour}PaletteColorLookupTableDescriptor")
        plain = dataset.get(f"{colour}PaletteColorLookupTableData")
        pieces = dataset.get(f"Segmented{colour}PaletteColorLookupTableData")
        if plain is None and pieces is None:
            raise lookup.bad("missing")
        made = lookup.table(descriptor, plain, little) if plain else lookup.segmented(descriptor, pieces, little)
        tables.append(made)
    return Palette(*tables)


# ---- what may be said of it -----------------------------------------------------------------------------------------


def _facts(dataset: "Dataset", size: int) -> dict[str, Any]:
    """What may be kept: of texts and terms only what the cleaned file will say as well. No names and no dates."""
    sex = _text(dataset, "PatientSex")
    side = _text(dataset, "ImageLaterality") or _text(dataset, "Laterality")
    said = kept(dataset, (MAKER, MODEL, MODALITY, VIEW, BODY))
    return {
        "width": _integer(dataset, "Columns", 0),
        "height": _integer(dataset, "Rows", 0),
        "mode": _colours(dataset),
        "format": "DICOM",
        "bytes": size,
        "age": _age(_text(dataset, "PatientAge")),
        "sex": sex if sex in ("F", "M", "O") else None,
        "modality": said[MODALITY] or None,
        "scanner": f"{said[MAKER]} {said[MODEL]}".strip()[:100] or None,
        "view": said[VIEW],
        "side": side if side in ("L", "R") else "",
        "body": said[BODY],
        "burned_in": _burned_in(dataset),
    }


def _burned_in(dataset: "Dataset") -> str:
    """Whether somebody's name may stand in the pixels: "yes", "likely" or "".

    Ultrasound and pictures of a screen need a person's eye whatever the file says of itself.
    """
    said = _text(dataset, "BurnedInAnnotation")
    modality, sop = _code(dataset, "Modality"), _sop_class(dataset)
    if said == "YES":
        return "yes"
    captured = modality == "SC" or sop == SECONDARY_CAPTURE or sop.startswith(f"{SECONDARY_CAPTURE}.")
    if captured or modality in ULTRASOUND:
        return "likely"
    return "likely" if modality == "XA" and said != "NO" else ""


def _sop_class(dataset: "Dataset") -> str:
    return _text(dataset, "SOPClassUID") or _text(getattr(dataset, "file_meta", {}), "MediaStorageSOPClassUID")


def _identity(dataset: "Dataset") -> Identity:
    """For making codes of; it is never stored and never shown."""
    return Identity(
        patient=_text(dataset, "PatientID") or _text(dataset, "PatientName"),
        study=_text(dataset, "StudyInstanceUID"),
        series=_text(dataset, "SeriesInstanceUID"),
        instance=_text(dataset, "SOPInstanceUID"),
        institution=_text(dataset, "InstitutionName") or _text(dataset, "StationName"),
        date=next((said for word in DATES if (said := _text(dataset, word))), ""),
    )


def _spacing(places: "Sequence[Dataset]") -> list[float] | None:
    """mm between rows and between columns."""
    for place in places:
        for word in ("PixelSpacing", "ImagerPixelSpacing"):
            try:
                found = [round(float(mm), 4) for mm in place.get(word) or ()]
            except MALFORMED:
                continue
            if len(found) == 2 and all(math.isfinite(mm) and mm > 0 for mm in found):
                return found
    return None


def _age(text: str) -> int | None:
    """`045Y` -> 45, `018M` -> 1; at most `OLDEST`."""
    number, unit = text.strip()[:-1], text.strip()[-1:].upper()
    if not (number.isascii() and number.isdigit()) or unit not in ("Y", "M", "W", "D"):
        return None
    years = int(int(number) / {"Y": 1, "M": 12, "W": 52.18, "D": 365.25}[unit])
    return min(years, OLDEST)


def _text(dataset: Any, word: str) -> str:
    """A value as text, several parted by a backslash; "" when it is absent or malformed: no picture is lost for it."""
    try:
        value = dataset.get(word)
        several = value is not None and not isinstance(value, (str, bytes)) and hasattr(value, "__iter__")
        text = "\\".join(map(str, value)) if several and word != "PatientName" else str(value or "")
    except MALFORMED:
        return ""
    return text.replace("\0", "").strip()


def _code(dataset: "Dataset", word: str) -> str:
    text = _text(dataset, word)
    return text if CODE.fullmatch(text) else ""


def _number(dataset: "Dataset", word: str) -> float | None:
    """The first number of a value; None when there is none."""
    try:
        value = dataset.get(word)
        first = value if isinstance(value, (str, int, float)) or value is None else next(iter(value), None)
        number = None if first in (None, "") else float(cast(Any, first))
    except MALFORMED:
        return None
    return number if number is not None and np.isfinite(number) else None
