"""The Source page before, while and after sources are measured, and when it cannot be; a ranking written by hand."""

import dataclasses
import fcntl
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from medtl import rank
from medtl.cohorts import editing, importing
from medtl.rank import Ranked, Ranking
from medtl.vocabulary import Cohort, Estimate, to_dict
from medtl.workspace import Workspace
from pages.ui import cards, cohort_map, measuring, plots, shelf
from tests.pages.conftest import healthy, make_cohort, make_run, words_on

Open = Callable[..., AppTest]
SAYS = "Take 'Chest films': on 36 of your training images a last layer on it reaches AUROC 0.91 (0.87 to 0.93)."


def estimate(value: float) -> Estimate:
    return Estimate("auroc", value, value - 0.04, value + 0.02, 36, "out of fold")


def ranking(cohort: Cohort, **changes: object) -> Ranking:
    """Two sources measured: the shipped one is recommended, and one has seen twelve of the images."""
    rows = (
        Ranked(
            "chest-xray", "Chest films", estimate(0.91), estimate(0.1), logme=-0.3, h_score=0.8, seconds=12.0,
            per_case=0.4, memory_mb=1300, distance=0.2, nearness="close", laps=((1, 0.8), (2, 0.85)),
        ),
        Ranked(
            "mobilenet-v2-imagenet", "Photographs", estimate(0.88), logme=-0.4, leep=-0.5, nce=-0.6, nearness="far",
            seen=12, says="It was trained on 12 of your 60 images.", laps=((1, 0.7),),
        ),
    )  # fmt: skip
    whole = Ranking(
        cohort.id, "2026-11-27T20:00:00+00:00", rows, estimate(0.7), "chest-xray", "helps", SAYS, cases=36, of=36,
    )  # fmt: skip
    return dataclasses.replace(whole, **changes)  # type: ignore[arg-type]


def keep(ws: Workspace, cohort: Cohort, found: Ranking) -> None:
    folder = ws.cohort(cohort.id)
    (folder / rank.FILE).write_text(json.dumps(to_dict(found)))
    ids = list(cohort.split.train)
    places = np.random.default_rng(0).normal(size=(len(ids), 2)).astype(np.float32)
    np.savez(folder / rank.MAP, cases=np.array(ids), **{"chest-xray": places})


def button(at: AppTest, begins: str) -> object:
    return next((one for one in at.button if one.label.startswith(begins)), None)


def running(ws: Workspace, cohort: Cohort, name: str = "abc123") -> tuple[Path, object]:
    """A measurement that lives as long as the open file is held."""
    folder = ws.spool / name
    folder.mkdir(parents=True)
    asked = measuring.Asked(cohort.id, 3)
    (folder / measuring.ASKED).write_text(json.dumps(dataclasses.asdict(asked)))
    (folder / importing.PROGRESS).write_text(json.dumps({"done": 312, "total": 1401}))
    alive = (folder / importing.ALIVE).open("w")
    fcntl.flock(alive, fcntl.LOCK_EX)
    return folder, alive


# ---- before ---------------------------------------------------------------------------------------------------------


def test_before_it_is_measured_one_button_says_how_long(cohort: Cohort, open_page: Open) -> None:
    at = open_page("source", cohort=cohort.id)
    healthy(at)
    measure = button(at, "Measure which source suits your images (about")
    assert measure is not None and not measure.disabled  # type: ignore[attr-defined]
    said = words_on(at)
    assert "only known by trying" in said
    assert "36 of your training images" in said
    assert button(at, "Take this source") is None


def test_several_findings_are_measured_only_one_at_a_time(
    cohort: Cohort, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    several = dataclasses.replace(
        cohort, task="multi-label", cases=tuple(dataclasses.replace(c, labels={c.label: 1}) for c in cohort.cases)
    )
    monkeypatch.setattr(shelf, "cohort", lambda id: several)
    at = open_page("source", cohort=cohort.id)
    healthy(at)
    measure = button(at, "Measure which source")
    assert measure is not None and measure.disabled and measure.help  # type: ignore[attr-defined]
    assert "Choose on the Data page" in words_on(at)


def test_without_a_source_the_button_says_what_is_missing(
    cohort: Cohort, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring, "listed", lambda cohort: ())
    at = open_page("source", cohort=cohort.id)
    healthy(at)
    measure = button(at, "Measure which source")
    assert measure is not None and measure.disabled  # type: ignore[attr-defined]
    assert "No source lies on this computer yet" in words_on(at)


# ---- while ----------------------------------------------------------------------------------------------------------


def test_a_press_begins_a_process_and_puts_its_id_in_the_address(
    ws: Workspace, cohort: Cohort, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = []

    def start_ranking(ws: Workspace, cohort: str, sources: object, race: bool) -> Path:
        begun.append((cohort, tuple(sources), race))  # type: ignore[call-overload]
        (ws.spool / "abc123").mkdir()
        return ws.spool / "abc123"

    monkeypatch.setattr(importing, "start_ranking", start_ranking)
    at = open_page("source", cohort=cohort.id)
    button(at, "Measure which source").click().run()  # type: ignore[union-attr, attr-defined]
    assert begun == [(cohort.id, (), False)]
    assert "abc123" in at.query_params[measuring.QUERY]
    healthy(at)


@pytest.mark.parametrize("by_address", [True, False])
def test_while_it_runs_a_bar_is_shown_to_whoever_comes_back(
    ws: Workspace, cohort: Cohort, open_page: Open, by_address: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, alive = running(ws, cohort)

    def clear(folder: Path) -> None:
        alive.close()  # type: ignore[attr-defined]
        shutil.rmtree(folder)

    monkeypatch.setattr(importing, "clear", clear)
    at = open_page("source", cohort=cohort.id, **({measuring.QUERY: folder.name} if by_address else {}))
    healthy(at)
    assert "Looked at 312 of 1,401 pictures (3 sources)." in words_on(at)
    assert button(at, "Measure which") is None
    assert not button(at, "Choose a strategy").disabled, "nobody has to wait"  # type: ignore[union-attr, attr-defined]
    button(at, "Stop").click().run()  # type: ignore[union-attr, attr-defined]
    healthy(at)
    assert not folder.exists()
    assert button(at, "Measure which") is not None


def test_another_cohorts_measurement_is_not_shown_here(
    ws: Workspace, tmp_path: Path, cohort: Cohort, open_page: Open
) -> None:
    other = make_cohort(ws, tmp_path / "other", per_class=20, title="Other")
    folder, _alive = running(ws, other)
    at = open_page("source", cohort=cohort.id, **{measuring.QUERY: folder.name})
    healthy(at)
    assert "Looked at" not in words_on(at)
    assert measuring.QUERY not in at.query_params


def test_a_failure_is_a_sentence(ws: Workspace, cohort: Cohort, open_page: Open) -> None:
    folder, alive = running(ws, cohort)
    (folder / importing.ANSWER).write_text(
        json.dumps({"error": {"message": "The disk is full.", "advice": "Free it."}})
    )
    alive.close()  # type: ignore[attr-defined]
    at = open_page("source", cohort=cohort.id, **{measuring.QUERY: folder.name})
    healthy(at)
    assert "The disk is full." in at.error[0].value.replace("\\", "")
    button(at, "Close").click().run()  # type: ignore[union-attr, attr-defined]
    assert not at.error and not folder.exists()


def test_an_interruption_is_not_called_an_import(ws: Workspace, cohort: Cohort, open_page: Open) -> None:
    folder, alive = running(ws, cohort)
    alive.close()  # type: ignore[attr-defined]
    at = open_page("source", cohort=cohort.id, **{measuring.QUERY: folder.name})
    healthy(at)
    assert "interrupted" in at.error[0].value and "import" not in at.error[0].value


@pytest.mark.parametrize("name", ["nothing", "../../etc", "<b>"])
def test_an_address_that_leads_nowhere_is_forgotten(cohort: Cohort, open_page: Open, name: str) -> None:
    at = open_page("source", cohort=cohort.id, **{measuring.QUERY: name})
    healthy(at)
    assert not at.error and measuring.QUERY not in at.query_params
    assert button(at, "Measure which") is not None


def test_what_is_done_is_said_in_a_sentence() -> None:
    asked = measuring.Asked("c", 3)
    assert measuring.says(0, 0, asked).startswith("Beginning")
    assert measuring.says(312, 1401, asked) == "Looked at 312 of 1,401 pictures (3 sources)."
    assert "Comparing" in measuring.says(1401, 1401, asked)
    assert "train a little" in measuring.says(1401, 1401, dataclasses.replace(asked, race=True))


# ---- after ----------------------------------------------------------------------------------------------------------


def test_after_it_the_sentence_stands_on_top_and_leads_on(ws: Workspace, cohort: Cohort, open_page: Open) -> None:
    keep(ws, cohort, ranking(cohort))
    at = open_page("source", cohort=cohort.id)
    healthy(at)
    said = words_on(at)
    assert SAYS in said
    assert "measured on 36 of your training images" in said
    assert "was trained on 12 of your 60 images" in said
    assert "The map of your images in its eyes" in said
    assert "arXiv:2308.07444" in said
    button(at, "Take this source").click().run()  # type: ignore[union-attr, attr-defined]
    healthy(at)
    assert "Strategy" in at.title[0].value
    assert "chest-xray" in at.query_params["source"]
    assert "measured best was" not in words_on(at)


def test_the_table_has_scores_distances_and_the_cost_as_measured(
    ws: Workspace, cohort: Cohort, open_page: Open
) -> None:
    keep(ws, cohort, ranking(cohort))
    table = open_page("source", cohort=cohort.id).dataframe
    rows = next(one.value for one in table if "Cost here" in one.value or "cost" in one.value)
    assert list(rows["score"]) == ["0.91 (0.87–0.93)", "0.88 (0.84–0.90)"]
    assert list(rows["distance"]) == ["close", "far: expect less help"]
    assert list(rows["chosen"]) == ["✓★", "⚠"]
    assert rows["cost"][0] == "12 s" and rows["memory"][0] == "1,300 MB"


def test_no_transfer_is_a_warning(ws: Workspace, cohort: Cohort, open_page: Open) -> None:
    says = f"{SAYS} But thumbnails with no source at all reach 0.90: no transfer is an honest choice."
    keep(ws, cohort, ranking(cohort, helps="no difference seen", says=says))
    at = open_page("source", cohort=cohort.id)
    healthy(at)
    assert any("no transfer is an honest choice" in one.value for one in at.warning)


def test_the_race_is_shown_where_it_was_run(ws: Workspace, cohort: Cohort, open_page: Open) -> None:
    says = "For adapting the whole network, 'Chest films' led after 2 short epochs."
    keep(ws, cohort, ranking(cohort, says_race=says, fine_tune="chest-xray"))
    at = open_page("source", cohort=cohort.id)
    healthy(at)
    assert says in words_on(at)
    laps = next(one.value for one in at.dataframe if "1 epoch" in one.value)
    assert list(laps["2 epochs"]) == ["0.85", "–"]
    assert says in words_on(open_page("strategy", cohort=cohort.id, source="chest-xray"))


def test_another_choice_gets_one_line(ws: Workspace, cohort: Cohort, open_page: Open) -> None:
    keep(ws, cohort, ranking(cohort))
    for page in ("source", "strategy"):
        at = open_page(page, cohort=cohort.id, source="resnet18-imagenet")
        healthy(at)
        assert "measured best was Chest films." in words_on(at)


def test_after_an_edit_the_old_answer_is_marked_and_can_be_measured_again(
    ws: Workspace, cohort: Cohort, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring, "listed", lambda cohort: ())
    keep(ws, cohort, ranking(cohort))
    newer = editing.edit(ws, cohort.id, exclude=[cohort.split.train[0]])
    at = open_page("source", cohort=newer.id)
    healthy(at)
    said = words_on(at)
    assert "measured before your last change" in said and SAYS in said
    assert "what has not changed is not looked at twice" in said
    assert rank.recommended(ws, newer, shelf.sources()).basis == "measured before the last change of this cohort"


def test_a_source_that_came_later_can_be_measured_beside_the_others(
    ws: Workspace, cohort: Cohort, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = tuple(source for source in shelf.sources() if source.id == "resnet18-imagenet")
    monkeypatch.setattr(measuring, "listed", lambda cohort: later)
    keep(ws, cohort, ranking(cohort))
    at = open_page("source", cohort=cohort.id)
    healthy(at)
    assert button(at, "Measure 1 more source (about") is not None


def test_a_damaged_ranking_is_measured_anew(ws: Workspace, cohort: Cohort, open_page: Open) -> None:
    (ws.cohort(cohort.id) / rank.FILE).write_text("{")
    at = open_page("source", cohort=cohort.id)
    healthy(at)
    assert button(at, "Measure which source") is not None


def test_nothing_recommended_is_said_and_not_crashed(ws: Workspace, cohort: Cohort, open_page: Open) -> None:
    says = "No source can be recommended by measurement: every source here was trained on images of this cohort."
    keep(ws, cohort, ranking(cohort, recommended="", helps="", says=says, control=None))
    at = open_page("source", cohort=cohort.id)
    healthy(at)
    assert says in words_on(at)
    assert button(at, "Take this source") is None


# ---- the card, the filter, the report -------------------------------------------------------------------------------


def test_a_source_of_an_optional_library_stands_back_and_says_how_to_get_it(
    cohort: Cohort, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = shelf.sources()
    missing = dataclasses.replace(
        known[0], card=dataclasses.replace(known[0].card, id="optional", title="Big one"),
        origin="optional", needs="pip install biglib", available=False, on_disk=False,
        why_not="It needs the library biglib.", better_for=("Better than photographs for skin.",),
    )  # fmt: skip
    monkeypatch.setattr(shelf, "sources", lambda: (*known, missing))
    at = open_page("source", cohort=cohort.id, source="optional")
    healthy(at)
    assert "It needs the library biglib." in at.warning[0].value.replace("\\", "")
    assert [one.value for one in at.code] == ["pip install biglib"]
    assert "Better than photographs for skin." in words_on(at)
    assert cards.where(missing) == "needs biglib"


def test_filters_hold_every_source_once(ws: Workspace, cohort: Cohort) -> None:
    sources, found = shelf.sources(), ranking(cohort)
    kinds = cards.filters(found)
    assert kinds[0] == cards.MEASURED and cards.filters(None)[0] == cards.HERE
    by_group = [s.id for kind in kinds[2:-1] for s in cards.filtered(sources, kind, found)]
    assert sorted(by_group) == sorted(source.id for source in sources)
    assert [s.id for s in cards.filtered(sources, cards.MEASURED, found)] == ["chest-xray", "mobilenet-v2-imagenet"]


def test_the_report_says_what_was_recommended(ws: Workspace, cohort: Cohort, open_page: Open) -> None:
    advised = {"source": "mobilenet-v2-imagenet", "strategy": "linear-probe", "basis": "measured on this cohort"}
    said = words_on(open_page("trust", run=make_run(ws, cohort, advised=advised)))
    assert "Recommended: Everyday photos (ImageNet), MobileNetV2" in said and "; chosen: Chest films" in said
    same = {**advised, "source": "chest-xray"}
    assert "As recommended: " in words_on(open_page("trust", run=make_run(ws, cohort, advised=same)))


def test_the_plot_has_a_row_a_source_and_the_line_of_no_transfer(cohort: Cohort) -> None:
    rows = [plots.Interval("<b>A</b>", estimate(0.9), plots.ACCENT), plots.Interval("A", estimate(0.8), plots.INK)]
    figure = plots.forest(rows, estimate(0.7))
    assert [list(trace.y) for trace in figure.data] == [[0], [1]]
    assert figure.layout.yaxis.ticktext[0] == "&lt;b&gt;A&lt;/b&gt;"
    assert figure.layout.shapes[0].x0 == 0.7


def test_what_is_marked_in_the_map_is_shown_from_all_over(cohort: Cohort) -> None:
    cases = cohort.cases
    shown = cohort_map.spread(cases, 24)
    assert len(shown) == 24 and len({case.id for case in shown}) == 24
    assert {case.label for case in shown} == set(cohort.classes)
    assert cohort_map.spread(cases[:5], 24) == list(cases[:5])
    assert cohort_map.spread((), 24) == []
    points = {"selection": {"points": [{"customdata": ["a"]}, {"customdata": {"0": "b"}}, {"customdata": ["a"]}, {}]}}
    assert cohort_map._ids(points) == ["a", "b"]
