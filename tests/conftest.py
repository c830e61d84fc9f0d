"""Expensive things made once for a whole test session: a workspace with a cohort, a source and a finished probe."""

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from medtl.cohorts.originals import Originals
from medtl.vocabulary import Cohort
from medtl.workspace import Workspace

# Workers are fresh processes; where Python is told to keep no bytecode, each would compile torch anew (15 s).
if os.environ.pop("PYTHONDONTWRITEBYTECODE", None):
    os.environ.setdefault(
        "PYTHONPYCACHEPREFIX", str(Path(__file__).resolve().parents[1] / ".pytest_cache" / "bytecode")
    )
# Nothing that a test starts stays behind: a warm process would, for some minutes. Its own tests switch it on.
os.environ["MEDTL_WARM"] = "off"


@dataclass(frozen=True)
class Practice:
    """A workspace in which somebody has worked: nothing in it is changed by a test; new runs may be added."""

    ws: Workspace
    cohort: Cohort
    source: str
    run: str  # a finished linear probe

    @property
    def folder(self) -> Path:
        return self.ws.run(self.run)

    def original(self, case: str) -> Path:
        """A file as it was brought."""
        at = next(c.at for c in self.cohort.cases if c.id == case)
        file = self.ws.home.parent / "brought" / at
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(Originals(self.ws.cohort(self.cohort.id)).read(at))
        return file


@pytest.fixture(scope="session")
def practice(tmp_path_factory: pytest.TempPathFactory) -> Practice:
    from medtl.start import start
    from tests import builders

    place = tmp_path_factory.mktemp("practice")
    ws = Workspace(place / "home").ensure()
    cohort = builders.add_cohort(ws, place / "pictures")
    source = builders.add_source(ws, place / "source")
    run = start(ws, cohort.id, source, "linear-probe", settings={"looks": 0}, launch=False)  # five times quicker
    code = builders.work(ws.run(run))
    assert code == 0, (ws.run(run) / "log.txt").read_text()
    return Practice(ws, cohort, source, run)


@dataclass(frozen=True)
class Office:
    """Another such workspace, for what is not one label a case. `runs`: a probe by task, and "tuned", a short
    fine-tuning of several findings."""

    ws: Workspace
    cohorts: dict[str, Cohort]
    source: str
    runs: dict[str, Path]


@pytest.fixture(scope="session")
def office(tmp_path_factory: pytest.TempPathFactory) -> Office:
    from medtl.start import start
    from tests import builders

    place = tmp_path_factory.mktemp("office")
    ws = Workspace(place / "home").ensure()
    source = builders.add_source(ws, place / "source")
    cohorts = {task: builders.add_several(ws, place / task, task) for task in ("multi-label", "ordinal")}
    ids = {task: start(ws, cohort.id, source, "linear-probe", launch=False) for task, cohort in cohorts.items()}
    ids["tuned"] = start(
        ws, cohorts["multi-label"].id, source, "fine-tune", settings={"epochs": 1, "class_weights": "balanced"},
        uncertain={"disc": "multi-class"}, weigh_tasks=True, launch=False,
    )  # fmt: skip
    runs = {name: ws.run(id) for name, id in ids.items()}
    for folder in runs.values():
        assert builders.work(folder, 400) == 0, (folder / "log.txt").read_text()
    return Office(ws, cohorts, source, runs)
