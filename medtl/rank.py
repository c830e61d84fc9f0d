"""Which pretrained model suits this cohort, answered by measurement before any training.

It knows the order of things, what is kept and the sentences; the scores themselves are `transferability`'s. It changes
nothing: the answer lies beside the cohort, as ranking.json. `run` is for a process of its own (`medtl rank`); `load`
and `recommended` are for anybody and load no torch. Features are cached by content, so that ranking again after a
relabel, and training with any of these sources later, cost no second look.

Letters: N cases of the cohort, n cases looked at, D features, K classes.
"""

from __future__ import annotations

import hashlib
import json
import math
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medtl.cohorts import library as cohorts
from medtl.cohorts.pixels import Pixels
from medtl.errors import MedtlError, NotReady
from medtl.sources import library as sources
from medtl.strategies import Recommendation, make, recommend
from medtl.vocabulary import Cohort, Estimate, InputSpec, Source, to_dict
from medtl.workspace import Workspace, write_whole

if TYPE_CHECKING:
    import numpy as np

    from medtl.modalities.image import ImageInputs
    from medtl.sources.network import Network
    from medtl.transferability.choice import Standing
    from medtl.transferability.crossvalidation import OutOfFold

FILE, MAP = "ranking.json", "ranking-map.npz"
LOOKED_AT = 600  # training cases that are looked at, at most: the interval is then ±0.02, and six sources take a minute
RUNS = 5  # finished runs that are ranked along when nobody says which sources, newest first
SEEN_TOO_MUCH = 0.01  # share of the cases a source may have seen and still be recommended
KEEP_BELOW = 1_500_000_000  # bytes of prepared images that are kept on disk for the training that follows
TIMED = 3  # cases shown one by one to learn what a prediction costs
OTHERS = 200  # cases of a run's own cohort that are compared with these, where it is still there
RACE_EPOCHS = 7  # of all three entrants together: `race.epochs_in_all(3)`

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Ranked:
    """One source on this cohort. Scores that could not be had are None; `says` tells why, or what is remarkable.

    `score`: macro AUROC out of fold of a well-fitted last layer; `over_none`: that minus what thumbnails reach.
    `distance`: Fréchet distance to what the source learned from, as a share of its own spread; `nearness` in a word.
    `told_apart`: AUROC of telling its own cases from these. `seen`: cases of this cohort it was trained on. `seconds`
    and `memory_mb` for looking at the cases here (peak of the whole process); `per_case` seconds of one prediction.
    `laps`: tune AUROC after the epochs it was given in the race.
    """

    source: str
    title: str
    score: Estimate | None = None
    over_none: Estimate | None = None
    loss: float | None = None
    logme: float | None = None
    h_score: float | None = None
    leep: float | None = None
    nce: float | None = None
    distance: float | None = None
    nearness: str = ""
    told_apart: float | None = None
    seen: int = 0
    seconds: float | None = None
    per_case: float | None = None
    memory_mb: int | None = None
    laps: tuple[tuple[int, float], ...] = ()
    says: str = ""


@dataclass(frozen=True)
class Ranking:
    """Sources of one cohort, best first. `control` is what no transfer reaches, `helps` whether the recommended source
    was seen to be better than it ("helps", "no difference seen", "hurts"). `tied` cannot be told from the recommended.
    `forward` are the seconds of bare forward passes among `seconds`; `computed` how many features were not cached.
    """

    cohort: str
    at: str
    rows: tuple[Ranked, ...]
    control: Estimate | None
    recommended: str
    helps: str
    says: str
    tied: tuple[str, ...] = ()
    fine_tune: str = ""  # the source that led the race
    says_race: str = ""
    cases: int = 0
    of: int = 0
    seconds: float = 0.0
    forward: float = 0.0
    computed: int = 0
    notes: tuple[str, ...] = ()

    def row(self, source: str) -> Ranked | None:
        return next((row for row in self.rows if row.source == source), None)


def run(
    ws: Workspace,
    cohort_id: str,
    source_ids: Sequence[str] = (),
    *,
    race: bool = False,
    most: int = LOOKED_AT,
    on_progress: Progress | None = None,
) -> Ranking:
    """Rank sources (none named: all that lie on this computer) and keep the answer beside the cohort.

    Raises MedtlError when the cohort or a named source cannot be used. Another source that fails is listed with why.
    """
    return _Measuring(ws, cohorts.load(ws, cohort_id), most, on_progress).rank(source_ids, race)


def load(ws: Workspace, cohort_id: str) -> Ranking | None:
    """What was measured on this very version, or None when it was not, or the file is damaged."""
    try:
        return _from_dict(json.loads((ws.cohort(cohort_id) / FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def load_map(ws: Workspace, cohort_id: str) -> dict[str, Any]:
    """ "cases": ids, and source id -> (n, 2) float32, the cohort in its eyes; empty when nothing was measured."""
    import numpy as np

    try:
        with np.load(ws.cohort(cohort_id) / MAP, allow_pickle=False) as file:
            return {name: file[name].tolist() if name == "cases" else file[name] for name in file.files}
    except (OSError, ValueError, KeyError, EOFError):
        return {}


def nearest(ws: Workspace, cohort: Cohort) -> Ranking | None:
    """What was measured on this version or, where nothing was, on the nearest one before it."""
    at = cohort
    while (found := load(ws, at.id)) is None and at.parent:
        try:
            at = cohorts.load(ws, at.parent)
        except MedtlError:  # deleted; what stood before it cannot be reached any more
            return None
    return found


def recommended(ws: Workspace, cohort: Cohort, known: Iterable[Source]) -> Recommendation:
    """The source and strategy to begin with: as measured where sources were ranked, else by their cards."""
    return advised(cohort, known, nearest(ws, cohort))


def advised(cohort: Cohort, known: Iterable[Source], found: Ranking | None) -> Recommendation:
    """The same, for those who have the ranking at hand."""
    known = tuple(known)
    by_card = recommend(cohort, known)
    if found is None or found.recommended not in {source.id for source in known if source.available}:
        return by_card
    basis = "measured on this cohort" if found.cohort == cohort.id else "measured before the last change of this cohort"
    return replace(by_card, source=found.recommended, says_source=found.says, basis=basis)


def listed(ws: Workspace, cohort: Cohort) -> tuple[Source, ...]:
    """The sources that are ranked when nobody names any: all on this computer, and the newest runs of other cohorts."""
    known = [s for s in sources.sources(ws) if s.available and s.on_disk and s.modality == cohort.modality]
    runs = [source for source in known if source.origin == "run"][:RUNS]
    return tuple(source for source in known if source.origin != "run" or source in runs)


def known(ws: Workspace) -> tuple[Source, ...]:
    """Every source there is, also those that would have to be fetched first."""
    return tuple(sources.sources(ws))


def takes(ws: Workspace, cohort: Cohort, with_sources: Iterable[Source]) -> float:
    """Seconds it takes here to look at the cases with these sources, before it starts."""
    from medtl.training import cost

    share = min(LOOKED_AT, len(cohort.split.train)) / max(1, len(cohort.cases))
    return sum(cost.estimate(ws, cohort, source, ()).seconds * share for source in with_sources)


def race_takes(ws: Workspace, cohort: Cohort, with_sources: Iterable[Source]) -> float:
    """Seconds a race among these takes here, before it starts."""
    from medtl.training import cost

    share = min(1.0, LOOKED_AT / max(1, len(cohort.split.train)))
    seconds = []
    for source in with_sources:
        plan = make("fine-tune", {"epochs": 1}).plan(source.outline, len(cohort.classes))
        seconds.append(cost.estimate(ws, cohort, source, plan).seconds * share)
    return RACE_EPOCHS * sum(seconds) / max(1, len(seconds))


def race_says(ws: Workspace, cohort_id: str) -> str:
    """What a race would cost on this computer, before it starts."""
    from medtl.training import cost

    cohort = cohorts.load(ws, cohort_id)
    needs = cost.in_words(race_takes(ws, cohort, listed(ws, cohort)))
    return f"The race trains the best three sources 1, 2 and 4 short epochs: {needs} on this computer."


class _Progress:
    """Cases looked at, of all sources together."""

    def __init__(self, tell: Progress | None, total: int) -> None:
        self.tell, self.total, self.done = tell, total, 0

    def reach(self, done: int) -> None:
        self.done = min(done, self.total)
        if self.tell:
            self.tell(self.done, self.total)


@dataclass
class _Eyes:
    """What came of looking with one source."""

    features: np.ndarray  # (n, D)
    seconds: float | None
    forward: float
    computed: int
    per_case: float | None
    memory_mb: int | None


class _Measuring:
    """One ranking: the cohort, the cases that are looked at, and what all sources share."""

    def __init__(self, ws: Workspace, cohort: Cohort, most: int, on_progress: Progress | None) -> None:
        import numpy as np

        from medtl.modalities.image import keys, together

        self.began = time.monotonic()
        self.ws, self.cohort, self.tell = ws, cohort, on_progress
        if cohort.task == "multi-label":
            raise NotReady(
                f"An image of this cohort can have several of {len(cohort.classes)} findings; sources are ranked for "
                "one.",
                "Choose on the Data page which finding is to be learned (or `cohort edit ID --outcome FINDING`).",
            )
        self.pixels = Pixels(ws.cohort(cohort.id))
        self.groups = together(self.pixels, cohort)
        self.keys = keys(self.pixels, cohort)
        self.index = {label: number for number, label in enumerate(cohort.classes)}
        self.labels = np.array([self.index[case.label] for case in cohort.cases], dtype=np.int64)
        self.part = np.array([cohort.split.part_of().get(case.id, "") for case in cohort.cases])
        train = np.flatnonzero(self.part == "train")
        self.rows = _drawn(train, self.groups, [case.id for case in cohort.cases], most)
        self.of = len(train)
        self.present = [k for k in range(len(cohort.classes)) if (self.labels[self.rows] == k).any()]
        if len(self.present) < 2:
            raise NotReady(
                "Sources cannot be ranked: the train part holds cases of one class only.",
                "Add cases of another class, or give a split in which the train part has both.",
            )
        renumbered = np.full(len(cohort.classes), -1)
        renumbered[self.present] = np.arange(len(self.present))
        self.y = renumbered[self.labels[self.rows]]
        self.classes = [cohort.classes[k] for k in self.present]
        self.positive = cohort.positive if cohort.positive in self.classes and len(self.classes) == 2 else None
        known = [case.patient for case in cohort.cases]
        # Copies are never divided: they count as one patient where nobody says who it is.
        names = [who if who is not None else f"group {group}" for who, group in zip(known, self.groups, strict=True)]
        self.patients = np.array(names, dtype=object)[self.rows]
        self.thumbnails = self.pixels.thumbnails([case.id for case in cohort.cases])
        self.inputs: dict[tuple[int, int], ImageInputs] = {}
        self.maps: dict[str, np.ndarray] = {}
        self.scores: dict[str, np.ndarray] = {}  # source -> (n, K) out of fold
        self.standing: dict[str, Standing] = {}
        self.notes: list[str] = []
        if self.of > len(self.rows):
            self.notes.append(f"Measured on {len(self.rows):,} of {self.of:,} training cases, drawn by patient.")

    # ---- all sources -------------------------------------------------------------------------------------------------

    def rank(self, source_ids: Sequence[str], race: bool) -> Ranking:
        known = sources.sources(self.ws)
        chosen = [known[id] for id in source_ids] or list(listed(self.ws, self.cohort))
        for source in chosen:
            if not source.available:
                raise NotReady(f"The source '{source.title}' cannot be used: {source.why_not}", "Choose another one.")
        if not chosen:
            raise NotReady("No source lies on this computer.", "Add one, or name one that can be fetched (--source).")
        # Small ones first: memory that a process has taken for a large network is not given back.
        chosen.sort(key=lambda source: source.outline.parameters)
        none = self._none()
        progress = _Progress(self.tell, len(self.rows) * len(chosen))
        rows, forward, computed = [], 0.0, 0
        for number, source in enumerate(chosen):
            try:
                row, eyes = self._one(source, none, progress)
                forward, computed = forward + eyes.forward, computed + eyes.computed
            except MedtlError as error:  # one source that cannot be had must not hide the others
                row = Ranked(source.id, source.title, says=str(error))
            rows.append(row)
            progress.reach((number + 1) * len(self.rows))
        laps, says_race = self._race(rows, {source.id: source for source in chosen}) if race else ((), "")
        for number, row in enumerate(rows):
            mine = tuple((lap.epochs, lap.auroc) for lap in laps if lap.source == row.source)
            rows[number] = replace(row, laps=mine)
        found = self._judged(rows, none)
        found = replace(
            found,
            fine_tune=laps[-1].source if laps else "",
            says_race=says_race,
            seconds=round(time.monotonic() - self.began, 2),
            forward=round(forward, 2),
            computed=computed,
        )
        self._keep(found)
        return found

    def _none(self) -> OutOfFold | None:
        """What can be had without any source, by the same head in the same folds."""
        import numpy as np

        from medtl.transferability.crossvalidation import out_of_fold

        flat = self.thumbnails[self.rows].reshape(len(self.rows), -1).astype(np.float32) / 255
        return out_of_fold(flat, self.y, self.groups[self.rows], len(self.classes))

    def _judged(self, rows: list[Ranked], none: OutOfFold | None) -> Ranking:
        """Best first; what is recommended, and in which words."""
        from medtl.evaluation.comparison import verdict
        from medtl.transferability.choice import Candidate, choose

        rows.sort(key=lambda row: (-(row.score.value if row.score else -1.0), row.loss or math.inf))
        fit = [row for row in rows if row.score and row.seen <= SEEN_TOO_MUCH * len(self.cohort.cases)]
        control = self._estimate(none) if none else None
        base = Ranking(
            self.cohort.id, datetime.now(UTC).isoformat(timespec="seconds"), tuple(rows), control, "", "", "",
            cases=len(self.rows), of=self.of, notes=tuple(self.notes),
        )  # fmt: skip
        if not fit:
            why = (
                "no class but one has images of two patients"
                if none is None
                else "every source here was trained on images of this cohort, or could not be used"
            )
            return replace(base, says=f"No source can be recommended by measurement: {why}.")
        candidates = [
            Candidate(row.source, self.scores[row.source], row.score.value, self.standing[row.source])
            for row in fit
            if row.score
        ]
        taken, cannot_be_told = choose(candidates, self.y, self.classes, self.positive, self.patients)
        best = next(row for row in fit if row.source == taken.source)
        helps = verdict(best.over_none) if best.over_none else ""
        tied = tuple(one.source for one in cannot_be_told if one.source != best.source)
        says = _advice(best, fit, tied, taken.standing, helps, base)
        return replace(base, recommended=best.source, helps=helps, tied=tied, says=says)

    def _estimate(self, found: OutOfFold) -> Estimate:
        from medtl.evaluation.comparison import paired

        auroc, _ = paired(self.y, found.scores, found.scores, self.classes, self.positive, self._draws())
        return replace(auroc, how=f"{found.how}; {auroc.how}")

    def _draws(self) -> Any:
        """The draws of patients that all numbers of this ranking share."""
        from medtl.evaluation.resampling import resample
        from medtl.evaluation.thresholds import positive_index
        from medtl.transferability.choice import DRAWS

        if not hasattr(self, "_resampling"):
            at = positive_index(self.classes, self.positive) if len(self.classes) == 2 else None
            self._resampling = resample(self.y, self.patients, at, 0, DRAWS)
        return self._resampling

    # ---- one source --------------------------------------------------------------------------------------------------

    def _one(self, source: Source, none: OutOfFold | None, progress: _Progress) -> tuple[Ranked, _Eyes]:
        from medtl.evaluation.comparison import paired
        from medtl.transferability import distance, scores, seen, statistics
        from medtl.transferability.choice import expected
        from medtl.transferability.crossvalidation import out_of_fold

        eyes = self._look(source, progress)
        row = Ranked(
            source.id, source.title, seconds=eyes.seconds, per_case=eyes.per_case, memory_mb=eyes.memory_mb,
        )  # fmt: skip
        k = len(self.classes)
        found = out_of_fold(eyes.features, self.y, self.groups[self.rows], k)
        if found:
            self.scores[source.id] = found.scores
            against = none.scores if none else found.scores
            auroc, less = paired(self.y, against, found.scores, self.classes, self.positive, self._draws())
            auroc = replace(auroc, how=f"{found.how}; {auroc.how}")
            over = replace(less, value=-less.value, low=-less.high, high=-less.low) if none else None
            row = replace(row, score=auroc, over_none=over, loss=round(found.loss, 4))
        else:
            row = replace(row, says="A class has images of one patient only: no score without a second.")
        row = replace(
            row,
            logme=round(scores.log_me(eyes.features, self.y, k), 4),
            h_score=round(scores.h_score(eyes.features, self.y, k), 4),
        )
        if (own := self._own_answers(source, eyes.features)) is not None:
            row = replace(row, leep=round(scores.leep(own, self.y, k), 4), nce=round(scores.nce(own, self.y, k), 4))
        folder = Path(source.weights).parent
        learned, mine = statistics.load(folder) if source.weights else (), statistics.learn(eyes.features)
        if mine and (apart := distance.nearest(learned, mine)):
            row = replace(row, distance=round(apart.share, 3), nearness=apart.nearness)
        if (apart_from_own := self._told_apart(source, eyes.features)) is not None:
            row = replace(row, told_apart=round(apart_from_own, 3))
        if source.weights and len(before := seen.load(folder)):
            copies = int(seen.among(seen.fingerprints(self.thumbnails), before).sum())
            row = replace(row, seen=copies, says=_says_seen(copies, len(self.cohort.cases)) if copies else row.says)
        self.standing[source.id] = expected(source, row.nearness)
        self.maps[source.id] = _plane(eyes.features)
        return row, eyes

    def _look(self, source: Source, progress: _Progress) -> _Eyes:
        """(n, D) from the cache where they are known; only otherwise is torch loaded."""
        import numpy as np

        from medtl.training.features import FeatureCache

        cache = FeatureCache(self.ws.features, source.sha256, source.input)
        wanted = [self.keys[i] for i in self.rows]
        known = cache.load(wanted) if source.sha256 else {}
        before = nearest(self.ws, self.cohort)
        earlier = before.row(source.id) if before else None
        seconds, per_case, memory = (
            (earlier.seconds, earlier.per_case, earlier.memory_mb) if earlier else (None, None, None)
        )
        forward, missing = 0.0, [row for row, key in zip(self.rows, wanted, strict=True) if key not in known]
        if missing:
            fresh, seconds, forward, per_case, memory = self._show(source, np.array(missing), progress)
            if source.sha256:
                cache.add([self.keys[i] for i in missing], fresh)
            known.update({self.keys[i]: row for i, row in zip(missing, fresh, strict=True)})
            seconds = seconds * len(self.rows) / len(missing)
        features = np.stack([known[key] for key in wanted])
        return _Eyes(features, _rounded(seconds), forward, len(missing), per_case, memory)

    def _show(
        self, source: Source, rows: np.ndarray, progress: _Progress
    ) -> tuple[np.ndarray, float, float, float, int | None]:
        """Features (n, D) of `rows`; seconds in all, of them forward, and of one case alone; peak memory in MB."""
        import numpy as np

        from medtl.training import cost
        from medtl.training.inference import Eye

        network, device = self._network(source)
        inputs = self._inputs(source.input)
        eye = Eye(network, source.input, device)
        at = progress.done
        eye.features(inputs.take, rows[:1])  # what only the first pass costs is told of no case
        peak = _Peak()
        began, taking = time.monotonic(), [0.0]

        def take(indices: np.ndarray) -> np.ndarray:
            start = time.monotonic()
            pictures = inputs.take(indices)
            taking[0] += time.monotonic() - start
            return pictures

        features = eye.features(take, rows, lambda done, _: progress.reach(at + done))
        seconds = time.monotonic() - began
        cost.remember(self.ws, source.builder, len(rows) * source.outline.gflop, seconds)
        start = time.monotonic()
        for row in rows[:TIMED]:
            eye.features(inputs.take, np.array([row]))
        per_case = (time.monotonic() - start) / min(TIMED, len(rows))
        return features, seconds, seconds - taking[0], round(per_case, 4), peak.mb()

    def _told_apart(self, source: Source, features: np.ndarray) -> float | None:
        """AUROC of telling a run's own training cases from these, where its cohort is still here and another one."""
        import numpy as np

        from medtl.modalities.image import keys, together
        from medtl.runs import store
        from medtl.training.features import FeatureCache, cached
        from medtl.transferability import distance

        if source.origin != "run":
            return None
        try:
            theirs = cohorts.load(self.ws, store.recipe(self.ws.run(source.id)).cohort)
        except MedtlError:
            return None
        if theirs.first == self.cohort.first:
            return None
        folder = self.ws.cohort(theirs.id)
        pixels, part = Pixels(folder), theirs.split.part_of()
        groups = together(pixels, theirs)
        train = np.array([n for n, case in enumerate(theirs.cases) if part.get(case.id) == "train"])
        rows = _drawn(train, groups, [case.id for case in theirs.cases], OTHERS)

        def compute(missing: np.ndarray) -> np.ndarray:
            from medtl.modalities.image import ImageInputs
            from medtl.training.inference import Eye

            network, device = self._network(source)
            return Eye(network, source.input, device).features(ImageInputs(folder, theirs, source.input).take, missing)

        names = keys(pixels, theirs)
        cache = FeatureCache(self.ws.features, source.sha256, source.input)
        own = cached(cache, [names[row] for row in rows], lambda missing: compute(rows[missing]))
        mine = self.groups[self.rows] + int(groups.max()) + 1
        return distance.told_apart(own, features, np.concatenate([groups[rows], mine]))

    def _network(self, source: Source) -> tuple[Network, Any]:
        from medtl.training.machine import share_the_cores

        share_the_cores()  # before torch is loaded
        from medtl.sources.weights import load_network
        from medtl.training import device as devices

        if not hasattr(self, "device"):
            devices.prepare_process()
            self.device = devices.choose()
        return load_network(source, self.ws.weights, len(self.cohort.classes)), self.device

    def _inputs(self, spec: InputSpec) -> ImageInputs:
        """Pictures at the size a source wants; sources of one size share them, and a training finds them later."""
        from medtl.modalities.image import ImageInputs

        key = (spec.channels, spec.size)
        if key not in self.inputs:
            inputs = ImageInputs(self.ws.cohort(self.cohort.id), self.cohort, spec)
            if len(self.cohort.cases) * inputs.channels * spec.size**2 < KEEP_BELOW:
                try:
                    inputs.keep()
                except (MedtlError, OSError) as error:  # a full disk: worked out as they are asked for
                    self.notes.append(f"Prepared images were not kept ({error}).")
            self.inputs[key] = inputs
        return self.inputs[key]

    def _own_answers(self, source: Source, features: np.ndarray) -> np.ndarray | None:
        """(n, Z) what the source's own last layer says of these cases, where it has one that reads these features."""
        import numpy as np

        from medtl.training.features import FeatureCache
        from medtl.training.head import softmax

        file = FeatureCache(self.ws.features, source.sha256, source.input).folder / "head.npy"
        if not file.exists():
            from medtl.sources.weights import head_of

            found = head_of(source, self.ws.weights)
            whole = np.zeros((0, 0), np.float32) if found is None else np.column_stack(found)
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.with_suffix(".part").open("wb") as out:
                np.save(out, whole.astype(np.float32))
            file.with_suffix(".part").replace(file)
        head = np.load(file)
        if not len(head) or head.shape[1] != features.shape[1] + 1:
            return None
        return softmax(features.astype(np.float64) @ head[:, :-1].T.astype(np.float64) + head[:, -1])

    # ---- the race ----------------------------------------------------------------------------------------------------

    def _race(self, rows: Sequence[Ranked], known: Mapping[str, Source]) -> tuple[tuple[Any, ...], str]:
        """The best three train up to four epochs, on the cases that were looked at and the tune part."""
        import numpy as np

        from medtl.training.checkpoint import Checkpoint
        from medtl.training.features import FeatureCache
        from medtl.training.fit import Engine, Examples, Listener
        from medtl.transferability import race

        fit = sorted((r for r in rows if r.score and not r.seen), key=lambda r: -(r.score.value if r.score else 0))
        if len(fit) < 2:
            return (), "A race takes two sources that were not trained on these images."
        tune = _drawn(np.flatnonzero(self.part == "tune"), self.groups, [c.id for c in self.cohort.cases], LOOKED_AT)

        def entrant(source: Source) -> race.Entrant:
            examples = Examples(
                inputs=self._inputs(source.input), labels=self.labels, train=self.rows, tune=tune,
                test=np.zeros(0, np.int64), keys=self.keys, classes=len(self.cohort.classes),
            )  # fmt: skip

            def engine(listener: Listener, checkpoint: Checkpoint) -> Engine:
                cache = FeatureCache(self.ws.features, source.sha256, source.input) if source.sha256 else None
                return Engine(examples, source.input, self.device, 0, listener, cache, checkpoint)

            plan = make("fine-tune", {"epochs": race.ROUNDS[-1]}).plan(source.outline, len(self.cohort.classes))
            return race.Entrant(source.id, lambda: self._network(source)[0], engine, plan)

        entrants = [entrant(known[row.source]) for row in fit[: race.ENTRANTS]]
        self._network(known[fit[0].source])  # so that the device is chosen
        with tempfile.TemporaryDirectory(dir=self.ws.spool) as folder:
            laps = race.run(entrants, Path(folder))
        last = laps[-1]
        title = known[last.source].title
        return laps, (
            f"For adapting the whole network, '{title}' led after {last.epochs} short epochs on {len(self.rows):,} "
            f"cases (tune part: AUROC {last.auroc:.2f}); {len(entrants) - 1} others fell behind earlier."
        )

    # ---- keep --------------------------------------------------------------------------------------------------------

    def _keep(self, found: Ranking) -> None:
        import numpy as np

        folder = self.ws.cohort(self.cohort.id)
        part = folder / f".{MAP}.part"
        with part.open("wb") as out:
            arrays: dict[str, Any] = {"cases": np.array([self.cohort.cases[i].id for i in self.rows]), **self.maps}
            np.savez(out, **arrays)
        part.replace(folder / MAP)
        write_whole(folder / FILE, json.dumps(to_dict(found), ensure_ascii=False))


# ---- words ----------------------------------------------------------------------------------------------------------


def _advice(
    best: Ranked, fit: Sequence[Ranked], tied: Sequence[str], standing: Standing, helps: str, base: Ranking
) -> str:
    """Which source, its number, who else, and why this one where several could be."""
    assert best.score is not None
    first = f"Take '{best.title}': on {base.cases:,} of your training images a last layer on it reaches {_auroc(best)}"
    others = [row for row in fit if row.score and row.source != best.source]
    equal = [row for row in others if row.source in tied]
    behind = [row for row in others if row.source not in tied]
    if not others:
        second = ", the only source that could be measured."
    elif not equal:
        second = f"; the next, '{behind[0].title}', is behind with {_auroc(behind[0])}."
    else:
        second = f". {_named(equal)} cannot be told from it on so few images; it is preferred because {_why(standing)}."
    if helps == "helps" or base.control is None or best.over_none is None:
        return first + second
    gap = f"{best.over_none.value:+.2f}, {best.over_none.low:+.2f} to {best.over_none.high:+.2f}".replace("-", "−")
    return (
        f"{first}{second} But thumbnails with no source at all reach {base.control.value:.2f} (difference {gap}): on "
        "these images transfer was not seen to help, and no transfer is an honest choice."
    )


def _auroc(row: Ranked) -> str:
    assert row.score is not None
    return f"AUROC {row.score.value:.2f} ({row.score.low:.2f} to {row.score.high:.2f})"


def _why(standing: Standing) -> str:
    return (
        "it learned from images like yours",
        "it learned from far more images of all sorts",
        "its score is the highest",
    )[standing]


def _named(rows: Sequence[Ranked], most: int = 2) -> str:
    names = [f"'{row.title}'" for row in rows[:most]]
    more = len(rows) - len(names)
    return (", ".join(names) + f" and {more} more") if more else " and ".join(names)


def _says_seen(copies: int, cases: int) -> str:
    return (
        f"It was trained on {copies:,} of your {cases:,} images, or on near copies of them: its score, and any test "
        "with it, look better than they are."
    )


# ---- small things ---------------------------------------------------------------------------------------------------


def _drawn(rows: np.ndarray, groups: np.ndarray, ids: Sequence[str], most: int) -> np.ndarray:
    """At most so many of the cases, whole groups in an order that depends on the ids alone."""
    import numpy as np

    if len(rows) <= most:
        return rows
    mine: dict[int, list[int]] = {}
    for row in rows:
        mine.setdefault(int(groups[row]), []).append(int(row))
    order = sorted(mine.values(), key=lambda group: hashlib.sha256(min(ids[row] for row in group).encode()).digest())
    found: list[int] = []
    for group in order:
        if len(found) + len(group) <= most:
            found += group
    return np.array(sorted(found), dtype=np.int64)


def _plane(features: np.ndarray) -> np.ndarray:
    """(n, D) -> (n, 2): the two directions in which the standardised features spread most."""
    import numpy as np

    from medtl.transferability.crossvalidation import turned

    plane = turned(features)[:, :2]
    return np.pad(plane, ((0, 0), (0, 2 - plane.shape[1]))).astype(np.float32)


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 2)


class _Peak:
    """Peak memory of this process from here on, where the system can tell (Linux)."""

    def __init__(self) -> None:
        try:
            Path("/proc/self/clear_refs").write_text("5")
        except OSError:
            return

    def mb(self) -> int | None:
        try:
            lines = Path("/proc/self/status").read_text().splitlines()
            return round(int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024)
        except (OSError, StopIteration, ValueError):
            return None


def _from_dict(data: Mapping[str, Any]) -> Ranking:
    def estimate(said: Any) -> Estimate | None:
        return Estimate(**said) if said else None

    rows = tuple(
        Ranked(**{
            **row,
            "score": estimate(row["score"]),
            "over_none": estimate(row["over_none"]),
            "laps": tuple((int(epochs), float(auroc)) for epochs, auroc in row["laps"]),
        })
        for row in data["rows"]
    )
    known = {key: value for key, value in data.items() if key in Ranking.__dataclass_fields__}
    return Ranking(**{
        **known,
        "rows": rows,
        "control": estimate(data["control"]),
        "tied": tuple(data["tied"]),
        "notes": tuple(data["notes"]),
    })
