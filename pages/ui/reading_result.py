"""What a reading said beside the model, once it is over. Every number comes with its interval, every count with its
cases; all of it was computed by `medtl.evaluation.readers`.
"""

import streamlit as st

from medtl.evaluation.readers import Answers
from medtl.runs import findings
from medtl.trust import reader, reader_study
from medtl.trust.reader import Reading
from medtl.trust.reader_study import Outcome
from medtl.vocabulary import Cohort, Estimate
from pages.ui import failures, plots, shelf, show, words
from pages.ui.escape import md, plain

NUMBERS = ("sensitivity", "specificity", "accuracy")
CANNOT_TELL = "cannot tell"
PEEKED = (
    "**The reader had opened test cases before the end**, or somebody else at this computer had: the reading may not "
    "have been blind."
)


def panel(run: str, cohort: Cohort | None) -> None:
    over = [one for one in reader.readings(shelf.run(run)) if one.over]
    if not over:
        return
    show.section("What was read beside the model", help="On the same cases: those that were read blind.")
    at = len(over) - 1
    if len(over) > 1:
        at = st.selectbox(
            "Reading", range(len(over)), at, format_func=lambda i: plain(_name(over[i])), width=280, key="reading-shown"
        )
    _one(run, cohort, over[at])


def _name(one: Reading) -> str:
    return f"{one.reader}, {one.finding}" if one.finding else one.reader


def _one(run: str, cohort: Cohort | None, one: Reading) -> None:
    result = shelf.result(run)
    if one.finding is not None:
        result = findings.result_of(result, one.finding)
        cohort = findings.cohort_of(cohort, one.finding) if cohort else None
    tested = failures.tested(result, cohort, run)
    found = reader_study.outcome(one, tested.told, result)
    _says(found)
    if not found.study.n:
        return
    _numbers(found)
    _tables(found)
    _cases(found, tested)


def _says(found: Outcome) -> None:
    made = found.study
    first, rest = made.says[: len(made.differences)], made.says[len(made.differences) :]
    st.markdown("  \n".join(f"**{md(sentence)}**" for sentence in first))
    if found.reading.peeked:
        st.warning(PEEKED, icon=":material/visibility_off:")
    left_out = []
    if found.unsure:
        left_out.append(f"“Cannot tell” in {words.count(len(found.unsure), 'case')}, left out on both sides.")
        left_out += _strict(found)
    if found.unread:
        left_out.append(f"{words.count(found.unread, 'case')} were not read.")
    st.markdown("\n".join(f"- {md(sentence)}" for sentence in (*rest, *left_out, *_times(found))))


def _strict(found: Outcome) -> list[str]:
    """The numbers of both sides on all cases read: what the reader left open is often hard for the model, too."""
    made = found.strict
    if made is None:
        return []
    pairs = [(name, made.reader.get(name), made.model.get(name)) for name in _wanted(made.reader)]
    told = [
        f"{words.title(name)} {found.reading.reader} {words.whole(ours)}, the model {words.whole(theirs)}"
        for name, ours, theirs in pairs
        if ours and theirs
    ]
    return [f"On all {made.n} cases read, with “cannot tell” counted as an error: {'; '.join(told)}."] if told else []


def _times(found: Outcome) -> list[str]:
    said = [
        f"{_seconds(one)} a case {how}"
        for one, how in zip(found.study.seconds, ("without the model", "with it"), strict=True)
        if one is not None
    ]
    return [f"Time: {', '.join(said)} (median)."] if said else []


def _seconds(one: Estimate) -> str:
    return f"{one.value:.0f} s ({one.low:.0f}–{one.high:.0f})"


def _numbers(found: Outcome) -> None:
    """The same number of all sides below one another, so that the eye compares them."""
    who = found.reading.reader
    sides = [(who, found.study.reader)]
    if found.aided is not None:
        sides.append((f"{who} with the model", found.aided.reader))
    sides.append(("the model", found.study.model))
    rows = [
        (plain(f"{words.title(one.name)}, {name}"), one, _of(one))
        for wanted in _wanted(found.study.reader)
        for name, side in sides
        if (one := side.get(wanted)) is not None
    ]
    says = "; ".join(f"{name} {words.whole(one)}, {counted}" for name, one, counted in rows)
    key = f"reading-numbers-{found.reading.reader}"
    plots.draw(plots.whiskers(rows), f"Reader and model with 95 % intervals: {plain(says)}", key)


def _wanted(side: Answers) -> list[str]:
    each = [one.name for one in side.estimates if one.name.startswith("sensitivity[")]
    return [name for name in NUMBERS if (name != "accuracy" or each) and side.get(name)] + each


def _of(one: Estimate) -> str:
    return f"{round(one.value * one.n)} of {one.n}"


def _tables(found: Outcome) -> None:
    classes = found.reading.classes
    sides = [(found.reading.reader, found.study.reader), ("model", found.study.model)]
    for column, (who, side) in zip(st.columns(2, gap="large"), sides, strict=True):
        with column:
            said = "; ".join(
                f"{a} called {b}: {n}"
                for a, line in zip(classes, side.counts, strict=True)
                for b, n in zip(classes, line, strict=True)
            )
            plots.draw(
                plots.confusion(classes, side.counts, who),
                f"What {plain(who)} called what, reference on rows. {plain(said)}",
                f"reading-table-{who}",
            )


def _cases(found: Outcome, tested: failures.Tested) -> None:
    """Every count opens its cases."""
    made, who = found.study, found.reading.reader
    groups = {
        f"only {who} was right": found.ids(made.reader_only),
        "only the model was right": found.ids(made.model_only),
        "both were wrong": found.ids(made.both_wrong),
        f"{who} could not tell": found.unsure,
    }
    if made.change is not None:
        groups |= {
            "changed to right with the model": found.ids(made.change.to_right),
            "changed to wrong with the model": found.ids(made.change.to_wrong),
            "changed from wrong to wrong": found.ids(made.change.still_wrong),
        }
    groups = {name: ids for name, ids in groups.items() if ids}
    if not groups:
        st.caption("They do not differ on any case.")
        return
    picked = st.pills(
        "Open the cases", list(groups), format_func=lambda name: md(f"{name}: {len(groups[name])}"), key="reading-cases"
    )
    if picked in groups:
        notes = {case: _said(found.reading, case) for case in groups[picked]}
        failures.opened(tested, groups[picked], f"**{md(picked[:1].upper() + picked[1:])}**", f"read-{picked}", notes)


def _said(one: Reading, case: str) -> str:
    said = f"{md(one.reader)}: **{md(one.blind[case].label or CANNOT_TELL)}**"
    if case in one.aided and one.aided[case].label != one.blind[case].label:
        said += f", with the model **{md(one.aided[case].label or CANNOT_TELL)}**"
    return said
