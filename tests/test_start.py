"""From choices to a run: what cannot be carried out is said before anything is made."""

from pathlib import Path

import pytest

from medtl import start
from medtl.cohorts import library as cohorts
from medtl.errors import BadInput, MedtlError, NotFound, NotReady
from medtl.runs import status, store
from medtl.sources import library
from medtl.strategies import make, settings_of
from medtl.workspace import Workspace
from tests.builders import add_cohort, cohort, told, write_pictures
from tests.conftest import Practice


def runs(practice: Practice) -> int:
    return len(store.runs(practice.ws))


def test_the_recipe_holds_every_choice(practice: Practice) -> None:
    id = start.start(
        practice.ws, practice.cohort.id, practice.source, "fine-tune", settings={"epochs": "7"}, seed=5, launch=False
    )
    recipe = store.recipe(practice.ws.run(id))
    assert recipe.run == id and recipe.seed == 5 and recipe.control == "thumbnails"
    assert recipe.cohort == practice.cohort.id and recipe.source == practice.source
    assert recipe.source_sha256 == library.sources(practice.ws)[practice.source].sha256
    strategy = make("fine-tune", {"epochs": 7})
    assert recipe.settings == {s.name: getattr(strategy, s.name) for s in settings_of(type(strategy))}
    assert {"medtl", "python", "torch", "numpy"} <= set(recipe.versions)
    assert recipe.title and told(practice.ws.run(id)) == ["queued"]
    store.delete(practice.ws, id)


def test_auto_picks_something_that_can_be_used(practice: Practice) -> None:
    id = start.start(practice.ws, practice.cohort.id, "auto", "auto", launch=False)
    recipe = store.recipe(practice.ws.run(id))
    assert recipe.source == practice.source and recipe.strategy == "linear-probe"
    store.delete(practice.ws, id)


@pytest.mark.parametrize(
    ("changes", "kind", "word"),
    [
        ({"cohort_id": "no-such"}, NotFound, "no such cohort"),
        ({"cohort_id": "../runs"}, NotFound, "no such cohort"),
        ({"cohort_id": ""}, NotFound, "no such cohort"),
        ({"source_id": "no-such"}, NotFound, "no source called"),
        ({"strategy_id": "no-such"}, NotFound, "no strategy called"),
        ({"settings": {"epochs": 0}, "strategy_id": "fine-tune"}, BadInput, "out of range"),
        ({"settings": {"lr": 1}}, BadInput, "no setting called"),
        ({"settings": {"freeze": 9}, "strategy_id": "freeze-first"}, BadInput, "cannot be frozen"),
        ({"device": "tpu"}, BadInput, "not known"),
    ],
)
def test_what_cannot_be_done_is_said_and_leaves_no_run(
    practice: Practice, changes: dict[str, object], kind: type[MedtlError], word: str
) -> None:
    before = runs(practice)
    choices = {"cohort_id": practice.cohort.id, "source_id": practice.source, "strategy_id": "linear-probe"} | changes
    with pytest.raises(kind) as error:
        start.start(practice.ws, **choices, launch=False)  # type: ignore[arg-type]
    assert word in error.value.message and error.value.advice
    assert runs(practice) == before


def test_a_cohort_with_a_block_is_not_trained_on(practice: Practice, tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "conflict", per_class=15, seed=8)
    (folder / "benign" / "copy.png").write_bytes((folder / "malignant" / "p100.png").read_bytes())
    blocked = cohorts.add(practice.ws, folder)
    assert blocked.blocks
    with pytest.raises(NotReady) as error:
        start.start(practice.ws, blocked.id, practice.source, "linear-probe", launch=False)
    assert error.value.message == blocked.blocks[0].message and error.value.advice == blocked.blocks[0].advice
    cohorts.delete(practice.ws, blocked.id)


def test_an_empty_part_is_said() -> None:
    assert start.why_not(cohort(40)) is None
    said = start.why_not(cohort(3))  # three to learn from, nothing to tune or test on
    assert said is not None and "empty" in said[0] and said[1]


def test_a_source_without_its_weights_is_not_started(practice: Practice, tmp_path: Path) -> None:
    from tests.builders import add_source

    ws = Workspace(tmp_path / "home").ensure()
    mine = add_cohort(ws, tmp_path / "pictures", per_class=15)
    id = add_source(ws, tmp_path / "source")
    (ws.source(id) / "weights.safetensors").unlink()
    with pytest.raises(NotReady) as error:
        start.start(ws, mine.id, id, "linear-probe", launch=False)
    assert "weights.safetensors" in error.value.message and not store.runs(ws)


def test_a_control_is_queued_once(practice: Practice) -> None:
    id = start.start(
        practice.ws, practice.cohort.id, practice.source, "linear-probe", seed=9, control="from-scratch", launch=False
    )
    mine = [summary for summary in store.runs(practice.ws) if summary.control_for == id]
    assert len(mine) == 1 and mine[0].strategy == "from-scratch" and mine[0].id > id
    assert store.recipe(practice.ws.run(mine[0].id)).seed == 9
    assert start.start_control(practice.ws, id, launch=False) == mine[0].id
    for run in (mine[0].id, id):
        store.delete(practice.ws, run)


def test_a_control_has_no_control_of_its_own(practice: Practice) -> None:
    id = start.start(
        practice.ws, practice.cohort.id, practice.source, "from-scratch", control="from-scratch", launch=False
    )
    assert not [summary for summary in store.runs(practice.ws) if summary.control_for == id]
    store.delete(practice.ws, id)


def test_a_finished_run_is_not_resumed(practice: Practice) -> None:
    with pytest.raises(NotReady) as error:
        start.resume(practice.ws, practice.run)
    assert "result already" in error.value.message and error.value.advice
    with pytest.raises(NotFound):
        start.resume(practice.ws, "r-0")
    assert status.status(practice.folder) == "finished"
