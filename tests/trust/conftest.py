"""Runs on disk as the worker leaves them, of every task, with scores that are known."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from medtl.evaluation import evaluation, findings
from medtl.runs import results, store
from medtl.runs.results import PredictionRow
from medtl.vocabulary import OperatingRule, Recipe, Task
from medtl.workspace import Workspace

Made = Callable[..., Path]


@pytest.fixture
def finished(tmp_path: Path) -> Made:
    """A finished run of `n` cases a part, `images` a patient."""

    def make(
        task: Task = "single-label", classes: Sequence[str] = ("well", "ill"), n: int = 120, images: int = 2,
        seed: int = 0, operating: OperatingRule = OperatingRule(), cohort: str = "gone",  # noqa: B008 - frozen
        ids: dict[str, Sequence[str]] | None = None,
    ) -> Path:  # fmt: skip
        ws = Workspace(tmp_path).ensure()
        recipe = Recipe(store.new_id(), "Made", cohort, "source", "", "linear-probe", {}, seed, operating=operating)
        folder = store.create(ws, recipe)
        rng = np.random.default_rng(seed)
        parts = {part: _part(rng, task, classes, n, images, part, (ids or {}).get(part)) for part in ("tune", "test")}
        (folder / store.RESULT).mkdir()
        rows = [row for part in parts.values() for row in part[2]]
        results.write_predictions(folder / store.RESULT / results.PREDICTIONS, classes, rows)
        (y_tune, s_tune, _), (y, s, mine) = parts["tune"], parts["test"]
        patients = np.array([row.patient for row in mine], object)
        positive = classes[1] if len(classes) == 2 and task != "multi-label" else None
        if task == "multi-label":
            made = findings.evaluate(y_tune, s_tune, y, s, classes, patients, rule=operating, draws=400)
        else:
            made = evaluation.evaluate(
                y_tune, s_tune, y, s, classes, positive, patients, task=task, rule=operating, draws=400
            )
        said = made.as_dict() | {"task": task, "positive": positive, "parts": {}, "seconds": {}}
        (folder / store.RESULT / results.ESTIMATES).write_text(json.dumps(said))
        (folder / store.RESULT / results.CURVES).write_text(json.dumps(made.curves))
        return folder

    return make


def _part(
    rng: np.random.Generator, task: Task, classes: Sequence[str], n: int, images: int, part: str,
    ids: Sequence[str] | None,
) -> tuple[np.ndarray, np.ndarray, list[PredictionRow]]:  # fmt: skip
    k = len(classes)
    ids = ids or [f"{part}{i}" for i in range(n)]
    who = [f"{part}-p{i // images}" for i in range(n)]
    if task == "multi-label":
        y = rng.integers(-1, 2, (n, k))
        scores = np.round(1 / (1 + np.exp(-(2.0 * y - 1 + rng.normal(0, 1.2, (n, k))))), 6)
        said = [{name: int(v) for name, v in zip(classes, row, strict=True)} for row in y]
        labels = [results.joined(name for name in one if one[name] == 1) for one in said]
    else:
        y = np.sort(np.arange(n) // images % k) if images > 1 else np.arange(n) % k
        evidence = rng.normal(0, 1.2, (n, k)) - 1.2 * np.abs(np.arange(k)[None] - y[:, None])
        scores = np.exp(evidence) / np.exp(evidence).sum(axis=1, keepdims=True)
        scores = np.round(scores, 6)
        scores /= scores.sum(axis=1, keepdims=True)
        said = [{} for _ in range(n)]
        labels = [classes[i] for i in y]
    called = [
        results.joined(c for c, s in zip(classes, row, strict=True) if s >= 0.5)
        if task == "multi-label"
        else classes[int(np.argmax(row))]
        for row in scores
    ]
    rows = [
        PredictionRow(id, patient, part, label, call, dict(zip(classes, map(float, row), strict=True)), one)
        for id, patient, label, call, row, one in zip(ids, who, labels, called, scores, said, strict=True)
    ]
    return y, scores, rows
