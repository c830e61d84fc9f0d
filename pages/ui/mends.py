"""What can be done about a finding without leaving the page: one function a kind, listed in `MENDS`.

Each shows the cases side by side and offers the clicks that mend them; every click is a new version of the cohort.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import streamlit as st

from medtl.cohorts import drafts
from medtl.vocabulary import Case, Cohort, Finding
from pages.ui import blanking, groups, mending, outcome_form, patients_form, pictures, selection, shelf, words
from pages.ui.escape import md, plain

LEAVE_OUT, DIFFERENT = "Nobody can say: leave out", "They are different images: keep both"
ACROSS = 4  # pictures of one group side by side
PAGE = 4  # groups at a time
MANY_PAGES = 25  # beyond which nobody is made to turn every page here
Mend = Callable[[Cohort, Finding, str], None]


def draw(cohort: Cohort, finding: Finding, key: str) -> None:
    MENDS.get(finding.code, understood)(cohort, finding, key)


# ---- contradictions -------------------------------------------------------------------------------------------------


def conflict(cohort: Cohort, finding: Finding, key: str) -> None:
    """The two pictures next to one another with their labels: which is right?"""
    if cohort.task == "multi-label":
        _one_outcome_first(cohort, finding, key)
        return
    together = _groups(cohort, finding)
    choices: dict[str, str] = st.session_state.setdefault(f"{key}-choices", {})
    near = finding.code == "near-conflict"
    for group in _page(together, key):
        with st.container(border=True):
            pair, question = st.columns([min(len(group), ACROSS), 2], gap="medium", vertical_alignment="center")
            with pair:
                _side_by_side(cohort, group, lambda case: f"labelled **{md(case.label)}**", min(len(group), ACROSS))
            with question:
                _ask_which(cohort, group, choices, f"{key}-{group[0]}", near)
    _turn(together, key)
    made = [group for group in together if choices.get(group[0], DIFFERENT) != DIFFERENT]
    with st.container(horizontal=True):
        what = words.count(len(made), "pair" if near else "image")
        if st.button(
            f"Put {what} right" if made else "Put right",
            key=f"{key}-apply",
            type="primary",
            icon=":material/done_all:",
            disabled=not made,
            help=None if made else "First say above which label is right.",
        ):
            _resolve(cohort, made, choices, what)
        _leave_all_out(cohort, finding, key)
        if near:
            _keep(cohort, finding, key, "They are different images: keep all labels")


def _ask_which(cohort: Cohort, group: groups.Group, choices: dict[str, str], key: str, near: bool) -> None:
    cases = shelf.by_id(cohort)
    theirs = list(dict.fromkeys(cases[id].label for id in group))
    others = [label for label in cohort.classes if label not in theirs] if len(cohort.classes) <= 6 else []
    options = [*theirs, *others, LEAVE_OUT, *([DIFFERENT] if near else [])]
    kept = choices.get(group[0])
    choice = st.radio(
        "Which label is right?",
        options,
        options.index(kept) if kept in options else None,
        format_func=lambda option: md(option),
        key=f"{key}-which",
    )
    if choice:
        choices[group[0]] = choice
    else:
        choices.pop(group[0], None)


def _resolve(cohort: Cohort, made: Sequence[groups.Group], choices: dict[str, str], what: str) -> None:
    cases = shelf.by_id(cohort)
    out = [id for group in made if choices[group[0]] == LEAVE_OUT for id in group]
    right = {id: choices[group[0]] for group in made if choices[group[0]] != LEAVE_OUT for id in group}
    changed = {id: label for id, label in right.items() if cases[id].label != label}
    mending.edit(cohort, f"Put {what} right.", relabel=changed, exclude=out)


# ---- copies ---------------------------------------------------------------------------------------------------------


def copies(cohort: Cohort, finding: Finding, key: str) -> None:
    """Each copy beside the one it copies; one of each stays."""
    together, extra = _groups(cohort, finding), set(finding.cases)
    for group in _page(together, key):
        _side_by_side(cohort, group, lambda case: "copy" if case.id in extra else "stays", ACROSS)
    _turn(together, key)
    with st.container(horizontal=True):
        count = words.count(len(finding.cases), "copy", "copies")
        if finding.cases and st.button(
            f"Leave the {count} out", key=f"{key}-out", type="primary", icon=":material/content_cut:"
        ):
            mending.edit(cohort, f"Left {count} out.", exclude_findings=(finding.code,))
        _keep(cohort, finding, key, "They are meant to count twice: keep")


def alike(cohort: Cohort, finding: Finding, key: str) -> None:
    """Pairs side by side; tick what is a copy."""
    together = _groups(cohort, finding)
    kept: set[str] = st.session_state.setdefault(f"{key}-ticked", set())
    part_of = cohort.split.part_of()

    def beneath(case: Case) -> None:
        box = f"{key}-tick-{case.id}"
        st.checkbox("Leave out", case.id in kept, key=box, on_change=_tick, args=(kept, case.id, box))

    for group in _page(together, key):
        with st.container(border=True):
            _side_by_side(cohort, group, lambda c: f"{_label(cohort, c)} · {part_of.get(c.id, '')}", ACROSS, beneath)
    _turn(together, key)
    with st.container(horizontal=True):
        if together:
            _ticked_out(cohort, tuple(sorted(kept)), key)
        later = [id for group in together for id in group[1:]]
        if later and st.button(
            f"Keep the first of each, leave {len(later):,} out", key=f"{key}-later", icon=":material/filter_1:"
        ):
            mending.edit(cohort, f"Left {words.count(len(later), 'image')} out.", exclude=later)
        _keep(cohort, finding, key, "They are different images: keep")


def _tick(kept: set[str], case: str, box: str) -> None:
    (kept.add if st.session_state[box] else kept.discard)(case)


# ---- single images --------------------------------------------------------------------------------------------------


def look_at(cohort: Cohort, finding: Finding, key: str) -> None:
    """Tiles to tick: what is spoilt goes, what is fine is kept and not asked about again."""
    cases, says = _cases(cohort, finding), partial(_label, cohort)
    if not cases:  # said of the cohort as a whole: there is nothing to leave out here
        _keep(cohort, finding, key, "I have seen it: keep all images")
        return
    if len(cases) == 1:
        pictures.gallery(cohort, cases, key, says=says)
        with st.container(horizontal=True):
            _leave_all_out(cohort, finding, key, type="primary")
            _keep(cohort, finding, key, "It is fine: keep it")
        return
    ticked = pictures.ticked(cohort, cases, key, "Leave out", says=says)
    with st.container(horizontal=True):
        _ticked_out(cohort, ticked, key)
        _leave_all_out(cohort, finding, key)
        _keep(cohort, finding, key, "They are fine: keep them")


def _ticked_out(cohort: Cohort, ticked: Sequence[str], key: str) -> None:
    if st.button(
        f"Leave {words.count(len(ticked), 'ticked image')} out" if ticked else "Leave the ticked out",
        key=f"{key}-out",
        type="primary",
        icon=":material/content_cut:",
        disabled=not ticked,
        help=None if ticked else "First tick the images that are to go.",
    ):
        mending.edit(cohort, f"Left {words.count(len(ticked), 'image')} out.", exclude=ticked)


def wrong_labels(cohort: Cohort, finding: Finding, key: str) -> None:
    """One decision a case, kept in the draft at once: the network's suggestion is a reason to look, and no more."""
    if cohort.task == "multi-label":
        _one_outcome_first(cohort, finding, key)
        return
    checkup, draft = shelf.checkup(cohort), mending.draft(cohort)
    suspects = checkup.suspects if checkup else ()
    open_ones = [one for one in suspects if one.case not in draft.seen]
    st.caption(
        f"{len(suspects) - len(open_ones)} of {len(suspects)} decided. The least plausible label comes first. "
        "**Labels set by biopsy or follow-up should not be changed for a network.**"
    )
    cases = shelf.by_id(cohort)
    pages = max(1, -(-len(open_ones) // ACROSS))
    first = ACROSS * (min(st.session_state.get(f"{key}-page", 1), pages) - 1)
    for column, suspect in zip(st.columns(ACROSS), open_ones[first : first + ACROSS], strict=False):
        with column:
            case = cases[suspect.case]
            pictures.tile(cohort, case)
            st.caption(
                f"{pictures.name(case)}  \nlabelled **{md(suspect.given)}**, looks like **{md(suspect.suggested)}**"
            )
            st.button(
                f"Change to {md(suspect.suggested)}",
                key=f"{key}-change-{case.id}",
                on_click=_decide,
                args=(cohort, case.id, "label", suspect.suggested),
                width="stretch",
            )
            st.button(
                "The label is right",
                key=f"{key}-right-{case.id}",
                on_click=_decide,
                args=(cohort, case.id, "seen", ""),
                width="stretch",
            )
    if pages > 1:
        st.pagination(pages, key=f"{key}-page")
    with st.container(horizontal=True):
        if draft.last in {one.case for one in suspects}:
            st.button(
                "Take the last one back", key=f"{key}-back", icon=":material/undo:", on_click=_undo, args=(cohort,)
            )
        _keep(cohort, finding, key, "All labels are right: keep")
    mending.waiting_bar(cohort, key)


def _decide(cohort: Cohort, case: str, action: drafts.Action, value: str) -> None:
    drafts.add(shelf.workspace(), cohort.id, case, action, value)


def _undo(cohort: Cohort) -> None:
    drafts.undo(shelf.workspace(), cohort.id)


# ---- classes and patients -------------------------------------------------------------------------------------------


def few(cohort: Cohort, finding: Finding, key: str) -> None:
    """A class with too few cases: more of them, another class to go with, or without it."""
    small = list(dict.fromkeys(case.label for case in _cases(cohort, finding)))
    for label in small:
        others = [other for other in cohort.classes if other != label]
        why = None if len(others) > 1 else "Only one class would be left; bring more images of it instead."
        with st.container(horizontal=True, vertical_alignment="bottom"):
            into = st.selectbox(
                f"Put {md(label)} together with", others, format_func=plain, width=260, key=f"{key}-into-{label}"
            )
            if st.button("Merge", key=f"{key}-merge-{label}", disabled=bool(why), help=why):
                mending.edit(cohort, f"{plain(label)} is now part of {plain(into)}.", merge={label: into})
            if st.button(
                f"Leave {md(label)} out",
                key=f"{key}-without-{label}",
                disabled=bool(why),
                help=why,
            ):
                out = [case.id for case in cohort.cases if case.label == label]
                mending.edit(cohort, f"The class {plain(label)} was left out.", exclude=out)
    _bring_others(key)


def one_class(cohort: Cohort, finding: Finding, key: str) -> None:
    _bring_others(key)


def patients(cohort: Cohort, finding: Finding, key: str) -> None:
    """By a pattern in the names, or by saying that nobody occurs twice."""
    patients_form.ask(cohort, key)
    st.divider()
    with st.container(horizontal=True):
        if st.button(
            "Each image is of another patient",
            key=f"{key}-each",
            icon=":material/person:",
            help="Only when nobody was imaged twice: otherwise the result will look better than it is.",
        ):
            alone = {case.id: case.id for case in cohort.cases}
            mending.edit(cohort, "Each image counts as another patient now.", patients=alone)
        _keep(cohort, finding, key, "It cannot be known: go on")


def unmatched(cohort: Cohort, finding: Finding, key: str) -> None:
    """The images nobody is known for; a pattern in the names helps only where patients come from the names."""
    if all(case.facts.get("format") == "DICOM" for case in _cases(cohort, finding)) and "DICOM" in cohort.patient_rule:
        st.caption(
            "Patients come from the field PatientID of the DICOM files, and in these it is empty. Whose they are can "
            "be typed in below, under *The images*, as a table."
        )
    else:
        patients_form.ask(cohort, key)
        st.divider()
    look_at(cohort, finding, key)


# ---- the rest -------------------------------------------------------------------------------------------------------


def shortcut(cohort: Cohort, finding: Finding, key: str) -> None:
    """What it means, and both sides as pictures: is it the disease, or how the images came about?"""
    st.caption(
        "A model takes the easiest way. If this alone tells the classes apart, a good result may show that it learned "
        "this and nothing of the disease. Compare later: a model that is not clearly better has learned no more."
    )
    shown = _cases(cohort, finding) or list(cohort.cases)
    by_class = {label: [case for case in shown if case.label == label][:6] for label in cohort.classes[:4]}
    for label, cases in by_class.items():
        if cases:
            st.caption(f"**{md(label)}**")
            for column, case in zip(st.columns(6), cases, strict=False):
                with column:
                    pictures.tile(cohort, case)
    _keep(cohort, finding, key, "I have seen it: keep it in mind", "Covers every shortcut listed here.")


def burned_in(cohort: Cohort, finding: Finding, key: str) -> None:
    """A person has to look; where something is written, it is boxed and blanked."""
    cases = _cases(cohort, finding)
    pictures.gallery(cohort, cases, key, columns=ACROSS, rows=1, says=partial(_label, cohort))
    looked = not cases or _all_looked_at(cohort, finding, len(cases), key)
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Black something out…", key=f"{key}-blank", icon=":material/format_ink_highlighter:"):
            blanking.ask(cohort, cases[0].id if cases else None)
        these = f"all {len(cases):,}" if len(cases) > 1 else "it"
        why = None if looked else "First turn to all pages above: not all of these images were shown yet."
        label = f"I have looked at {these}: nobody is named"
        _keep(cohort, finding, key, label, why, type="primary", disabled=not looked)
    if why and finding.severity == "warn":
        st.caption(f":material/error: {why}")


def _all_looked_at(cohort: Cohort, finding: Finding, count: int, key: str) -> bool:
    """Every page was turned to; of very many images somebody may answer for it with a tick instead."""
    pages = -(-count // ACROSS)
    turned: set[int] = st.session_state.setdefault(f"{key}-turned", set())
    turned.add(min(st.session_state.get(f"{key}-page", 1), pages))
    if len(turned) >= pages or finding.severity != "warn":
        return True
    st.caption(f"{len(turned):,} of {pages:,} pages turned.")
    return pages > MANY_PAGES and st.checkbox(f"I have looked at all {count:,} images", key=f"{key}-sworn")


def uncertain(cohort: Cohort, finding: Finding, key: str) -> None:
    outcome_form.ask(cohort, key)
    _keep(cohort, finding, key, "Understood")


def understood(cohort: Cohort, finding: Finding, key: str) -> None:
    """Nothing to click but that it was read."""
    if cases := _cases(cohort, finding):
        pictures.gallery(cohort, cases, key, columns=8, rows=1, says=partial(_label, cohort))
    _keep(cohort, finding, key, "Understood")


MENDS: dict[str, Mend] = {
    "label-conflict": conflict,
    "near-conflict": conflict,
    "duplicates": copies,
    "near-duplicates": alike,
    "alike-to-the-network": alike,
    **dict.fromkeys(("constant-image", "dark-image", "blurred-image", "odd-size", "colour-outlier"), look_at),
    **dict.fromkeys(("odd-modality", "unlike-the-rest"), look_at),
    "likely-wrong-labels": wrong_labels,
    "too-few": few,
    "one-class": one_class,
    "patients-unknown": patients,
    "patient-unmatched": unmatched,
    "shortcut": shortcut,
    **dict.fromkeys(("burned-in", "text-in-image"), burned_in),
    "uncertain-labels": uncertain,
}


# ---- gestures -------------------------------------------------------------------------------------------------------


def _keep(cohort: Cohort, finding: Finding, key: str, label: str, help: str | None = None, **look: Any) -> None:
    """Looked at and kept: the finding stays as a note. A block cannot be kept, and a note needs no answer.

    What was kept once and warns again names cases that nobody has looked at, so it is asked again.
    """
    if finding.severity != "warn":
        return
    if st.button(label, key=f"{key}-keep", icon=":material/visibility:", help=help, **look):
        mending.edit(cohort, "Noted as looked at.", accept=(finding.code,))


def _leave_all_out(cohort: Cohort, finding: Finding, key: str, **look: Any) -> None:
    count = len(_cases(cohort, finding))
    these = "this case" if count == 1 else f"these {count:,} cases"
    everything = count == len(cohort.cases)
    if st.button(
        f"Leave {these} out",
        key=f"{key}-all-out",
        icon=":material/content_cut:",
        disabled=everything,
        help="Nothing would be left of the cohort."
        if everything
        else "Makes a new version of the cohort; what you brought is not changed.",
        **look,
    ):
        mending.edit(cohort, f"Left {these} out.", exclude=finding.cases)


def _bring_others(key: str) -> None:
    if st.button("Bring more images", key=f"{key}-bring", icon=":material/upload:"):
        selection.choose(cohort=None, run=None, source=None, strategy=None)
        st.rerun()


def _side_by_side(
    cohort: Cohort,
    group: groups.Group,
    says: Callable[[Case], str],
    columns: int,
    beneath: Callable[[Case], None] | None = None,
) -> None:
    cases = shelf.by_id(cohort)
    for start in range(0, len(group), columns):
        for column, id in zip(st.columns(columns), group[start : start + columns], strict=False):
            with column:
                pictures.tile(cohort, cases[id])
                st.caption(f"{says(cases[id])}  \n{pictures.name(cases[id])}")
                if beneath:
                    beneath(cases[id])


def _one_outcome_first(cohort: Cohort, finding: Finding, key: str) -> None:
    st.caption("Several findings an image: to change labels, choose under “This cohort” which one is to be learned.")
    look_at(cohort, finding, key)


def _groups(cohort: Cohort, finding: Finding) -> list[groups.Group]:
    pixels = shelf.pixels(cohort.id)
    prints = {id: stored.fingerprint for id, stored in pixels.stored.items()}
    return groups.of(finding, shelf.by_id(cohort), prints, pixels.near)


def _page(together: Sequence[groups.Group], key: str) -> Sequence[groups.Group]:
    pages = max(1, -(-len(together) // PAGE))
    at = min(st.session_state.get(f"{key}-groups", 1), pages) - 1
    return together[PAGE * at : PAGE * (at + 1)]


def _turn(together: Sequence[groups.Group], key: str) -> None:
    if (pages := -(-len(together) // PAGE)) > 1:
        st.pagination(pages, key=f"{key}-groups")


def _cases(cohort: Cohort, finding: Finding) -> list[Case]:
    cases = shelf.by_id(cohort)
    return [cases[id] for id in dict.fromkeys(finding.cases) if id in cases]


def _label(cohort: Cohort, case: Case) -> str:
    return md(pictures.labels(cohort, case))
