"""Measuring which source suits a cohort: what it costs, begin it in a process of its own, follow it, stop it.

The answer lies beside the cohort; here is only the way there. The id of what runs is in the address, and who comes back
without it is led to it all the same.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import streamlit as st

from medtl import rank
from medtl.cohorts import importing
from medtl.errors import MedtlError
from medtl.training import cost
from medtl.vocabulary import Cohort, Source
from medtl.workspace import write_whole
from pages.ui import following, shelf, show, words

QUERY = "measuring"
ASKED = "measures.json"  # beside the process: what it measures


@dataclass(frozen=True)
class Asked:
    """What was asked to be measured; no sources named: all on this computer, `count` of them."""

    cohort: str
    count: int
    sources: tuple[str, ...] = ()
    race: bool = False


def why_not(cohort: Cohort) -> str:
    """The sentence under a button that cannot be pressed."""
    if cohort.task == "multi-label":
        return (
            f"Sources are measured for one question at a time, and an image of this cohort can have several of "
            f"{len(cohort.classes)} findings. Choose on the Data page one of them to be learned by itself, or pick a "
            "source by its card."
        )
    train = set(cohort.split.train)
    if len({case.label for case in cohort.cases if case.id in train}) < 2:
        return "The train part holds images of one class only. Bring images of another class, too."
    return ""


def listed(cohort: Cohort) -> tuple[Source, ...]:
    """What is measured when nobody names sources."""
    ids = _listed(shelf.home(), cohort.id)
    return tuple(source for source in shelf.sources() if source.id in ids)


def takes(cohort: Cohort, sources: Iterable[Source]) -> str:
    """ "about 40 seconds"."""
    return _takes(shelf.home(), cohort.id, tuple(source.id for source in sources), False)


def race_takes(cohort: Cohort, sources: Iterable[Source]) -> str:
    return _takes(shelf.home(), cohort.id, tuple(source.id for source in sources), True)


def looks_at(cohort: Cohort) -> int:
    """How many of the training images are looked at."""
    return min(rank.LOOKED_AT, len(cohort.split.train))


def start(cohort: Cohort, sources: Iterable[Source], *, named: bool = False, race: bool = False) -> None:
    """Begin and follow. `named`: these and no others, instead of all there are when it begins."""
    ids = tuple(source.id for source in sources)
    asked = Asked(cohort.id, len(ids), ids if named else (), race)
    folder = importing.start_ranking(shelf.workspace(), cohort.id, asked.sources, race)
    write_whole(folder / ASKED, json.dumps(asdict(asked)))
    st.query_params[QUERY] = folder.name
    st.rerun()


def under_way(cohort: Cohort) -> bool:
    """Whether there is something to follow: named in the address, or still running for this cohort.

    An address that leads nowhere, or to another cohort, is forgotten without a word: what was found stands on the page.
    """
    if QUERY in st.query_params:
        asked = _asked(_folder())
        if asked and asked.cohort == cohort.id:
            return True
        del st.query_params[QUERY]
    for note in sorted(shelf.workspace().spool.glob(f"*/{ASKED}")):
        asked = _asked(note.parent)
        if asked and asked.cohort == cohort.id and importing.import_status(note.parent).state == "running":
            st.query_params[QUERY] = note.parent.name
            return True
    return False


def follow() -> None:
    """The bar while it runs; when it is over, the page with the answer, or what went wrong."""
    if (folder := _folder()) is None:
        return
    status = importing.import_status(folder)
    if status.state == "running":
        with st.container(border=True):
            st.markdown(":material/straighten: **Measuring which source suits your images**")
            _bar(str(folder))
            if st.button("Stop", icon=":material/stop_circle:"):
                _end(folder)
    elif status.state == "done":
        importing.clear(folder)
        del st.query_params[QUERY]
        shelf.forget()
        st.rerun()
    else:
        failed = status.state == "failed"  # the other words would speak of an import
        message = status.message if failed else "The measuring was interrupted before it finished."
        show.error(MedtlError(message, status.advice if failed else "Measure again: what was looked at is kept."))
        if st.button("Close", icon=":material/close:"):
            _end(folder)


def says(done: int, total: int, asked: Asked | None) -> str:
    """What is being done, in a sentence."""
    if not total:
        return "Beginning: reading the cohort…"
    if done < total:
        count = f" ({words.count(asked.count, 'source')})" if asked else ""
        return f"Looked at {done:,} of {total:,} pictures{count}."
    if asked and asked.race:
        return "All pictures were looked at. Now the best three train a little…"
    return "All pictures were looked at. Comparing what was seen…"


@st.fragment(run_every=0.5)
@show.guarded
def _bar(folder: str) -> None:
    """Asks twice a second; when it is over, the whole page is drawn again."""
    status = importing.import_status(Path(folder))
    if status.state != "running":
        st.rerun()
    st.markdown(says(status.done, status.total, _asked(Path(folder))))  # the bar's own text comes a second later
    st.progress(min(1.0, status.done / status.total) if status.total else 0.0)
    st.caption("You may close this page: it goes on, and this page shows it when you come back.")


def _end(folder: Path) -> None:
    importing.clear(folder)
    del st.query_params[QUERY]
    st.rerun()


def _folder() -> Path | None:
    """What the address names, where it is a folder below the spool."""
    try:
        return following.folder(st.query_params[QUERY])
    except MedtlError:
        return None


def _asked(folder: Path | None) -> Asked | None:
    """None when nothing was noted."""
    if folder is None:
        return None
    try:
        noted = json.loads((folder / ASKED).read_text(encoding="utf-8"))
        return Asked(**{**noted, "sources": tuple(noted["sources"])})
    except (OSError, ValueError, KeyError, TypeError):
        return None


@st.cache_data(ttl=20, max_entries=20, show_spinner=False)
def _listed(home: str, cohort_id: str) -> tuple[str, ...]:
    return tuple(source.id for source in rank.listed(shelf.workspace(), shelf.cohort(cohort_id)))


@st.cache_data(ttl=30, max_entries=50, show_spinner=False)
def _takes(home: str, cohort_id: str, ids: tuple[str, ...], race: bool) -> str:
    sources = [source for source in shelf.sources() if source.id in ids]
    estimate = rank.race_takes if race else rank.takes
    return cost.in_words(estimate(shelf.workspace(), shelf.cohort(cohort_id), sources))
