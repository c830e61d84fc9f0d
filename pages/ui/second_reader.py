"""A second reader: the same images read again without seeing the labels, the agreement in sentences, and who is right.

While somebody reads, the page shows nothing but the image, because everything else would give the label away.
"""

from functools import partial

import streamlit as st

from medtl.cohorts import agreement, drafts, readings
from medtl.errors import MedtlError
from medtl.vocabulary import Case, Cohort
from pages.ui import mending, one_by_one, pictures, shelf, show, words
from pages.ui.escape import md, plain, tail

READING = "reading"  # (root of the cohort, reader) while somebody reads
CANNOT_TELL = "cannot tell"
ACROSS, ROWS = 4, 2
SAMPLE = 100


def under_way(cohort: Cohort) -> bool:
    return READING in st.session_state and st.session_state[READING][0] == cohort.id


# ---- the panel ------------------------------------------------------------------------------------------------------


def panel(cohort: Cohort) -> None:
    st.caption(
        "Labels are opinions. When a second person labels some of the images without seeing the labels, you learn how "
        "far two people agree: a model cannot be asked for more."
    )
    known = readings.readers(shelf.workspace(), cohort)
    over = tuple(reader for reader in known if _reader(cohort, reader))
    _begin(cohort, bool(known))
    if over:
        st.divider()
        _compare(cohort, over)


def _reader(cohort: Cohort, reader: str) -> bool:
    """One line a reader; whether the reading is over, so that its result may be shown."""
    ws = shelf.workspace()
    far = readings.progress(ws, cohort, reader)
    says = f"{md(reader)}: {far.done:,} of {words.count(far.of, 'image')}"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.progress(far.done / max(1, far.of), text=f"{says}, ended" if far.over else says)
        if far.over:
            return True
        if st.button("Go on" if far.next else "Look again", key=f"reader-{reader}", icon=":material/keyboard:"):
            st.session_state[READING] = (cohort.id, reader)
            st.rerun(scope="app")
        if st.button(
            "I stop here, show the result" if far.next else "Show the result",
            key=f"reader-stop-{reader}",
            icon=":material/flag:",
            type="secondary" if far.next else "primary",
            disabled=not far.done,
            help="Ends the reading for good: who has seen the labels and the agreement is no longer blind."
            if far.done
            else "Nothing was read yet.",
        ):
            readings.stop(ws, cohort, reader)
            st.rerun()
    return False


def _begin(cohort: Cohort, another: bool) -> None:
    everything = len(cohort.cases)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        reader = st.text_input("Name or initials of the reader", max_chars=60, key="reader-name", width=240).strip()
        number = st.number_input(
            "Images to read", 1, everything, min(SAMPLE, everything), width=160, key="reader-number",
            help="A sample in proportion to the classes; the same for every reader.",
        )  # fmt: skip
        blind = st.toggle("Without seeing the labels", value=True, key="reader-blind")
        if st.button(
            "Begin another reading" if another else "Begin the reading",
            type="secondary" if another else "primary",
            disabled=not reader,
            help=None if reader else "Type a name or initials first; they stay on this computer.",
            key="reader-begin",
        ):
            try:
                cases = None if number >= everything else int(number)
                readings.start(shelf.workspace(), cohort, reader, cases=cases, blind=blind)
            except MedtlError as wrong:
                show.error(wrong)
                return
            st.session_state[READING] = (cohort.id, reader)
            st.rerun(scope="app")


# ---- reading --------------------------------------------------------------------------------------------------------


def read(cohort: Cohort) -> None:
    """The whole page while somebody reads."""
    reader = st.session_state[READING][1]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"### Reading by {md(reader)}", width="stretch")
        if st.button("Close the reading", icon=":material/close:", help="Everything read so far is kept."):
            del st.session_state[READING]
            st.rerun()
    _desk(cohort, reader)


@st.fragment
@show.guarded
def _desk(cohort: Cohort, reader: str) -> None:
    ws, cases = shelf.workspace(), shelf.by_id(cohort)
    paper = readings.paper(ws, cohort, reader)
    far = readings.progress(ws, cohort, reader)
    if not paper:
        st.caption("None of the images this reader was to read is in this version of the cohort.")
        return
    if far.next is None:
        st.success(
            "All images are read. Look through them again, or close the reading: the button “Show the result” ends it.",
            icon=":material/check_circle:",
        )
    key = f"reading-{cohort.id}-{reader}"
    st.session_state.setdefault(f"{key}-at", far.next)

    def says(case: Case) -> str:
        answer = paper[case.id]
        own = "" if far.blind else f"labelled **{md(case.label)}** · "
        return own + ("not read yet" if answer is None else f"read as **{md(answer or CANNOT_TELL)}**")

    one_by_one.draw(
        one_by_one.Desk(
            key=key,
            cohort=cohort,
            cases=[cases[id] for id in paper],
            classes=cohort.classes,
            done=frozenset(id for id, answer in paper.items() if answer is not None),
            says=says,
            label=lambda case, label: readings.record(ws, cohort, reader, case.id, label),
            cannot_tell=lambda case: readings.record(ws, cohort, reader, case.id, readings.UNSURE),
            undo=partial(readings.undo, ws, cohort, reader),
            blind=far.blind,
        )
    )


# ---- comparing ------------------------------------------------------------------------------------------------------


def _compare(cohort: Cohort, known: tuple[str, ...]) -> None:
    """Two readers, the agreement in sentences, and the images on which they differ."""
    names = [readings.OWN, *known]
    with st.container(horizontal=True):
        one = st.selectbox("Compare", names, 0, format_func=plain, width=260, key="compare-one")
        other = st.selectbox(
            "with", [name for name in names if name != one], format_func=plain, width=260, key="compare-other"
        )
    try:
        found = readings.compare(shelf.workspace(), cohort, one, other)
    except MedtlError as wrong:
        st.caption(md(f"{wrong.message} {wrong.advice}"))
        return
    first, *more = found.says
    st.markdown(f"**{md(first)}**")
    if more:
        st.caption("  \n".join(md(sentence) for sentence in more))
    with st.popover("The counts", icon=":material/grid_on:"):
        _counts(found)
    _differences(cohort, found)


def _counts(found: agreement.Agreement) -> None:
    rows = {
        f"{plain(found.readers[0])}: {plain(label)}": row
        for label, row in zip(found.classes, found.counts, strict=True)
    }
    table = {"": list(rows)} | {
        f"{plain(found.readers[1])}: {plain(label)}": [row[at] for row in rows.values()]
        for at, label in enumerate(found.classes)
    }
    st.dataframe(table, hide_index=True, alt="How often each pair of answers was given")


def _differences(cohort: Cohort, found: agreement.Agreement) -> None:
    """Side by side: somebody decides. That is kept beside the readings; a label that changes waits in the draft."""
    if not found.disagreements:
        return
    draft, cases = mending.draft(cohort), shelf.by_id(cohort)
    judged = readings.judged(shelf.workspace(), cohort)
    open_ones = [
        one
        for one in found.disagreements
        if one.case in cases and judged.get(one.case) != draft.relabel.get(one.case, cases[one.case].label)
    ]
    decided = len(found.disagreements) - len(open_ones)
    st.markdown(f"**They differ on {words.count(len(found.disagreements), 'image')}**, {decided:,} of them decided.")
    one, other = (plain(name) for name in found.readers)
    shown = open_ones[: ACROSS * ROWS]
    for start in range(0, len(shown), ACROSS):
        for column, differ in zip(st.columns(ACROSS), shown[start : start + ACROSS], strict=False):
            with column:
                pictures.tile(cohort, cases[differ.case])
                st.caption(
                    f"{md(tail(cases[differ.case].name))}  \n{md(one)}: **{md(differ.one)}**  \n"
                    f"{md(other)}: **{md(differ.other)}**"
                )
                for label in dict.fromkeys((differ.one, differ.other)):
                    st.button(
                        f"It is {md(label)}",
                        key=f"judge-{differ.case}-{label}",
                        width="stretch",
                        on_click=_judge,
                        args=(cohort, differ.case, label),
                    )
    if judged and next(reversed(judged)) in {one.case for one in found.disagreements}:
        st.button("Take the last back", key="judge-undo", icon=":material/undo:", on_click=_undo, args=(cohort,))
    mending.waiting_bar(cohort, "judge")


def _judge(cohort: Cohort, case: str, label: str) -> None:
    ws = shelf.workspace()
    readings.judge(ws, cohort, case, label)
    drafts.add(ws, cohort.id, case, "label", label)


def _undo(cohort: Cohort) -> None:
    ws = shelf.workspace()
    case = readings.unjudge(ws, cohort)
    if case is not None and drafts.read(ws, cohort.id).last == case:
        drafts.undo(ws, cohort.id)
