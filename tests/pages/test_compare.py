"""Compare: one page for two to six runs; an address that leads nowhere is said; what cannot be told apart is said."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from medtl import comparing
from medtl.vocabulary import Cohort
from medtl.workspace import Workspace
from tests.pages.conftest import healthy, in_address, make_cohort, make_group, make_run, words_on

Open = Callable[..., AppTest]


def test_without_runs_it_says_what_will_stand_here(ws: Workspace, open_page: Open) -> None:
    at = open_page("compare")
    healthy(at)
    assert "side by side" in words_on(at) and any(b.label == "Open the Library" for b in at.button)


def test_the_runs_of_the_cohort_in_hand_can_be_picked_here(ws: Workspace, cohort: Cohort, open_page: Open) -> None:
    ids = [make_run(ws, cohort), make_run(ws, cohort, seed=4)]
    at = open_page("compare", cohort=cohort.id)
    healthy(at)
    assert next(b for b in at.button if b.label == "Compare them").disabled
    at.multiselect[0].set_value(ids).run()
    next(b for b in at.button if b.label == "Compare them").click().run()
    healthy(at)
    assert in_address(at, "runs") == ",".join(ids)


@pytest.mark.parametrize("ids", ["../../etc/passwd,../x", "<b>x</b>,y", "r-19990101-000000-nothing,r-2", "a" * 500])
def test_ids_that_lead_nowhere_are_said_and_not_shown(ws: Workspace, open_page: Open, ids: str) -> None:
    at = open_page("compare", runs=ids)
    healthy(at)
    said = words_on(at)
    assert "passwd" not in said and "<b>" not in said
    assert "There is no such run." in said or "side by side" in said


def test_runs_of_two_cohorts_are_refused_in_words(
    ws: Workspace, cohort: Cohort, tmp_path: Path, open_page: Open
) -> None:
    other = make_cohort(ws, tmp_path / "other", per_class=24, title="Another set")
    at = open_page("compare", runs=f"{make_run(ws, cohort)},{make_run(ws, other)}")
    healthy(at)
    assert "different cohorts" in at.error[0].value.replace("\\", "")


def test_two_runs_get_the_sentence_a_reference_and_every_difference_an_interval(
    ws: Workspace, cohort: Cohort, open_page: Open
) -> None:
    ids = make_run(ws, cohort), make_run(ws, cohort, seed=4, strategy="fine-tune")
    found = comparing.compare(ws, ids)
    at = open_page("compare", runs=",".join(ids))
    healthy(at)
    said = words_on(at)
    assert found.says in said and "Reference: **Train only the last layer**" in said
    assert all(heading in said for heading in ("ROC curves", "Difference to the reference", "Training", "What it cost"))
    assert re.search(r"sensitivity [+−]?0\.\d\d \([+−]?0\.\d\d to [+−]?0\.\d\d\)", said), "differences have intervals"
    assert not re.search("winner|equal|confidence", said.lower())
    assert in_address(at, "cohort") == cohort.id, "the frame knows which cohort they are of"


def test_that_nothing_can_be_told_apart_is_said_aloud(ws: Workspace, cohort: Cohort, open_page: Open) -> None:
    ids = make_run(ws, cohort), make_run(ws, cohort, seed=3, strategy="fine-tune")  # the very same answers
    at = open_page("compare", runs=",".join(ids))
    healthy(at)
    assert "cannot be told apart" in at.info[0].value.replace("\\", "")


def test_more_than_two_show_every_pair(ws: Workspace, cohort: Cohort, open_page: Open) -> None:
    ids = make_group(ws, cohort, ("linear-probe", "finished"), ("fine-tune", "finished"), ("freeze-first", "finished"))
    at = open_page("compare", runs=",".join(ids))
    healthy(at)
    pairs = next(table.value for table in at.dataframe if "DeLong" in table.value)
    assert len(pairs) == 3


def test_trust_leads_to_the_others_of_its_group(ws: Workspace, cohort: Cohort, open_page: Open) -> None:
    ids = make_group(ws, cohort, ("linear-probe", "finished"), ("fine-tune", "finished"))
    at = open_page("trust", run=ids[1])
    next(b for b in at.button if b.label == "Compare with the other run started with it").click().run()
    healthy(at)
    assert in_address(at, "runs") == f"{ids[1]},{ids[0]}"
