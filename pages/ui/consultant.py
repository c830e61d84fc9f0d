"""The one warm child process that answers for networks, so that the web process never loads torch."""

from typing import Any

import streamlit as st

from medtl.consulting import Consultant
from pages.ui import shelf


def consultant() -> Consultant:
    return _consultant(str(shelf.workspace().home))


def warm(run: str) -> None:
    """Begin loading while the user still looks; answers at once, and asks only once a session and run."""
    if st.session_state.get("warmed") != run:
        st.session_state["warmed"] = run
        consultant().warm(run)


@st.cache_data(max_entries=300, show_spinner=False)
def explain(home: str, run: str, case: str, label: str) -> dict[str, Any]:
    """The heat map of a test case; kept, as it never changes."""
    return dict(consultant().explain(run, case, label))


@st.cache_resource(max_entries=1, show_spinner=False, on_release=lambda kept: kept.close())
def _consultant(home: str) -> Consultant:
    from medtl.workspace import Workspace

    return Consultant(Workspace(home))
