"""One image at a time, with the keyboard: arrows, a number for each class, X to leave out, U to undo.

It draws and moves; what a key does is told by its `Desk`, so that mending and a second reading use the same hands.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import streamlit as st

from medtl.errors import MedtlError
from medtl.vocabulary import Case, Cohort
from pages.ui import pictures, show, words
from pages.ui.escape import md, plain

KEYS = 9  # classes that have a number key of their own


@dataclass(frozen=True)
class Desk:
    """What lies on the desk and what each key does. `blind`: neither name nor label is shown.

    `says` is one line of Markdown about what was decided on a case, `also` draws what stands below the keys. What
    cannot be done here is None.
    """

    key: str
    cohort: Cohort
    cases: Sequence[Case]
    classes: Sequence[str]
    done: frozenset[str]
    says: Callable[[Case], str]
    label: Callable[[Case, str], None]
    undo: Callable[[], str | None]
    agree: Callable[[Case], None] | None = None
    leave_out: Callable[[Case], None] | None = None
    cannot_tell: Callable[[Case], None] | None = None
    blind: bool = False
    also: Callable[[Case], None] | None = None


def draw(desk: Desk) -> None:
    """Expects to stand in a fragment: every key draws only this again.

    Keys that decide belong to one image: pressed twice in haste, the second press finds its button gone and does
    nothing, instead of deciding on an image that nobody has seen yet.
    """
    if fault := st.session_state.pop(f"{desk.key}-fault", None):
        show.error(fault)
    at = position(desk)
    case = desk.cases[at]
    done = sum(one.id in desk.done for one in desk.cases)
    st.progress(done / len(desk.cases), text=f"Image {at + 1:,} of {len(desk.cases):,} · {done:,} looked at")
    picture, hands = st.columns([3, 2], gap="medium")
    with picture:
        pictures.large(desk.cohort, case, blind=desk.blind)
    with hands:
        _about(desk, case)
        _classes(desk, case)
        _others(desk, case)
        _moves(desk, at)
        if desk.also:
            desk.also(case)


def position(desk: Desk) -> int:
    """Kept by case and not by number, so that a filter does not lose the place."""
    wanted = st.session_state.get(f"{desk.key}-at")
    return next((at for at, case in enumerate(desk.cases) if case.id == wanted), 0)


def _about(desk: Desk, case: Case) -> None:
    if not desk.blind:
        st.text(plain(case.name))
        st.caption(pictures.facts(desk.cohort, case))
    st.markdown(desk.says(case))


def _classes(desk: Desk, case: Case) -> None:
    for number, label in enumerate(desk.classes[:KEYS], start=1):
        st.button(
            md(label),
            key=f"{desk.key}-class-{number}-{case.id}",
            shortcut=str(number),
            width="stretch",
            on_click=_act,
            args=(desk, desk.label, case, label),
        )
    if rest := desk.classes[KEYS:]:
        st.selectbox(
            "Another class",
            rest,
            index=None,
            format_func=plain,
            key=f"{desk.key}-rest-{case.id}",
            on_change=_rest,
            args=(desk, case),
        )


def _others(desk: Desk, case: Case) -> None:
    with st.container(horizontal=True):
        if desk.agree:
            st.button(
                "Right as it is",
                key=f"{desk.key}-agree-{case.id}",
                shortcut="Space",
                on_click=_act,
                args=(desk, desk.agree, case),
            )
        if desk.cannot_tell:
            st.button(
                "Cannot tell",
                key=f"{desk.key}-unsure-{case.id}",
                shortcut="0",
                on_click=_act,
                args=(desk, desk.cannot_tell, case),
            )
        if desk.leave_out:
            st.button(
                "Leave out",
                key=f"{desk.key}-out-{case.id}",
                shortcut="X",
                on_click=_act,
                args=(desk, desk.leave_out, case),
            )


def _moves(desk: Desk, at: int) -> None:
    with st.container(horizontal=True):
        st.button("Back", key=f"{desk.key}-back", shortcut="Left", on_click=_go, args=(desk, at - 1), disabled=at == 0)
        last = at == len(desk.cases) - 1
        st.button("Next", key=f"{desk.key}-next", shortcut="Right", on_click=_go, args=(desk, at + 1), disabled=last)
        st.button("Undo", key=f"{desk.key}-undo", shortcut="U", on_click=_undo, args=(desk,))
    left = [one for one, case in enumerate(desk.cases) if case.id not in desk.done]
    to = next((one for one in left if one > at), left[0] if left else at)
    # Always there, so that nothing moves under the hands.
    st.button(
        f"Next of the {words.count(len(left), 'image')} not looked at" if left else "All of them are looked at",
        key=f"{desk.key}-open",
        type="tertiary",
        on_click=_go,
        args=(desk, to),
        disabled=not left,
    )


# ---- what the keys do -----------------------------------------------------------------------------------------------


def _act(desk: Desk, act: Callable[..., None], case: Case, *more: str) -> None:
    """Decide, then go on to the next one: one key an image."""
    try:
        act(case, *more)
    except MedtlError as wrong:
        st.session_state[f"{desk.key}-fault"] = wrong
        return
    at = next(at for at, one in enumerate(desk.cases) if one.id == case.id)
    _go(desk, at + 1)


def _rest(desk: Desk, case: Case) -> None:
    if label := st.session_state[f"{desk.key}-rest-{case.id}"]:
        _act(desk, desk.label, case, label)


def _go(desk: Desk, to: int) -> None:
    st.session_state[f"{desk.key}-at"] = desk.cases[min(max(to, 0), len(desk.cases) - 1)].id


def _undo(desk: Desk) -> None:
    try:
        back = desk.undo()
    except MedtlError as wrong:
        st.session_state[f"{desk.key}-fault"] = wrong
        return
    if back:
        st.session_state[f"{desk.key}-at"] = back
