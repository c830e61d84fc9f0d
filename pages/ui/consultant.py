"""The one warm child process that answers for networks, so that the web process never loads torch; what it said of a
picture is kept, as it never changes.
"""

from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as Late
from dataclasses import dataclass
from typing import Any

import streamlit as st

from medtl.consulting import Consultant
from pages.ui import shelf

WAIT = 0.4  # seconds a page waits for badges before it says that they are being measured


@dataclass(frozen=True)
class Subject:
    """One picture that a run is asked about: a stored case, or of what lies at `path` the `file` and its `frame`, as an
    answer named them. `name` is for the screen."""

    run: str
    name: str
    case: str = ""
    path: str = ""
    file: str = ""
    frame: int | None = None

    @property
    def asked(self) -> dict[str, Any]:
        only = {"file": self.file, "frame": self.frame} if self.path else None
        return {"case_id": self.case, "path": self.path, "only": only}

    @property
    def key(self) -> str:
        """For widgets: the same picture keeps its widgets."""
        return f"{self.run}-{self.case or self.path}-{self.file}-{self.frame}"


def consultant() -> Consultant:
    return _consultant(str(shelf.workspace().home))


def warm(run: str) -> None:
    """Begin loading while the user still looks; answers at once, and asks only once a session and run."""
    if st.session_state.get("warmed") != run:
        st.session_state["warmed"] = run
        consultant().warm(run)


def ways(run: str) -> dict[str, Any]:
    """The methods and layers of this run's network, with their costs."""
    return _ways(shelf.home(), run)


def maps(subject: Subject, label: str, method: str, layer: str, exact: bool) -> dict[str, dict[str, Any]]:
    """Class -> its map. All at once where that costs one look, else the one that is wanted."""
    if exact:
        return {one["label"]: one for one in _every_map(shelf.home(), subject, method, layer)}
    return {label: _one_map(shelf.home(), subject, label, method, layer)}


def badges(subject: Subject, label: str, method: str, layer: str) -> list[dict[str, Any]] | None:
    """What a map is worth; None while it is being measured, behind everything else that is asked."""
    kept = _measured()
    key = (shelf.home(), subject, label, method, layer)
    if key not in kept:
        while len(kept) >= 200:
            kept.pop(next(iter(kept)))
        ask = consultant().check_map
        kept[key] = _hands().submit(lambda: ask(subject.run, label, method=method, layer=layer, **subject.asked))
    try:
        return kept[key].result(timeout=WAIT)
    except Late:
        return None
    except Exception:
        kept.pop(key, None)  # it may go well another time
        raise


def similar(subject: Subject) -> dict[str, Any]:
    """Nearest training cases, prototypes, and the place among all."""
    return _similar(shelf.home(), subject)


@st.cache_data(max_entries=300, show_spinner=False)
def explain(home: str, run: str, case: str, label: str) -> dict[str, Any]:
    """The heat map of a test case; kept, as it never changes."""
    return dict(consultant().explain(run, case, label))


@st.cache_data(max_entries=20, show_spinner=False)
def _ways(home: str, run: str) -> dict[str, Any]:
    return dict(consultant().ways(run))


@st.cache_data(max_entries=200, show_spinner=False)
def _every_map(home: str, subject: Subject, method: str, layer: str) -> list[dict[str, Any]]:
    return list(consultant().explain_all(subject.run, method=method, layer=layer, **subject.asked))


@st.cache_data(max_entries=300, show_spinner=False)
def _one_map(home: str, subject: Subject, label: str, method: str, layer: str) -> dict[str, Any]:
    return dict(consultant().explain(subject.run, label=label, method=method, layer=layer, **subject.asked))


@st.cache_data(max_entries=50, show_spinner=False)
def _similar(home: str, subject: Subject) -> dict[str, Any]:
    return dict(consultant().similar(subject.run, **subject.asked))


@st.cache_resource(max_entries=1, show_spinner=False)
def _hands() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, "badges")


@st.cache_resource(max_entries=1, show_spinner=False)
def _measured() -> dict[Any, Future[list[dict[str, Any]]]]:
    return {}


@st.cache_resource(max_entries=1, show_spinner=False, on_release=lambda kept: kept.close())
def _consultant(home: str) -> Consultant:
    from medtl.workspace import Workspace

    return Consultant(Workspace(home))
