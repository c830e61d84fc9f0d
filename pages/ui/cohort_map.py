"""The cohort in the eyes of one source: a point an image, and the pictures of the points that were marked."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from medtl.rank import Ranking
from medtl.vocabulary import Case, Cohort, Source
from pages.ui import pictures, plots, shelf, show, words
from pages.ui.escape import md, plain

SHOWN = 24  # pictures at most
CAN_SHOW = (
    "Images that this source sees as alike lie close together. Classes that lie apart here will be easy for it; those "
    "that overlap may still be told apart, because the map keeps only two of its many directions. Left and right mean "
    "nothing."
)


def panel(cohort: Cohort, source: Source, found: Ranking | None) -> None:
    """Only where it was measured: nothing is looked at here."""
    row = found.row(source.id) if found else None
    kept = shelf.ranking_map(found.cohort) if found and row else {}
    if source.id in kept:
        _map(cohort, source, kept["cases"], kept[source.id])


@st.fragment
@show.guarded
def _map(cohort: Cohort, source: Source, ids: Sequence[str], places: Any) -> None:
    """A part of its own, so that marking points draws nothing else again."""
    by_id = shelf.by_id(cohort)
    shown = [(by_id[id], place) for id, place in zip(ids, places, strict=True) if id in by_id]
    if not shown:
        return
    show.section("The map of your images in its eyes", help="The two directions in which they spread most (PCA).")
    left, right = st.columns([3, 2], gap="large")
    with left:
        marked = plots.draw(
            plots.landscape(
                [(case.id, case.label, plain(case.name), float(x), float(y)) for case, (x, y) in shown], cohort.classes
            ),
            f"{words.count(len(shown), 'training image')} as points, coloured by class, as {plain(source.title)} sees "
            "them; images seen as alike lie close together",
            f"rank-map-{source.id}",
            on_select="rerun",
            selection_mode=("lasso", "box", "points"),
        )
        st.caption(CAN_SHOW)
    with right:
        _marked(cohort, [by_id[id] for id in _ids(marked) if id in by_id])


def _marked(cohort: Cohort, cases: Sequence[Case]) -> None:
    if not cases:
        st.caption(
            ":material/gesture: Draw around points in the map to see their images: those of one class among another "
            "are worth a look."
        )
        return
    counts = [(label, sum(case.label == label for case in cases)) for label in cohort.classes]
    said = " · ".join(f"{n} {md(label)}" for label, n in counts if n)
    st.markdown(f"**{words.count(len(cases), 'image')} marked:** {said}")
    shown = spread(cases, SHOWN)
    for start in range(0, len(shown), 4):
        for column, case in zip(st.columns(4), shown[start : start + 4], strict=False):
            with column:
                pictures.tile(cohort, case)
    more = f"… and {len(cases) - len(shown):,} more. " if len(cases) > len(shown) else ""
    st.caption(f"{more}The strip under each picture is the colour of its class.")


def spread(cases: Sequence[Case], most: int) -> list[Case]:
    """At most so many, from all over: they stand class by class, and the first ones would be of one class."""
    count = min(most, len(cases))
    return [cases[number * len(cases) // count] for number in range(count)]


def _ids(marked: Any) -> list[str]:
    """The ids of the cases that were marked, each once."""
    points = marked["selection"]["points"] if marked else []
    found = [point["customdata"] for point in points if point.get("customdata")]
    return list(dict.fromkeys(str(one[0] if isinstance(one, list | tuple) else one.get("0", "")) for one in found))
