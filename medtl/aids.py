"""What a run may learn from besides its labelled cases: unlabelled images of a cohort, the answers of a finished run.

Sees to it that neither lets the tune or the test part into the training.

Letters: N cases in the cohort, K classes.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from medtl.cohorts import library as cohorts
from medtl.errors import BadInput, NotReady
from medtl.runs import results, store
from medtl.vocabulary import Case, Cohort, InputSpec
from medtl.workspace import Workspace

if TYPE_CHECKING:
    import numpy as np

    from medtl.training.device import Device
    from medtl.training.examples import Listener, Unlabelled


def check_unlabelled(cohort: Cohort, other: Cohort) -> None:
    """Raises BadInput when the images of `other` cannot be used without their labels for `cohort`."""
    if other.id == cohort.id:
        raise BadInput(
            "The unlabelled images are the cohort itself, whose labels are known.",
            "Choose another cohort; its labels are not looked at.",
        )
    if other.modality != cohort.modality:
        raise BadInput(
            f"'{other.title}' is of another modality ({other.modality}) than '{cohort.title}' ({cohort.modality}).",
            "Choose a cohort of like images.",
        )


def unlabelled(workspace: Workspace, id: str, cohort: Cohort, spec: InputSpec, listener: "Listener") -> "Unlabelled":
    """The images of cohort `id` that are not in `cohort`, each once, prepared for a network of this input."""
    from medtl.cohorts.pixels import Pixels
    from medtl.modalities.image import ImageInputs, keys
    from medtl.training.examples import Unlabelled

    other = cohorts.load(workspace, id)
    check_unlabelled(cohort, other)
    pixels = Pixels(workspace.cohort(other.id))
    known = set(keys(Pixels(workspace.cohort(cohort.id)), cohort))
    kept = _new_to(cohort, other, known, dict(zip([c.id for c in other.cases], keys(pixels, other), strict=True)))
    listener.note(_said(other, len(kept)))
    chosen = replace(other, cases=kept)
    return Unlabelled(
        ImageInputs(workspace.cohort(other.id), chosen, spec) if kept else _Nothing(), keys(pixels, chosen)
    )


def _new_to(cohort: Cohort, other: Cohort, known: set[str], prints: dict[str, str]) -> tuple[Case, ...]:
    """The cases of `other` whose pixels `cohort` does not hold, each picture once; of versions of one cohort also
    without the patients of the tune and the test part."""
    spoken_for = set(known)
    part = cohort.split.part_of()
    judged = {case.patient for case in cohort.cases if part.get(case.id) in ("tune", "test")} - {None}
    kept = []
    for case in other.cases:
        if prints[case.id] in spoken_for or (other.first == cohort.first and case.patient in judged):
            continue
        spoken_for.add(prints[case.id])
        kept.append(case)
    return tuple(kept)


def _said(other: Cohort, kept: int) -> str:
    left = len(other.cases) - kept
    out = f"; {left:,} were left out because the cohort holds them already, or they are there twice" if left else ""
    return f"{kept:,} images of '{other.title}' are used without their labels{out}."


class _Nothing:
    """No pictures at all."""

    def take(self, indices: "np.ndarray") -> "np.ndarray":
        raise IndexError("there is no unlabelled image")

    def keep(self, on_progress: object) -> None:
        return


def check_teacher(workspace: Workspace, run_id: str, cohort: Cohort) -> None:
    """Raises MedtlError unless run `run_id` has ended and was made of this cohort, cut in the same way."""
    folder = store.folder(workspace, run_id)
    if not (folder / store.RESULT).is_dir():
        raise NotReady("The teacher has no result yet.", "Wait until it has finished, or choose another run.")
    if store.recipe(folder).cohort != cohort.id:
        raise BadInput(
            "The teacher was trained on another cohort, or on another version of this one.",
            "Choose a finished run of this cohort: only then has it seen nothing of the test part.",
        )
    part = cohort.split.part_of()
    judged = {row.case: row.part for row in results.predictions(folder)}
    if judged != {case: name for case, name in part.items() if name in ("tune", "test")}:
        raise BadInput(
            "The teacher was tuned or tested on other cases than this cohort's split says.",
            "Start the teacher again on this cohort, then choose the new run.",
        )


def teacher(
    workspace: Workspace, run_id: str, cohort: Cohort, train: "np.ndarray", device: "Device", listener: "Listener"
) -> "np.ndarray":
    """(N, K) scores of the finished run for the training cases; all other rows are not numbers, so that nobody can
    learn from them."""
    import numpy as np

    from medtl.modalities.image import ImageInputs
    from medtl.sources import library as sources
    from medtl.sources.weights import load_trained
    from medtl.training.examples import Stopped
    from medtl.training.inference import Eye, head_scores

    check_teacher(workspace, run_id, cohort)
    source = sources.from_run(store.folder(workspace, run_id))
    network = load_trained(source, len(cohort.classes))

    def progress(done: int, total: int) -> None:
        listener.phase("features", "Asking the teacher about every training image", done, total)
        if listener.should_stop():
            raise Stopped

    inputs = ImageInputs(workspace.cohort(cohort.id), cohort, source.input)
    features = Eye(network, source.input, device).features(inputs.take, train, progress)
    scores = np.full((len(cohort.cases), len(cohort.classes)), np.nan)
    scores[train] = head_scores(network.head, features, source.task)
    return scores
