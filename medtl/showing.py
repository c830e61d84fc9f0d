"""One case of a finished run: its maps and badges, what it resembles, and how maps fit what clinicians marked.

torch only where a map has to be made: `agreement` reads what is kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from medtl import explaining
from medtl.cohorts import library as cohorts
from medtl.cohorts.pixels import Pixels
from medtl.explanation import attention as shares
from medtl.explanation import examples, overlap
from medtl.explanation.methods import DEFAULT
from medtl.explanation.neighbours import Neighbours
from medtl.explanation.overlay import overlay
from medtl.runs import attention, marks, results, store
from medtl.vocabulary import Cohort, Estimate, HeatMap, labels_of, to_dict
from medtl.workspace import Workspace

if TYPE_CHECKING:
    from medtl.training.inference import Eye

CUT = 0.5  # of a map's maximum: what counts as looked at when it is held against a region


@dataclass(frozen=True)
class Agreement:
    """`estimates` as in `explanation.overlap.over_cases`, over `cases` that have both a region and a map; `hits` says
    of each whether the strongest point lay in the region. `wrong`: where somebody said it looked at the wrong thing."""

    estimates: tuple[Estimate, ...]
    cases: tuple[str, ...]
    hits: tuple[bool, ...]
    wrong: tuple[str, ...]
    says: str

    def estimate(self, name: str) -> Estimate | None:
        return next((one for one in self.estimates if one.name == name), None)


def agreement(workspace: Workspace, run_id: str) -> Agreement:
    """How the kept maps fit the regions that were drawn, each for the class it was drawn for."""
    folder = store.folder(workspace, run_id)
    cohort = cohorts.load(workspace, store.recipe(folder).cohort)
    patient = {case.id: case.patient for case in cohort.cases}
    kept, found = attention.maps(folder), []
    for mark in marks.load(folder):
        values = kept.of(mark.case, mark.label)
        if mark.regions and values is not None and np.isfinite(values).all():
            found.append((mark.case, fits(values, mark.regions)))
    cases = tuple(case for case, _ in found)
    said = overlap.over_cases([one for _, one in found], [patient.get(case) for case in cases])
    hits = tuple(one.hit for _, one in found)
    return Agreement(said, cases, hits, marks.wrong(folder), _in_words(said, hits))


def fits(values: np.ndarray, regions: Sequence[Sequence[marks.Point]], side: int = 224) -> shares.Overlap:
    """One map (h, w), signed or not, and the regions drawn in its picture."""
    return shares.overlap(np.maximum(values, 0), shares.polygons(regions, side, side), CUT)


def _in_words(said: Sequence[Estimate], hits: Sequence[bool]) -> str:
    by_name = {one.name: one for one in said}
    if not said:
        return "No region has been drawn on a test case with a map."
    point, iou, inside = by_name["pointing"], by_name["iou"], by_name["inside"]
    return (
        f"The strongest point lay in your region in {sum(hits)} of {len(hits)} cases ({100 * point.low:.0f} % to "
        f"{100 * point.high:.0f} %). Overlap with your regions: {100 * iou.value:.0f} % ({100 * iou.low:.0f} % to "
        f"{100 * iou.high:.0f} %, cut at half "
        f"of the maximum). {100 * inside.value:.0f} % of what the maps show lies inside; they take "
        f"{100 * by_name['area'].value:.0f} % of the image."
    )


def explain_one(
    workspace: Workspace, run_id: str, case: str, label: str | None = None, method: str = DEFAULT, layer: str = "",
    out: Path | None = None,
) -> dict[str, Any]:  # fmt: skip
    """A stored case as `explain --case` prints it: the state of the map of every class, and the badges of one."""
    from medtl.modalities.image import pictures_for

    folder = store.folder(workspace, run_id)
    cohort = cohorts.load(workspace, results.load(folder).recipe.cohort)
    explainer = explaining.explainer_of(workspace, run_id)
    picture = Pixels(workspace.cohort(cohort.id)).image(case)
    shown = pictures_for([picture], explainer.spec)
    if label is None:
        label = cohort.classes[int(explainer.scores(explainer.input(shown))[0].argmax())]
    made = []
    for one in explainer.every(shown, method, layer):
        file = _drawn_to(out, case, one, picture) if out is not None and one.state == "ok" else None
        made.append({"label": one.label, "state": one.state, "says": one.says, "layer": one.layer, "file": file})
    found = explainer.check(shown, label, method, layer)
    return {"case": case, "label": label, "method": method, "maps": made, "checks": [to_dict(check) for check in found]}


def _drawn_to(out: Path, case: str, heat: HeatMap, picture: np.ndarray) -> str:
    from PIL import Image

    out.mkdir(parents=True, exist_ok=True)
    stem = "".join(c if c.isalnum() or c in "-_" else "_" for c in f"{case}-{heat.label}")[:100]
    path = out / f"{stem}-where-it-looked.png"
    Image.fromarray(overlay(picture, np.array(heat.values))).save(path)
    return str(path)


def similar(cohort: Cohort, known: Neighbours, eye: "Eye", shown: np.ndarray, nearest: int = 3) -> dict[str, Any]:
    """What the network finds like one picture (1, C, S, S) among its training cases, as a message.

    "nearest" and "prototypes" (one a class): case, label, distance; "place": (x, y) on the plane of "cases" and
    "points"; "explained": the share of all differences that the plane shows.
    """
    features = eye.features(shown.__getitem__, np.array([0]))[0]
    labels = {case.id: results.joined(labels_of(case)) for case in cohort.cases}
    single = {id: label for id, label in labels.items() if label in cohort.classes}
    plane = examples.plane(known)
    return {
        "nearest": [
            {"case": case, "label": labels.get(case, ""), "distance": round(distance, 4)}
            for case, distance in known.nearest(features, nearest)[0]
        ],
        "prototypes": [to_dict(one) for one in examples.prototypes(known, single)],
        "place": [round(value, 4) for value in plane.place(features)],
        "cases": list(plane.cases),
        "labels": [labels.get(case, "") for case in plane.cases],
        "points": np.round(plane.points, 4).tolist(),
        "explained": round(plane.explained, 4),
    }
