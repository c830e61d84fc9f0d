"""Cards of sources, strategies and plans: what a clinician reads before picking one."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from medtl import strategies
from medtl.cohorts.pixels import as_model_sees
from medtl.errors import MedtlError
from medtl.sources.groups import group_of
from medtl.training import cost as costs
from medtl.vocabulary import Cohort, Outline, Plan, Source
from pages.ui import pictures, shelf, words
from pages.ui.escape import md, plain

ORIGINS = {
    "shipped": "comes with MedTL",
    "torchvision": "published by torchvision",
    "imported": "brought by you",
    "run": "one of your runs",
}
SOURCE_COLUMNS = {
    "chosen": st.column_config.TextColumn("", width=28),
    "source": st.column_config.TextColumn("Source", width=250),
    "trained on": st.column_config.TextColumn("Trained on", width=180),
    "size": st.column_config.TextColumn("Size", width=60, help="Million values in the network"),
    "computer": st.column_config.TextColumn(
        "Computer", width=110, help="What it wants for training without long waits"
    ),
    "cost": st.column_config.TextColumn("Cost here", width=110, help="Linear probe on these images, on this computer"),
    "licence": st.column_config.TextColumn("Licence", width=80),
    "available": st.column_config.TextColumn("Here?", width=130),
}


def source_rows(cohort: Cohort, sources: Sequence[Source], at: str) -> dict[str, list[str]]:
    return {
        "chosen": ["✓" if source.id == at else "" for source in sources],
        "source": [plain(source.title) for source in sources],
        "trained on": [plain(source.trained_on) for source in sources],
        "size": [f"{source.outline.parameters / 1e6:.1f} M" for source in sources],
        "computer": [group_of(source.outline).title for source in sources],
        "cost": [takes(cohort.id, source.id, "linear-probe") for source in sources],
        "licence": [plain(source.licence) for source in sources],
        "available": [where(source) for source in sources],
    }


def where(source: Source) -> str:
    """Whether it lies here, or how it comes here."""
    return "on this computer" if source.available and source.on_disk else plain(source.why_not)


def takes(cohort_id: str, source_id: str, strategy_id: str, settings: Mapping[str, Any] | None = None) -> str:
    """ "about 10 seconds"; empty when it cannot be told."""
    return _cost(cohort_id, source_id, strategy_id, _key(settings))[0]


def takes_and_why(cohort_id: str, source_id: str, strategy_id: str, settings: Mapping[str, Any]) -> str:
    """The same with what the estimate rests on."""
    return _cost(cohort_id, source_id, strategy_id, _key(settings))[1]


def _key(settings: Mapping[str, Any] | None) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted((settings or {}).items()))


@st.cache_data(ttl=30, max_entries=200, show_spinner=False)
def _cost(cohort_id: str, source_id: str, strategy_id: str, settings: tuple[tuple[str, Any], ...]) -> tuple[str, str]:
    try:
        source, cohort = shelf.source(source_id), shelf.cohort(cohort_id)
        if source is None:
            return "", ""
        plan = strategies.make(strategy_id, dict(settings)).plan(source.outline, len(cohort.classes))
        found = costs.estimate(shelf.workspace(), cohort, source, plan)
    except MedtlError:
        return "", ""
    return costs.in_words(found.seconds), found.says


def source(source: Source) -> None:
    """The card in full."""
    with st.container(border=True, height="stretch"):
        st.markdown(f"### {md(source.title)}")
        st.badge(ORIGINS.get(source.origin, source.origin), color="gray")
        st.markdown(md(source.card.says))
        rows = [
            ("Trained on", source.trained_on),
            ("Cases", source.cases),
            ("Labels", _labels(source.labels)),
            ("Input", source.input.describe()),
            ("Network", f"{source.builder}, {source.outline.parameters / 1e6:.1f} million values"),
            ("Computer", _computer(source)),
            ("Licence", source.licence),
            ("Attribution", source.attribution),
            ("Limits", source.card.limits),
            ("Reference", source.card.reference),
        ]
        for name, says in rows:
            if says:
                left, right = st.columns([1, 4], gap="small", wrap=False)
                left.caption(name)
                right.markdown(md(says))
        for figure in source.figures:
            st.markdown(f":material/monitoring: {md(figure)}")


def _computer(source: Source) -> str:
    """The group it belongs to by cost, and what that means in time."""
    group = group_of(source.outline)
    return f"{group.title[0].upper()}{group.title[1:]}. {group.says}"


def _labels(labels: Sequence[str]) -> str:
    if not labels:
        return ""
    some = ", ".join(labels[:8])
    return some if len(labels) <= 8 else f"{some} … and {len(labels) - 8:,} more"


def seen_by(cohort: Cohort, source: Source, shown: int = 3) -> None:
    """Cases of each class as this source sees them."""
    with st.container(border=True, height="stretch"):
        st.markdown("**Your images in its eyes**")
        firsts = [next(case for case in cohort.cases if case.label == label) for label in cohort.classes[:shown]]
        for column, case in zip(st.columns(max(2, len(firsts))), firsts, strict=False):
            with column:
                st.image(
                    as_model_sees(pictures.original(cohort, case), source.input),
                    width="stretch",
                    alt=f"{plain(case.name)} as {plain(source.title)} sees it",
                )
                st.caption(md(case.label))
        st.caption(md(source.input.describe()))


def plan(steps: Plan, outline: Outline, classes: int, lit: int | None = None) -> None:
    """The plan in numbered sentences; the step in hand stands out."""
    lines = []
    for number, step in enumerate(steps, start=1):
        says = md(step.says)
        here = lit == number - 1
        lines.append(f"{number}. :primary[:material/arrow_right:] **{says}**" if here else f"{number}. {says}")
    st.markdown("\n".join(lines))
    if lit is None:
        st.caption(may_change(steps, outline, classes))


def may_change(steps: Plan, outline: Outline, classes: int) -> str:
    """ "2,562 of 2.2 million values may change; the rest stays exactly as it is."""
    moving = strategies.may_change(steps, outline, classes)
    total = strategies.values(steps, outline, classes)
    if moving == total:
        return f"All {_millions(total)} values may change."
    return f"{_millions(moving)} of {_millions(total)} values may change; the rest stays exactly as it is."


def _millions(number: int) -> str:
    return f"{number / 1e6:.1f} million" if number >= 1e6 else f"{number:,}"


def headline(estimate: Any) -> str:
    return f"AUROC {words.whole(estimate)}, n = {estimate.n}" if estimate else ""
