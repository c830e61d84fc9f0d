"""DICOM and NIfTI files made in code, one for each way of packing that can be written without asking a scanner."""

import io
import zlib
from typing import Any

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset, write_file_meta_info

IMPLICIT, EXPLICIT, BIG_ENDIAN = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
DEFLATED, DEFLATED_FRAMES = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.8.1"
RLE, JPEG, JPEG_EXTENDED = "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"
J2K, HTJ2K, JPEG_XL, MPEG = (f"1.2.840.10008.1.2.4.{n}" for n in (90, 201, 110, 100))


def dataset(pixels: np.ndarray, syntax: str = EXPLICIT, **words: Any) -> FileDataset:
    """A data set that describes `pixels`, (H, W), (H, W, 3), or `Frames` of them."""
    frames = words.pop("Frames", 1)
    shape = pixels.shape[1:] if frames > 1 else pixels.shape
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = syntax
    data = FileDataset(None, {}, file_meta=meta, preamble=bytes(128))
    data.SOPClassUID, data.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", "1.2.3"
    data.Rows, data.Columns = shape[:2]
    data.SamplesPerPixel = 3 if len(shape) == 3 else 1
    data.PhotometricInterpretation = "RGB" if len(shape) == 3 else "MONOCHROME2"
    if len(shape) == 3:
        data.PlanarConfiguration = 0
    if frames > 1:
        data.NumberOfFrames = frames
    data.BitsAllocated = data.BitsStored = 8 * pixels.dtype.itemsize
    data.HighBit = data.BitsStored - 1
    data.PixelRepresentation = int(np.issubdtype(pixels.dtype, np.signedinteger))
    data.Modality = "OT"
    data.PixelData = pixels.tobytes()
    if syntax == BIG_ENDIAN:  # single bytes lie two to a word
        data.PixelData = np.frombuffer(data.PixelData, np.uint16).byteswap().tobytes()
    for word, value in words.items():
        setattr(data, word, value)
    return data


def saved(data: FileDataset) -> bytes:
    """Written piece by piece, because pydicom writes no syntax that it does not know."""
    syntax = str(data.file_meta.TransferSyntaxUID)
    body = DicomBytesIO()
    body.is_little_endian, body.is_implicit_VR = syntax != BIG_ENDIAN, syntax == IMPLICIT
    write_dataset(body, data)
    written = body.getvalue()
    return header(syntax) + (deflated(written) if syntax == DEFLATED else written)


def header(syntax: str) -> bytes:
    """Preamble and group 0002, after which the data set begins."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = syntax
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    meta.MediaStorageSOPInstanceUID = "1.2.3"
    out = DicomBytesIO()
    out.write(bytes(128) + b"DICM")
    write_file_meta_info(out, meta)
    return out.getvalue()


def plain(pixels: np.ndarray, syntax: str = EXPLICIT, **words: Any) -> bytes:
    """A file with its pixels as they are: implicit, explicit, big endian, or deflated as a whole."""
    return saved(dataset(pixels, syntax, **words))


def wrapped(pixels: np.ndarray, packed: list[bytes], syntax: str, **words: Any) -> bytes:
    """A file whose frames are packed already."""
    made = dataset(pixels, syntax, **words)
    made.PixelData = encapsulate(packed)
    made["PixelData"].is_undefined_length = True
    return saved(made)


def compressed(pixels: np.ndarray, syntax: str, **words: Any) -> bytes:
    """RLE or lossless JPEG 2000, by pydicom's own writers."""
    made = dataset(pixels, **words)
    made.compress(syntax)
    return saved(made)


def jpeg(pixels: np.ndarray, **words: Any) -> bytes:
    """JPEG baseline, written as YBR when in colour."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=95)
    if pixels.ndim == 3:
        words.setdefault("PhotometricInterpretation", "YBR_FULL_422")
    return wrapped(pixels, [out.getvalue()], JPEG, **words)


def deflated(data: bytes) -> bytes:
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return squeeze.compress(data) + squeeze.flush()


def with_items(**words: Any) -> Dataset:
    """An item of a sequence."""
    item = Dataset()
    for word, value in words.items():
        setattr(item, word, value)
    return item


def nifti(voxels: np.ndarray, affine: np.ndarray | None = None, **header: Any) -> bytes:
    """A NIfTI-1 file; `voxels` (X, Y, Z[, T]); `header` sets fields."""
    import nibabel

    image = nibabel.Nifti1Image(voxels, np.eye(4) if affine is None else affine)
    for field, value in header.items():
        image.header[field] = value
    return image.to_bytes()
