"""What is said of one image, or of several of one patient together, and how it is handed on: as a dict, as a message.

It computes nothing. Nothing in it names a person: files are called as they were brought, patients by codes.
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from medtl.explanation.overlay import overlay
from medtl.gate.gate import Verdict
from medtl.vocabulary import HeatMap, to_dict

DO_NOT = "Do not rely on its score."
Kind = Literal["image", "file", "series", "patient"]


@dataclass(frozen=True)
class Answer:
    """What is said of one image. `accepted` False: it is not of the kind the model was trained on, and `why_not` says
    so; `gate` holds every check with its value and limit. A file that cannot be read has `why_not` and nothing else.

    `set` holds every class that could not be ruled out at the error the run states; `settled` is the class where the
    image was accepted and one alone is left, else None: the answer then is "cannot tell", and `says` puts it in a
    sentence. `word` says what `scores` may be called: where a calibration was learned, `calibrated` are probabilities.
    Where several findings are asked for, `predicted` names those called, joined as in predictions.csv, `set` those that
    cannot be ruled out, and `findings` says of each "present", "absent" or "cannot tell".

    `picture` is the image as it was read (uint8, longer side at most 512). `kind` "patient", "series" or "file": the
    answer pools `pooled` images by the run's rule, and `files` names them. `looks` tells how many small changes of the
    image were looked at besides on wish, `ranged` between what the score of the predicted class lay over all looks.
    `given`: with which of the paths asked about it came.
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
    gate: Verdict | None = None
    settled: str | None = None
    says: str = ""
    word: str = "score"
    calibrated: Mapping[str, float] = field(default_factory=dict)
    sha256: str = ""
    frame: int | None = None
    patient: str | None = None
    kind: Kind = "image"
    pooled: int = 1
    files: tuple[str, ...] = ()
    looks: int = 0
    ranged: tuple[float, float] | None = None
    brightness: float | None = None
    given: int = 0

    @property
    def readable(self) -> bool:
        return self.predicted is not None


def unreadable(file: str, why_not: str, given: int = 0) -> Answer:
    return Answer(file, None, {}, (), False, why_not, says=why_not, given=given)


def left(members: Sequence[str], called: Sequence[str], classes: Sequence[str]) -> tuple[str, ...]:
    """What an answer leaves open, of one label an image. A set of one class that is not the one called is no answer:
    then it is both, in the order of the classes."""
    if len(members) != 1 or tuple(members) == tuple(called):
        return tuple(members)
    return tuple(name for name in classes if name in {*members, *called})


def disagreement(members: Sequence[str], called: Sequence[str]) -> str:
    """Why a set of one class is no answer; empty where the call agrees with it."""
    if len(members) != 1 or len(called) != 1 or members[0] == called[0]:
        return ""
    return f"The score is enough to call it {called[0]}, but less than it takes not to rule {called[0]} out."


def in_words(
    settled: str | None, members: tuple[str, ...], why_not: str | None, error: float,
    called: tuple[str, ...] = (), classes: Sequence[str] = (),
) -> str:  # fmt: skip
    """The answer as a sentence; of one label an image."""
    if why_not:
        return f"No answer: {why_not}"
    if settled is not None:
        return (
            f"{settled}. Every other class was ruled out, by sets that miss the truth in about {100 * error:.0f} % of "
            "all cases; where one class is left it may be more often: Trust says how often."
        )
    if why := disagreement(members, called):
        return f"Cannot tell: {' or '.join(left(members, called, classes))}. {why}"
    if members:
        return f"Cannot tell: {' or '.join(members)} could not be ruled out."
    return "Cannot tell: it fits none of the classes."


def as_dict(answer: Answer, out: Path | None = None) -> dict[str, Any]:
    """The answer as `predict` prints it. With `out`, picture and overlay are written there as PNG."""
    said: dict[str, Any] = {
        "file": answer.file,
        "given": answer.given,
        "frame": answer.frame,
        "kind": answer.kind,
        "pooled": answer.pooled,
        "files": list(answer.files),
        "patient": answer.patient,
        "sha256": answer.sha256,
        "says": answer.says,
        "predicted": answer.predicted,
        "settled": answer.settled,
        "word": answer.word,
        "scores": answer.scores,
        "calibrated": dict(answer.calibrated),
        "set": list(answer.set),
        "called": list(answer.called),
        "findings": dict(answer.findings),
        "accepted": answer.accepted,
        "why_not": answer.why_not,
        "gate": _verdict(answer.gate),
        "known": answer.known,
        "nearest": [{"case": case, "distance": round(distance, 4)} for case, distance in answer.nearest],
        "looks": answer.looks,
        "ranged": list(answer.ranged) if answer.ranged else None,
        "explanation": None,
    }
    if answer.explanation is not None:
        numbers = ("values", "signed")
        said["map"] = {key: value for key, value in to_dict(answer.explanation).items() if key not in numbers}
        if out is not None and answer.explanation.state == "ok" and answer.picture is not None:
            said["explanation"] = str(_write_overlay(answer.picture, answer.explanation, out, answer.file))
    return said


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


def _verdict(verdict: Verdict | None) -> dict[str, Any] | None:
    if verdict is None:
        return None
    finite = np.isfinite(verdict.limit)
    return {
        "accepted": verdict.accepted,
        "reasons": list(verdict.reasons),
        "far": round(verdict.far, 4),
        "limit": round(verdict.limit, 4) if finite else None,
        "how": verdict.how,
        "checks": [
            {
                "name": check.name,
                "value": check.value if isinstance(check.value, str) else round(check.value, 4),
                "low": check.low,
                "high": check.high,
                "ok": check.ok,
                "says": check.says,
            }
            for check in verdict.checks
        ],
    }


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
