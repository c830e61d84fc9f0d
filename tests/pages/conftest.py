"""Tiny workspaces on disk for the pages: nothing yet, a cohort, a finished run, and things that went wrong."""

import csv
import dataclasses
import json
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import streamlit as st
from PIL import Image
from streamlit.testing.v1 import AppTest

from medtl.cohorts import library
from medtl.runs import events, store
from medtl.vocabulary import Cohort, Recipe
from medtl.workspace import Workspace

APP = Path(__file__).resolve().parents[2] / "app.py"
CLASSES = ("benign", "malignant")


@pytest.fixture
def ws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """An empty workspace that the pages use."""
    monkeypatch.setenv("MEDTL_HOME", str(tmp_path / "home"))
    st.cache_data.clear()
    st.cache_resource.clear()
    yield Workspace().ensure()
    st.cache_data.clear()
    st.cache_resource.clear()


@pytest.fixture
def cohort(ws: Workspace, tmp_path: Path) -> Cohort:
    return make_cohort(ws, tmp_path / "brought")


@pytest.fixture
def run(ws: Workspace, cohort: Cohort) -> str:
    return make_run(ws, cohort)


@pytest.fixture
def open_page() -> Callable[..., AppTest]:
    """A page as a browser would open it: by address, with ids in the query."""

    def opened(page: str, **query: str) -> AppTest:
        at = AppTest.from_file(str(APP), default_timeout=30)
        at.session_state["begun-anew"] = True  # AppTest takes the page for another one after a rerun
        for key, value in query.items():
            at.query_params[key] = value
        at.run()
        if page != "home":
            at.switch_page(f"pages/{page}.py")
            for key, value in query.items():
                at.query_params[key] = value
            at.run()
        return at

    return opened


def words_on(at: AppTest) -> str:
    """Everything a reader would see as text, without Markdown's escapes."""
    parts: list[str] = []
    for kind in ("title", "header", "subheader", "markdown", "caption", "text", "error", "warning", "info", "success"):
        parts += [str(element.value) for element in at.get(kind)]
    parts += [element.label for kind in ("button", "selectbox", "radio") for element in at.get(kind)]
    return "\n".join(parts).replace("\\", "")


def in_address(at: AppTest, key: str) -> str:
    """What the address holds; AppTest gives a list or a text, as the page was opened or switched to."""
    value = at.query_params[key]
    return value if isinstance(value, str) else value[0]


def healthy(at: AppTest) -> None:
    """No traceback, and no fault that the guard had to hide."""
    assert not at.exception, at.exception
    assert not any("Something went wrong" in error.value for error in at.error), (log_of(), [e.value for e in at.error])


def log_of() -> str:
    log = Path(os.environ["MEDTL_HOME"]) / "app.log"
    return log.read_text() if log.exists() else ""


def make_cohort(
    ws: Workspace, folder: Path, *, per_class: int = 30, side: int = 40, conflict: bool = False, title: str = "Tiny set"
) -> Cohort:
    """Two classes of grey pictures, the malignant ones brighter in the middle; two images a patient."""
    rng = np.random.default_rng(0)
    for at, label in enumerate(CLASSES):
        (folder / label).mkdir(parents=True, exist_ok=True)
        for n in range(per_class):
            picture = rng.integers(40, 120, (side, side), dtype=np.uint8)
            picture[side // 4 : side // 2, side // 4 : side // 2] += np.uint8(40 * at + n)
            Image.fromarray(picture).save(folder / label / f"p{100 * at + n // 2}_{n % 2}.png")
    if conflict:
        (folder / CLASSES[1] / "copy.png").write_bytes((folder / CLASSES[0] / "p0_0.png").read_bytes())
    return library.add(ws, folder, name=title, patient_pattern=r"p\d+" if not conflict else None, positive="malignant")


def make_recipe(cohort: Cohort, **changes: object) -> Recipe:
    recipe = Recipe(
        run=store.new_id(),
        title=f"{cohort.title}: linear probe",
        cohort=cohort.id,
        source="chest-xray",
        source_sha256="",
        strategy="linear-probe",
        settings={},
    )
    return dataclasses.replace(recipe, **changes)  # type: ignore[arg-type]


def make_run(ws: Workspace, cohort: Cohort, status: str = "finished", seed: int = 3, **changes: object) -> str:
    """A run folder as a worker would leave it; `status` may also be failed, interrupted or stopped, or queued for one
    that waits. Runs of different `seed` answer differently."""
    recipe = make_recipe(cohort, **changes)
    folder = store.create(ws, recipe)
    if status == "queued":
        return recipe.run
    events.append(folder, "started", device="cpu", cores=2, versions={})
    for epoch in range(1, 6):
        events.append(
            folder, "epoch", epoch=epoch, epochs=8, train_loss=1 / epoch, tune_loss=0.2 + 0.8 / epoch + 0.02 * epoch,
            tune_auroc=0.7 + 0.04 * epoch, best=epoch <= 4, seconds=1.5, plan_step=1,
        )  # fmt: skip
    if status == "failed":
        events.append(folder, "failed", message="The loss is not a number.", advice="Use a smaller learning rate.")
    if status in ("finished", "stopped"):
        write_result(folder, cohort, seed)
        facts = {"seconds": 12.5, "peak_memory_mb": 700} if status == "finished" else {"says": "Stopped; kept epoch 4."}
        events.append(folder, status, **facts)
    return recipe.run


def make_group(ws: Workspace, cohort: Cohort, *members: tuple[str, str], automatic: bool = True) -> list[str]:
    """Runs started together, each by (strategy, status); answers their ids, the first of which is the group's."""
    group = store.new_id()
    ids = []
    for at, (strategy, status) in enumerate(members):
        facts = {"run": group} if at == 0 else {}
        ids.append(
            make_run(
                ws, cohort, status, seed=3 + at, strategy=strategy, group=group, automatic=automatic,
                advised={"expected": "fine-tune,freeze-first,linear-probe"}, **facts,
            )
        )  # fmt: skip
    return ids


def amend_result(ws: Workspace, run: str, **facts: object) -> None:
    """Say something else in a run's result."""
    file = ws.run(run) / "result" / "estimates.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | facts))


def write_result(folder: Path, cohort: Cohort, seed: int = 3) -> None:
    """A result of plausible numbers; scores in predictions.csv agree with the table."""
    place = folder / "result"
    place.mkdir()
    rng = random.Random(seed)
    cases = {case.id: case for case in cohort.cases}
    rows = []
    for part in ("tune", "test"):
        for id in getattr(cohort.split, part):
            ill = cases[id].label == cohort.classes[1]
            score = min(0.98, max(0.02, rng.gauss(0.68 if ill else 0.32, 0.17)))
            called = cohort.classes[1] if score >= 0.5 else cohort.classes[0]
            rows.append((id, cases[id].patient or "", part, cases[id].label, called, 1 - score, score))
    with (place / "predictions.csv").open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["case", "patient", "part", "label", "predicted", *(f"score_{c}" for c in cohort.classes)])
        out.writerows(rows)
    test = [row for row in rows if row[2] == "test"]
    table = [[sum(r[3] == a and r[4] == b for r in test) for b in cohort.classes] for a in cohort.classes]
    n = len(test)
    values = {
        "auroc": (0.91, 0.84, 0.96), "auprc": (0.88, 0.79, 0.95), "sensitivity": (0.9, 0.72, 0.97),
        "specificity": (0.86, 0.7, 0.94), "ppv": (0.84, 0.68, 0.93), "npv": (0.92, 0.77, 0.98),
        "accuracy": (0.88, 0.77, 0.94), "balanced_accuracy": (0.88, 0.78, 0.95), "brier": (0.12, 0.08, 0.17),
        "calibration_slope": (1.1, 0.7, 1.6), "calibration_intercept": (-0.1, -0.6, 0.4),
    }  # fmt: skip
    estimates = [
        {"name": name, "value": v, "low": low, "high": high, "n": n, "how": "bootstrap by patient, 2000"}
        for name, (v, low, high) in values.items()
    ]
    grid = [i / 100 for i in range(101)]
    tpr = [x**0.22 for x in grid]
    content = {
        "schema_version": 1,
        "task": "single-label",
        "positive": cohort.classes[1],
        "estimates": estimates,
        "threshold": {"value": 0.5, "chosen_on": "tune", "rule": "Largest sum of sensitivity and specificity."},
        "control": {
            "run": None,
            "name": "thumbnails",
            "auroc": estimates[0],
            "difference": {
                "name": "auroc", "value": 0.12, "low": 0.06, "high": 0.18, "n": n, "how": "bootstrap by patient, 2000"
            },
            "verdict": "helps",
            "says": "Against logistic regression on 32 x 32 thumbnails (no source at all): AUROC higher by 0.12.",
        },
        "confusion": {"classes": list(cohort.classes), "counts": table},
        "sentence": f"Found {table[1][1]} of {sum(table[1])} malignant cases in this test part.",
        "small_test": "Only a few malignant cases in the test part.",
        "seconds": {"total": 12.5, "start": 4.0, "read": 1.0, "features": 5.0, "fit": 0.3, "evaluate": 0.6},
        "peak_memory_mb": 700,
        "device": "cpu",
        "parts": {
            part: {"cases": len(getattr(cohort.split, part)), "patients": 6} for part in ("train", "tune", "test")
        },
    }  # fmt: skip
    (place / "estimates.json").write_text(json.dumps(content))
    curve = {
        "fpr": grid,
        "tpr": tpr,
        "low": [max(0, t - 0.1) for t in tpr],
        "high": [min(1, t + 0.07) for t in tpr],
        "auroc": 0.91,
    }
    (place / "curves.json").write_text(json.dumps({"roc": {cohort.classes[1]: curve}}))
