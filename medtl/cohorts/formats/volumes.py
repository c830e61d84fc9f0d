"""Reads a NIfTI volume as pictures of its slices. Keeps nothing of the header's free text, which may hold a name.

The slices lie across the axis of the canonical (RAS+) volume that runs from the feet to the head, and are shown as a
radiologist looks at them: front up, the patient's right on the left side. Slices at both ends that hold one single
value (the padding of a registered volume) are left out. Of a series of volumes (4D) the first is read.

Grey: with a CT window by name and values that look like Hounsfield units (some below -200), that window. Otherwise one
range for all slices of the volume, from the 0.5th to the 99.5th percentile, so that a slice is not brighter for having
less on it.
"""

import io
import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medtl.cohorts import limits
from medtl.cohorts.formats import inflating
from medtl.cohorts.formats.images import Decoded, Unsupported, check_total, chosen, grey_if_equal
from medtl.cohorts.formats.rendering import Range, Window, as_grey
from medtl.errors import BadInput
from medtl.vocabulary import WINDOWS, Reading

HEADER = 540  # bytes; the longer of the two kinds of header
AIR = -200.0  # HU; no other kind of image goes so far below zero
PERCENTILES = (0.5, 99.5)
SAMPLED = 1_000_000  # voxels that the percentiles are taken from
MILLIMETRES = {"meter": 1000.0, "micron": 0.001}
CONVERT = "Save it as a plain NIfTI file of grey values (.nii or .nii.gz)."

logging.getLogger("nibabel").setLevel(logging.CRITICAL + 1)
logging.getLogger("nibabel.global").setLevel(logging.CRITICAL + 1)  # it quotes the header


INSTALL = "Install it with `pip install nibabel`, or save the slices as PNG."


@dataclass(frozen=True)
class Volume:
    """Slices in the order from feet to head, each as it is looked at, in stored values.

    `stack` is a view of the file's bytes where it can be; `slope` and `intercept` make real values of stored ones.
    """

    stack: NDArray[Any]  # (Z, H, W) or (Z, H, W, 3) uint8
    slope: float
    intercept: float
    spacing: tuple[float, float]  # mm between rows and between columns
    mode: str

    def real(self, values: NDArray[Any]) -> NDArray[np.float64]:
        return values.astype(np.float64) * self.slope + self.intercept


def slices(data: bytes, how: Reading = Reading()) -> Iterator[Decoded]:
    """The slices of a NIfTI file as uint8 pictures, one at a time. Raises BadInput with the reason."""
    try:
        yield from _slices(data, how)
    except (BadInput, MemoryError):
        raise
    except ImportError as error:
        raise BadInput("NIfTI is read with the library nibabel, which is not installed.", INSTALL) from error
    except Exception as error:  # a header may hold anything
        raise BadInput("The NIfTI file is damaged or cut short.", "Export or copy it again.") from error


def _slices(data: bytes, how: Reading) -> Iterator[Decoded]:
    volume = read(data)
    first, last = _filled(volume)
    wanted = [first + place for place in chosen(last - first, how)]
    height, width = volume.stack.shape[1:3]
    check_total(len(wanted), len(wanted) * height * width)
    window = _window(volume, first, last, how) if volume.stack.ndim == 3 else None
    facts = {
        "width": width,
        "height": height,
        "mode": volume.mode,
        "format": "NIFTI",
        "bytes": len(data),
        "spacing": list(volume.spacing),
    }
    several = len(volume.stack) > 1
    for index in wanted:
        section = volume.stack[index]
        picture = as_grey(window(volume.real(section))) if window else grey_if_equal(section)
        yield Decoded(picture, dict(facts), frame=index if several else None, group="file" if several else "")


def read(data: bytes) -> Volume:
    """The volume in a NIfTI file, plain or packed with gzip; the header is checked before a voxel is touched."""
    from nibabel.orientations import apply_orientation

    packed = data.startswith(inflating.GZIP)
    header = _header(inflating.start_of(data, HEADER) if packed else data[:HEADER])
    kind, shape = _kind(header), _shape(header)
    slope, intercept = _scaling(header)
    start = max(int(header.get_data_offset()), int(header["sizeof_hdr"]))
    end = start + math.prod(shape) * kind.itemsize
    if end > limits.FILE_BYTES:
        raise BadInput(
            f"The volume has {end / limits.MB:,.0f} MB; at most {limits.FILE_BYTES // limits.MB} MB are read.",
            "Save it smaller, or with fewer slices.",
        )
    if packed:
        data = inflating.ungzipped(data, end)
    if len(data) < end:
        raise BadInput("The NIfTI file is cut short.", "Export or copy it again.")
    voxels = np.ndarray(shape, kind, data, offset=start, order="F")
    orientation = _orientation(header)
    canonical = apply_orientation(voxels, orientation)  # (X, Y, Z): to the right, to the front, to the head
    stack = canonical[::-1, ::-1].transpose(2, 1, 0)
    spacing = [_millimetres(header)[int(axis)] for axis in np.argsort(orientation[:, 0])]
    return Volume(_quick(_plain(stack)), slope, intercept, (spacing[1], spacing[0]), _mode(kind))


# ---- the header -----------------------------------------------------------------------------------------------------


def _header(start: bytes) -> Any:
    from nibabel import Nifti1Header, Nifti2Header

    second = start[4:7] == b"n+2" or start[4:7] == b"ni2"
    pair = b"ni1" in start[344:348] or start[4:7] == b"ni2"
    if pair:
        raise Unsupported("This is the header of a NIfTI pair; its voxels are in another file.", CONVERT)
    made = Nifti2Header if second else Nifti1Header
    if len(start) < made.template_dtype.itemsize:
        raise BadInput("The NIfTI file is cut short.", "Export or copy it again.")
    return made.from_fileobj(io.BytesIO(start[: made.template_dtype.itemsize]), check=False)


def _kind(header: Any) -> np.dtype[Any]:
    kind: np.dtype[Any] = header.get_data_dtype()
    colour = kind.names is not None and kind.names[:3] == ("R", "G", "B")
    if not colour and (kind.kind not in "iuf" or kind.itemsize > 8):
        raise Unsupported("The voxels of the NIfTI file are neither grey values nor colours.", CONVERT)
    return kind


def _shape(header: Any) -> tuple[int, int, int]:
    shape = [int(side) for side in header.get_data_shape()]
    while len(shape) > 3 and shape[-1] == 1:
        shape.pop()
    if not 2 <= len(shape) <= 4:
        raise Unsupported(f"The NIfTI file has {len(shape)} dimensions; 2 to 4 can be read.", CONVERT)
    if min(shape) < 1:
        raise BadInput("The NIfTI file does not say its size properly.", CONVERT)
    width, height, depth = (*shape, 1)[:3]
    if depth > limits.FILES or max(width, height) > limits.DICOM_SIDE:
        raise BadInput(
            f"The volume has {width:,} x {height:,} x {depth:,} voxels; at most {limits.DICOM_SIDE:,} a side are read.",
            "Save it smaller.",
        )
    return width, height, depth


def _scaling(header: Any) -> tuple[float, float]:
    """No slope, or one of zero, means the values are real as they are."""
    slope, intercept = header.get_slope_inter()
    return (1.0, 0.0) if slope is None else (float(slope), float(intercept or 0.0))


def _orientation(header: Any) -> NDArray[np.float64]:
    """Axes and directions of RAS+ (as `nibabel.as_closest_canonical`); as stored where the header does not tell."""
    from nibabel.orientations import io_orientation

    affine = header.get_best_affine()
    as_stored = np.array([[0.0, 1.0], [1.0, 1.0], [2.0, 1.0]])
    if not np.isfinite(affine).all():
        return as_stored
    found = np.asarray(io_orientation(affine))
    return found if np.isfinite(found).all() else as_stored


def _millimetres(header: Any) -> list[float]:
    """Size of a voxel along each stored axis; 1 where the header says nothing."""
    factor = MILLIMETRES.get(header.get_xyzt_units()[0], 1.0)
    sizes = [abs(float(size)) * factor for size in header["pixdim"][1:4]]
    return [round(size, 4) if math.isfinite(size) and size > 0 else 1.0 for size in sizes]


def _mode(kind: np.dtype[Any]) -> str:
    return "RGB" if kind.names else str(kind.newbyteorder("=").name)


# ---- the voxels -----------------------------------------------------------------------------------------------------


def _plain(stack: NDArray[Any]) -> NDArray[Any]:
    """Colours as a last axis; an alpha channel is left out."""
    if stack.dtype.names is None:
        return stack
    return np.stack([stack[channel] for channel in ("R", "G", "B")], axis=-1)


def _quick(stack: NDArray[Any]) -> NDArray[Any]:
    """A volume whose slices are scattered over the file is put in order once, not anew for every slice."""
    steps = [abs(step) for step in stack.strides[:3]]
    return stack if steps[0] == max(steps) else np.ascontiguousarray(stack)


def _filled(volume: Volume) -> tuple[int, int]:
    """First slice with something on it, and the one after the last."""
    depth = len(volume.stack)
    first = next((n for n in range(depth) if not _constant(volume.stack[n])), None)
    if first is None:
        raise BadInput("The volume holds one single value: there is nothing on it.", "Add a volume with an image.")
    last = next(n for n in range(depth, 0, -1) if not _constant(volume.stack[n - 1]))
    return first, last


def _constant(section: NDArray[Any]) -> bool:
    if section.dtype.kind == "f":
        section = section[np.isfinite(section)]
    return bool(section.size == 0 or (section == section.flat[0]).all())


def _window(volume: Volume, first: int, last: int, how: Reading) -> Window | Range:
    """Black and white for all slices of the volume."""
    step = max(1, math.isqrt(volume.stack[first:last].size // SAMPLED))
    seen = volume.real(volume.stack[first:last, ::step, ::step])
    seen = seen[np.isfinite(seen)]
    preset = WINDOWS.get(how.window)
    if preset and seen.size and seen.min() < AIR:
        return Window(*preset)
    low, high = np.percentile(seen, PERCENTILES) if seen.size else (0.0, 0.0)
    if not low < high:  # a mask, or a few bright voxels in the dark
        ends = np.array([_ends(section) for section in volume.stack[first:last]])
        low, high = np.sort(volume.real(np.array([np.nanmin(ends), np.nanmax(ends)])))
    return Range(float(low), float(high))


def _ends(section: NDArray[Any]) -> tuple[float, float]:
    finite = section[np.isfinite(section)]
    return (float(finite.min()), float(finite.max())) if finite.size else (math.nan, math.nan)
