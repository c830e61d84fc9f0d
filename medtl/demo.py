"""The example every page can show at first open: a synthetic cohort and one finished run of it. Safe to repeat."""

import tempfile
import time
from pathlib import Path

from medtl import start
from medtl.cohorts import library as cohorts
from medtl.cohorts import synthetic
from medtl.errors import MedtlError
from medtl.runs import status, store
from medtl.workspace import Workspace

TITLE = "SYNTHETIC ultrasound example"
PATIENTS = r"p\d+"
POSITIVE = "malignant"
SOURCE = "chest-xray"  # shipped, so the example needs no network


def ensure(workspace: Workspace, wait: float = 300) -> tuple[str, str]:
    """The demo's cohort and finished run, made if they are not there; returns their ids.

    Raises MedtlError when the run does not finish within `wait` seconds.
    """
    workspace.ensure()
    cohort_id = _cohort(workspace)
    run_id = _run(workspace, cohort_id)
    deadline = time.monotonic() + wait
    folder = store.folder(workspace, run_id)
    while (now := status.status(folder)) in ("waiting", "running"):
        if time.monotonic() > deadline:
            raise MedtlError("The example run did not finish in time.", "See its log.txt, or look at it in the app.")
        time.sleep(0.2)
    if now != "finished":
        said = status.progress(folder)
        raise MedtlError(f"The example run could not be made: {said.message or said.says}", said.advice)
    return cohort_id, run_id


def _cohort(workspace: Workspace) -> str:
    for known in cohorts.cohorts(workspace):
        if known.synthetic and known.title == TITLE and known.parent is None:
            return known.id
    with tempfile.TemporaryDirectory(dir=workspace.spool) as folder:
        synthetic.write_demo(Path(folder))
        return cohorts.add(
            workspace, Path(folder), name=TITLE, patient_pattern=PATIENTS, positive=POSITIVE, synthetic=True
        ).id


def _run(workspace: Workspace, cohort_id: str) -> str:
    for known in store.runs(workspace):
        if known.cohort == cohort_id and known.status in ("finished", "running", "waiting"):
            return known.id
    title = "SYNTHETIC example: train only the last layer"
    return start.start(workspace, cohort_id, SOURCE, "linear-probe", title=title)
