"""The clinician answers: draws what matters, sees how the map fits it, and says whether it looked at the right thing.

Of a case of the test part the answer is kept; of a new image only the fit is shown.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import streamlit as st

from medtl import showing
from medtl.errors import MedtlError
from medtl.runs import marks
from medtl.runs.marks import Mark, Said
from pages.ui import shelf, show, words
from pages.ui.consultant import Subject
from pages.ui.escape import md, short

Region = tuple[tuple[float, float], ...]


def outlined(subject: Subject, label: str) -> tuple[Region, ...]:
    """What is drawn on the picture: what somebody just drew, else what was kept of a case for this class."""
    drawn = st.session_state.get(_key(subject))
    if drawn is not None:
        return tuple(drawn)
    mine = _mark(subject, label)
    return mine.regions if mine else ()


def draw(subject: Subject, outline: Sequence[Sequence[tuple[float, float]]]) -> bool:
    """Take over what was drawn; whether it is new. A plot may tell the same twice, or forget it when drawn anew."""
    taken = tuple(tuple((float(x), float(y)) for x, y in region) for region in outline)
    if st.session_state.get(f"seen-{subject.key}") == taken:
        return False
    st.session_state[f"seen-{subject.key}"] = taken
    st.session_state[_key(subject)] = taken
    return True


def panel(subject: Subject, heat: Mapping[str, Any]) -> None:
    label = str(heat["label"])
    mine, outline = _mark(subject, label), outlined(subject, label)
    if outline:
        st.markdown(_fit(heat, outline))
    with st.container(horizontal=True, vertical_alignment="center"):
        if not subject.case:
            st.caption(
                ":material/draw: Draw what matters to see how the map fits it. It is kept only of images of the "
                "test part."
            )
        else:
            st.caption(":material/draw: Draw what matters, then say:", width="content")
            _button("It looked at the right thing", "right", "thumb_up", subject, label, outline, mine)
            _button("It looked at the wrong thing", "wrong", "thumb_down", subject, label, outline, mine)
        if _key(subject) in st.session_state:
            if subject.case:
                _button("Keep what I drew", "", "save", subject, label, outline, mine)
            st.button("Erase what I drew", key=f"erase-{subject.key}", type="tertiary", icon=":material/ink_eraser:",
                      on_click=_erase, args=(subject,))  # fmt: skip
        if mine:
            st.button("Take my answer back", key=f"back-{subject.key}", type="tertiary", icon=":material/undo:",
                      on_click=_withdraw, args=(subject, label))  # fmt: skip
    if subject.case:
        _so_far(subject)


def _fit(heat: Mapping[str, Any], outline: Sequence[Sequence[tuple[float, float]]]) -> str:
    values = heat.get("signed") if heat.get("signed") is not None else heat["values"]
    found = showing.fits(np.asarray(values, np.float32), outline)
    hit = "lies in" if found.hit else "lies outside"
    inside = 100 * found.inside if np.isfinite(found.inside) else 0.0
    return (
        f"The strongest point of the map **{hit}** your region. They overlap by **{100 * found.iou:.0f} %**; "
        f"{inside:.0f} % of the map lies inside, and your region takes {100 * found.area:.0f} % of the image."
    )


def _button(
    label: str, said: Said, icon: str, subject: Subject, of: str, outline: Sequence[Any], mine: Mark | None
) -> None:
    here = bool(mine and mine.said == said and said)
    st.button(
        f"{label} ✓" if here else label, key=f"said-{said}-{subject.key}", icon=f":material/{icon}:",
        on_click=_keep, args=(subject, of, said or (mine.said if mine else ""), outline),
    )  # fmt: skip


def _keep(subject: Subject, label: str, said: Said, outline: Sequence[Any]) -> None:
    marks.add(shelf.run(subject.run), Mark(subject.case, label, tuple(outline), said))
    _erase(subject)  # it is kept now, and drawn from there
    show.later("Kept, on the list of this run." if said == "wrong" else "Kept.")


def _erase(subject: Subject) -> None:
    st.session_state.pop(_key(subject), None)


def _key(subject: Subject) -> str:
    return f"drawn-{subject.key}"


def _withdraw(subject: Subject, label: str) -> None:
    marks.withdraw(shelf.run(subject.run), subject.case, label)


def _so_far(subject: Subject) -> None:
    """Over all cases that somebody marked, with intervals."""
    folder = shelf.run(subject.run)
    if not marks.load(folder):
        return
    wrong = marks.wrong(folder)
    try:
        found = showing.agreement(shelf.workspace(), subject.run)
        st.caption(md(found.says))
    except MedtlError as none:
        st.caption(f"No score over all marked cases yet. {md(none.message)} {md(none.advice)}")
    if wrong:
        with st.expander(f"It looked at the wrong thing in {words.count(len(wrong), 'case')}"):
            for case in wrong:
                if st.button(md(short(case, 40)), key=f"wrong-{case}", type="tertiary", icon=":material/zoom_in:"):
                    st.session_state["use-case"] = case
                    st.rerun()


def _mark(subject: Subject, label: str) -> Mark | None:
    if not subject.case:
        return None
    kept = marks.load(shelf.run(subject.run))
    return next((one for one in kept if (one.case, one.label) == (subject.case, label)), None)
