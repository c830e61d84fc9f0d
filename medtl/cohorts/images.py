"""Reads one image file into uint8 pixels. Knows PNG, JPEG, BMP and TIFF; hands DICOM to `dicom`.

What a file is, its content says; a name that says otherwise is refused. It knows nothing of labels or cohorts.
"""

import io
import os
import struct
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageOps

from medtl.cohorts import limits
from medtl.cohorts.names import suffix
from medtl.errors import BadInput

Picture = NDArray[np.uint8]  # (H, W) grey or (H, W, 3) colour, 0 is black

SUFFIXES = {
    "PNG": (".png",),
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "BMP": (".bmp", ".dib"),
    "TIFF": (".tif", ".tiff"),
    "DICOM": (".dcm", ".dicom", ".dic", ".ima"),
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
KNOWN = "PNG, JPEG, BMP, TIFF or single-image DICOM"
CONVERT = f"Save it as {KNOWN} and add it again."

# Pillow would only warn up to twice its own limit. Ours is an error, and is checked before anything is decoded.
Image.MAX_IMAGE_PIXELS = limits.PIXELS
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


@dataclass(frozen=True)
class Decoded:
    """Pixels and what is known besides.

    `patient_id` is what a DICOM file says; it is for making a code of it, and is never stored or shown.
    """

    pixels: Picture
    facts: dict[str, Any] = field(default_factory=dict)
    patient_id: str = ""


def read(source: Path | str | bytes, name: str = "") -> Decoded:
    """Decode an image given as a path or as bytes. `name` is what the user called it; only its ending is looked at.

    Raises BadInput with the reason: unreadable, truncated, too large, or content and ending disagree.
    """
    if not isinstance(source, bytes):
        path = Path(source)
        name = name or path.name
        data = read_bytes(path)
    else:
        data = source
    kind = kind_of(data)
    _check_name(data, kind, suffix(name))
    if kind == "DICOM" or (not kind and KIND_OF_SUFFIX.get(suffix(name)) == "DICOM"):
        from medtl.cohorts import dicom

        return dicom.read(data)
    return _read_raster(data, kind)


def read_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
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
    return next((kind for magic, kind in MAGIC if data.startswith(magic)), "")


def _check_name(data: bytes, kind: str, ending: str) -> None:
    """Content and ending must agree (OWASP ASVS 5.0, 5.2.2)."""
    said = KIND_OF_SUFFIX.get(ending)
    if not data:
        raise BadInput("The file is empty (0 bytes).", "Export or copy it again.")
    if data.startswith(b"PK\x03\x04"):
        raise BadInput("This is a zip archive, not an image.", "Unpack it and add the images.")
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


def _read_raster(data: bytes, kind: str) -> Decoded:
    try:
        with Image.open(io.BytesIO(data), formats=[kind]) as image:
            _check_size(*image.size)
            facts = {
                "width": image.width,
                "height": image.height,
                "mode": image.mode,
                "format": kind,
                "bytes": len(data),
            }
            image.load()
            _check_whole(data, kind)
            upright = ImageOps.exif_transpose(image) if image.getexif().get(0x0112, 1) != 1 else image
            return Decoded(_to_uint8(upright), facts)
    except BadInput:
        raise
    except Image.DecompressionBombError as error:
        raise _too_many_pixels() from error
    except Exception as error:  # decoders raise anything at all on damaged files; none of it may end an import
        raise BadInput(f"The {kind} image is damaged or cut short.", "Export or copy it again.") from error


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
    if kind == "PNG" and b"IEND" not in data[-4096:]:
        raise BadInput("The PNG image is cut short.", "Export or copy it again.")
    if kind == "JPEG" and b"\xff\xd9" not in data[-65_536:]:
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
    return np.array(_grey_if_equal(image), dtype=np.uint8)


def _grey_if_equal(image: Image.Image) -> Image.Image:
    """Colour whose three channels are the same is grey: a third of the room, and the same picture."""
    if image.mode == "L":
        return image
    red, green, blue = image.split()
    differs = any(ImageChops.difference(red, other).getbbox() for other in (green, blue))
    return image if differs else red


def _on_black(image: Image.Image) -> Image.Image:
    opaque = image.convert("L" if image.mode == "LA" else "RGB")
    return Image.composite(opaque, Image.new(opaque.mode, image.size), image.getchannel("A"))


def _upright_grey(image: Image.Image, values: NDArray[Any]) -> Picture:
    grey = full_range(values.astype(np.float32))
    inverted = getattr(image, "tag_v2", {}).get(262) == 0  # TIFF "white is zero": Pillow leaves 16 bits as they are
    return 255 - grey if inverted else grey


def full_range(values: NDArray[np.float32], outside: NDArray[np.bool_] | None = None) -> Picture:
    """Smallest finite value to 0, largest to 255. `outside` marks pixels that belong to no tissue; they become 0."""
    usable = np.isfinite(values)
    if outside is not None:
        usable &= ~outside
    if not usable.any():
        return np.zeros(values.shape, np.uint8)
    low, high = float(values[usable].min()), float(values[usable].max())
    scaled = (np.where(usable, values, low) - low) * (255.0 / (high - low) if high > low else 0.0)
    return np.round(scaled).astype(np.uint8)
