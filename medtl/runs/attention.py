"""Where a finished run's network looked, over its test cases: what was measured of its maps, read from the result.

Computes no map: `medtl.explaining` wrote them. Maps lie in explanation.npz (a few hundred bytes a case and class), the
badges and shares in explanation.json. Means over cases are taken here, as they cost nothing.

Letters: n cases, K classes, h and w cells.
"""

import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from medtl.errors import MedtlError, NotReady
from medtl.runs import store
from medtl.vocabulary import Estimate, MapCheck

FILE = "explanation.json"
MAPS = "explanation.npz"


@dataclass(frozen=True)
class Share:
    """How much of the maps lies where it should not, in the mean: "outside", "edge" or "writing". `area` is the share
    of the pictures' area there. `alarm`: more of the map than of the area; `cases` are the worst, worst first."""

    id: str
    title: str
    share: Estimate
    area: float
    alarm: bool
    says: str
    cases: tuple[str, ...]


@dataclass(frozen=True)
class CaseAttention:
    """One test case under the map of the class it was called. None: there was no map, no ground or no writing."""

    case: str
    label: str
    predicted: str
    state: str
    outside: float | None = None
    edge: float | None = None
    writing: float | None = None


@dataclass(frozen=True)
class Step:
    """How much of a map stayed once so much of the network was shuffled, from the head backwards."""

    name: str
    kept: float


@dataclass(frozen=True)
class Attention:
    """What explanation.json holds. `cases` of `of` test cases have a map; `sample` of them were checked. `states` says
    of the maps for the class that was called how many are in which state. `exact`: in closed form."""

    method: str
    layer: str
    exact: bool
    classes: tuple[str, ...]
    cases: tuple[CaseAttention, ...]
    of: int
    sample: int
    states: Mapping[str, int]
    checks: tuple[MapCheck, ...]
    steps: tuple[Step, ...]
    shares: tuple[Share, ...]
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    created: str = ""

    def check(self, id: str) -> MapCheck | None:
        return next((one for one in self.checks if one.id == id), None)

    @property
    def alarms(self) -> tuple[Share, ...]:
        return tuple(one for one in self.shares if one.alarm)


@dataclass(frozen=True)
class Maps:
    """`signed` (n, K, h, w) float32 in [-1, 1]: each case's map for each class, 1 its strongest cell in either
    direction, which is `scale` (n, K) in the score's units. NaN where there are no numbers."""

    cases: tuple[str, ...]
    classes: tuple[str, ...]
    signed: np.ndarray
    scale: np.ndarray

    def of(self, case: str, label: str) -> np.ndarray | None:
        """(h, w) in [-1, 1], or None where this case has no map."""
        if case not in self.cases or label not in self.classes:
            return None
        return np.asarray(self.signed[self.cases.index(case), self.classes.index(label)])

    def mean(self, label: str, cases: Sequence[str], signed: bool = False) -> tuple[np.ndarray | None, int]:
        """The mean map for a class over these cases, and how many had one. Each counts the same, whatever its score;
        without `signed` what speaks against the class counts as 0."""
        rows = np.flatnonzero(np.isin(self.cases, list(cases)))
        maps = self.signed[rows, self.classes.index(label)]
        maps = maps[np.isfinite(maps).all(axis=(1, 2))]
        if not signed:
            maps = np.maximum(maps, 0)
        return (np.asarray(maps.mean(axis=0)), len(maps)) if len(maps) else (None, 0)

    def of_class(self, attention: Attention, label: str) -> tuple[np.ndarray | None, int]:
        """The mean map for a class over the cases that have it."""
        return self.mean(label, [one.case for one in attention.cases if label in one.label.split("|")])

    def of_cell(self, attention: Attention, reference: str, called: str) -> tuple[np.ndarray | None, int]:
        """The mean map for the class that was called, over one cell of the confusion matrix."""
        return self.mean(called, [c.case for c in attention.cases if c.label == reference and c.predicted == called])


def exists(folder: Path) -> bool:
    """Whether the run in this folder has its maps checked."""
    return (folder / store.RESULT / FILE).exists()


def load(folder: Path) -> Attention:
    """What was measured, or NotReady while there is nothing."""
    path = folder / store.RESULT / FILE
    if not path.exists():
        raise NotReady(
            "Where this model looked has not been checked over its test cases.",
            "Ask for it on the Trust page, or run: python -m medtl explain RUN",
        )
    content = store.read_json(path, "explanation")
    return store.known(
        Attention,
        {
            **content,
            "classes": tuple(content.get("classes") or ()),
            "cases": _each(CaseAttention, content.get("cases")),
            "checks": _each(MapCheck, content.get("checks")),
            "steps": _each(Step, content.get("steps")),
            "shares": tuple(_share(one) for one in content.get("shares") or ()),
            "notes": tuple(content.get("notes") or ()),
        },
        "explanation",
    )


def maps(folder: Path) -> Maps:
    """The maps of the test cases, for every class at once."""
    path = folder / store.RESULT / MAPS
    try:
        with np.load(path, allow_pickle=False) as file:
            return Maps(
                tuple(file["cases"].tolist()), tuple(file["classes"].tolist()), file["maps"].astype(np.float32),
                file["scale"],
            )  # fmt: skip
    except FileNotFoundError as error:
        raise NotReady("This run has no maps of its test cases.", "Run: python -m medtl explain RUN") from error
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise MedtlError("The maps of this run are damaged.", "Run: python -m medtl explain RUN --again") from error


def _each(cls: Any, content: Any) -> tuple[Any, ...]:
    return tuple(store.known(cls, one, "explanation") for one in content or ())


def _share(content: Mapping[str, Any]) -> Share:
    share = store.known(Estimate, content["share"], "explanation")
    return store.known(Share, {**content, "share": share, "cases": tuple(content.get("cases") or ())}, "explanation")


def as_json(attention: Attention) -> str:
    from medtl.vocabulary import to_dict

    return json.dumps({"schema_version": 1, **to_dict(attention)}, ensure_ascii=False)
