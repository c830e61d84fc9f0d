"""What was read, at a glance: counts per class and part, the receipt of the split, files that were skipped."""

import streamlit as st

from medtl.checkup import ALIKE
from medtl.cohorts import patients
from medtl.vocabulary import PARTS, Cohort, Skipped, labels_of
from pages.ui import patients_form, plots, shelf, words
from pages.ui.escape import md, plain

Counts = dict[str, dict[str, tuple[int, int | None]]]


def counts(cohort: Cohort) -> None:
    """Images a class and part as one bar, patients beside the images on hover and beneath."""
    table = _counted(shelf.home(), cohort.id, cohort)
    says = "; ".join(f"{label}: " + ", ".join(f"{part} {table[label][part][0]}" for part in PARTS) for label in table)
    plots.draw(plots.counts(table, cohort.classes), f"Images per class and part. {plain(says)}", "data-counts")
    if cohort.patients is not None and not patients.nameless(cohort.cases):
        said = [f"{md(label)} {sum(n or 0 for _, n in parts.values()):,}" for label, parts in table.items()]
        st.caption(f"Patients: {' · '.join(said)}")
    if cohort.task == "ordinal":
        st.caption(f"The classes are grades in this order: {md(' < '.join(cohort.classes))}")


@st.cache_resource(max_entries=8, show_spinner=False)
def _counted(home: str, id: str, _cohort: Cohort) -> Counts:
    """Label -> part -> (images, patients); an image with several labels counts for each."""
    images = {label: dict.fromkeys(PARTS, 0) for label in _cohort.classes}
    people: dict[str, dict[str, set[str]]] = {label: {part: set() for part in PARTS} for label in _cohort.classes}
    part_of = _cohort.split.part_of()
    for case in _cohort.cases:
        for label in labels_of(case):
            part = part_of.get(case.id)
            if part and label in images:
                images[label][part] += 1
                if case.patient:
                    people[label][part].add(case.patient)
    known = _cohort.patients is not None
    return {
        label: {part: (images[label][part], len(people[label][part]) if known else None) for part in PARTS}
        for label in _cohort.classes
    }


def people(cohort: Cohort) -> str:
    """How many patients, as far as anybody said."""
    if cohort.patients is None:
        return "patients unknown"
    lone = patients.nameless(cohort.cases)
    known = words.count(cohort.patients - lone, "patient")
    return f"{known}, {words.count(lone, 'image')} without" if lone else known


def receipt(cohort: Cohort) -> None:
    split = cohort.split
    with st.container(border=True, height="stretch"):
        if cohort.patients is None:
            st.markdown(
                ":orange[:material/help:] **Nobody said who is who.** Images of one patient may lie in two parts, and "
                "the result would look better than it is."
            )
        else:
            lone = patients.nameless(cohort.cases)
            mark = ":red[:material/report:]" if split.patients_shared else ":green[:material/verified:]"
            mark = ":orange[:material/help:]" if lone and not split.patients_shared else mark
            known = " of those that are known" if lone else ""
            st.markdown(f"{mark} **{words.count(split.patients_shared, 'patient')}{known} shared between parts**")
            if lone:
                st.caption(f"Of {words.count(lone, 'image')} nobody said whose they are: there it cannot be told.")
        near, more = split.near_duplicates_across, _alike_across(cohort)
        st.markdown(
            f"{':orange[:material/warning:]' if near or more else ':green[:material/verified:]'} "
            f"{words.count(near, 'near-copy', 'near-copies')} across parts"
            + (f" by thumbnails; the network sees {words.count(more, 'more pair')}" if more else "")
        )
        st.caption(
            f"Split {md(split.rule)}: {len(split.train):,} to train, {len(split.tune):,} to tune, "
            f"{len(split.test):,} to test. Patients: {md(patients_form.in_words(cohort.patient_rule))}."
        )


def _alike_across(cohort: Cohort) -> int:
    """Pairs in different parts that look nearly the same to the network that looked deeper; 0 once they were looked at
    and kept."""
    found, part_of = shelf.checkup(cohort), cohort.split.part_of()
    pairs = [
        pair
        for finding in (found.findings if found else ())
        if finding.code == ALIKE and finding.severity == "warn"
        for pair in zip(finding.cases[::2], finding.cases[1::2], strict=False)
    ]
    return sum(part_of.get(one) != part_of.get(other) for one, other in pairs)


def skipped(cohort: Cohort) -> None:
    """Under the names the user knows right after the reading; later under the codes that the cohort keeps."""
    if not cohort.skipped:
        return
    fresh_for, fresh = st.session_state.get("skipped-fresh", ("", ()))
    files: tuple[Skipped, ...] = fresh if fresh_for == cohort.id and fresh else cohort.skipped
    with st.expander(f"{words.count(len(files), 'file')} skipped, with the reasons", icon=":material/report:"):
        st.dataframe(
            {
                "file": [plain(one.file) for one in files],
                "reason": [plain(one.reason) for one in files],
                "what to do": [plain(one.advice) for one in files],
            },
            hide_index=True,
            alt="Files that were skipped, with reason and advice",
        )
        if files is not cohort.skipped:
            st.caption("The names are shown now only; the cohort keeps them as codes.")
