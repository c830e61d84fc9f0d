"""The classes of a cohort: another name, or two that become one."""

import streamlit as st

from medtl.vocabulary import Cohort
from pages.ui import mending, words
from pages.ui.escape import md, plain

NEW = "a new name"


def ask(cohort: Cohort) -> None:
    """One class at a time; a name that another class has merges the two."""
    counts = cohort.counts
    st.caption("Merge classes that mean the same for your question, or give one a clearer name.")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        old = st.selectbox(
            "The class", cohort.classes, format_func=lambda c: f"{plain(c)} ({counts[c]:,})", width=240, key="merge-old"
        )
        others = [label for label in cohort.classes if label != old]
        into = st.selectbox("becomes", [NEW, *others], format_func=plain, width=240, key="merge-into")
        typed = ""
        if into == NEW:
            typed = st.text_input("called", max_chars=100, width=240, key="merge-name").strip()
    name = typed if into == NEW else into
    clash = into == NEW and name in cohort.classes
    merges = into != NEW or clash
    why = "Type the new name." if not name else "Only one class would be left." if merges and len(others) < 2 else None
    if st.button(
        f"Merge the two into {md(name)}" if merges else "Rename",
        key="merge-do",
        disabled=bool(why) or name == old,
        help=why,
    ):
        says = f"{plain(old)} is now {'part of ' if merges else ''}{plain(name)} ({words.count(counts[old], 'image')})."
        mending.edit(cohort, says, merge={old: name})
