"""Which cohort, run, source and strategy the user is at: ids in the URL, so that a refresh, a second tab and a shared
link show the same. The session only mirrors the URL, because changing the page clears it.
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from medtl.errors import MedtlError
from medtl.vocabulary import Cohort, Recipe
from pages.ui import shelf

KEYS = ("cohort", "run", "source", "strategy", "runs")
NOTHING = dict.fromkeys(KEYS)  # to let go of all that is chosen: `choose(**NOTHING)`


@dataclass(frozen=True)
class Selection:
    """What is chosen and could be read. `wrong` is set when an id in the URL leads nowhere."""

    cohort: Cohort | None = None
    run: str | None = None
    recipe: Recipe | None = None
    source: str | None = None
    strategy: str | None = None
    runs: tuple[str, ...] = ()  # those to be compared
    wrong: MedtlError | None = None

    @property
    def synthetic(self) -> bool:
        return self.cohort is not None and self.cohort.synthetic


def follow() -> None:
    """Once at the start of every rerun: the URL rules, the session fills what a page change has left out."""
    st.session_state.setdefault("chosen", {})
    asked = {key: st.query_params[key] for key in KEYS if key in st.query_params}
    kept = dict(st.session_state["chosen"])
    if any(key in asked and asked[key] != kept.get(key) for key in ("run", "cohort")):
        kept = {}
    chosen = {**kept, **asked}
    if asked.keys() == {"runs"} and (first := _compared(asked["runs"])[:1]):
        recipe = shelf.or_none(shelf.recipe, first[0])
        chosen = {"runs": asked["runs"], **({"cohort": recipe.cohort} if recipe else {})}
    if "run" in chosen and (recipe := shelf.or_none(shelf.recipe, chosen["run"])):
        chosen["cohort"] = recipe.cohort
    _keep(chosen)


def current() -> Selection:
    chosen = st.session_state.get("chosen", {})
    source, strategy = chosen.get("source"), chosen.get("strategy")
    runs = _compared(chosen.get("runs", ""))
    try:
        recipe = shelf.recipe(chosen["run"]) if "run" in chosen else None
        read: Any = (lambda id: shelf.or_none(shelf.cohort, id)) if recipe else shelf.cohort
        cohort = read(chosen["cohort"]) if "cohort" in chosen else None
    except MedtlError as wrong:
        return Selection(runs=runs, wrong=wrong)
    return Selection(cohort, chosen.get("run") if recipe else None, recipe, source, strategy, runs)


def choose(**ids: str | None) -> None:
    """Choose here and now. Another cohort lets go of the run, the source and the strategy."""
    chosen = dict(st.session_state.get("chosen", {}))
    if "cohort" in ids and ids["cohort"] != chosen.get("cohort"):
        chosen = {}
    chosen.update(ids)
    _keep({key: id for key, id in chosen.items() if id})


def go(page: str, **ids: str | None) -> None:
    """Choose and open a page: `go("train", run=id)`. Nothing else switches the page."""
    choose(**ids)
    _stop_bars()
    st.switch_page(path(page), query_params=params())


def params(**ids: str | None) -> dict[str, str]:
    """The query of a link: what is chosen, with changes."""
    chosen = dict(st.session_state.get("chosen", {}))
    if "cohort" in ids and ids["cohort"] != chosen.get("cohort"):
        chosen = {}
    return {key: str(id) for key, id in {**chosen, **ids}.items() if id}


def together(runs: Iterable[str]) -> str:
    """Runs to be compared, as one value of the address."""
    return ",".join(runs)


def _compared(runs: str) -> tuple[str, ...]:
    return tuple(id for id in runs.split(",") if id)


def path(page: str) -> str:
    return f"pages/{page}.py"


def _stop_bars() -> None:
    """Forget the fragments of this page before it is left, so that a late tick of a bar cannot empty the next one.

    A bar is renewed by a clock in the browser, which goes on ticking until the next page has arrived there. Streamlit
    runs a tick that comes meanwhile after the next page, as a run of this page: the browser takes that for a change of
    page, clears the screen, and nothing follows. A tick for a fragment the server has forgotten is dropped. (A link
    stops the clocks by itself.) The fragment storage is only half public; should it move, pages are left as before,
    and tests/e2e/test_leaving.py tells.
    """
    with suppress(AttributeError):
        context: Any = get_script_run_ctx()
        context.fragment_storage.clear()


def _keep(chosen: dict[str, str]) -> None:
    st.session_state["chosen"] = chosen
    for key in KEYS:
        if key in chosen and st.query_params.get(key) != chosen[key]:
            st.query_params[key] = chosen[key]
        elif key not in chosen and key in st.query_params:
            del st.query_params[key]
