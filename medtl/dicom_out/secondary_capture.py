"""The picture with the heat map on it, as a Secondary Capture: any viewer shows it, nobody takes it for an image.

Colour, at the full size of the original, with the scale and the warning burned in below the picture, not over it.
"""

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from medtl.dicom_out.common import MAKER, NOT_A_DEVICE, RESEARCH, Model, Numbering, Original, Said, mark, new_uid, short
from medtl.explanation.overlay import legend, overlay

if TYPE_CHECKING:
    from pydicom import Dataset

BAND = 256  # rows
NARROWEST = 320  # pixels: less would not hold the warning
WHITE, BLACK, YELLOW = (255, 255, 255), (0, 0, 0), (255, 221, 0)


def secondary_capture(original: Original, said: Said, model: Model, numbering: Numbering) -> "Dataset":
    """Of a picture that was no DICOM file: in a study of its own, of nobody."""
    import highdicom as hd

    drawn = burned_in(original.picture, said, model)
    header = original.header
    study = str(header.StudyInstanceUID) if header is not None else new_uid()
    more = {} if header is None else {
        "patient_id": header.PatientID,
        "patient_name": header.PatientName,
        "patient_birth_date": header.PatientBirthDate,
        "patient_sex": header.PatientSex or None,
        "accession_number": header.AccessionNumber,
        "study_id": header.StudyID,
        "study_date": header.StudyDate or None,
        "study_time": header.StudyTime or None,
        "referring_physician_name": header.ReferringPhysicianName,
    }  # fmt: skip
    made = hd.sc.SCImage(
        pixel_array=drawn,
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        patient_orientation=("L", "F"),  # replaced below: it is said only where the original says it
        study_instance_uid=study,
        manufacturer=MAKER,
        **numbering.next(study, "overlay"),
        **more,
    )
    stated = header.get("PatientOrientation") if header is not None else None
    made.PatientOrientation = list(stated) if stated is not None and len(stated) == 2 else []
    made.ConversionType = "WSD"
    made.Modality = "OT"
    made.BurnedInAnnotation = "YES"
    made.LossyImageCompression = "00"
    made.DerivationDescription = short(f"{said.method} map for {said.label} laid over the picture. {RESEARCH}", 1024)
    made.ImageComments = short(f"{RESEARCH}. {NOT_A_DEVICE} Model: {model.title} ({model.run}).", 1000)
    made.SecondaryCaptureDeviceManufacturer = MAKER
    made.SecondaryCaptureDeviceManufacturerModelName = MAKER
    made.SecondaryCaptureDeviceSoftwareVersions = short(model.version)
    if header is not None:
        _refer(made, header, original.frame)
    else:
        made.PatientIdentityRemoved, made.DeidentificationMethod = "YES", "MedTL: no identity was given"
    mark(made, "overlay", header)
    return made


def _refer(made: "Dataset", header: "Dataset", frame: int | None) -> None:
    from pydicom import Dataset
    from pydicom.sr.codedict import codes

    from medtl.dicom_out.references import coded

    source = Dataset()
    source.ReferencedSOPClassUID = header.SOPClassUID
    source.ReferencedSOPInstanceUID = header.SOPInstanceUID
    if frame is not None:
        source.ReferencedFrameNumber = frame + 1
    source.PurposeOfReferenceCodeSequence = [coded(codes.DCM.SourceImageForImageProcessingOperation)]
    made.SourceImageSequence = [source]


# ---- drawing --------------------------------------------------------------------------------------------------------


def burned_in(picture: np.ndarray, said: Said, model: Model) -> np.ndarray:
    """(H, W[, 3]) -> (H', W', 3): the overlay, and below it a strip with what it is, the scale and the warning.

    H' is H and the strip; W' is W, or NARROWEST with black at the right. Every pixel of the picture is seen.
    """
    height, width = picture.shape[:2]
    strip = _strip(max(width, NARROWEST), said, model)
    canvas = np.zeros((height + strip.shape[0], strip.shape[1], 3), np.uint8)
    share = said.at(height, width)
    for top in range(0, height, BAND):  # a film of 50 megapixels at once would take gigabytes
        rows = slice(top, min(top + BAND, height))
        canvas[rows, :width] = overlay(picture[rows], share[rows])
    canvas[height:] = strip
    return canvas


def _strip(width: int, said: Said, model: Model) -> np.ndarray:
    size = int(np.clip(width / 42, 11, 40))
    font = ImageFont.load_default(size)
    pad = size // 2
    words = (
        (RESEARCH, YELLOW),
        (f"{said.method} for “{short(said.label)}” · {short(model.title)} · {model.run} · {MAKER}", WHITE),
    )
    lines = [(line, colour) for text, colour in words for line in _wrapped(text, font, width - 2 * pad)]
    step = int(size * 1.35)
    image = Image.new("RGB", (width, pad * 3 + step * (len(lines) + 2)), BLACK)
    draw = ImageDraw.Draw(image)
    for number, (line, colour) in enumerate(lines):
        draw.text((pad, pad + number * step), line, fill=colour, font=font)
    top = pad * 2 + len(lines) * step
    scale = Image.fromarray(legend(step, width - 2 * pad))
    image.paste(scale, (pad, top))
    draw.text((pad, top + step), "looked least", fill=WHITE, font=font)
    most = "looked most"
    draw.text((width - pad - font.getlength(most), top + step), most, fill=WHITE, font=font)
    return np.asarray(image)


def _wrapped(text: str, font: "ImageFont.FreeTypeFont | ImageFont.ImageFont", width: float) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
