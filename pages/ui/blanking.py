"""Blacking out what is written into the picture: draw a rectangle once, and it goes for all images of that size."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import streamlit as st

from medtl.vocabulary import Blank, Case, Cohort
from pages.ui import mending, pictures, plots, shelf, words
from pages.ui.escape import plain

Box = plots.Box
FIRST: Box = (0.0, 0.0, 1.0, 0.1)  # the strip at the top, where names usually stand
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
    done: list[Box] = st.session_state.setdefault(f"{key}-done", [])
    hand = _hand(key)
    event: Any = plots.draw(
        plots.boxes(_address(shelf.home(), cohort.id, shown.id), *size, done, hand),
        f"{plain(shown.name)} with {words.count(len(done) + 1, 'rectangle')}",
        f"{key}-chart-{shown.id}",
        on_select=lambda: _caught(key, size, f"{key}-chart-{shown.id}"),
        selection_mode="box",
    )
    del event  # the callback has read it
    st.caption("Draw a rectangle on the picture, or set it with the two sliders. What it covers is replaced by black.")
    across, down = st.columns(2)
    across.slider("From left to right (%)", 0, 100, step=1, key=f"{key}-x")
    down.slider("From top to bottom (%)", 0, 100, step=1, key=f"{key}-y")
    _buttons(cohort, size, sizes[size], key, done, hand)


def _shown(cases: Sequence[Case], wanted: str | None) -> Case:
    at = next((number for number, case in enumerate(cases, start=1) if case.id == wanted), 1)
    if len(cases) == 1:
        return cases[0]
    number = st.slider("Look at image number", 1, len(cases), at, key=f"blank-image-{len(cases)}")
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


def _buttons(cohort: Cohort, size: Size, count: int, key: str, done: list[Box], hand: Box) -> None:
    empty = hand[0] >= hand[2] or hand[1] >= hand[3]
    with st.container(horizontal=True):
        st.button("And another rectangle", key=f"{key}-more", on_click=done.append, args=(hand,), disabled=empty,
                  icon=":material/add:", help="The rectangle has no width or height." if empty else None)  # fmt: skip
        if done:
            st.button("Take the last one back", key=f"{key}-less", on_click=_less, args=(done,), icon=":material/undo:")
        if found := _found(cohort, size, done):
            st.button(
                f"Take the {words.count(len(found), 'place')} where writing was found",
                key=f"{key}-found",
                on_click=done.extend,
                args=(found,),
                icon=":material/document_scanner:",
            )
    if st.button(
        f"Black out in {words.count(count, 'image')}",
        key=f"{key}-do",
        type="primary",
        disabled=empty and not done,
        help="Makes a new version; in it, what was under the rectangle is gone from the pictures and the originals.",
    ):
        boxes = done if empty or hand in done else [*done, hand]
        blank = [Blank(size[0], size[1], *box) for box in boxes]
        mending.edit(cohort, f"Blacked out {words.count(len(blank), 'rectangle')}.", blank=blank)


def _less(done: list[Box]) -> None:
    done.pop()


def _found(cohort: Cohort, size: Size, done: Sequence[Box]) -> list[Box]:
    """Where the deep check saw writing in images of this size; equal places once."""
    checkup = shelf.checkup(cohort)
    places: dict[Box, None] = {}
    for _, blank in checkup.boxes if checkup else ():
        if (blank.width, blank.height) == size:
            low = [math.floor(GRAIN * share) / GRAIN for share in (blank.left, blank.top)]
            high = [math.ceil(GRAIN * share) / GRAIN for share in (blank.right, blank.bottom)]
            places[low[0], low[1], high[0], high[1]] = None
    return [box for box in places if box not in done]


def _sizes(cohort: Cohort) -> dict[Size, int]:
    """Size -> how many images, the most common first."""
    return dict(Counter(size for case in cohort.cases if (size := _size(case))).most_common())


def _size(case: Case) -> Size | None:
    width, height = case.facts.get("width"), case.facts.get("height")
    return (int(width), int(height)) if width and height else None


@st.cache_data(max_entries=50, show_spinner=False)
def _address(home: str, cohort: str, case: str) -> str:
    return pictures.address(shelf.pixels(cohort).image(case))
