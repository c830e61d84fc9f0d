"""Reads one single-frame DICOM file into uint8 pixels, the way a viewer would show it. Keeps no name and no date.

Order (PS3.4 N.2, PS3.3 C.11): stored values -> rescale -> window -> and only then, once, MONOCHROME1 inverted.
"""

import io
import logging
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from medtl.cohorts import limits
from medtl.cohorts.images import Decoded, Picture, full_range, read_bytes
from medtl.errors import BadInput

if TYPE_CHECKING:
    from pydicom import Dataset

# Whole files (.99) or frames packed with zlib: a few kilobytes can unfold to gigabytes before anyone can look.
DEFLATED = {"1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.8.1", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"}
CONVERT = "Export it again as an uncompressed or JPEG 2000 single image, or as PNG."

# pydicom's warnings quote values, and values may be names: they must not reach a log.
warnings.filterwarnings("ignore", module=r"pydicom(\.|$)")
logging.getLogger("pydicom").setLevel(logging.CRITICAL)


def read(source: Path | str | bytes) -> Decoded:
    """Decode a DICOM file. Raises BadInput with the reason; its text never quotes what stands in the file."""
    data = source if isinstance(source, bytes) else read_bytes(Path(source))
    try:
        return _read(data)
    except BadInput:
        raise
    except Exception as error:  # pydicom and its decoders raise anything at all on damaged files
        raise BadInput("The DICOM file is damaged, cut short, or not DICOM.", "Export it again.") from error


def _read(data: bytes) -> Decoded:
    from pydicom import dcmread

    _refuse_deflated(data)
    dataset = dcmread(io.BytesIO(data), force=True)
    _check(dataset)
    return Decoded(_picture(dataset), _facts(dataset, len(data)), str(dataset.get("PatientID", "") or "").strip())


def _refuse_deflated(data: bytes) -> None:
    """Looks at group 0002 only, which is never compressed: `dcmread` would inflate first and ask later."""
    if data[128:132] != b"DICM":
        return
    from pydicom.filereader import read_dataset

    meta = read_dataset(io.BytesIO(data[132:]), False, True, stop_when=lambda tag, vr, length: tag >> 16 != 2)
    if str(meta.get("TransferSyntaxUID", "")).strip() in DEFLATED:
        raise BadInput("The DICOM file is packed in the deflated transfer syntax, which is not read.", CONVERT)


def _check(dataset: "Dataset") -> None:
    """Everything that can be known before a pixel is touched."""
    if not any(word in dataset for word in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
        kind = str(dataset.get("Modality", "")) or "unknown"
        known = f" (modality {kind})" if len(kind) <= 16 and kind.isalnum() and kind != "unknown" else ""
        raise BadInput(f"There is no image in the DICOM file{known}.", "Leave it out; add the image files only.")
    frames = _integer(dataset, "NumberOfFrames", 1)
    if frames > 1:
        raise BadInput(
            f"The DICOM file holds {frames} frames; only single images are read so far.",
            "Export the frame that shows the finding as a single image.",
        )
    if _colours(dataset) not in ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB", "YBR"):
        raise BadInput("The colour model of the DICOM image is not known.", CONVERT)
    rows, columns = _side(dataset, "Rows"), _side(dataset, "Columns")
    samples = _integer(dataset, "SamplesPerPixel", 1)
    if samples not in (1, 3):
        raise BadInput(f"The DICOM image has {samples} values a pixel; 1 or 3 can be read.", CONVERT)
    if rows * columns * samples * _integer(dataset, "BitsAllocated", 16) // 8 > limits.FILE_BYTES:
        raise BadInput("The DICOM image is larger than can be read.", CONVERT)


def _colours(dataset: "Dataset") -> str:
    """The photometric interpretation; all kinds of YBR are one to us, for the decoder makes RGB of them."""
    kind = str(dataset.get("PhotometricInterpretation", "MONOCHROME2")).strip()
    return "YBR" if kind.startswith("YBR_") else kind


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


def _picture(dataset: "Dataset") -> Picture:
    from pydicom.pixels.processing import apply_color_lut

    values = _stored(dataset)
    if _colours(dataset) == "PALETTE COLOR":
        return _eight_bits(apply_color_lut(values, dataset), 16)
    if values.ndim == 3:
        return _eight_bits(values, _integer(dataset, "BitsStored", 8))
    return _grey(dataset, values, inverted=_colours(dataset) == "MONOCHROME1")


def _stored(dataset: "Dataset") -> NDArray[Any]:
    """Stored values, (H, W) or (H, W, 3); YBR is turned to RGB."""
    from pydicom.pixels.utils import pixel_array

    _default_syntax(dataset)
    try:
        return pixel_array(dataset)
    except Exception as error:
        syntax = dataset.file_meta.TransferSyntaxUID
        packing = f" ({syntax.name})" if syntax.is_compressed and not syntax.is_private else ""
        raise BadInput(f"The pixels of the DICOM file cannot be decoded{packing}.", CONVERT) from error


def _default_syntax(dataset: "Dataset") -> None:
    """Files without a meta header: pydicom found out how they are written, but its decoder asks the header."""
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    if getattr(dataset, "file_meta", None) is None:
        dataset.file_meta = FileMetaDataset()
    if "TransferSyntaxUID" not in dataset.file_meta:
        implicit, little = dataset.original_encoding
        explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit


def _eight_bits(values: NDArray[Any], bits: int) -> Picture:
    """Colour to 0..255 by its upper 8 bits; a 16-bit palette that was filled with 8-bit values is left alone."""
    if values.dtype == np.uint8 or values.max() <= 255:
        return _grey_if_equal(values.astype(np.uint8))
    return _grey_if_equal((values.astype(np.uint32) >> max(0, bits - 8)).clip(0, 255).astype(np.uint8))


def _grey_if_equal(colour: Picture) -> Picture:
    same = np.array_equal(colour[..., 0], colour[..., 1]) and np.array_equal(colour[..., 0], colour[..., 2])
    return np.ascontiguousarray(colour[..., 0]) if same else colour


def _grey(dataset: "Dataset", stored: NDArray[Any], inverted: bool) -> Picture:
    from pydicom.pixels.processing import apply_modality_lut, apply_voi

    padding = dataset.get("PixelPaddingValue")
    outside = stored == padding if isinstance(padding, int) else np.zeros(stored.shape, bool)
    values = np.asarray(apply_modality_lut(stored, dataset)).astype(np.float32)
    window = _window(dataset)
    if window:
        grey = np.round(windowed(values, *window) * 255).astype(np.uint8)
    elif dataset.get("VOILUTSequence"):
        table = apply_voi(values.astype(np.int32), dataset)
        bits = int(dataset.VOILUTSequence[0].LUTDescriptor[2])
        grey = np.round(np.clip(table.astype(np.float32) / (2**bits - 1), 0, 1) * 255).astype(np.uint8)
    else:
        grey = full_range(values, outside)
    if inverted:
        grey = 255 - grey
    return np.where(outside, 0, grey).astype(np.uint8)


def _window(dataset: "Dataset") -> tuple[float, float, str] | None:
    """First window as (centre, width, function); None when there is none or it cannot be used."""

    def first(word: str) -> Any:
        value = dataset.get(word)
        return value[0] if value is not None and not isinstance(value, str) and hasattr(value, "__len__") else value

    centre, width = first("WindowCenter"), first("WindowWidth")
    function = str(dataset.get("VOILUTFunction") or "LINEAR").strip()
    if centre in (None, "") or width in (None, "") or float(width) < (1 if function == "LINEAR" else 1e-6):
        return None
    return float(centre), float(width), function


def windowed(values: NDArray[np.float32], centre: float, width: float, function: str) -> NDArray[np.float32]:
    """Window to [0, 1] (PS3.3 C.11.2.1.2.1 LINEAR, C.11.2.1.3.1 SIGMOID, C.11.2.1.3.2 LINEAR_EXACT)."""
    if function == "SIGMOID":
        share = 1 / (1 + np.exp(np.clip(-4 * (values - centre) / width, -80, 80)))
    elif function == "LINEAR_EXACT":
        share = np.clip((values - centre) / width + 0.5, 0, 1)
    elif width == 1:  # the ramp has no length: a step
        share = values > centre - 0.5
    else:
        share = np.clip((values - (centre - 0.5)) / (width - 1) + 0.5, 0, 1)
    return np.asarray(share, np.float32)


def _facts(dataset: "Dataset", size: int) -> dict[str, Any]:
    """What may be kept. No names, no dates, no free text but the maker and the model of the machine."""
    facts: dict[str, Any] = {
        "width": _integer(dataset, "Columns", 0),
        "height": _integer(dataset, "Rows", 0),
        "mode": _colours(dataset),
        "format": "DICOM",
        "bytes": size,
        "age": _age(str(dataset.get("PatientAge", "") or "")),
    }
    sex = str(dataset.get("PatientSex", "") or "").strip()
    scanner = " ".join(str(dataset.get(word, "") or "").strip() for word in ("Manufacturer", "ManufacturerModelName"))
    modality = str(dataset.get("Modality", "") or "").strip()
    spacing = dataset.get("PixelSpacing") or dataset.get("ImagerPixelSpacing")
    facts["sex"] = sex if sex in ("F", "M", "O") else None
    facts["modality"] = modality[:16] or None
    facts["scanner"] = scanner.strip()[:100] or None
    facts["spacing"] = [round(float(mm), 4) for mm in spacing] if spacing else None  # mm: rows, columns
    return facts


def _age(text: str) -> int | None:
    """`045Y` -> 45, `018M` -> 1. Over 89 becomes 90: so few are older that the number would name them (HIPAA)."""
    number, unit = text.strip()[:-1], text.strip()[-1:].upper()
    if not number.isdigit() or unit not in ("Y", "M", "W", "D"):
        return None
    years = int(int(number) / {"Y": 1, "M": 12, "W": 52.18, "D": 365.25}[unit])
    return min(years, 90)
