"""Where the map is high, as a segmentation (region) and as a presentation state (contour) that a viewer lays over the
original. Both refer to it by UID; neither says that a disease is there.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from medtl.dicom_out.common import (
    MAKER,
    RESEARCH,
    Model,
    Numbering,
    Original,
    Region,
    Said,
    made_by,
    mark,
    new_uid,
    short,
)
from medtl.errors import BadInput

if TYPE_CHECKING:
    from pydicom import Dataset

MOST_POINTS = 400  # of one contour; a presentation state holds at most 8,191 in explicit syntax (a 16-bit length)
MOST_CONTOURS = 50
SMALLEST = 4  # points
GREYS = ("MONOCHROME1", "MONOCHROME2")


def segmentation(
    original: Original, said: Said, model: Model, numbering: Numbering, how: Region = "binary", cut: float = 0.5
) -> "Dataset":
    """SEG: the map itself in 256 steps ("fractional"), or where it is at `cut` of its peak or above ("binary").

    Raises BadInput for a clip: a segmentation needs to know where each of its frames lies, and a clip does not say.
    """
    import highdicom as hd
    from pydicom.sr.codedict import codes

    header = _header(original)
    if original.frame is not None:
        raise BadInput(
            "A region cannot be stored for one frame of a clip: DICOM wants to know where each frame lies.",
            "The contour and the overlay can.",
        )
    share = said.at(int(header.Rows), int(header.Columns))
    pixels = (share >= cut).astype(np.uint8) if how == "binary" else share
    algorithm = hd.AlgorithmIdentificationSequence(
        name=short(f"{MAKER}: {said.method}"),
        family=codes.DCM.ArtificialIntelligence,
        version=short(model.version),
        source=MAKER,
        parameters={"run": model.run, "layer": short(said.layer), "cut": f"{cut:g}" if how == "binary" else "none"},
    )
    label = f"Where the network looked for {said.label}"
    described = hd.seg.SegmentDescription(
        segment_number=1,
        segment_label=short(label),
        segmented_property_category=codes.SCT.SpatialAndRelationalConcept,
        segmented_property_type=codes.DCM.Saliency,
        algorithm_type=hd.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=algorithm,
        tracking_uid=new_uid(),
        tracking_id=short(label),
    )
    described.SegmentDescription = short(RESEARCH, 1024)
    made = hd.seg.Segmentation(
        source_images=[header],
        pixel_array=pixels,
        segmentation_type=how.upper(),
        segment_descriptions=[described],
        fractional_type="PROBABILITY",
        content_label="WHERE_LOOKED",
        content_description=short(label + (f", from {cut:g} of its peak" if how == "binary" else "")),
        omit_empty_frames=False,
        **made_by(),
        **numbering.next(str(header.StudyInstanceUID), "region"),
    )
    if "ImageOrientationPatient" not in header:  # then how the picture lies is said in letters, "" where nobody did
        made.PatientOrientation = header.get("PatientOrientation") or []
    mark(made, "region", header)
    return made


def presentation_state(
    original: Original, said: Said, model: Model, numbering: Numbering, cut: float = 0.5
) -> "Dataset":
    """Contour at `cut` of the map's peak, and the warning, to be laid over the original by the viewer.

    Raises BadInput where the original is coloured by a palette, which such a state cannot be about.
    """
    import highdicom as hd

    header = _header(original)
    height, width = int(header.Rows), int(header.Columns)
    layer = hd.pr.GraphicLayer(layer_name="MEDTL", order=1, description="Where the network looked (research use)")
    objects = [
        hd.pr.GraphicObject(graphic_type="POLYLINE", graphic_data=points, units="PIXEL")
        for points in contours(said.at(height, width), cut)
    ]
    if not objects:
        raise BadInput("The map has no contour at this height.", "Choose a lower cut.")
    warning = hd.pr.TextObject(
        text_value=short(f"{RESEARCH} ({said.method} for {said.label}, from {cut:g} of its peak)", 1000),
        units="DISPLAY",
        bounding_box=(0.02, 0.94, 0.98, 0.99),
        text_justification="LEFT",
    )
    annotation = hd.pr.GraphicAnnotation(
        referenced_images=[header],
        graphic_layer=layer,
        referenced_frame_number=None if original.frame is None else original.frame + 1,
        graphic_objects=objects,
        text_objects=[warning],
    )
    state, more = _state_for(header, original.range)
    made = state(
        referenced_images=[header],
        content_label="WHERE_LOOKED",
        content_description=short(f"Where the network looked for {said.label}"),
        graphic_layers=[layer],
        graphic_annotations=[annotation],
        **more,
        **made_by(),
        **numbering.next(str(header.StudyInstanceUID), "contour"),
    )
    mark(made, "contour", header)
    return made


def contours(share: np.ndarray, cut: float) -> list[np.ndarray]:
    """(H, W) -> closed lines (N, 2) of column and row around where `share` is above `cut`, largest first.

    Unit: pixels from the upper left corner of the upper left pixel, whose middle is (0.5, 0.5) (PS3.3 C.10.5).
    """
    from contourpy import contour_generator

    height, width = share.shape
    around = np.pad(share, 1, constant_values=-1.0)  # so that a line closes along the border
    lines = contour_generator(z=around).lines(cut)
    made = [np.clip(np.asarray(line, float) - 0.5, 0, (width, height)) for line in lines]
    long = [line for line in made if len(line) >= SMALLEST]
    return [_thinned(line) for line in sorted(long, key=len, reverse=True)[:MOST_CONTOURS]]


def _thinned(line: np.ndarray) -> np.ndarray:
    step = -(-len(line) // MOST_POINTS)
    return np.concatenate([line[:-1:step], line[:1]]) if step else line


def _header(original: Original) -> "Dataset":
    if original.header is None:
        raise BadInput("A region refers to a DICOM image, and this is none.", "The overlay can be had.")
    return original.header


def _state_for(header: "Dataset", stored: tuple[float, float] | None) -> tuple[Any, dict[str, Any]]:
    """The class of state, and what it wants besides: a viewer takes from it how grey values are shown, not from the
    image (PS3.4 N.2), so a state that says nothing would show a film without a window black."""
    import highdicom as hd

    colours = str(header.get("PhotometricInterpretation", ""))
    if colours in GREYS:
        shape = "INVERSE" if colours == "MONOCHROME1" else "IDENTITY"
        more: dict[str, Any] = {"presentation_lut_transformation": hd.PresentationLUTTransformation(shape)}
        if not _has_window(header) and stored is not None:
            more["voi_lut_transformations"] = [_window(header, stored)]
        return hd.pr.GrayscaleSoftcopyPresentationState, more
    if int(header.get("SamplesPerPixel", 1)) == 3:
        return hd.pr.ColorSoftcopyPresentationState, {"icc_profile": _srgb()}
    raise BadInput("A contour cannot be laid over an image that is coloured by a palette.", "The overlay can be had.")


def _has_window(header: "Dataset") -> bool:
    return header.get("WindowCenter") not in (None, "") and header.get("WindowWidth") not in (None, "")


def _window(header: "Dataset", stored: tuple[float, float]) -> Any:
    """From the darkest to the brightest value, in the units the viewer has after rescaling (PS3.3 C.11.2.1.2.1)."""
    import highdicom as hd

    slope, intercept = float(header.get("RescaleSlope") or 1), float(header.get("RescaleIntercept") or 0)
    low, high = sorted(slope * value + intercept for value in stored)
    width = max(high - low + 1, 2)
    return hd.pr.SoftcopyVOILUTTransformation(window_center=(low + high + 1) / 2, window_width=width)


def _srgb() -> bytes:
    """How the colours are meant: sRGB, as a profile of an input device (PS3.3 C.11.15)."""
    from PIL import ImageCms

    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[12:16] = b"scnr"
    return bytes(profile)
