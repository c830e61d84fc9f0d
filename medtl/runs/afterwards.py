"""What was worked out of a finished run after its result: how robust it is, and how it does on other cohorts.

Reads the files that `medtl.robustness` and `medtl.external` wrote; computes nothing. What is damaged counts as not
there: it can be worked out again, and the result beside it is sound.
"""

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from medtl.errors import MedtlError, NotFound
from medtl.runs import choices, results, store
from medtl.runs.results import PredictionRow
from medtl.vocabulary import Estimate
from medtl.workspace import Workspace

ROBUSTNESS = "robustness.json"
PERTURBED = "robustness.npz"
EXTERNAL = "external"
EXTERNAL_RESULT = "result.json"
FEATURES = "features.npz"
LOOKS = ("brightness", "contrast", "sharpness", "width", "height")  # columns of what is kept of each image


# ---- robustness ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Perturbed:
    """One change of the images: `kind` is its family, `does` says it with its number. `fall` is the AUROC without it
    less that with it, `changed` the share of cases whose call is another one. `verdict`: "falls", "no fall shown",
    "too few"."""

    id: str
    kind: str
    strength: str
    name: str
    does: str
    amount: float
    auroc: Estimate
    fall: Estimate
    changed: Estimate
    verdict: str
    says: str


@dataclass(frozen=True)
class Robustness:
    """`cases` of the `of` cases of the test part were changed and scored again, of `patients` patients (None: not
    known). `auroc` is that of the same cases unchanged. `says` is one sentence for all; `notes` are limits to be read
    beside it."""

    rows: tuple[Perturbed, ...]
    auroc: Estimate
    cases: int
    of: int
    patients: int | None
    says: str
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    made: str = ""

    @property
    def falls(self) -> tuple[Perturbed, ...]:
        """The changes under which it was shown to fall, the worst first."""
        return tuple(sorted((row for row in self.rows if row.verdict == "falls"), key=lambda row: -row.fall.value))

    @property
    def few(self) -> bool:
        """Whether there are too few patients to say anything."""
        return any(row.verdict == "too few" for row in self.rows)


@dataclass(frozen=True)
class PerturbedScores:
    """Scores (P, n, K) of the same n test cases after each of P changes, and (n, K) before any."""

    cases: tuple[str, ...]
    ids: tuple[str, ...]
    before: np.ndarray
    after: np.ndarray


def robustness(folder: Path) -> Robustness | None:
    """Of the run in `folder`; None where it has not been worked out."""
    content = _read(folder / store.RESULT / ROBUSTNESS)
    try:
        return _robustness(content) if content else None
    except (MedtlError, KeyError, TypeError, ValueError):
        return None


def perturbed_scores(folder: Path) -> PerturbedScores | None:
    """The scores behind it, so that calls can be counted at another threshold."""
    kept = _arrays(folder / store.RESULT / PERTURBED)
    if not {"cases", "ids", "before", "after"} <= kept.keys():
        return None
    return PerturbedScores(tuple(kept["cases"].tolist()), tuple(kept["ids"].tolist()), kept["before"], kept["after"])


def _robustness(content: Mapping[str, Any]) -> Robustness:
    rows = tuple(
        store.known(
            Perturbed, {**row, **{name: _estimate(row[name]) for name in ("auroc", "fall", "changed")}}, "robustness"
        )
        for row in content["rows"]
    )
    changed = {"rows": rows, "auroc": _estimate(content["auroc"]), "notes": tuple(content.get("notes") or ())}
    return store.known(Robustness, {**content, **changed}, "robustness")


# ---- external sets ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Spread:
    """How a number lies over images: quantiles at 5, 25, 50, 75 and 95 %."""

    n: int
    mean: float
    sd: float
    quantiles: tuple[float, ...]


@dataclass(frozen=True)
class Side:
    """The images of one cohort as the network and a viewer see them. `looks` maps each of LOOKS to its spread (shares
    of 1; width and height in pixels). `distance` is the mean distance to the tenth nearest training image, `refused`
    the share that the gate refuses, as it refuses new images."""

    cases: int
    looks: Mapping[str, Spread]
    distance: float
    refused: float


@dataclass(frozen=True)
class External:
    """A run on another cohort with everything frozen. `counts` are scored cases a class of the run (present ones of a
    finding), 0 where the cohort has none. `mapping`: the cohort's own names -> the run's, "" where its cases were left
    out. `excluded` maps a reason to the ids of the cases left out for it. The predictions are read by
    `external_predictions`."""

    cohort: str
    title: str
    root: str
    made: str
    classes: tuple[str, ...]
    positive: str | None
    task: str
    cases: int
    patients: int | None
    counts: Mapping[str, int]
    mapping: Mapping[str, str]
    excluded: Mapping[str, tuple[str, ...]]
    notes: tuple[str, ...]
    internal: Side
    external: Side
    other_patients: bool = False
    synthetic: bool = False
    seconds: float = 0.0
    folder: Path = field(default_factory=Path)

    @property
    def missing(self) -> tuple[str, ...]:
        """Classes of the run of which the cohort has no case."""
        return tuple(name for name in self.classes if not self.counts.get(name))


@dataclass(frozen=True)
class Shift:
    """Rows of both sides for measures of distance: features (n, D) and (m, D) float16 of at most 500 images each, looks
    (n, 5) and (m, 5) in the order of LOOKS for the same images."""

    internal: np.ndarray
    external: np.ndarray
    internal_looks: np.ndarray
    external_looks: np.ndarray
    internal_cases: tuple[str, ...]
    external_cases: tuple[str, ...]


def externals(folder: Path) -> tuple[External, ...]:
    """Every cohort the run in `folder` was tested on, the latest first."""
    places = (folder / store.RESULT / EXTERNAL).glob("[!.]*")
    found = [one for place in places if (one := _external(place)) is not None]
    return tuple(sorted(found, key=lambda one: one.made, reverse=True))


def external(folder: Path, cohort: str) -> External:
    """Raises NotFound where the run was not tested on this cohort, or on another version of it."""
    found = next((one for one in externals(folder) if one.cohort == cohort), None)
    if found is None:
        raise NotFound("This run has not been tested on that cohort.", "Test it first: evaluate RUN --cohort COHORT.")
    return found


def external_predictions(found: External) -> tuple[PredictionRow, ...]:
    """Called at the run's operating point in force, which may be another than when it was tested there."""
    run = found.folder.parents[2]  # RUN/result/external/COHORT
    rows = results.read_predictions(found.folder / results.PREDICTIONS)
    return results.called_anew(rows, run) if choices.read(run).changed else rows


def shift(found: External) -> Shift | None:
    kept = _arrays(found.folder / FEATURES)
    arrays = [kept.get(name) for name in ("internal", "external", "internal_looks", "external_looks")]
    cases = [tuple(kept[name].tolist()) for name in ("internal_cases", "external_cases") if name in kept]
    if any(array is None for array in arrays) or len(cases) < 2:
        return None
    return Shift(*arrays, *cases)  # type: ignore[arg-type]  # four arrays and two tuples


def place_of_external(folder: Path, cohort: str) -> Path:
    """Where the result of a cohort lies. The id is checked, as it becomes a path."""
    return folder / store.RESULT / EXTERNAL / Workspace(folder).cohort(cohort).name


def _external(place: Path) -> External | None:
    content = _read(place / EXTERNAL_RESULT)
    if not content or not (place / results.PREDICTIONS).exists():
        return None
    try:
        made = {
            **content,
            "classes": tuple(content["classes"]),
            "notes": tuple(content.get("notes") or ()),
            "excluded": {why: tuple(ids) for why, ids in content["excluded"].items()},
            "internal": _side(content["internal"]),
            "external": _side(content["external"]),
            "folder": place,
        }
        return store.known(External, made, "external test")
    except (MedtlError, KeyError, TypeError, ValueError, AttributeError):
        return None


def _side(content: Mapping[str, Any]) -> Side:
    looks = {
        name: Spread(one["n"], one["mean"], one["sd"], tuple(one["quantiles"]))
        for name, one in content["looks"].items()
    }
    return store.known(Side, {**content, "looks": looks}, "external test")


def _estimate(content: Mapping[str, Any]) -> Estimate:
    return store.known(Estimate, content, "robustness")


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as kept:
            return {name: kept[name] for name in kept.files}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return {}
