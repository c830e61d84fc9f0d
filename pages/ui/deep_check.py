"""Looking deeper with a network: start it, follow it, and say how it went; what it found stands among the findings."""

from pathlib import Path

import streamlit as st

from medtl import checkup
from medtl.cohorts import importing
from medtl.errors import MedtlError
from medtl.training import cost
from medtl.vocabulary import Cohort, Source
from pages.ui import cards, following, shelf, show, words
from pages.ui.escape import md, plain

QUERY = "checking"
SAYS = (
    "A network looks at every image and names labels that may be wrong, images that look alike to it or unlike the "
    "rest, and writing in the picture. It changes nothing; you decide."
)


def panel(cohort: Cohort) -> None:
    """One line when it was done, a button when not, a bar while it runs."""
    if QUERY in st.query_params:
        _follow(cohort)
        return
    done = shelf.checkup(cohort)
    title = f"Looked deeper with {md(shelf.source_title(done.source))}, {words.day(done.at)}" if done else "Look deeper"
    with st.expander(title, icon=":material/travel_explore:", key=f"deep-{cohort.id}", on_change="rerun") as box:
        if box.open:
            for note in done.notes if done else ():
                st.caption(f":material/info: {md(note)}")
            _ask(cohort, done)


def _ask(cohort: Cohort, done: checkup.Checkup | None) -> None:
    st.caption(SAYS)
    here = [source for source in shelf.sources() if source.available and source.on_disk]
    if not here:
        st.caption("No pretrained network lies on this computer yet; add one on the page Source.")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        source: Source = st.selectbox("With the eyes of", here, format_func=lambda s: plain(s.title), key="deep-source")
        text = st.toggle("Look for writing, too", value=True, key="deep-text", help="Reads the picture for letters.")
        takes = _takes(cohort, source, text, done)
        if st.button(
            f"Look deeper ({takes})" if takes else "Look deeper",
            type="primary",
            icon=":material/travel_explore:",
            key="deep-start",
        ):
            folder = importing.start_check(shelf.workspace(), cohort.id, source.id, text)
            st.query_params[QUERY] = folder.name
            st.rerun()
    st.caption("The time is that of an idle computer; other work beside it can make it several times as long.")
    if done:
        st.caption("Looking again replaces what was found before.")


def _takes(cohort: Cohort, source: Source, text: bool, done: checkup.Checkup | None) -> str:
    """What it took the last time; else the looking as estimated, and a word on the writing, whose pace is not known."""
    if done and done.source == source.id and done.seconds and text:
        return f"{cost.in_words(done.seconds)} the last time"
    takes = cards.takes(cohort.id, source.id, "linear-probe")
    return f"{takes}, and up to minutes for the writing" if takes and text else takes


def _follow(cohort: Cohort) -> None:
    try:
        folder = following.folder(st.query_params[QUERY])
    except MedtlError as wrong:
        show.error(wrong)
        _end(None)
        return
    status = importing.import_status(folder)
    if status.state == "running":
        with st.container(border=True):
            st.markdown(":material/travel_explore: **Looking deeper**")
            _bar(str(folder), len(cohort.cases))
            if st.button("Stop", icon=":material/stop:"):
                _end(folder)
    elif status.state == "done":
        importing.clear(folder)
        del st.query_params[QUERY]
        shelf.forget()
        show.later("Looked deeper; what was found stands above.", ":material/travel_explore:")
        st.rerun()
    else:
        show.error(MedtlError(status.message or "The check ended without a word.", status.advice or "Start it again."))
        if st.button("Close", icon=":material/close:"):
            _end(folder)


@st.fragment(run_every=0.5)
@show.guarded
def _bar(folder: str, images: int) -> None:
    """Asks twice a second; says what is being done, since an image is looked at more than once."""
    status = importing.import_status(Path(folder))
    if status.state != "running":
        st.rerun()
    share = status.done / status.total if status.total else 0.0
    st.markdown(checkup.stage(status.done, status.total, images))  # the bar's own text comes a second later
    st.progress(min(1.0, share))
    st.caption("You may close this page; come back by the same address.")


def _end(folder: Path | None) -> None:
    if folder:
        importing.clear(folder)
    del st.query_params[QUERY]
    st.rerun()
