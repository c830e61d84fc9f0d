"""A run in the layout of MLflow's file store, for those whose other experiments lie there: files only, no MLflow.

`FOLDER/0/meta.yaml` is the experiment, `FOLDER/0/<id>/` the run: meta.yaml, params/, metrics/, tags/ and artifacts/,
one small file a value, as mlflow/store/tracking/file_store.py reads them. Values in meta.yaml are written as JSON, of
which YAML is a superset. Paths are relative to the folder that holds FOLDER, so nothing tells whose computer it was.
"""

import hashlib
import json
import re
import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

import medtl
from medtl.errors import BadInput
from medtl.reporting import html, markdown, model_card, recipes, report, saying
from medtl.reporting.content import Facts
from medtl.runs import results
from medtl.sources import cards
from medtl.workspace import Workspace, whole_folder

EXPERIMENT = "0"
FINISHED, LOCAL = 3, 4  # RunStatus and SourceType of MLflow's protocol
LONGEST = 6000  # characters of a value of a parameter


def write(facts: Facts, ws: Workspace, folder: Path) -> Path:
    """Write the run as `folder`, a new file store; returns the run's own folder in it."""
    if folder.exists():
        raise BadInput(f"'{folder.name}' is there already.", "Name a new folder.")
    id = hashlib.sha256(facts.recipe.run.encode()).hexdigest()[:32]
    began, ended = _milliseconds(facts.recipe.created), _milliseconds(facts.finished)
    place = f"{folder.name}/{EXPERIMENT}"
    with whole_folder(folder) as part:
        run = part / EXPERIMENT / id
        run.mkdir(parents=True)
        _meta(part / EXPERIMENT, {
            "artifact_location": place, "creation_time": began, "experiment_id": EXPERIMENT, "last_update_time": ended,
            "lifecycle_stage": "active", "name": "MedTL",
        })  # fmt: skip
        _meta(run, {
            "artifact_uri": f"{place}/{id}/artifacts", "end_time": ended, "entry_point_name": "",
            "experiment_id": EXPERIMENT, "lifecycle_stage": "active", "run_id": id, "run_name": facts.recipe.run,
            "run_uuid": id, "source_name": "", "source_type": LOCAL, "source_version": "", "start_time": began,
            "status": FINISHED, "tags": [], "user_id": "",
        })  # fmt: skip
        _values(run / "params", {name: value[:LONGEST] for name, value in _params(facts).items()})
        _values(run / "metrics", {name: f"{ended} {value} 0\n" for name, value in _metrics(facts).items()})
        _values(run / "tags", _tags(facts))
        _artifacts(facts, ws, run / "artifacts")
    return folder / EXPERIMENT / id


def _params(facts: Facts) -> dict[str, str]:
    recipe = facts.recipe
    chosen = {f"set.{_name(name)}": str(value) for name, value in recipe.settings.items()}
    return {
        "cohort": recipe.cohort, "source": recipe.source, "strategy": recipe.strategy, "seed": str(recipe.seed),
        "device": facts.result.device, "data_sha256": facts.fingerprint, "source_sha256": recipe.source_sha256,
    } | chosen  # fmt: skip


def _metrics(facts: Facts) -> dict[str, float]:
    """Value, low and high of each number; a class is called by its place and its name."""
    found: dict[str, float] = {}
    for one in facts.result.estimates:
        base, _, label = one.name.partition("[")
        at = f".{facts.classes.index(label[:-1]) + 1}_{_name(label[:-1])}" if label else ""
        found |= {f"{base}{at}": one.value, f"{base}{at}.low": one.low, f"{base}{at}.high": one.high}
    return found


def _tags(facts: Facts) -> dict[str, str]:
    return {
        "mlflow.runName": facts.recipe.run,
        "mlflow.note.content": markdown.said(f"{facts.result.sentence} {saying.research_use(facts)}"),
        "medtl.version": medtl.__version__,
        "medtl.title": facts.recipe.title,
    }


def _artifacts(facts: Facts, ws: Workspace, folder: Path) -> None:
    folder.mkdir()
    (folder / "report.html").write_text(html.write(report.make(facts, ws)), encoding="utf-8")
    (folder / "model-card.md").write_text(markdown.write(model_card.make(facts)), encoding="utf-8")
    recipes.write(facts, folder / recipes.NAME)
    for name in (cards.WEIGHTS, cards.CARD, results.PREDICTIONS):
        shutil.copyfile(facts.result.folder / name, folder / name)


def _meta(folder: Path, values: dict[str, Any]) -> None:
    lines = (f"{name}: {json.dumps(value, ensure_ascii=True)}" for name, value in values.items())
    (folder / "meta.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _values(folder: Path, values: dict[str, str]) -> None:
    folder.mkdir()
    for name, value in values.items():
        (folder / name).write_text(value, encoding="utf-8")


def _name(text: str) -> str:
    """Only what every version of MLflow takes in a name."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", text)[:60] or "_"


def _milliseconds(iso: str) -> int:
    try:
        return int(datetime.fromisoformat(iso.replace("Z", "+00:00")).timestamp() * 1000)
    except ValueError:
        return 0
