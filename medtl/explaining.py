"""Where a finished run looked, over its test cases: maps of all, badges on a sample, shares of the maps that lie where
they should not. Written beside the result as explanation.json and explanation.npz; read by `medtl.runs.attention`.

It needs nothing of the worker but the run's folder, so a page, the command line and the worker ask the same. What goes
wrong here takes nothing away from the result.
"""

import io
import json
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from medtl.cohorts import library as cohorts
from medtl.cohorts.pixels import Pixels
from medtl.errors import BadInput, MedtlError
from medtl.explanation import attention as shares
from medtl.explanation import badges, states
from medtl.explanation.methods import DEFAULT, METHODS
from medtl.runs import attention, results, store
from medtl.runs.attention import Attention, CaseAttention, Share, Step
from medtl.vocabulary import Cohort, Estimate, MapCheck
from medtl.workspace import Workspace, write_whole

log = logging.getLogger("medtl.worker")

if TYPE_CHECKING:
    from medtl.explanation.explainer import Explainer
    from medtl.training.device import Device

SAMPLE = 30  # test cases whose maps are checked, drawn by class that was called
FEWEST = 10  # fewer than this are not worth a badge
MOST = 2000  # test cases whose maps are kept: 200 bytes a case and class at 7 x 7 cells
QUICK = 15.0  # seconds that checking may take by itself, after a result
_LOOKED_AT = 128  # px of the longer side at which body and edges are told
# More of a map than this many times the area lies outside, on edges or on writing: an alarm.
ALARM = 1.2
_WORST = 8


class Listener(Protocol):
    def phase(self, phase: str, says: str, done: int, total: int) -> None: ...
    def note(self, message: str) -> None: ...
    def should_stop(self) -> bool: ...


class Silent:
    """Says nothing and never stops."""

    def phase(self, phase: str, says: str, done: int, total: int) -> None: ...
    def note(self, message: str) -> None: ...
    def should_stop(self) -> bool:
        return False


@dataclass
class _Work:
    """A run as it is being looked at."""

    cohort: Cohort
    rows: tuple[results.PredictionRow, ...]
    explainer: "Explainer"
    pixels: Pixels
    seed: int
    boxes: dict[str, list[tuple[float, float, float, float]]]
    method: str = DEFAULT
    notes: list[str] = field(default_factory=list)

    def shown(self, rows: Sequence[results.PredictionRow]) -> np.ndarray:
        from medtl.modalities.image import pictures_for

        return pictures_for([self.pixels.image(row.case) for row in rows], self.explainer.spec)

    def called(self, row: results.PredictionRow) -> int:
        """The class whose map a case is judged by: the one that was called, of several the one of the highest score."""
        classes = self.cohort.classes
        if row.predicted in classes:
            return classes.index(row.predicted)
        return max(range(len(classes)), key=lambda k: row.scores[classes[k]])


def explainer_of(workspace: Workspace, run_id: str) -> "Explainer":
    """The network of a finished run, ready to say where it looked."""
    from medtl.frozen import Frozen
    from medtl.training import device

    return Frozen(workspace, run_id, device.choose("cpu")).explainer()


def explain_run(
    workspace: Workspace,
    run_id: str,
    listener: Listener | None = None,
    seconds: float | None = None,
    sample: int = SAMPLE,
    method: str = DEFAULT,
    read: bool = False,
) -> Attention | None:
    """Make, check and keep the maps of the test cases. With `seconds`, only as much as can be done in about that time;
    None where that is too little, or it was stopped. `read`: writing is looked for in the sampled pictures (half a
    second each) besides what a deep check has found."""
    heard = listener or Silent()
    METHODS[method]
    began = time.monotonic()
    work = _begin(workspace, run_id, method)
    if not work.rows:
        raise BadInput("This run has no test cases.", "There is nothing to explain.")
    taken, sample = _affordable(work, seconds, sample)
    if not taken:
        return None
    maps = _all_maps(work, taken, heard)
    if maps is None:
        return None
    checked = _sampled(work, taken, sample)
    measured = _checked(work, checked, heard) if checked else ((), ())
    if measured is None:
        return None
    if read:
        _read(work, checked, heard)
    found = _summed_up(work, taken, maps, len(checked), *measured, began)
    _keep(store.folder(workspace, run_id) / store.RESULT, work, taken, maps, found)
    return found


def carry_out(workspace: Workspace, folder: Path, device: "Device", listener: Listener) -> bool:
    """As a worker was asked to, however long it takes; False where it was stopped. Maps are made on the CPU: they are
    few, and every number is then the same everywhere."""
    return explain_run(workspace, folder.name, listener, read=True) is not None


def beside_result(workspace: Workspace, folder: Path, listener: Listener, grouped: bool = False) -> None:
    """What the worker does after a result, without being asked: all where it takes seconds, for one of a group of runs
    the maps only, as others wait; else it says how to ask."""
    if attention.exists(folder) or listener.should_stop():
        return
    try:
        quiet = _Quiet(listener)
        found = explain_run(workspace, folder.name, quiet, QUICK, 0 if grouped else SAMPLE)
    except MedtlError as error:  # a network without a picture-like layer, a test part of nothing
        listener.note(f"Where the network looked was not checked. {error}")
        return
    except Exception:  # the result is there and sound; what is missing beside it is in the log
        log.exception("where the network looked could not be checked")
        listener.note("Where the network looked could not be checked; the details are in log.txt.")
        return
    if found is None and not listener.should_stop():
        listener.note(
            "Where the network looked was not checked over the test cases, as that takes longer than some seconds with "
            "this network; ask for it on the Trust page."
        )


@dataclass(frozen=True)
class _Quiet:
    """Progress is not worth a line where nobody waits."""

    under: Listener

    def phase(self, phase: str, says: str, done: int, total: int) -> None: ...

    def note(self, message: str) -> None:
        self.under.note(message)

    def should_stop(self) -> bool:
        return self.under.should_stop()


# ---- the steps -------------------------------------------------------------------------------------------------------


def _begin(workspace: Workspace, run_id: str, method: str) -> _Work:
    folder = store.folder(workspace, run_id)
    recipe = results.load(folder).recipe
    cohort = cohorts.load(workspace, recipe.cohort)
    pixels = Pixels(workspace.cohort(cohort.id))
    rows = tuple(row for row in results.predictions(folder) if row.part == "test" and row.case in pixels.stored)
    return _Work(
        cohort, rows, explainer_of(workspace, run_id), pixels, recipe.seed, _boxes(workspace, cohort.id), method
    )


def _affordable(work: _Work, seconds: float | None, sample: int) -> tuple[tuple[results.PredictionRow, ...], int]:
    """Which cases get a map, and how many are checked. Where maps are not had in closed form, only the sample."""
    from medtl.explanation import checks

    exact = work.explainer.maps.exact(work.method)
    rows = work.rows[:MOST] if exact else _drawn(work, work.rows, sample)
    if len(work.rows) > len(rows):
        work.notes.append(f"Maps were made for {len(rows):,} of {len(work.rows):,} test cases.")
    if seconds is None:
        return rows, min(sample, len(rows))
    shown = work.shown(rows[:2])
    work.explainer.signed(shown, work.method)  # the first pass prepares what later ones find
    began = time.monotonic()
    work.explainer.signed(shown, work.method)
    a_map = (time.monotonic() - began) / len(shown)
    left = seconds - a_map * len(rows)
    a_case = a_map * (checks.passes(len(work.explainer.network.stages)) if exact else 40)
    if left <= 0:
        return (), 0
    can = min(sample, len(rows), int(left / a_case))
    if can < min(FEWEST, sample, len(rows)):
        return _unchecked(work, rows, a_case * min(SAMPLE, len(rows))) if exact else ((), 0)
    if sample == 0 and exact:
        return _unchecked(work, rows, a_case * min(SAMPLE, len(rows)))
    return rows, can


def _unchecked(
    work: _Work, rows: tuple[results.PredictionRow, ...], takes: float
) -> tuple[tuple[results.PredictionRow, ...], int]:
    from medtl.training.cost import in_words

    work.notes.append(
        f"No badges yet: to measure them takes {in_words(takes)}. Ask for them on the page Trust, under "
        "“Where it looked”, or run: python -m medtl explain RUN"
    )
    return rows, 0


def _drawn(work: _Work, rows: Sequence[results.PredictionRow], count: int) -> tuple[results.PredictionRow, ...]:
    """By turns of each class that was called, at random within it, so that a rare one is not left out."""
    random = np.random.default_rng(work.seed)
    by_class: dict[int, list[results.PredictionRow]] = {}
    for i in random.permutation(len(rows)):
        by_class.setdefault(work.called(rows[i]), []).append(rows[i])
    turns = [(turn, k, row) for k, of in sorted(by_class.items()) for turn, row in enumerate(of)]
    chosen = {row.case for _, _, row in sorted(turns, key=lambda t: t[:2])[:count]}
    return tuple(row for row in rows if row.case in chosen)


def _all_maps(work: _Work, rows: Sequence[results.PredictionRow], heard: Listener) -> np.ndarray | None:
    """(n, K, h, w) raw maps, or None when it was stopped."""
    found, step = [], work.explainer.step
    for at in range(0, len(rows), step):
        if heard.should_stop():
            return None
        found.append(work.explainer.signed(work.shown(rows[at : at + step]), work.method))
        heard.phase("explain", "Making the maps of the test cases", min(at + step, len(rows)), len(rows))
    return np.concatenate(found)


def _sampled(work: _Work, rows: Sequence[results.PredictionRow], count: int) -> tuple[results.PredictionRow, ...]:
    return _drawn(work, rows, count) if count else ()


def _checked(
    work: _Work, rows: Sequence[results.PredictionRow], heard: Listener
) -> tuple[tuple[MapCheck, ...], tuple[Step, ...]] | None:
    """The badges, and how the map changed as more was shuffled; None when it was stopped."""
    from medtl.explanation import checks

    explainer, method = work.explainer, work.method
    kept: list[np.ndarray] = []
    steady: list[np.ndarray] = []
    names: tuple[str, ...] = ()
    random: dict[str, list[float]] = {"deletion": [], "insertion": [], "road": []}
    centre: dict[str, list[float]] = {name: [] for name in random}
    step = explainer.step
    for at in range(0, len(rows), step):
        some = rows[at : at + step]
        x, classes = explainer.input(work.shown(some)), [work.called(row) for row in some]
        maps = np.stack([explainer.maps.raw(x[i : i + 1], [k], method)[0, 0] for i, k in enumerate(classes)])
        drawable = [bool(np.isfinite(one).all() and one.max() > 0) for one in maps]
        lost = checks.shuffled(explainer.maps, x, classes, method, seed=work.seed)
        names = lost.names
        kept.append(np.where(np.array(drawable)[:, None], lost.kept, np.nan))
        stays = checks.steady(explainer.maps, x, classes, method, seed=work.seed).mean(axis=1)
        steady.append(np.where(drawable, stays, np.nan))
        for i, k in enumerate(classes):
            if heard.should_stop():
                return None
            found = (
                explainer.regions(x[i : i + 1], k, np.maximum(maps[i], 0), seed=work.seed + at + i)
                if drawable[i]
                else {}
            )
            for name in random:
                random[name].append(float(found[name].than_random.mean()) if found else np.nan)
                centre[name].append(found[name].than_centre if found else np.nan)
            heard.phase("explain", "Checking the maps", at + i + 1, len(rows))
    patients = [row.patient for row in rows]
    stayed = np.concatenate(kept)
    made = [
        badges.of_many("shuffled-head", stayed[:, 0], patients, work.seed),
        badges.of_many("shuffled", stayed[:, -1], patients, work.seed),
        *(badges.of_many(name, np.array(random[name]), patients, work.seed, np.array(centre[name])) for name in random),
        badges.of_many("steady", np.concatenate(steady), patients, work.seed),
    ]
    means = [float(np.nanmean(one)) if np.isfinite(one).any() else 0.0 for one in stayed.T]
    return tuple(made), tuple(Step(name, round(value, 4)) for name, value in zip(names, means, strict=True))


# ---- where the maps lie ----------------------------------------------------------------------------------------------


def _summed_up(
    work: _Work, rows: Sequence[results.PredictionRow], maps: np.ndarray, sample: int,
    checks: tuple[MapCheck, ...], steps: tuple[Step, ...], began: float,
) -> Attention:  # fmt: skip
    own = np.stack([maps[i, work.called(row)] for i, row in enumerate(rows)])
    areas: dict[str, list[float]] = {"outside": [], "edge": [], "writing": []}
    lies: dict[str, list[float]] = {name: [] for name in areas}
    cases, counts = [], dict.fromkeys(("ok", *states.NAMED), 0)
    for i, row in enumerate(rows):
        state = states.judged(own[i])
        if state == "ok" and len(maps[i]) > 1 and states.alike(list(maps[i])):
            state = "same"
        counts[state] += 1
        masks = _masks(work, row.case) if state != "invalid" else {}
        found: dict[str, float | None] = {}
        for name in areas:
            mask = masks.get(name)
            share = shares.share(np.maximum(own[i], 0), mask) if mask is not None else np.nan
            lies[name].append(share)
            areas[name].append(float(mask.mean()) if mask is not None else np.nan)
            found[name] = round(share, 4) if np.isfinite(share) else None
        cases.append(CaseAttention(row.case, row.label, row.predicted, state, **found))
    patients = [row.patient for row in rows]
    made = (_share(name, np.array(lies[name]), np.array(areas[name]), rows, patients, work.seed) for name in areas)
    method = METHODS[work.method]
    return Attention(
        method.title, work.explainer.layers[-1], work.explainer.maps.exact(work.method), work.cohort.classes,
        tuple(cases), len(work.rows), sample, {name: n for name, n in counts.items() if n}, checks, steps,
        tuple(one for one in made if one), tuple(work.notes), round(time.monotonic() - began, 2),
        datetime.now(UTC).isoformat(timespec="seconds"),
    )  # fmt: skip


def _masks(work: _Work, case: str) -> dict[str, np.ndarray]:
    """Of one case: its dark or empty parts, the edge, writing; a mask that would be empty is left out."""
    picture = work.pixels.image(case)
    step = max(1, -(-max(picture.shape[:2]) // _LOOKED_AT))
    small = picture[::step, ::step]
    height, width = small.shape[:2]
    found = {"edge": shares.edge(height, width)}
    outside = ~shares.body(small)
    if outside.any():
        found["outside"] = outside
    if work.boxes.get(case):
        found["writing"] = shares.boxes(work.boxes[case], height, width)
    return found


_TITLES = {
    "outside": (
        "At dark or empty parts",
        "lies on dark or empty parts of the picture that reach its edge (in ultrasound a shadow is dark, too)",
    ),
    "edge": ("Along the edges", "lies along the edges of the image"),
    "writing": ("On writing", "lies on writing in the image"),
}


def _share(
    id: str, lies: np.ndarray, areas: np.ndarray, rows: Sequence[results.PredictionRow],
    patients: Sequence[str | None], seed: int,
) -> Share | None:  # fmt: skip
    kept = np.flatnonzero(np.isfinite(lies))
    if not len(kept):
        return None
    value, low, high, how = badges.mean(lies[kept], [patients[int(i)] for i in kept], seed)
    area = float(areas[kept].mean())
    alarm = low > ALARM * area and len(kept) >= 5
    title, where = _TITLES[id]
    says = (
        f"{100 * value:.0f} % of what the maps show ({100 * low:.0f} % to {100 * high:.0f} %; "
        f"n = {len(kept)}) {where}, which takes {100 * area:.0f} % "
        "of the image."
    )
    if alarm:
        says += " The network may use something that is not the patient: look at these cases, then at the Data page."
    worst = sorted(kept, key=lambda i: -lies[i])[:_WORST]
    return Share(
        id, title, Estimate(id, value, low, high, len(kept), how), area, bool(alarm), says,
        tuple(rows[int(i)].case for i in worst),
    )  # fmt: skip


def _boxes(workspace: Workspace, cohort: str) -> dict[str, list[tuple[float, float, float, float]]]:
    """Where a deep check found writing; read as plain numbers, since the check itself knows much that a run does not
    need."""
    found: dict[str, list[tuple[float, float, float, float]]] = {}
    try:
        known = json.loads((workspace.cohort(cohort) / "checkup.json").read_bytes())["boxes"]
        for case, box in known:
            found.setdefault(str(case), []).append((
                float(box["left"]),
                float(box["top"]),
                float(box["right"]),
                float(box["bottom"]),
            ))
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return found


def _read(work: _Work, rows: Sequence[results.PredictionRow], heard: Listener) -> None:
    """Look for writing and markers in the sampled pictures, as far as the reader is installed."""
    from medtl.cohorts.writing import Glasses

    try:
        glasses = Glasses()
    except MedtlError as error:
        work.notes.append(str(error))
        return
    for done, row in enumerate(rows):
        if heard.should_stop():
            return
        for line in glasses.look(work.pixels.image(row.case)):
            work.boxes.setdefault(row.case, []).append((line.left, line.top, line.right, line.bottom))
        heard.phase("explain", "Looking for writing in the sampled images", done + 1, len(rows))


# ---- keep ------------------------------------------------------------------------------------------------------------


def _keep(result: Path, work: _Work, rows: Sequence[results.PredictionRow], maps: np.ndarray, found: Attention) -> None:
    top = np.abs(maps).max(axis=(2, 3))
    scaled = maps / np.where(top > 0, top, 1)[:, :, None, None]
    _write(
        result / attention.MAPS,
        lambda out: np.savez_compressed(
            out, cases=np.array([row.case for row in rows]), classes=np.array(work.cohort.classes),
            maps=scaled.astype(np.float16), scale=top.astype(np.float32),
        ),
    )  # fmt: skip
    write_whole(result / attention.FILE, attention.as_json(found))


def _write(path: Path, save: Callable[[io.BytesIO], None]) -> None:
    out = io.BytesIO()
    save(out)
    write_whole(path, out.getvalue())
