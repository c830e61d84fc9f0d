"""Tiny pictures and files, made in code."""

import io
import struct
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from medtl.workspace import Workspace

SHARED = Path(__file__).resolve().parents[2].parent / "shared"


@pytest.fixture
def ws(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "home").ensure()


@pytest.fixture
def shared() -> Path:
    if not (SHARED / "data").is_dir():
        pytest.skip("the shared test data is not on this computer")
    return SHARED


@pytest.fixture(scope="session")
def noise() -> Callable[..., np.ndarray]:
    """A picture that resembles no other: (24, 32) grey noise, or what `shape` says."""

    def make(seed: int, shape: tuple[int, ...] = (24, 32)) -> np.ndarray:
        return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)

    return make


@pytest.fixture(scope="session")
def encoded() -> Callable[..., bytes]:
    def make(pixels: np.ndarray | Image.Image, kind: str = "PNG", **options: Any) -> bytes:
        out = io.BytesIO()
        image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
        image.save(out, kind, **options)
        return out.getvalue()

    return make


@pytest.fixture
def folders(tmp_path: Path, noise: Any, encoded: Any) -> Callable[..., Path]:
    """Class folders of noise: `folders({"benign": 6, "train/malignant": 5})`; names are `<n>.png`."""
    counter = iter(range(10**6))

    def make(counts: Mapping[str, int], root: str = "set", name: str = "{n}.png") -> Path:
        for folder, count in counts.items():
            (tmp_path / root / folder).mkdir(parents=True, exist_ok=True)
            for n in range(count):
                (tmp_path / root / folder / name.format(n=n)).write_bytes(encoded(noise(next(counter))))
        return tmp_path / root

    return make


@pytest.fixture
def zipped(tmp_path: Path) -> Callable[..., Path]:
    def make(members: Mapping[str, bytes], name: str = "set.zip", **options: Any) -> Path:
        with zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_DEFLATED) as archive:
            for member, data in members.items():
                archive.writestr(member, data, **options)
        return tmp_path / name

    return make


@pytest.fixture(scope="session")
def dicom() -> Callable[..., bytes]:
    """A single-frame DICOM file; keywords are DICOM words, `pixels` the stored values."""

    def make(pixels: np.ndarray | None = None, syntax: str = "1.2.840.10008.1.2.1", **words: Any) -> bytes:
        from pydicom.dataset import FileDataset, FileMetaDataset

        pixels = np.arange(48, dtype=np.uint16).reshape(6, 8) if pixels is None else pixels
        meta = FileMetaDataset()
        meta.TransferSyntaxUID = syntax
        meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
        meta.MediaStorageSOPInstanceUID = "1.2.3"
        data = FileDataset(None, {}, file_meta=meta, preamble=bytes(128))
        data.Rows, data.Columns = pixels.shape[:2]
        data.SamplesPerPixel = 3 if pixels.ndim == 3 else 1
        data.PhotometricInterpretation = "RGB" if pixels.ndim == 3 else "MONOCHROME2"
        if pixels.ndim == 3:
            data.PlanarConfiguration = 0
        data.BitsAllocated = data.BitsStored = 8 * pixels.dtype.itemsize
        data.HighBit = data.BitsStored - 1
        data.PixelRepresentation = int(np.issubdtype(pixels.dtype, np.signedinteger))
        data.Modality = "US"
        for word, value in words.items():
            setattr(data, word, value)
        data.PixelData = pixels.tobytes()
        out = io.BytesIO()
        data.save_as(out, enforce_file_format=True)
        return out.getvalue()

    return make


@pytest.fixture(scope="session")
def huge_png() -> bytes:
    """A header that promises 30,000 x 30,000 pixels, and hardly any bytes."""
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 30_000, 30_000, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")
