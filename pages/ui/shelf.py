"""What pages read from the workspace, kept for a moment so that a click costs no second reading.

Everything returned is shared between sessions and never changed. Nothing here decides or draws.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import streamlit as st

from medtl import automatic, comparing, rank
from medtl import checkup as checkups
from medtl.checkup import Checkup
from medtl.cohorts import library
from medtl.cohorts.pixels import Pixels
from medtl.errors import MedtlError, NotFound
from medtl.explanation import neighbours
from medtl.runs import afterwards, choices, results, status, store
from medtl.runs import attention as attending
from medtl.trust import abroad as abroads
from medtl.trust import cases, exploring, judge
from medtl.trust.abroad import Abroad
from medtl.trust.exploring import Explorer
from medtl.trust.values import Judgement
from medtl.vocabulary import Case, Cohort, Recipe, Source
from medtl.workspace import Workspace

LONGEST = 100  # letters of an id; the disk refuses much longer names in words of its own


def workspace() -> Workspace:
    """The folder named by MEDTL_HOME, else ~/.medtl; that it can be written is looked at every few seconds."""
    return _workspace(home())


def home() -> str:
    """The workspace as a key of what is kept."""
    return str(Workspace().home)


@st.cache_resource(ttl=5, max_entries=8, show_spinner=False)
def _workspace(home: str) -> Workspace:
    return Workspace(home).ensure()


def cohort(id: str) -> Cohort:
    """NotFound for an unknown, deleted or hostile id, with the same words for all of them."""
    file = workspace().cohort(id[:LONGEST]) / "cohort.json"
    if not file.exists():
        raise NotFound("There is no such cohort.", "Pick one from the Library.")
    return _cohort(home(), id, file.stat().st_mtime_ns)


def by_id(cohort: Cohort) -> dict[str, Case]:
    """Case id -> case; of 10,000 cases made once and not at every click."""
    return _by_id(home(), cohort.id, cohort)


def checkup(version: Cohort) -> Checkup | None:
    """What the deep check found in this version, or, as far as it still holds, in the nearest one before it."""
    at: Cohort | None = version
    while at is not None:
        file = workspace().cohort(at.id) / checkups.FILE
        if file.exists() and (found := _checkup(home(), at.id, _stamp(file), version.id, at, version)):
            return found
        at = or_none(cohort, at.parent)
    return None


def ranking(version: Cohort) -> rank.Ranking | None:
    """How sources did on this version or, where none was measured, on the nearest one before it."""
    at: Cohort | None = version
    while at is not None:
        file = workspace().cohort(at.id) / rank.FILE
        if file.exists() and (found := _ranking(home(), at.id, _stamp(file))):
            return None if rank.judged_by(at, version) else found
        at = or_none(cohort, at.parent)
    return None


def ranking_map(cohort_id: str) -> dict[str, Any]:
    """ "cases": ids, and source id -> (n, 2); empty when nothing was measured."""
    return _ranking_map(home(), cohort_id, _stamp(workspace().cohort(cohort_id) / rank.MAP))


def run(id: str) -> Path:
    """The folder of a run; NotFound as above."""
    folder = workspace().run(id[:LONGEST])
    if not (folder / "recipe.json").exists():
        raise NotFound("There is no such run.", "Pick one from the Library.")
    return folder


def recipe(id: str) -> Recipe:
    return store.recipe(run(id))


def progress(id: str) -> status.Progress:
    return status.progress(run(id))


def has_result(id: str) -> bool:
    return (run(id) / "result" / "estimates.json").exists()


def result(id: str) -> results.Result:
    """NotFound-like MedtlError when the run has none yet. Read anew when a control replaced the cheap one, or what is
    worked out after the result has come."""
    folder = run(id) / "result"
    others = (
        *(results.CONTROL, results.CURVES, results.CROSS_VALIDATED, results.LEARNING_CURVE, afterwards.ROBUSTNESS),
        *sorted(str(place.relative_to(folder)) for place in folder.glob(f"{afterwards.EXTERNAL}/*/*.json")),
    )
    return _result(str(run(id)), (*_called(id), *(_stamp(folder / name) for name in others)))


def judgement(id: str) -> Judgement:
    """What can be said of the run; worked out anew when its scores, its cohort or what was chosen of it changed, but
    not because somebody looked at it."""
    chosen = choices.read(run(id))
    cohort = workspace().cohort(recipe(id).cohort) / "cohort.json"
    named = (tuple(chosen.prevalence.items()), chosen.range, chosen.pool, tuple(one.at for one in chosen.changed))
    found = _judgement(str(run(id)), (*_called(id), _stamp(cohort), named))
    return replace(found, openings=chosen.openings, opened=chosen.opened)


def attention(id: str) -> attending.Attention | None:
    """What was measured of where the run's network looked, or nothing yet."""
    file = run(id) / "result" / attending.FILE
    return _attention(str(run(id)), _stamp(file)) if file.exists() else None


def mean_maps(id: str) -> dict[str, tuple[Any, int]]:
    """Class -> the mean map (h, w) over its test cases and how many those are; classes without one are left out."""
    found = attention(id)
    return _mean_maps(str(run(id)), _stamp(run(id) / "result" / attending.MAPS), found) if found else {}


def explorer(id: str) -> Explorer:
    """The scored cases of the run, to try out thresholds."""
    return _explorer(str(run(id)), _called(id))


def abroad(id: str) -> tuple[Abroad, ...]:
    """The run beside itself on every other cohort it was tested on."""
    made = tuple((one.cohort, one.made) for one in result(id).externals)
    return _abroad(str(run(id)), (*_called(id), made))


def _called(id: str) -> tuple[int, ...]:
    """Changes when the scores or the calls of the run do."""
    folder = run(id) / "result"
    return tuple(_stamp(folder / name) for name in (results.ESTIMATES, results.PREDICTIONS, results.OPERATING))


def predictions(id: str) -> tuple[results.PredictionRow, ...]:
    return _predictions(str(run(id)), _called(id))


def nearest(id: str, case: str) -> tuple[tuple[str, float], ...]:
    """The three training cases most like a test case to the network of a run, with their distance; none where the run
    kept nothing to find them by."""
    file = run(id) / "result" / neighbours.FILE
    kept = _neighbours(str(file.parent), _stamp(file)) if file.exists() else None
    return tuple(kept.nearest_to(case)) if kept else ()


def compared(ids: tuple[str, ...]) -> comparing.Compared:
    """Runs side by side; MedtlError with what keeps them from being compared."""
    stamps = tuple(_stamp(run(id) / "result" / "estimates.json") for id in ids)
    return _compared(home(), ids, stamps)


def members(group: str) -> tuple[automatic.Member, ...]:
    """The runs that were started together, as they are now."""
    return automatic.members(workspace(), group) if group else ()


def sources() -> tuple[Source, ...]:
    return _sources(home())


def source(id: str) -> Source | None:
    return next((source for source in sources() if source.id == id), None)


def source_title(id: str) -> str:
    """The title of a source that may be gone by now."""
    found = source(id)
    return found.title if found else id


def strategy_title(id: str) -> str:
    from medtl.strategies import STRATEGIES

    return STRATEGIES[id].card.title if id in STRATEGIES else id


def pixels(cohort_id: str) -> Pixels:
    return _pixels(str(workspace().cohort(cohort_id)))


def cohorts() -> tuple[Any, ...]:
    """Summaries, newest first."""
    return _cohorts(home())


def runs() -> tuple[Any, ...]:
    """Summaries, newest first."""
    return _runs(home())


def synthetic(cohort_id: str) -> bool:
    return any(one.id == cohort_id and one.synthetic for one in cohorts())


def disk_use() -> int:
    """Bytes of the whole workspace; walked at most once a minute."""
    return _disk_use(home())


def free() -> int:
    return workspace().free()


@st.cache_data(ttl=60, show_spinner=False)
def device() -> str:
    from medtl.training import machine

    return machine.describe()


def forget() -> None:
    """After an add, an edit or a delete: read anew."""
    for kept in (_cohorts, _runs, _sources, _disk_use):
        kept.clear()


def or_none(read: Any, id: str | None) -> Any:
    """The thing, or None when it is not there."""
    try:
        return read(id) if id else None
    except MedtlError:
        return None


def _stamp(file: Path) -> int:
    return file.stat().st_mtime_ns if file.exists() else 0


@st.cache_resource(max_entries=8, show_spinner=False)
def _cohort(home: str, id: str, stamp: int) -> Cohort:
    return library.load(Workspace(home), id)


@st.cache_resource(max_entries=8, show_spinner=False)
def _checkup(home: str, id: str, stamp: int, now: str, _checked: Cohort, _now: Cohort) -> Checkup | None:
    found = checkups.load(Workspace(home), id)
    return checkups.still(found, _checked, _now) if found else None


@st.cache_resource(max_entries=8, show_spinner=False)
def _ranking(home: str, id: str, stamp: int) -> rank.Ranking | None:
    return rank.load(Workspace(home), id)


@st.cache_resource(max_entries=4, show_spinner=False)
def _ranking_map(home: str, id: str, stamp: int) -> dict[str, Any]:
    return rank.load_map(Workspace(home), id)


@st.cache_resource(max_entries=8, show_spinner=False)
def _by_id(home: str, id: str, _cohort: Cohort) -> dict[str, Case]:
    return {case.id: case for case in _cohort.cases}


@st.cache_resource(max_entries=8, show_spinner=False)
def _pixels(folder: str) -> Pixels:
    return Pixels(Path(folder))


@st.cache_resource(max_entries=8, show_spinner=False)
def _result(folder: str, stamps: tuple[int, ...]) -> results.Result:
    return results.load(Path(folder))


@st.cache_resource(max_entries=8, show_spinner="Working out what can be said of this run…")
def _judgement(folder: str, stamps: tuple[Any, ...]) -> Judgement:
    return judge.judge(Path(folder))


@st.cache_resource(max_entries=4, show_spinner=False)
def _attention(folder: str, stamp: int) -> attending.Attention:
    return attending.load(Path(folder))


@st.cache_resource(max_entries=4, show_spinner=False)
def _mean_maps(folder: str, stamp: int, _found: attending.Attention) -> dict[str, tuple[Any, int]]:
    maps = attending.maps(Path(folder))
    made = {label: maps.of_class(_found, label) for label in _found.classes if label in maps.classes}
    return {label: (mean, n) for label, (mean, n) in made.items() if mean is not None}


@st.cache_resource(max_entries=4, show_spinner=False)
def _explorer(folder: str, stamps: tuple[int, ...]) -> Explorer:
    return exploring.explorer(cases.read(Path(folder), results.load(Path(folder))))


@st.cache_resource(max_entries=8, show_spinner="Setting both tests side by side")
def _abroad(folder: str, stamps: tuple[object, ...]) -> tuple[Abroad, ...]:
    return abroads.read(Path(folder))


@st.cache_resource(max_entries=8, show_spinner=False)
def _predictions(folder: str, stamps: tuple[int, ...]) -> tuple[results.PredictionRow, ...]:
    return results.predictions(Path(folder))


@st.cache_resource(max_entries=3, show_spinner=False)
def _neighbours(folder: str, stamp: int) -> neighbours.Neighbours:
    return neighbours.load(Path(folder))


@st.cache_resource(max_entries=8, show_spinner=False)
def _compared(home: str, ids: tuple[str, ...], stamps: tuple[int, ...]) -> comparing.Compared:
    return comparing.compare(Workspace(home), ids)


@st.cache_resource(ttl=3, show_spinner=False)
def _cohorts(home: str) -> tuple[Any, ...]:
    return library.cohorts(Workspace(home))


@st.cache_resource(ttl=3, show_spinner=False)
def _runs(home: str) -> tuple[Any, ...]:
    return store.runs(Workspace(home))


@st.cache_resource(ttl=20, show_spinner=False)
def _sources(home: str) -> tuple[Source, ...]:
    from medtl.sources import library as source_library

    return tuple(source_library.sources(Workspace(home)))


@st.cache_data(ttl=60, show_spinner=False)
def _disk_use(home: str) -> int:
    return Workspace(home).size()
