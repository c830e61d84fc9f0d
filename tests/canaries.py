"""Image files full of made-up identifiers, each with a mark to search for, and the truth about each attribute.

Nothing in here is real. The 18 kinds of identifiers of the HIPAA Safe Harbor rule (45 CFR 164.514(b)(2)) are planted in
200 DICOM files: in standard and private attributes, nested sequences, overlays, comments, UIDs, meta headers,
preambles, trailing bytes, pixel streams, file and folder names. Other image formats carry them where they can.
"""

import gzip
import io
import itertools
import re
import struct
import zlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image, PngImagePlugin

FILES = 200
PATIENTS = 50
CLASSES = ("benign", "malignant")
MARK = "ZZPHI"  # in every planted text
DIGITS = "90072"  # at the beginning of every planted number
ROOT = "1.2.826.0.1.3680043.9.7777"  # of every planted UID
MONTHS_OF_DATES = ("191202", "203306")  # births; and studies, 25 days long: no shift of 30 days or more stays inside
SYNTAXES = ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99",
            "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.90")  # fmt: skip

Fate = Literal["gone", "kept", "uid", "shifted", "capped"]


@dataclass(frozen=True)
class Truth:
    """What must become of one attribute: `path` leads through sequences (their first items)."""

    file: str
    path: tuple[int, ...]
    before: str
    fate: Fate


@dataclass
class Corpus:
    """`kinds`: file (relative) -> what `deidentify.clean` calls its kind; `people`: file -> PatientID."""

    root: Path
    files: list[Path] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    truths: list[Truth] = field(default_factory=list)
    kinds: dict[str, str] = field(default_factory=dict)
    people: dict[str, str] = field(default_factory=dict)


def planted(path: Path) -> tuple[list[Path], list[str]]:
    """Build the corpus under `path`: the files, and every text that must be found nowhere afterwards."""
    corpus = build(path)
    return corpus.files, corpus.tokens


def traces(data: bytes, tokens: Collection[str]) -> list[str]:
    """What stands of them in these bytes: in any capitalisation, as UTF-8 or UTF-16, also inside gzip.

    A mark by itself is a trace; numbers and days count only if they were planted.
    """
    if data[:2] == b"\x1f\x8b":
        data += gzip.decompress(data)
    known = {token.lower(): token for token in tokens}
    plain = data.lower()
    found = {match.decode() for text in (plain, plain.replace(b"\0", b"")) for match in TRACE.findall(text)}
    return sorted(known.get(text, text) for text in found if text in known or not text[0].isdigit() or ROOT in text)


TRACE = re.compile(
    rf"{MARK}-p?[0-9]{{3,5}}|{MARK}|{re.escape(ROOT)}\.?[0-9]*|{DIGITS}[0-9]{{6}}|(?:{'|'.join(MONTHS_OF_DATES)})[0-9]{{2}}"
    .lower().encode()
)  # fmt: skip


def build(root: Path, files: int = FILES) -> Corpus:
    corpus = Corpus(root)
    plant = _Planter(corpus)
    for number in range(files):
        _add_dicom(corpus, plant, number)
    for number, (kind, ending, make) in enumerate(RASTERS):
        name = f"{CLASSES[number % 2]}/{plant.text('file name')}_{plant.number()}{ending}"
        _put(corpus, name, kind, make(plant, number))
    corpus.tokens = sorted(set(plant.tokens))
    return corpus


def _put(corpus: Corpus, name: str, kind: str, data: bytes) -> None:
    path = corpus.root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    corpus.files.append(path)
    corpus.kinds[name] = kind


class _Planter:
    """Makes tokens, each once, and remembers them."""

    def __init__(self, corpus: Corpus) -> None:
        self.tokens: list[str] = []
        self._count = itertools.count(1)

    def text(self, _what: str = "") -> str:
        return self._keep(f"{MARK}-{next(self._count):05d}")

    def number(self) -> str:
        return self._keep(f"{DIGITS}{next(self._count):06d}")

    def uid(self) -> str:
        return self._keep(f"{ROOT}.{next(self._count)}")

    def birth(self) -> str:
        return self._keep(f"{MONTHS_OF_DATES[0]}{1 + next(self._count) % 28:02d}")

    def day(self) -> str:
        return self._keep(f"{MONTHS_OF_DATES[1]}{1 + next(self._count) % 25:02d}")

    def _keep(self, token: str) -> str:
        self.tokens.append(token)
        return token


# ---- DICOM ----------------------------------------------------------------------------------------------------------

# (Safe Harbor class, tag): free texts that must go, wherever the basic profile or our default takes them.
TEXTS: tuple[tuple[int, int], ...] = (
    (1, 0x00080090), (1, 0x00081050), (1, 0x00081070), (1, 0x00081048), (1, 0x00101001), (1, 0x00101005),
    (1, 0x00101060), (1, 0x00081060), (1, 0x00321032), (1, 0x00402008), (1, 0x00102297), (1, 0x0008009C),
    (2, 0x00101040), (2, 0x00080081), (2, 0x00102152), (2, 0x00102150), (2, 0x00380300), (2, 0x00400243),
    (4, 0x00102154), (4, 0x00080094), (5, 0x00402010), (6, 0x00102155), (7, 0x00101000), (8, 0x00100021),
    (9, 0x00101050), (10, 0x00380010), (10, 0x00380060), (11, 0x00101080), (11, 0x00101090), (12, 0x001021B0),
    (13, 0x00181000), (13, 0x00081010), (13, 0x00181004), (13, 0x00181008), (13, 0x0018700A), (13, 0x00181003),
    (14, 0x00081190), (14, 0x0040E010), (15, 0x00081000), (15, 0x00080055), (15, 0x00080054), (16, 0x00380500),
    (17, 0x00104000), (18, 0x00080050), (18, 0x00200010), (18, 0x00120040), (18, 0x00401001), (18, 0x00204000),
    (18, 0x00081030), (18, 0x0008103E), (18, 0x00082111), (18, 0x00400254), (18, 0x00181030), (18, 0x00102180),
    (18, 0x00321060), (18, 0x00324000), (18, 0x00189424), (18, 0x00180010), (18, 0x00209158), (18, 0x00081040),
    (18, 0x00185010), (18, 0x00181400), (18, 0x00201040), (18, 0x00281055), (18, 0x00283003),
)  # fmt: skip
NESTED = (  # sequence, attribute in it: removed as a whole, emptied, or looked into
    (0x00400275, 0x00400007), (0x00101002, 0x00100020), (0x00081110, 0x00081155), (0x00082112, 0x00081155),
    (0x00081032, 0x00080104), (0x00082218, 0x00080104), (0x00540016, 0x00180031), (0x00081084, 0x00080104),
    (0x00400260, 0x00080104), (0x00189346, 0x00080104), (0x00880200, 0x00204000), (0x00101100, 0x00081190),
)  # fmt: skip
KEPT = {  # what must stay as it is
    0x00080060: "US", 0x00080070: "Acme", 0x00081090: "Seer 9", 0x00180015: "BREAST", 0x00180060: "120",
    0x00185101: "AP", 0x00200013: "7", 0x00200060: "L", 0x00100040: "F", 0x00101020: "1.66", 0x00101030: "61.5",
    0x00281050: "40.5", 0x00281051: "400", 0x00181020: "4.2", 0x00181210: "B30f",
    0x00080016: "1.2.840.10008.5.1.4.1.1.7",
}  # fmt: skip
TERMS = (0x00185101, 0x00180015)  # View Position, Body Part Examined
TOLD = (  # of the machine and the body; also the software, the kernel, the filter, the sequence and the coils
    *TERMS, 0x00080070, 0x00081090, 0x00181020, 0x00181210, 0x00181160, 0x00180024, 0x00181250, 0x00181251,
)  # fmt: skip
PICTURE = {
    "SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2", "Rows": 12, "Columns": 16,
    "BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "PixelRepresentation": 0,
}  # fmt: skip
UIDS = (0x00080018, 0x0020000D, 0x0020000E, 0x00200052, 0x00080014, 0x00083010)
DATES = (0x00080020, 0x00080021, 0x00080022, 0x00080023, 0x00080012, 0x0008002A, 0x00181200)
TIMES = (0x00080030, 0x00080031, 0x00080032, 0x00080033, 0x00080013)


def _add_dicom(corpus: Corpus, plant: _Planter, number: int) -> None:
    from pydicom.dataset import Dataset

    patient = f"{MARK}-P{number % PATIENTS:03d}"
    plant.tokens.append(patient)
    name = _dicom_name(plant, number, patient)
    dataset = Dataset()

    def put(holder: Dataset, tag: int, value: Any, fate: Fate, path: tuple[int, ...] = (), before: str = "") -> None:
        _set(holder, tag, value)
        corpus.truths.append(Truth(name, (*path, tag), before or str(value), fate))

    put(dataset, 0x00100020, patient, "gone")
    put(dataset, 0x00100010, f"{plant.text()}^{plant.text()}", "gone")
    put(dataset, 0x00100030, plant.birth(), "gone")
    put(dataset, 0x00080080, plant.text(), "gone")
    for tag, value in KEPT.items():
        put(dataset, tag, value, "gone" if number % 3 == 2 and tag in TOLD else "kept")
    old = number % 4 == 0
    put(dataset, 0x00101010, "093Y" if old else "045Y", "capped" if old else "kept")
    for tag in UIDS:
        put(dataset, tag, plant.uid(), "uid")
    for tag in DATES:
        day = plant.day()
        put(dataset, tag, f"{day}101533.250000+0100" if tag == 0x0008002A else day, "shifted", before=day)
    for tag in TIMES:
        put(dataset, tag, "072641", "gone")
    some = TEXTS if number < 20 else [TEXTS[(number * 7 + n * 5) % len(TEXTS)] for n in range(20)]
    for _, tag in some:
        put(dataset, tag, plant.text()[:16], "gone")
    for sequence, tag in NESTED if number < 20 else [NESTED[(number + n) % len(NESTED)] for n in range(4)]:
        put_nested(dataset, sequence, tag, plant, put)
    _hide(dataset, plant, number)
    _put(corpus, name, "DICOM", _encoded(dataset, plant, number))
    corpus.people[name] = patient


def put_nested(holder: Any, sequence: int, tag: int, plant: _Planter, put: Callable[..., None]) -> None:
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence

    item, inner = Dataset(), Dataset()
    value = plant.uid() if tag == 0x00081155 else plant.text()[:16]
    if tag == 0x00080104:
        _set(item, 0x00080100, plant.text()[:16])
        _set(item, 0x00080102, "99LOCAL")
    _set(inner, 0x00080090, plant.text())
    item.add_new(0x0040A168, "SQ", Sequence([inner]))
    holder.add_new(sequence, "SQ", Sequence([item]))
    put(item, tag, value, "uid" if (sequence, tag) == (0x00082112, 0x00081155) else "gone", (sequence,))


def _hide(dataset: Any, plant: _Planter, number: int) -> None:
    """Private groups, overlays, curves, attributes nobody knows, codes and numbers that are none."""
    block = dataset.private_block(0x0009, f"{MARK} CORP", create=True)
    block.add_new(1, "LO", plant.text())
    block.add_new(2, "OB", plant.text().encode("utf-16-le"))
    block.add_new(3, "UN", plant.text().encode())
    dataset.add_new(0x60000010, "US", 1)
    dataset.add_new(0x60000011, "US", 8)
    dataset.add_new(0x60000022, "LO", plant.text())
    dataset.add_new(0x60003000, "OW", plant.text().encode().ljust(12))
    dataset.add_new(0x60004000, "LT", plant.text())
    dataset.add_new(0x50000030, "SH", plant.text()[:16])
    dataset.add_new(0x50003000, "OW", plant.text().encode().ljust(12))
    dataset.add_new(0x00089FF1, "LO", plant.text())
    dataset.add_new(0x00420011, "OB", plant.text().encode().ljust(12))
    dataset.add_new(0xFFFCFFFC, "OB", plant.text().encode().ljust(12))
    if number % 3 == 0:  # identifiers in attributes that hold codes, numbers or binary numbers
        dataset[0x00080008] = _raw(0x00080008, "CS", b"ORIGINAL\\" + plant.text().encode())
        dataset[0x00180050] = _raw(0x00180050, "DS", plant.text().encode().ljust(12))
        dataset[0x00180082] = _raw(0x00180082, "IS", plant.text().encode().ljust(12))
        dataset[0x00189073] = _raw(0x00189073, "FD", plant.text().encode().ljust(12))
    if number % 6 == 2:  # what is said of the machine and of the body, where a case's facts come from
        for tag in TOLD:
            dataset[tag] = _raw(tag, "LO", plant.text().encode().ljust(12))
    if number % 6 == 5:  # the same by a word of the name alone, which has the form of a code
        for tag in TOLD:
            vr = "CS" if tag in TERMS else "LO"
            dataset[tag] = _raw(tag, vr, str(dataset.PatientName).partition("-")[0].encode().ljust(6))
    if number % 3 == 1:  # the name again, in the name of a kernel
        first = str(dataset.PatientName).split("^")[0]
        dataset[0x00181160] = _raw(0x00181160, "SH", first[:16].encode().ljust(16))


def _dicom_name(plant: _Planter, number: int, patient: str) -> str:
    folder = f"{CLASSES[number % 2]}/{patient} {plant.text()}"
    last = [plant.uid(), f"{plant.text()}_{plant.birth()}.dcm", f"IM_{plant.number()}", f"{plant.text()} (2).dcm"]
    return f"{folder}/{last[number % 4]}"


def _set(dataset: Any, tag: int, value: Any) -> None:
    from pydicom.datadict import dictionary_VR

    dataset.add_new(tag, dictionary_VR(tag), value)


def _raw(tag: int, vr: str, value: bytes) -> Any:
    from pydicom.dataelem import RawDataElement
    from pydicom.tag import Tag

    return RawDataElement(Tag(tag), vr, len(value), value, 0, False, True)


def _encoded(dataset: Any, plant: _Planter, number: int) -> bytes:
    """Explicit files of any syntax, with identifiers before, in the meta header, in the pixel stream and at the end."""
    from pydicom.encaps import encapsulate
    from pydicom.filebase import DicomBytesIO
    from pydicom.filewriter import write_dataset

    syntax = SYNTAXES[number % len(SYNTAXES)]
    pixels = np.random.default_rng(number).integers(0, 256, (12, 16), np.uint8)
    for word, value in PICTURE.items():
        setattr(dataset, word, value)
    coded = {"1.2.840.10008.1.2.4.50": _jpeg_frame, "1.2.840.10008.1.2.4.90": _j2k_frame}.get(syntax)
    if coded:
        dataset.add_new(0x7FE00010, "OB", encapsulate([coded(pixels, plant)]))
        dataset["PixelData"].is_undefined_length = True
    else:
        dataset.add_new(0x7FE00010, "OB", pixels.tobytes() + plant.text().encode().ljust(12))
    out = DicomBytesIO()
    out.is_little_endian, out.is_implicit_VR = syntax != SYNTAXES[2], syntax == SYNTAXES[1]
    dataset.set_original_encoding(out.is_implicit_VR, out.is_little_endian, "iso8859")  # raw values stay raw
    if not out.is_little_endian:
        for tag in [tag for tag in dataset.keys() if dataset.get_item(tag).is_raw]:  # noqa: SIM118
            del dataset[tag]
    write_dataset(out, dataset)
    body = out.getvalue()
    if syntax == SYNTAXES[3]:
        packer = zlib.compressobj(wbits=-15)
        body = packer.compress(body) + packer.flush()
        body += bytes(len(body) % 2)
    else:
        body += plant.text().encode() if number % 2 else b""
    return plant.text().encode().ljust(128, b"\0") + b"DICM" + _meta(dataset, syntax, plant) + body


def _meta(dataset: Any, syntax: str, plant: _Planter) -> bytes:
    from pydicom.dataset import FileMetaDataset
    from pydicom.filebase import DicomBytesIO
    from pydicom.filewriter import write_file_meta_info

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = syntax
    meta.ImplementationClassUID = plant.uid()
    meta.ImplementationVersionName = plant.text()[:16]
    meta.SourceApplicationEntityTitle = plant.text()[:16]
    meta.PrivateInformationCreatorUID = plant.uid()
    meta.PrivateInformation = plant.text().encode().ljust(12)
    out = DicomBytesIO()
    out.is_little_endian, out.is_implicit_VR = True, False
    write_file_meta_info(out, meta)
    return out.getvalue()


def _jpeg_frame(pixels: np.ndarray, plant: _Planter) -> bytes:
    return _jpeg_with(_saved(Image.fromarray(pixels), "JPEG"), plant) + plant.text().encode()


def _j2k_frame(pixels: np.ndarray, plant: _Planter) -> bytes:
    stream = _saved(Image.fromarray(pixels), "JPEG2000", no_jp2=True, irreversible=False)
    comment = plant.text().encode()
    siz = 4 + struct.unpack_from(">H", stream, 4)[0]
    return stream[:siz] + struct.pack(">HHH", 0xFF64, len(comment) + 4, 1) + comment + stream[siz:]


# ---- other formats --------------------------------------------------------------------------------------------------


def _saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def _noise(number: int, mode: str = "L") -> Image.Image:
    shape = (24, 32) if mode == "L" else (24, 32, 3)
    return Image.fromarray(np.random.default_rng(1000 + number).integers(0, 256, shape, np.uint8))


def _jpeg_with(stream: bytes, plant: _Planter) -> bytes:
    """Segments with identifiers behind SOI: a comment, Photoshop captions, a profile, and one nobody knows."""
    segments = b""
    for marker in (0xFE, 0xED, 0xE2, 0xE9):
        body = plant.text().encode()
        segments += struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body
    return stream[:2] + segments + stream[2:]


def _png(plant: _Planter, number: int) -> bytes:
    info = PngImagePlugin.PngInfo()
    info.add_text("Author", plant.text())
    info.add_text("Comment", plant.text(), zip=True)
    info.add_itxt("XML:com.adobe.xmp", f"<x>{plant.text()}</x>")
    info.add(b"tIME", struct.pack(">HBBBBB", 2033, 6, 5, 4, 3, 2))
    info.add(b"prVt", plant.text().encode())
    data = _saved(_noise(number), "PNG", pnginfo=info, exif=_exif(plant), icc_profile=plant.text().encode())
    return data + plant.text().encode()


def _jpeg(plant: _Planter, number: int) -> bytes:
    plain = _saved(
        _noise(number, "RGB"), "JPEG", exif=_exif(plant), xmp=plant.text().encode(), comment=plant.text().encode()
    )
    return _jpeg_with(plain, plant) + plant.text().encode()


def _exif(plant: _Planter, orientation: int = 6) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010E], exif[0x013B], exif[0x8298] = plant.text(), plant.text(), plant.text()
    exif[0x0132] = "1912:02:03 04:05:06"
    return exif.tobytes()


def _tiff(plant: _Planter, number: int) -> bytes:
    pages = [_noise(number), _noise(number + 500)]
    tags = {270: plant.text(), 305: plant.text(), 315: plant.text(), 316: plant.text(), 33432: plant.text()}
    data = _saved(pages[0], "TIFF", save_all=True, append_images=pages[1:], tiffinfo=tags, compression="tiff_lzw")
    return data + plant.text().encode()


def _bmp(plant: _Planter, number: int) -> bytes:
    return _saved(_noise(number), "BMP") + plant.text().encode()


def _nifti(plant: _Planter, number: int) -> bytes:
    import nibabel

    values = np.random.default_rng(number).integers(0, 900, (10, 12, 4)).astype(np.int16)
    volume = nibabel.Nifti1Image(values, np.eye(4))
    volume.header["descrip"], volume.header["aux_file"] = plant.text(), plant.text()
    volume.header["db_name"], volume.header["intent_name"] = plant.text(), plant.text()
    volume.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", plant.text().encode()))
    return volume.to_bytes() + plant.text().encode()


def _nifti_gz(plant: _Planter, number: int) -> bytes:
    out = io.BytesIO()
    with gzip.GzipFile(filename=f"{plant.text()}.nii", mode="wb", fileobj=out, mtime=1_000_000) as file:
        file.write(_nifti(plant, number))
    return out.getvalue()


RASTERS: tuple[tuple[str, str, Callable[[_Planter, int], bytes]], ...] = (
    ("PNG", ".png", _png), ("PNG", ".png", _png), ("JPEG", ".jpg", _jpeg), ("JPEG", ".jpeg", _jpeg),
    ("TIFF", ".tif", _tiff), ("TIFF", ".tiff", _tiff), ("BMP", ".bmp", _bmp), ("BMP", ".bmp", _bmp),
    ("NIFTI", ".nii", _nifti), ("NIFTI", ".nii.gz", _nifti_gz),
)  # fmt: skip


def texts_of(corpus: Corpus) -> Iterator[tuple[str, bytes]]:
    """(relative name, bytes) of every file."""
    for path in corpus.files:
        yield path.relative_to(corpus.root).as_posix(), path.read_bytes()
