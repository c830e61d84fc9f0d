"""Every page with nothing yet, with something, and with something wrong."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from medtl.runs import store
from medtl.vocabulary import Cohort
from medtl.workspace import Workspace
from tests.pages.conftest import healthy, make_cohort, make_run, words_on

PAGES = ("home", "data", "source", "strategy", "train", "trust", "use", "library", "compare", "reading")
STEPS = PAGES[1:-3]
Open = Callable[..., AppTest]


@pytest.mark.parametrize("page", PAGES)
def test_draws_with_nothing_yet(ws: Workspace, open_page: Open, page: str) -> None:
    at = open_page(page)
    healthy(at)
    assert at.title, "a page has a title"


@pytest.mark.parametrize("page", PAGES)
def test_says_where_the_data_stay(ws: Workspace, open_page: Open, page: str) -> None:
    said = words_on(open_page(page))
    assert "Your data stays on this computer" in said
    assert str(ws.home) in said
    assert "Not a medical device" in said


@pytest.mark.parametrize("page", [p for p in PAGES if p != "use"])
def test_draws_with_a_finished_run(run: str, open_page: Open, page: str) -> None:
    healthy(open_page(page, run=run))


@pytest.mark.parametrize("page", STEPS)
@pytest.mark.parametrize("id", ["r-19990101-000000-nothing", "../../etc/passwd", "<b>x</b>", "a" * 300])
def test_a_run_that_is_not_there_reads_the_same_whatever_the_id(
    ws: Workspace, open_page: Open, page: str, id: str
) -> None:
    at = open_page(page, run=id)
    healthy(at)
    assert [error.value.replace("\\", "") for error in at.error] == [
        "**There is no such run.**  \nPick one from the Library."
    ]
    assert id not in words_on(at)
    assert any("Library" in button.label for button in at.button)


def test_data_offers_a_way_in_when_there_is_none(ws: Workspace, open_page: Open) -> None:
    at = open_page("data")
    button = next(b for b in at.button if b.label == "Read the images")
    assert button.disabled and button.help, "a disabled button says what is missing"


def test_data_shows_counts_receipt_and_fingerprint(cohort: Cohort, open_page: Open) -> None:
    said = words_on(open_page("data", cohort=cohort.id))
    assert "60 images · 30 patients · 2 classes" in said
    assert "0 patients shared between parts" in said
    assert cohort.id in said


def test_a_contradiction_blocks_until_one_click_mends_it(ws: Workspace, tmp_path: Path, open_page: Open) -> None:
    cohort = make_cohort(ws, tmp_path / "conflict", conflict=True)
    at = open_page("data", cohort=cohort.id)
    healthy(at)
    assert next(b for b in at.button if b.label == "Choose a source").disabled
    mend = next(b for b in at.button if b.label == "Leave these 2 cases out")
    mend.click().run()
    healthy(at)
    assert at.query_params["cohort"] != [cohort.id]
    assert not next(b for b in at.button if b.label == "Choose a source").disabled


def test_names_are_text_and_never_markup(ws: Workspace, tmp_path: Path, open_page: Open) -> None:
    hostile = "*bold* ![](http://evil.example/x.png) $x$ <script>"
    cohort = make_cohort(ws, tmp_path / "brought", title=hostile)
    at = open_page("data", cohort=cohort.id)
    healthy(at)
    shown = [m.value for m in at.markdown if "bold" in m.value]
    assert shown
    assert all(r"\*bold\*" in value and r"\!\[\]" in value for value in shown)


def test_strategy_shows_the_plan_before_start(cohort: Cohort, open_page: Open) -> None:
    at = open_page("strategy", cohort=cohort.id, source="mobilenet-v2-imagenet")
    healthy(at)
    said = words_on(at)
    assert "values may change" in said
    start = next(b for b in at.button if b.label.startswith("Start"))
    assert "about" in start.label, "a button that takes time says how long"


def test_strategy_says_what_is_missing_instead_of_starting(ws: Workspace, tmp_path: Path, open_page: Open) -> None:
    cohort = make_cohort(ws, tmp_path / "conflict", conflict=True)
    at = open_page("strategy", cohort=cohort.id, source="mobilenet-v2-imagenet")
    healthy(at)
    start = next(b for b in at.button if b.label.startswith("Start"))
    assert start.disabled
    assert "identical" in words_on(at).lower()


def test_train_says_why_a_run_failed_without_a_traceback(ws: Workspace, cohort: Cohort, open_page: Open) -> None:
    at = open_page("train", run=make_run(ws, cohort, "failed"))
    healthy(at)
    assert "The loss is not a number." in at.error[0].value.replace("\\", "")
    assert any(b.label == "Start again" for b in at.button)
    assert "Traceback" not in words_on(at)


def test_train_offers_to_resume_what_was_interrupted(ws: Workspace, cohort: Cohort, open_page: Open) -> None:
    at = open_page("train", run=make_run(ws, cohort, "interrupted"))
    healthy(at)
    assert any(b.label == "Resume from the last checkpoint" for b in at.button)


def test_train_leads_on_to_trust(run: str, open_page: Open) -> None:
    at = open_page("train", run=run)
    next(b for b in at.button if b.label == "See whether it can be trusted").click().run()
    healthy(at)
    assert "Trust" in at.title[0].value


def test_trust_gives_every_number_an_interval_and_never_says_confidence(run: str, open_page: Open) -> None:
    at = open_page("trust", run=run)
    healthy(at)
    table = at.dataframe[0].value
    assert list(table["number"])[:5] == ["Sensitivity", "Specificity", "PPV", "NPV", "AUROC"]
    assert all(table["95 % interval"]) and all(table["n"] > 0)
    said = words_on(at).lower()
    assert "confidence" not in said


def test_a_cell_of_the_table_opens_its_images(run: str, cohort: Cohort, open_page: Open) -> None:
    at = open_page("trust", run=run)
    cell = next(box for box in at.selectbox if box.label == "Open the images of a cell")
    cell.select_index(0).run()
    healthy(at)
    assert "of the test part" in words_on(at)


def test_a_damaged_result_is_said_in_words(ws: Workspace, run: str, open_page: Open) -> None:
    (ws.run(run) / "result" / "estimates.json").write_text("{")
    at = open_page("trust", run=run)
    healthy(at)
    assert "damaged" in at.error[0].value


def test_a_fault_is_not_shown_as_a_traceback_and_names_no_file(
    run: str, open_page: Open, monkeypatch: pytest.MonkeyPatch, ws: Workspace
) -> None:
    def broken(*_: object) -> None:
        raise ValueError("patient Jane Doe")

    monkeypatch.setattr("pages.ui.report.headline", broken)
    at = open_page("trust", run=run)
    assert not at.exception
    assert "Something went wrong here" in at.error[0].value
    log = (ws.home / "app.log").read_text()
    assert "ValueError" in log and "Jane" not in log


def test_library_lists_what_there_is(ws: Workspace, run: str, cohort: Cohort, open_page: Open) -> None:
    at = open_page("library")
    healthy(at)
    said = words_on(at)
    assert "60 images" in said and "AUROC" in said


def test_library_lists_a_damaged_run_too(ws: Workspace, run: str, open_page: Open) -> None:
    (ws.run(run) / store.RECIPE).write_text(json.dumps({"run": run}))
    healthy(open_page("library"))


def test_a_run_whose_cohort_was_deleted_keeps_its_numbers(
    ws: Workspace, run: str, cohort: Cohort, open_page: Open
) -> None:
    from medtl.cohorts import library

    library.delete(ws, cohort.id)
    for page in ("trust", "train", "library"):
        healthy(open_page(page, run=run))


def test_home_leads_to_the_last_runs(run: str, open_page: Open) -> None:
    at = open_page("home")
    healthy(at)
    assert "0.91" in words_on(at)
