"""Strategy: Automatic needs nothing; who chooses sees the plan, the time, what may change, and what is missing."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from medtl import automatic, start
from medtl.strategies import FineTune, LinearProbe
from medtl.training.cost import Cost
from medtl.vocabulary import Cohort
from medtl.workspace import Workspace
from pages.ui import shelf
from tests.pages.conftest import healthy, make_cohort, make_run, words_on

Open = Callable[..., AppTest]
SOURCE = "mobilenet-v2-imagenet"


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch, ws: Workspace, cohort: Cohort) -> list[tuple[str, Any, Mapping[str, Any]]]:
    """What would have been started: (how, what, with which choices); nothing is."""
    said: list[tuple[str, Any, Mapping[str, Any]]] = []
    run = make_run(ws, cohort)

    def one(_: Any, cohort_id: str, source: str, strategy: str, **more: Any) -> str:
        said.append(("one", strategy, more))
        return run

    def several(_: Any, cohort_id: str, source: str, strategies: Any = (), **more: Any) -> str:
        said.append(("several", tuple(strategies), more))
        return run

    monkeypatch.setattr(start, "start", one)
    monkeypatch.setattr(automatic, "begin", several)
    return said


def button(at: AppTest, label: str) -> Any:
    return next(b for b in at.button if b.label.startswith(label))


def test_automatic_is_the_one_primary_button_and_needs_no_number(
    cohort: Cohort, open_page: Open, begun: list[Any]
) -> None:
    at = open_page("strategy", cohort=cohort.id, source=SOURCE)
    healthy(at)
    assert [b.label for b in at.main.button if b.proto.type == "primary"] == [button(at, "Start Automatic").label]
    said = words_on(at)
    assert all(step in said for step in ("1 · Probe first", "2 · ", "3 · Keep the best"))
    assert "about" in button(at, "Start Automatic").label, "it says how long"
    button(at, "Start Automatic").click().run()
    assert begun == [("several", (), {"automatic": True, "budget": 0, "labels": {}})]
    assert "Train" in at.title[0].value


def test_a_time_budget_is_handed_on_and_marks_what_will_not_fit(
    cohort: Cohort, open_page: Open, begun: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pages.ui.cards.cost", lambda *_: Cost(500.0))
    at = open_page("strategy", cohort=cohort.id, source=SOURCE, strategy="fine-tune")
    assert not any("longer than" in cell for cell in at.dataframe[0].value["takes"])
    at.segmented_control(key="budget").set_value(60).run()
    healthy(at)
    table = at.dataframe[0].value
    assert any("longer than 1 min" in cell for cell in table["takes"])
    assert "This takes" in words_on(at) and "60 seconds are given" in words_on(at)
    button(at, "Start this one").click().run()
    assert begun[-1][2]["budget"] == 60


def test_where_nothing_more_fits_automatic_says_so(
    cohort: Cohort, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = {0: ("linear-probe", "full"), 60: ("linear-probe",)}
    monkeypatch.setattr("medtl.rank.tried", lambda ws, cohort, source, budget=0: tried[budget])
    at = open_page("strategy", cohort=cohort.id, source=SOURCE)
    assert "2 · One more" in words_on(at)
    at.segmented_control(key="budget").set_value(60).run()
    healthy(at)
    assert "What else is promising takes longer than 1 min here." in words_on(at)


def test_with_others_it_starts_one_group_with_the_settings_that_suit_each(
    cohort: Cohort, open_page: Open, begun: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    suited = {"fine-tune": {"epochs": 7}, "freeze-first": {"epochs": 9}}
    for place in ("strategy_card", "own_choice", "strategy_table"):
        monkeypatch.setattr(f"pages.ui.{place}.suited", lambda id, cohort: suited.get(id, {}))
    at = open_page("strategy", cohort=cohort.id, source=SOURCE, strategy="fine-tune")
    assert "Set for your cohort: Epochs 7" in words_on(at)
    at.multiselect(key="compare-with").set_value(["freeze-first", "linear-probe"]).run()
    healthy(at)
    button(at, "Start these 3").click().run()
    how, what, more = begun[-1]
    assert how == "several" and what == ("fine-tune", "freeze-first", "linear-probe")
    assert more["settings"]["fine-tune"]["epochs"] == 7 and more["settings"]["freeze-first"] == {"epochs": 9}


def test_from_scratch_is_only_offered_where_it_is_not_the_choice_itself(cohort: Cohort, open_page: Open) -> None:
    at = open_page("strategy", cohort=cohort.id, source=SOURCE, strategy="linear-probe")
    assert any(box.label.startswith("Also from scratch") for box in at.checkbox)
    at = open_page("strategy", cohort=cohort.id, source=SOURCE, strategy="from-scratch")
    healthy(at)
    assert not any(box.label.startswith("Also from scratch") for box in at.checkbox)


def test_both_starts_say_what_is_missing(ws: Workspace, tmp_path: Path, open_page: Open) -> None:
    cohort = make_cohort(ws, tmp_path / "conflict", conflict=True)
    at = open_page("strategy", cohort=cohort.id, source=SOURCE)
    healthy(at)
    for label in ("Start Automatic", "Start this one"):
        assert button(at, label).disabled and "identical" in button(at, label).help.lower()


def test_the_own_choice_says_which_threshold_counts_and_nothing_is_called_quickest(
    cohort: Cohort, open_page: Open
) -> None:
    at = open_page("strategy", cohort=cohort.id, source=SOURCE)
    assert "The threshold set above at Automatic counts here, too: no preference." in words_on(at)
    assert "quickest" not in words_on(at)
    at.radio(key=f"operating-{cohort.id}").set_value("sensitivity").run()
    healthy(at)
    assert "counts here, too: sensitivity 90 %." in words_on(at)


def test_an_unknown_strategy_in_the_address_leads_to_the_advised_one(cohort: Cohort, open_page: Open) -> None:
    at = open_page("strategy", cohort=cohort.id, source=SOURCE, strategy="<b>alchemy</b>")
    healthy(at)
    assert "alchemy" not in words_on(at)
    assert "The plan: Train only the last layer" in words_on(at)


def test_one_that_asks_for_a_teacher_says_so_until_there_is_one(
    ws: Workspace, cohort: Cohort, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LinearProbe, "asks", ("teacher",))
    at = open_page("strategy", cohort=cohort.id, source=SOURCE, strategy="linear-probe")
    healthy(at)
    assert button(at, "Start this one").disabled and "finished run" in button(at, "Start this one").help
    assert not at.multiselect, "what it asks for cannot be given to a group"
    run = make_run(ws, cohort)
    shelf.forget()
    at = open_page("strategy", cohort=cohort.id, source=SOURCE, strategy="linear-probe")
    healthy(at)
    assert at.selectbox(key="ask-teacher").value == run and not button(at, "Start this one").disabled


def test_images_without_labels_come_from_a_cohort_that_shares_nothing_with_this_one(
    ws: Workspace, cohort: Cohort, tmp_path: Path, open_page: Open, begun: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from medtl.cohorts import library

    monkeypatch.setattr(LinearProbe, "asks", ("unlabelled",))
    version = library.edit(ws, cohort.id, exclude=[cohort.cases[0].id])
    at = open_page("strategy", cohort=version.id, source=SOURCE, strategy="linear-probe")
    assert button(at, "Start this one").disabled, "another version holds the very cases it is tested on"
    other = make_cohort(ws, tmp_path / "other", per_class=20, title="Unread films")
    shelf.forget()
    at = open_page("strategy", cohort=version.id, source=SOURCE, strategy="linear-probe")
    healthy(at)
    assert at.selectbox(key="ask-unlabelled").value == other.id
    button(at, "Start this one").click().run()
    assert begun[-1][2]["unlabelled"] == other.id


def test_opening_it_makes_the_next_run_quick_to_start(
    ws: Workspace, cohort: Cohort, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    warmed: list[Path] = []
    monkeypatch.setattr("medtl.runs.launch.warm_up", lambda workspace: warmed.append(workspace.home))
    open_page("strategy", cohort=cohort.id, source=SOURCE)
    assert ws.home in warmed


def test_batch_norm_is_said_without_opening_anything(cohort: Cohort, open_page: Open) -> None:
    at = open_page("strategy", cohort=cohort.id, source=SOURCE, strategy="fine-tune")
    healthy(at)
    assert "Batch-norm statistics stay as the source has them" in words_on(at)


class FakeConsultant:
    """Says which augmentation it was asked to show; the real one is tested with the engine."""

    def __init__(self, spool: Path) -> None:
        self.spool, self.asked = spool, []

    def augment(self, cohort_id: str, kind: str, channels: int) -> list[dict[str, Any]]:
        from medtl import augmenting
        from medtl.cohorts import library

        self.asked.append(kind)
        cohort = library.load(Workspace(), cohort_id)
        picture = self._picture
        return [
            {"case": case, "original": picture(), "changed": [picture() for _ in range(3)]}
            for case in augmenting.pick(cohort)
        ]

    def _picture(self) -> str:
        import numpy as np

        from medtl.augmenting import _write

        return _write(np.zeros((8, 8), np.uint8), self.spool)


def test_examples_are_worked_out_when_somebody_looks_and_then_kept(
    ws: Workspace, cohort: Cohort, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeConsultant(ws.spool)
    monkeypatch.setattr("pages.ui.augmented.consultant", lambda: fake)
    at = open_page("strategy", cohort=cohort.id, source=SOURCE, strategy="fine-tune")
    healthy(at)
    assert not fake.asked, "nothing is worked out while it is closed"
    for _ in range(2):
        at.session_state["augmented"] = True
        at.run()
        healthy(at)
    assert fake.asked == [FineTune.augmentation]
    assert "four of your training pictures" in words_on(at)
    assert not list(ws.spool.glob("picture-*")), "the files were taken"


def test_what_is_not_augmented_has_no_examples(cohort: Cohort, open_page: Open) -> None:
    at = open_page("strategy", cohort=cohort.id, source=SOURCE, strategy="linear-probe")
    assert not any("augmentation" in one.label for one in at.expander)
