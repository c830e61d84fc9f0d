"""A run of several findings on the screen: all of them in one table, answers as bars.

Computes nothing: every number was written by the run.
"""

from collections.abc import Mapping

import streamlit as st

from medtl.runs import findings
from medtl.runs.findings import Row
from medtl.runs.results import PredictionRow, Result
from medtl.vocabulary import Case
from pages.ui import plots, show, words
from pages.ui.escape import md, plain

MEANS = ("auroc", "auprc", "sensitivity", "specificity", "brier")
SHOWN = ("auroc", "auprc", "sensitivity", "specificity", "ppv", "npv")


def overview(result: Result) -> None:
    """The means with their intervals, then every finding in a row; no number of one that cannot be judged."""
    rows = findings.rows(result)
    judged = [row for row in rows if not row.few]
    show.section(
        f"Over {words.count(len(judged), 'finding')} that can be judged",
        help="Internal test: cases of the same cohort, never trained on. Means over the findings.",
    )
    drawn = [
        (words.title(name), one, f"mean of {len(judged)}")
        for name in MEANS
        if (one := result.estimate(name)) is not None
    ]
    drawn += [
        (plain(f"AUROC, {row.name}"), one, f"{row.present} with, {row.absent} without")
        for row in judged
        if (one := row.estimate("auroc")) is not None
    ]
    if drawn:
        says = "; ".join(f"{name} {words.whole(one)}, n = {one.n}" for name, one, _ in drawn)
        plots.draw(plots.whiskers(drawn), f"Means and AUROC of each finding. {plain(says)}", "trust-several")
    _table(rows)


def _table(rows: tuple[Row, ...]) -> None:
    ordered = sorted(rows, key=lambda row: row.few)
    table: dict[str, list[str]] = {
        "finding": [plain(row.name) for row in ordered],
        "with": [f"{row.present:,}" for row in ordered],
        "without": [f"{row.absent:,}" for row in ordered],
        "not sure": [f"{row.left_out:,}" for row in ordered],
    }
    for name in SHOWN:
        table[words.title(name)] = [_said(row, name) for row in ordered]
    table["called from"] = ["" if row.threshold is None else f"{row.threshold:.2f}" for row in ordered]
    st.dataframe(table, hide_index=True, alt="Every finding with its numbers and their 95 % intervals")
    st.caption(
        "Counts are images of the test part. “Not sure”: uncertain, or nobody said; these are left out of the numbers. "
        "Thresholds were chosen on the tuning part, each finding by itself."
    )


def _said(row: Row, name: str) -> str:
    if row.few:
        return "too few"
    one = row.estimate(name)
    return words.whole(one) if one else ""


# ---- answers --------------------------------------------------------------------------------------------------------


def right(row: PredictionRow, result: Result) -> bool:
    """Whether every finding that somebody was sure of was called so."""
    at = findings.thresholds(result.findings)
    return all((row.scores[name] >= at[name]) == bool(value) for name, value in row.said.items() if value >= 0)


def reference(case: Case, row: PredictionRow, result: Result) -> str:
    """What was said of a case against what was called, as Markdown."""
    at = findings.thresholds(result.findings)
    sure = {name: value for name, value in row.said.items() if value >= 0}
    present = [md(name) for name, value in sure.items() if value]
    wrong = [md(name) for name, value in sure.items() if (row.scores[name] >= at[name]) != bool(value)]
    unsure = len(result.findings) - len(sure)
    said = f"Reference standard: **{', '.join(present) or 'none of the findings'}**"
    said += f", {words.count(unsure, 'finding')} not sure." if unsure else "."
    return f"{said} {'Not right: ' + ', '.join(wrong) if wrong else 'All sure findings were answered rightly'}."


def scores(scores: Mapping[str, float], result: Result, key: str) -> None:
    """What is called, and a bar a finding."""
    at = findings.thresholds(result.findings)
    called = [name for name, score in scores.items() if score >= at.get(name, 0.5)]
    st.markdown(f"### {md(', '.join(called)) if called else 'None of the findings'}")
    bars(scores, result, key)


def bars(scores: Mapping[str, float], result: Result, key: str) -> None:
    """A bar a finding, each with its own threshold."""
    at = findings.thresholds(result.findings)
    says = ", ".join(f"{name} {score:.2f} (called from {at.get(name, 0.5):.2f})" for name, score in scores.items())
    plots.draw(plots.findings(scores, at), f"Scores: {plain(says)}", f"answer-{key}", save=False)
    st.caption("Each finding is called from its own threshold on (the line), chosen on the tuning part.")
    few = [row.name for row in findings.rows(result) if row.few]
    if few:
        st.caption(f":gray[Too few test cases to know how good the answer is for: {md(', '.join(few))}.]")


def looked_for(scores: Mapping[str, float], result: Result) -> str:
    """The finding to draw a map for first: the one furthest above its threshold."""
    at = findings.thresholds(result.findings)
    return max(scores, key=lambda name: scores[name] - at.get(name, 0.5))
