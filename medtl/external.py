"""A finished run on another cohort, with everything frozen: whether it may be tested there, what it takes, the numbers.

Asked from anywhere; a worker carries it out (`medtl.elsewhere`). Every case of the cohort is scored, whatever its own
split says, but for those the network may know. `numbers` gives the first statistics of what was written.
"""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from medtl.cohorts import library as cohorts
from medtl.cohorts import patients as patient_codes
from medtl.cohorts.pixels import Pixels
from medtl.errors import BadInput, NotReady
from medtl.evaluation import estimates as measuring
from medtl.evaluation import tasks
from medtl.runs import afterwards, store, wishes
from medtl.runs import launch as launching
from medtl.runs.afterwards import External
from medtl.runs.results import PredictionRow
from medtl.sources import library as sources
from medtl.training import cost
from medtl.transferability import seen
from medtl.vocabulary import Case, Cohort, Estimate, Split, without
from medtl.workspace import Workspace

MOST_ROWS = 500  # images of each side whose features are kept
SAME = "the same image was learned from"
COPY = "nearly the same image was learned from"
PERSON = "the patient was learned from"
SOURCE = "the source had learned from the image, or a near copy"
UNWANTED = "nothing that the run answers is said of it"


# ---- which class is which --------------------------------------------------------------------------------------------


def matched(trained_on: Cohort, other: Cohort, mapping: Mapping[str, str]) -> dict[str, str]:
    """Class of `other` -> class of the run, "" where its cases are left out. `mapping` says which where names differ;
    names that agree but for capitals and spaces need no word. Raises BadInput with what is to be said."""
    if (trained_on.task == "multi-label") != (other.task == "multi-label"):
        one, several = "one label an image", "several findings an image"
        has, wants = (one, several) if trained_on.task == "multi-label" else (several, one)
        raise BadInput(
            f"This run answers with {wants}, and '{other.title}' has {has}.",
            "Bring a cohort of the same kind; of one with several findings, `cohort edit --outcome FINDING` makes one "
            "about a single finding.",
        )
    ours, theirs = ", ".join(trained_on.classes), ", ".join(other.classes)
    for name, to in mapping.items():
        if name not in other.classes:
            raise BadInput(f"'{other.title}' has no class '{name}'.", f"Its classes: {theirs}.")
        if to and to not in trained_on.classes:
            raise BadInput(
                f"This run knows no class '{to}'.", f"Its classes: {ours}. Leave it empty to leave cases out."
            )
    known = {_plain(name): name for name in trained_on.classes}
    found = {name: mapping.get(name, known.get(_plain(name))) for name in other.classes}
    unknown = [name for name, to in found.items() if to is None]
    if unknown and other.task == "multi-label":
        found |= dict.fromkeys(unknown, "")
    elif unknown:
        like = difflib.get_close_matches(unknown[0], trained_on.classes, 1, 0.0)[0]
        raise BadInput(
            f"The run knows no class '{unknown[0]}' of '{other.title}'; it knows {ours}.",
            f'Say which it is (--map "{unknown[0]}={like}"), or leave its cases out (--map "{unknown[0]}=").',
        )
    if not any(found.values()):
        raise BadInput(
            f"'{other.title}' asks nothing that this run answers: it knows {ours}, the cohort has {theirs}.",
            f'Say which class is which (--map "{other.classes[0]}={trained_on.classes[0]}").',
        )
    return {name: to or "" for name, to in found.items()}


def _plain(name: str) -> str:
    return " ".join(name.casefold().replace("_", " ").replace("-", " ").split())


def relabelled(trained_on: Cohort, other: Cohort, mapping: Mapping[str, str]) -> Cohort:
    """The cases of `other` under the run's classes; those of classes that are left out are not there."""
    if other.task == "multi-label":
        cases = [replace(case, labels=_findings(case, mapping)) for case in other.cases]
        cases = [case for case in cases if case.labels]
    else:
        cases = [replace(case, label=mapping[case.label]) for case in other.cases if mapping[case.label]]
    return replace(
        other, task=trained_on.task, classes=trained_on.classes, positive=trained_on.positive, cases=tuple(cases)
    )


def _findings(case: Case, mapping: Mapping[str, str]) -> dict[str, int]:
    """Of several that become one finding, one that is present decides, then one that is uncertain."""
    said: dict[str, list[int]] = {}
    for name, value in case.labels.items():
        if to := mapping.get(name):
            said.setdefault(to, []).append(value)
    return {name: 1 if 1 in values else min(values) for name, values in said.items()}


# ---- what the network may know ---------------------------------------------------------------------------------------


def overlap(
    workspace: Workspace, run_id: str, other: Cohort, other_patients: bool = False
) -> dict[str, tuple[str, ...]]:
    """Reason -> ids of the cases of `other` that the run (its train and tune part) or its source learned from.

    `other_patients`: codes of patients that agree are other people all the same, as where two hospitals count from 1.
    The test part of the run's cohort does not count: nobody learned from it.
    """
    folder = store.folder(workspace, run_id)
    own = cohorts.load(workspace, store.recipe(folder).cohort)
    learned = {*own.split.train, *own.split.tune}
    cases = [case for case in own.cases if case.id in learned]
    mine, theirs = Pixels(workspace.cohort(own.id)), Pixels(workspace.cohort(other.id))
    files = {_of_file(case) for case in cases}
    pixels = {mine.stored[case.id].fingerprint for case in cases}
    people = {case.patient for case in cases if case.patient not in (None, patient_codes.alone(case.id))}
    ids = [case.id for case in other.cases]
    prints = seen.fingerprints(theirs.thumbnails(ids))
    own_prints = seen.fingerprints(mine.thumbnails([case.id for case in cases]))
    copies = seen.among(prints, own_prints)
    of_source = seen.among(prints, seen.load(folder / store.RESULT))  # of the run and of all it started from
    found: dict[str, list[str]] = {}
    for case, copy, before in zip(other.cases, copies, of_source, strict=True):
        person = case.patient is not None and case.patient in people and not other_patients
        known = {
            SAME: _of_file(case) in files or theirs.stored[case.id].fingerprint in pixels,
            COPY: bool(copy),
            PERSON: person,
            SOURCE: bool(before),
        }
        if why := next((reason for reason, so in known.items() if so), ""):
            found.setdefault(why, []).append(case.id)
    return {why: tuple(found[why]) for why in (SAME, COPY, PERSON, SOURCE) if why in found}


def _of_file(case: Case) -> tuple[str, int | None]:
    return case.sha256, case.frame


# ---- asking ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Asked:
    """What a test on a cohort would be: the classes as they match, and who is left out and why."""

    mapping: Mapping[str, str]
    excluded: Mapping[str, tuple[str, ...]]
    cases: int


def check(
    workspace: Workspace, run_id: str, cohort_id: str, mapping: Mapping[str, str] | None = None,
    other_patients: bool = False,
) -> Asked:  # fmt: skip
    """What would be scored; raises MedtlError with what is in the way. Looks at every image of both once."""
    folder = store.folder(workspace, run_id)
    if not (folder / store.RESULT).is_dir():
        raise NotReady("This run has no result yet.", "Wait until it has finished.")
    own, other = cohorts.load(workspace, store.recipe(folder).cohort), cohorts.load(workspace, cohort_id)
    if other.id == own.id:
        raise BadInput(
            f"'{other.title}' is the cohort this run was made of; its test part has been tried already.",
            "Bring images of another site or time as a cohort of their own, and name that one.",
        )
    if other.modality != own.modality:
        raise BadInput(f"'{other.title}' is of another modality ({other.modality}).", "Choose a cohort of like images.")
    if conflict := next((one for one in other.blocks if one.code == "label-conflict"), None):
        raise BadInput(f"'{other.title}' cannot be a test: {conflict.message}", conflict.advice)
    names = matched(own, other, mapping or {})
    asked = relabelled(own, other, names)
    excluded = overlap(workspace, run_id, asked, other_patients)
    gone = {id for ids in excluded.values() for id in ids}
    left = sum(case.id not in gone for case in asked.cases)
    if not left:
        why = "; ".join(f"{len(ids):,} because {reason}" for reason, ids in excluded.items())
        raise BadInput(
            f"No case of '{other.title}' is left for an external test: {why or 'none has a label the run knows'}.",
            "Bring images the run has not learned from. If codes of patients agree by chance, as where two hospitals "
            "count from 1, say so (--other-patients)."
            if PERSON in excluded
            else "Bring images the run has not learned from.",
        )
    kept = {case.id for case in asked.cases}
    unwanted = tuple(case.id for case in other.cases if case.id not in kept)
    return Asked(names, excluded | ({UNWANTED: unwanted} if unwanted else {}), left)


def ask(
    workspace: Workspace, run_id: str, cohort_id: str, mapping: Mapping[str, str] | None = None,
    other_patients: bool = False, again: bool = False, launch: bool = True,
) -> bool:  # fmt: skip
    """See to it that the run is tested on the cohort; False where it was, asked in the same way. Raises MedtlError."""
    folder = store.folder(workspace, run_id)
    asked = check(workspace, run_id, cohort_id, mapping, other_patients)
    there = next((one for one in afterwards.externals(folder) if one.cohort == cohort_id), None)
    same = there is not None and (dict(there.mapping), there.other_patients) == (asked.mapping, other_patients)
    if same and not again:
        return False
    wish = {"cohort": cohort_id, "mapping": dict(asked.mapping), "other_patients": other_patients}
    wishes.leave(folder, wishes.EXTERNAL, wish)
    if launch:
        launching.launch(folder)
    return True


def takes(workspace: Workspace, run_id: str, cohort_id: str, cases: int | None = None) -> float:
    """Seconds, told before it is begun; `cases` where `check` has counted who is left."""
    source = sources.from_run(store.folder(workspace, run_id))
    own = cohorts.load(workspace, store.recipe(store.folder(workspace, run_id)).cohort)
    cases = len(cohorts.load(workspace, cohort_id).cases) if cases is None else cases
    images = cases + min(MOST_ROWS, len(own.split.test))
    looking = cost.Work(images * (1 + source.looks) * source.outline.gflop)
    return cost.speed_of(workspace, source).seconds(looking) + 0.004 * images + 1.0


# ---- the first numbers -----------------------------------------------------------------------------------------------

SAID = ("auroc", "sensitivity", "specificity", "auprc", "balanced_accuracy", "brier")


def numbers(found: External, seed: int = 0) -> tuple[Estimate, ...]:
    """At the thresholds in force, each with its interval; of several findings those of each, "auroc[name]", and the
    mean AUROC. Empty where no class can be told from another."""
    rows = afterwards.external_predictions(found)
    known = [row.patient for row in rows]
    patients = np.array(known, dtype=object) if any(one is not None for one in known) else None
    if found.task == "multi-label":
        return _of_findings(found, rows, patients, seed)
    classes = found.classes
    y = np.array([classes.index(row.label) for row in rows], dtype=int)
    calls = np.array([classes.index(row.predicted) for row in rows], dtype=int)
    scores = np.array([[row.scores[name] for name in classes] for row in rows], dtype=float)
    scores /= scores.sum(axis=1, keepdims=True)
    made = measuring.estimates(y, scores, calls, classes, found.positive if len(classes) == 2 else None, patients, seed)
    return tuple(one for one in made if one.name.partition("[")[0] in SAID)


def _of_findings(
    found: External, rows: Sequence[PredictionRow], patients: "np.ndarray | None", seed: int
) -> tuple[Estimate, ...]:
    made: list[Estimate] = []
    truth = np.array([[row.said.get(name, -2) for name in found.classes] for row in rows], dtype=int)
    scores = np.array([[row.scores[name] for name in found.classes] for row in rows], dtype=float)
    like = Cohort("", "", "image", "multi-label", found.classes, None, (), Split((), (), (), ""))
    try:
        said = tasks.compare(like, truth, scores, scores, patients, "itself", seed=seed)
        made.append(Estimate(**said["auroc"]))
    except BadInput:  # no finding is present in some and absent in others
        pass
    for k, name in enumerate(found.classes):
        sure = truth[:, k] >= 0
        if not sure.any():
            continue
        called = np.array([name in row.predicted.split("|") for row in rows])[sure].astype(int)
        both = np.stack([1 - scores[sure, k], scores[sure, k]], axis=1)
        two, who = (without(name), name), patients[sure] if patients is not None else None
        each = measuring.estimates(truth[sure, k], both, called, two, name, who, seed)
        made += [replace(one, name=f"{one.name}[{name}]") for one in each if one.name in SAID]
    return tuple(made)
