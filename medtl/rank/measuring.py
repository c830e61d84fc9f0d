"""One ranking: every source looks at the same cases, is scored, and the best is named.

Features are cached by content: ranking again after a relabel, and training with any of these sources later, cost no
second look.

Letters: N cases of the cohort, n cases looked at, D features, K classes.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medtl.cohorts import importing
from medtl.cohorts import library as cohorts
from medtl.cohorts.pixels import Pixels
from medtl.errors import MedtlError, NotReady
from medtl.rank import sentences
from medtl.rank.values import FILE, MAP, Ranked, Ranking, load, nearest
from medtl.sources import library as sources
from medtl.strategies import make
from medtl.transferability import race
from medtl.vocabulary import Cohort, Estimate, InputSpec, Source, to_dict
from medtl.workspace import Workspace, write_whole

if TYPE_CHECKING:
    import numpy as np

    from medtl.modalities.image import ImageInputs
    from medtl.sources.network import Network
    from medtl.training.device import Device
    from medtl.transferability.choice import Standing
    from medtl.transferability.crossvalidation import OutOfFold

LOOKED_AT = 600  # training cases that are looked at, at most, so that a few small sources take about a minute
RUNS = 5  # finished runs that are ranked along when nobody says which sources, newest first
SEEN_TOO_MUCH = 0.01  # share of the cases a source may have seen and still be recommended
IN_MEMORY = 600_000_000  # bytes of prepared images that are kept in memory for the next source of the same size
TELLING = 30  # cases from which on a distance says more about the images than about their number
TIMED = 3  # cases shown one by one to learn what a prediction costs
OTHERS = 200  # cases of a run's own cohort that are compared with these, where it is still there

Progress = Callable[[int, int], None]


def run(
    ws: Workspace,
    cohort_id: str,
    source_ids: Sequence[str] = (),
    *,
    with_race: bool = False,
    most: int = LOOKED_AT,
    on_progress: Progress | None = None,
) -> Ranking:
    """Rank sources (none named: all that lie on this computer) and keep the answer beside the cohort.

    What was measured on this version before is ranked along. Raises MedtlError when the cohort or a named source cannot
    be used. Another source that fails is listed with why.
    """
    return Measuring(ws, cohorts.load(ws, cohort_id), most, on_progress).rank(source_ids, with_race)


def listed(ws: Workspace, cohort: Cohort) -> tuple[Source, ...]:
    """The sources that are ranked when nobody names any: all on this computer, of finished runs the newest."""
    known = [s for s in sources.sources(ws) if s.available and s.on_disk and s.modality == cohort.modality]
    runs = [source for source in known if source.origin == "run"][:RUNS]
    return tuple(source for source in known if source.origin != "run" or source in runs)


class _Progress:
    """Cases looked at, of all sources together."""

    def __init__(self, tell: Progress | None, total: int) -> None:
        self.tell, self.total, self.done = tell, total, 0

    def reach(self, done: int) -> None:
        self.done = min(done, self.total)
        if self.tell:
            self.tell(self.done, self.total)


class Measuring:
    """One ranking: the cohort, the cases that are looked at, and what all sources share."""

    def __init__(self, ws: Workspace, cohort: Cohort, most: int, on_progress: Progress | None) -> None:
        import numpy as np

        from medtl.modalities.image import keys, together

        self.began = time.monotonic()
        self.ws, self.cohort, self.tell = ws, cohort, on_progress
        self.forward, self.computed = 0.0, 0
        self._chosen: Device | None = None
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
        self.ids = [case.id for case in cohort.cases]
        self.inputs: dict[tuple[int, int], _Pictures] = {}
        self.maps: dict[str, np.ndarray] = {}
        self.scores: dict[str, np.ndarray] = {}  # source -> (n, K) out of fold
        self.standing: dict[str, Standing] = {}
        self.notes: list[str] = []
        self._draw(most)
        renumbered = np.full(len(cohort.classes), -1)
        renumbered[self.present] = np.arange(len(self.present))
        self.y = renumbered[self.labels[self.rows]]
        self.classes = [cohort.classes[k] for k in self.present]
        self.positive = cohort.positive if cohort.positive in self.classes and len(self.classes) == 2 else None
        known = [case.patient for case in cohort.cases]
        anybody = any(who is not None for who in known)
        self.patients = np.array(known, dtype=object)[self.rows] if anybody else None
        if not anybody:
            self.notes.append(
                "Nobody said which images are of the same patient: only copies were kept together, and the scores may "
                "look better than they are."
            )
        self.thumbnails = self.pixels.thumbnails(self.ids)

    def _draw(self, most: int) -> None:
        """The training cases that are looked at, of the classes that can be scored out of fold."""
        import numpy as np

        train = np.flatnonzero(self.part == "train")
        self.of = len(train)
        rows = _drawn(train, self.groups, self.labels, self.ids, most)
        several = [
            k for k in range(len(self.cohort.classes)) if len(np.unique(self.groups[rows][self.labels[rows] == k])) > 1
        ]
        left_out = [
            label for k, label in enumerate(self.cohort.classes) if k not in several and (self.labels[train] == k).any()
        ]
        if len(several) < 2:
            raise NotReady(
                "Sources cannot be ranked: in the train part, fewer than two classes have images of two patients.",
                "Add cases of another class, or of more patients, or give a split in which the train part has them.",
            )
        if left_out:
            names = ", ".join(f"'{label}'" for label in left_out)
            self.notes.append(f"Left out of the scores, as its images are of one patient only: {names}.")
        self.present = several
        self.rows = rows[np.isin(self.labels[rows], several)]
        if self.of > len(rows):
            self.notes.append(
                f"Measured on {len(rows):,} of {self.of:,} training cases, whole patients, some of every class first."
            )

    # ---- all sources -------------------------------------------------------------------------------------------------

    def rank(self, source_ids: Sequence[str], with_race: bool) -> Ranking:
        known = sources.sources(self.ws)
        chosen = [known[id] for id in source_ids] or list(listed(self.ws, self.cohort))
        for source in chosen:
            if not source.available:
                raise NotReady(f"The source '{source.title}' cannot be used: {source.why_not}", "Choose another one.")
        if not chosen:
            raise NotReady("No source lies on this computer.", "Add one, or name one that can be fetched (--source).")
        before = load(self.ws, self.cohort.id)
        ids = {source.id for source in chosen}
        earlier = [row.source for row in before.rows if row.source not in ids and row.source in known] if before else []
        # Small ones first: memory that a process has taken for a large network is not given back.
        chosen.sort(key=lambda source: source.outline.parameters)
        progress = _Progress(self.tell, len(self.rows) * len(chosen))
        everyone = [*chosen, *(known[id] for id in earlier if known[id].available and known[id].on_disk)]
        none = self._none()
        rows = [self._guarded(source, none, progress) for source in everyone]
        progress.reach(progress.total)
        laps = {row.source: row.laps for row in before.rows} if before else {}
        rows = [replace(row, laps=laps.get(row.source, ())) for row in rows]
        found = self._judged(rows, none)
        found = replace(found, fine_tune=before.fine_tune, says_race=before.says_race) if before else found
        self._keep(found)
        if with_race:  # long, and what was measured until then is worth having
            found = self._raced(found, {source.id: source for source in everyone})
            self._keep(found)
        return found

    def _guarded(self, source: Source, none: OutOfFold, progress: _Progress) -> Ranked:
        """One source that cannot be had or measured must not hide the others."""
        try:
            return self._one(source, none, progress)
        except MedtlError as error:
            says = str(error)
        except Exception as error:  # noqa: BLE001 - networks brought from anywhere fail in ways of their own
            says = f"It could not be measured ({type(error).__name__}: {error})."
        progress.reach((progress.done // len(self.rows) + 1) * len(self.rows))
        return Ranked(source.id, source.title, says=says, sha256=source.sha256)

    def _none(self) -> OutOfFold:
        """What can be had without any source, by the same head in the same folds."""
        import numpy as np

        from medtl.transferability.crossvalidation import out_of_fold

        flat = self.thumbnails[self.rows].reshape(len(self.rows), -1).astype(np.float32) / 255
        found = out_of_fold(flat, self.y, self.groups[self.rows], len(self.classes))
        assert found is not None, "classes of one group were left out"
        return found

    def _judged(self, rows: list[Ranked], none: OutOfFold) -> Ranking:
        """Best first; what is recommended, and in which words."""
        from medtl.evaluation.comparison import verdict
        from medtl.transferability.choice import Candidate, choose

        rows.sort(key=lambda row: (-(row.score.value if row.score else -1.0), row.loss or math.inf))
        measured = [row for row in rows if row.score]
        fit = [row for row in measured if row.seen <= SEEN_TOO_MUCH * len(self.cohort.cases)]
        base = Ranking(
            self.cohort.id, datetime.now(UTC).isoformat(timespec="seconds"), tuple(rows), self._estimate(none), "", "",
            "", cases=len(self.rows), of=self.of, seconds=round(time.monotonic() - self.began, 2),
            forward=round(self.forward, 2), computed=self.computed, notes=tuple(self.notes),
        )  # fmt: skip
        if not fit:
            why = (
                "every source that was measured has been trained on images of this cohort"
                if measured
                else "none could be measured"
            )
            return replace(base, says=f"No source can be recommended by measurement: {why}.")
        candidates = [
            Candidate(row.source, self.scores[row.source], row.score.value, self.standing[row.source])
            for row in fit
            if row.score
        ]
        taken, equal = choose(candidates, self.y, self.classes, self.positive, self.patients)
        verdicts = {row.source: verdict(row.over_none) for row in fit if row.over_none}
        # Whether transfer helps is asked of all of them; which one to take, of those that cannot be told apart.
        helps = "helps" if "helps" in verdicts.values() else verdicts.get(taken.source, "")
        tied = tuple(one.source for one in equal if one is not taken)
        says = sentences.advice(taken, equal, fit, len(measured) - len(fit), helps, base)
        return replace(base, recommended=taken.source, helps=helps, tied=tied, says=says)

    def _estimate(self, found: OutOfFold) -> Estimate:
        from medtl.evaluation.comparison import paired

        auroc, _ = paired(self.y, found.scores, found.scores, self.classes, self.positive, self._draws())
        return self._told(auroc, found)

    def _told(self, auroc: Estimate, found: OutOfFold) -> Estimate:
        by = "by patient" if self.patients is not None else "by image"
        return replace(auroc, how=f"{found.how} {by}; {auroc.how}")

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

    def _one(self, source: Source, none: OutOfFold, progress: _Progress) -> Ranked:
        import numpy as np

        from medtl.evaluation.comparison import paired
        from medtl.transferability import scores, seen
        from medtl.transferability.choice import expected
        from medtl.transferability.crossvalidation import out_of_fold

        row, features = self._look(source, progress)
        if not np.isfinite(features).all():
            raise MedtlError(
                "It answers with numbers that are none.", "Look at its card: which brightness does it want?"
            )
        k = len(self.classes)
        found = out_of_fold(features, self.y, self.groups[self.rows], k)
        assert found is not None, "classes of one group were left out"
        auroc, less = paired(self.y, none.scores, found.scores, self.classes, self.positive, self._draws())
        row = replace(
            row,
            score=self._told(auroc, found),
            over_none=replace(less, value=-less.value, low=-less.high, high=-less.low),
            loss=round(found.loss, 4),
            logme=round(scores.log_me(features, self.y, k), 4),
            h_score=round(scores.h_score(features, self.y, k), 4),
        )
        if (own := self._own_answers(source, features)) is not None:
            row = replace(row, leep=round(scores.leep(own, self.y, k), 4), nce=round(scores.nce(own, self.y, k), 4))
        row = self._how_far(source, row, features)
        if source.weights and len(before := seen.load(Path(source.weights).parent)):
            copies = int(seen.among(seen.fingerprints(self.thumbnails), before).sum())
            says = sentences.seen_before(copies, len(self.cohort.cases)) if copies else row.says
            row = replace(row, seen=copies, says=says)
        self.scores[source.id] = found.scores
        self.standing[source.id] = expected(source, row.nearness)
        self.maps[source.id] = _plane(found.turned)
        return row

    def _how_far(self, source: Source, row: Ranked, features: np.ndarray) -> Ranked:
        """With the distance to what it learned from, where it keeps statistics of that; of very few cases none is told,
        as it would be that of their number."""
        from medtl.transferability import distance, statistics

        if source.weights and len(features) >= TELLING and (mine := statistics.learn(features)):
            apart = distance.nearest(statistics.load(Path(source.weights).parent), mine)
            if apart:
                row = replace(row, distance=round(apart.share, 3), nearness=apart.nearness)
        if (told := self._told_apart(source, features)) is not None:
            row = replace(row, told_apart=round(told, 3))
        return row

    def _look(self, source: Source, progress: _Progress) -> tuple[Ranked, np.ndarray]:
        """What looking cost, and (n, D) features: from the cache where known; only otherwise is torch loaded."""
        import numpy as np

        from medtl.training.features import FeatureCache

        wanted = [self.keys[i] for i in self.rows]
        cache = FeatureCache(self.ws.features, source.sha256, source.input)
        known = cache.load(wanted) if source.sha256 else {}
        before = nearest(self.ws, self.cohort)
        earlier = before.row(source.id) if before else None
        row = Ranked(source.id, source.title, sha256=source.sha256)
        if earlier:
            row = replace(row, seconds=earlier.seconds, per_case=earlier.per_case, memory_mb=earlier.memory_mb)
        missing = np.array([n for n, key in enumerate(wanted) if key not in known], dtype=np.int64)
        if len(missing):
            fresh, row = self._show(source, row, missing, progress)
            # Some sources have no weights, and no hash, before they are used for the first time.
            source = next((now for now in sources.sources(self.ws) if now.id == source.id), source)
            row = replace(row, sha256=source.sha256)
            if source.sha256 and self.ws.cohort(self.cohort.id).exists():  # deleted meanwhile: nothing is kept of it
                FeatureCache(self.ws.features, source.sha256, source.input).add([wanted[n] for n in missing], fresh)
            known.update({wanted[n]: features for n, features in zip(missing, fresh, strict=True)})
            self.computed += len(missing)
        return row, np.stack([known[key] for key in wanted])

    def _show(self, source: Source, row: Ranked, which: np.ndarray, progress: _Progress) -> tuple[np.ndarray, Ranked]:
        """Features of the cases `which` (numbers among `rows`), and what it cost: for all cases, for one alone."""
        import numpy as np

        from medtl.training import cost
        from medtl.training.inference import Eye

        pictures = self._pictures(source.input)
        eye = Eye(self._network(source), source.input, self._device())
        at = progress.done
        eye.features(pictures.take, which[:1])  # what only the first pass costs is told of no case
        peak = _Peak()
        began, taking = time.monotonic(), [0.0]

        def take(indices: np.ndarray) -> np.ndarray:
            start = time.monotonic()
            taken = pictures.take(indices)
            taking[0] += time.monotonic() - start
            return taken

        features = eye.features(take, which, lambda done, _: progress.reach(at + done))
        seconds = time.monotonic() - began
        self.forward += seconds - taking[0]
        cost.remember(self.ws, source, len(which) * source.outline.gflop, seconds)
        start = time.monotonic()
        for one in which[:TIMED]:
            eye.features(pictures.take, np.array([one]))
        per_case = (time.monotonic() - start) / min(TIMED, len(which))
        return features, replace(
            row,
            seconds=round(seconds * len(self.rows) / len(which), 2),
            per_case=round(per_case, 4),
            memory_mb=peak.mb(),
        )

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
        labels = np.zeros(len(theirs.cases), np.int64)
        rows = _drawn(train, groups, labels, [case.id for case in theirs.cases], OTHERS)

        def compute(missing: np.ndarray) -> np.ndarray:
            from medtl.modalities.image import ImageInputs
            from medtl.training.inference import Eye

            eye = Eye(self._network(source), source.input, self._device())
            return eye.features(ImageInputs(folder, theirs, source.input).take, missing)

        names = keys(pixels, theirs)
        cache = FeatureCache(self.ws.features, source.sha256, source.input)
        own = cached(cache, [names[row] for row in rows], lambda missing: compute(rows[missing]))
        mine = self.groups[self.rows] + int(groups.max()) + 1
        return distance.told_apart(own, features, np.concatenate([groups[rows], mine]))

    def _network(self, source: Source) -> Network:
        self._device()  # settings of the process come before the first network
        from medtl.sources.weights import load_network

        return load_network(source, self.ws.weights, len(self.classes))

    def _device(self) -> Device:
        if self._chosen is None:
            from medtl.training.machine import share_the_cores

            share_the_cores()  # before torch is loaded
            from medtl.training import device as devices

            devices.prepare_process()
            self._chosen = devices.choose()
        return self._chosen

    def _pictures(self, spec: InputSpec) -> _Pictures:
        """The cases looked at, at the size a source wants; sources of one size share them."""
        key = (spec.channels, spec.size)
        if key not in self.inputs:
            self.inputs[key] = _Pictures(self._inputs(spec), self.rows)
        return self.inputs[key]

    def _inputs(self, spec: InputSpec) -> ImageInputs:
        from medtl.modalities.image import ImageInputs

        return ImageInputs(self.ws.cohort(self.cohort.id), self.cohort, spec)

    def _own_answers(self, source: Source, features: np.ndarray) -> np.ndarray | None:
        """(n, Z) what the source's own last layer says of these cases, where it has one that reads these features."""
        import numpy as np

        from medtl.training.features import FeatureCache
        from medtl.training.head import softmax

        if not source.sha256:
            return None
        file = FeatureCache(self.ws.features, source.sha256, source.input).folder / "head.npy"
        if not file.exists():
            from medtl.sources.weights import head_of

            found = head_of(source, self.ws.weights)
            whole = np.zeros((0, 0), np.float32) if found is None else np.column_stack(found)
            file.parent.mkdir(parents=True, exist_ok=True)
            content = io.BytesIO()
            np.save(content, whole.astype(np.float32))
            write_whole(file, content.getvalue())
        head = np.load(file)
        if not len(head) or head.shape[1] != features.shape[1] + 1:
            return None
        return softmax(features.astype(np.float64) @ head[:, :-1].T.astype(np.float64) + head[:, -1])

    # ---- the race ----------------------------------------------------------------------------------------------------

    def _raced(self, found: Ranking, known: Mapping[str, Source]) -> Ranking:
        """The best three train up to four epochs, on the cases that were looked at, judged by the tune part."""
        import numpy as np

        seen_too_much = SEEN_TOO_MUCH * len(self.cohort.cases)
        fit = [row for row in found.rows if row.score and row.seen <= seen_too_much]
        if len(fit) < 2:
            return replace(found, says_race="A race takes two sources that were not trained on these images.")
        tune = np.flatnonzero(self.part == "tune")
        tune = tune[np.isin(self.labels[tune], self.present)]
        tune = _drawn(tune, self.groups, self.labels, self.ids, LOOKED_AT)
        entrants = [self._entrant(known[row.source], tune) for row in fit[: race.ENTRANTS]]
        try:
            # Named like an upload, so that what a crash leaves is cleared away with those.
            with tempfile.TemporaryDirectory(dir=self.ws.spool, prefix=importing.UPLOAD) as folder:
                laps = race.run(entrants, Path(folder))
        except Exception as error:  # noqa: BLE001 - a race that fails must not cost what was measured before it
            return replace(found, says_race=f"The race could not be run to its end ({type(error).__name__}: {error}).")
        rows = tuple(
            replace(row, laps=tuple((lap.epochs, lap.auroc) for lap in laps if lap.source == row.source))
            for row in found.rows
        )
        last = laps[-1]
        auroc = f": AUROC {last.auroc:.2f}" if math.isfinite(last.auroc) else ""
        says = (
            f"For adapting the whole network, '{known[last.source].title}' led after {last.epochs} short epochs on "
            f"{len(self.rows):,} cases, judged by {len(tune):,} of the tune part{auroc}. One race of one seed: a hint."
        )
        return replace(found, rows=rows, fine_tune=last.source, says_race=says)

    def _entrant(self, source: Source, tune: np.ndarray) -> race.Entrant:
        import numpy as np

        from medtl.training.checkpoint import Checkpoint
        from medtl.training.examples import Examples, Listener
        from medtl.training.features import FeatureCache
        from medtl.training.fit import Engine

        both = np.concatenate([self.rows, tune])
        renumbered = np.searchsorted(self.present, self.labels[both])
        examples = Examples(
            inputs=_Pictures(self._inputs(source.input), both), labels=renumbered, train=np.arange(len(self.rows)),
            tune=np.arange(len(self.rows), len(both)), test=np.zeros(0, np.int64),
            keys=tuple(self.keys[row] for row in both), classes=len(self.classes),
        )  # fmt: skip

        def engine(listener: Listener, checkpoint: Checkpoint) -> Engine:
            cache = FeatureCache(self.ws.features, source.sha256, source.input) if source.sha256 else None
            return Engine(examples, source.input, self._device(), 0, listener, cache, checkpoint)

        plan = make("fine-tune", {"epochs": race.ROUNDS[-1]}).plan(source.outline, len(self.classes))
        return race.Entrant(source.id, lambda: self._network(source), engine, plan)

    # ---- keep --------------------------------------------------------------------------------------------------------

    def _keep(self, found: Ranking) -> None:
        import numpy as np

        folder = self.ws.cohort(self.cohort.id)
        arrays: dict[str, Any] = {"cases": np.array([self.ids[i] for i in self.rows]), **self.maps}
        content = io.BytesIO()
        np.savez(content, **arrays)
        write_whole(folder / MAP, content.getvalue())
        write_whole(folder / FILE, json.dumps(to_dict(found), ensure_ascii=False))


def _drawn(rows: np.ndarray, groups: np.ndarray, labels: np.ndarray, ids: Sequence[str], most: int) -> np.ndarray:
    """At most so many of the cases: whole groups, in an order by the ids alone; first some of every class, so that a
    rare one is not thinned away."""
    import numpy as np

    if len(rows) <= most:
        return rows
    mine: dict[int, list[int]] = {}
    for row in rows:
        mine.setdefault(int(groups[row]), []).append(int(row))
    order = sorted(mine.values(), key=lambda group: hashlib.sha256(min(ids[row] for row in group).encode()).digest())
    classes = np.unique(labels[rows])
    room, drawn, left = most // (2 * len(classes)), list[int](), list[list[int]]()
    held = dict.fromkeys(classes.tolist(), 0)
    for group in order:
        wanted = any(held[label] < room for label in labels[group].tolist())
        if wanted and len(drawn) + len(group) <= most:
            drawn += group
            for label in labels[group].tolist():
                held[label] += 1
        else:
            left.append(group)
    for group in left:
        if len(drawn) + len(group) <= most:
            drawn += group
    return np.array(sorted(drawn), dtype=np.int64)


class _Pictures:
    """Some cases at the size a source wants, numbered anew; prepared once where they fit in memory."""

    def __init__(self, inputs: ImageInputs, rows: np.ndarray) -> None:
        self.inputs, self.rows = inputs, rows
        self._kept: np.ndarray | None = None
        self.fits = len(rows) * inputs.channels * inputs.size**2 <= IN_MEMORY

    def take(self, indices: np.ndarray) -> np.ndarray:
        """(b,) numbers -> (b, C, S, S) uint8."""
        import numpy as np

        if not self.fits:
            return self.inputs.take(self.rows[indices])
        if self._kept is None:
            self._kept = np.ascontiguousarray(self.inputs.take(self.rows))
        return np.asarray(self._kept[indices])

    def keep(self, on_progress: Progress) -> None:
        """What `fit` asks before it trains; `take` keeps by itself."""


def _plane(turned: np.ndarray) -> np.ndarray:
    """(n, r) -> (n, 2): the two directions in which the standardised features spread most."""
    import numpy as np

    plane = turned[:, :2]
    return np.pad(plane, ((0, 0), (0, 2 - plane.shape[1]))).astype(np.float32)


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
