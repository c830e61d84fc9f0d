"""What a reading said beside the model, once it is over. Every number comes with its interval and its cases."""

import streamlit as st

from medtl.trust import reader
from medtl.vocabulary import Cohort
from pages.ui import shelf, show
from pages.ui.escape import md


def panel(run: str, cohort: Cohort) -> None:
    over = [one for one in reader.readings(shelf.run(run)) if one.over]
    if not over:
        return
    show.section("Results")
    for one in over:
        st.caption(md(one.reader))
