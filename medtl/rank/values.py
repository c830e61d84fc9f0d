"""What a ranking is, and reading what lies beside a cohort. Measures nothing."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from medtl.cohorts import library as cohorts
from medtl.errors import MedtlError
from medtl.sources import library as sources
from medtl.vocabulary import Cohort, Estimate
from medtl.workspace import Workspace

FILE, MAP = "ranking.json", "ranking-map.npz"


@dataclass(frozen=True)
class Ranked:
    """One source on this cohort. Scores that could not be had are None; `says` tells why, or what is remarkable.

    `score`: macro AUROC out of fold of a well-fitted last layer; `over_none`: that minus what thumbnails reach.
    `distance`: Fréchet distance to what the source learned from, as a share of its own spread; `nearness` in a word.
    `told_apart`: AUROC of telling its own cases from these. `seen`: cases of this cohort it was trained on. `seconds`
    and `memory_mb` for looking at the cases here (peak of the whole process); `per_case` seconds of one prediction.
    `laps`: tune AUROC after the epochs it was given in the race.
    """

    source: str
    title: str
    score: Estimate | None = None
    over_none: Estimate | None = None
    loss: float | None = None
    logme: float | None = None
    h_score: float | None = None
    leep: float | None = None
    nce: float | None = None
    distance: float | None = None
    nearness: str = ""
    told_apart: float | None = None
    seen: int = 0
    seconds: float | None = None
    per_case: float | None = None
    memory_mb: int | None = None
    laps: tuple[tuple[int, float], ...] = ()
    says: str = ""
    sha256: str = ""  # of its weights when it was measured


@dataclass(frozen=True)
class Ranking:
    """Sources of one cohort, best first. `control` is what no transfer reaches, `helps` whether the recommended source
    was seen to be better than it ("helps", "no difference seen", "hurts"). `tied` cannot be told from the recommended.
    `forward` are the seconds of bare forward passes among `seconds`; `computed` how many features were not cached.
    """

    cohort: str
    at: str
    rows: tuple[Ranked, ...]
    control: Estimate | None
    recommended: str
    helps: str
    says: str
    tied: tuple[str, ...] = ()
    fine_tune: str = ""  # the source that led the race
    says_race: str = ""
    cases: int = 0
    of: int = 0
    seconds: float = 0.0
    forward: float = 0.0
    computed: int = 0
    notes: tuple[str, ...] = ()

    def row(self, source: str) -> Ranked | None:
        return next((row for row in self.rows if row.source == source), None)


def load(ws: Workspace, cohort_id: str) -> Ranking | None:
    """What was measured on this very version, or None when it was not, or the file is damaged.

    A source whose weights are others by now (another file of the same title) counts as not measured.
    """
    try:
        found = _from_dict(json.loads((ws.cohort(cohort_id) / FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    now = {source.id: source.sha256 for source in sources.sources(ws)}
    rows = tuple(row for row in found.rows if not row.sha256 or now.get(row.source, row.sha256) == row.sha256)
    if found.recommended and not any(row.source == found.recommended for row in rows):
        return replace(found, rows=rows, recommended="", says="The source that was recommended is another one by now.")
    return replace(found, rows=rows)


def load_map(ws: Workspace, cohort_id: str) -> dict[str, Any]:
    """ "cases": ids, and source id -> (n, 2) float32, the cohort in its eyes; empty when nothing was measured."""
    import numpy as np

    try:
        with np.load(ws.cohort(cohort_id) / MAP, allow_pickle=False) as file:
            return {name: file[name].tolist() if name == "cases" else file[name] for name in file.files}
    except (OSError, ValueError, KeyError, EOFError):
        return {}


def nearest(ws: Workspace, cohort: Cohort) -> Ranking | None:
    """What was measured on this version or, where nothing was, on the nearest one before it."""
    at = cohort
    while (found := load(ws, at.id)) is None and at.parent:
        try:
            at = cohorts.load(ws, at.parent)
        except MedtlError:  # deleted; what stood before it cannot be reached any more
            return None
    return None if judged_by(at, cohort) else found


def judged_by(measured: Cohort, now: Cohort) -> bool:
    """Whether a later version judges by cases on which an earlier one measured its sources."""
    return not set(measured.split.train).isdisjoint(now.split.test)


def _from_dict(data: Mapping[str, Any]) -> Ranking:
    def estimate(said: Any) -> Estimate | None:
        return Estimate(**said) if said else None

    rows = tuple(
        Ranked(**{
            **row,
            "score": estimate(row["score"]),
            "over_none": estimate(row["over_none"]),
            "laps": tuple((int(epochs), float(auroc)) for epochs, auroc in row["laps"]),
        })
        for row in data["rows"]
    )
    known = {key: value for key, value in data.items() if key in Ranking.__dataclass_fields__}
    return Ranking(**{
        **known,
        "rows": rows,
        "control": estimate(data["control"]),
        "tied": tuple(data["tied"]),
        "notes": tuple(data["notes"]),
    })
