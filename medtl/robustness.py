"""How far a finished run falls when its test images are darker, blurred, turned or compressed: asked, told, worked out.

Asked from anywhere (`ask`, `takes`); carried out in a worker, after the result. Nothing here can change the result.
"""

import json
import logging
import time
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from medtl.cohorts import library as cohorts
from medtl.errors import BadInput, MedtlError, NotReady
from medtl.evaluation import robustness as numbers
from medtl.runs import afterwards, store, turn, wishes
from medtl.runs import launch as launching
from medtl.runs.afterwards import Perturbed, Robustness
from medtl.sources import library as sources
from medtl.training import cost
from medtl.vocabulary import Cohort, Source, to_dict
from medtl.workspace import Workspace, write_whole

if TYPE_CHECKING:
    from medtl.frozen import Frozen
    from medtl.modalities.perturbations import Perturbation
    from medtl.training.device import Device
    from medtl.training.examples import Listener

log = logging.getLogger("medtl.worker")
QUICK = 20.0  # seconds; what takes no longer is done unasked after the result
ENOUGH = 20  # test cases; of fewer nothing could be said, so they are looked at on request only
PICTURE = 0.004  # seconds to change a picture of 512 px and bring it to the network's size, on one core
JUDGING = 0.15  # seconds to draw patients for one change


# ---- asking ----------------------------------------------------------------------------------------------------------


def ask(workspace: Workspace, run_id: str, again: bool = False, launch: bool = True, most: int = numbers.MOST) -> bool:
    """See to it that it is worked out, of at most so many test cases; False where it is there already. Raises NotReady
    while the run is busy."""
    if most < ENOUGH:
        raise BadInput(f"{most} test cases say too little.", f"Choose {ENOUGH} or more.")
    folder = store.folder(workspace, run_id)
    if not again and afterwards.robustness(folder) is not None:
        return False
    if not (folder / store.RESULT).is_dir():
        raise NotReady("This run has no result yet.", "Wait until it has finished.")
    cohorts.load(workspace, store.recipe(folder).cohort)  # deleted: said now, not by the worker
    wishes.leave(folder, wishes.ROBUSTNESS, {"most": most})
    if launch:
        launching.launch(folder)
    return True


def takes(workspace: Workspace, run_id: str, most: int = numbers.MOST) -> float:
    """Seconds, told before it is begun."""
    folder = store.folder(workspace, run_id)
    cohort = cohorts.load(workspace, store.recipe(folder).cohort)
    return _seconds(workspace, sources.from_run(folder), min(most, len(cohort.split.test)))


def _seconds(workspace: Workspace, source: Source, cases: int) -> float:
    from medtl.modalities.perturbations import PERTURBATIONS
    from medtl.training.machine import machine

    rounds = 1 + len(PERTURBATIONS)
    looking = cost.Work(rounds * cases * (1 + source.looks) * source.outline.gflop)
    changing = rounds * cases * PICTURE / min(4, machine().cores)
    return cost.speed_of(workspace, source).seconds(looking) + changing + rounds * JUDGING


# ---- carrying out ----------------------------------------------------------------------------------------------------


def unasked(workspace: Workspace, folder: Path, device: "Device") -> None:
    """After the result, where it costs little and no other run waits; gives way to one that comes. Never fails."""
    from medtl.training.cross_validation import Quiet

    try:
        if store.stop_requested(folder) or turn.others_wait(folder):
            return
        cohort = cohorts.load(workspace, store.recipe(folder).cohort)
        n = min(numbers.MOST, len(cohort.split.test))
        if n < ENOUGH or _seconds(workspace, sources.from_run(folder), n) > QUICK:
            return
        quiet = Quiet(lambda: store.stop_requested(folder) or turn.others_wait(folder))
        carry_out(workspace, folder, device, quiet)
    except Exception:  # the result is there and sound; what is missing beside it is in the log
        log.exception("robustness could not be worked out")


def carry_out(
    workspace: Workspace, folder: Path, device: "Device", listener: "Listener", most: int = numbers.MOST
) -> bool:
    """Change the test images, score them, and write what it costs; False where it was stopped, and nothing is kept.

    Raises MedtlError where it cannot be worked out at all: the images are gone, or all test cases are of one class.
    """
    from medtl.frozen import Frozen
    from medtl.modalities.perturbations import PERTURBATIONS
    from medtl.training.examples import Stopped

    began = time.monotonic()
    rounds = len(PERTURBATIONS) + 1
    frozen = Frozen(workspace, folder.name, device)
    pictures = _Pictures(workspace, frozen, most)

    def scored(change: "Perturbation | None", number: int) -> np.ndarray:
        what = f"Scoring the test images after {change.name}" if change else "Scoring the test images as they are"
        listener.phase("robustness", "Changing the test images and scoring them again", number, rounds)

        def progress(done: int, total: int) -> None:
            if listener.should_stop():
                raise Stopped(what)

        return frozen.scores(frozen.features(pictures.changed(change), np.arange(len(pictures.cases)), progress))

    try:
        before = scored(None, 0)
        after = np.stack([scored(change, number) for number, change in enumerate(PERTURBATIONS, 1)])
    except Stopped:
        return False
    listener.phase("robustness", "Changing the test images and scoring them again", rounds, rounds)
    found = _judged(frozen, pictures, before, after, began)
    place = folder / store.RESULT
    (place / afterwards.ROBUSTNESS).unlink(missing_ok=True)  # it tells of the scores that are replaced now
    _write_scores(place, pictures, before, after)
    content = {"schema_version": 1, **to_dict(found)}
    write_whole(place / afterwards.ROBUSTNESS, json.dumps(content, ensure_ascii=False))
    return True


class _Pictures:
    """The chosen cases of the test part, each changed as it is asked for."""

    def __init__(self, workspace: Workspace, frozen: "Frozen", most: int) -> None:
        from medtl.cohorts.pixels import Pixels
        from medtl.modalities.image import ImageInputs
        from medtl.training import examples

        cohort = frozen.cohort
        at = {case.id: i for i, case in enumerate(cohort.cases)}
        test = np.array([at[id] for id in cohort.split.test], dtype=int)
        if not len(test):
            raise MedtlError("This run has no test part to be tried on.", "Start a run on a cohort that has one.")
        labels = examples.labels_of(cohort, frozen.recipe.uncertain)
        truth = labels.get("targets", labels["labels"])
        who = [case.patient for case in cohort.cases]
        patients = np.array(who, dtype=object) if any(one is not None for one in who) else None
        who_of_test = None if patients is None else patients[test]
        chosen = test[numbers.drawn(cohort, truth[test], who_of_test, frozen.recipe.seed, most)]
        self.of = len(test)
        self.cases = tuple(cohort.cases[i].id for i in chosen)
        self.truth = truth[chosen]
        self.patients = None if patients is None else patients[chosen]
        # As the network was shown them: one channel where the whole cohort is grey.
        folder = workspace.cohort(cohort.id)
        inputs = ImageInputs(folder, cohort, frozen.source.input)
        self.channels, self.size = inputs.channels, inputs.size
        self.pixels = Pixels(folder)

    def changed(self, change: "Perturbation | None") -> Callable[[np.ndarray], np.ndarray]:
        """`take` of an eye: (b,) indices -> (b, C, S, S) uint8."""
        from medtl.cohorts.pixels import stretched
        from medtl.cohorts.pool import in_order
        from medtl.modalities.perturbations import applied

        def one(i: int) -> np.ndarray:
            picture = self.pixels.image(self.cases[i])
            if change is not None:
                picture = applied(picture, change.kind, change.amount, zlib.crc32(self.cases[i].encode()))
            return stretched(picture, self.channels, self.size)

        return lambda indices: np.stack(list(in_order(one, indices.tolist())))


def _judged(frozen: "Frozen", pictures: _Pictures, before: np.ndarray, after: np.ndarray, began: float) -> Robustness:
    from medtl.modalities.perturbations import PERTURBATIONS

    cohort, truth, who, seed = frozen.cohort, pictures.truth, pictures.patients, frozen.recipe.seed
    plain = numbers.unchanged(cohort, truth, before, who, seed)
    called = frozen.called(before)
    costs = [
        numbers.cost(
            cohort,
            truth,
            before,
            scores,
            (frozen.called(scores) != called).any(axis=1),
            who,
            change.name,
            seed,
            len(PERTURBATIONS),
        )
        for change, scores in zip(PERTURBATIONS, after, strict=True)
    ]
    rows = tuple(
        Perturbed(
            change.id, change.kind, change.strength, change.name, change.does, change.amount,
            one.auroc, one.fall, one.changed, one.verdict, one.says,
        )
        for change, one in zip(PERTURBATIONS, costs, strict=True)
    )  # fmt: skip
    return Robustness(
        rows=rows,
        auroc=plain,
        cases=len(pictures.cases),
        of=pictures.of,
        patients=None if who is None else len(set(who)),
        says=numbers.sentence([change.name for change in PERTURBATIONS], costs, len(pictures.cases)),
        notes=_notes(cohort, pictures, plain.low, len(rows)),
        seconds=round(time.monotonic() - began, 2),
        made=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _notes(cohort: Cohort, pictures: _Pictures, low: float, rows: int) -> tuple[str, ...]:
    said = []
    if len(pictures.cases) < pictures.of:
        said.append(
            f"{len(pictures.cases):,} of the {pictures.of:,} test cases were tried, drawn by patient; rare "
            f"{'findings' if cohort.task == 'multi-label' else 'classes'} are among them more often than in the test "
            "part."
        )
    if low <= 0.5:
        said.append(
            "Unchanged, the model cannot be told from guessing on these cases: there is little that could fall."
        )
    said.append(
        f"{rows} changes were looked at. Each is shown with its own interval of 95 %; a fall is called one from "
        f"{numbers.OF_ANY_WEIGHT:g} up, beyond an interval widened for all {rows} of them. The "
        "changes are made by computer, one at a time; another scanner differs in several ways at once."
    )
    return tuple(said)


def _write_scores(place: Path, pictures: _Pictures, before: np.ndarray, after: np.ndarray) -> None:
    import io

    from medtl.modalities.perturbations import PERTURBATIONS

    arrays: dict[str, Any] = {
        "cases": np.array(pictures.cases),
        "ids": np.array([change.id for change in PERTURBATIONS]),
        "before": before.astype(np.float32),
        "after": after.astype(np.float32),
    }
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    write_whole(place / afterwards.PERTURBED, file.getvalue())
