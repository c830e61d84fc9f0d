"""What the chosen augmentation does to some of the user's own training pictures; worked out when somebody looks."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from medtl.errors import MedtlError
from medtl.vocabulary import Case, Cohort, Plan, Source, Train
from pages.ui import pictures, shelf, show
from pages.ui.consultant import consultant
from pages.ui.escape import md, plain


def panel(cohort: Cohort, source: Source, plan: Plan) -> None:
    """Nothing where pictures are taken as they are."""
    kind = next((step.augment for step in plan if isinstance(step, Train)), "none")
    if kind == "none":
        return
    place = st.expander(
        "What augmentation does to your pictures", icon=":material/photo_filter:", on_change="rerun", key="augmented"
    )
    if place.open:
        with place:
            _draw(cohort, source, kind)


def _draw(cohort: Cohort, source: Source, kind: str) -> None:
    try:
        with st.spinner("Changing four of your pictures (about 10 s the first time)…"):
            shown = _examples(shelf.home(), cohort.id, kind, source.input.channels)
    except MedtlError as wrong:
        show.error(wrong)
        return
    names = {case.id: case for case in cohort.cases}
    st.caption(
        f"“{md(kind)}”, on four of your training pictures: left as the network is shown it, then three of the many "
        "ways in which it is changed while training. If a change would alter what a reader says of the picture (a side "
        "that matters, say), choose another augmentation under Advanced."
    )
    halves = st.columns(2, gap="medium")
    for at, one in enumerate(shown):
        with halves[at % 2]:
            _one(names[one["case"]], one["pictures"], kind)


def _one(case: Case, shown: Sequence[Any], kind: str) -> None:
    st.caption(md(case.label))
    columns = st.columns(len(shown), gap="xsmall")
    for at, (column, picture) in enumerate(zip(columns, shown, strict=True)):
        what = f"changed by {kind}, {at} of {len(shown) - 1}" if at else "as it is shown"
        column.image(picture, width="stretch", alt=f"{plain(case.name)}, {plain(case.label)}: {what}")
        column.caption("changed" if at else "as it is")


@st.cache_data(max_entries=40, show_spinner=False)
def _examples(home: str, cohort_id: str, kind: str, channels: int) -> list[dict[str, Any]]:
    said = consultant().augment(cohort_id, kind, channels)
    return [
        {"case": one["case"], "pictures": [pictures.take(path) for path in (one["original"], *one["changed"])]}
        for one in said
    ]
