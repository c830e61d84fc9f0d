"""What a run answers for one case of its test part or for new images: every part of the page in its place."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from medtl.errors import MedtlError
from medtl.evaluation import conformal
from medtl.runs.results import PredictionRow, Result
from medtl.vocabulary import Case, Cohort
from pages.ui import (
    answer_card,
    asking,
    by_example,
    diary,
    many,
    out,
    pictures,
    several,
    shelf,
    show,
    where_it_looked,
)
from pages.ui.consultant import Subject
from pages.ui.escape import md, plain, short

MISTAKES, RIGHT, EVERY = "mistakes", "right", "all"


# ---- a case of the test part ----------------------------------------------------------------------------------------


def of_a_case(cohort: Cohort | None, run: str) -> None:
    """Any case of the test part; its scores are known already, only the map is computed."""
    if cohort is None:
        show.error(MedtlError("The cohort of this run was deleted, so its cases cannot be shown.", "Drop a new image."))
        return
    cases = shelf.by_id(cohort)
    rows = {row.case: row for row in shelf.predictions(run) if row.part == "test" and row.case in cases}
    if not rows:
        st.caption("The test part of this run is empty.")
        return
    result = shelf.result(run)
    row = _pick(rows, cases, result)
    subject = Subject(run, cases[row.case].name, case=row.case)
    left, right = st.columns([3, 5], gap="large")
    with left:
        _told(row, result, cohort, run)
        by_example.nearest([{"case": id, "distance": far} for id, far in shelf.nearest(run, row.case)], cohort)
    with right:
        first = several.looked_for(row.scores, result) if result.findings else row.predicted
        kept = pictures.original(cohort, cases[row.case])
        where_it_looked.panel(subject, kept, cohort, list(row.scores), first)
    by_example.panel(subject, cohort)
    out.panel(subject, _as_answer(row, cohort, run), cohort)


def _told(row: PredictionRow, result: Result, cohort: Cohort, run: str) -> None:
    from pages.ui import proof

    case = shelf.by_id(cohort)[row.case]
    if result.findings:
        several.scores(row.scores, result, f"case-{row.case}")
        st.markdown(several.reference(case, row, result))
    else:
        judged, answer = proof.judgement(run), _as_answer(row, cohort, run)
        st.markdown(answer_card.headline(answer))
        if why := answer_card.unsettled(answer):
            st.markdown(md(why))
        answer_card.numbers(answer, result, cohort, judged, f"case-{row.case}")
        if judged and "set" in answer:
            answer_card.not_ruled_out(answer, judged, judged.sets[0].error)
        what = "answer" if answer.get("settled") or "set" not in answer else "call"
        right = "right" if row.predicted == row.label else "not right"
        st.markdown(f"Reference standard: **{md(row.label)}**. The {what} is {right}.")
    st.caption(f"Patient {md(row.patient or 'unknown')} · {pictures.facts(cohort, case)}")


def _as_answer(row: PredictionRow, cohort: Cohort, run: str) -> dict[str, Any]:
    """Settled by the rule of new images: by the limits of the run's sets, and only where the call agrees."""
    from pages.ui import proof

    case = shelf.by_id(cohort)[row.case]
    answer: dict[str, Any] = {
        "file": case.name, "predicted": row.predicted, "scores": dict(row.scores), "called": [row.predicted],
        "accepted": True, "word": "score", "calibrated": {}, "sha256": case.sha256, "frame": case.frame,
    }  # fmt: skip
    judged = proof.judgement(run)
    if cohort.task == "multi-label" or judged is None or len(judged.sets) != 1:
        return answer
    scores = np.array([row.scores[name] for name in judged.classes])
    inside = conformal.members_by_class(scores, judged.sets[0].limits, ordered=cohort.task == "ordinal")
    names = [judged.classes[i] for i in inside]
    return answer | {"set": names, "settled": row.predicted if names == [row.predicted] else None}


def _right(row: PredictionRow, result: Result) -> bool:
    return several.right(row, result) if result.findings else row.predicted == row.label


def _pick(rows: Mapping[str, PredictionRow], cases: Mapping[str, Case], result: Result) -> PredictionRow:
    """A case by name, mistakes on top; with the way there from a cell of the confusion table."""
    wanted = st.session_state.pop("use-case", None)
    if wanted in rows:
        st.session_state["use-show"], st.session_state["use-picked"] = EVERY, wanted
    st.session_state.setdefault("use-show", EVERY)
    right_ids = {id for id, row in rows.items() if _right(row, result)}
    wrong = len(rows) - len(right_ids)
    sizes = {EVERY: len(rows), MISTAKES: wrong, RIGHT: len(rows) - wrong}
    left, right = st.columns([2, 3], vertical_alignment="bottom", gap="large")
    with left:
        shown = st.segmented_control(
            "Show", list(sizes), required=True, format_func=lambda s: f"{s} {sizes[s]}", key="use-show"
        )
    fits = {
        EVERY: lambda row: True,
        MISTAKES: lambda row: row.case not in right_ids,
        RIGHT: lambda row: row.case in right_ids,
    }[shown or EVERY]
    ids = [id for id, row in rows.items() if fits(row)] or list(rows)
    if st.session_state.get("use-picked") not in ids:
        st.session_state.pop("use-picked", None)
    with right:
        picked = st.selectbox(
            "Case",
            ids,
            format_func=lambda id: plain(f"{short(cases[id].name, 44)}: {rows[id].label}, called {rows[id].predicted}"),
            key="use-picked",
        )
    return rows[picked]


# ---- new images -----------------------------------------------------------------------------------------------------


def of_new_images(cohort: Cohort | None, run: str) -> None:
    """Uploads leave Streamlit's store at once, and the disk when the next ones come."""
    if many.under_way():
        _of_batch(cohort, run)
        return
    given = asking.bring(cohort)
    if given is None:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f":material/image: **{md(asking.says(given))}**", width="content")
        if st.button("Take away", type="tertiary", icon=":material/close:"):
            asking.taken_away()
            st.rerun()
        looks = asking.looks_wanted()
    if given.many:
        many.begin(run, given, looks)
        return
    found, holds = asking.answers(run, given, looks)
    if not found:
        st.caption("There is no image in it.")
        return
    answer = found[0]
    if len(found) > 1:
        row = many.table([many.row_of(one) for one in found], "few", bool(shelf.result(run).findings))
        at = next((n for n, one in enumerate(found) if row and _same(one, row)), 0)
        answer = found[at]
    _card(answer, given.paths, cohort, run, holds, len(found) > 1)


def _same(answer: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
    frame = "" if answer.get("frame") is None else str(answer["frame"])
    return (answer["file"], frame, answer.get("kind", "image")) == (row["file"], row["frame"], row["kind"])


def _of_batch(cohort: Cohort | None, run: str) -> None:
    told = many.follow()
    if told is None:
        return
    rows, paths = told
    row = many.table(rows, "batch", bool(shelf.result(run).findings))
    if row is None:
        return
    if row.get("kind") not in ("image", "", None):
        st.info(md(row.get("says") or ""), icon=":material/groups:")
        return
    if not paths or not all(path.exists() for path in paths):
        st.caption("The images are not there any more; bring them again to open one.")
        return
    frame = int(row["frame"]) if row.get("frame") not in ("", None) else None
    with st.spinner("Opening it…"):
        answer = asking.one_of(run, paths, str(row["file"]), frame)
    _card(answer, paths, cohort, run, {})


def _card(
    answer: dict[str, Any], paths: Sequence[Path], cohort: Cohort | None, run: str, holds: Mapping[str, Any],
    several_given: bool = True,
) -> None:  # fmt: skip
    subject = asking.subject(run, paths, answer)
    result = shelf.result(run)
    accepted = bool(answer.get("predicted") is not None and answer.get("accepted", True))
    left, right = st.columns([3, 5], gap="large")
    with left:
        if several_given or answer.get("pooled", 1) > 1:
            st.caption(f"{md(asking.name(answer))}{_pooled(answer)}")
        answer_card.draw(answer, result, cohort, run, f"new-{subject.key}", float(holds.get("set_error") or 0.1))
        if accepted:
            by_example.nearest(answer.get("nearest") or (), cohort)
            if not result.findings:
                diary.reading(run, answer, cohort.classes if cohort else tuple(answer["scores"]))
    with right:
        if not accepted:
            _plain_picture(answer)
        elif answer.get("picture") is None:
            st.caption("Several images together have no map of their own: choose one of them in the table.")
        else:
            first = several.looked_for(answer["scores"], result) if result.findings else answer["predicted"]
            where_it_looked.panel(subject, answer["picture"], cohort, list(answer["scores"]), first)
    if accepted and answer.get("picture") is not None:
        by_example.panel(subject, cohort)
        out.panel(subject, answer, cohort)


def _pooled(answer: Mapping[str, Any]) -> str:
    return f", {answer['pooled']} images together" if answer.get("pooled", 1) > 1 else ""


def _plain_picture(answer: Mapping[str, Any]) -> None:
    if answer.get("picture") is not None:
        st.image(answer["picture"], width=420, alt=f"{plain(asking.name(dict(answer)))}, as it was read")
    st.caption("No map is drawn for an image unlike those the run was trained on.")
