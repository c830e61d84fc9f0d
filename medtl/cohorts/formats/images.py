"""Reads image files into uint8 pictures. Knows PNG, JPEG, BMP and TIFF; hands DICOM to `dicom`, NIfTI to `volumes`.

What a file is, its content says; a name that says otherwise is refused. It knows nothing of labels or cohorts.
"""

import io
import os
import struct
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from medtl.cohorts import limits
from medtl.cohorts.formats import inflating
from medtl.cohorts.names import suffix
from medtl.errors import BadInput
from medtl.vocabulary import Reading

Picture = NDArray[np.uint8]  # (H, W) grey or (H, W, 3) colour, 0 is black

SUFFIXES = {
    "PNG": (".png",),
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "BMP": (".bmp", ".dib"),
    "TIFF": (".tif", ".tiff"),
    "DICOM": (".dcm", ".dicom", ".dic", ".ima"),
    "NIFTI": (".nii", ".nii.gz"),
}
KIND_OF_SUFFIX = {end: kind for kind, ends in SUFFIXES.items() for end in ends}
MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"BM", "BMP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
)
KNOWN = "PNG, JPEG, BMP, TIFF, DICOM or NIfTI"
CONVERT = f"Save it as {KNOWN} and add it again."
BAND = 128  # rows that are compared at a time
REDUCED_OR_MASK = 0b101  # TIFF NewSubfileType: a smaller copy of another page, or a mask

# Pillow would only warn up to twice its own limit. Ours is an error, and is checked before anything is decoded.
Image.MAX_IMAGE_PIXELS = limits.PIXELS
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


class NoImage(BadInput):
    """A file that may well be in order and carries no picture: a report, a plan, a list of files."""


class Unsupported(BadInput):
    """A picture in a form that nothing here decodes; the advice says how to convert it."""


@dataclass(frozen=True)
class Identity:
    """What a file says of who, where and when. It is for making codes of, and is never stored and never shown."""

    patient: str = ""
    study: str = ""
    series: str = ""
    instance: str = ""
    institution: str = ""
    date: str = ""


@dataclass(frozen=True)
class Decoded:
    """One picture and what is known besides.

    `frame` counts the frames, pages or slices of a file from 0; None where a file holds one picture. `group` is the raw
    key of what must stay together: a series, a study, or "file" for all that is in this file; "" when there is nothing.
    """

    pixels: Picture
    facts: dict[str, Any] = field(default_factory=dict)
    identity: Identity = Identity()
    frame: int | None = None
    group: str = ""

    @property
    def patient_id(self) -> str:
        return self.identity.patient


def read(source: Path | str | bytes, name: str = "", how: Reading = Reading()) -> Decoded:
    """One picture of a file given as a path or as bytes: of many, the middle one.

    `name` is what the user called it; only its ending is looked at. Raises BadInput as `read_all`.
    """
    if not isinstance(source, bytes):
        path = Path(source)
        name = name or path.name
        source = read_bytes(path)
    return next(read_all(source, name, replace(how, frames="middle")))


def read_all(data: bytes, name: str = "", how: Reading = Reading()) -> Iterator[Decoded]:
    """The pictures of a file, at least one, one in memory at a time.

    Raises BadInput with the reason: unreadable, truncated, too large, or content and ending disagree. A fault in a late
    frame comes late: what came before it is sound, and the file as a whole is not.
    """
    kind = kind_of(data)
    _check_name(data, kind, suffix(name))
    try:
        yield from _pictures(data, kind or "DICOM", how)
    except MemoryError as error:
        raise BadInput("Reading it needs more memory than one file may take.", "Save it smaller.") from error


def _pictures(data: bytes, kind: str, how: Reading) -> Iterator[Decoded]:
    if kind == "DICOM":
        from medtl.cohorts.formats import dicom

        return dicom.pictures(data, how)
    if kind == "NIFTI":
        from medtl.cohorts.formats import volumes

        return volumes.slices(data, how)
    return _rasters(data, kind, how)


def chosen(count: int, how: Reading) -> list[int]:
    """Which of `count` frames, pages or slices are taken, rising: all, so many evenly spaced, or the middle one."""
    if how.frames == "middle":
        return [count // 2]
    if 0 < how.slices < count:
        return [(2 * n + 1) * count // (2 * how.slices) for n in range(how.slices)]
    return list(range(count))


def check_total(count: int, pixels: int) -> None:
    """A single file may not become more than so many pixels, however they are spread over its frames."""
    if count > limits.FILES or pixels > limits.FRAME_PIXELS:
        raise BadInput(
            f"The file holds {count:,} pictures with {pixels / limits.MB:,.0f} megapixels together; at most "
            f"{limits.FRAME_PIXELS // limits.MB} are taken from one file.",
            "Take only the middle picture of each file, or fewer slices.",
        )


def read_bytes(path: Path) -> bytes:
    try:
        with path.open("rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            if size > limits.FILE_BYTES:
                raise too_large(size)
            return file.read()
    except OSError as error:
        raise BadInput(
            f"The file cannot be opened ({error.strerror or 'input error'}).", "Check that it is there and readable."
        ) from error


def too_large(size: int) -> BadInput:
    return BadInput(
        f"The file has {size / limits.MB:,.0f} MB; at most {limits.FILE_BYTES // limits.MB} MB are read.",
        "Save it smaller, for example with compression.",
    )


def kind_of(data: bytes) -> str:
    """What the bytes themselves say they are; "" when they say nothing we know."""
    if data[128:132] == b"DICM":
        return "DICOM"
    kind = next((kind for magic, kind in MAGIC if data.startswith(magic)), "")
    if kind:
        return kind
    if _is_nifti(data):
        return "NIFTI"
    return "DICOM" if _begins_like_dicom(data) else ""


def _is_nifti(data: bytes) -> bool:
    """A header of version 1 or 2, alone or with its voxels, plain or packed with gzip."""
    head = inflating.start_of(data, 352) if data.startswith(inflating.GZIP) else data[:352]
    if len(head) < 352:
        return False
    size = {int.from_bytes(head[:4], "little"), int.from_bytes(head[:4], "big")}
    first = 348 in size and head[344:348] in (b"n+1\0", b"ni1\0")
    return first or (540 in size and head[4:8] in (b"n+2\0", b"ni2\0"))


def _begins_like_dicom(data: bytes) -> bool:
    """A data set without preamble: its first element is one of group 0002 or 0008, with a kind or a short length."""
    if len(data) < 64:
        return False
    group, element = struct.unpack_from("<HH", data)
    if group in (0x0200, 0x0800):  # big endian
        group, element = struct.unpack_from(">HH", data)
    if group not in (2, 8) or element > 0x60:
        return False
    length = int.from_bytes(data[4:8], "little")
    return data[4:6] in (b"UL", b"OB", b"UI", b"CS", b"DA", b"SH", b"LO") or (length % 2 == 0 and length <= 128)


def _check_name(data: bytes, kind: str, ending: str) -> None:
    """Content and ending must agree (OWASP ASVS 5.0, 5.2.2)."""
    said = KIND_OF_SUFFIX.get(ending)
    if not data:
        raise BadInput("The file is empty (0 bytes).", "Export or copy it again.")
    if data.startswith(b"PK\x03\x04"):
        raise BadInput("This is a zip archive, not an image.", "Unpack it and add the images.")
    if data.startswith(b"GIF8"):
        raise BadInput("This is a GIF, which keeps few colours and is not read.", "Save it as PNG, frame by frame.")
    if not kind and data.startswith(inflating.GZIP):
        raise BadInput("This is packed with gzip, and it is no NIfTI volume.", "Unpack it and add what is inside.")
    if not kind and said != "DICOM":
        if said:
            raise BadInput(f"It is named {ending} but does not hold a {said} image.", CONVERT)
        raise BadInput(f"This is not an image we read ({ending or 'no ending'}).", f"We read {KNOWN}.")
    if kind and said and kind != said:
        raise BadInput(
            f"It is named {ending} but holds a {kind} image.",
            f"Rename it so that it ends in {SUFFIXES[kind][0]}, or save it as {said}.",
        )
    if kind and not said and ending and kind != "DICOM":
        raise BadInput(f"It is named {ending} but holds a {kind} image.", f"Rename it to end in {SUFFIXES[kind][0]}.")
    if kind != "DICOM" and _carries_a_zip(data):
        raise BadInput("A zip archive is hidden behind the image.", "Open it in an image program and save it anew.")


def _carries_a_zip(data: bytes) -> bool:
    """A real list of contents at the end, not merely the four bytes, which chance puts into one image in 65,000."""
    at = data.rfind(b"PK\x05\x06", max(0, len(data) - 65_557))
    if at < 0 or at + 16 > len(data):
        return False
    (size,) = struct.unpack_from("<I", data, at + 12)
    return data[max(0, at - size) : at].startswith(b"PK\x01\x02")


def _rasters(data: bytes, kind: str, how: Reading) -> Iterator[Decoded]:
    """PNG, JPEG and BMP hold one picture, the first where they are animated or stereo. A TIFF may hold pages."""
    try:
        with Image.open(io.BytesIO(data), formats=[kind]) as image:
            pages = _pages(image) if kind == "TIFF" else [0]
            wanted = chosen(len(pages), how)
            total = 0
            for number in wanted:
                image.seek(pages[number])
                _check_size(*image.size)
                total += image.width * image.height
                check_total(len(wanted), total)
                mode = image.mode
                several = len(pages) > 1
                picture = _raster(image, data, kind)
                facts = _raster_facts(picture, mode, kind, len(data))
                yield Decoded(picture, facts, frame=number if several else None, group="file" if several else "")
    except (BadInput, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        raise _too_many_pixels() from error
    except Exception as error:  # decoders raise anything at all on damaged files; none of it may end an import
        raise BadInput(f"The {kind} image is damaged or cut short.", "Export or copy it again.") from error


def _pages(image: Image.Image) -> list[int]:
    """The pages that are pictures of their own; smaller copies of a page and masks are not."""
    found: list[int] = []
    count = 0
    while True:
        kind = getattr(image, "tag_v2", {}).get(254, 0)
        if not found or not int(kind) & REDUCED_OR_MASK:
            found.append(count)
        count += 1
        if count > limits.FILES:
            raise BadInput(f"The TIFF image holds more than {limits.FILES:,} pages.", "Save it in several files.")
        try:
            image.seek(count)
        except EOFError:
            return found


def _raster_facts(picture: Picture, mode: str, kind: str, size: int) -> dict[str, Any]:
    """Width and height are those of the upright picture: places in it are given as shares of them."""
    height, width = picture.shape[:2]
    return {"width": width, "height": height, "mode": mode, "format": kind, "bytes": size}


def _raster(image: Image.Image, data: bytes, kind: str) -> Picture:
    image.load()
    _check_whole(data, kind)
    upright = ImageOps.exif_transpose(image) if image.getexif().get(0x0112, 1) != 1 else image
    return _to_uint8(upright)


def _check_size(width: int, height: int) -> None:
    if width * height > limits.PIXELS:
        raise _too_many_pixels(f"{width:,} x {height:,} pixels")
    if min(width, height) < 2:
        raise BadInput(f"The image is {width} x {height} pixels.", "Add an image with something on it.")


def _too_many_pixels(got: str = "too many pixels") -> BadInput:
    limit = limits.PIXELS // limits.MB
    return BadInput(f"The image has {got}; at most {limit} megapixels are read.", "Save it smaller.")


def _check_whole(data: bytes, kind: str) -> None:
    """Pillow shows a PNG whose end is missing as if nothing was lost; a file that was cut is not to be trusted."""
    if kind == "PNG" and data.rfind(b"IEND\xaeB`\x82", -4096) < 0:
        raise BadInput("The PNG image is cut short.", "Export or copy it again.")
    if kind == "JPEG" and data.rfind(b"\xff\xd9", -65_536) < 0:
        raise BadInput("The JPEG image is cut short.", "Export or copy it again.")


def _to_uint8(image: Image.Image) -> Picture:
    """Grey becomes (H, W), also when it was saved as colour; the rest becomes RGB. Transparency is laid on black.

    More than 8 bits of grey are scaled so that the image's own darkest value becomes 0 and its brightest 255 (the
    full range, no percentiles); 16-bit colour keeps its upper 8 bits, which is how Pillow reads it.
    """
    mode = image.mode
    if mode.startswith("I") or mode == "F":
        return _upright_grey(image, np.asarray(image))
    if mode == "1":
        image = image.convert("L")
    elif mode == "P":
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    elif mode in ("La", "RGBa", "PA"):
        image = image.convert({"La": "LA", "RGBa": "RGBA", "PA": "RGBA"}[mode])
    if image.mode in ("LA", "RGBA"):
        image = _on_black(image)
    elif image.mode in ("L", "RGB") and "transparency" in image.info:
        image = _on_black(image.convert("LA" if image.mode == "L" else "RGBA"))
    if image.mode not in ("L", "RGB"):
        image = image.convert("RGB")
    return _of_rgb(image) if image.mode == "RGB" else np.asarray(image)


def _of_rgb(image: Image.Image) -> Picture:
    """As `grey_if_equal`, in half the time: Pillow hands over four bytes a pixel faster than three, a word each."""
    words = np.frombuffer(image.tobytes("raw", "RGBX"), "<u4").reshape(image.height, image.width)  # 0x..BBGGRR
    for rows in _bands(words):
        if ((rows >> 8 ^ rows) & 0xFFFF).any():
            return np.ascontiguousarray(words.view(np.uint8).reshape(*words.shape, 4)[..., :3])
    return words.astype(np.uint8)


def grey_if_equal(pixels: Picture) -> Picture:
    """Colour whose three channels are the same is grey: a third of the room, and the same picture."""
    if pixels.ndim == 2:
        return pixels
    pixels = np.ascontiguousarray(pixels)
    for rows in _bands(pixels.reshape(len(pixels), -1)):
        unlike = np.bitwise_or.reduce(rows[:, 1:] ^ rows[:, :-1], axis=0)  # each byte and the one before it
        if unlike[::3].any() or unlike[1::3].any():
            return pixels
    return np.ascontiguousarray(pixels[..., 0])


def _bands(rows: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Some rows at a time: the first usually finds out what is coloured, and what is looked at stays in the cache."""
    return (rows[top : top + BAND] for top in range(0, len(rows), BAND))


def _on_black(image: Image.Image) -> Image.Image:
    opaque = image.convert("L" if image.mode == "LA" else "RGB")
    return Image.composite(opaque, Image.new(opaque.mode, image.size), image.getchannel("A"))


def _upright_grey(image: Image.Image, values: NDArray[Any]) -> Picture:
    grey = full_range(values.astype(np.float32))
    inverted = getattr(image, "tag_v2", {}).get(262) == 0  # TIFF "white is zero": Pillow leaves 16 bits as they are
    return 255 - grey if inverted else grey


def full_range(values: NDArray[Any]) -> Picture:
    """Smallest finite value to 0, largest to 255; what is no number becomes 0."""
    usable = np.isfinite(values)
    if not usable.any():
        return np.zeros(values.shape, np.uint8)
    low, high = float(values[usable].min()), float(values[usable].max())
    if not low < high:
        return np.zeros(values.shape, np.uint8)
    with np.errstate(over="ignore", invalid="ignore"):  # the largest floats lie further apart than a float can say
        share = (np.where(usable, values, low) - low) / (high - low)
    return np.round(np.clip(np.nan_to_num(share), 0, 1) * 255.0).astype(np.uint8)
