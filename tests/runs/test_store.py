"""A run's folder: appears whole, survives newer and damaged files, is refused to nobody in the same words."""

import json
import time
from pathlib import Path

import pytest

from medtl.errors import MedtlError, NotFound, NotReady
from medtl.runs import events, locks, status, store
from medtl.vocabulary import Recipe
from medtl.workspace import Workspace


def recipe(id: str = "", **more: object) -> Recipe:
    facts = {"title": "Lungs", "cohort": "c1", "source": "chest", "source_sha256": "ab", "strategy": "linear-probe"}
    return Recipe(run=id or store.new_id(), settings={"k": 2}, **(facts | more))  # type: ignore[arg-type]


@pytest.fixture
def ws(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path).ensure()


def test_a_recipe_comes_back_as_it_was_and_the_run_waits(ws: Workspace) -> None:
    wanted = recipe(created="2026-11-22T19:15:30+00:00")
    folder = store.create(ws, wanted)
    assert store.recipe(folder) == wanted
    assert status.status(folder) == "waiting"
    assert sorted(path.name for path in ws.runs.iterdir()) == [wanted.run]  # nothing half-made is left beside it


def test_ids_sort_by_creation() -> None:
    ids = []
    for _ in range(5):
        ids.append(store.new_id())
        time.sleep(0.002)
    assert ids == sorted(ids) and len(set(ids)) == 5


def test_a_run_is_never_made_twice(ws: Workspace) -> None:
    store.create(ws, recipe("r-1"))
    with pytest.raises(MedtlError, match="exists already"):
        store.create(ws, recipe("r-1"))


def test_a_newer_recipe_opens(ws: Workspace) -> None:
    folder = store.create(ws, recipe("r-1"))
    content = json.loads((folder / "recipe.json").read_text())
    (folder / "recipe.json").write_text(json.dumps({**content, "schema_version": 2, "colour": "blue"}))
    assert store.recipe(folder).schema_version == 2


@pytest.mark.parametrize("damage", ["", "{", "[]", "null", '{"run": "r-1"}', "\x00\xff"])
def test_a_damaged_recipe_is_said_listed_and_can_be_deleted(ws: Workspace, damage: str) -> None:
    folder = store.create(ws, recipe("r-1"))
    (folder / "recipe.json").write_bytes(damage.encode("latin-1"))
    with pytest.raises(MedtlError, match="damaged") as error:
        store.recipe(folder)
    assert "delete it" in error.value.advice
    (listed,) = store.runs(ws)
    assert listed.id == "r-1" and "damaged" in listed.message
    assert store.delete(ws, "r-1") > 0
    assert store.runs(ws) == ()


@pytest.mark.parametrize("id", ["../cohorts", "r-404", "", "/etc", "r-1/../r-1", "a b"])
def test_unknown_and_hostile_ids_read_the_same(ws: Workspace, id: str) -> None:
    with pytest.raises(NotFound, match=r"^There is no such run\. Pick one from the Library\.$"):
        store.folder(ws, id)


def test_the_list_is_newest_first_and_passes_over_what_is_being_made(ws: Workspace) -> None:
    for id in ("r-2", "r-1", "r-3"):
        store.create(ws, recipe(id, control_for="r-9"))
    (ws.runs / ".r-4.part-ab").mkdir()
    assert [run.id for run in store.runs(ws)] == ["r-3", "r-2", "r-1"]
    assert store.runs(ws)[0].control_for == "r-9"
    assert store.runs(Workspace(ws.home / "empty")) == ()


def test_a_living_run_is_not_deleted_and_an_ended_one_is_wholly(ws: Workspace) -> None:
    folder = store.create(ws, recipe("r-1"))
    (folder / "log.txt").write_bytes(b"x" * 5000)
    with locks.held(folder / "worker.lock"), pytest.raises(NotReady, match="still being carried out"):
        store.delete(ws, "r-1")
    assert store.delete(ws, "r-1") >= 5000
    assert list(ws.runs.iterdir()) == []


def test_stop_is_a_wish_that_queueing_again_takes_back(ws: Workspace) -> None:
    folder = store.create(ws, recipe("r-1"))
    store.request_stop(folder)
    store.request_stop(folder)
    assert store.stop_requested(folder)
    events.append(folder, "stopped", says="Stopped.")
    assert status.status(folder) == "stopped"
    store.requeue(folder)
    assert not store.stop_requested(folder)
    assert status.status(folder) == "waiting"
