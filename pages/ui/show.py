"""The common gestures of the screen: an error with its advice, an empty state with its one action, a badge."""

import logging
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from typing import Any, Literal

import streamlit as st

from medtl.errors import MedtlError
from pages.ui import selection, shelf
from pages.ui.escape import md

SYNTHETIC = "SYNTHETIC"


def guarded(draw: Callable[..., None]) -> Callable[..., None]:
    """Around every page and every fragment: an error is said in words, never as a traceback."""

    @wraps(draw)
    def drawn(*args: Any, **kwargs: Any) -> None:
        try:
            draw(*args, **kwargs)
        except MedtlError as wrong:
            error(wrong)
        except Exception as fault:  # noqa: BLE001 - the last guard: logged, and said in words
            _log(draw.__module__ or draw.__name__, fault)
            st.error(
                "**Something went wrong here.** Nothing is lost: your cohorts and runs lie on this computer.  \n"
                "Reload the page. If it comes back, the details are in `app.log` in the data folder.",
                icon=":material/error:",
            )

    return drawn


def error(wrong: MedtlError) -> None:
    """What we got and need, and what to do next."""
    advice = f"  \n{md(wrong.advice)}" if wrong.advice else ""
    st.error(f"**{md(wrong.message)}**{advice}", icon=":material/error:")


def lost(wrong: MedtlError) -> None:
    """An id that leads nowhere: the same words for unknown, deleted and hostile ones."""
    error(wrong)
    if st.button("Open the Library", icon=":material/inventory_2:", type="primary"):
        selection.go("library", **selection.NOTHING)


def empty(says: str, action: str, page: str, icon: str) -> None:
    """What will stand here, and the one action that fills it."""
    with st.container(border=True, horizontal_alignment="center"):
        st.space("small")
        st.markdown(f"{icon}  {says}", text_alignment="center")
        if st.button(action, type="primary", key=f"empty-{says}"):
            selection.go(page)
        st.space("small")


def heading(title: str, icon: str, synthetic: bool = False) -> None:
    """The title of a page; a synthetic cohort is called so beside it."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.title(f":material/{icon}: {title}", anchor=False, width="content")
        if synthetic:
            badge_synthetic()


def badge_synthetic() -> None:
    st.badge(
        SYNTHETIC, color="orange", icon=":material/science:", help="Made by code for practice. No patient, no disease."
    )


def section(title: str, help: str | None = None, anchor: str | Literal[False] = False) -> None:
    """`anchor` is what a link on the same page leads to."""
    st.subheader(title, anchor=anchor, help=help)


def later(says: str, icon: str = ":material/check_circle:") -> None:
    """A toast that outlives the rerun that follows."""
    st.session_state["toast"] = (says, icon)


def toasts() -> None:
    if said := st.session_state.pop("toast", None):
        st.toast(said[0], icon=said[1], duration="long")


def _log(where: str, fault: Exception) -> None:
    """Type and line numbers only: a message may hold the name of a file, and so of a patient."""
    frames = traceback.extract_tb(fault.__traceback__)[-6:]
    places = " < ".join(
        f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno} {frame.name}" for frame in reversed(frames)
    )
    try:
        with (shelf.workspace().home / "app.log").open("a") as log:
            log.write(f"{datetime.now(UTC).isoformat()} {where} {type(fault).__name__} at {places}\n")
    except (OSError, MedtlError):
        logging.getLogger("medtl").warning("app.log cannot be written")
