"""Which source to take and why: by card before it was measured, by measurement after. Computes nothing itself."""

from collections.abc import Iterable, Sequence

import streamlit as st

from medtl.rank import SEEN_TOO_MUCH, Ranked, Ranking
from medtl.strategies import Recommendation
from medtl.transferability.race import ROUNDS
from medtl.vocabulary import Cohort, Source
from pages.ui import measuring, plots, selection, shelf, show, words
from pages.ui.escape import md, plain, short

DRAWN = 12  # rows of the plot; the others stand in the table
AGAIN = "what has not changed is not looked at twice"
SAYS_RACE = (
    "The score above says which source is best when only the last layer is trained. When the whole network is adapted, "
    "another one may win: let them try. They train 1, 2 and 4 short epochs, the worst drops out each time, and the "
    "tune part tells who leads."
)


def panel(cohort: Cohort, advice: Recommendation, found: Ranking | None) -> None:
    """The bar while it is measured; the question before; the answer with its plot after."""
    running = measuring.under_way(cohort)
    if running:
        measuring.follow()
    if found is None:
        _ask(cohort, advice, running)
    else:
        _answer(cohort, found, running)


def note(cohort: Cohort, found: Ranking | None, chosen: str) -> str:
    """One line for who chose another source than the measured best; empty for everybody else."""
    if found is None or not found.recommended or found.recommended == chosen or shelf.source(found.recommended) is None:
        return ""
    if chosen in found.tied:
        return f"You chose {shelf.source_title(chosen)}; it cannot be told from {_title(found, found.recommended)}."
    return f"You chose {shelf.source_title(chosen)}; measured best was {_title(found, found.recommended)}."


# ---- before ---------------------------------------------------------------------------------------------------------


def _ask(cohort: Cohort, advice: Recommendation, running: bool) -> None:
    with st.container(border=True):
        st.markdown(
            f":material/lightbulb: **{md(shelf.source_title(advice.source))}.** {md(advice.says_source)}",
        )
        if running:
            return
        sources = measuring.listed(cohort)
        why = measuring.why_not(cohort)
        if not why and not sources:
            why = "No source lies on this computer yet. Add one below."
        takes = f" ({measuring.takes(cohort, sources)})" if not why else ""
        if st.button(
            f"Measure which source suits your images{takes}",
            type="primary",
            icon=":material/straighten:",
            disabled=bool(why),
            help=why or None,
        ):
            measuring.start(cohort, sources)
        st.caption(
            f":orange[:material/error:] {md(why)}"
            if why
            else f"{_each(len(sources))} on this computer looks at {measuring.looks_at(cohort):,} of your training "
            "images, and it is measured how well the classes can be told apart by what it sees. The networks stay as "
            "they are, the tune and test parts stay untouched, nothing leaves this computer. "
            "The time is that of an idle computer."
        )


def _each(count: int) -> str:
    return "The one source" if count == 1 else f"Each of the {count} sources"


# ---- after ----------------------------------------------------------------------------------------------------------


def _answer(cohort: Cohort, found: Ranking, running: bool) -> None:
    with st.container(border=True):
        _badges(cohort, found)
        _verdict(found)
        _notes(found)
        _on(cohort, found, running)
    drawn = [row for row in found.rows if row.score]
    if drawn:
        _forest(found, drawn)
        _race(cohort, found, running)


def _badges(cohort: Cohort, found: Ranking) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if found.recommended:
            count = f"{found.cases:,} of your training images"
            st.badge(f"measured on {count}", icon=":material/straighten:", color="green")
        if found.cohort != cohort.id:
            st.badge("measured before your last change", icon=":material/history:", color="orange")
        st.caption(words.day(found.at))


def _verdict(found: Ranking) -> None:
    """Where no transfer was seen to help, in the colour of a warning: it is the news."""
    if found.recommended and found.helps in ("no difference seen", "hurts"):
        st.warning(f"**{md(found.says)}**", icon=":material/trending_flat:")
    elif found.recommended:
        st.subheader(md(found.says), anchor=False)
    else:
        st.warning(md(found.says), icon=":material/help:")


def _notes(found: Ranking) -> None:
    if len(found.tied) > 1:
        names = ", ".join(md(_title(found, id)) for id in found.tied)
        st.caption(
            f":material/balance: Cannot be told from it on so few images: {names}. One of them may be as good, and "
            "quicker, or under a licence that suits you."
        )
    for row in found.rows:
        if row.seen:
            st.caption(f":orange[:material/warning:] **{md(row.title)}:** {md(row.says)}")
        elif row.score is None and row.says:
            st.caption(f":material/block: **{md(row.title)}** was not measured. {md(row.says)}")
    for said in found.notes:
        st.caption(f":material/info: {md(said)}")
    if found.recommended and not _usable(found.recommended):
        st.caption(f":orange[:material/error:] {md(_title(found, found.recommended))} is not here any more.")


def _on(cohort: Cohort, found: Ranking, running: bool) -> None:
    """Take it; or measure what was changed or added since."""
    known = {row.source for row in found.rows}
    fresh = [source for source in measuring.listed(cohort) if source.id not in known]
    older, why = found.cohort != cohort.id, measuring.why_not(cohort)
    with st.container(horizontal=True, vertical_alignment="center"):
        if _usable(found.recommended) and st.button(
            "Take this source",
            type="primary",
            icon=":material/arrow_forward:",
            help=f"On with {md(_title(found, found.recommended))}.",
        ):
            selection.go("strategy", source=found.recommended, run=None)
        if running or why:
            return
        label = f"Measure {words.count(len(fresh), 'more source')} ({measuring.takes(cohort, fresh)})" if fresh else ""
        if st.button(
            label or f"Measure again ({AGAIN})",
            icon=":material/straighten:" if fresh else ":material/refresh:",
            type="secondary" if older or fresh else "tertiary",
        ):
            measuring.start(cohort, _still(found, measuring.listed(cohort)), named=True)


def _still(found: Ranking, listed: Iterable[Source]) -> list[Source]:
    """What was measured and is still here, and what is measured by itself."""
    known = {row.source for row in found.rows} | {source.id for source in listed}
    return [source for source in shelf.sources() if source.id in known and source.available]


def this_one(cohort: Cohort, found: Ranking | None, source: Source) -> None:
    """One that was left out (it has to be fetched, or is an older run) can be measured beside the others."""
    if found is None or found.row(source.id) or not source.available or measuring.why_not(cohort):
        return
    if measuring.under_way(cohort):
        return
    fetch = f", and {source.size_mb:.0f} MB to fetch" if not source.on_disk else ""
    if st.button(
        f"Measure this source, too ({measuring.takes(cohort, [source])}{fetch})",
        icon=":material/straighten:",
        help="The others keep what was seen of them.",
    ):
        measuring.start(cohort, [*_still(found, []), source], named=True)


def _forest(found: Ranking, drawn: Sequence[Ranked]) -> None:
    rows = [
        plots.Interval(short(row.title, 40), row.score, _colour(found, row), _says(found, row))
        for row in drawn[:DRAWN]
        if row.score
    ]
    if found.control:
        rows.append(plots.Interval("no transfer (thumbnails)", found.control, plots.QUIET, "no source at all"))
    said = "; ".join(f"{row.name} {words.whole(row.estimate)}" for row in rows)
    show.section("How well the classes are told apart", help=words.HELP["auroc"])
    plots.draw(
        plots.forest(rows, found.control), f"AUROC of each source with 95 % interval: {plain(said)}", "rank-forest"
    )
    more = f" {words.count(len(drawn) - DRAWN, 'more source')} in the table." if len(drawn) > DRAWN else ""
    st.caption(
        "AUROC on training images that were held out in turn, with 95 % interval: 0.5 is guessing, 1 is perfect. The "
        f"dotted line is what 32 × 32 thumbnails reach with no source at all.{more}"
    )


def _colour(found: Ranking, row: Ranked) -> str:
    if row.source == found.recommended:
        return plots.ACCENT
    return plots.WARNING if row.seen else plots.INK


def _says(found: Ranking, row: Ranked) -> str:
    if row.source == found.recommended:
        return "recommended"
    if row.seen:
        return "⚠ has seen your images"
    return "cannot be told from it" if row.source in found.tied else ""


# ---- adapting the whole network -------------------------------------------------------------------------------------


def _race(cohort: Cohort, found: Ranking, running: bool) -> None:
    """The score above speaks of the last layer only; for more, sources have to train."""
    with st.container(border=True):
        left, right = st.columns(2, gap="large", vertical_alignment="center")
        with left:
            st.markdown("**If the whole network is to be adapted**")
            if found.says_race:
                st.markdown(md(found.says_race))
            else:
                st.caption(SAYS_RACE)
        with right:
            if found.says_race:
                _laps(found)
            _let_them_race(cohort, found, running)


def _let_them_race(cohort: Cohort, found: Ranking, running: bool) -> None:
    runners = _runners(cohort, found)
    why = measuring.why_not(cohort) or ("" if len(runners) > 1 else "A race takes two measured sources.")
    takes = f" ({measuring.race_takes(cohort, runners)})" if not why else ""
    label = "Let them race again" if found.says_race else f"Let the best {_how_many(runners)} train a little"
    if st.button(
        f"{label}{takes}",
        icon=":material/sprint:",
        disabled=bool(why) or running,
        help=why or ("Wait until it is measured, or stop." if running else None),
    ):
        measuring.start(cohort, _still(found, []), named=True, race=True)


def _how_many(runners: Sequence[Source]) -> str:
    return "three" if len(runners) > 2 else "two"


def _runners(cohort: Cohort, found: Ranking) -> list[Source]:
    """Who would take part: the best three that have not seen more of these images than allowed."""
    few = SEEN_TOO_MUCH * len(cohort.cases)
    fit = [row.source for row in found.rows if row.score and row.seen <= few]
    return [source for id in fit[:3] if (source := shelf.source(id)) is not None and source.available]


def _laps(found: Ranking) -> None:
    rows = sorted((row for row in found.rows if row.laps), key=lambda row: (-len(row.laps), -row.laps[-1][1]))
    if not rows:
        return
    laps = [dict(row.laps) for row in rows]
    st.dataframe(
        {
            "source": [plain(row.title) for row in rows],
            **{
                words.count(epochs, "epoch"): [f"{lap[epochs]:.2f}" if epochs in lap else "–" for lap in laps]
                for epochs in ROUNDS
            },
        },
        hide_index=True,
        column_config={
            "source": st.column_config.TextColumn("AUROC, tune part, after", width=170),
            **{words.count(epochs, "epoch"): st.column_config.TextColumn(width=70) for epochs in ROUNDS},
        },
        alt="AUROC on the tune part of each source after 1, 2 and 4 epochs; a dash where it had dropped out",
    )


# ---- second opinions ------------------------------------------------------------------------------------------------


def second_opinions(found: Ranking | None) -> None:
    """Scores from the literature, for who wants them; none of them decides."""
    rows = [row for row in found.rows if row.logme is not None] if found else []
    if not rows:
        return
    with st.expander("Second opinions (for the expert)", icon=":material/fact_check:"):
        st.caption(
            "Scores from the literature that guess how well a source will transfer. Higher is better; only rows of one "
            "column can be compared. On medical images none of them is reliable alone (arXiv:2308.07444), so they do "
            "not decide here."
        )
        st.dataframe(
            {
                "source": [plain(row.title) for row in rows],
                "AUROC": [words.whole(row.score) if row.score else "–" for row in rows],
                "LogME": [_number(row.logme) for row in rows],
                "H-score": [_number(row.h_score) for row in rows],
                "LEEP": [_number(row.leep) for row in rows],
                "NCE": [_number(row.nce) for row in rows],
                "told apart": [_number(row.told_apart) for row in rows],
            },
            hide_index=True,
            column_config={"source": st.column_config.TextColumn("Source", width=260)},
            alt="Transferability scores of each source",
        )
        st.caption(
            "A dash: LEEP and NCE ask what the source itself would answer, and this source has no answers of its own "
            "that can be read. “Told apart” is how surely its own images can be told from yours (0.5: not at all), and "
            "needs images it learned from on this computer."
        )


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}".replace("-", "−")


def _title(found: Ranking, id: str) -> str:
    row = found.row(id)
    return row.title if row else shelf.source_title(id)


def _usable(id: str) -> bool:
    source = shelf.source(id) if id else None
    return source is not None and source.available
