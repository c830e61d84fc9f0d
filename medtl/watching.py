"""Whether a run still does what it did: how far clinicians agree with it month by month, and whether the images it is
asked about are still like those it was trained on. From the run's diary alone; no pictures, no network.

An alarm is a test with a known rate of false ones. It says that images have changed, never that answers are wrong.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
from scipy import stats

from medtl.cohorts import agreement
from medtl.cohorts import library as cohorts
from medtl.evaluation.intervals import wilson
from medtl.gate import gate
from medtl.gate.gate import Baseline
from medtl.runs import diary, store
from medtl.runs.diary import Entry
from medtl.vocabulary import Estimate, to_dict
from medtl.workspace import Workspace

FEW = 5  # readings below which no share is told
FEWEST = 10  # images of a week below which nothing is tested
FALSE_ALARMS = 0.01  # of weeks in which nothing has changed
TESTS = 3  # share refused, distance, brightness: each has its part of the above
ALL = "all"


@dataclass(frozen=True)
class Agreed:
    """How often answers and readings were the same. `period` is "2026-11", or "all". `kappa` is None where it is not
    defined."""

    period: str
    n: int
    agreed: Estimate
    kappa: Estimate | None
    says: str


@dataclass(frozen=True)
class Week:
    """The images asked about in seven days from the Monday `week`. `alarms` are sentences, none when nothing changed
    that these tests see; `tested` False: there were too few."""

    week: date
    n: int
    refused: Estimate
    far: float | None  # median distance from the training cases, as the gate has it
    brightness: float | None  # median, 0 to 1
    tested: bool
    alarms: tuple[str, ...]
    says: str


@dataclass(frozen=True)
class Watch:
    """`answers`: lines of the diary; `images`: different readable images among them that are none of the cohort's."""

    on: bool
    answers: int
    images: int
    readings: int
    since: str
    agreement: tuple[Agreed, ...]
    weeks: tuple[Week, ...]
    says: tuple[str, ...]


def watch(ws: Workspace, run_id: str) -> Watch:
    """For the page and the command."""
    folder = store.folder(ws, run_id)
    entries = diary.entries(folder)
    classes = cohorts.load(ws, store.recipe(folder).cohort).classes
    baseline = gate.baseline(folder / store.RESULT)
    new = latest(entries)
    found = Watch(
        diary.is_on(folder), len(entries), len(new), sum(bool(entry.reading) for entry in new),
        entries[0].at.date().isoformat() if entries else "", agreed(new, classes), weeks(new, baseline), (),
    )  # fmt: skip
    return Watch(**{**vars(found), "says": _sentences(found, baseline)})


def describe(found: Watch) -> dict[str, Any]:
    said: dict[str, Any] = to_dict(found)
    for row, week in zip(said["weeks"], found.weeks, strict=True):
        row["week"] = week.week.isoformat()
    return said


def latest(entries: Sequence[Entry]) -> list[Entry]:
    """The last answer of each image: readable, single, and neither of the cohort nor of a patient in it."""
    last: dict[tuple[Any, ...], Entry] = {}
    for entry in entries:
        if entry.kind == "image" and entry.readable and not entry.known:
            last.pop((entry.sha256, entry.frame), None)
            last[entry.sha256, entry.frame] = entry
    return list(last.values())


# ---- agreement ------------------------------------------------------------------------------------------------------


def agreed(entries: Sequence[Entry], classes: Sequence[str]) -> tuple[Agreed, ...]:
    """Answers that were given (not refused) beside the clinician's own reading: each month, and all together first."""
    both = [entry for entry in entries if entry.reading in classes and entry.predicted in classes and entry.accepted]
    months: dict[str, list[Entry]] = {ALL: both} if both else {}
    for entry in both:
        months.setdefault(f"{entry.at:%Y-%m}", []).append(entry)
    return tuple(_agreed(period, some, classes) for period, some in months.items())


def _agreed(period: str, entries: Sequence[Entry], classes: Sequence[str]) -> Agreed:
    found = agreement.agree(
        [entry.sha256 for entry in entries],
        [str(entry.predicted) for entry in entries],
        [entry.reading for entry in entries],
        classes,
        readers=("the model", "the clinician"),
    )
    share, kappa = found.agreed, found.kappa
    if share.n < FEW:
        says = f"{round(share.value * share.n)} of {share.n} agreed: too few to say more ({FEW} are needed)."
        return Agreed(period, share.n, share, kappa, says)
    says = (
        f"{100 * share.value:.0f} % of {share.n} answers agreed ({100 * share.low:.0f} % to {100 * share.high:.0f} %)"
    )
    says += f"; kappa {kappa.value:.2f} ({kappa.low:.2f} to {kappa.high:.2f})." if kappa else "; kappa is not defined."
    return Agreed(period, share.n, share, kappa, says)


# ---- change ---------------------------------------------------------------------------------------------------------


def weeks(entries: Sequence[Entry], baseline: Baseline | None) -> tuple[Week, ...]:
    """Oldest first, weeks without images left out."""
    by_week: dict[date, list[Entry]] = {}
    for entry in sorted(entries, key=lambda entry: entry.at):
        day = entry.at.date()
        by_week.setdefault(day - timedelta(days=day.weekday()), []).append(entry)
    return tuple(_week(monday, some, baseline) for monday, some in by_week.items())


def _week(monday: date, entries: Sequence[Entry], baseline: Baseline | None) -> Week:
    n, refused = len(entries), sum(not entry.accepted for entry in entries)
    far = np.array([entry.far for entry in entries if entry.far is not None])
    bright = np.array([entry.brightness for entry in entries if entry.brightness is not None])
    low, high = wilson(refused, n)
    tested = n >= FEWEST and baseline is not None and len(baseline.sample) >= FEWEST
    alarms = _alarms(refused, n, far, bright, baseline) if tested and baseline else ()
    says = f"{refused} of {n} images refused ({100 * low:.0f} % to {100 * high:.0f} %). "
    says += " ".join(alarms) if alarms else "No change seen." if tested else f"Too few to test ({FEWEST} are needed)."
    return Week(
        monday, n, Estimate("refused", refused / n, low, high, n, "Wilson"),
        float(np.median(far)) if len(far) else None, float(np.median(bright)) if len(bright) else None,
        bool(tested), alarms, says,
    )  # fmt: skip


def _alarms(refused: int, n: int, far: np.ndarray, bright: np.ndarray, before: Baseline) -> tuple[str, ...]:
    """Three tests at a third of FALSE_ALARMS each: more refused than the gate refuses of its own kind at most (exact,
    binomial), and distance and brightness otherwise distributed (Kolmogorov and Smirnov) than when it was trained."""
    at = FALSE_ALARMS / TESTS
    said = []
    expected = 1 - before.low
    if stats.binomtest(refused, n, expected, "greater").pvalue < at:
        said.append(f"ALARM: more images are refused than the {100 * expected:.0f} % to be expected at most.")
    if len(far) >= FEWEST and stats.ks_2samp(far, before.sample).pvalue < at:
        way = "farther from" if np.median(far) > np.median(before.sample) else "otherwise spread around"
        said.append(f"ALARM: the images lie {way} the training images.")
    if len(bright) >= FEWEST and stats.ks_2samp(bright, before.brightness).pvalue < at:
        shift = np.median(bright) - np.median(before.brightness)
        way = "brighter" if shift > 0.02 else "darker" if shift < -0.02 else "otherwise spread in brightness"
        said.append(f"ALARM: the images are {way} than the training images.")
    return tuple(said)


def _counted(number: int, one: str) -> str:
    return f"{number:,} {one}{'' if number == 1 else 's'}"


def _sentences(found: Watch, baseline: Baseline | None) -> tuple[str, ...]:
    said = []
    if not found.on:
        said.append("The diary of this run is switched off: nothing new is written.")
    if not found.answers:
        return (*said, "The diary of this run is empty.")
    said.append(
        f"{_counted(found.answers, 'answer')} since {found.since}, about {_counted(found.images, 'different image')} "
        f"not in the cohort; a clinician's own reading was given for {found.readings:,}."
    )
    if baseline is None:
        said.append("This run kept nothing to compare new images with; train it again to be warned of changes.")
    elif alarmed := [week for week in found.weeks if week.alarms]:
        said.append(f"In {len(alarmed)} of {len(found.weeks)} weeks the images had changed.")
    if baseline is not None:
        said.append(
            f"Where nothing changes, about {100 * FALSE_ALARMS:.0f} % of weeks give a false alarm, more where several "
            "images are of one patient; images that change little, or in another way, give none."
        )
    if found.agreement:
        said.append("Clinicians who saw the answer before they gave their own agree more than those who had not.")
    return tuple(said)
