"""What a run answers for one case or for new images: scores as bars, the original beside where the network looked."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from medtl.errors import MedtlError
from medtl.runs.results import PredictionRow, Result
from medtl.vocabulary import Case, Cohort
from pages.ui import heat, pictures, plots, several, shelf, show, upload
from pages.ui.consultant import consultant, explain
from pages.ui.escape import csv_cell, md, plain, short

TYPES = ["png", "jpg", "jpeg", "bmp", "tif", "tiff", "dcm", "dicom"]
MISTAKES, RIGHT, EVERY = "mistakes", "right", "all"


def of_a_case(cohort: Cohort | None, run: str) -> None:
    """Any case of the test part; its scores are known already, only the map is computed."""
    if cohort is None:
        show.error(MedtlError("The cohort of this run was deleted, so its cases cannot be shown.", "Drop a new image."))
        return
    cases = {case.id: case for case in cohort.cases}
    rows = {row.case: row for row in shelf.predictions(run) if row.part == "test" and row.case in cases}
    if not rows:
        st.caption("The test part of this run is empty.")
        return
    result = shelf.result(run)
    row = _pick(rows, cases, result)
    left, right = st.columns([2, 3], gap="large")
    with left:
        _scores(row.scores, row.predicted, result, cohort, f"case-{row.case}")
        right_or_not = "right" if row.predicted == row.label else "not right"
        says = f"Reference standard: **{md(row.label)}**. The answer is {right_or_not}."
        st.markdown(several.reference(cases[row.case], row, result) if result.findings else says)
        st.caption(f"Patient {md(row.patient or 'unknown')} · {pictures.facts(cohort, cases[row.case])}")
    with right:
        first = several.looked_for(row.scores, result) if result.findings else row.predicted
        label = _which_class(list(row.scores), first, f"case-{row.case}")
        picture, home = pictures.original(cohort, cases[row.case]), str(shelf.workspace().home)
        heat.looked(picture, cases[row.case].name, lambda: explain(home, run, row.case, label))


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


def of_new_images(cohort: Cohort | None, run: str) -> None:
    """Dropped images leave the upload store at once and the disk when the next ones come."""
    kept = upload.receive("Drop one image or several", "use-files", types=TYPES, many=True)
    if kept is None:
        st.caption("PNG, JPEG, BMP, TIFF or single-frame DICOM. They are not added to the cohort.")
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f":material/image: **{md(kept.says)}**", width="content")
        if st.button("Take away", type="tertiary", icon=":material/close:"):
            upload.discard("use-files")
            st.rerun()
    answers = _answers(run, kept)
    if len(answers) > 1:
        _many(answers, run)
    at = 0
    if len(answers) > 1:
        at = st.selectbox(
            "Look at", range(len(answers)), format_func=lambda i: plain(_name(answers[i])), key="use-file"
        )
    _one_new(cohort, run, kept, answers[at], at)


def _answers(run: str, kept: upload.Spooled) -> list[dict[str, Any]]:
    """Asked once for an upload and run, kept in the session."""
    key = (run, str(kept.folder))
    if st.session_state.get("use-asked") != key:
        with st.spinner("Reading and answering (about 10 s the first time, then 1 s an image)…"):
            said = consultant().predict(run, [str(path) for path in kept.files], None)["predictions"]
        for one in said:
            one["picture"] = pictures.take(one["picture"]) if one.get("picture") else None
        st.session_state["use-answers"], st.session_state["use-asked"] = said, key
    return list(st.session_state["use-answers"])


def _one_new(cohort: Cohort | None, run: str, kept: upload.Spooled, answer: dict[str, Any], at: int) -> None:
    if not answer.get("predicted"):
        show.error(MedtlError(f"{_name(answer)} could not be answered.", answer.get("why_not") or "It cannot be read."))
        return
    known = answer.get("accepted", True)
    if not known:
        st.warning(md(answer.get("why_not") or ""), icon=":material/do_not_disturb_on:")
    if answer.get("known"):
        st.info(md(answer["known"]), icon=":material/history:")
    left, right = st.columns([2, 3], gap="large")
    with left:
        if known:
            _scores(answer["scores"], answer["predicted"], shelf.result(run), cohort, f"new-{at}")
            _not_ruled_out(answer, cohort)
            several.cannot_tell(answer.get("findings") or {})
        else:
            with st.expander("The scores all the same"):
                _scores(answer["scores"], answer["predicted"], shelf.result(run), cohort, f"new-{at}")
        _nearest(answer, cohort)
    with right:
        if not known:
            _plain_picture(answer)
            return
        result = shelf.result(run)
        first = several.looked_for(answer["scores"], result) if result.findings else answer["predicted"]
        label = _which_class(list(answer["scores"]), first, f"new-{kept.folder.name}-{at}")
        heat.looked(answer["picture"], _name(answer), lambda: _heat(run, *_place(kept, answer, at), label))


def _place(kept: upload.Spooled, answer: Mapping[str, Any], at: int) -> tuple[str, str, int | None]:
    """The path that was uploaded, and which file and frame of it the answer is about."""
    return str(kept.files[answer.get("given", at)]), str(answer["file"]), answer.get("frame")


@st.cache_data(max_entries=100, show_spinner=False)
def _heat(run: str, path: str, file: str, frame: int | None, label: str) -> dict[str, Any]:
    only = {"file": file, "frame": frame}
    said = consultant().predict(run, [path], label, only=only, log=False)["predictions"][0]
    if said.get("picture"):
        pictures.take(said["picture"])
    return dict(said["explanation"])


def _plain_picture(answer: Mapping[str, Any]) -> None:
    if answer.get("picture") is not None:
        st.image(answer["picture"], width="stretch", alt=f"{plain(_name(answer))}, as it was read")
    st.caption("No map is drawn for an image unlike those the run was trained on.")


def _not_ruled_out(answer: Mapping[str, Any], cohort: Cohort | None) -> None:
    """The set of classes that could not be excluded; with one class in it there is nothing to add."""
    names = [] if answer.get("findings") else [md(label) for label in answer.get("set") or ()]
    if len(names) > 1:
        st.markdown(f":orange[:material/help:] Cannot be ruled out: **{', '.join(names)}**.")


def _nearest(answer: Mapping[str, Any], cohort: Cohort | None) -> None:
    """Cases that look most alike to the network, with their labels: often more telling than a map."""
    cases = {case.id: case for case in cohort.cases} if cohort else {}
    near = [cases[one["case"]] for one in answer.get("nearest") or () if one["case"] in cases][:3]
    if not near or cohort is None:
        return
    st.markdown("**Most alike among the training cases**")
    for column, case in zip(st.columns(3), near, strict=False):
        with column:
            pictures.tile(cohort, case)
            st.caption(md(pictures.labels(cohort, case)))


def _many(answers: Sequence[dict[str, Any]], run: str) -> None:
    st.dataframe(
        {
            "file": [plain(_name(one)) for one in answers],
            "answer": [plain(one["predicted"]) if _answered(one) else "not answered" for one in answers],
            "score": [max(one["scores"].values()) if _answered(one) else float("nan") for one in answers],
            "why not": [plain(one.get("why_not") or "") for one in answers],
        },
        hide_index=True,
        column_config={"score": st.column_config.NumberColumn("score of the answer", format="%.2f")},
        alt="Answers for every file",
    )
    st.download_button(
        "Answers (CSV)",
        data=lambda: _csv(answers),
        file_name=f"{run}-answers.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
    )


def _answered(one: dict[str, Any]) -> bool:
    """An image unlike the training images gets no answer in a list, where nobody reads the warning beside it."""
    return bool(one.get("predicted")) and one.get("accepted", True)


def _csv(answers: Sequence[dict[str, Any]]) -> bytes:
    classes = list(next((one["scores"] for one in answers if one.get("scores")), {}))
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["file", "predicted", *(csv_cell(f"score_{label}") for label in classes), "why_not"])
    for one in answers:
        scores = one.get("scores") or {}
        cells = [f"{scores[label]:.6g}" if label in scores else "" for label in classes]
        writer.writerow([
            csv_cell(_name(one)),
            csv_cell(one["predicted"] if _answered(one) else ""),
            *cells,
            csv_cell(one.get("why_not") or ""),
        ])
    return out.getvalue().encode()


def _name(answer: Mapping[str, Any]) -> str:
    return str(answer["file"]).rsplit("/", 1)[-1]


def _scores(scores: Mapping[str, float], predicted: str, result: Result, cohort: Cohort | None, key: str) -> None:
    if result.findings:
        several.scores(scores, result, key)
        return
    st.markdown(f"### {md(predicted)}")
    classes = cohort.classes if cohort else tuple(scores)
    positive = cohort.positive if cohort else None
    threshold = result.threshold.value if result.threshold and len(scores) == 2 else None
    says = ", ".join(f"{label} {score:.2f}" for label, score in scores.items())
    plots.draw(plots.answer(scores, classes, threshold, positive), f"Scores: {plain(says)}", f"answer-{key}")
    if threshold is not None and positive:
        st.caption(
            f"Called **{md(positive)}** from a score of {threshold:.2f} on (the line): the threshold chosen on the "
            f"{md(result.threshold.chosen_on if result.threshold else 'tune')} part."
        )
    else:
        middle = result.threshold is not None and result.threshold.middle
        st.caption("The grade in the middle of the scores decides." if middle else "The highest score decides.")


def _which_class(classes: Sequence[str], predicted: str, key: str) -> str:
    ask, where = "Where it looked for", f"class-{key}"
    if len(classes) > 6:
        return str(st.selectbox(ask, list(classes), list(classes).index(predicted), format_func=plain, key=where))
    picked = st.segmented_control(ask, list(classes), default=predicted, required=True, format_func=md, key=where)
    return str(picked or predicted)
