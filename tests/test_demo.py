"""The example of the first minute: made once, safe to repeat, and said when it cannot be made."""

from pathlib import Path

import pytest

from medtl import demo
from medtl.cohorts import library as cohorts
from medtl.errors import MedtlError
from medtl.runs import status, store
from medtl.workspace import SHIPPED_SOURCES, Workspace
from tests.builders import add_source


@pytest.fixture
def ws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A workspace in which a source of the test's own stands for the shipped one."""
    ws = Workspace(tmp_path / "home").ensure()
    monkeypatch.setattr(demo, "SOURCE", add_source(ws, tmp_path / "source"))
    small = demo.synthetic.write_demo
    monkeypatch.setattr(demo.synthetic, "write_demo", lambda folder: small(folder, cases=60))
    return ws


def test_the_example_is_a_synthetic_cohort_and_a_finished_run_and_is_made_once(ws: Workspace) -> None:
    cohort, run = demo.ensure(ws, wait=120)
    found = cohorts.load(ws, cohort)
    assert found.synthetic and "SYNTHETIC" in found.title and found.positive == "malignant" and found.patients
    assert status.status(ws.run(run)) == "finished" and store.recipe(ws.run(run)).cohort == cohort
    assert "SYNTHETIC" in store.recipe(ws.run(run)).title
    assert demo.ensure(ws) == (cohort, run)
    assert len(cohorts.cohorts(ws)) == 1 and len(store.runs(ws)) == 1
    assert not any(ws.spool.iterdir())


def test_a_failure_is_said(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo.start, "start", fail_at_once)
    with pytest.raises(MedtlError) as error:
        demo.ensure(ws)
    assert "could not be made" in error.value.message and "broken on purpose" in error.value.message


def fail_at_once(ws: Workspace, cohort: str, source: str, strategy: str, title: str) -> str:
    from medtl import start
    from medtl.runs import events

    id = start.start.__globals__["store"].new_id()
    recipe = start.Recipe(id, title, cohort, source, "", strategy, {})
    folder = store.create(ws, recipe)
    events.append(folder, "failed", message="It is broken on purpose.", advice="Do nothing.")
    return id


def test_the_shipped_source_is_there() -> None:
    if not (SHIPPED_SOURCES / demo.SOURCE / "weights.safetensors").exists():
        pytest.skip("the weights of the shipped source are not in this checkout")
    from medtl.sources import library

    source = library.sources(Workspace("nowhere-in-particular"))[demo.SOURCE]
    assert source.available and source.origin == "shipped" and source.licence and source.card.limits
    from medtl.sources.weights import load_network

    assert load_network(source, Path(), 2).head.out_features == 2  # type: ignore[union-attr]
