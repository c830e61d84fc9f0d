"""Reading cases of the test part blind, and again with what the model said. While somebody reads, the page shows the
image and the keys: no name, no label, no score, and no count that would give one away.
"""

import time

import streamlit as st

from medtl.errors import MedtlError
from medtl.runs import findings
from medtl.runs.results import Result
from medtl.trust import failures, reader
from medtl.trust.failures import Told
from medtl.trust.reader import Reading
from medtl.vocabulary import Case, Cohort
from pages.ui import heat, one_by_one, pictures, selection, shelf, show, words
from pages.ui.consultant import explain
from pages.ui.escape import md, plain

READING = "reading-test"  # in the session while somebody reads: (run, reader, finding)
SIZES = (20, 50)
NAMELESS = "The image to be read"
CANNOT_TELL = "cannot tell"
UNBLINDED = "Test cases were opened while a blind reading is unfinished."


def entry(run: str) -> None:
    """On the page Trust: the way there."""
    over = sum(one.over for one in reader.readings(shelf.run(run)))
    show.section("Your own reading", help="What a model is worth is best seen beside what its user can do without it.")
    said = f" {words.count(over, 'reading')} of this run so far." if over else ""
    st.caption(f"Read some of the same cases without the model, and see your answers beside its own.{said}")
    if st.button("Read it yourself", icon=":material/visibility:", key="trust-reading"):
        selection.go("reading")


def looking(run: str, key: str) -> bool:
    """Whether labels of the test part may be shown now. Where a reading is still to be blind, it is said first and has
    to be pressed through, which the reading keeps. `key` tells the places of a page apart."""
    folder = shelf.run(run)
    going = [one for one in reader.readings(folder) if one.blind_still]
    if all(one.peeked for one in going):
        if going:
            st.caption(f":material/visibility_off: {UNBLINDED} It is kept with the reading by {_whose(going)}.")
        return True
    st.warning(
        f"**A blind reading is unfinished: looking here unblinds you.** It is by {_whose(going)}. Finish it first, or "
        "look: its result will say so.",
        icon=":material/visibility_off:",
    )
    with st.container(horizontal=True):
        if st.button("Go on reading", icon=":material/visibility:", key=f"{key}-peek-reading"):
            selection.go("reading")
        st.button("Look all the same", key=f"{key}-peek", on_click=reader.peeked, args=(folder,))
    return False


def _whose(readings: list[Reading]) -> str:
    return ", ".join(dict.fromkeys(md(one.reader) for one in readings))


def under_way(run: str) -> bool:
    return READING in st.session_state and st.session_state[READING][0] == run


def view(cohort: Cohort, finding: str | None) -> Cohort:
    """The cohort as the question sees it: of several findings as one of two classes."""
    return findings.cohort_of(cohort, finding) if finding else cohort


# ---- begin, go on, end ----------------------------------------------------------------------------------------------


def panel(run: str, cohort: Cohort) -> None:
    st.markdown(
        "You see images of the test part one by one, in random order, **without the label and without the model's "
        "score**. Afterwards your answers stand beside the model's, on the same cases."
    )
    known = reader.readings(shelf.run(run))
    _begin(run, cohort, shelf.result(run), bool(known))
    going = [one for one in known if not one.over]
    if going:
        show.section("Begun")
    for one in going:
        _going(run, one)


def _begin(run: str, cohort: Cohort, result: Result, another: bool) -> None:
    tested = [row.case for row in shelf.predictions(run) if row.part == "test"]
    finding = None
    with st.container(border=True):
        if result.findings:
            names = [row.name for row in findings.rows(result)]
            finding = str(
                st.selectbox("Finding to look for", names, format_func=plain, key="reading-finding", width=320)
            )
        try:
            everything = len(reader.draw(view(cohort, finding), tested, None, False))
        except MedtlError as wrong:
            show.error(wrong)
            return
        with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
            who = st.text_input(
                "Your initials", max_chars=reader.CODE, key="reading-who", width=140,
                help="Or a code. No full name: it is kept with the run, and goes where the run goes.",
            ).strip()  # fmt: skip
            sizes = [size for size in SIZES if size < everything] + [everything]
            number = st.segmented_control(
                "Images to read", sizes, default=sizes[0], required=True, key=f"reading-number-{everything}",
                format_func=lambda n: f"all {n:,}" if n == everything else f"{n:,}",
            )  # fmt: skip
            stratified = st.toggle(
                "In proportion to the labels", value=True, key="reading-stratified",
                help="As many of each label as in the whole test part. Off: drawn regardless of the label. The same "
                "images for every reader either way.",
            )  # fmt: skip
            pressed = st.button(
                "Begin another reading" if another else "Begin",
                type="secondary" if another else "primary",
                icon=":material/visibility:",
                disabled=not who,
                help=None if who else "Type your initials first.",
                key="reading-begin",
            )
        st.caption(
            "About 10 s an image. You may leave and come back: every answer is kept at once. Who has looked at the "
            "mistakes on the page Trust has seen some of these labels; somebody else should read then."
        )
    if pressed:
        _start(run, cohort, who, finding, int(number or sizes[0]), stratified, tested)


def _start(
    run: str, cohort: Cohort, who: str, finding: str | None, number: int, stratified: bool, tested: list[str]
) -> None:
    seen = view(cohort, finding)
    try:
        cases = reader.draw(seen, tested, number, stratified)
        begun = reader.start(shelf.run(run), who, cases, seen.classes, finding)
    except MedtlError as wrong:
        show.error(wrong)
        return
    st.session_state[READING] = (run, begun.reader, finding)
    st.rerun()


def _going(run: str, one: Reading) -> None:
    """A reading that is not over: go on, or end it where it stands."""
    of = f", {md(one.finding)}" if one.finding else ""
    how = ", with the model" if one.second else ""
    with st.container(horizontal=True, vertical_alignment="center"):
        text = f"{md(one.reader)}{of}: {one.done:,} of {words.count(len(one.order), 'image')}{how}"
        st.progress(one.done / max(1, len(one.order)), text=text, width=360)
        key = f"{one.reader}-{one.finding or ''}"
        if st.button("Go on", key=f"reading-on-{key}", icon=":material/visibility:", type="primary"):
            st.session_state[READING] = (run, one.reader, one.finding)
            st.rerun()
        _end_button(run, one, f"reading-end-{key}")


def _end_button(run: str, one: Reading, key: str) -> None:
    if st.button(
        "End it and show the result", key=key, icon=":material/flag:", disabled=not one.blind,
        help="For good: who has seen the result is no longer blind." if one.blind else "Nothing was read yet.",
    ):  # fmt: skip
        reader.stop(shelf.run(run), one.reader, one.finding)
        st.session_state.pop(READING, None)
        st.rerun(scope="app")


# ---- reading --------------------------------------------------------------------------------------------------------


def read(run: str, cohort: Cohort) -> None:
    """The whole page while somebody reads."""
    _, who, finding = st.session_state[READING]
    now = reader.get(shelf.run(run), who, finding)
    with st.container(horizontal=True, vertical_alignment="center"):
        of = f", {md(finding)}" if finding else ""
        st.markdown(f"### {'With the model' if now.second else 'Without the model'}: {md(who)}{of}", width="stretch")
        if st.button("Close", icon=":material/close:", help="Everything read so far is kept.", key="reading-close"):
            del st.session_state[READING]
            st.rerun()
    if now.second:
        st.session_state.setdefault("reading-map", True)
    _desk(run, cohort, who, finding)


@st.fragment
@show.guarded
def _desk(run: str, cohort: Cohort, who: str, finding: str | None) -> None:
    folder, seen = shelf.run(run), view(cohort, finding)
    now = reader.get(folder, who, finding)
    cases = shelf.by_id(cohort)
    order = [cases[id] for id in now.order if id in cases]
    if not order:
        st.caption("None of the images this reader was to read is in the cohort any more.")
        return
    if now.next is None:
        _at_the_end(run, now)
    key = f"reading-{run}-{who}-{finding or ''}-{now.now}"
    st.session_state.setdefault(f"{key}-at", now.next)
    model = _model(run, finding) if now.second else {}
    desk = one_by_one.Desk(
        key=key,
        cohort=seen,
        cases=order,
        classes=now.classes,
        done=frozenset(now.said(now.now)),
        says=lambda case: _says(now, case, model.get(case.id)),
        label=lambda case, label: reader.record(folder, who, finding, case.id, label, _took(key, case)),
        cannot_tell=lambda case: reader.record(folder, who, finding, case.id, reader.UNSURE, _took(key, case)),
        undo=lambda: reader.undo(folder, who, finding),
        blind=True,
        also=(lambda case: _map(cohort, case, run, model.get(case.id), finding)) if now.second else None,
    )
    _clock(key, order[one_by_one.position(desk)])
    one_by_one.draw(desk)


def _says(now: Reading, case: Case, model: Told | None) -> str:
    said = now.said(now.now).get(case.id)
    own = "not read yet" if said is None else f"read as **{md(said.label or CANNOT_TELL)}**"
    if not now.second:
        return own
    before = now.blind[case.id].label
    lines = [f"Without the model you said **{md(before or CANNOT_TELL)}**."]
    if model is not None:
        line = f", called from {model.line:.2f} on" if model.line is not None else ""
        lines.append(f":material/model_training: The model: **{md(model.called)}** (score {model.score:.2f}{line})")
    return "  \n".join([*lines, own])


def _map(cohort: Cohort, case: Case, run: str, model: Told | None, finding: str | None) -> None:
    if model is None or not st.toggle("Show where the network looked", key="reading-map"):
        return
    home, label = str(shelf.workspace().home), finding or model.called
    heat.over(pictures.original(cohort, case), NAMELESS, lambda: explain(home, run, case.id, label))


def _model(run: str, finding: str | None) -> dict[str, Told]:
    return {one.case: one for one in failures.told(shelf.predictions(run), shelf.result(run), finding)}


def _at_the_end(run: str, now: Reading) -> None:
    with st.container(border=True):
        if now.second:
            st.markdown(":material/check_circle: **All images are read.** You may look through them again first.")
        else:
            st.markdown(
                ":material/check_circle: **All images are read.** Read them once more with the model's score and map "
                "beside them, and you learn what the model changes in your reading. Or end here."
            )
        with st.container(horizontal=True):
            if not now.second and st.button(
                "Read them again with the model", icon=":material/model_training:", type="primary", key="reading-again"
            ):
                reader.again(shelf.run(run), now.reader, now.finding)
                st.rerun(scope="app")
            _end_button(run, now, "reading-end-here")


# ---- the time a case takes ------------------------------------------------------------------------------------------


def _clock(key: str, case: Case) -> None:
    """Runs from when a case is first on the desk; another case starts it anew."""
    if st.session_state.get(f"{key}-since", ("", 0.0))[0] != case.id:
        st.session_state[f"{key}-since"] = (case.id, time.monotonic())


def _took(key: str, case: Case) -> float:
    at, since = st.session_state.get(f"{key}-since", ("", 0.0))
    return time.monotonic() - since if at == case.id else 0.0
