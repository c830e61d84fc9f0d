"""The DICOM objects of one or several answers of a run, written into a folder. It knows which can be made of what."""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medtl.cohorts import library as cohorts
from medtl.cohorts.reading import Referrer
from medtl.dicom_out.common import (
    KINDS,
    Identity,
    Kind,
    Model,
    Numbering,
    Original,
    Region,
    Said,
    header_of,
    quiet,
    write,
)
from medtl.errors import BadInput, MedtlError
from medtl.runs import results, store
from medtl.vocabulary import Reading
from medtl.workspace import Workspace

if TYPE_CHECKING:
    from pydicom import Dataset

BURNED_IN = "A name may stand in the picture itself, as in ultrasound: look at the overlay before it leaves."


def make(
    ws: Workspace,
    run: str,
    asked: Sequence[tuple[Path, Mapping[str, Any]]],
    out: Path,
    *,
    identity: Identity = "remove",
    kinds: Collection[Kind] = KINDS,
    region: Region = "binary",
    cut: float = 0.5,
    reading: Reading | None = None,
) -> dict[str, Any]:
    """Objects for each (image, answer) pair; an answer is `prediction.as_dict` with its map under "explanation", or
    `as_message`. Its "frame" says which frame of the image it is about; the middle one, where it does not.

    `identity` "keep" gives on whose image it is, for the PACS it came from; "remove" says it in the codes of this
    workspace, as its cohorts do. `reading`: how the image is opened; as the run's cohort was, if not said.

    Returns {"run", "identity", "objects": [`Written.as_dict` and "image"], "left_out": [{"image", "kind", "why",
    "advice"}], "doubts": [{"image", "says"}]}; `kind` "all" where the image itself cannot be used. An image is told by
    its place in `asked`, counted from 1, as its name may name somebody.
    """
    if not 0 < cut <= 1:
        raise BadInput(f"The cut is {cut:g}; it is a share of the map's peak.", "Give a number above 0, at most 1.")
    model = model_of(ws, run)
    numbering, made, left, doubts = Numbering(), [], [], []
    referrer = Referrer(ws.salt(), reading or _reading(ws, model))
    try:
        for number, (path, answer) in enumerate(asked, 1):
            try:
                original = _original(referrer, path, identity, answer.get("frame"))
            except BadInput as error:
                left.append({"image": number, "kind": "all", "why": error.message, "advice": error.advice})
                continue
            for kind, one in _each(original, Said.of(answer), model, numbering, kinds, region, cut):
                if isinstance(one, MedtlError):
                    left.append({"image": number, "kind": kind, "why": one.message, "advice": one.advice})
                else:
                    made.append(write(one, kind, out, f"{number:04}").as_dict() | {"image": number})
                    if kind == "overlay" and original.burned_in and identity == "remove":
                        doubts.append({"image": number, "says": BURNED_IN})
    finally:
        referrer.close()
    return {"run": run, "identity": identity, "objects": made, "left_out": left, "doubts": doubts}


def _reading(ws: Workspace, model: Model) -> Reading:
    try:
        return cohorts.load(ws, model.result.recipe.cohort).reading
    except MedtlError:  # the cohort was deleted; the run keeps its numbers
        return Reading()


def _original(referrer: Referrer, path: Path, identity: Identity, frame: int | None) -> Original:
    found = referrer.original(path, identity == "keep", frame)
    with quiet():
        return Original(found.picture, header_of(found.header), found.frame, found.range, bool(found.burned_in))


def model_of(ws: Workspace, run: str) -> Model:
    folder = store.folder(ws, run)
    result = results.load(folder)
    return Model(run, result.recipe.title or run, result)


def _each(
    original: Original, said: Said, model: Model, numbering: Numbering, kinds: Collection[Kind], region: Region,
    cut: float,
) -> "list[tuple[Kind, Dataset | MedtlError]]":  # fmt: skip
    from medtl.dicom_out.region import presentation_state, segmentation
    from medtl.dicom_out.secondary_capture import secondary_capture
    from medtl.dicom_out.structured_report import structured_report

    makers: dict[Kind, Callable[[], Dataset]] = {
        "overlay": lambda: secondary_capture(original, said, model, numbering),
        "region": lambda: segmentation(original, said, model, numbering, region, cut),
        "contour": lambda: presentation_state(original, said, model, numbering, cut),
        "report": lambda: structured_report(original, said.answer, model, numbering),
    }
    found: list[tuple[Kind, Dataset | MedtlError]] = []
    for kind in KINDS:
        if kind not in kinds:
            continue
        try:
            if kind != "report" and said.values is None:
                raise BadInput("There is no map that could be drawn.", "Ask with a heat map, or for another class.")
            with quiet():
                found.append((kind, makers[kind]()))
        except MedtlError as error:
            found.append((kind, error))
        except (ValueError, TypeError, AttributeError, KeyError, LookupError) as error:
            # highdicom names what it misses in a header with these; its words may quote values of the header
            missing = type(error).__name__
            found.append((kind, BadInput(f"It cannot be made of this DICOM file ({missing}).", "Take the overlay.")))
    return found
