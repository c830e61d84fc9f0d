"""A zip as it comes from a clinic: sizes and modes mixed, copies, a contradiction, a text that calls itself an image,
and an ultrasound with a name written into the picture. Everything is made in code; the person does not exist.
"""

import io
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from medtl.cohorts.synthetic import write_demo

NAME = "ZZDOE^JANE"
RECORD = "ZZ4711-0815"
CASES = 80


def messy_zip(folder: Path) -> Path:
    """`folder`/messy.zip; images are called IM_p012_1.png and so on, two a patient."""
    root = folder / "messy"
    write_demo(root, seed=11, cases=CASES)
    files = sorted(root.rglob("*.png"))
    for n, file in enumerate(files):
        new = file.with_name(file.name.replace("SYNTHETIC", "IM"))
        file.rename(new)
        _mixed(new, n)
    benign, malignant = (sorted((root / label).iterdir()) for label in ("benign", "malignant"))
    copy = benign[0].with_name(f"{benign[0].stem}_copy{benign[0].suffix}")
    copy.write_bytes(benign[0].read_bytes())
    (malignant[0].parent / f"IM_p001_9{benign[3].suffix}").write_bytes(benign[3].read_bytes())
    (root / "benign" / "IM_p900_1.png").write_text("This is a text, not an image.\n")
    (root / "benign" / "IM_p901_1.png").write_bytes(_png(np.zeros((192, 256), np.uint8)))
    (root / "malignant" / "IM_p902_1.dcm").write_bytes(ultrasound())
    (root / "notes.txt").write_text("Exported by the department.\n")
    with zipfile.ZipFile(folder / "messy.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(root.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(folder))
    return folder / "messy.zip"


def _mixed(file: Path, n: int) -> None:
    """One in six of each: as it is, larger, JPEG, 16 bit, colour with transparency, palette."""
    with Image.open(file) as image:
        grey = image.convert("L")
    kind = n % 6
    if kind == 1:
        grey.resize((grey.width * 2, grey.height * 2)).save(file)
    elif kind == 2:
        file.unlink()
        grey.convert("RGB").save(file.with_suffix(".jpg"), quality=92)
    elif kind == 3:
        Image.fromarray(np.asarray(grey).astype(np.uint16) * 200).save(file)
    elif kind == 4:
        Image.merge("LA", (grey, Image.new("L", grey.size, 255))).convert("RGBA").save(file)
    elif kind == 5:
        grey.convert("P").save(file)


def _png(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def ultrasound() -> bytes:
    """A single ultrasound frame whose header and whose pixels name somebody."""
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    rng = np.random.default_rng(5)
    picture = Image.fromarray(rng.integers(20, 90, (480, 640), np.uint8)).resize((640, 480))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 0, 640, 40), fill=0)
    draw.text((10, 8), NAME.replace("^", " "), fill=255, font_size=24)
    draw.ellipse((240, 180, 400, 320), fill=30)
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.6.1"
    meta.MediaStorageSOPInstanceUID = generate_uid()
    data = FileDataset(None, {}, file_meta=meta, preamble=bytes(128))
    data.SOPClassUID, data.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    data.PatientName, data.PatientID, data.PatientBirthDate, data.PatientSex = NAME, RECORD, "19500312", "F"
    data.StudyInstanceUID, data.SeriesInstanceUID = generate_uid(), generate_uid()
    data.StudyDate, data.InstitutionName, data.PatientAge = "20240102", "ZZ Hospital", "074Y"
    data.Modality, data.Manufacturer = "US", "Maker"
    data.Rows, data.Columns, data.SamplesPerPixel = 480, 640, 1
    data.PhotometricInterpretation = "MONOCHROME2"
    data.BitsAllocated = data.BitsStored = 8
    data.HighBit, data.PixelRepresentation = 7, 0
    data.PixelData = np.asarray(picture).tobytes()
    out = io.BytesIO()
    data.save_as(out, enforce_file_format=True)
    return out.getvalue()
