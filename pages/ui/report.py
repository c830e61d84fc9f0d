"""The parts of the Trust page. Computes nothing about the model: every number was written by the run."""

import csv
import io
from collections.abc import Sequence
from typing import Any

import streamlit as st

from medtl.runs.results import PredictionRow, Result
from medtl.trust import lights
from medtl.trust.lights import Light
from medtl.vocabulary import Cohort, Estimate, Recipe
from pages.ui import cards, inspect_cohort, plot_calls, plots, selection, shelf, show, verdict, words, worth
from pages.ui.escape import csv_cell, md, plain
from pages.ui.plot_calls import Number

# Sensitivity and specificity first, accuracy last: the order is part of the message.
ORDER = (
    "kappa_quadratic", "within_one", "exact_agreement",
    "sensitivity", "specificity", "ppv", "npv", "auroc", "auprc", "brier", "balanced_accuracy", "accuracy",
)  # fmt: skip
LAST = ("brier", "balanced_accuracy", "accuracy")  # in the table only: no number to begin with
OFF_SCALE = ("mean_grade_error", "calibration_slope", "calibration_intercept")  # no share of 0 to 1


def headline(result: Result, says: str, wanted: Sequence[str] = ()) -> None:
    """What it is, the verdict in a sentence, and in counts what was seen beside what was `wanted`."""
    recipe = result.recipe
    cohort = shelf.or_none(shelf.cohort, recipe.cohort)
    of = f", on {md(cohort.title)}" if cohort else ""
    advised = f" · {basis}" if (basis := cards.advised(recipe)) else ""
    st.caption(f"{md(shelf.strategy_title(recipe.strategy))}{_from(recipe)}{of} · `{recipe.run}`{advised}")
    st.markdown(f"### {md(says or result.sentence)}")
    if under := [*([result.sentence] if says else []), *wanted]:
        st.markdown(md(" ".join(under)))
    worth.warning(result)


def _from(recipe: Recipe) -> str:
    title = md(shelf.source_title(recipe.source))
    return (
        f", the network of {title} without what it learned" if recipe.strategy == "from-scratch" else f" from {title}"
    )


def numbers(result: Result) -> None:
    """Over all classes: every number with its interval on one scale."""
    show.section(
        "On the test part (mean over the classes)",
        help="Internal test: cases of the same cohort, never trained on.",
    )
    rows = [Number(words.title(one.name), f"n = {one.n:,}", one) for one in _shown(result) if one.name not in LAST]
    says = "; ".join(f"{row.title} {words.whole(row.estimate)}, {row.counted}" for row in rows)
    plots.draw(plot_calls.numbers(rows, False), f"Numbers with their 95 % intervals: {plain(says)}", "trust-numbers")


def every_number(result: Result) -> None:
    """All of them in a table, with what each one means."""
    if result.notes:
        st.caption(f":material/info: {md(' '.join(result.notes))}")
    if shown := _shown(result):
        with st.expander("Every number as a table, with what each one means", icon=":material/table:"):
            _table(result, shown)


def _shown(result: Result) -> list[Estimate]:
    per_class = [estimate for estimate in result.estimates if estimate.name.startswith("auroc[")]
    return [*(found for name in ORDER if (found := result.estimate(name)) is not None), *per_class]


def _table(result: Result, shown: list[Estimate]) -> None:
    extra = [one for one in result.estimates if one.name in OFF_SCALE]
    rows = [*shown, *extra]
    st.dataframe(
        {
            "number": [plain(words.title(one.name)) for one in rows],
            "value": [words.value(one) for one in rows],
            "95 % interval": [words.interval(one) for one in rows],
            "n": [one.n for one in rows],
            "interval by": [one.how for one in rows],
            "what it means": [words.HELP.get(one.name.split("[")[0], "") for one in rows],
        },
        hide_index=True,
        column_config={"what it means": st.column_config.TextColumn(width="large")},
        alt="Every number with its value, interval, n and meaning",
    )


def confusion(result: Result, run: str) -> tuple[str, str] | None:
    """Reference against model, of more than two classes; answers the cell whose images are wanted."""
    show.section(
        "Who was called what", help="Reference standard on rows, model on columns. Pick a cell to see its images."
    )
    table = result.confusion
    if table is None:
        st.caption("There is no table for this run.")
        return None
    cells = [(r, m) for r in table.classes for m in table.classes]
    size = {(r, m): table.counts[i][j] for i, r in enumerate(table.classes) for j, m in enumerate(table.classes)}

    def clicked() -> None:
        points = st.session_state["trust-confusion"]["selection"]["points"]
        data = next((p["customdata"] for p in points if p.get("customdata")), None)
        if data:
            st.session_state["trust-cell"] = (
                (data[0], data[1]) if not isinstance(data, dict) else (data["0"], data["1"])
            )

    said = "; ".join(f"{r} called {m}: {size[r, m]}" for r, m in cells)
    plots.draw(
        plots.confusion(table.classes, table.counts),
        f"Confusion table, reference on rows. {plain(said)}",
        "trust-confusion",
        on_select=clicked,
        selection_mode="points",
    )
    if st.session_state.get("trust-cell") not in [None, *cells]:
        del st.session_state["trust-cell"]
    mistakes_first = sorted(cells, key=lambda cell: cell[0] == cell[1])
    return st.selectbox(
        "Open the images of a cell",
        mistakes_first,
        index=None,
        placeholder="Pick a cell, or click one in the table",
        format_func=lambda cell: plain(f"{cell[0]}, called {cell[1]}: {size[cell]}"),
        key="trust-cell",
    )


def receipt(result: Result, cohort: Cohort | None, light: Light | None = None) -> None:
    """What the numbers rest on."""
    verdict.section("What it rests on", "data", light)
    parts = result.parts
    said = []
    for part in ("train", "tune", "test"):
        if part in parts:
            patients = parts[part].get("patients")
            who = f", {words.count(patients, 'patient')}" if patients is not None else ""
            said.append(f"{part} {words.count(int(parts[part].get('cases') or 0), 'image')}{who}")
    shared = ""
    if cohort is not None:
        shared = (
            f" {words.count(cohort.split.patients_shared, 'patient')} shared between parts, "
            f"{words.count(cohort.split.near_duplicates_across, 'near copy', 'near copies')} across them."
            if cohort.patients is not None
            else ""  # the light above says so
            if light is not None and lights.UNSAID in " ".join([light.reason, *light.also])
            else " Patients unknown: leakage cannot be excluded."
        )
    if cohort is not None:
        inspect_cohort.counts(cohort)
    st.caption(
        f":material/receipt_long: {md(' · '.join(said))}.{shared} This run was scored on the test part once, after the "
        f"threshold was frozen.{_how_often(result)} Internal test of this cohort; research use, not a medical device."
    )
    if cohort is not None:
        st.page_link(
            selection.path("data"), label="The cohort with its findings and its images",
            icon=":material/photo_library:", query_params=selection.params(),
        )  # fmt: skip


def _how_often(result: Result) -> str:
    """Several runs on one test part: the best of them is flattered by having been picked."""
    tested = verdict.tested_on(result.recipe.cohort)
    if tested < 2:
        return ""
    return f" {tested} runs have been tested on this part by now: the best of them looks better than it is."


def downloads(run: str) -> None:
    with st.container(horizontal=True):
        folder = shelf.run(run)
        st.download_button(
            "Scores of every case (CSV)",
            data=lambda: predictions_csv(folder),
            file_name=f"{run}-scores.csv",
            mime="text/csv",
            icon=":material/download:",
            on_click="ignore",
        )
        st.download_button(
            "All numbers (JSON)",
            data=lambda: (folder / "result" / "estimates.json").read_bytes(),
            file_name=f"{run}-estimates.json",
            mime="application/json",
            icon=":material/download:",
            on_click="ignore",
        )


def predictions_csv(folder: Any) -> bytes:
    """Formula-safe: a cell a spreadsheet would run gets an apostrophe. Runs outside the page: no Streamlit here."""
    from medtl.runs import results

    rows: tuple[PredictionRow, ...] = results.predictions(folder)
    classes = list(rows[0].scores) if rows else []
    asked = classes if any(row.said for row in rows) else []
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([
        "case",
        "patient",
        "part",
        "label",
        "predicted",
        *(csv_cell(f"score_{label}") for label in classes),
        *(csv_cell(f"label_{label}") for label in asked),
    ])
    for row in rows:
        named = (row.case, row.patient or "", row.part, row.label, row.predicted)
        said = (str(row.said.get(label, "")) for label in asked)
        writer.writerow([*map(csv_cell, named), *(f"{row.scores[label]:.6g}" for label in classes), *said])
    return out.getvalue().encode()
