"""Eight questions only a person can answer, asked once for a run, kept in it and printed in every paper."""

import streamlit as st

from medtl.reporting import answers
from pages.ui import shelf, show
from pages.ui.escape import md

SAYS = "8 questions only you can answer; what is left empty prints “not stated”"


@st.fragment
@show.guarded
def form(run: str) -> None:
    folder = shelf.run(run)
    stated = answers.load(folder)
    done = f" · {len(stated)} of {len(answers.QUESTIONS)} answered" if stated else ""
    with (
        st.expander(f"{SAYS}{done}", icon=":material/contact_support:"),
        st.form(f"study-{run}", border=False),
    ):
        st.caption("Your own words, printed as typed. No names of patients, please.")
        given = {
            one.key: st.text_area(
                one.asks,
                value=stated.get(one.key, ""),
                placeholder=f"For example: {one.hint}",
                max_chars=answers.LONGEST,
                height=68,
                key=f"study-{run}-{one.key}",
            )
            for one in answers.QUESTIONS
        }
        if st.form_submit_button("Keep the answers", icon=":material/save:"):
            kept = answers.save(folder, {key: text or "" for key, text in given.items()})
            open_ = [one.asks for one in answers.QUESTIONS if one.key not in kept]
            st.success(md(f"Kept. {len(open_)} of {len(answers.QUESTIONS)} will print “not stated”."))
