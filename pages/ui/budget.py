"""How long training may take at most: asked once, true for Automatic and for what is picked by hand."""

import streamlit as st

from pages.ui import words

KEY = "budget"
NAMES = {0: "no limit", 60: "1 min", 600: "10 min", 1800: "30 min", 7200: "2 h"}  # by seconds
HELP = (
    "Training that reaches the limit ends with the best until then, and is tested like any other. Several runs share "
    "the time. What would take longer is marked below."
)


def ask() -> int:
    """Seconds, 0 for no limit."""
    picked = st.segmented_control(
        "At most", list(NAMES), default=0, required=True, format_func=says, key=KEY, help=HELP, persist_state="session"
    )
    return int(picked or 0)


def says(seconds: int) -> str:
    return NAMES.get(seconds) or words.duration(seconds)


def fits(seconds: float | None, limit: int) -> bool:
    """What cannot be told fits."""
    return not limit or seconds is None or seconds <= limit
