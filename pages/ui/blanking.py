"""Blacking out what is written into the picture: a rectangle for all images of a size, or for one image only.

Places where the deep check saw writing go only into the images it saw them in: elsewhere they may cover the disease.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import streamlit as st

from medtl.checkup import Checkup
from medtl.vocabulary import Blank, Case, Cohort
from pages.ui import mending, pictures, plots, shelf, words
from pages.ui.escape import plain

Box = plots.Box
FIRST: Box = (0.0, 0.0, 1.0, 0.1)  # the strip at the top, where names usually stand
NONE: Box = (0.0, 0.0, 0.0, 0.0)
EVERYWHERE, HERE = "everywhere", "here"
GRAIN = 50  # places found are widened to steps of 1 / GRAIN, so that those of many images fall together
Size = tuple[int, int]


@st.dialog("Black something out", width="large")
def ask(cohort: Cohort, case: str | None = None) -> None:
    sizes = _sizes(cohort)
    if not sizes:
        st.caption("The size of these images is not known; bring them again to black something out.")
        return
    start = _size(shelf.by_id(cohort)[case]) if case in shelf.by_id(cohort) else None
    size = st.selectbox(
        "Images of the size",
        list(sizes),
        list(sizes).index(start) if start in sizes else 0,
        format_func=lambda s: f"{s[0]} × {s[1]} pixels · {words.count(sizes[s], 'image')}",
        key="blank-size",
    )
    cases = [one for one in cohort.cases if _size(one) == size]
    shown = _shown(cases, case)
    key = f"blank-{cohort.id}-{size[0]}-{size[1]}"
    done: list[Blank] = st.session_state.setdefault(f"{key}-done", [])
    hand = _hand(key)
    here = [_box(one) for one in done if not one.cases or shown.id in one.cases]
    event: Any = plots.draw(
        plots.boxes(_address(shelf.home(), cohort.id, shown.id), *size, here, hand),
        f"{plain(shown.name)} with {words.count(len(here) + (not _empty(hand)), 'rectangle')}",
        f"{key}-chart-{shown.id}",
        on_select=lambda: _caught(key, size, f"{key}-chart-{shown.id}"),
        selection_mode="box",
        save=False,
    )
    del event  # the callback has read it
    st.caption("Draw a rectangle on the picture, or set it with the two sliders. What it covers is replaced by black.")
    across, down = st.columns(2)
    across.slider("From left to right (%)", 0, 100, step=1, key=f"{key}-x")
    down.slider("From top to bottom (%)", 0, 100, step=1, key=f"{key}-y")
    where = st.radio(
        "Black this rectangle out",
        [EVERYWHERE, HERE],
        format_func=lambda one: _where(one, len(cases)),
        horizontal=True,
        key=f"{key}-where",
    )
    mine = (shown.id,) if where == HERE and len(cases) > 1 else ()
    _buttons(cohort, cases, key, done, None if _empty(hand) else Blank(*size, *hand, cases=mine))


def _where(one: str, count: int) -> str:
    return "only in this image" if one == HERE else f"in all {words.count(count, 'image')} of this size"


def _shown(cases: Sequence[Case], wanted: str | None) -> Case:
    at = next((number for number, case in enumerate(cases, start=1) if case.id == wanted), 1)
    if len(cases) == 1:
        return cases[0]
    number = st.slider("Look at image number", 1, len(cases), at, key=f"blank-image-{wanted or ''}-{len(cases)}")
    return cases[number - 1]


def _hand(key: str) -> Box:
    """The rectangle in hand: whole per cents, as the sliders have them."""
    left, top, right, bottom = FIRST
    x = st.session_state.setdefault(f"{key}-x", (round(100 * left), round(100 * right)))
    y = st.session_state.setdefault(f"{key}-y", (round(100 * top), round(100 * bottom)))
    return x[0] / 100, y[0] / 100, x[1] / 100, y[1] / 100


def _caught(key: str, size: Size, chart: str) -> None:
    """A rectangle was drawn: widened to whole per cents, so that nothing at its edge stays readable."""
    drawn = st.session_state[chart]["selection"]["box"]
    if not drawn:
        return
    for axis, length in (("x", size[0]), ("y", size[1])):
        low, high = sorted(drawn[-1][axis])
        share = (max(0, int(100 * low // length)), min(100, -int(-100 * high // length)))
        st.session_state[f"{key}-{axis}"] = share


def _buttons(cohort: Cohort, cases: Sequence[Case], key: str, done: list[Blank], hand: Blank | None) -> None:
    with st.container(horizontal=True):
        why = None if hand else "The rectangle has no width or height."
        st.button("And another rectangle", key=f"{key}-more", on_click=_more, args=(key, done, hand),
                  disabled=not hand, icon=":material/add:", help=why)  # fmt: skip
        if done:
            st.button("Take the last one back", key=f"{key}-less", on_click=_less, args=(done,), icon=":material/undo:")
        if len(done) > 1:
            st.button("Take all back", key=f"{key}-none", on_click=done.clear, icon=":material/undo:")
        if found := found_in(shelf.checkup(cohort), cases, done):
            each = words.count(sum(len(one.cases) for one in found), "place")
            st.button(
                f"Take the {each} where writing was found, each in its own image",
                key=f"{key}-found",
                on_click=_take,
                args=(key, done, found),
                icon=":material/document_scanner:",
            )
    blank = [*done, hand] if hand and hand not in done else list(done)
    hit = len(hit_by(blank, cases))
    if blank:
        st.caption(says(blank, len(cases)))
    if st.button(
        f"Black out in {words.count(hit, 'image')}" if blank else "Black out",
        key=f"{key}-do",
        type="primary",
        disabled=not blank,
        help="Makes a new version; in it, what was under the rectangle is gone from the pictures and the originals."
        if blank
        else "First draw a rectangle.",
    ):
        what = f"Blacked out {words.count(len(blank), 'rectangle')} in {words.count(hit, 'image')}."
        mending.edit(cohort, what, blank=blank)


def says(blank: Sequence[Blank], count: int) -> str:
    """What would be blacked out where, in a sentence."""
    everywhere = [one for one in blank if not one.cases]
    single = [one for one in blank if one.cases]
    parts = []
    if everywhere:
        parts.append(f"{words.count(len(everywhere), 'rectangle')} in all {words.count(count, 'image')} of this size")
    if single:
        images = len({id for one in single for id in one.cases})
        parts.append(f"{words.count(len(single), 'rectangle')} only in {words.count(images, 'single image')}")
    return f"Will be black: {', and '.join(parts)}."


def hit_by(blank: Sequence[Blank], cases: Sequence[Case]) -> set[str]:
    """The images of this size that any of the rectangles goes into."""
    return {case.id for case in cases if any(not one.cases or case.id in one.cases for one in blank)}


def _empty(box: Box) -> bool:
    return box[0] >= box[2] or box[1] >= box[3]


def _box(blank: Blank) -> Box:
    return blank.left, blank.top, blank.right, blank.bottom


def _more(key: str, done: list[Blank], hand: Blank) -> None:
    """Put down; the hand is empty then, so that nothing is blacked out that nobody drew."""
    if hand not in done:
        done.append(hand)
    _put(key, NONE)


def _take(key: str, done: list[Blank], found: Sequence[Blank]) -> None:
    """The strip at the top that the dialog opens with was never asked for."""
    done.extend(found)
    if _hand(key) == FIRST:
        _put(key, NONE)


def _put(key: str, box: Box) -> None:
    left, top, right, bottom = (round(100 * share) for share in box)
    st.session_state[f"{key}-x"], st.session_state[f"{key}-y"] = (left, right), (top, bottom)


def _less(done: list[Blank]) -> None:
    done.pop()


def found_in(checkup: Checkup | None, cases: Sequence[Case], done: Sequence[Blank]) -> list[Blank]:
    """Where the deep check saw writing, each place for the images it was seen in.

    Of a clip one frame was read, and the same words stand in all of them; equal places of several images are one.
    """
    file_of = {case.id: case.at for case in cases}
    frames: dict[str, list[str]] = defaultdict(list)
    for case in cases:
        frames[case.at].append(case.id)
    size = _size(cases[0]) if cases else None
    places: dict[Box, dict[str, None]] = defaultdict(dict)
    for id, blank in checkup.boxes if checkup else ():
        if id in file_of and (blank.width, blank.height) == size:
            low = [math.floor(GRAIN * share) / GRAIN for share in (blank.left, blank.top)]
            high = [math.ceil(GRAIN * share) / GRAIN for share in (blank.right, blank.bottom)]
            places[low[0], low[1], high[0], high[1]] |= dict.fromkeys(frames[file_of[id]])
    found = [Blank(*size, *box, cases=tuple(ids)) for box, ids in places.items()] if size else []
    return [one for one in found if one not in done]


def _sizes(cohort: Cohort) -> dict[Size, int]:
    """Size -> how many images, the most common first."""
    return dict(Counter(size for case in cohort.cases if (size := _size(case))).most_common())


def _size(case: Case) -> Size | None:
    width, height = case.facts.get("width"), case.facts.get("height")
    return (int(width), int(height)) if width and height else None


@st.cache_data(max_entries=50, show_spinner=False)
def _address(home: str, cohort: str, case: str) -> str:
    return pictures.address(shelf.pixels(cohort).image(case))
