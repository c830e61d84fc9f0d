"""What a DICOM object must say of the image it is about: who, which study, which image, how it lies. No pixels.

Read in a reading process, handed over as DICOM JSON (PS3.18 F), and made a data set again by who writes the object.
"""

import json
import re
from typing import TYPE_CHECKING, Any

from medtl.cohorts.formats import transfer
from medtl.errors import BadInput

if TYPE_CHECKING:
    from pydicom import Dataset

WORDS = (
    *("SpecificCharacterSet", "PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex"),
    *("PatientAge", "PatientSize", "PatientWeight", "PatientIdentityRemoved", "DeidentificationMethod"),
    *("StudyInstanceUID", "StudyDate", "StudyTime", "AccessionNumber", "StudyID", "StudyDescription"),
    *("ReferringPhysicianName", "SeriesInstanceUID", "Modality", "BodyPartExamined", "Laterality", "ImageLaterality"),
    *("FrameOfReferenceUID", "PositionReferenceIndicator", "SOPClassUID", "SOPInstanceUID", "InstanceNumber"),
    *("Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated"),
    *("BitsStored", "HighBit", "PixelRepresentation", "ImageType", "PatientOrientation", "ImageOrientationPatient"),
    *("ImagePositionPatient", "PixelSpacing", "ImagerPixelSpacing", "SliceThickness", "SpacingBetweenSlices"),
    *("RescaleSlope", "RescaleIntercept", "RescaleType", "WindowCenter", "WindowWidth", "VOILUTFunction"),
)
NEEDED = ("StudyInstanceUID", "SeriesInstanceUID", "SOPClassUID", "SOPInstanceUID")
UID = re.compile(r"(?=.{1,64}\Z)[0-9]+(\.[0-9]+)+")  # zeros in front, which the standard forbids, are common enough
MOST = 1000  # characters of one value; what is longer is no value of these words


def of(data: bytes) -> dict[str, Any]:
    """DICOM JSON of a file's header. Raises BadInput where it does not say which image it is."""
    dataset = transfer.parse(data)
    said: dict[str, Any] = {}
    for word in WORDS:
        try:
            if word in dataset:
                element = dataset[word]
                value = element.to_json_dict(None, 1024)
                if len(json.dumps(value)) <= MOST:
                    said[f"{element.tag:08X}"] = value
        except Exception:  # noqa: BLE001 - a damaged value is one that is not said
            continue
    _check(dataset, said)
    return said


def stored_range(data: bytes, frame: int | None) -> tuple[float, float] | None:
    """Darkest and brightest value as stored, padding aside; None of a coloured picture. For a viewer that must be told
    which values to show, where the file does not say."""
    dataset = transfer.parse(data)
    index = frame or 0
    count = max(1, int(dataset.get("NumberOfFrames") or 1))
    values = next(iter(transfer.frames(dataset, [index], count))).values
    if values.ndim != 2 or "PALETTE" in str(dataset.get("PhotometricInterpretation", "")):
        return None
    padding = dataset.get("PixelPaddingValue")
    seen = values[values != padding] if padding is not None else values
    return (float(seen.min()), float(seen.max())) if seen.size else None


def _check(dataset: "Dataset", said: dict[str, Any]) -> None:
    from pydicom.datadict import tag_for_keyword

    for word in NEEDED:
        told = said.get(f"{tag_for_keyword(word):08X}", {}).get("Value") or [""]
        if not UID.fullmatch(str(told[0])):
            raise BadInput(
                f"The DICOM file does not say properly which image it is ({word}), so nothing can refer to it.",
                "Export it again from the PACS, or use a picture of it.",
            )
