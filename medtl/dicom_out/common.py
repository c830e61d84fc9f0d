"""What all our DICOM objects share: who made them, what they are about, how they are numbered, how they are written.

An object is in the study of the image it is about, in a series of its kind, and never replaces anything: its UIDs are
new. Patient and study are said as the header it is given says them (kept, or coded; `cohorts.formats.header`).
"""

import hashlib
import io
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from PIL import Image

import medtl
from medtl.errors import BadInput
from medtl.workspace import write_whole

if TYPE_CHECKING:
    from pydicom import Dataset

    from medtl.runs.results import Result

Kind = Literal["overlay", "region", "contour", "report"]
Identity = Literal["keep", "remove"]
Region = Literal["binary", "fractional"]
KINDS: tuple[Kind, ...] = get_args(Kind)
NUMBERS: dict[Kind, int] = {"overlay": 9701, "region": 9702, "contour": 9703, "report": 9704}  # of our series
SERIES: dict[Kind, str] = {
    "overlay": "Where the network looked (research use)",
    "region": "Where the network looked, region (research use)",
    "contour": "Where the network looked, contour (research use)",
    "report": "What a model said (research use)",
}

MAKER = "MedTL"
SCHEME = "99MEDTL"  # our own codes (PS3.16 8.2: private designators begin with 99)
OURS = "2.25.222107262716339812346517298312705346193"  # implementation class UID, as of the files a cohort keeps
RESEARCH = "RESEARCH USE - where the network looked, not where the disease is"
NOT_A_DEVICE = "Research use only. Not a medical device. Nothing here may decide about a patient."
TEXT = 64  # characters of a code's meaning and of most names (VR LO, and CodeMeaning)


@dataclass(frozen=True)
class Original:
    """The image that was asked about: `picture` uint8 (H, W) or (H, W, 3) at full size.

    `header` is None where it was no DICOM file; then the objects are in a study of their own. `frame` counts from 0;
    `range` is the darkest and brightest value as stored, None where it is coloured; `burned_in`: a name may be in it.
    """

    picture: np.ndarray
    header: "Dataset | None"
    frame: int | None
    range: tuple[float, float] | None = None
    burned_in: bool = False


@dataclass(frozen=True)
class Model:
    """Which model said it. `result` holds its threshold and what it reached on its test part."""

    run: str
    title: str
    result: "Result"
    weights: str = ""  # sha256 of its weights

    @property
    def version(self) -> str:
        return f"{medtl.__version__} {self.run}"


@dataclass(frozen=True)
class Said:
    """An answer as `prediction.as_dict` gives it, with its map, if there is an honest one."""

    answer: Mapping[str, Any]
    label: str = ""
    method: str = ""
    layer: str = ""
    values: np.ndarray | None = None  # (h, w) float32 in [0, 1]

    @staticmethod
    def of(answer: Mapping[str, Any]) -> "Said":
        """`answer["explanation"]` is a `HeatMap` as a dict; a map that is empty or invalid is not drawn."""
        heat = answer.get("explanation")
        if not isinstance(heat, Mapping):
            return Said(answer)
        values = np.asarray(heat.get("values"), np.float32) if heat.get("state") == "ok" else None
        if values is not None and (values.ndim != 2 or not np.isfinite(values).all()):
            values = None
        return Said(answer, str(heat.get("label", "")), str(heat.get("method", "")), str(heat.get("layer", "")), values)

    def at(self, height: int, width: int) -> np.ndarray:
        """(height, width) float32 in [0, 1]: the map stretched to the picture, as the overlay shows it."""
        assert self.values is not None
        smooth = Image.fromarray(self.values).resize((width, height), Image.Resampling.BILINEAR)
        return np.clip(np.asarray(smooth, np.float32), 0, 1)


@dataclass(frozen=True)
class Written:
    """One file. `kind` "overlay" is a Secondary Capture, "region" a segmentation, "contour" a presentation state,
    "report" a structured report."""

    path: Path
    kind: Kind
    sop_class: str
    sop_instance: str
    study: str
    bytes: int

    def as_dict(self) -> dict[str, Any]:
        return {
            "file": str(self.path), "kind": self.kind, "sop_class": self.sop_class, "sop_instance": self.sop_instance,
            "study": self.study, "bytes": self.bytes,
        }  # fmt: skip


@dataclass
class Numbering:
    """Series and instance numbers of the objects that are made together: one series a study and kind."""

    series: dict[tuple[str, Kind], str] = field(default_factory=dict)
    counts: dict[tuple[str, Kind], int] = field(default_factory=dict)

    def next(self, study: str, kind: Kind) -> dict[str, Any]:
        """The words by which every highdicom object is placed."""
        key = (study, kind)
        self.series.setdefault(key, new_uid())
        self.counts[key] = self.counts.get(key, 0) + 1
        return {
            "series_instance_uid": self.series[key],
            "series_number": NUMBERS[kind],
            "sop_instance_uid": new_uid(),
            "instance_number": self.counts[key],
        }


def new_uid() -> str:
    from pydicom.uid import generate_uid

    return str(generate_uid(prefix=None))  # 2.25 and a random UUID (PS3.5 B.2)


def made_by() -> dict[str, Any]:
    """Who made it, in the words of highdicom."""
    return {
        "manufacturer": MAKER,
        "manufacturer_model_name": MAKER,
        "software_versions": medtl.__version__,
        "device_serial_number": "none",
    }


def header_of(said: Mapping[str, Any] | None) -> "Dataset | None":
    """The data set of a header in DICOM JSON, with what every object must say (empty where it is not known)."""
    if said is None:
        return None
    from pydicom import Dataset

    try:
        header = Dataset.from_json(dict(said))
    except Exception as error:
        raise BadInput("The header of the DICOM file is damaged.", "Export it again.") from error
    header.SpecificCharacterSet = "ISO_IR 192"  # JSON is UTF-8, whatever the file was in
    for word in (
        "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID",
        "AccessionNumber", "ReferringPhysicianName",
    ):  # fmt: skip
        if word not in header:
            setattr(header, word, "")
    if not header.get("ImageType"):
        header.ImageType = ["ORIGINAL", "PRIMARY"]
    _mend(header)
    return header


def _mend(header: "Dataset") -> None:
    """What breaks the standard is left unsaid: an object of ours would carry the fault on, or could not be made."""
    from pydicom.valuerep import DA, TM

    if header.PatientSex not in ("F", "M", "O"):
        header.PatientSex = ""
    for word, kind in (("PatientBirthDate", DA), ("StudyDate", DA), ("StudyTime", TM)):
        try:
            kind(header.get(word) or "")
        except (ValueError, TypeError):
            setattr(header, word, "")
    for word, count in (("PixelSpacing", 2), ("ImagerPixelSpacing", 2), ("ImageOrientationPatient", 6)):
        value = header.get(word)
        if word in header and (isinstance(value, (str, int, float)) or value is None or len(value) != count):
            del header[word]
    lies = ("FrameOfReferenceUID", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing")
    if any(not header.get(word) for word in lies):  # how it lies in space is said whole or not at all
        for word in (*lies[:3], "PositionReferenceIndicator"):
            if word in header:
                del header[word]
    if not header.get("RescaleSlope") or header.get("RescaleIntercept") is None:
        for word in ("RescaleSlope", "RescaleIntercept", "RescaleType"):
            if word in header:
                del header[word]


def code(value: str, meaning: str) -> Any:
    """A code of our own. `value` at most 16 characters (VR SH)."""
    from highdicom.sr import CodedConcept

    return CodedConcept(value[:16], SCHEME, short(meaning))


def code_of(name: str) -> str:
    """A short code for a name of the user's, such as a class."""
    return hashlib.sha256(name.encode()).hexdigest()[:12]


def short(text: str, most: int = TEXT) -> str:
    """Without what breaks a DICOM text: backslash, control characters, too many characters."""
    plain = " ".join("".join(c if c.isprintable() and c != "\\" else " " for c in text).split())
    return plain if len(plain) <= most else plain[: most - 3] + "..."


def mark(dataset: "Dataset", kind: Kind, header: "Dataset | None") -> None:
    """Says what series it is and in which letters it is written, and gives on what the header says beside."""
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SeriesDescription = SERIES[kind]
    words = ["StudyDescription", "PatientAge", "PatientIdentityRemoved", "DeidentificationMethod"]
    if kind != "report":  # a report has no body part
        words.append("BodyPartExamined")
    for word in words:
        if header is not None and header.get(word) and word not in dataset:
            setattr(dataset, word, header.get(word))
    if kind in ("overlay", "contour"):
        _side(dataset, header)


def _side(dataset: "Dataset", header: "Dataset | None") -> None:
    """Left or right; empty where nobody says even which part of the body it is (PS3.3 C.7.3.1, type 2C)."""
    said = (header.get("Laterality") or header.get("ImageLaterality")) if header is not None else None
    if said or not dataset.get("BodyPartExamined"):
        dataset.Laterality = said or ""
    elif "Laterality" in dataset:
        del dataset.Laterality


@contextmanager
def quiet() -> Iterator[None]:
    """Warnings of highdicom quote names of patients: they must not reach a log."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def write(dataset: "Dataset", kind: Kind, out: Path, stem: str) -> Written:
    """Write beside and rename; nothing is overwritten."""
    from pydicom.uid import UID

    dataset.file_meta.ImplementationClassUID = UID(OURS)
    dataset.file_meta.ImplementationVersionName = "MEDTL"
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{stem}-{kind}.dcm"
    number = 2
    while path.exists():
        path, number = out / f"{stem}-{kind}-{number}.dcm", number + 1
    write_whole(path, buffer.getvalue())
    return Written(
        path, kind, str(dataset.SOPClassUID), str(dataset.SOPInstanceUID), str(dataset.StudyInstanceUID),
        len(buffer.getvalue()),
    )  # fmt: skip
