"""Where the network looked in one picture: the map beside the original, for any class, by any method, with what it is
worth. What is honest to draw is decided by the map's state, never here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st

from medtl.explanation.methods import DEFAULT
from medtl.explanation.states import NAMED
from medtl.vocabulary import Cohort
from pages.ui import answering_back, badges, consultant, full_size, pictures, plots, show, side_view
from pages.ui.consultant import Subject
from pages.ui.escape import md, plain

HEAT, CONTOUR, SIGNED = "Colours", "Contour", "For and against"
MOVE, BOX, LASSO = "Move and zoom", "Draw a box", "Draw around it"
DRAG = {MOVE: "pan", BOX: "select", LASSO: "lasso"}
Heat = Mapping[str, Any]


@dataclass(frozen=True)
class Looked:
    """What the panel showed last, for those who take it along: the class, its map and the picture it lies on."""

    label: str
    heat: Heat
    picture: Any


def panel(subject: Subject, kept: Any, cohort: Cohort | None, classes: Sequence[str], first: str) -> None:
    """`kept`: the picture as the model's cohort keeps it; `first`: the class to begin with."""
    show.section("Where the network looked")
    st.caption("It does not show where the disease is.")
    _panel(subject, kept, cohort, tuple(classes), first)


def last(subject: Subject) -> Looked | None:
    found = st.session_state.get("use-looked")
    return found[1] if found and found[0] == subject else None


@st.fragment
@show.guarded
def _panel(subject: Subject, kept: Any, cohort: Cohort | None, classes: tuple[str, ...], first: str) -> None:
    """A part of its own, so that a slider draws nothing else again."""
    key = subject.key
    if not subject.case and not subject.path:
        return
    label = _label(classes, first, key)
    below = st.container()
    method, layer, exact, window = _advanced(subject.run, key)
    with below:
        with st.spinner("Looking where the network looked (about 10 s the first time, then 1 s)…"):
            maps = consultant.maps(subject, label, method, layer, exact)
            picture = side_view.windowed(side_view.fitting(full_size.of(subject, cohort, kept)), *window)
        heat = maps[label]
        st.session_state["use-looked"] = (subject, Looked(label, heat, picture))
        if heat["state"] != "ok":
            st.warning(
                f"**{md(_named(heat['state']))}** {md(heat['says'] or 'There is nothing honest to draw.')}",
                icon=":material/visibility_off:",
            )
            st.image(picture, width=360, alt=f"{plain(subject.name)}, original")
        else:
            _draw(subject, picture, heat, key)
        badges.panel(subject, heat, picture, label, method, layer)
        if len(maps) > 1:
            _every(maps, picture, label, key)


def _named(state: str) -> str:
    says = NAMED.get(state, "nothing to draw")  # type: ignore[call-overload]
    return f"{says[:1].upper()}{says[1:]}."


def _label(classes: Sequence[str], first: str, key: str) -> str:
    ask, where = "Where it looked for", f"class-{key}"
    at = first if first in classes else classes[0]
    if len(classes) > 6:
        return str(st.selectbox(ask, list(classes), list(classes).index(at), format_func=plain, key=where))
    picked = st.segmented_control(ask, list(classes), default=at, required=True, format_func=md, key=where)
    return str(picked or at)


def _draw(subject: Subject, picture: Any, heat: Heat, key: str) -> None:
    signed = heat.get("signed")
    looks = [HEAT, CONTOUR, *([SIGNED] if signed is not None else [])]
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        look = st.segmented_control("Show the map as", looks, default=HEAT, required=True, key=f"look-{key}")
        opacity = st.slider("Opacity of the map", 0, 100, 45, 5, format="%d %%", key="use-opacity", width=150) / 100
    mode = str(st.session_state.get(f"mouse-{key}") or MOVE)  # chosen below the pictures
    over = _over(picture, heat, look or HEAT, opacity)
    figure = side_view.figure(
        picture,
        over,
        ("original", f"where it looked for {heat['label']}"),
        heat["values"] if look == CONTOUR else None,
        answering_back.outlined(subject, str(heat["label"])),
        DRAG[mode],
    )
    event = plots.draw(
        figure,
        f"{plain(subject.name)}, original, beside the same with a map of where the network looked for "
        f"{plain(heat['label'])}",
        f"looked-{key}",
        save=False,
        config=side_view.MOVE,
        on_select="rerun",
        selection_mode=("box", "lasso"),
    )
    _legend(look or HEAT)
    st.segmented_control("The mouse", list(DRAG), default=MOVE, required=True, key=f"mouse-{key}",
                         help="Wheel or buttons zoom, both pictures together; a double click shows all.")  # fmt: skip
    height, width = picture.shape[:2]
    if (outline := side_view.drawn(event, width, height)) and answering_back.draw(subject, outline):
        st.rerun(scope="fragment")
    answering_back.panel(subject, heat)
    exact = " Worked out for all classes from one look." if heat.get("exact") else ""
    st.caption(
        f"{md(heat['method'])}, layer {md(heat['layer'])}: a grid of {len(heat['values'])} × {len(heat['values'][0])} "
        f"cells stretched over {width} × {height} pixels.{exact}"
    )


def _over(picture: Any, heat: Heat, look: str, opacity: float) -> Any:
    if look == CONTOUR:
        return picture
    if look == SIGNED:
        from medtl.explanation.overlay import overlay_signed

        return overlay_signed(np.asarray(picture), np.asarray(heat["signed"], np.float32), opacity)
    return pictures.blend(picture, heat["values"], opacity)


def _legend(look: str) -> None:
    if look == CONTOUR:
        st.caption("The line runs where the map falls to half of its maximum.")
        return
    if look == SIGNED:
        st.caption(
            "Red speaks for the class, blue against it, within this picture; where neither, nothing is laid over."
        )
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption("looked little", width="content")
        st.image(pictures.legend(), width=180, alt="Colour legend from little (blue) to much (red)")
        st.caption(
            "looked much",
            width="content",
            help="Within this picture and class: the reddest place is the strongest of this map, however weak.",
        )


def _every(maps: Mapping[str, Heat], picture: Any, label: str, key: str) -> None:
    """Small ones of all classes at once."""
    if not st.toggle("All classes side by side", key=f"every-{key}"):
        return
    small = picture[:: max(1, picture.shape[0] // 256), :: max(1, picture.shape[0] // 256)]
    shown = list(maps.items())
    for start in range(0, len(shown), 4):
        for column, (name, heat) in zip(st.columns(4), shown[start : start + 4], strict=False):
            with column:
                if heat["state"] == "ok":
                    st.image(
                        pictures.blend(small, heat["values"], 0.45), width="stretch",
                        alt=f"Where it looked for {plain(name)}",
                    )  # fmt: skip
                    st.caption(f"**{md(name)}**" if name == label else md(name))
                else:
                    st.caption(f":material/visibility_off: **{md(name)}**: {md(_named(heat['state']))}")


def _advanced(run: str, key: str) -> tuple[str, str, bool, tuple[int, int]]:
    """Method, layer ("" the last), whether all classes cost one look, and the window of greys."""
    with st.expander("Advanced: method, layer, window of greys"):
        if not st.toggle("Another method or layer", key=f"other-{key}", help="Grad-CAM at the last layer otherwise."):
            method, layer = DEFAULT, ""
        else:
            method, layer = _method(run, key)
        low, high = st.slider(
            "Window of greys", 0, 255, (0, 255), key=f"window-{key}",
            help="Spreads these greys over the whole scale, for your eyes only: the model saw the picture as it was "
            "read. Of a DICOM file these are the greys after its own window.",
        )  # fmt: skip
    exact = next((w["exact"] for w in consultant.ways(run)["ways"] if w["id"] == method), False) and not layer
    return method, layer, bool(exact), (int(low), int(high))


def _method(run: str, key: str) -> tuple[str, str]:
    told = consultant.ways(run)
    offered = {way["id"]: way for way in told["ways"]}

    def says(id: str) -> str:
        cost = "costs nothing more" if offered[id]["exact"] else f"{offered[id]['passes']:g} looks at the picture"
        return f"{offered[id]['title']}: {cost}{'' if offered[id]['live'] else ', slow'}"

    method = str(st.selectbox("Method", list(offered), format_func=says, key=f"method-{key}"))
    way = offered[method]
    layers = list(told["layers"])
    layer = ""
    if way["any_layer"] and len(layers) > 1:
        layer = str(st.selectbox("Layer", layers, len(layers) - 1, format_func=plain, key=f"layer-{key}"))
        layer = "" if layer == layers[-1] else layer
    st.caption(f"{md(way['says'])} {md(way['limits'])} {md(way['reference'])}.")
    return method, layer
