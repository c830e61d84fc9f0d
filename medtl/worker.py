"""`python -m medtl.worker RUN_FOLDER`: carries one run out from recipe to result. Knows the whole story of a run.

Started by name (medtl.runs.launch), imported by nobody. Everything it has to say goes into the run's folder.
"""

import importlib
import json
import logging
import signal
import sys
import time
import traceback
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medtl.errors import MedtlError
from medtl.runs import events, results, store, turn, wishes
from medtl.vocabulary import Cohort, Recipe, Source, labels_of, task_of
from medtl.workspace import Workspace, whole_folder, write_whole

if TYPE_CHECKING:
    import numpy as np

    from medtl.explanation.neighbours import Neighbours
    from medtl.followup import Tested
    from medtl.sources.network import Network
    from medtl.training.examples import Fitted

log = logging.getLogger("medtl.worker")
EVENTS_PER_SECOND = 4


def main(folder: Path) -> int:
    """Returns the process's exit code: 0 finished or stopped, 2 the user must change something, 1 anything else."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    signal.signal(signal.SIGTERM, lambda *_: store.request_stop(folder))
    try:
        with turn.hold_life(folder):
            return _live(folder)
    except MedtlError as error:  # another process holds the run, or there is none
        log.error("%s", error)
        return 2


def _live(folder: Path) -> int:
    try:
        workspace = Workspace(folder.parent.parent)
        recipe = store.recipe(folder)

        def waiting(position: int) -> None:
            events.append(folder, "waiting", position=position)

        with turn.wait_for_turn(folder, workspace.device_lock, lambda: store.stop_requested(folder), waiting):
            return _Story(workspace, folder, recipe).tell()
    except turn.Stopped:
        if (folder / store.RESULT).is_dir():  # only what was wished for after the result was stopped
            wishes.drop_all(folder)
            events.append(folder, "finished")
            return 0
        events.append(folder, "stopped", says="Stopped before it began; there is nothing to keep.")
        return 0
    except MedtlError as error:
        log.error("%s", error)
        events.append(folder, "failed", message=error.message, advice=error.advice)
        return 2
    except OSError as error:
        log.error("%s", traceback.format_exc())
        full = error.errno == 28
        message = "The disk is full." if full else f"A file could not be used ({error.strerror or error})."
        events.append(
            folder, "failed", message=message,
            advice="Free some space, then resume the run: it goes on from its last checkpoint."
            if full else "Try again; the details are in the run's log.txt.",
        )  # fmt: skip
        return 1
    except Exception as error:  # noqa: BLE001 - the last resort of a process nobody watches: said in the run's folder
        log.error("%s", traceback.format_exc())
        events.append(
            folder,
            "failed",
            message=f"Something unexpected went wrong ({type(error).__name__}).",
            advice=f"Try again; if it happens again, the details for an engineer are in {folder / 'log.txt'}.",
        )
        return 1


class _Listener:
    """Passes on what the engine says, at a readable pace, and looks for the wish to stop."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._last = 0.0

    def phase(self, phase: str, says: str, done: int, total: int) -> None:
        if self._due() or done >= total or done == 0:
            events.append(self.folder, "phase", phase=phase, says=says, done=done, total=total)

    def step(self, **facts: Any) -> None:
        if self._due():
            events.append(self.folder, "step", **facts)

    def epoch(self, **facts: Any) -> None:
        log.info("epoch %s", facts)
        events.append(self.folder, "epoch", **facts)

    def note(self, message: str) -> None:
        log.info("%s", message)
        events.append(self.folder, "note", message=message)

    def should_stop(self) -> bool:
        return store.stop_requested(self.folder)

    def _due(self) -> bool:
        now = time.monotonic()
        if now - self._last < 1 / EVENTS_PER_SECOND:
            return False
        self._last = now
        return True


class _Story:
    """Read, see, fit, judge, keep: one method each."""

    def __init__(self, workspace: Workspace, folder: Path, recipe: Recipe) -> None:
        self.workspace, self.folder, self.recipe = workspace, folder, recipe
        self.listener = _Listener(folder)
        self.seconds: dict[str, float] = {}
        self.began = time.monotonic()
        self.seen_by_frozen: np.ndarray | None = None

    def tell(self) -> int:
        from medtl.training.machine import share_the_cores

        share_the_cores()
        # Imported only now: a run that waits for its turn should not take the memory of one that computes.
        from medtl import followup
        from medtl.training import device as devices
        from medtl.training.examples import Stopped

        devices.prepare_process()
        self.device = devices.choose(self.recipe.device)
        import_everything()
        self.seconds["start"] = time.monotonic() - self.began
        events.append(
            self.folder, "started", device=self.device.name, cores=self._cores(), versions=dict(self.recipe.versions)
        )
        self.began = time.monotonic()
        if (self.folder / store.RESULT).is_dir():  # it was launched again for what is worked out after the result
            return self._go_further()
        try:
            self._read()
            fitted = self._fit()
        except Stopped:
            events.append(self.folder, "stopped", says="Stopped before anything was learned; there is nothing to keep.")
            return 0
        if fitted.stopped:
            # Said at once: judging what was kept takes some seconds more, and the user should not wait for the word.
            events.append(self.folder, "stopped", says=fitted.stopped)
        evaluation = self._judge(fitted)
        self._keep(fitted, evaluation)
        self._remember_speed(fitted)
        if self.recipe.control_for and fitted.out_of_time:
            self.listener.note(
                "The time you gave cut this control short, which would flatter what it controls: not compared."
            )
        elif self.recipe.control_for and not fitted.stopped:  # a control cut short would flatter what it controls
            followup.tell_whom_it_controls(self.workspace, self.recipe, self.cohort, self._tested(), self.listener)
        if not fitted.stopped:
            events.append(
                self.folder, "finished", seconds=round(self.seconds["total"], 2), peak_memory_mb=_peak_memory_mb()
            )
            self._further()
            followup.unasked(self.workspace, self.folder, self.device, self.listener)
        return 0

    # ---- read --------------------------------------------------------------------------------------------------------

    def _read(self) -> None:
        import numpy as np

        from medtl.cohorts import library as cohorts
        from medtl.modalities.image import ImageInputs, keys, together
        from medtl.sources import cards, resized
        from medtl.sources import library as sources
        from medtl.training import examples
        from medtl.training.examples import Examples

        began = time.monotonic()
        self.listener.phase("read", "Reading the cohort", 0, 1)
        cohort = cohorts.load(self.workspace, self.recipe.cohort)
        source = sources.sources(self.workspace)[self.recipe.source]
        if self.recipe.source_sha256 and source.sha256 != self.recipe.source_sha256:
            raise MedtlError(
                f"The source '{source.title}' is no longer the one this run was made with.",
                "Start a new run with the source as it is now.",
            )
        source = resized.at(source, self.recipe.size)
        part = cohort.split.part_of()
        parts = np.array([part.get(case.id, "") for case in cohort.cases])
        self.cohort: Cohort = cohort
        self.source: Source = cards.keep_graph(source, self.folder)
        inputs = ImageInputs(self.workspace.cohort(cohort.id), cohort, source.input)
        patients = [case.patient for case in cohort.cases]
        self.patients = np.array(patients, dtype=object) if any(p is not None for p in patients) else None
        self.examples = Examples(
            inputs=inputs,
            **examples.labels_of(cohort, self.recipe.uncertain),
            train=np.flatnonzero(parts == "train"),
            tune=np.flatnonzero(parts == "tune"),
            test=np.flatnonzero(parts == "test"),
            keys=keys(inputs.pixels, cohort),
            classes=len(cohort.classes),
            groups=together(inputs.pixels, cohort),
            tasks=np.unique([task_of(label) for label in cohort.classes], return_inverse=True)[1],
        )
        self._read_aids()
        self.listener.phase("read", "Reading the cohort", 1, 1)
        self.seconds["read"] = time.monotonic() - began

    def _read_aids(self) -> None:
        """What is learned from besides the labelled cases."""
        import dataclasses

        from medtl import aids

        ws, recipe, cohort = self.workspace, self.recipe, self.cohort
        if recipe.unlabelled:
            more = aids.unlabelled(ws, recipe.unlabelled, cohort, self.source.input, self.listener)
            self.examples = dataclasses.replace(self.examples, unlabelled=more)
        if recipe.teacher:
            said = aids.teacher(ws, recipe.teacher, cohort, self.examples.train, self.device, self.listener)
            self.examples = dataclasses.replace(self.examples, teacher=said)

    # ---- fit ---------------------------------------------------------------------------------------------------------

    def _fit(self) -> "Fitted":
        began = time.monotonic()
        self._prepare()
        network = self._fresh()
        self.seconds["read"] += time.monotonic() - began
        return self.engine.carry_out(network, self.plan)

    def _prepare(self) -> None:
        """The plan, and the engine that carries it out."""
        from medtl import strategies
        from medtl.training.checkpoint import Checkpoint
        from medtl.training.features import FeatureCache
        from medtl.training.fit import Engine

        strategy = strategies.make(self.recipe.strategy, self.recipe.settings)
        self.plan = strategies.weighing(
            strategy.plan(self.source.outline, self.examples.classes), self.recipe.weigh_tasks
        )
        self.forgets_source = strategy.forgets_source
        self.cache = FeatureCache(self.workspace.features, self.source.sha256, self.source.input)
        self.engine = Engine(
            self.examples,
            self.source.input,
            self.device,
            self.recipe.seed,
            self.listener,
            self.cache if self.source.sha256 else None,
            Checkpoint(self.folder / "checkpoint"),
            self._deadline(),
        )

    def _fresh(self) -> "Network":
        """The network as the plan begins with it: the source, or its architecture alone."""
        from medtl.training.device import seed_everything

        seed_everything(self.recipe.seed)
        if self.forgets_source:  # only the architecture is needed: nothing is fetched
            from medtl.sources.architectures import build_for

            return build_for(self.source, self.examples.classes)
        return self._source_network()

    def _source_network(self) -> "Network":
        from medtl.sources.weights import load_network

        def fetching(done: int, total: int) -> None:
            self.listener.phase("read", f"Fetching {self.source.title}", done, total or done + 1)

        return load_network(self.source, self.workspace.weights, self.examples.classes, fetching)

    def _probe(self) -> "Fitted | None":
        """The linear probe on the same source, as a user would run it here; further looks at every picture only where
        it has been seen so already. None where a run that forgets the source would have to fetch it."""
        from medtl import strategies
        from medtl.training.cross_validation import Quiet
        from medtl.training.features import Remembered, known_looks
        from medtl.training.fit import Engine

        if self.forgets_source and not self.source.on_disk:
            return None
        engine, k = self.engine, self.examples.classes
        cache = Remembered(engine.cache)
        plan = strategies.make_for("linear-probe", self.cohort).plan(self.source.outline, k)
        if not known_looks(cache, plan, self.examples.keys):
            plan = strategies.make_for("linear-probe", self.cohort, {"looks": 0}).plan(self.source.outline, k)
        self.listener.phase("evaluate", "Trying the last layer alone on the frozen source", 0, 1)
        quiet = Quiet(lambda: False)
        again = Engine(self.examples, engine.spec, self.device, self.recipe.seed, quiet, cache)
        return again.carry_out(self._source_network(), plan)

    def _deadline(self) -> float | None:
        """When training must end so that the whole run keeps to its budget, of time.monotonic()."""
        from medtl.training import cost

        if not self.recipe.budget:
            return None
        began = self.began - self.seconds["start"]
        return began + self.recipe.budget - cost.evaluation(self.workspace, self.cohort, self.source)

    # ---- judge -------------------------------------------------------------------------------------------------------

    def _judge(self, fitted: "Fitted") -> dict[str, Any]:
        """Score tune and test once, with the test part's labels used for nothing but the judgement."""
        import numpy as np

        from medtl.evaluation import tasks
        from medtl.training.control import thumbnail_answers
        from medtl.training.inference import Eye, head_scores

        began = time.monotonic()
        e, cohort = self.examples, self.cohort
        features, self.plain = fitted.features, fitted.plain
        if features is None:
            eye = Eye(fitted.network, self.source.input, self.device, fitted.looks)
            everyone = np.arange(len(e.labels))

            def progress(done: int, total: int) -> None:
                self.listener.phase("evaluate", "Scoring every case with the finished network", done, total)

            each = eye.each(e.inputs.take, everyone, range(1 + fitted.looks.times), progress)
            features, self.plain = each.mean(axis=0), each[0]
        self.listener.phase("evaluate", "Working out the numbers and their intervals", 0, 1)
        scores = head_scores(fitted.network.head, features, e.task)
        if fitted.held_out is not None:  # the model in use learned from the tune part in the end
            scores[e.tune] = fitted.held_out
        thumbnails = e.inputs.pixels.thumbnails([case.id for case in cohort.cases])  # type: ignore[attr-defined]
        control = thumbnail_answers(thumbnails, e)
        evaluation = tasks.evaluate(
            cohort,
            e.truth[e.tune],
            scores[e.tune],
            e.truth[e.test],
            scores[e.test],
            patients_test=self.patients[e.test] if self.patients is not None else None,
            control_scores_test=control,
            seed=self.recipe.seed,
            rule=self.recipe.operating,
            patients_tune=self.patients[e.tune] if self.patients is not None else None,
        )
        self.scores, self.features, self.thumbnails = scores, features, thumbnails
        self.evaluation: tasks.Judged = evaluation
        said = evaluation.as_dict()
        if self.forgets_source and said["control"]:  # the comparison stands, its reading as one of transfer does not
            for word in ("helps", "hurts"):
                said["control"]["says"] = said["control"]["says"].replace(
                    f"the source {word} here", "no source was used in this run"
                )
        guards = [said["control"]] if said["control"] else []
        guards += self._against_probe(scores, fitted)
        self.seconds |= fitted.seconds
        self.seconds["evaluate"] = time.monotonic() - began
        return said | {
            "task": e.task,
            "positive": cohort.positive,
            "guards": guards,
            "caveats": self._caveats(fitted) + [one["says"] for one in guards if one["verdict"] == "hurts"],
            **tasks.sets(e.task, e.truth[e.tune], scores[e.tune]),
        }

    def _against_probe(self, scores: "np.ndarray", fitted: "Fitted") -> list[dict[str, Any]]:
        """The guard that is always there: the frozen source under a last layer alone, on the same test cases."""
        import numpy as np

        from medtl.evaluation import tasks
        from medtl.training.cross_validation import keeps_trunk
        from medtl.training.inference import head_scores

        e, cohort = self.examples, self.cohort
        frozen = keeps_trunk(self.plan)
        if frozen:
            self.seen_by_frozen = fitted.features
        if self.recipe.strategy == "linear-probe":
            return []
        try:
            probe = self._probe()
        except MedtlError as error:  # the result stands without it; why it is missing is said
            self.listener.note(f"The last layer alone could not be tried on the frozen source: {error}")
            return []
        if probe is None or probe.features is None:
            return []
        self.seen_by_frozen = probe.features
        one_kind = e.task != "multi-label" and len(np.unique(e.labels[e.test])) < 2
        if one_kind or not self.evaluation.estimates:
            return []
        what = "starting from nothing" if self.forgets_source else "this strategy" if frozen else "adapting the network"
        return [
            tasks.compare(
                cohort,
                e.truth[e.test],
                scores[e.test],
                head_scores(probe.network.head, probe.features[e.test], e.task),
                self.patients[e.test] if self.patients is not None else None,
                name="linear-probe",
                seed=self.recipe.seed,
                worth=(f"{what} was worth it", f"{what} was worse than training only the last layer"),
            )
        ]

    def _caveats(self, fitted: "Fitted") -> list[str]:
        """What a reader of the numbers must know first, gravest first; each a sentence."""
        auroc = next((e for e in self.evaluation.estimates if e.name == "auroc"), None)
        said = []
        if auroc is not None and auroc.low <= 0.5:
            said.append(
                f"On this test part the model cannot be told from guessing (AUROC {auroc.value:.2f}, interval "
                f"{auroc.low:.2f} to {auroc.high:.2f}, holds 0.5): do not use it."
            )
        if fitted.stopped:
            said.append(f"This run was stopped early. {fitted.stopped}")
        if fitted.outcome:
            said.append(fitted.outcome)
        if copies := self._seen_by_source():
            said.append(
                f"The source was trained on {copies:,} of the {len(self.examples.test):,} test images, or on near "
                "copies of them: every number here looks better than it is."
            )
        if self.patients is None:
            said.append(
                "Nobody said which images are of the same patient: one patient's images may lie in two parts, and "
                "every number here may look better than it is."
            )
        return said

    def _seen_by_source(self) -> int:
        """How many test images the source was trained on, as far as it keeps a record of them."""
        from medtl.transferability import seen

        prints = seen.fingerprints(self.thumbnails[self.examples.test])
        return int(seen.among(prints, self._source_has_seen()).sum())

    def _source_has_seen(self) -> "np.ndarray":
        """(m, 32) fingerprints of the images it was trained on, as far as it keeps a record of them."""
        from medtl.transferability import seen

        known = self.source.weights and not self.forgets_source
        return seen.load(Path(self.source.weights).parent) if known else seen.nothing()

    # ---- keep --------------------------------------------------------------------------------------------------------

    def _keep(self, fitted: "Fitted", evaluation: dict[str, Any]) -> None:
        from safetensors.torch import save_file

        from medtl.sources import cards, trained
        from medtl.sources.weights import weights_of

        self.seconds["total"] = time.monotonic() - self.began + self.seconds["start"]
        with whole_folder(self.folder / store.RESULT) as result:
            save_file(weights_of(fitted.network), result / cards.WEIGHTS)
            source = trained.source_of(self.recipe, self.cohort, self.source, self.plan, self.evaluation, result)
            source = replace(source, looks=fitted.looks.times, looks_like=fitted.looks.kind)
            cards.write(result, source, trained.recipe_in_words(self.recipe))
            near = self._neighbours()
            near.save(result)
            self._gate(near, fitted, result)
            self._traces(result)
            results.write_predictions(result / results.PREDICTIONS, self.cohort.classes, self._rows())
            write_whole(result / results.CURVES, json.dumps(self.evaluation.curves))
            content = {
                "schema_version": 1,
                **evaluation,
                "seconds": {name: round(value, 2) for name, value in self.seconds.items()},
                "peak_memory_mb": _peak_memory_mb(),
                "device": self.device.name,
                "parts": self._parts(),
                "stopped": fitted.stopped,
                "estimate": self._estimate(),
            }
            write_whole(result / results.ESTIMATES, json.dumps(content, ensure_ascii=False))
        events.append(self.folder, "evaluated", says=evaluation["sentence"])

    def _neighbours(self) -> "Neighbours":
        from medtl.explanation import neighbours

        e = self.examples
        learned, tested = ([self.cohort.cases[i].id for i in part] for part in (e.train, e.test))
        features = self.features
        return neighbours.learn(learned, features[e.train], features[e.tune], tested, features[e.test])

    def _gate(self, near: "Neighbours", fitted: "Fitted", result: Path) -> None:
        """Which new images are of the kind it was trained on."""
        import numpy as np

        from medtl.gate import gate, learning
        from medtl.training.cross_validation import keeps_trunk

        e = self.examples
        groups = e.groups if e.groups is not None else np.arange(len(e.labels))

        def of(rows: "np.ndarray") -> gate.Cases:
            cases = [self.cohort.cases[i] for i in rows]
            return gate.Cases(self.features[rows], learning.seen_of(e.inputs.pixels, cases), groups[rows])  # type: ignore[attr-defined]

        train, tune = of(learning.some(e.train)), of(learning.some(e.tune))
        unseen = fitted.held_out is None  # else it learned from the tune part in the end
        gate.learn(near, groups[e.train], train, tune, keeps_trunk(self.plan), unseen).save(result)

    def _traces(self, result: Path) -> None:
        """So that a later target can be compared with what this run was trained on, and copies of it be found."""
        import numpy as np

        from medtl.transferability import seen, statistics

        e = self.examples
        of = self.cohort.classes if e.task == "single-label" else ("",) * e.classes  # several findings are one kind
        tasks = np.array([task_of(of[label]) for label in e.labels[e.train]])
        assert self.plain is not None  # a later target is looked at once when it is compared
        kinds = [statistics.learn(self.plain[e.train[tasks == task]]) for task in np.unique(tasks)]
        statistics.save(result, [kind for kind in kinds if kind is not None])
        # What it tuned on counts as known, and so does what its source was trained on.
        own = seen.fingerprints(self.thumbnails[np.concatenate([e.train, e.tune])])
        seen.save(result, np.unique(np.concatenate([own, self._source_has_seen()]), axis=0))

    def _rows(self) -> list[results.PredictionRow]:
        from medtl.evaluation import tasks

        e, classes = self.examples, self.cohort.classes
        called = tasks.calls(self.evaluation, self.scores, self.cohort)
        rows = []
        for part, indices in (("tune", e.tune), ("test", e.test)):
            for i in indices:
                case = self.cohort.cases[i]
                scores = dict(zip(classes, map(float, self.scores[i]), strict=True))
                several = e.task == "multi-label"
                label = results.joined(labels_of(case)) if several else case.label
                said = {name: case.labels[name] for name in classes if several and name in case.labels}
                predicted = results.joined(called[i])
                rows.append(results.PredictionRow(case.id, case.patient, part, label, predicted, scores, said))
        return rows

    def _parts(self) -> dict[str, dict[str, int | None]]:
        counts = {}
        for name in ("train", "tune", "test"):
            indices: np.ndarray = getattr(self.examples, name)
            people = {self.patients[i] for i in indices} if self.patients is not None else None
            counts[name] = {"cases": len(indices), "patients": len(people) if people is not None else None}
        return counts

    # ---- afterwards --------------------------------------------------------------------------------------------------

    def _go_further(self) -> int:
        """A run that has its result and was launched again: only what was wished for since is done."""
        from medtl import followup

        followup.grant(self.workspace, self.folder, self.device, self.listener)
        if store.cross_validation_wished(self.folder):
            self._read()
            self._prepare()
            self._further()
        events.append(self.folder, "finished")
        return 0

    def _further(self) -> None:
        """What nobody should wait for with the result: learning curve, cross-validation."""
        from medtl import further

        wished = store.cross_validation_wished(self.folder)
        wanted = self.recipe.strategy != "from-scratch" or wished
        if not wanted or store.stop_requested(self.folder):
            return
        parts = further.Parts(
            self.folder, self.recipe, self.cohort, self.examples, self.patients, self.plan, self.engine,
            None if self.forgets_source else self.seen_by_frozen, self._fresh, self.listener,
        )  # fmt: skip
        further.quickly(parts)
        if wished:
            events.append(self.folder, "resumed", says="Cross-validating")
            further.cross_validate(parts, wished)
            (self.folder / store.WISH).unlink(missing_ok=True)
            events.append(self.folder, "finished", says="Cross-validated")

    def _tested(self) -> "Tested":
        from medtl.followup import Tested

        test = self.examples.test
        cases = tuple(self.cohort.cases[i].id for i in test)
        patients = self.patients[test] if self.patients is not None else None
        return Tested(cases, self.examples.truth[test], self.scores[test], patients)

    def _estimate(self) -> dict[str, Any] | None:
        """What was told before this run started, beside what it took."""
        told = store.estimate(self.folder)
        return {**told, "actual": round(self.seconds["total"], 2)} if told else None

    def _remember_speed(self, fitted: "Fitted") -> None:
        """So that the next estimate rests on this run, and what was told of this one can be judged."""
        from medtl.training import cost, hindsight
        from medtl.vocabulary import Train

        ws, source, gflop = self.workspace, self.source, self.source.outline.gflop
        if fitted.computed_features > 50:
            cost.remember(ws, source, fitted.computed_features * gflop, fitted.seconds["features"])
        trains = [step for step in self.plan if isinstance(step, Train)]
        if len(trains) == 1 and fitted.train_seconds:
            done, took = cost.trained(ws, source, trains[0], fitted.trained_images, fitted.train_seconds)
            cost.remember(ws, source, done, took, "training")
        if fitted.stopped or fitted.out_of_time or self._resumed():  # what it took is not what the whole plan takes
            return
        scored = 0.0 if fitted.features is not None else len(self.cohort.cases) * gflop
        rest = self.seconds["total"] - self.seconds["features"] - self.seconds["fit"]
        cost.remember_rest(ws, max(1.0, rest - cost.speed_of(ws, source).seconds(cost.Work(scored))))
        if said := self._estimate():
            told = (said["basis"], said["seconds"], said["actual"])
            hindsight.add(ws, hindsight.Hindsight(self.recipe.run, self.recipe.strategy, source.builder, *told))

    def _resumed(self) -> bool:
        told = events.read(self.folder, skip=("step", "phase", "epoch"))
        return sum(event["event"] == "started" for event in told) > 1

    @staticmethod
    def _cores() -> int:
        from medtl.training.machine import cores

        return cores()


def import_everything() -> None:
    """All that a run will need, so that importing is told apart from working, and a warm process can do it beforehand.

    Only imports: no tensor, no thread, no look at the GPU (see `medtl.warm`). scikit-learn loads pandas, and with it
    pyarrow, where they are installed; a run needs neither, and pyarrow starts a thread when it is loaded.
    """
    unwanted = [name for name in ("pandas", "pyarrow") if name not in sys.modules]
    sys.modules |= dict.fromkeys(unwanted)  # type: ignore[arg-type]  # None: an import of it fails
    try:
        for name in _NEEDED:
            importlib.import_module(name)
    finally:
        for name in unwanted:
            sys.modules.pop(name, None)


# In the order in which torch wants to come first; a test tells what is missing.
_NEEDED = (
    "torch",
    "torchvision",
    "sklearn.linear_model",
    "threadpoolctl",
    "safetensors.torch",
    "torch.fx.experimental.optimization",
    "torch.utils.serialization.config",
    "PIL.ImageFile",
    "medtl.aids",
    "medtl.cohorts.library",
    "medtl.elsewhere",
    "medtl.evaluation.comparison",
    "medtl.evaluation.conformal",
    "medtl.evaluation.tasks",
    "medtl.evaluation.paired",
    "medtl.evaluation.robustness",
    "medtl.explaining",
    "medtl.explanation.checks",
    "medtl.explanation.explainer",
    "medtl.explanation.neighbours",
    "medtl.followup",
    "medtl.further",
    "medtl.frozen",
    "medtl.gate.gate",
    "medtl.gate.learning",
    "medtl.modalities.image",
    "medtl.modalities.perturbations",
    "medtl.robustness",
    "medtl.runs.afterwards",
    "medtl.runs.attention",
    "medtl.sources.architectures",
    "medtl.sources.library",
    "medtl.sources.resized",
    "medtl.sources.trained",
    "medtl.sources.weights",
    "medtl.strategies",
    "medtl.training.checkpoint",
    "medtl.training.control",
    "medtl.training.cost",
    "medtl.training.features",
    "medtl.training.fit",
    "medtl.training.hindsight",
    "medtl.training.inference",
    "medtl.transferability.seen",
    "medtl.transferability.statistics",
)


def _peak_memory_mb() -> int:
    """Of this process alone: what getrusage says on Linux remembers the process that started this one."""
    try:
        said = Path("/proc/self/status").read_text()
        return round(int(said.split("VmHWM:")[1].split()[0]) / 1024)
    except (OSError, IndexError, ValueError):
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return round(peak / (1 << 20) if sys.platform == "darwin" else peak / 1024)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m medtl.worker RUN_FOLDER")
    sys.exit(main(Path(sys.argv[1])))
