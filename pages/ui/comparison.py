"""The parts of the Compare page. Computes nothing: what is compared was compared by the engine."""

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from medtl.comparing import Compared, Row
from medtl.evaluation.paired import CallsDiffer, Pair, p_in_words
from pages.ui import plots, selection, shelf, show, side_by_side, words
from pages.ui.escape import md, plain, short
from pages.ui.side_by_side import Gap, Line

ALIKE = "cannot be told apart"
SAYS = {"higher": "higher than the reference", "lower": "lower than the reference", ALIKE: "cannot be told from it"}

STANDS = {"higher": "higher", "lower": "lower", ALIKE: "cannot be told apart"}


def verdict(found: Compared) -> None:
    """The answer in a sentence. That nothing can be told apart is said as loudly as a difference would be."""
    if all(pair.standing == ALIKE for pair in found.pairs):
        st.info(f"**{md(found.says)}**", icon=":material/balance:")
    else:
        st.subheader(md(found.says), anchor=False)
    reference = found.row(found.reference)
    st.caption(f":material/flag: Reference: **{md(reference.name)}**, {md(found.reference_why)}")
    for caveat, names in _caveats(found).items():
        whose = "" if len(names) == len(found.rows) else f"**{md(', '.join(names))}:** "
        st.caption(f":orange[:material/warning:] {whose}{md(caveat)}")
    with st.expander("What to keep in mind", icon=":material/info:"):
        for said in found.notes:
            st.markdown(f"- {md(said)}")


def _caveats(found: Compared) -> dict[str, list[str]]:
    """What is to be read before the numbers, once each, with the runs it is said of."""
    said: dict[str, list[str]] = {}
    for row in found.rows:
        for caveat in row.caveats:
            said.setdefault(caveat, []).append(row.name)
    return said


def forest(found: Compared) -> None:
    show.section("How well the classes are told apart", help=words.HELP["auroc"])
    standing = {pair.first: SAYS[pair.standing] for pair in found.pairs}
    rows, line = [], None
    for at, row in enumerate(found.rows):
        auroc = row.estimate("auroc")
        if auroc is None:
            continue
        line = auroc if row.run == found.reference else line
        says = "reference" if row.run == found.reference else standing.get(row.run, "")
        rows.append(plots.Interval(short(row.name, 44), auroc, side_by_side.colour(at), says))
    said = "; ".join(f"{row.name} {words.whole(row.estimate)}, {row.says}" for row in rows)
    plots.draw(plots.forest(rows, line), f"AUROC of each run with 95 % interval: {plain(said)}", "compare-forest")
    macro = ", the mean over the classes" if len(found.classes) > 2 else ""
    st.caption(
        f"AUROC on the same {found.n:,} test cases{macro}, with 95 % interval. Overlapping intervals do not show that "
        "two runs are alike: the paired differences below do the comparing."
    )


def rocs(found: Compared) -> None:
    show.section("ROC curves over each other")
    curves = [shelf.result(row.run).curves.get("roc", {}) for row in found.rows]
    labels = [label for label in found.classes if all(label in one for one in curves)]
    if not labels:
        st.caption("There are no curves: one of the runs has none.")
        return
    label = labels[0]
    if len(found.classes) == 2:
        cohort = shelf.or_none(shelf.cohort, found.cohort)
        label = cohort.positive if cohort and cohort.positive in labels else label
    else:
        label = st.selectbox("One class against the rest", labels, format_func=plain, key="compare-class")
    lines = [
        Line(short(row.name, 44), at, list(one[label]["fpr"]), list(one[label]["tpr"]))
        for at, (row, one) in enumerate(zip(found.rows, curves, strict=True))
    ]
    plots.draw(
        side_by_side.rocs(lines),
        f"ROC curves for {plain(label)} of {plain(', '.join(row.name for row in found.rows))}",
        "compare-roc",
    )


def differences(found: Compared) -> None:
    reference = found.row(found.reference)
    show.section("Difference to the reference", help="The same test cases answered by both, 95 % interval.")
    at = {row.run: n for n, row in enumerate(found.rows)}
    rows = [
        Gap(
            short(found.row(pair.first).name, 44),
            pair.auroc,
            side_by_side.colour(at[pair.first]),
            STANDS[pair.standing],
        )
        for pair in found.pairs
    ]
    said = "; ".join(f"{row.name} {side_by_side.gap(row.estimate)}" for row in rows)
    plots.draw(
        side_by_side.differences(rows, "reference better", "this run better"),
        f"AUROC difference of each run to {plain(reference.name)}: {plain(said)}",
        "compare-differences",
    )
    for pair in found.pairs:
        st.markdown(f":small[{md(pair.says)}]")
        if pair.calls:
            st.markdown(f":gray[:small[{md('; '.join(_calls(one) for one in pair.calls))}.]]")


def _calls(one: CallsDiffer) -> str:
    p = f", McNemar {p_in_words(one.p)}" if one.p is not None else ""
    only = f"{one.only_first} to {one.only_second} cases that only one called right"
    return f"{words.title(one.name).lower()} {side_by_side.gap(one.difference)}{p} ({only})"


def training(found: Compared) -> None:
    """Curves of those that were trained by epochs; the others are fitted at once and have none."""
    show.section("Training")
    histories = [shelf.progress(row.run).history for row in found.rows]
    drawn = [(at, row, one) for at, (row, one) in enumerate(zip(found.rows, histories, strict=True)) if len(one) > 1]
    without = [row.name for row, one in zip(found.rows, histories, strict=True) if len(one) < 2]
    if drawn:
        loss, auroc = st.tabs(["Loss on the tune part", "AUROC on the tune part"])
        with loss:
            _epochs(drawn, lambda point: point.tune_loss, "loss on the tune part", "compare-loss")
        with auroc:
            _epochs(drawn, lambda point: point.tune_auroc, "AUROC on the tune part", "compare-auroc")
    if without:
        st.caption(f"No curve: {md(', '.join(without))}. Only a last layer was fitted, in one go.")


def _epochs(drawn: Sequence[Any], of: Callable[[Any], float | None], what: str, key: str) -> None:
    lines = []
    for at, row, history in drawn:
        seen = [(point.epoch, value) for point in history if (value := of(point)) is not None]
        lines.append(Line(short(row.name, 44), at, [x for x, _ in seen], [y for _, y in seen]))
    names = ", ".join(row.name for _, row, _ in drawn)
    plots.draw(side_by_side.epochs(lines, what), f"{what} over the epochs of {plain(names)}", key)


def costs(found: Compared) -> None:
    show.section("What it cost")
    rows = found.rows
    st.dataframe(
        {
            "run": [plain(row.name) for row in rows],
            "time": [words.duration(row.seconds) if row.seconds else "–" for row in rows],
            "memory": [f"{row.peak_memory_mb:,.0f} MB" if row.peak_memory_mb else "–" for row in rows],
            "changed": [_changed(row) for row in rows],
            "tune": [f"{row.tune_auroc:.2f}" for row in rows],
        },
        hide_index=True,
        column_config={
            "run": st.column_config.TextColumn("Run", width=330),
            "time": st.column_config.TextColumn("Time", width=90),
            "memory": st.column_config.TextColumn("Memory", width=100, help="Of the whole process, at its peak"),
            "changed": st.column_config.TextColumn("Changed", width=110, help="Values that could change"),
            "tune": st.column_config.TextColumn(
                "AUROC, tune part",
                width=130,
                help="Choices are made there, so it is no test: without interval.",
            ),
        },
        alt="Time, memory, values that could change, AUROC on the tune part of each run",
    )


def _changed(row: Row) -> str:
    if row.may_change is None:
        return "–"
    return f"{row.may_change / 1e6:.1f} million" if row.may_change >= 1e6 else f"{row.may_change:,}"


def every_pair(found: Compared) -> None:
    if len(found.rows) < 3:
        return
    with st.expander("Every pair (for the expert)", icon=":material/table:"):
        _pairs(found, found.every)


def _pairs(found: Compared, pairs: Sequence[Pair]) -> None:
    names = {row.run: row.name for row in found.rows}
    calls = list(dict.fromkeys(one.name for pair in pairs for one in pair.calls))
    table: dict[str, list[str]] = {
        "first": [plain(names[pair.first]) for pair in pairs],
        "second": [plain(names[pair.second]) for pair in pairs],
        "AUROC difference": [side_by_side.gap(pair.auroc) for pair in pairs],
        "DeLong": [p_in_words(pair.delong.p) if pair.delong else "–" for pair in pairs],
    }
    for name in calls:
        kinds = [next((one for one in pair.calls if one.name == name), None) for pair in pairs]
        title = words.title(name)
        table[f"{title} difference"] = [side_by_side.gap(one.difference) if one else "–" for one in kinds]
        table[f"McNemar, {title.lower()}"] = [p_in_words(one.p) if one and one.p is not None else "–" for one in kinds]
    st.dataframe(table, hide_index=True, alt="Every pair of runs with differences, intervals and tests")
    st.caption("First minus second. A p is not corrected for the number of comparisons; the interval comes first.")


def onwards(found: Compared) -> None:
    """To each of them, and to another choice."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption("Open", width="content")
        for row in found.rows:
            st.page_link(
                selection.path("trust"),
                label=md(short(row.name, 34)),
                icon=":material/fact_check:",
                query_params={**selection.params(), "run": row.run},
            )
        if st.button("Compare others", icon=":material/inventory_2:", type="tertiary"):
            selection.go("library", runs=None)
