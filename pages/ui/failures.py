"""Test cases as pictures: the surest mistakes first, and the cases behind any count of the page. Each opens to where
the network looked and to the training cases most like it. Judges nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

from medtl.runs.results import Result
from medtl.trust import failures
from medtl.trust.cases import positive_of
from medtl.trust.failures import Kind, Told
from medtl.vocabulary import Case, Cohort
from pages.ui import heat, pictures, reading_test, selection, shelf, show, words
from pages.ui.consultant import explain
from pages.ui.escape import md, plain

ACROSS, DOWN = 6, 2
ALL = "all"
KINDS: dict[Kind, tuple[str, str]] = {
    "missed": ("missed", "missed"),
    "false alarm": ("false alarm", "false alarms"),
    "too low": ("graded too low", "graded too low"),
    "too high": ("graded too high", "graded too high"),
    "mixed up": ("mixed up", "mixed up"),
}
MANY = 2  # classes beyond which mistakes are picked by cell and not by kind


@dataclass(frozen=True)
class Tested:
    """The test part of a run as this page needs it. `cohort` is None where it was deleted; with several findings it is
    the view of one of them. `positive` is what scores are for where there are two classes."""

    run: str
    told: tuple[Told, ...]
    cohort: Cohort | None
    positive: str = ""
    finding: str | None = None


def tested(result: Result, cohort: Cohort | None, run: str, threshold: float | None = None) -> Tested:
    """`result` may be that of one of several findings (`medtl.runs.findings.result_of`), `cohort` then its view.
    `threshold` tries out another operating point than the frozen one."""
    whole = shelf.result(run) if result.finding else result
    rows = shelf.predictions(run)
    told = failures.told(rows, whole, result.finding, threshold)
    classes = tuple(rows[0].scores) if rows else ()
    positive = result.finding or (positive_of(result, classes) if len(classes) == 2 else "")
    return Tested(run, told, cohort, positive, result.finding)


# ---- panels ---------------------------------------------------------------------------------------------------------


def panel(at: Tested) -> None:
    """Where it was wrong, the surest first."""
    wrong = failures.wrong(at.told)
    show.section(
        "Where it was wrong",
        help="The surest mistakes first: those whose score lies furthest on the wrong side. Missed cases stand before "
        "false alarms.",
    )
    if not at.told:
        st.caption("There is no test case.")
    elif not wrong:
        st.caption(f"It was right on all {words.count(len(at.told), 'case')} of this test part. More would be needed.")
    else:
        line = wrong[0].line
        scale = "" if line is None else f" Scores are for **{md(at.positive)}**, called so from {line:.2f} on."
        said = f"**{len(wrong):,} of {words.count(len(at.told), 'case')}** of the test part: {_counted(wrong)}."
        st.caption(said + scale)
        if reading_test.looking(at.run, "wrong"):
            _mistakes(at, wrong)


@st.fragment
@show.guarded
def _mistakes(at: Tested, wrong: tuple[Told, ...]) -> None:
    _gallery(at, _filtered(wrong), f"wrong-{at.finding or ''}")


def opened(at: Tested, cases: Sequence[str], says: str, key: str, notes: Mapping[str, str] | None = None) -> None:
    """The cases behind a count, wrong ones first. `says` is Markdown: what they have in common; `notes` is more of the
    same about single cases. Any panel of the page may call it; `key` tells their galleries apart."""
    found = failures.of(at.told, cases)
    with st.container(border=True):
        wrong = len(failures.wrong(found))
        said = f" · {wrong:,} of them wrong" if 0 < wrong < len(found) else ""
        st.markdown(f"{says} · {words.count(len(found), 'case')} of the test part{said}")
        if not found:
            st.caption("There is none.")
        elif reading_test.looking(at.run, f"opened-{key}"):
            _opened(at, found, key, notes or {})


@st.fragment
@show.guarded
def _opened(at: Tested, found: tuple[Told, ...], key: str, notes: Mapping[str, str]) -> None:
    _gallery(at, found, key, notes)


def cell(at: Tested, picked: tuple[str, str] | None) -> None:
    """The cases behind a cell of the confusion table: (reference, called)."""
    if picked is None:
        return
    reference, called = picked
    mark = ":green[:material/check:]" if reference == called else ":orange[:material/close:]"
    ids = [one.case for one in failures.cell(at.told, reference, called)]
    opened(at, ids, f"{mark} **{md(reference)}, called {md(called)}**", f"cell-{reference}-{called}")


# ---- the gallery ----------------------------------------------------------------------------------------------------


def _counted(wrong: tuple[Told, ...]) -> str:
    return ", ".join(f"{n:,} {KINDS[kind][n != 1]}" for kind, n in failures.kinds(wrong).items())


def _filtered(wrong: tuple[Told, ...]) -> tuple[Told, ...]:
    """By kind of mistake, of more than two classes by cell of the confusion table."""
    cells = failures.cells(wrong)
    if len(cells) < 2:
        return wrong
    if len(cells) > MANY:
        picked = st.selectbox(
            "Which mistakes",
            [None, *cells],
            format_func=lambda c: plain(f"{c[0]}, called {c[1]}: {cells[c]}") if c else f"all {len(wrong)}",
            width=360,
            key="wrong-cell",
        )
        return failures.cell(wrong, *picked) if picked else wrong
    kinds = failures.kinds(wrong)
    kind = st.segmented_control(
        "Which mistakes",
        [ALL, *kinds],
        default=ALL,
        required=True,
        format_func=lambda one: f"all {len(wrong):,}" if one == ALL else f"{KINDS[one][1]} {kinds[one]:,}",
        key="wrong-kind",
        label_visibility="collapsed",
    )
    return tuple(one for one in wrong if kind in (ALL, one.kind))


def _gallery(at: Tested, shown: tuple[Told, ...], key: str, notes: Mapping[str, str] | None = None) -> None:
    """Tiles in pages. Without the cohort there are no pictures, but the list is still worth reading."""
    if at.cohort is None:
        st.caption("The cohort of this run was deleted, so its images cannot be shown.")
        _list(shown)
        return
    here = shelf.by_id(at.cohort) if at.finding is None else {case.id: case for case in at.cohort.cases}
    shown = tuple(one for one in shown if one.case in here)
    pages = max(1, -(-len(shown) // (ACROSS * DOWN)))
    first = ACROSS * DOWN * (min(st.session_state.get(f"{key}-page", 1), pages) - 1)
    for start in range(first, min(first + ACROSS * DOWN, len(shown)), ACROSS):
        for column, one in zip(st.columns(ACROSS), shown[start : start + ACROSS], strict=False):
            with column:
                pictures.tile(at.cohort, here[one.case])
                st.caption("  \n".join([_about(one), *([notes[one.case]] if notes and one.case in notes else [])]))
                if st.button(
                    "Look closer", key=f"{key}-{one.case}", type="tertiary", icon=":material/zoom_in:",
                    help=md(here[one.case].name),
                ):  # fmt: skip
                    st.session_state["closer-at"] = one.case
                    _closer(at, shown)
    if pages > 1:
        st.pagination(pages, key=f"{key}-page")


def _about(one: Told) -> str:
    called = f"**{md(one.reference)}**, called {'so' if one.right else f'**{md(one.called)}**'}"
    return f"{called}  \n{_score(one)}  \npatient {md(one.patient or 'unknown')}"


def _score(one: Told, whole: bool = False) -> str:
    """`whole`: with the threshold, which the panel says once for all."""
    if one.line is not None:
        return f"score {one.score:.2f}" + (f", called from {one.line:.2f} on" if whole else "")
    other = "next" if one.right else md(one.reference)
    return f"score {one.score:.2f}, {other} {one.score - one.sure:.2f}"


def _list(shown: Sequence[Told]) -> None:
    st.dataframe(
        {
            "case": [plain(one.case) for one in shown],
            "patient": [plain(one.patient or "unknown") for one in shown],
            "reference": [plain(one.reference) for one in shown],
            "called": [plain(one.called) for one in shown],
            "score": [round(one.score, 3) for one in shown],
        },
        hide_index=True,
        alt="Test cases with reference, call and score",
    )


# ---- one case, large ------------------------------------------------------------------------------------------------


@st.dialog("One case", width="large", icon=":material/zoom_in:")
@show.guarded
def _closer(at: Tested, shown: tuple[Told, ...]) -> None:
    """What is known at once first, then the map when it is there. Arrows go through the gallery."""
    assert at.cohort is not None
    cases = {case.id: case for case in at.cohort.cases}
    ids = [one.case for one in shown]
    wanted = str(st.session_state.get("closer-at"))
    n = ids.index(wanted) if wanted in ids else 0
    one, case = shown[n], cases[ids[n]]
    _head(one, case, at.cohort, n, ids)
    left, right = st.columns([5, 1], gap="medium")
    with right:
        _alike(at.cohort, cases, at.run, one)
    with left:
        label = _looked_for(at, one)
        home = str(shelf.workspace().home)
        heat.looked(pictures.original(at.cohort, case), case.name, lambda: explain(home, at.run, one.case, label))
    if st.button("Open on the page Use", icon=":material/center_focus_strong:", type="tertiary", key="closer-use"):
        st.session_state["use-case"] = one.case
        selection.go("use")


def _head(one: Told, case: Case, cohort: Cohort, n: int, ids: list[str]) -> None:
    mark = ":green[:material/check:]" if one.right else ":orange[:material/close:]"
    kind = "" if one.right else f" ({KINDS[one.kind][0]})"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"{mark} **{md(one.reference)}**, called **{md(one.called)}**{kind}", width="stretch")
        st.caption(f"{n + 1:,} of {len(ids):,}", width="content")
        for word, shortcut, to in (("Before", "Left", n - 1), ("Next", "Right", n + 1)):
            st.button(
                word,
                key=f"closer-{word}",
                shortcut=shortcut,
                disabled=not 0 <= to < len(ids),
                on_click=st.session_state.__setitem__,
                args=("closer-at", ids[min(max(to, 0), len(ids) - 1)]),
            )
    said = (
        _score(one, whole=True),
        f"patient {md(one.patient or 'unknown')}",
        pictures.name(case),
        pictures.facts(cohort, case),
    )
    st.caption(" · ".join(part for part in said if part))


def _looked_for(at: Tested, one: Told) -> str:
    """The class to draw the map for: the called one first, that of the reference beside it."""
    if at.finding is not None:
        return at.finding
    if one.right:
        return one.called
    picked = st.segmented_control(
        "Where it looked for", [one.called, one.reference], default=one.called, required=True, format_func=md,
        key=f"closer-class-{one.case}",
    )  # fmt: skip
    return str(picked or one.called)


def _alike(cohort: Cohort, cases: dict[str, Case], run: str, one: Told) -> None:
    """What it learned from that looks most like this: a wrong label there is often the reason here."""
    st.markdown(
        "**Most alike in training**",
        help="The three training cases that look most like it to the network. Distance 0 is the same, 1 has nothing in "
        "common.",
    )
    near = [(cases[id], distance) for id, distance in shelf.nearest(run, one.case) if id in cases]
    if not near:
        st.caption("This run kept nothing to find them by. A run trained now does.")
        return
    for case, distance in near:
        pictures.tile(cohort, case)
        st.caption(f"**{md(pictures.labels(cohort, case))}**, distance {distance:.2f}")
