"""DICOM files of made-up patients, each of a kind that lies in a PACS, and an answer about one."""

import io
from typing import Any

import numpy as np
from pydicom.uid import generate_uid

from tests.cohorts.made_dicom import dataset

CT, CR, US, US_CLIP = (f"1.2.840.10008.5.1.4.1.1.{n}" for n in ("2", "1", "6.1", "3.1"))
NAME, NUMBER, BORN = "Hollerith^Hildegard", "4711-0815", "19610411"
SIDE = (96, 128)  # rows, columns


def original(kind: str = "CT", seed: int = 0, **words: Any) -> bytes:
    """A whole file of Hildegard Hollerith; "CT" lies in space, "CR" is inverted, "US" coloured, "CLIP" has frames."""
    rng = np.random.default_rng(seed)
    base = rng.integers(20, 90, SIDE)
    base[30:60, 40:80] += 100
    pixels: np.ndarray = base.astype(np.uint16)
    more: dict[str, Any] = {"Modality": kind, "SOPClassUID": {"CT": CT, "CR": CR, "US": US, "CLIP": US_CLIP}[kind]}
    if kind == "CT":
        more |= {
            "FrameOfReferenceUID": generate_uid(), "ImagePositionPatient": [0, 0, 40], "SliceThickness": 2,
            "ImageOrientationPatient": [1, 0, 0, 0, 1, 0], "PixelSpacing": [0.7, 0.7], "RescaleSlope": 1,
            "RescaleIntercept": -1024, "RescaleType": "HU", "PositionReferenceIndicator": "", "KVP": 120,
            "AcquisitionNumber": 1, "BitsStored": 12, "HighBit": 11,
        }  # fmt: skip
    if kind == "CR":
        more |= {"PhotometricInterpretation": "MONOCHROME1", "PatientOrientation": ["L", "F"], "ViewPosition": "PA",
                 "BodyPartExamined": "CHEST"}  # fmt: skip
    if kind in ("US", "CLIP"):
        pixels = np.repeat(base.astype(np.uint8)[..., None], 3, axis=2)
        pixels[:10, :10] = (255, 0, 0)
        more |= {"Modality": "US"}
    if kind == "CLIP":
        pixels = np.stack([pixels] * 5)
        more |= {"Frames": 5, "FrameTime": 33}
    made = dataset(pixels, **more)
    for word, value in {
        "PatientName": NAME, "PatientID": NUMBER, "PatientBirthDate": BORN, "PatientSex": "F", "PatientAge": "065Y",
        "StudyInstanceUID": generate_uid(), "SeriesInstanceUID": generate_uid(), "SOPInstanceUID": generate_uid(),
        "StudyDate": "20260301", "StudyTime": "101500", "AccessionNumber": "ACC123", "StudyID": "7",
        "ReferringPhysicianName": "Arzt^Anton", "StudyDescription": "Thorax", "SeriesNumber": 1, "InstanceNumber": 3,
        "InstitutionName": "Klinikum Nirgendwo", "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
        "SeriesDate": "20260301", "SpecificCharacterSet": "ISO_IR 100", "Manufacturer": "Maker",
    }.items():  # fmt: skip
        setattr(made, word, value)
    for word, value in words.items():
        setattr(made, word, value)
    made.file_meta.MediaStorageSOPClassUID, made.file_meta.MediaStorageSOPInstanceUID = (
        made.SOPClassUID, made.SOPInstanceUID,
    )  # fmt: skip
    buffer = io.BytesIO()
    made.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def answer(**words: Any) -> dict[str, Any]:
    """As `prediction.as_dict` gives it, with a map that is high at the lower right."""
    rows, columns = np.mgrid[:7, :7] / 6
    values = np.clip(rows * columns, 0, 1)
    heat = {
        "label": "malignant", "method": "Grad-CAM", "layer": "stage 4", "values": values.tolist(), "state": "ok",
        "says": "",
    }  # fmt: skip
    return {
        "file": "image", "predicted": "malignant", "scores": {"benign": 0.2, "malignant": 0.8},
        "set": ["malignant"], "called": ["malignant"], "findings": {}, "accepted": True, "why_not": None,
        "known": None, "nearest": [], "explanation": heat,
    } | words  # fmt: skip
