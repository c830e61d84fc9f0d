"""What stands around every page: the six steps with their state, what is chosen, and where the data lie."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import streamlit as st

import medtl
from pages.ui import selection, shelf, show, words
from pages.ui.escape import md, plain, short
from pages.ui.selection import Selection

# key, title, icon; the order of the way
STEPS = (
    ("data", "Data", "photo_library"),
    ("source", "Source", "account_tree"),
    ("strategy", "Strategy", "tune"),
    ("train", "Train", "model_training"),
    ("trust", "Trust", "fact_check"),
    ("use", "Use", "center_focus_strong"),
)
OTHERS = (
    ("home", "Home", "home"),
    ("library", "Library", "inventory_2"),
    ("compare", "Compare", "compare_arrows"),
)
BEYOND = (("reading", "Read it yourself", "visibility"),)  # reached from a step, and in no list


@dataclass(frozen=True)
class State:
    """How far a step is: done, ready to be done next, or still missing something."""

    done: bool = False
    says: str = ""


def pages() -> list[st.Page]:
    """Without icons: a page's icon becomes the tab's, and Streamlit would fetch that one from outside."""
    return [
        st.Page(
            selection.path(key),
            title=f"{title} · MedTL",
            url_path=key,
            default=key == "home",
        )
        for key, title, _ in (*OTHERS[:1], *STEPS, *OTHERS[1:], *BEYOND)
    ]


def put_up() -> Any:
    """Everything but the page itself; answers the page to run."""
    st.set_page_config(page_title="MedTL", page_icon=icon(), layout="wide", initial_sidebar_state="expanded")
    page = st.navigation(pages(), position="hidden")
    show.guarded(selection.follow)()
    sidebar()
    show.toasts()
    st.session_state["framed"] = True  # `draw` looks for it
    return page


def draw(page: Callable[[], None]) -> None:
    """The last line of every page file.

    Until st.navigation was called once in a server's life, Streamlit takes pages/ for its old automatic pages, and a
    link to /trust right after a start runs trust.py alone: then the page puts up the frame itself, and begins anew
    within it, because what is clicked or dropped on a page without a frame is lost with the next run.
    """
    if not st.session_state.pop("framed", False):
        put_up()
        del st.session_state["framed"]
        if not st.session_state.get("begun-anew"):
            st.session_state["begun-anew"] = True
            st.rerun()
    show.guarded(page)()


def icon() -> Any:
    """The tab's icon: a square and the part of it that was looked at. Made here, because a named one is fetched."""
    import numpy as np
    from PIL import Image

    y, x = np.mgrid[-1:1:32j, -1:1:32j]
    picture = np.zeros((32, 32, 4), np.uint8)
    picture[...] = (0, 112, 122, 255)
    picture[np.hypot(x - 0.15, y + 0.1) < 0.55] = (240, 160, 75, 255)
    picture[np.hypot(x - 0.15, y + 0.1) < 0.28] = (255, 255, 255, 255)
    return Image.fromarray(picture)


@show.guarded
def sidebar() -> None:
    chosen = selection.current()
    with st.sidebar:
        st.title("MedTL", anchor=False)
        _steps(chosen)
        st.divider()
        for key, title, icon in OTHERS:
            st.page_link(selection.path(key), label=title, icon=f":material/{icon}:", query_params=selection.params())
        st.divider()
        _chosen(chosen)
        _about()


def _steps(chosen: Selection) -> None:
    states = _states(chosen)
    for number, (key, title, icon) in enumerate(STEPS, start=1):
        state = states[key]
        mark = " :material/check:" if state.done else ""
        note = f"  :gray[:small[{md(state.says)}]]" if state.says else ""
        st.page_link(
            selection.path(key),
            label=f"{number}  {title}{mark}{note}",
            icon=f":material/{icon}:",
            query_params=selection.params(),
        )


def _states(chosen: Selection) -> dict[str, State]:
    """The first step that is not done says what is missing; the later ones wait."""
    cohort, run = chosen.cohort, chosen.run
    progress = shelf.or_none(shelf.progress, run)
    ready = run is not None and shelf.has_result(run)
    if cohort is None:
        data = State(run is not None, "" if run else "bring images")
    elif cohort.blocks:
        data = State(False, f"resolve {words.count(len(cohort.blocks), 'finding')}")
    else:
        data = State(True)
    picked = run is not None or chosen.source is not None
    train = State(ready, "" if ready or progress is None else _train_says(progress))
    return {
        "data": data,
        "source": State(picked, "next" if data.done and not picked else ""),
        "strategy": State(run is not None, "next" if chosen.source and not run and cohort else ""),
        "train": train,
        "trust": State(False, "ready" if ready else "after training" if run else ""),
        "use": State(False, "ready" if ready else "after training" if run else ""),
    }


def _train_says(progress: shelf.status.Progress) -> str:
    if progress.status == "running" and progress.fraction is not None:
        return f"{100 * progress.fraction:.0f} %"
    return str(progress.status)


def _chosen(chosen: Selection) -> None:
    if chosen.wrong or (chosen.cohort is None and chosen.run is None):
        if shelf.cohorts():
            st.caption("Nothing chosen yet.")
            _change(chosen)
        return
    if chosen.synthetic:
        show.badge_synthetic()
    if chosen.cohort is not None:
        st.caption("Cohort")
        _link("data", chosen.cohort.title, "photo_library")
    if chosen.recipe is not None:
        st.caption("Run")
        _link("trust" if shelf.has_result(str(chosen.run)) else "train", chosen.recipe.title, "model_training")
    _change(chosen)


def _link(page: str, title: str, icon: str) -> None:
    st.page_link(
        selection.path(page), label=md(short(title, 27)), icon=f":material/{icon}:", query_params=selection.params()
    )


def _change(chosen: Selection) -> None:
    with st.popover("Change", icon=":material/swap_horiz:", width="stretch"):
        cohorts = words.distinct({one.id: one.title for one in shelf.cohorts()})
        at = chosen.cohort.id if chosen.cohort else None
        picked = st.selectbox(
            "Cohort",
            list(cohorts),
            list(cohorts).index(at) if at in cohorts else None,
            format_func=lambda i: plain(cohorts[i]),
        )
        runs = words.distinct({one.id: one.title for one in shelf.runs() if one.cohort == picked})
        run = st.selectbox(
            "Run",
            list(runs),
            list(runs).index(chosen.run) if chosen.run in runs else None,
            format_func=lambda i: plain(runs[i]),
            placeholder="No run of this cohort yet" if not runs else "Pick a run",
            disabled=not runs,
        )
        if st.button("Open", type="primary", disabled=picked is None):
            selection.go(
                "trust" if run and shelf.has_result(run) else "train" if run else "data", cohort=picked, run=run
            )


def _about() -> None:
    st.divider()
    home = str(shelf.workspace().home)
    st.caption(f":material/lock: **Your data stays on this computer**, in `{home}` ({words.size(shelf.disk_use())}).")
    st.caption(f":material/memory: {md(shelf.device())}")
    st.caption(f"MedTL {medtl.__version__} · Research use. Not a medical device.")
