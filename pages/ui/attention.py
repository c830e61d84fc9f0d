"""Where the network looked, over the test cases: checked maps, and maps that lie where they should not."""

import streamlit as st

from medtl.trust.lights import Light
from pages.ui import verdict


def panel(run: str, light: Light | None) -> None:
    verdict.section(
        "Where it looked", "explanation", light,
        "A map shows where the network looked for a class, not where the disease is.",
    )  # fmt: skip
    st.caption("Every picture on this page opens to its map: use “Look closer” under it.")
