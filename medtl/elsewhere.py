"""Carries out the test of a finished run on another cohort: everything is frozen, every case is scored once.

What is asked and why it may not be is `medtl.external`'s; this is done in a worker. What is written appears whole or
not at all, and holds numbers only: it can be read when the cohort has been deleted.

Letters: n cases, D features, K classes.
"""

import json
import os
import secrets
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from medtl import external
from medtl.cohorts import library as cohorts
from medtl.cohorts.pixels import Pixels
from medtl.frozen import Frozen
from medtl.runs import afterwards, results
from medtl.runs.afterwards import LOOKS, External, Side, Spread
from medtl.runs.results import PredictionRow
from medtl.transferability import seen
from medtl.vocabulary import Case, Cohort, labels_of, to_dict
from medtl.workspace import Workspace, whole_folder, write_whole

if TYPE_CHECKING:
    from medtl.training.device import Device
    from medtl.training.examples import Listener

PART = "external"  # in predictions.csv
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def carry_out(
    workspace: Workspace, folder: Path, device: "Device", listener: "Listener",
    cohort: str, mapping: Mapping[str, str], other_patients: bool = False,
) -> bool:  # fmt: skip
    """Score the cohort and write what was found; False where it was stopped, and nothing is kept."""
    from medtl.training.examples import Stopped

    began = time.monotonic()
    asked = external.check(workspace, folder.name, cohort, mapping, other_patients)
    frozen, other = Frozen(workspace, folder.name, device), cohorts.load(workspace, cohort)
    gone = {id for ids in asked.excluded.values() for id in ids}
    whole = external.relabelled(frozen.cohort, other, asked.mapping)
    tested = replace(whole, cases=tuple(case for case in whole.cases if case.id not in gone))

    def progress(says: str, done: int, total: int) -> None:
        listener.phase("external", says, done, total)
        if listener.should_stop():
            raise Stopped

    scoring = partial(progress, f"Scoring the images of '{other.title}'")
    at_home = partial(progress, "Looking at the internal test part, to compare the images")

    try:
        features = _features(workspace, frozen, tested, np.arange(len(tested.cases)), scoring)
        inside = _inside(frozen)
        own = _features(workspace, frozen, frozen.cohort, inside, at_home)
    except Stopped:
        return False
    scores = frozen.scores(features)
    internal = replace(frozen.cohort, cases=tuple(frozen.cohort.cases[i] for i in inside))
    looks = {id: _looks(workspace, id, one.cases) for id, one in ((other.id, tested), (frozen.cohort.id, internal))}
    found = External(
        cohort=other.id,
        title=other.title,
        root=other.first,
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        classes=frozen.classes,
        positive=frozen.cohort.positive,
        task=frozen.cohort.task,
        cases=len(tested.cases),
        patients=tested.patients,
        counts=tested.counts,
        mapping=dict(asked.mapping),
        excluded=asked.excluded,
        notes=_notes(frozen.cohort, other, tested, asked.mapping, _at_home(workspace, frozen.cohort, tested)),
        internal=_side(workspace, frozen, internal, own, looks[frozen.cohort.id]),
        external=_side(workspace, frozen, tested, features, looks[other.id]),
        other_patients=other_patients,
        synthetic=other.synthetic,
        seconds=round(time.monotonic() - began, 2),
    )
    _write(folder, found, frozen, tested, scores, {
        "internal": own, "external": features,
        "internal_looks": looks[frozen.cohort.id], "external_looks": looks[other.id],
        "internal_cases": np.array([case.id for case in internal.cases]),
        "external_cases": np.array([case.id for case in tested.cases]),
    })  # fmt: skip
    return True


def _features(
    workspace: Workspace, frozen: Frozen, cohort: Cohort, which: np.ndarray, progress: Callable[[int, int], None]
) -> np.ndarray:
    from medtl.modalities.image import ImageInputs

    inputs = ImageInputs(workspace.cohort(cohort.id), cohort, frozen.source.input)
    return frozen.features(inputs.take, which, progress)


def _inside(frozen: Frozen) -> np.ndarray:
    """Cases of the run's own test part, what it was tested on at home: at most as many as features are kept of."""
    at = {case.id: i for i, case in enumerate(frozen.cohort.cases)}
    test = np.array(sorted(at[id] for id in frozen.cohort.split.test), dtype=int)
    return np.sort(_some(test, frozen.recipe.seed))


def _some(of: np.ndarray, seed: int) -> np.ndarray:
    return (
        of
        if len(of) <= external.MOST_ROWS
        else np.random.default_rng(seed).choice(of, external.MOST_ROWS, replace=False)
    )


def _looks(workspace: Workspace, id: str, cases: Sequence[Case]) -> np.ndarray:
    """(n, 5) float32 in the order of LOOKS; not a number where an old cohort did not measure it. Width and height are
    those of the file where it says so."""
    pixels = Pixels(workspace.cohort(id))
    rows = []
    for case in cases:
        look, place = pixels.looks.get(case.id), pixels.stored[case.id]
        seen_as = [getattr(look, name) for name in LOOKS[:3]] if look else [np.nan] * 3
        rows.append([*seen_as, case.facts.get("width") or place.width, case.facts.get("height") or place.height])
    return np.array(rows, dtype=np.float32).reshape(len(rows), len(LOOKS))


def _side(workspace: Workspace, frozen: Frozen, of: Cohort, features: np.ndarray, looks: np.ndarray) -> Side:
    away, refused = frozen.unlike(features, Pixels(workspace.cohort(of.id)), of.cases)
    return Side(
        cases=len(features),
        looks={name: _spread(looks[:, i]) for i, name in enumerate(LOOKS)},
        distance=float(away.mean()) if len(away) else 0.0,
        refused=float(refused.mean()) if len(refused) else 0.0,
    )


def _spread(values: np.ndarray) -> Spread:
    known = values[np.isfinite(values)]
    if not len(known):
        return Spread(0, 0.0, 0.0, ())
    return Spread(
        len(known), float(known.mean()), float(known.std()), tuple(float(q) for q in np.quantile(known, QUANTILES))
    )


def _at_home(workspace: Workspace, own: Cohort, tested: Cohort) -> int:
    """How many of its images, or near copies of them, are in the test part of the run."""
    mine = Pixels(workspace.cohort(own.id)).thumbnails(own.split.test)
    theirs = Pixels(workspace.cohort(tested.id)).thumbnails([case.id for case in tested.cases])
    return int(seen.among(seen.fingerprints(theirs), seen.fingerprints(mine)).sum())


def _notes(own: Cohort, other: Cohort, tested: Cohort, mapping: Mapping[str, str], at_home: int) -> tuple[str, ...]:
    said = []
    if missing := [name for name, count in tested.counts.items() if not count]:
        said.append(f"'{other.title}' has no case of {_listed(missing)}: nothing is said of {_it(missing)}.")
    if own.task == "multi-label" and (ignored := [name for name, to in mapping.items() if not to]):
        said.append(f"The run does not answer {_listed(ignored)}, which '{other.title}' also asks.")
    if own.reading != other.reading:
        said.append(
            "The two cohorts were brought in different ways (CT window, frames or slices): what differs may be that."
        )
    if own.synthetic != other.synthetic:
        said.append("One of the two cohorts is SYNTHETIC: this says nothing about patients.")
    if other.first == own.first:
        said.append("This is another version of the cohort the run was made of, not another site or time.")
    if at_home:
        said.append(
            f"{at_home:,} of its images, or near copies, are also in the internal test part: not wholly another set."
        )
    return tuple(said)


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else list(names))


def _it(names: Sequence[str]) -> str:
    return "it" if len(names) == 1 else "them"


def _write(
    folder: Path, found: External, frozen: Frozen, tested: Cohort, scores: np.ndarray, kept: Mapping[str, np.ndarray]
) -> None:
    """The folder appears whole, in place of an earlier one."""
    place = afterwards.place_of_external(folder, found.cohort)
    rows = _some(np.arange(len(tested.cases)), frozen.recipe.seed)
    arrays = dict(kept)
    for name in ("external", "external_looks", "external_cases"):
        arrays[name] = kept[name][rows]
    for side in ("internal", "external"):
        arrays[side] = np.clip(arrays[side], -6e4, 6e4).astype(np.float16)
        arrays[f"{side}_looks"] = arrays[f"{side}_looks"].astype(np.float32)
    old = place.with_name(f".{place.name}.old-{secrets.token_hex(4)}")
    with whole_folder(place) as part:
        results.write_predictions(part / results.PREDICTIONS, frozen.classes, _rows(frozen, tested, scores))
        np.savez_compressed(part / afterwards.FEATURES, allow_pickle=False, **arrays)
        content = {"schema_version": 1, **to_dict(found)}
        del content["folder"]
        write_whole(part / afterwards.EXTERNAL_RESULT, json.dumps(content, ensure_ascii=False))
        if place.exists():
            os.replace(place, old)
    shutil.rmtree(old, ignore_errors=True)


def _rows(frozen: Frozen, tested: Cohort, scores: np.ndarray) -> list[PredictionRow]:
    classes, several = frozen.classes, tested.task == "multi-label"
    rows = []
    for case, said, called in zip(tested.cases, scores, frozen.called(scores), strict=True):
        label = results.joined(labels_of(case)) if several else case.label
        predicted = results.joined(name for name, yes in zip(classes, called, strict=True) if yes)
        known = {name: case.labels[name] for name in classes if several and name in case.labels}
        rows.append(
            PredictionRow(
                case.id, case.patient, PART, label, predicted, dict(zip(classes, map(float, said), strict=True)), known
            )
        )
    return rows
