"""What a worker does for a run that has its result: what was asked of it since, what is worth knowing of every result,
and telling the runs it is a control of. Whatever goes wrong here is said, and takes nothing away from the result.

(`medtl.further` is what needs the run's training data and engine once more: learning curve, cross-validation.)
"""

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from medtl.errors import MedtlError
from medtl.evaluation import tasks
from medtl.runs import results, store, wishes
from medtl.vocabulary import Cohort, Recipe
from medtl.workspace import Workspace, write_whole

if TYPE_CHECKING:
    from medtl.training.device import Device
    from medtl.training.examples import Listener

log = logging.getLogger("medtl.worker")


def grant(workspace: Workspace, folder: Path, device: "Device", listener: "Listener") -> None:
    """What was asked of the frozen network. A wish that was stopped or cannot be granted is dropped, that of a killed
    process stays."""
    from medtl import elsewhere, explaining, robustness

    work: dict[str, Callable[..., bool]] = {
        wishes.ROBUSTNESS: robustness.carry_out,
        wishes.EXTERNAL: elsewhere.carry_out,
        wishes.EXPLANATION: explaining.carry_out,
    }
    for name in wishes.waiting(folder):
        try:
            wish = wishes.read(folder, name) or {}
            if not work[name](workspace, folder, device, listener, **wish):
                listener.note(f"{wishes.SAID[name]} was stopped; nothing of it was kept.")
        except MedtlError as error:
            listener.note(f"{wishes.SAID[name]} could not be carried out. {error}")
        except Exception:  # the result is there and sound
            log.exception("%s could not be carried out", name)
            listener.note(f"{wishes.SAID[name]} could not be carried out; the details are in log.txt.")
        wishes.drop(folder, name)


def unasked(workspace: Workspace, folder: Path, device: "Device", listener: "Listener") -> None:
    """What is worth knowing of every result and costs some seconds."""
    from medtl import explaining, robustness

    recipe = store.recipe(folder)
    if not recipe.control_for:
        explaining.beside_result(workspace, folder, listener, grouped=bool(recipe.group))
    if recipe.strategy != "from-scratch":
        robustness.unasked(workspace, folder, device)


@dataclass(frozen=True)
class Tested:
    """The test part as a run scored it: ids of the n cases, truth (n,) or (n, K), scores (n, K), patients (n,)."""

    cases: tuple[str, ...]
    truth: np.ndarray
    scores: np.ndarray
    patients: np.ndarray | None


def tell_whom_it_controls(
    workspace: Workspace, recipe: Recipe, cohort: Cohort, tested: Tested, listener: "Listener"
) -> None:
    """Put the difference to this from-scratch run into the run it is the control of, and into those of its group: the
    same network, split and seed, so that one control serves all."""
    try:
        group = store.recipe(store.folder(workspace, recipe.control_for)).group
        together = [one.run for one in store.recipes(workspace) if group and one.group == group]
        for run in dict.fromkeys([recipe.control_for, *together]):
            other = store.folder(workspace, run)
            if (other / store.RESULT).is_dir():
                _tell(other, recipe, cohort, tested, listener)
    except MedtlError as error:  # the other run was deleted or is damaged; this one is sound all the same
        listener.note(f"The run this is a control of could not be told: {error}")


def _tell(other: Path, recipe: Recipe, cohort: Cohort, tested: Tested, listener: "Listener") -> None:
    theirs = {row.case: row for row in results.predictions(other) if row.part == "test"}
    rows = [theirs.get(case) for case in tested.cases]
    if any(row is None for row in rows):
        listener.note("The run this is a control of was tested on other cases; they were not compared.")
        return
    them = np.array([[row.scores[name] for name in cohort.classes] for row in rows if row is not None])
    said = tasks.compare(
        cohort, tested.truth, them, tested.scores, tested.patients, name="from-scratch", run=recipe.run,
        seed=recipe.seed,
    )  # fmt: skip
    write_whole(other / store.RESULT / results.CONTROL, json.dumps(said, ensure_ascii=False))
