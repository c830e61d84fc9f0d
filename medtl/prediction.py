"""Asking a finished run: scores for new images or stored cases, with the gate, the set of classes and the heat map."""

import functools
import hashlib
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from medtl.cohorts import library as cohorts
from medtl.cohorts.pixels import Pixels
from medtl.cohorts.reading import Shower
from medtl.errors import BadInput, MedtlError
from medtl.evaluation import conformal, thresholds
from medtl.explanation import neighbours
from medtl.explanation.overlay import overlay
from medtl.runs import findings, results, store
from medtl.sources import library as sources
from medtl.vocabulary import Cohort, HeatMap, Source, Threshold, to_dict
from medtl.workspace import Workspace

if TYPE_CHECKING:
    from medtl.explanation.explainer import Explainer

UNLIKE = "It does not look like the images this model was trained on; do not rely on its score."


@dataclass(frozen=True)
class Answer:
    """What is said of one image. `accepted` False: it does not look like the training images, and `why_not` says so.

    `set` holds every class that could not be ruled out at the error the run states; `picture` the image as it was read
    (uint8, longer side at most 512). A file that cannot be read has `why_not` and nothing else. Where several findings
    are asked for, `predicted` names those called, joined as in predictions.csv, `set` those that cannot be ruled out,
    and `findings` says of each "present", "absent" or "cannot tell".
    """

    file: str
    predicted: str | None
    scores: dict[str, float]
    set: tuple[str, ...]
    accepted: bool
    why_not: str | None
    known: str | None = None  # said when this very file is a case of the cohort
    nearest: tuple[tuple[str, float], ...] = ()
    explanation: HeatMap | None = None
    picture: np.ndarray | None = None
    findings: Mapping[str, str] = field(default_factory=dict)
    called: tuple[str, ...] = ()


class Trained:
    """A finished run, loaded and ready to be asked. Holds the network in memory."""

    def __init__(self, workspace: Workspace, run_id: str) -> None:
        from medtl.sources.weights import load_trained
        from medtl.training import device as devices
        from medtl.training import meaning
        from medtl.training.inference import Eye, Looks

        folder = store.folder(workspace, run_id)
        self.result = results.load(folder)
        self.source: Source = sources.from_run(folder)
        self.cohort: Cohort = cohorts.load(workspace, self.result.recipe.cohort)
        self.classes = self.cohort.classes
        self.cohort_folder = workspace.cohort(self.cohort.id)
        self.task = self.source.task  # what the outputs mean is on the card of the run
        self.network = load_trained(self.source, meaning.width(self.task, len(self.classes)))
        # One image at a time is as quick on the CPU, and a GPU may be busy training.
        self.device = devices.choose("cpu")
        looks = Looks(self.source.looks, self.source.looks_like)
        self.eye = Eye(self.network, self.source.input, self.device, looks)
        self.neighbours = neighbours.load(self.result.folder)
        self.shower = Shower(self.cohort.reading)  # a new image is opened as the cohort's were, in a process of its own
        content = json.loads((self.result.folder / results.ESTIMATES).read_text("utf-8"))
        part = self.cohort.split.part_of()
        self.cases = {case.sha256: (case.name, part.get(case.id, "")) for case in self.cohort.cases}
        self.set_limit: float = content.get("set_limit", 0.0)
        self.threshold: Threshold = self.result.threshold or Threshold(None, "tune", "")
        self.asked = content.get("findings") or {}

    def predict(self, paths: list[Path], explain: str | None = None, method: str = "gradcam") -> list[Answer]:
        """Answers in the order of `paths`. `explain` names a class, or "predicted", to add a heat map for; `method` is
        one of `explanation.methods`."""
        if explain and explain != "predicted" and explain not in self.classes:
            raise BadInput(f"This run knows no class '{explain}'.", f"Its classes: {', '.join(self.classes)}.")
        return [self._one(path, explain, method) for path in paths]

    def explain_case(self, case_id: str, label: str, method: str = "gradcam", layer: str = "") -> HeatMap:
        """The heat map of a stored case for one class."""
        if label not in self.classes:
            raise BadInput(f"This run knows no class '{label}'.", f"Its classes: {', '.join(self.classes)}.")
        return self.explainer.one(self.shown(case_id), label, method, layer)

    def shown(self, case: str = "", path: str = "") -> np.ndarray:
        """(1, C, S, S) uint8: a stored case, or a new image, as the network is shown it."""
        from medtl.modalities.image import pictures_for

        picture = self.shower.picture(Path(path))[0] if path else Pixels(self.cohort_folder).image(case)
        return pictures_for([picture], self.source.input)

    @functools.cached_property
    def explainer(self) -> "Explainer":
        """Says where the network looked; made when first asked."""
        from medtl.explanation.explainer import Explainer

        return Explainer(
            self.network, self.source.input, self.classes, self.task, self.device.where, self.device.chunk_forward
        )

    def close(self) -> None:
        self.shower.close()

    def _one(self, path: Path, explain: str | None, method: str = "gradcam") -> Answer:
        from medtl.modalities.image import pictures_for
        from medtl.training.inference import head_scores

        try:
            picture, _ = self.shower.picture(path)
        except MedtlError as error:
            return Answer(path.name, None, {}, (), False, str(error))
        pixels = pictures_for([picture], self.source.input)
        features = self.eye.features(pixels.__getitem__, np.array([0]))
        scores = head_scores(self.network.head, features, self.task)
        called = self._called(scores)
        nearest, distance = self.neighbours.nearest(features[0])
        accepted = self.neighbours.accepts(distance)
        predicted = results.joined(called)
        several = self.task == "multi-label"
        said = findings.answers(dict(zip(self.classes, scores[0], strict=True)), self.asked) if several else {}
        ruled_in = conformal.members(scores[0], self.set_limit) if not several else range(len(self.classes))
        looked_for = (called or self.classes[int(scores[0].argmax()) :])[0] if explain == "predicted" else explain
        return Answer(
            file=path.name,
            predicted=predicted,
            scores={name: round(float(score), 6) for name, score in zip(self.classes, scores[0], strict=True)},
            set=tuple(self.classes[i] for i in ruled_in if said.get(self.classes[i]) != "absent"),
            accepted=accepted,
            why_not=None if accepted else UNLIKE,
            known=self._known(path),
            nearest=tuple(nearest),
            explanation=self.explainer.one(pixels, looked_for, method) if looked_for else None,
            picture=picture,
            findings=said,
            called=called,
        )  # fmt: skip

    def _called(self, scores: np.ndarray) -> tuple[str, ...]:
        """(1, K) scores -> the class, or the findings."""
        if self.task == "multi-label":
            at = findings.thresholds(self.asked)
            return tuple(name for name, s in zip(self.classes, scores[0], strict=True) if s >= at.get(name, 0.5))
        return (self.classes[int(thresholds.calls(scores, self.threshold, self.classes, self.cohort.positive)[0])],)

    def _known(self, path: Path) -> str | None:
        name, part = self.cases.get(hashlib.sha256(path.read_bytes()).hexdigest(), ("", ""))
        if not name:
            return None
        learned = "the model learned from it" if part == "train" else "it had a part in making or testing the model"
        return f"This very image is in the cohort ({name}, {part} part): {learned}, so its answer is no test."


def as_dict(answer: Answer, out: Path | None = None) -> dict[str, Any]:
    """The answer as `predict` prints it. With `out`, picture and overlay are written there as PNG."""
    said: dict[str, Any] = {
        "file": answer.file,
        "predicted": answer.predicted,
        "scores": answer.scores,
        "set": list(answer.set),
        "called": list(answer.called),
        "findings": dict(answer.findings),
        "accepted": answer.accepted,
        "why_not": answer.why_not,
        "known": answer.known,
        "nearest": [{"case": case, "distance": round(distance, 4)} for case, distance in answer.nearest],
        "explanation": None,
    }
    if answer.explanation is not None:
        said["map"] = {key: value for key, value in to_dict(answer.explanation).items() if key != "values"}
        if out is not None and answer.explanation.state == "ok" and answer.picture is not None:
            said["explanation"] = str(_write_overlay(answer.picture, answer.explanation, out, answer.file))
    return said


def _write_overlay(picture: np.ndarray, heat_map: HeatMap, out: Path, name: str) -> Path:
    from PIL import Image

    out.mkdir(parents=True, exist_ok=True)
    stem = "".join(c if c.isalnum() or c in "-_" else "_" for c in Path(name).stem)[:80] or "image"
    path = out / f"{stem}-where-it-looked.png"
    number = 2
    while path.exists():  # two images of one name, or an earlier answer: nothing is overwritten
        path, number = out / f"{stem}-where-it-looked-{number}.png", number + 1
    Image.fromarray(overlay(picture, np.array(heat_map.values))).save(path)
    return path


def as_message(answer: Answer, spool: Path) -> dict[str, Any]:
    """The answer for the screen: the map as numbers, the picture as a PNG in `spool`."""
    from PIL import Image

    said = as_dict(answer) | {"explanation": to_dict(answer.explanation) if answer.explanation else None}
    said["picture"] = None
    if answer.picture is not None:
        with tempfile.NamedTemporaryFile(dir=spool, prefix="picture-", suffix=".png", delete=False) as file:
            Image.fromarray(answer.picture).save(file, format="PNG")
        said["picture"] = file.name
    return said
