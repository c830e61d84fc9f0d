"""What is seen of a cohort that was read: counts, receipt, skipped files, gallery, versions."""

from collections import Counter
from typing import Any

import streamlit as st

from medtl.cohorts import library
from medtl.cohorts.pixels import as_model_sees
from medtl.errors import MedtlError
from medtl.vocabulary import PARTS, Case, Cohort, InputSpec
from pages.ui import findings, patients_form, pictures, plots, selection, shelf, show, words
from pages.ui.escape import md, plain

ALL = "all"


def counts(cohort: Cohort) -> None:
    """Images a class and part as one bar, patients beside the images on hover and beneath."""
    part_of = cohort.split.part_of()
    table: dict[str, dict[str, tuple[int, int | None]]] = {}
    for label in cohort.classes:
        table[label] = {}
        for part in PARTS:
            cases = [case for case in cohort.cases if case.label == label and part_of.get(case.id) == part]
            known = {case.patient for case in cases if case.patient}
            table[label][part] = (len(cases), len(known) if cohort.patients is not None else None)
    says = "; ".join(f"{label}: " + ", ".join(f"{part} {table[label][part][0]}" for part in PARTS) for label in table)
    plots.draw(plots.counts(table, cohort.classes), f"Images per class and part. {plain(says)}", "data-counts")
    if cohort.patients is not None:
        said = [f"{md(label)} {sum(n or 0 for _, n in parts.values()):,}" for label, parts in table.items()]
        st.caption(f"Patients: {' · '.join(said)}")


def receipt(cohort: Cohort) -> None:
    split = cohort.split
    with st.container(border=True, height="stretch"):
        if cohort.patients is None:
            st.markdown(
                ":orange[:material/help:] **Nobody said who is who.** Images of one patient may lie in two parts, and "
                "the result would look better than it is."
            )
        else:
            ok = split.patients_shared == 0
            mark = ":green[:material/verified:]" if ok else ":red[:material/report:]"
            st.markdown(f"{mark} **{words.count(split.patients_shared, 'patient')} shared between parts**")
        near = split.near_duplicates_across
        st.markdown(
            f"{':green[:material/verified:]' if not near else ':orange[:material/warning:]'} "
            f"{words.count(near, 'near-copy', 'near-copies')} across parts"
        )
        st.caption(
            f"Split {md(split.rule)}: {len(split.train):,} to train, {len(split.tune):,} to tune, "
            f"{len(split.test):,} to test. Patients: {md(cohort.patient_rule)}."
        )


def skipped(cohort: Cohort) -> None:
    if not cohort.skipped:
        return
    with st.expander(f"{words.count(len(cohort.skipped), 'file')} skipped, with the reasons", icon=":material/report:"):
        st.dataframe(
            {
                "file": [plain(one.file) for one in cohort.skipped],
                "reason": [plain(one.reason) for one in cohort.skipped],
                "what to do": [plain(one.advice) for one in cohort.skipped],
            },
            hide_index=True,
            alt="Files that were skipped, with reason and advice",
        )


def gallery(cohort: Cohort) -> None:
    """Filters, tiles, and beside them the picked image as the model will see it."""
    show.section("The images")
    cases = _filtered(cohort)
    left, right = st.columns([3, 1], gap="medium")
    with left:
        if not cases:
            st.caption("No image fits these filters.")
        elif picked := pictures.gallery(cohort, cases, "data-gallery", columns=6, rows=3, pick="Look at"):
            st.session_state["data-picked"] = picked
    with right:
        chosen = next((case for case in cohort.cases if case.id == st.session_state.get("data-picked")), None)
        if chosen or cases:
            _large(cohort, chosen or cases[0])


def _filtered(cohort: Cohort) -> list[Case]:
    per_class = cohort.counts
    part_of = cohort.split.part_of()
    per_part = Counter(part_of.values())
    with st.container(horizontal=True, vertical_alignment="bottom"):
        label = (
            st.segmented_control(
                "Class",
                [ALL, *cohort.classes] if len(cohort.classes) <= 6 else [ALL],
                default=ALL,
                required=True,
                format_func=lambda c: f"{md(c)} {per_class.get(c, len(cohort.cases)):,}",
                key="data-class",
            )
            if len(cohort.classes) <= 6
            else st.selectbox(
                "Class",
                [ALL, *cohort.classes],
                format_func=lambda c: f"{plain(c)} {per_class.get(c, len(cohort.cases)):,}",
                width=220,
                key="data-class",
            )
        )
        part = st.segmented_control(
            "Part",
            [ALL, *PARTS],
            default=ALL,
            required=True,
            format_func=lambda p: p if p == ALL else f"{p} {per_part[p]:,}",
            key="data-part",
        )
        with_cases = [finding for finding in cohort.findings if finding.cases]
        code = (
            st.selectbox(
                "Finding",
                [ALL, *(finding.code for finding in with_cases)],
                format_func=lambda code: plain(code.replace("-", " ")),
                width=220,
                key="data-finding",
            )
            if with_cases
            else ALL
        )
    wanted = {id for finding in with_cases if finding.code == code for id in finding.cases}
    return [
        case
        for case in cohort.cases
        if (label in (ALL, None, case.label))
        and (part in (ALL, None, part_of.get(case.id)))
        and (code == ALL or case.id in wanted)
    ]


def _large(cohort: Cohort, case: Case) -> None:
    """The picked image: as it is, as the model sees it, and what can be put right about it."""
    with st.container(border=True):
        st.text(plain(case.name))
        pixels = pictures.original(cohort, case)
        spec = _spec()
        st.image(pixels, width="stretch", caption="as it was brought", alt=f"{plain(case.name)}, as it was brought")
        st.image(
            as_model_sees(pixels, spec),
            width="stretch",
            caption="as the model sees it",
            alt=f"{plain(case.name)}, as the model sees it",
        )
        st.caption(spec.describe())
        part = cohort.split.part_of().get(case.id, "")
        st.caption(f"**{md(case.label)}** · {part} part · patient {md(case.patient or 'unknown')}")
        st.caption(pictures.facts(case))
        with st.popover("Put right", icon=":material/edit:", width="stretch"):
            _put_right(cohort, case)


def _put_right(cohort: Cohort, case: Case) -> None:
    label = st.selectbox(
        "Its class is", cohort.classes, cohort.classes.index(case.label), format_func=plain, key=f"relabel-{case.id}"
    )
    if st.button("Change the class", disabled=label == case.label, key=f"relabel-do-{case.id}"):
        findings.edit(cohort, "The class was changed.", relabel={case.id: label})
    if st.button("Leave this case out", key=f"exclude-{case.id}", icon=":material/content_cut:"):
        findings.edit(cohort, "The case was left out.", exclude=(case.id,))


def _spec() -> InputSpec:
    """As the chosen source wants it; before one is chosen, as most networks do."""
    chosen = selection.current().source
    source = shelf.source(chosen) if chosen else None
    return source.input if source else InputSpec()


def adjust(cohort: Cohort) -> None:
    """The rarer wishes, closed: patients, the positive class, versions, deletion."""
    show.section("This cohort")
    with st.expander("How patients are told apart", icon=":material/groups:"):
        patients_form.ask(cohort, "adjust")
    if len(cohort.classes) == 2:
        with st.expander(f"Which class counts as having it: {md(cohort.positive or '')}", icon=":material/add_circle:"):
            _positive(cohort)
    with st.expander(f"Versions ({len(cohort.history) + 1})", icon=":material/history:"):
        _versions(cohort)
    with st.container(horizontal=True):
        if st.button("Bring other images", icon=":material/upload:"):
            selection.choose(cohort=None, run=None, source=None, strategy=None)
            st.rerun()
        if st.button("Delete this cohort…", icon=":material/delete:"):
            confirm_delete(cohort.id, cohort.title)


def _positive(cohort: Cohort) -> None:
    st.caption("Sensitivity is counted among cases of this class, specificity among the other.")
    at = cohort.classes.index(cohort.positive) if cohort.positive in cohort.classes else 0
    positive = st.radio("Class", cohort.classes, at, format_func=lambda c: md(c), horizontal=True, key="positive")
    if st.button("Use this class", disabled=positive == cohort.positive):
        findings.edit(cohort, "The positive class was changed.", positive=positive)


def _versions(cohort: Cohort) -> None:
    st.caption(f"Made {words.day(cohort.created)}. What you brought is never changed; every edit makes a new version.")
    for edit in reversed(cohort.history):
        st.markdown(f"- {words.day(edit.at)}: {md(edit.what)} ({words.count(edit.cases, 'case')})")
    if cohort.parent:
        if shelf.or_none(shelf.cohort, cohort.parent):
            st.page_link(
                selection.path("data"),
                label="Open the version before",
                icon=":material/undo:",
                query_params={"cohort": cohort.parent},
            )
        else:
            st.caption("The version before was deleted.")


@st.dialog("Delete this cohort?")
def confirm_delete(id: str, title: str) -> None:
    """Says what goes, and how much room it gives back."""
    summary: Any = next((one for one in shelf.cohorts() if one.id == id), None)
    runs = [run for run in shelf.runs() if run.cohort == id]
    if summary is None:
        show.error(MedtlError("There is no such cohort any more.", "Close this window."))
        return
    st.markdown(f"**{md(title)}**: {words.count(summary.cases, 'image')}, {words.size(summary.bytes)} on disk.")
    if runs:
        st.warning(
            f"{words.count(len(runs), 'run')} used it; they keep their numbers, but can no longer show its images."
        )
    st.caption("Your own files elsewhere are not touched. This cannot be undone.")
    with st.container(horizontal=True):
        if st.button("Delete", type="primary", icon=":material/delete:"):
            try:
                freed = library.delete(shelf.workspace(), id)
            except MedtlError as wrong:
                show.error(wrong)
                return
            shelf.forget()
            show.later(f"Deleted; {words.size(freed)} are free again.")
            selection.go("library", cohort=None, run=None)
        if st.button("Keep it"):
            st.rerun()
