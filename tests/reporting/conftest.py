"""Finished runs with answers that are known, beside the network of a real one: only what papers read is made up."""

import dataclasses
import json
import shutil
from collections.abc import Callable, Sequence
from html import unescape
from unittest.mock import patch

import numpy as np
import pytest

from medtl.evaluation import evaluation, findings
from medtl.reporting import content
from medtl.reporting.content import Facts
from medtl.runs import results, store
from medtl.runs.results import PredictionRow
from medtl.vocabulary import PARTS, Case, Cohort, Task
from tests.conftest import Practice

MadeUp = Callable[..., Facts]


@pytest.fixture(scope="session")
def made_up(practice: Practice, tmp_path_factory: pytest.TempPathFactory) -> MadeUp:
    """The facts of a run of `n` tune and test cases of any task, two images a patient, with sex, age and scanner."""

    def make(task: Task, classes: Sequence[str], n: int = 80, seed: int = 0) -> Facts:
        folder = tmp_path_factory.mktemp("made") / "runs" / store.new_id()
        shutil.copytree(practice.folder, folder)
        for name in ("neighbours.npz", "learning_curve.json", "cross_validated.json", "operating.json"):
            (folder / store.RESULT / name).unlink(missing_ok=True)
        rng = np.random.default_rng(seed)
        rows, y, scores = _rows(rng, task, tuple(classes), n)
        results.write_predictions(folder / store.RESULT / results.PREDICTIONS, classes, rows)
        who = np.array([row.patient for row in rows[n:]], object)
        if task == "multi-label":
            made = findings.evaluate(y[:n], scores[:n], y[n:], scores[n:], tuple(classes), who, draws=200)
        else:
            positive = classes[1] if len(classes) == 2 else None
            made = evaluation.evaluate(
                y[:n], scores[:n], y[n:], scores[n:], tuple(classes), positive, who, task=task, draws=200
            )
        whole = {part: {"cases": n, "patients": n // 2} for part in PARTS}
        said = made.as_dict() | {"task": task, "positive": None, "parts": whole, "seconds": {}}
        (folder / store.RESULT / results.ESTIMATES).write_text(json.dumps(said))
        (folder / store.RESULT / results.CURVES).write_text(json.dumps(made.curves))
        cohort = _cohort(practice, task, classes, rows)
        with patch("medtl.trust.judge.cohorts.load", return_value=cohort):  # its groups, though nothing is on disk
            return content.of(practice.ws, folder, results.load(folder), cohort)

    return make


def _rows(
    rng: np.random.Generator, task: Task, classes: tuple[str, ...], n: int
) -> tuple[list[PredictionRow], np.ndarray, np.ndarray]:
    """Tune cases first; scores that tell the classes apart, but not always."""
    k = len(classes)
    if task == "multi-label":
        y = rng.integers(-1, 2, (2 * n, k))
        scores = np.round(1 / (1 + np.exp(-(1.5 * y - 0.5 + rng.normal(0, 1.2, (2 * n, k))))), 5)
    else:
        y = np.arange(2 * n) // 2 % k
        evidence = rng.normal(0, 1.0, (2 * n, k)) - 1.1 * np.abs(np.arange(k)[None] - y[:, None])
        scores = np.exp(evidence) / np.exp(evidence).sum(axis=1, keepdims=True)
    rows = []
    for i in range(2 * n):
        said = dict(zip(classes, map(int, y[i]), strict=True)) if task == "multi-label" else {}
        label = results.joined(c for c, v in said.items() if v == 1) if said else classes[y[i]]
        called = (
            results.joined(c for c, s in zip(classes, scores[i], strict=True) if s >= 0.5)
            if said
            else classes[int(scores[i].argmax())]
        )
        part = PARTS[1] if i < n else PARTS[2]
        values = dict(zip(classes, map(float, scores[i]), strict=True))
        rows.append(PredictionRow(f"c{i}", f"p{i // 2}", part, label, called, values, said))
    return rows, y, scores


def _cohort(practice: Practice, task: Task, classes: Sequence[str], rows: Sequence[PredictionRow]) -> Cohort:
    two = len(classes) == 2 and task != "multi-label"
    cases = tuple(
        Case(row.case, f"{row.case}.png", "" if row.said else row.label, "", row.patient, labels=dict(row.said),
             facts={"sex": "FM"[i % 3 == 0], "scanner": ("A", "B")[i % 2]})
        for i, row in enumerate(rows)
    )  # fmt: skip
    ids = {part: tuple(row.case for row in rows if row.part == part) for part in PARTS}
    split = dataclasses.replace(practice.cohort.split, train=(), tune=ids["tune"], test=ids["test"])
    return dataclasses.replace(
        practice.cohort, task=task, classes=tuple(classes), positive=classes[1] if two else None,
        cases=cases,
        split=split,
        findings=(), skipped=(), history=(),
    )  # fmt: skip


def words_of(text: str) -> str:
    """HTML as a reader has it: entities and hard spaces undone."""
    return unescape(text).replace("\u00a0", " ")
