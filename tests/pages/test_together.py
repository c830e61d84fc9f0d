"""Runs started together: on Train each with its state, the one in hand and the chosen one; and the way on."""

from collections.abc import Callable

from streamlit.testing.v1 import AppTest

from medtl.runs import events, locks, store
from medtl.vocabulary import Cohort
from medtl.workspace import Workspace
from tests.pages.conftest import healthy, in_address, make_group, make_run, words_on

Open = Callable[..., AppTest]
DONE = (("linear-probe", "finished"), ("fine-tune", "finished"), ("freeze-first", "finished"))


def labels(at: AppTest) -> list[str]:
    return [b.label for b in at.button]


def test_a_run_that_was_started_alone_has_no_others(run: str, open_page: Open) -> None:
    said = words_on(open_page("train", run=run))
    assert "on one split" not in said


def test_while_it_goes_on_every_member_has_its_state_and_the_one_in_hand_is_shown(
    ws: Workspace, cohort: Cohort, open_page: Open
) -> None:
    ids = make_group(ws, cohort, ("linear-probe", "finished"), ("fine-tune", "queued"), ("freeze-first", "queued"))
    folder = ws.run(ids[1])
    events.append(folder, "started", device="cpu", cores=2, versions={})
    with locks.held(folder / store.LIFE):
        at = open_page("train", run=ids[0])
        healthy(at)
    said = words_on(at)
    assert "Automatic: 3 strategies on one split, 1 of 3 done" in said
    assert "0.91" in said and "0.84–0.96" in said, "the first result stands there while the others go on"
    assert f"`{ids[1]}`" in said, "below stands the one in hand"
    assert "So far:" in said and "See the result so far" in labels(at) and "Stop all" in labels(at)


def test_when_all_is_over_it_says_which_was_chosen_and_why_and_leads_on(
    ws: Workspace, cohort: Cohort, open_page: Open
) -> None:
    from medtl import automatic

    ids = make_group(ws, cohort, *DONE)
    chosen = automatic.chosen(ws, ids[0])
    assert chosen is not None
    at = open_page("train", run=ids[0])
    healthy(at)
    said = words_on(at)
    assert "all done" in said and chosen.says in said
    assert in_address(at, "run") == chosen.run != ids[0], "the frame leads to Trust of the result"
    at = open_page("train", run=chosen.run)
    primary = [b.label for b in at.main.button if b.proto.type == "primary"]
    assert primary == ["See whether it can be trusted"], "one way on"
    next(b for b in at.button if b.label == primary[0]).click().run()
    assert in_address(at, "run") == chosen.run and "Trust" in at.title[0].value


def test_from_train_to_compare(ws: Workspace, cohort: Cohort, open_page: Open) -> None:
    ids = make_group(ws, cohort, *DONE)
    at = open_page("train", run=ids[1])
    next(b for b in at.button if b.label == "Compare them").click().run()
    healthy(at)
    assert "Compare" in at.title[0].value and in_address(at, "runs") == ",".join(ids)


def test_a_group_that_nobody_asked_to_choose_from_is_compared_and_not_chosen_from(
    ws: Workspace, cohort: Cohort, open_page: Open
) -> None:
    ids = make_group(ws, cohort, *DONE, automatic=False)
    at = open_page("train", run=ids[0])
    healthy(at)
    assert [b.label for b in at.main.button if b.proto.type == "primary"] == ["Compare them"]


def test_a_member_that_failed_keeps_its_words_and_the_others_their_result(
    ws: Workspace, cohort: Cohort, open_page: Open
) -> None:
    ids = make_group(ws, cohort, ("linear-probe", "finished"), ("fine-tune", "failed"))
    at = open_page("train", run=ids[0])
    healthy(at)
    assert "The loss is not a number." in words_on(at)
    assert "See whether it can be trusted" in labels(at)


def test_the_first_of_a_group_that_broke_off_can_be_resumed(ws: Workspace, cohort: Cohort, open_page: Open) -> None:
    ids = make_group(ws, cohort, ("linear-probe", "interrupted"), ("fine-tune", "finished"))
    at = open_page("train", run=ids[0])
    healthy(at)
    assert "Resume from the last checkpoint" in labels(at) and in_address(at, "run") == ids[0]


def test_stop_all_asks_every_one_that_is_not_over(ws: Workspace, cohort: Cohort, open_page: Open) -> None:
    ids = make_group(ws, cohort, ("linear-probe", "finished"), ("fine-tune", "queued"), ("freeze-first", "queued"))
    at = open_page("train", run=ids[0])
    next(b for b in at.button if b.label == "Stop all").click().run()
    assert [store.stop_requested(ws.run(id)) for id in ids] == [False, True, True]


def test_the_library_compares_what_is_ticked(ws: Workspace, cohort: Cohort, open_page: Open) -> None:
    one, other = make_run(ws, cohort), make_run(ws, cohort, seed=4, strategy="fine-tune")
    failed = make_run(ws, cohort, "failed")
    at = open_page("library")
    healthy(at)
    compare = next(b for b in at.button if b.label.startswith("Compare"))
    assert compare.disabled and "Tick 2 to 6" in compare.help
    assert at.checkbox(key=f"tick-{failed}").disabled
    at.checkbox(key=f"tick-{one}").check()
    at.checkbox(key=f"tick-{other}").check().run()
    next(b for b in at.button if b.label == "Compare 2 runs").click().run()
    healthy(at)
    assert sorted(in_address(at, "runs").split(",")) == sorted([one, other])
