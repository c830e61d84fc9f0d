"""The operating point: what the calls did to the test cases, a slider to try out others, and what a call is worth where
the disease is as common as the user says. What is tried out is grey and kept nowhere.
"""

from typing import Any

import streamlit as st

from medtl.evaluation.operating import Point
from medtl.evaluation.prevalence import at_prevalence
from medtl.runs import choices
from medtl.trust import operating_point
from pages.ui import failures, operating, plot_calls, plots, shelf, show, words
from pages.ui.escape import md, plain, short
from pages.ui.plot_calls import Number
from pages.ui.viewed import Viewed

CELLS = ((True, False), (False, True), (True, True), (False, False))  # (has it, called): mistakes first
SAID = {
    (True, True): "found",
    (True, False): "missed",
    (False, True): "false alarms",
    (False, False): "let pass",
}
LABELS = ("sensitivity", "specificity", "ppv", "npv")
ANEW = "prevalence-changed"  # the decision curve further down rests on it, too
FINE = 0.05  # closer than this to 0 or 1 the slider goes in thousandths


@st.fragment
@show.guarded
def panel(at: Viewed) -> None:
    """All of it is drawn anew when the slider moves, and nothing else of the page is."""
    if st.session_state.pop(ANEW, False):
        st.rerun(scope="app")
    show.section("At its threshold", anchor="at-its-threshold", help=operating.HELP)
    tried = _slider(at)
    point = at.view.point if tried is None else shelf.explorer(at.run).at(at.view.name, tried)
    left, right = st.columns([5, 6], gap="medium")
    with left:
        picked = _table(at, point, tried is not None)
    with right:
        _numbers(at, point, tried is not None)
    _opened(at, picked, tried)
    _elsewhere(at, point)


# ---- the slider -----------------------------------------------------------------------------------------------------


def _slider(at: Viewed) -> float | None:
    """The threshold that is tried out; None at the frozen one."""
    frozen = at.view.threshold.value if at.view.threshold else None
    if frozen is None:
        return _free_slider(at)
    digits = 3 if min(frozen, 1 - frozen) < FINE else 2
    start, key = round(frozen, digits), f"threshold-{at.run}-{at.view.name}"
    st.session_state.setdefault(key, start)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        value = _drawn(at, key, digits)
        tried = None if value == start else value
        st.button(
            f"Back to {start:.{digits}f}", icon=":material/undo:", disabled=tried is None, key=f"{key}-back",
            on_click=st.session_state.__setitem__, args=(key, start),
            help="The frozen threshold" if tried is not None else "This is the frozen threshold.",
        )  # fmt: skip
        _for_good(at)
    if tried is None:
        st.caption(f":material/lock: {md(_frozen(at, frozen))}")
    else:
        _exploring(f"report, export and the page Use keep {frozen:.{digits}f}")
    return tried


def _free_slider(at: Viewed) -> float | None:
    """Where no threshold decides, one may still be tried out for the one question."""
    rule = (at.judgement.task == "ordinal" and "the grade in the middle") or "the class with the highest score"
    st.caption(f":material/lock: No threshold was needed: {rule} was called.")
    key = f"threshold-{at.run}-{at.view.name}"
    if not st.toggle(f"Try out a threshold for {md(at.view.name)} alone", key=f"{key}-on"):
        return None
    st.session_state.setdefault(key, 0.5)
    value = _drawn(at, key, 2)
    _exploring(f"the run goes on calling {rule}")
    return value


def _drawn(at: Viewed, key: str, digits: int) -> float:
    return round(
        float(
            st.slider(
                f"Score from which a case is called {md(short(at.view.name, 24))}",
                0.0, 1.0, step=10.0**-digits, format=f"%.{digits}f", key=key,
            )
        ),
        digits,
    )  # fmt: skip


def _exploring(keeps: str) -> None:
    st.markdown(
        f":orange[:material/explore: **Exploring.**] The numbers in grey are for looking only and are not saved: "
        f"{keeps}."
    )


def _frozen(at: Viewed, value: float) -> str:
    assert at.view.threshold is not None
    when = "Frozen before the test part was seen."
    if at.judgement.changed:
        when = f"Chosen anew on {words.day(at.judgement.changed[-1])}, after the test part was seen."
    return f"{value:.3f}. {at.view.threshold.rule} {when}"


def _for_good(at: Viewed) -> None:
    """Another rule, chosen on the tune part again; that the test part had been seen goes on record."""
    told = shelf.explorer(at.run).told
    if told.tune is None or not operating_point.can_change(told):
        return
    with st.popover("Change for good", icon=":material/tune:"):
        st.markdown(
            "The rule chooses a threshold on the **tuning part**. The test part has been seen, so the change is kept "
            "on record and every report says so."
        )
        rule = operating.pick(f"anew-{at.run}", at.judgement.rule)
        same = rule == at.judgement.rule
        if st.button(
            "Use this rule from now on", type="primary", disabled=same, key="threshold-for-good",
            help="This rule is in force already." if same else None,
        ):  # fmt: skip
            operating_point.change(shelf.run(at.run), rule)
            st.session_state.pop(f"threshold-{at.run}-{at.view.name}", None)
            show.later("The threshold was changed; this is on record.", ":material/tune:")
            st.rerun(scope="app")


# ---- counts and numbers ---------------------------------------------------------------------------------------------


def _table(at: Viewed, point: Point, tried: bool) -> tuple[bool, bool] | None:
    """Answers the cell whose cases are wanted; it is clicked, or picked below the table."""
    counts = _counts(point)
    key = f"trust-calls-{at.run}-{at.view.name}"

    def clicked() -> None:
        points = st.session_state[key]["selection"]["points"]
        if data := next((one["customdata"] for one in points if one.get("customdata")), None):
            has, called = (data["0"], data["1"]) if isinstance(data, dict) else data
            st.session_state[f"{key}-cell"] = (bool(has), bool(called))

    said = ", ".join(f"{n:,} {_who(at, has)} {SAID[has, called]}" for (has, called), n in counts.items())
    plots.draw(
        plot_calls.table(at.view.name, at.view.without, counts, tried),
        f"Table of calls, reference on rows: {plain(said)}",
        key,
        save=not tried,
        on_select=clicked,
        selection_mode="points",
    )
    return st.selectbox(
        "Open the images of a cell" if at.alone else "Open the images of a count",
        CELLS,
        index=None,
        placeholder="Pick a count, or click one in the table",
        format_func=lambda cell: plain(f"{_who(at, cell[0])}, {SAID[cell]}: {counts[cell]:,}"),
        key=f"{key}-cell",
    )


def _who(at: Viewed, has: bool) -> str:
    return at.view.name if has else at.view.without


def _counts(point: Point) -> dict[tuple[bool, bool], int]:
    return {
        (True, True): point.tp,
        (True, False): point.fn,
        (False, True): point.fp,
        (False, False): point.tn,
    }


def _numbers(at: Viewed, point: Point, tried: bool) -> None:
    name, without = short(at.view.name, 16), short(at.view.without, 16)
    counted = {
        "sensitivity": f"{point.tp:,} of {point.tp + point.fn:,} {name} found",
        "specificity": f"{point.tn:,} of {point.tn + point.fp:,} {without} let pass",
        "ppv": f"{point.tp:,} of {point.tp + point.fp:,} called have it",
        "npv": f"{point.tn:,} of {point.tn + point.fn:,} let pass are free",
    }
    known = [(key, one) for key in LABELS if (one := point.get(key)) is not None]
    rows = [Number(words.title(key), counted[key], one) for key, one in known]
    if rows:
        says = "; ".join(f"{row.title} {words.whole(row.estimate)}, {row.counted}" for row in rows)
        plots.draw(
            plot_calls.numbers(rows, tried),
            f"At this threshold: {plain(says)}",
            f"trust-point-{at.run}",
            save=not tried,
        )
    ratios = [one for key in ("lr_positive", "lr_negative") if (one := point.get(key)) is not None]
    said = " · ".join(f"**{words.title(one.name)}** {words.whole(one)}" for one in ratios)
    st.caption(
        " ".join([said, *map(md, point.notes)]),
        help="  \n".join(
            f"**{words.title(key)}**: {words.HELP[key]}" for key in (*LABELS, "lr_positive", "lr_negative")
        ),
    )


def _opened(at: Viewed, cell: tuple[bool, bool] | None, tried: float | None) -> None:
    if cell is None:
        return
    has, called = cell
    frozen = at.view.threshold.value if at.view.threshold else None
    ids = shelf.explorer(at.run).behind(at.view.name, has, called, tried if tried is not None else frozen)
    tested = at.tested
    if tried is not None and at.view.threshold is not None:
        tested = failures.tested(at.result, at.cohort, at.run, tried)
    mark = ":green[:material/check:]" if has == called else ":orange[:material/close:]"
    failures.opened(tested, ids, f"{mark} **{md(_who(at, has))}, {SAID[cell]}**", f"cell-{at.view.name}-{has}-{called}")


# ---- at the user's own prevalence -----------------------------------------------------------------------------------


def _elsewhere(at: Viewed, point: Point) -> None:
    """PPV and NPV depend on how common it is; the test part is seldom like a clinic."""
    kept = choices.read(shelf.run(at.run)).prevalence.get(at.view.name)
    left, right = st.columns([5, 6], gap="medium", vertical_alignment="center")
    with left:
        key = f"prevalence-{at.run}-{at.view.name}"
        value = st.number_input(
            f"Of 100 of your patients, how many have it ({md(short(at.view.name, 20))})?",
            min_value=0.01, max_value=99.9, value=100 * kept if kept else None, step=1.0, format="%.4g",
            placeholder="for example 5", key=key, on_change=_keep, args=(at, key),
            help="PPV and NPV hold for the share of ill that the test part has. In your clinic it may be another.",
        )  # fmt: skip
        here = at_prevalence(point, float(value) / 100) if value else None
        if here is not None:
            st.markdown(md(here.says))
            st.caption(md(here.assumes))
    with right:
        if here is None:
            having = words.part(at.view.having, at.view.cases)
            st.caption(
                f"In this test part it was {having}. PPV and NPV above hold for that share only: give the share of "
                "your clinic to see what a call would be worth there."
            )
        elif here.people:
            plots.draw(plot_calls.people(here.people), plain(here.says), f"trust-people-{at.run}", save=False)
            if here.people.of > plot_calls.ACROSS * plot_calls.DOWN:
                st.caption(f"One square is {here.people.of // (plot_calls.ACROSS * plot_calls.DOWN):,} people.")


def _keep(at: Viewed, key: str) -> None:
    folder: Any = shelf.run(at.run)
    value = st.session_state[key]
    known = dict(choices.read(folder).prevalence)
    known.pop(at.view.name, None)
    choices.write(folder, prevalence={**known, at.view.name: float(value) / 100} if value else known)
    st.session_state[ANEW] = True
