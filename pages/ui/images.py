"""The images of a cohort, filtered: as tiles, one by one with the keyboard, or as a table that can be written in."""

from collections import Counter

import streamlit as st

from medtl.cohorts import drafts
from medtl.cohorts.pixels import as_model_sees
from medtl.vocabulary import PARTS, Case, Cohort, InputSpec, labels_of
from pages.ui import findings, mending, metadata, one_by_one, pictures, selection, shelf, show, table, words
from pages.ui.escape import md, plain

ALL = "all"
TILES, TABLE = "Tiles", "Table"
ICONS = {TILES: "grid_view", TABLE: "table_rows"}
WALKING = "walking"  # in the session: the cohort somebody goes through with the keyboard
DECIDED = {
    "label": "becomes **{}**",
    "out": ":orange[:material/content_cut: is left out]",
    "seen": ":green[:material/check: looked at]",
}


def panel(cohort: Cohort) -> None:
    show.section("The images")
    _panel(cohort)


@st.fragment
@show.guarded
def _panel(cohort: Cohort) -> None:
    """A fragment: filtering and walking through 10,000 images draw nothing else again."""
    cases = _filtered(cohort)
    if cases:
        _draw(cohort, cases)
    else:
        st.caption("No image fits these filters.")
    mending.waiting_bar(cohort, "images")


def _draw(cohort: Cohort, cases: list[Case]) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        how = st.segmented_control(
            "How to look at them",
            list(ICONS),
            default=TILES,
            required=True,
            format_func=lambda one: f":material/{ICONS[one]}: {one}",
            key="data-how",
            label_visibility="collapsed",
        )
        # A button that goes when it is pressed leaves the keyboard to the walk; a switch would keep the arrows.
        if st.button("Go through them with the keyboard", icon=":material/keyboard:", key="data-walk"):
            st.session_state[WALKING] = cohort.id
            st.rerun(scope="app")
    if how == TABLE:
        table.draw(cohort, cases)
    else:
        tiles(cohort, cases)


# ---- filters --------------------------------------------------------------------------------------------------------


def _filtered(cohort: Cohort) -> list[Case]:
    part_of = cohort.split.part_of()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        label, part, code = _class(cohort), _part(part_of), _finding(cohort)
    wanted = metadata.ask(cohort, "data-by")
    named = {id for finding in findings.of(cohort) if finding.code == code for id in finding.cases}
    cases = [
        case
        for case in cohort.cases
        if (label in (ALL, None) or label in labels_of(case))
        and (part in (ALL, None) or part_of.get(case.id) == part)
        and (code == ALL or case.id in named)
    ]
    fitting = metadata.fits(cohort, cases, wanted)
    if len(fitting) < len(cohort.cases):
        st.caption(f":material/filter_alt: **{len(fitting):,} of {words.count(len(cohort.cases), 'image')}**")
    return fitting


def _class(cohort: Cohort) -> str | None:
    counts, everything = cohort.counts, len(cohort.cases)
    if len(cohort.classes) <= 6:
        return st.segmented_control(
            "Class",
            [ALL, *cohort.classes],
            default=ALL,
            required=True,
            format_func=lambda c: f"{md(c)} {counts.get(c, everything):,}",
            key="data-class",
        )
    return st.selectbox(
        "Class",
        [ALL, *cohort.classes],
        format_func=lambda c: f"{plain(c)} {counts.get(c, everything):,}",
        width=220,
        key="data-class",
    )


def _part(part_of: dict[str, str]) -> str | None:
    per_part = Counter(part_of.values())
    return st.segmented_control(
        "Part",
        [ALL, *PARTS],
        default=ALL,
        required=True,
        format_func=lambda p: p if p == ALL else f"{p} {per_part[p]:,}",
        key="data-part",
    )


def _finding(cohort: Cohort) -> str:
    codes = list(dict.fromkeys(finding.code for finding in findings.of(cohort) if finding.cases))
    if not codes:
        return ALL
    return st.selectbox(
        "Finding",
        [ALL, *codes],
        format_func=lambda code: ALL if code == ALL else findings.title(code),
        width=260,
        key="data-finding",
    )


# ---- tiles ----------------------------------------------------------------------------------------------------------


def tiles(cohort: Cohort, cases: list[Case]) -> None:
    """Tiles to look at or to tick, and beside them the picked image as the model will see it."""
    if st.toggle("Pick several", key="data-several", help="Tick images, then leave them out or change their class."):
        _several(cohort, cases)
        return
    left, right = st.columns([3, 1], gap="medium")
    with left:
        if picked := pictures.gallery(cohort, cases, "data-gallery", columns=6, rows=3, pick="Look at"):
            st.session_state["data-picked"] = picked
    with right:
        chosen = shelf.by_id(cohort).get(str(st.session_state.get("data-picked")))
        _large(cohort, chosen or cases[0])


def _several(cohort: Cohort, cases: list[Case]) -> None:
    ticked = pictures.ticked(
        cohort, cases, f"data-tick-{cohort.id}", columns=8, rows=3, says=lambda case: md(pictures.labels(cohort, case))
    )
    why = None if ticked else "First tick images above."
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if len(cohort.classes) > 1 and cohort.task != "multi-label":
            label = st.selectbox(
                "Their class is", cohort.classes, format_func=plain, width=220, key="data-several-class"
            )
            if st.button("Change their class", disabled=not ticked, help=why, key="data-several-relabel"):
                what = f"{words.count(len(ticked), 'image is', 'images are')} {plain(label)} now."
                mending.edit(cohort, what, relabel=dict.fromkeys(ticked, label))
        if st.button(
            f"Leave {words.count(len(ticked), 'image')} out",
            disabled=not ticked,
            help=why,
            icon=":material/content_cut:",
            key="data-several-out",
        ):
            mending.edit(cohort, f"Left {words.count(len(ticked), 'image')} out.", exclude=ticked)


def _large(cohort: Cohort, case: Case) -> None:
    """The picked image: as it is, as the model sees it, and what can be put right about it."""
    with st.container(border=True):
        st.text(plain(case.name))
        pixels = pictures.original(cohort, case)
        spec = _spec()
        st.image(pixels, width="stretch", caption="as it is stored", alt=f"{plain(case.name)}, as it is stored")
        st.image(
            as_model_sees(pixels, spec),
            width="stretch",
            caption="as the model sees it",
            alt=f"{plain(case.name)}, as the model sees it",
        )
        st.caption(spec.describe())
        part = cohort.split.part_of().get(case.id, "")
        st.caption(f"**{md(pictures.labels(cohort, case))}** · {part} part · patient {md(case.patient or 'unknown')}")
        st.caption(pictures.facts(cohort, case))
        with st.popover("Put right", icon=":material/edit:", width="stretch"):
            _put_right(cohort, case)


def _put_right(cohort: Cohort, case: Case) -> None:
    if case.label in cohort.classes:
        at = cohort.classes.index(case.label)
        label = st.selectbox("Its class is", cohort.classes, at, format_func=plain, key=f"relabel-{case.id}")
        if st.button("Change the class", disabled=label == case.label, key=f"relabel-do-{case.id}"):
            mending.edit(cohort, "The class was changed.", relabel={case.id: label})
    if st.button("Leave this case out", key=f"exclude-{case.id}", icon=":material/content_cut:"):
        mending.edit(cohort, "The case was left out.", exclude=(case.id,))


def _spec() -> InputSpec:
    """As the chosen source wants it; before one is chosen, as most networks do."""
    chosen = selection.current().source
    source = shelf.source(chosen) if chosen else None
    return source.input if source else InputSpec()


# ---- one by one -----------------------------------------------------------------------------------------------------


def walking(cohort: Cohort) -> bool:
    return bool(st.session_state.get(WALKING) == cohort.id)


def walk(cohort: Cohort) -> None:
    """The whole page while somebody goes through the images, so that nothing has to be scrolled."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"### {md(cohort.title)}", width="stretch")
        if st.button("Back to the cohort", icon=":material/arrow_back:", key="data-walk-end"):
            del st.session_state[WALKING]
            st.rerun()
    _walk(cohort)


@st.fragment
@show.guarded
def _walk(cohort: Cohort) -> None:
    desk = st.container()
    with st.expander("Which images", icon=":material/filter_alt:"):
        cases = _filtered(cohort)
    with desk:
        if cases:
            _desk(cohort, cases)
        else:
            st.caption("No image fits these filters.")
        mending.waiting_bar(cohort, "walk", steady=True)


def _desk(cohort: Cohort, cases: list[Case]) -> None:
    """Decisions go to a draft on disk at once, and become a version when they are saved."""
    ws, draft = shelf.workspace(), mending.draft(cohort)
    several_labels = cohort.task == "multi-label"
    if several_labels:
        st.caption("Several findings an image: choose under *This cohort* which one is to be learned to change labels.")

    def says(case: Case) -> str:
        given = f"labelled **{md(pictures.labels(cohort, case))}**"
        if case.id in draft.exclude:
            return f"{given}, {DECIDED['out']}"
        if draft.relabel.get(case.id, case.label) != case.label:
            return f"{given}, {DECIDED['label'].format(md(draft.relabel[case.id]))}"
        return f"{given} {DECIDED['seen']}" if case.id in draft.seen else given

    one_by_one.draw(
        one_by_one.Desk(
            key=f"walk-{cohort.id}",
            cohort=cohort,
            cases=cases,
            classes=() if several_labels else cohort.classes,
            done=draft.seen,
            says=says,
            label=lambda case, label: drafts.add(ws, cohort.id, case.id, "label", label),
            agree=lambda case: drafts.add(ws, cohort.id, case.id, "seen"),
            leave_out=lambda case: drafts.add(ws, cohort.id, case.id, "leave-out"),
            undo=lambda: drafts.undo(ws, cohort.id),
        )
    )
