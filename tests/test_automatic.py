"""Groups of runs: begun whole or not at all; and an automatic one's result, chosen on the tune part alone."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medtl import automatic, start
from medtl.errors import MedtlError
from medtl.runs import store
from medtl.sources import library as sources
from medtl.strategies.recommend import expected
from medtl.vocabulary import Recipe
from medtl.workspace import Workspace
from tests.builders import finished_run
from tests.conftest import Practice
from tests.test_comparing import Y, scores

ORDER = "freeze-first,fine-tune,linear-probe"


@pytest.fixture
def ws(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path).ensure()


def member(
    ws: Workspace, run: str, strategy: str, tune: np.ndarray, test: np.ndarray | None = None, **more: Any
) -> None:
    choices = {"group": "r-1", "automatic": True, "advised": {"expected": ORDER}} | more
    finished_run(ws, run, Y, tune if test is None else test, tune_scores=tune, strategy=strategy, **choices)


# ---- choosing --------------------------------------------------------------------------------------------------------


def test_one_that_is_clearly_better_on_the_tune_part_is_chosen(ws: Workspace) -> None:
    for run, strategy, skill in (("r-1", "linear-probe", 0.2), ("r-2", "fine-tune", 5.0), ("r-3", "freeze-first", 0.1)):
        member(ws, run, strategy, scores(skill, int(run[-1])))
    found = automatic.chosen(ws, "r-1")
    assert found and found.run == "r-2" and found.by == "tune part" and found.settled
    assert "'Adapt the whole network' was better on the 120 cases of the tune part" in found.says


def test_a_handful_of_tuning_cases_chooses_nothing(ws: Workspace) -> None:
    """On twelve cases one run may look clearly better by chance: what is expected decides, and that is said."""
    few = Y[:12]
    for run, strategy, skill in (("r-1", "linear-probe", 9.0), ("r-2", "fine-tune", 0.0)):
        made = {"group": "r-1", "automatic": True, "advised": {"expected": ORDER}}
        finished_run(ws, run, few, scores(skill, int(run[-1]), few), strategy=strategy, **made)
    found = automatic.chosen(ws, "r-1")
    assert found and found.run == "r-2" and found.by == "expected"
    assert "The 12 cases of the tune part are too few to tell" in found.says


def test_where_the_tune_part_cannot_tell_the_expected_one_is_taken(ws: Workspace) -> None:
    for run, strategy in (("r-1", "linear-probe"), ("r-2", "fine-tune"), ("r-3", "freeze-first")):
        member(ws, run, strategy, scores(1.0, int(run[-1])))
    found = automatic.chosen(ws, "r-1")
    assert found and found.run == "r-3" and found.by == "expected"
    assert "cannot tell" in found.says and "expected to be best" in found.says


def test_the_expected_one_is_not_taken_where_it_is_clearly_worse(ws: Workspace) -> None:
    member(ws, "r-1", "linear-probe", scores(3.0, 1))
    member(ws, "r-2", "fine-tune", scores(3.0, 2))
    member(ws, "r-3", "freeze-first", scores(0.0, 3))
    found = automatic.chosen(ws, "r-1")
    assert found and found.run == "r-2" and found.by == "expected"


def test_the_test_part_has_no_say(ws: Workspace) -> None:
    """Whoever shines on the test part alone is not chosen, and the choice stays when the test part is gone."""
    member(ws, "r-1", "linear-probe", scores(5.0, 1), test=scores(-5.0, 1))
    member(ws, "r-2", "fine-tune", scores(0.0, 2), test=scores(9.0, 2))
    before = automatic.chosen(ws, "r-1")
    assert before and before.run == "r-1"
    for run in ("r-1", "r-2"):
        path = ws.run(run) / "result" / "predictions.csv"
        path.write_text("\n".join(line for line in path.read_text().splitlines() if ",test," not in line))
    assert automatic.chosen(ws, "r-1") == before


def test_boasting_is_not_held_against_a_run(ws: Workspace) -> None:
    """Log-loss at the temperature that suits it: the same ranking, said louder, is as good."""
    loud = scores(1.5, 1) ** 6
    member(ws, "r-1", "linear-probe", scores(1.5, 1))
    member(ws, "r-3", "freeze-first", loud / loud.sum(axis=1, keepdims=True))
    found = automatic.chosen(ws, "r-1")
    assert found and found.run == "r-3" and found.by == "expected"


def test_the_first_result_stands_until_the_others_come(ws: Workspace) -> None:
    member(ws, "r-1", "linear-probe", scores(1.0, 1))
    store.create(ws, Recipe("r-2", "T", "c-1", "s-1", "ab", "fine-tune", {}, group="r-1", automatic=True))
    found = automatic.chosen(ws, "r-1")
    assert found and found.run == "r-1" and found.by == "only" and not found.settled
    store.delete(ws, "r-2")
    found = automatic.chosen(ws, "r-1")
    assert found and found.settled and [m.run for m in automatic.members(ws, "r-1")] == ["r-1"]


def test_a_deleted_first_run_leaves_the_group_as_it_is(ws: Workspace) -> None:
    member(ws, "r-1", "linear-probe", scores(1.0, 1))
    member(ws, "r-2", "fine-tune", scores(1.0, 2))
    store.delete(ws, "r-1")
    found = automatic.chosen(ws, "r-1")
    assert found and found.run == "r-2"


def test_only_an_automatic_group_has_a_result_of_its_own(ws: Workspace) -> None:
    member(ws, "r-1", "linear-probe", scores(1.0, 1), automatic=False)
    assert automatic.chosen(ws, "r-1") is None
    assert automatic.chosen(ws, "r-404") is None and automatic.chosen(ws, "") is None


# ---- beginning -------------------------------------------------------------------------------------------------------


def begun(practice: Practice, *strategies: str, **choices: Any) -> list[automatic.Member]:
    group = automatic.begin(practice.ws, practice.cohort.id, practice.source, strategies, launch=False, **choices)
    found = list(automatic.members(practice.ws, group))
    for one in store.runs(practice.ws):
        if one.control_for == group or one.group == group:
            store.delete(practice.ws, one.id)
    assert found[0].run == group == found[0].recipe.group
    return found


def test_the_probe_goes_first_whatever_order_was_given(practice: Practice) -> None:
    found = begun(practice, "fine-tune", "linear-probe", settings={"fine-tune": {"epochs": 3}}, seed=4)
    assert [one.recipe.strategy for one in found] == ["linear-probe", "fine-tune"]
    assert all(one.recipe.seed == 4 and not one.recipe.automatic for one in found)
    assert found[1].recipe.settings["epochs"] == 3


def test_automatic_runs_the_probe_and_what_is_promising_in_the_expected_order(practice: Practice) -> None:
    found = begun(practice, automatic=True, budget=600)
    ids = [one.recipe.strategy for one in found]
    assert ids[0] == "linear-probe" and len(ids) == 3 and all(one.recipe.automatic for one in found)
    order = found[0].recipe.advised["expected"].split(",")
    assert sorted(order) == sorted(ids)
    assert tuple(order) == expected(practice.cohort, sources.sources(practice.ws)[practice.source])
    assert [one.recipe.budget for one in found] == [600, 300, 300]


def test_start_understands_auto(practice: Practice) -> None:
    group = start.start(practice.ws, practice.cohort.id, "auto", "auto", launch=False)
    found = automatic.members(practice.ws, group)
    assert len(found) == 3 and found[0].run == group and found[0].recipe.strategy == "linear-probe"
    for one in found:
        store.delete(practice.ws, one.run)


def test_one_control_serves_the_group(practice: Practice) -> None:
    before = {one.id for one in store.runs(practice.ws)}
    group = automatic.begin(
        practice.ws, practice.cohort.id, practice.source, ("linear-probe", "fine-tune"), control="from-scratch",
        launch=False,
    )  # fmt: skip
    made = [one for one in store.runs(practice.ws) if one.id not in before]
    controls = [one for one in made if one.control_for]
    assert len(made) == 3 and [one.control_for for one in controls] == [group] and controls[0].id == made[0].id
    for one in made:
        store.delete(practice.ws, one.id)


@pytest.mark.parametrize(
    ("strategies", "choices"),
    [
        ((), {}),
        (("linear-probe", "no-such"), {}),
        (("linear-probe", "fine-tune"), {"settings": {"fine-tune": {"epochs": 0}}}),
        (("linear-probe", "freeze-first"), {"settings": {"freeze-first": {"freeze": 12}}}),
    ],
)
def test_a_group_that_cannot_be_begun_leaves_no_run(
    practice: Practice, strategies: tuple[str, ...], choices: dict[str, Any]
) -> None:
    before = {one.id for one in store.runs(practice.ws)}
    with pytest.raises(MedtlError) as error:
        automatic.begin(practice.ws, practice.cohort.id, practice.source, strategies, launch=False, **choices)
    assert error.value.advice and {one.id for one in store.runs(practice.ws)} == before


def test_the_words_for_lists() -> None:
    assert automatic.listed(["a"]) == "a" and automatic.listed(["a", "b", "c"]) == "a, b and c"
