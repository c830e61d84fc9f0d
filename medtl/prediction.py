"""Asking a finished run: scores for new images or stored cases, with the gate, the set of classes and the heat map.

Files are read ahead by processes of their own (`asking.reading`) while the network computes here, some pictures at a
time; a thousand images take no more memory than thirty.

Letters: n pictures in hand, D features, K classes, C channels, S pixels a side.
"""

import functools
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from medtl.asking import pooling, reading
from medtl.asking import settled as settling
from medtl.asking.answer import DO_NOT, Answer, as_dict, as_message, in_words, unreadable
from medtl.asking.brought import brought
from medtl.asking.reading import File, Picture
from medtl.asking.settled import Settled
from medtl.cohorts.pixels import Pixels, stretched
from medtl.cohorts.reading import Asker
from medtl.errors import BadInput
from medtl.evaluation import conformal, thresholds
from medtl.frozen import Frozen
from medtl.gate import gate
from medtl.gate.gate import UNLIKE, Verdict
from medtl.gate.photometry import seen
from medtl.runs import diary, findings, results, store
from medtl.vocabulary import HeatMap
from medtl.workspace import Workspace

if TYPE_CHECKING:
    from medtl.explanation.explainer import Explainer

__all__ = ["DO_NOT", "UNLIKE", "Answer", "Trained", "as_dict", "as_message"]

TOGETHER = 32  # pictures that go through the network and the gate at once
MOST_LOOKS = 15
KEPT_FOR_POOLING = 50_000  # pictures whose scores are kept to be pooled; a number each class


@dataclass(frozen=True)
class Wish:
    """How a run is asked. `explain` names a class, or "predicted", to add a heat map for, by `method` (one of
    `explanation.methods`). `whole`: the picture comes with the answer. `pool`: how several pictures of a patient,
    series or file become one answer besides ("auto": as the run was judged). `looks`: so many small changes of
    every picture are looked at besides, which costs so many times the time. `log`: what was answered goes into the
    run's diary, as far as the user has that switched on. `only`: of all that is brought, the file of this name and
    of it this frame, as an answer named them."""

    explain: str | None = None
    method: str = "gradcam"
    whole: bool = False
    pool: str | None = None
    looks: int = 0
    log: bool = True
    only: tuple[str, int | None] | None = None


class Trained:
    """A finished run, loaded and ready to be asked. Holds the network in memory."""

    def __init__(self, workspace: Workspace, run_id: str, settled: Settled | None = None) -> None:
        """`settled`: what was decided since the run ended (calibration, threshold, limits by class)."""
        from medtl.training import device as devices

        self.folder = store.folder(workspace, run_id)
        self.result = results.load(self.folder)
        # One image at a time is as quick on the CPU, and a GPU may be busy training.
        self.frozen = Frozen(workspace, run_id, devices.choose("cpu"))
        self.source, self.cohort, self.eye = self.frozen.source, self.frozen.cohort, self.frozen.eye
        self.classes, self.task, self.neighbours = self.frozen.classes, self.frozen.task, self.frozen.neighbours
        self.cohort_folder = workspace.cohort(self.cohort.id)
        self.salt = workspace.salt()
        # A new image is opened as the cohort's were, in a process of its own.
        self.desk = Asker(self.cohort.reading, self.salt, self.source.input.size, self.source.input.channels)
        self.point = settling.stamp(self.folder)
        self.settled = settled or settling.settled(self.folder, self.result, self.classes)
        part = self.cohort.split.part_of()
        self.cases = {case.sha256: (case.name, part.get(case.id, "")) for case in self.cohort.cases}
        self.patients = {case.patient: part.get(case.id, "") for case in self.cohort.cases if case.patient}

    def follow(self) -> None:
        """Take over another operating point, where one was chosen since."""
        if (now := settling.stamp(self.folder)) != self.point:
            self.point, self.result = now, results.load(self.folder)
            self.settled = settling.settled(self.folder, self.result, self.classes)

    def predict(
        self, paths: Sequence[Path], explain: str | None = None, method: str = "gradcam", **wishes: Any
    ) -> list[Answer]:
        """Answers with their pictures, of all files in `paths` (images, folders, zips) in order; see `Wish`."""
        return list(self.stream(paths, Wish(explain, method, whole=True, **wishes)))

    def stream(
        self,
        paths: Sequence[Path],
        wish: Wish = Wish(),
        on_progress: Callable[[int, int], None] = lambda done, total: None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Iterator[Answer]:
        """As `predict`, one after the other as they come; the pooled answers follow the others.

        `on_progress` hears of files. After `should_stop` what was read is answered, and no more.
        """
        self._check(wish)
        files = [one for one in brought(list(paths)) if wish.only is None or one.name == wish.only[0]]
        patients = reading.with_patients(files, self.cohort, self.salt)
        whole = wish.whole or bool(wish.explain)
        log = diary.Diary(self.folder) if wish.log else None
        pool = _Pool()
        on_progress(0, len(files))
        read = (
            _only(reading.of_patient(file, patients.get(file.number)), wish)
            for file in reading.read(self.desk, files, whole, should_stop)
        )
        for done, answered in enumerate(_in_order(self._answered(_handfuls(read), wish)), 1):
            for answer in answered.answers:
                if log:
                    log.answered(**_entry(answer))
                yield answer
            if wish.pool:
                pool.add(answered)
            on_progress(done, len(files))
        if wish.pool:
            for answer in self._pooled(pool, wish.pool):
                if log:
                    log.answered(**_entry(answer))
                yield answer

    def explain_case(self, case_id: str, label: str, method: str = "gradcam", layer: str = "") -> HeatMap:
        """The heat map of a stored case for one class."""
        self._check(Wish(label))
        return self.explainer.one(self.shown(case_id), label, method, layer)

    def shown(self, case: str = "", path: str = "", only: tuple[str, int | None] | None = None) -> np.ndarray:
        """(1, C, S, S) uint8: a stored case, or a new image, as the network is shown it. `only`: of what lies at `path`
        the file of this name and of it this frame, as an answer named them; else of several pictures the middle one."""
        if not path:
            return self._as_input(Pixels(self.cohort_folder).image(case))
        found = [one for one in brought([Path(path)]) if only is None or one.name == only[0]][:1]
        if not found:
            raise BadInput("The image is not there any more.", "Bring it again.")
        (file,) = reading.read(self.desk, found, whole=True)
        pictures = file.pictures if only is None else tuple(one for one in file.pictures if one.frame == only[1])
        if not pictures:
            raise BadInput(file.why_not or "The image is not there any more.", "Export it again, or leave it out.")
        return self._as_input(pictures[len(pictures) // 2].pixels)

    @functools.cached_property
    def explainer(self) -> "Explainer":
        """Says where the network looked; made when first asked."""
        return self.frozen.explainer()

    def describe(self) -> dict[str, Any]:
        """What holds for every answer: beside them, once."""
        how = self.frozen.gate.how if self.frozen.gate else gate.BEFORE
        return {"classes": list(self.classes), "positive": self.cohort.positive, "gate": how, **self.settled.describe()}

    def warm(self) -> None:
        """Whatever the first question would have to wait for."""
        self.desk.warm()
        spec = self.source.input
        shape = (1, spec.channels, spec.size, spec.size)
        self.eye.features(lambda rows: np.zeros(shape, np.uint8), np.array([0]))

    def close(self) -> None:
        self.desk.close()

    # ---- answering ---------------------------------------------------------------------------------------------------

    def _check(self, wish: Wish) -> None:
        if wish.explain and wish.explain != "predicted" and wish.explain not in self.classes:
            raise BadInput(f"This run knows no class '{wish.explain}'.", f"Its classes: {', '.join(self.classes)}.")
        if not 0 <= wish.looks <= MOST_LOOKS:
            raise BadInput(f"{wish.looks} more looks were asked for.", f"Ask for 0 to {MOST_LOOKS}.")
        if wish.pool:
            pooling.check(wish.pool, self.task, self.classes)

    def _answered(self, handfuls: Iterator[list[File]], wish: Wish) -> Iterator["_Answered"]:
        for files in handfuls:
            pictures = [picture for file in files for picture in file.pictures]
            made = iter(self._of(pictures, wish) if pictures else ())
            for file in files:
                if file.why_not:
                    yield _Answered(
                        file, [unreadable(file.name, file.why_not, file.given)], np.zeros((0, len(self.classes)))
                    )
                    continue
                mine = [next(made) for _ in file.pictures]
                known = self._known(file)
                answers = [
                    replace(
                        answer, file=file.name, sha256=file.sha256, frame=picture.frame, patient=picture.patient,
                        given=file.given, known=known or self._known_patient(picture.patient),
                    )
                    for (answer, _), picture in zip(mine, file.pictures, strict=True)
                ]  # fmt: skip
                scores = np.array([scores for _, scores in mine]).reshape(-1, len(self.classes))
                yield _Answered(file, answers, scores)

    def _of(self, pictures: Sequence[Picture], wish: Wish) -> list[tuple[Answer, np.ndarray]]:
        """Answers that do not know yet whose they are, with their scores (K,)."""
        each = self._seen(pictures, wish.looks)  # (looks, n, D)
        features = each[: 1 + self.source.looks].mean(axis=0)
        together = features if not wish.looks else each.mean(axis=0)
        scores = self.frozen.scores(together)
        apart = [self.frozen.scores(look) for look in each] if wish.looks else []
        of = seen([picture.looks for picture in pictures], [picture.facts for picture in pictures])
        near, verdicts = self.frozen.judged(features, of)
        made = []
        for n, picture in enumerate(pictures):
            answer = self._put(scores[n], verdicts[n])
            looked_for = (answer.called or self.classes[int(scores[n].argmax()) :])[0]
            looked_for = looked_for if wish.explain == "predicted" else wish.explain or ""
            top = self.classes.index(answer.called[0]) if answer.called else int(scores[n].argmax())
            over = [float(one[n, top]) for one in apart]
            answer = replace(
                answer,
                nearest=tuple(self.neighbours.closest(near[n])),
                explanation=self._explained(picture, looked_for, wish.method) if looked_for else None,
                picture=picture.pixels if picture.whole else None,
                looks=wish.looks,
                ranged=(min(over), max(over)) if over else None,
                brightness=picture.looks.looks.brightness,
            )
            made.append((answer, scores[n]))
        return made

    def _seen(self, pictures: Sequence[Picture], more: int) -> np.ndarray:
        """(looks, n, D): the picture as it is, the looks this run's own answers rest on, those asked for besides."""
        spec = self.source.input
        pixels = [stretched(p.pixels, spec.channels, spec.size) if p.whole else p.pixels for p in pictures]
        grey = all(one.shape[0] == 1 for one in pixels)

        def take(rows: np.ndarray) -> np.ndarray:
            return np.stack([pixels[i] if grey else np.broadcast_to(pixels[i], (spec.channels, *pixels[i].shape[1:]))
                             for i in rows])  # fmt: skip

        return self.eye.each(take, np.arange(len(pixels)), range(1 + self.source.looks + more))

    def _put(self, scores: np.ndarray, verdict: Verdict | None, settled: Settled | None = None) -> Answer:
        """(K,) scores -> the answer, without what belongs to one picture."""
        settled = settled or self.settled
        calibrated = settled.calibrated(scores[None])
        used = calibrated[0] if calibrated is not None and settled.on_calibrated else scores
        called = self._called(used[None], settled)
        several = self.task == "multi-label"
        said = findings.answers(dict(zip(self.classes, used, strict=True)), settled.findings) if several else {}
        if several:
            members = tuple(name for name in self.classes if said.get(name) != "absent")
        else:
            grades = self.task == "ordinal"
            members = tuple(
                self.classes[i] for i in conformal.members_by_class(used, settled.limits.tolist(), ordered=grades)
            )
        accepted = verdict is None or verdict.accepted
        why_not = None if accepted or verdict is None else " ".join((*verdict.reasons, DO_NOT))
        alone = members[0] if len(members) == 1 and not several and members == called and accepted else None
        says = in_words(alone, members, why_not, settled.error, called, self.classes)
        if several and accepted:
            says = "; ".join(f"{name}: {word}" for name, word in said.items()) + "."
        return Answer(
            file="", predicted=results.joined(called), scores=self._by_class(scores), set=members, accepted=accepted,
            why_not=why_not, findings=said, called=called, gate=verdict, settled=alone, says=says, word=settled.word,
            calibrated=self._by_class(calibrated[0]) if calibrated is not None else {},
        )  # fmt: skip

    def _by_class(self, values: np.ndarray) -> dict[str, float]:
        return {name: round(float(value), 6) for name, value in zip(self.classes, values, strict=True)}

    def _called(self, scores: np.ndarray, settled: Settled) -> tuple[str, ...]:
        """(1, K) scores -> the class, or the findings."""
        if self.task == "multi-label":
            at = findings.thresholds(settled.findings)
            return tuple(name for name, s in zip(self.classes, scores[0], strict=True) if s >= at.get(name, 0.5))
        at_threshold = thresholds.calls(scores, settled.threshold, self.classes, self.cohort.positive)
        return (self.classes[int(at_threshold[0])],)

    def _known(self, file: File) -> str | None:
        name, part = self.cases.get(file.sha256, ("", ""))
        if not name:
            return None
        learned = "the model learned from it" if part == "train" else "it had a part in making or testing the model"
        return f"This very image is in the cohort ({name}, {part} part): {learned}, so its answer is no test."

    def _known_patient(self, patient: str | None) -> str | None:
        part = self.patients.get(patient) if patient else None
        if not part:
            return None
        return f"Other images of this patient are in the cohort ({part} part), so its answer is no test."

    def _explained(self, picture: Picture, label: str, method: str) -> HeatMap:
        return self.explainer.one(self._as_input(picture.pixels), label, method)

    def _as_input(self, picture: np.ndarray) -> np.ndarray:
        from medtl.modalities.image import pictures_for

        return pictures_for([picture], self.source.input)

    # ---- pooling -----------------------------------------------------------------------------------------------------

    def _pooled(self, pool: "_Pool", wanted: str) -> Iterator[Answer]:
        """One answer for each patient, series or file of more than one picture."""
        chosen = wanted in (pooling.AUTO, self.settled.pool)
        rule: Any = self.settled.pool if chosen else wanted
        # By another rule than the run was judged by, no threshold and no limit for patients is known. A mean of images
        # strays no further than they do; the highest of them does.
        known = self.settled.of_patients if chosen else None
        settled = known or (replace(self.settled, calibrate=None) if rule == "mean" else self.settled.unproven())
        for (kind, name), rows in pool.units().items():
            if len(rows) < 2:
                continue
            members = [pool.answers[row] for row in rows]
            scores = np.stack([pool.scores[row] for row in rows])
            answer = self._put(
                pooling.pooled(scores, rule, self.task, self.classes, self.cohort.positive), None, settled
            )
            passed = sum(one.accepted for one in members)
            refused = 2 * passed <= len(rows)
            why_not = f"{len(rows) - passed} of its {len(rows)} images are not of the kind the model was trained on. "
            files = tuple(dict.fromkeys(one.file for one in members))
            title = members[0].file if kind == "file" else f"{kind} {name}"
            yield replace(
                answer, file=title, kind=kind, pooled=len(rows), files=files, patient=members[0].patient,
                sha256=hashlib.sha256("".join(one.sha256 for one in members).encode()).hexdigest(),
                accepted=not refused, why_not=why_not + DO_NOT if refused else None,
                settled=None if refused else answer.settled,
                says=f"No answer: {why_not}{DO_NOT}" if refused else answer.says,
                known=next((one.known for one in members if one.known), None),
                nearest=(), looks=members[0].looks,
            )  # fmt: skip


@dataclass(frozen=True)
class _Answered:
    """A file with its answers and their scores (n, K) in full."""

    file: File
    answers: list[Answer]
    scores: np.ndarray


class _Pool:
    """Scores of all pictures, to be pooled at the end; neither pixels nor maps."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.scores: list[np.ndarray] = []
        self.groups: list[str] = []
        self.files: list[int] = []

    def add(self, answered: _Answered) -> None:
        for answer, scores, picture in zip(answered.answers, answered.scores, answered.file.pictures, strict=False):
            if len(self.answers) >= KEPT_FOR_POOLING:
                raise BadInput(
                    f"More than {KEPT_FOR_POOLING:,} pictures cannot be pooled at once.", "Bring fewer at a time."
                )
            self.answers.append(replace(answer, explanation=None, picture=None, nearest=(), gate=None))
            self.scores.append(scores)
            self.groups.append(picture.group)
            self.files.append(answered.file.number)

    def units(self) -> dict[Any, list[int]]:
        return pooling.units([answer.patient for answer in self.answers], self.groups, self.files)


def _only(file: File, wish: Wish) -> File:
    if wish.only is None:
        return file
    return replace(file, pictures=tuple(one for one in file.pictures if one.frame == wish.only[1]))


def _handfuls(files: Iterator[File]) -> Iterator[list[File]]:
    """Files until there are enough pictures for the network to be worth starting."""
    some: list[File] = []
    for file in files:
        some.append(file)
        if sum(len(one.pictures) for one in some) >= TOGETHER:
            yield some
            some = []
    if some:
        yield some


def _in_order(answered: Iterator[_Answered]) -> Iterator[_Answered]:
    """By number of the file; those that came early wait, without their pixels. After a stop there may be gaps."""
    waiting: dict[int, _Answered] = {}
    due = 0
    for one in answered:
        light = replace(one.file, pictures=tuple(replace(p, pixels=np.zeros(0, np.uint8)) for p in one.file.pictures))
        waiting[one.file.number] = replace(one, file=light)
        while due in waiting:
            yield waiting.pop(due)
            due += 1
    for number in sorted(waiting):
        yield waiting[number]


def _entry(answer: Answer) -> dict[str, Any]:
    """What the diary keeps of an answer: no name of a file and none of a patient, not even a code."""
    return {
        "sha256": answer.sha256,
        "frame": answer.frame,
        "kind": answer.kind,
        "pooled": answer.pooled,
        "readable": answer.readable,
        "predicted": answer.predicted,
        "settled": answer.settled,
        "scores": answer.scores,
        "calibrated": dict(answer.calibrated),
        "set": list(answer.set),
        "findings": dict(answer.findings),
        "accepted": answer.accepted,
        "reasons": [check.name for check in answer.gate.checks if not check.ok] if answer.gate else [],
        "far": answer.gate.far if answer.gate else None,
        "brightness": answer.brightness,
        "known": bool(answer.known),
        "looks": answer.looks,
    }
