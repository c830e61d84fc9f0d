"""Cards of sources, strategies and plans: what a clinician reads before picking one."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from medtl import strategies
from medtl.cohorts.pixels import as_model_sees
from medtl.errors import MedtlError
from medtl.rank import Ranked, Ranking
from medtl.sources.groups import GROUPS, group_of
from medtl.training import cost as costs
from medtl.vocabulary import Cohort, Outline, Plan, Recipe, Source, labels_of
from pages.ui import pictures, plots, shelf, words
from pages.ui.escape import md, plain

ORIGINS = {
    "shipped": "comes with MedTL",
    "torchvision": "published by torchvision",
    "optional": "of an optional library",
    "imported": "brought by you",
    "run": "one of your runs",
}
SOURCE_COLUMNS = {
    "chosen": st.column_config.TextColumn("", width=42, help="✓ chosen, ★ recommended, ⚠ has seen your images"),
    "source": st.column_config.TextColumn("Source", width=290),
    "score": st.column_config.TextColumn("Score", width=120, help="AUROC on your training images, with 95 % interval"),
    "distance": st.column_config.TextColumn(
        "Your images are",
        width=130,
        help="How far your images lie from those it learned from. Not known where it brings no statistics of them.",
    ),
    "trained on": st.column_config.TextColumn("Trained on", width=125),
    "cost": st.column_config.TextColumn(
        "Cost here", width=115, help="To look at your images once, on this computer: measured, else estimated"
    ),
    "case": st.column_config.TextColumn("A case", width=65, help="Seconds of one answer, as measured here"),
    "memory": st.column_config.TextColumn("Memory", width=70, help="Of the whole process, at its peak"),
    "size": st.column_config.TextColumn("Size", width=65, help="Million values in the network"),
    "computer": st.column_config.TextColumn(
        "Computer", width=110, help="What it wants for training without long waits"
    ),
    "licence": st.column_config.TextColumn("Licence", width=90),
    "available": st.column_config.TextColumn("Here?", width=150),
}
DISTANCE = {"close": "close", "related": "related", "far": "far: expect less help"}
MEASURED, HERE, ALL = "Measured", "On this computer", "All"


def source_rows(cohort: Cohort, sources: Sequence[Source], at: str, found: Ranking | None) -> dict[str, list[str]]:
    """A row a source; what was not measured stays empty, or is estimated."""
    rows = [found.row(source.id) if found else None for source in sources]
    both = list(zip(sources, rows, strict=True))
    table = {
        "chosen": [_marks(source, row, at, found) for source, row in both],
        "source": [plain(source.title) for source in sources],
        "score": [words.whole(row.score) if row and row.score else "" for row in rows],
        "distance": [DISTANCE.get(row.nearness, "not known") if row else "" for row in rows],
        "trained on": [plain(source.trained_on) for source in sources],
        "cost": [
            words.duration(row.seconds) if row and row.seconds else takes(cohort.id, source.id, "linear-probe")
            for source, row in both
        ],
        "case": [_short(row.per_case) if row and row.per_case else "" for row in rows],
        "memory": [f"{row.memory_mb:,} MB" if row and row.memory_mb else "" for row in rows],
        "size": [f"{source.outline.parameters / 1e6:.1f} M" for source in sources],
        "computer": [group_of(source.outline).title for source in sources],
        "licence": [plain(source.licence) for source in sources],
        "available": [where(source) for source in sources],
    }
    if any(rows):
        return table
    return {name: cells for name, cells in table.items() if name not in ("score", "distance", "case", "memory")}


def greyed(rows: Mapping[str, Sequence[str]], usable: Sequence[bool]) -> Any:
    """The same as a table in which what cannot be used stands back."""
    from pandas import DataFrame

    def styles(row: Any) -> list[str]:
        return [f"color: {plots.QUIET}" if not usable[row.name] else ""] * len(row)

    return DataFrame(rows).style.apply(styles, axis=1)


def _marks(source: Source, row: Ranked | None, at: str, found: Ranking | None) -> str:
    best = "★" if found and found.recommended == source.id else ""
    return f"{'✓' if source.id == at else ''}{best}{'⚠' if row and row.seen else ''}"


def _short(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds < 1 else f"{seconds:.1f} s"


def filters(found: Ranking | None) -> list[str]:
    """The words of the filter over the table, the one to begin with first."""
    kinds = [HERE, *(sentence(group.title) for group in GROUPS), ALL]
    return [MEASURED, *kinds] if found and found.rows else kinds


def filtered(sources: Sequence[Source], kind: str, found: Ranking | None) -> list[Source]:
    """Measured ones best first; the others in the order of the shelf."""
    if kind == MEASURED and found:
        by_id = {source.id: source for source in sources}
        return [by_id[row.source] for row in found.rows if row.source in by_id and row.score]
    if kind == HERE:
        return [source for source in sources if source.on_disk and source.available]
    return [source for source in sources if kind == ALL or sentence(group_of(source.outline).title) == kind]


def sentence(title: str) -> str:
    return title[:1].upper() + title[1:]


def where(source: Source) -> str:
    """Whether it lies here, or how it comes here."""
    if not source.available and source.needs:
        return f"needs {plain(source.needs.rsplit(' ', 1)[-1])}"
    return "on this computer" if source.available and source.on_disk else plain(source.why_not)


def takes(cohort_id: str, source_id: str, strategy_id: str, settings: Mapping[str, Any] | None = None) -> str:
    """ "about 10 seconds"; empty when it cannot be told. Without settings: with those that suit the cohort."""
    found = cost(cohort_id, source_id, strategy_id, settings)
    return costs.in_words(found.seconds) if found else ""


def seconds(
    cohort_id: str, source_id: str, strategy_id: str, settings: Mapping[str, Any] | None = None
) -> float | None:
    """How long it takes here; None when it cannot be told."""
    found = cost(cohort_id, source_id, strategy_id, settings)
    return found.seconds if found else None


def cost(
    cohort_id: str, source_id: str, strategy_id: str, settings: Mapping[str, Any] | None = None
) -> costs.Cost | None:
    """The estimate with what it rests on; None when it cannot be told."""
    return _cost(cohort_id, source_id, strategy_id, _key(settings))


def _key(settings: Mapping[str, Any] | None) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted((settings or {}).items()))


@st.cache_data(ttl=30, max_entries=200, show_spinner=False)
def _cost(cohort_id: str, source_id: str, strategy_id: str, settings: tuple[tuple[str, Any], ...]) -> costs.Cost | None:
    try:
        source, cohort = shelf.source(source_id), shelf.cohort(cohort_id)
        if source is None:
            return None
        plan = strategies.make_for(strategy_id, cohort, dict(settings)).plan(source.outline, len(cohort.classes))
        return costs.estimate(shelf.workspace(), cohort, source, plan)
    except MedtlError:
        return None


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
        for says in source.better_for:
            st.markdown(f":material/trending_up: {md(says)}")
        if source.needs and not source.available:
            st.markdown("To use it, install what it needs, then start MedTL again:")
            st.code(source.needs, language="shell")


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
    """A case of each class beside what this source is shown of it."""
    with st.container(border=True, height="stretch"):
        st.markdown("**As the model sees it**")
        for label in cohort.classes[:shown]:
            case = next((case for case in cohort.cases if label in labels_of(case)), None)
            if case is None:
                continue
            picture = pictures.original(cohort, case)
            left, right = st.columns(2, gap="small", wrap=False)
            left.image(picture, width="stretch", alt=f"{plain(case.name)}, labelled {plain(label)}")
            right.image(
                as_model_sees(picture, source.input),
                width="stretch",
                alt=f"{plain(case.name)} as {plain(source.title)} sees it",
            )
            st.caption(f"{md(label)}: as it was brought, and as it is shown to the model")
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
    if moving is None:
        return f"A part of its {_millions(total)} values may change; how many was not counted for this network."
    if moving == total:
        return f"All {_millions(total)} values may change."
    return f"{_millions(moving)} of {_millions(total)} values may change; the rest stays exactly as it is."


def _millions(number: int) -> str:
    return f"{number / 1e6:.1f} million" if number >= 1e6 else f"{number:,}"


def advised(recipe: Recipe) -> str:
    """What was recommended and what was chosen, in one line of Markdown; empty where nothing was noted."""
    source, strategy = recipe.advised.get("source"), recipe.advised.get("strategy")
    if not source or recipe.control_for:
        return ""
    how = f", {md(shelf.strategy_title(strategy).lower())}" if strategy else ""
    basis = f" ({md(recipe.advised['basis'])})" if recipe.advised.get("basis") else ""
    if source == recipe.source and strategy in (None, recipe.strategy):
        return f"As recommended: {md(shelf.source_title(source))}{how}{basis}."
    if recipe.automatic and source == recipe.source:
        return f"Started by Automatic, from {md(shelf.source_title(source))} as recommended{basis}."
    chosen = f"{md(shelf.source_title(recipe.source))}, {md(shelf.strategy_title(recipe.strategy).lower())}"
    return f"Recommended: {md(shelf.source_title(source))}{how}{basis}; chosen: {chosen}."


def headline(estimate: Any) -> str:
    return f"AUROC {words.whole(estimate)}, n = {estimate.n}" if estimate else ""
