"""The parts of the Trust page. Computes nothing about the model: every number was written by the run."""

import csv
import io
from typing import Any

import streamlit as st

from medtl.runs import findings
from medtl.runs.results import PredictionRow, Result
from medtl.vocabulary import Cohort, Estimate, Recipe
from pages.ui import cards, plots, selection, shelf, show, words, worth
from pages.ui.escape import csv_cell, md, plain, short

# Sensitivity and specificity first, accuracy last: the order is part of the message.
ORDER = (
    "kappa_quadratic", "within_one", "exact_agreement",
    "sensitivity", "specificity", "ppv", "npv", "auroc", "auprc", "brier", "balanced_accuracy", "accuracy",
)  # fmt: skip
OFF_SCALE = ("mean_grade_error", "calibration_slope", "calibration_intercept")  # in the table only
ALL_OF_THEM = ("", "")


def headline(result: Result) -> None:
    """One sentence of verdict, and in counts what the test part is too small to say."""
    recipe = result.recipe
    cohort = shelf.or_none(shelf.cohort, recipe.cohort)
    of = f", on {md(cohort.title)}" if cohort else ""
    st.caption(f"{md(shelf.strategy_title(recipe.strategy))}{_from(recipe)}{of} · `{recipe.run}`")
    if says := cards.advised(recipe):
        st.caption(says)
    st.markdown(f"### {md(result.sentence)}")
    worth.warning(result)
    hurts = {guard.says for guard in worth.guards(result) if guard.verdict == "hurts"}  # said already, and louder
    for caveat in result.caveats:
        if caveat not in hurts:
            st.warning(md(caveat), icon=":material/warning:")
    if result.small_test:
        st.warning(md(result.small_test), icon=":material/group_off:")
    if result.notes:
        st.caption(f":material/info: {md(' '.join(result.notes))}")


def _from(recipe: Recipe) -> str:
    title = md(shelf.source_title(recipe.source))
    return (
        f", the network of {title} without what it learned" if recipe.strategy == "from-scratch" else f" from {title}"
    )


def numbers(result: Result) -> None:
    """Every number with n and interval, drawn on one scale; the same as a table with what each one means."""
    shown = [found for name in ORDER if (found := result.estimate(name)) is not None]
    per_class = [estimate for estimate in result.estimates if estimate.name.startswith("auroc[")]
    macro = " (mean over the classes)" if per_class else ""
    show.section(f"On the test part{macro}", help="Internal test: cases of the same cohort, never trained on.")
    rows = [(words.title(one.name), one, _counted(one, result)) for one in (*shown, *per_class)]
    says = "; ".join(f"{name} {words.whole(one)}, n = {one.n}" for name, one, _ in rows)
    plots.draw(plots.whiskers(rows), f"Numbers with their 95 % intervals: {plain(says)}", "trust-numbers")
    with st.expander("The same as a table, with what each number means", icon=":material/table:"):
        _table(result, [*shown, *per_class])


def _counted(estimate: Estimate, result: Result) -> str:
    """ "38 of 42 malignant" where the number is a share of something one can count."""
    table, positive = result.confusion, _positive(result)
    if table is None or positive is None or len(table.classes) != 2:
        return f"n = {estimate.n}"
    at = table.classes.index(positive)
    other = 1 - at
    hit, miss = table.counts[at][at], table.counts[at][other]
    alarm, passed = table.counts[other][at], table.counts[other][other]
    ill, well = short(table.classes[at], 14), short(table.classes[other], 14)
    said = {
        "sensitivity": f"{hit} of {hit + miss} {ill} found",
        "specificity": f"{passed} of {alarm + passed} {well} let pass",
        "ppv": f"{hit} of {hit + alarm} calls right",
        "npv": f"{passed} of {passed + miss} let pass rightly",
        "accuracy": f"{hit + passed} of {hit + miss + alarm + passed} named correctly",
    }
    return plain(said.get(estimate.name, f"n = {estimate.n}"))


def _positive(result: Result) -> str | None:
    cohort = shelf.or_none(shelf.cohort, result.recipe.cohort)
    return result.positive or (cohort.positive if cohort else None)


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


def roc(result: Result, cohort: Cohort | None) -> None:
    show.section("Ranking", help=words.HELP["auroc"])
    curves = result.curves.get("roc", {})
    classes = cohort.classes if cohort else tuple(curves)
    if cohort and cohort.positive in curves and len(classes) == 2:
        curves = {cohort.positive: curves[cohort.positive]}
    if not curves:
        st.caption("A curve needs cases of two classes in the test part.")
        return
    sensitivity, specificity = result.estimate("sensitivity"), result.estimate("specificity")
    point = None
    if len(classes) == 2 and sensitivity and specificity:
        point = (1 - specificity.value, sensitivity.value)
    auroc = result.estimate("auroc")
    says = f"AUROC {words.whole(auroc)}" if auroc else "ROC"
    plots.draw(plots.roc(curves, classes, point), f"ROC curve with 95 % band. {says}", "trust-roc")
    if auroc:
        st.caption(f"{says}, n = {auroc.n}. {words.HELP['auroc']}")


def confusion(result: Result, run: str) -> tuple[str, str] | None:
    """Reference against model; answers the cell whose images are wanted."""
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


def _rows(run: str, finding: str | None) -> list[PredictionRow]:
    """The answers of the test part; of several findings, those to this one."""
    rows = shelf.predictions(run)
    if finding is not None:
        rows = findings.predictions_of(rows, shelf.result(run), finding)
    return [row for row in rows if row.part == "test"]


def scores(result: Result, cohort: Cohort | None, run: str) -> None:
    show.section("Scores of the test cases", help="How far the classes lie apart. A score is not a probability.")
    rows = _rows(run, result.finding)
    classes = list(rows[0].scores) if rows else []
    if not classes:
        st.caption("There are no scores.")
        return
    of = result.positive or (cohort.positive if cohort and cohort.positive else None)
    if of is None:
        of = st.selectbox("Score for", classes, format_func=plain, key="trust-scores-of")
    drawn = {label: [row.scores[of] for row in rows if row.label == label] for label in classes}
    threshold = result.threshold.value if result.threshold and len(classes) == 2 else None
    plots.draw(
        plots.histogram(drawn, classes, threshold, of),
        f"Histogram of the score for {plain(of)} on the test part, by reference class",
        "trust-scores",
    )
    if result.threshold:
        value = f"{result.threshold.value:.2f}, " if result.threshold.value is not None else ""
        chosen_on = md(result.threshold.chosen_on)
        st.caption(f"Threshold: {value}chosen on the {chosen_on} part, frozen. {md(result.threshold.rule)}")


def others(result: Result, run: str) -> None:
    """To the page where runs stand side by side: those of its group at once, else to be picked."""
    group = [one.run for one in shelf.members(result.recipe.group) if one.answered]
    together = [run, *(id for id in group if id != run)][:6]
    alone = len(together) < 2
    rest = len(together) - 1
    says = (
        "Compare with the other run started with it" if rest == 1 else f"Compare with the {rest} runs started with it"
    )
    says = "Compare with other runs" if alone else says
    if st.button(says, icon=":material/compare_arrows:"):
        selection.go("compare", runs=selection.together(together))


def receipt(result: Result, cohort: Cohort | None) -> None:
    """What the numbers rest on, in one line."""
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
            f" {words.count(cohort.split.patients_shared, 'patient')} shared between parts."
            if cohort.patients is not None
            else " Patients unknown: leakage cannot be excluded."
        )
    st.caption(
        f":material/receipt_long: {md(' · '.join(said))}.{shared} This run was scored on the test part once, after the "
        f"threshold was frozen.{_how_often(result)} Internal test of this cohort; research use, not a medical device."
    )


def _how_often(result: Result) -> str:
    """Several runs on one test part: the best of them is flattered by having been picked."""
    tested = sum(one.cohort == result.recipe.cohort and one.headline is not None for one in shelf.runs())
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
