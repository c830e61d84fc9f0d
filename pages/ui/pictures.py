"""Pictures of cases: tiles of one size in a gallery, tiles to tick, one case large, a heat map beside its original.

Reads pixels only; knows nothing of networks.
"""

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from PIL import Image

from medtl.errors import MedtlError
from medtl.vocabulary import Case, Cohort, labels_of
from pages.ui import plots, shelf, words
from pages.ui.escape import md, plain, short, tail

TILE = 168  # pixels of a tile's side
LARGE = 560  # the same for one image on its own
GREY = ("L", "I", "F", "1", "I;16", "MONOCHROME1", "MONOCHROME2")  # modes of pictures without colour
BAR = 6  # pixels of the strip that carries the colour of the class
UNSAID = 3  # findings that nobody stated and that are still listed by name


def gallery(
    cohort: Cohort,
    cases: Sequence[Case],
    key: str,
    *,
    columns: int = 6,
    rows: int = 3,
    says: Callable[[Case], str] | None = None,
    pick: str = "",
) -> str | None:
    """Tiles in pages; with `pick` (the word on the button) answers the id of the case just picked."""
    pages = max(1, -(-len(cases) // (columns * rows)))
    first = columns * rows * (min(st.session_state.get(f"{key}-page", 1), pages) - 1)
    picked = None
    for start in range(first, min(first + columns * rows, len(cases)), columns):
        for column, case in zip(st.columns(columns), cases[start : start + columns], strict=False):
            with column:
                tile(cohort, case)
                if not pick:
                    st.caption(name(case) + (f"  \n{says(case)}" if says else ""))
                    continue
                if st.button(
                    md(tail(case.name)), key=f"{key}-{case.id}", type="tertiary", help=f"{pick}: {md(case.name)}"
                ):
                    picked = case.id
                if says:
                    st.caption(says(case))
    if pages > 1:
        st.pagination(pages, key=f"{key}-page")
    return picked


def tile(cohort: Cohort, case: Case) -> None:
    try:
        picture = _tile(shelf.home(), cohort.id, case.id, plots.class_colour(case.label, cohort.classes))
    except (MedtlError, OSError, KeyError):
        st.caption(":gray[The picture cannot be read.]")
        return
    st.image(picture, width="stretch", alt=f"{plain(case.name)}, labelled {plain(labels(cohort, case))}")


def name(case: Case) -> str:
    """The file's own name as the cohort keeps it, so that the report of the image can be looked up; Markdown."""
    return md(short(plain(case.name).rsplit("/", 1)[-1], 40))


def labels(cohort: Cohort, case: Case) -> str:
    """What was said of a case, as text: with several findings also what is uncertain, and what nobody stated."""
    if cohort.task != "multi-label":
        return case.label
    present = list(labels_of(case)) if case.labels else []
    uncertain = [label for label in cohort.classes if case.labels.get(label) == -1]
    unsaid = [label for label in cohort.classes if label not in case.labels]
    if not present and not uncertain and not unsaid:
        return "none of the findings"
    said = [*present, *(f"{label} uncertain" for label in uncertain)]
    if unsaid and len(unsaid) == len(cohort.classes):
        said = ["no finding stated"]
    elif len(unsaid) > UNSAID:
        said.append(f"{len(unsaid)} findings not stated")
    else:
        said += [f"{label} not stated" for label in unsaid]
    return "; ".join(said)


def ticked(
    cohort: Cohort,
    cases: Sequence[Case],
    key: str,
    word: str = "",
    *,
    columns: int = 6,
    rows: int = 2,
    says: Callable[[Case], str] | None = None,
) -> tuple[str, ...]:
    """Tiles in pages with a box to tick under each; answers the ids ticked, on whatever page they are.

    `word` stands beside the box; without one the end of the name does.
    """
    kept: set[str] = st.session_state.setdefault(f"{key}-ticked", set())
    pages = max(1, -(-len(cases) // (columns * rows)))
    first = columns * rows * (min(st.session_state.get(f"{key}-page", 1), pages) - 1)
    for start in range(first, min(first + columns * rows, len(cases)), columns):
        for column, case in zip(st.columns(columns), cases[start : start + columns], strict=False):
            with column:
                tile(cohort, case)
                box = f"{key}-tick-{case.id}"
                st.checkbox(
                    word or md(tail(case.name)), case.id in kept, key=box, on_change=_tick, args=(kept, case.id, box)
                )
                notes = [*([name(case)] if word else []), *([says(case)] if says else [])]
                if notes:
                    st.caption("  \n".join(notes))
    if pages > 1:
        st.pagination(pages, key=f"{key}-page")
    return tuple(case.id for case in cases if case.id in kept)


def _tick(kept: set[str], case: str, box: str) -> None:
    if st.session_state[box]:
        kept.add(case)
    else:
        kept.discard(case)


def large(cohort: Cohort, case: Case, *, blind: bool = False) -> None:
    """One case in a square that never changes its size, so that nothing jumps when the next one comes."""
    colour = plots.QUIET if blind else plots.class_colour(case.label, cohort.classes)
    try:
        picture = _large(shelf.home(), cohort.id, case.id, colour)
    except (MedtlError, OSError, KeyError):
        st.caption(":gray[The picture cannot be read.]")
        return
    alt = "The image to be read" if blind else f"{plain(case.name)}, labelled {plain(labels(cohort, case))}"
    st.image(picture, width="stretch", alt=alt)


def original(cohort: Cohort, case: Case) -> Any:
    """uint8 (H, W) or (H, W, 3), longest side at most 512."""
    return shelf.pixels(cohort.id).image(case.id)


def channels(cohort: Cohort) -> Mapping[str, int]:
    """Case -> 1 when the picture is grey, 3 when it has colour, whatever the file calls itself."""
    try:
        return {id: stored.channels for id, stored in shelf.pixels(cohort.id).stored.items()}
    except (MedtlError, OSError):
        return {}


def colour(case: Case, channels: int | None = None) -> str:
    """ "grey", "colour" or nothing: by the stored picture, because many grey ones are saved as RGB."""
    if channels:
        return "grey" if channels == 1 else "colour"
    mode = case.facts.get("mode")
    return ("grey" if mode in GREY else "colour") if mode else ""


def facts(cohort: Cohort, case: Case) -> str:
    """What is known of a case in one line of Markdown."""
    known = dict(case.facts)
    parts = [f"{known['width']} × {known['height']} px"] if "width" in known and "height" in known else []
    parts += [word] if (word := colour(case, _channels(cohort, case))) else []
    parts += [md(known[key]) for key in ("format", "modality", "view", "side", "scanner", "site") if known.get(key)]
    parts += [f"age {md(known['age'])}"] if known.get("age") else []
    parts += [f"sex {md(known['sex'])}"] if known.get("sex") else []
    parts += [words.size(known["bytes"])] if "bytes" in known else []
    return " · ".join(parts)


def _channels(cohort: Cohort, case: Case) -> int | None:
    try:
        return shelf.pixels(cohort.id).stored[case.id].channels
    except (MedtlError, OSError, KeyError):
        return None


def blend(picture: Any, values: Any, opacity: float) -> Any:
    """uint8 (H, W, 3): the map over the picture."""
    from medtl.explanation.overlay import overlay

    return overlay(np.asarray(picture), np.asarray(values, dtype=np.float32), opacity)


def legend() -> Any:
    from medtl.explanation.overlay import legend as colours

    return colours()


def take(path: str) -> Any:
    """uint8 array of a PNG that the consultant wrote; the file goes."""
    with Image.open(path, formats=["PNG"]) as image:
        pixels = np.asarray(image)
    Path(path).unlink(missing_ok=True)
    return pixels


@st.cache_data(max_entries=3000, show_spinner=False)
def _tile(home: str, cohort: str, case: str, colour: str) -> bytes:
    """A PNG of TILE x (TILE + BAR): encoded once, because a page may show a hundred of them."""
    return png(framed(shelf.pixels(cohort).image(case), colour))


@st.cache_data(max_entries=100, show_spinner=False)
def _large(home: str, cohort: str, case: str, colour: str) -> str:
    """As an address that holds the picture itself: it arrives together with the buttons that decide about it."""
    return address(framed(shelf.pixels(cohort).image(case), colour, LARGE))


def address(pixels: Any) -> str:
    return "data:image/png;base64," + base64.b64encode(png(pixels)).decode()


def png(pixels: Any) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG", compress_level=1)
    return out.getvalue()


def framed(pixels: Any, colour: str, side: int = TILE) -> Any:
    """uint8 (side + BAR, side, 3): the whole picture centred on black, a strip in the colour of its class beneath."""
    image = Image.fromarray(pixels).convert("RGB")
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    if max(image.size) < side:
        scale = side / max(image.size)
        image = image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))))
    canvas = Image.new("RGB", (side, side + BAR), colour)
    canvas.paste((0, 0, 0), (0, 0, side, side))
    canvas.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return np.asarray(canvas)
