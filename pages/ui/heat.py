"""Where the network looked, beside the original: a map is asked for only when it is wanted, and the picture waits for
nobody."""

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from pages.ui import pictures
from pages.ui.escape import md, plain

Heat = Mapping[str, Any]  # a `HeatMap` as a dict


def looked(picture: Any, name: str, ask: Callable[[], Heat]) -> None:
    """Original and overlay side by side with a fixed legend; a flat or broken map is said and not drawn. The original
    stands there before `ask` is called."""
    st.markdown("**Where the network looked**")
    st.caption("It does not show where the disease is.")
    original, over = st.columns(2)
    below = st.empty()  # while the next map is asked for, the words about the last one do not stand there greyed
    with original:
        st.image(picture, width="stretch", caption="original", alt=f"{plain(name)}, original")
    with over:
        with st.spinner("Looking where the network looked (about 10 s the first time, then 1 s)…"):
            heat = ask()
        if heat["state"] != "ok":
            st.warning(
                md(heat["says"] or "There is nothing honest to draw for this image."), icon=":material/visibility_off:"
            )
            return
        place = st.empty()
        opacity = st.slider("Opacity of the map", 0, 100, 45, 5, format="%d %%", key="use-opacity") / 100
        place.image(
            pictures.blend(picture, heat["values"], opacity),
            width="stretch",
            caption=f"for {plain(heat['label'])}",
            alt=f"{plain(name)} with a map of where the network looked for {plain(heat['label'])}",
        )
    with below.container():
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption("looked little", width="content")
            st.image(pictures.legend(), width=220, alt="Colour legend from little (blue) to much (red)")
            st.caption("looked much", width="content")
        st.caption(f"{md(heat['method'])}, layer {md(heat['layer'])}. {md(heat['says'])}")


def over(picture: Any, name: str, ask: Callable[[], Heat], opacity: float = 0.45) -> None:
    """The overlay alone, where the original stands on the page already."""
    with st.spinner("Looking where the network looked (about 10 s the first time, then 1 s)…"):
        heat = ask()
    if heat["state"] != "ok":
        st.caption(f":material/visibility_off: {md(heat['says'] or 'There is nothing honest to draw for this image.')}")
        return
    st.image(
        pictures.blend(picture, heat["values"], opacity),
        width="stretch",
        caption=f"where the network looked for {plain(heat['label'])}: red much, blue little; not where the disease is",
        alt=f"{plain(name)} with a map of where the network looked for {plain(heat['label'])}",
    )
