"""Plots can be taken along: readable on paper, numbers that agree with what is drawn, and no formula in a cell."""

import csv
import io
import re
from collections.abc import Callable

import plotly.graph_objects as go
import pytest
from streamlit.testing.v1 import AppTest

from medtl.vocabulary import Estimate
from pages.ui import plot_calls, plots, saving, side_by_side
from tests.pages.conftest import healthy

HOSTILE = "=cmd|' /C calc'!A0"
HALF = Estimate("auroc", 0.5, 0.4, 0.7, 20, "DeLong")


def read(figure: go.Figure) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(saving.numbers(figure).decode("utf-8-sig"))))


CURVE = {"fpr": [0.0, 0.5, 1.0], "tpr": [0.2, 0.9, 1.0], "low": [0.1, 0.8, 1.0], "high": [0.3, 1.0, 1.0]}
FIGURES: dict[str, go.Figure] = {
    "whiskers": plots.whiskers([("Sensitivity", HALF, "5 of 10"), (HOSTILE, HALF, "n = 20")]),
    "forest": plots.forest([plots.Interval(HOSTILE, HALF, plots.ACCENT), plots.Interval("b", HALF, plots.QUIET)], HALF),
    "roc": plots.roc({HOSTILE: CURVE}, (HOSTILE, "b"), (0.1, 0.8)),
    "confusion": plots.confusion((HOSTILE, "b"), [[3, 1], [0, 4]]),
    "histogram": plots.histogram({HOSTILE: [0.1, 0.2], "b": [0.9]}, (HOSTILE, "b"), 0.4, "b"),
    "answer": plots.answer({HOSTILE: 0.3, "b": 0.7}, (HOSTILE, "b"), 0.4, "b"),
    "difference": plots.difference(HALF),
    "spread": side_by_side.spread(0.5, 0.4, 0.7, [0.5, 0.6]),
}


@pytest.mark.parametrize("name", FIGURES)
def test_numbers_are_rows_and_never_formulas(name: str) -> None:
    rows = read(FIGURES[name])
    assert rows
    for row in rows:
        for cell in (*row, *row.values()):
            assert not cell.startswith(("=", "@", "+")), cell
            if cell.startswith("-"):
                float(cell)


def test_values_come_with_their_intervals_and_names() -> None:
    first = read(FIGURES["whiskers"])[0]
    assert first["y"] == "Sensitivity" and [first[c] for c in ("x", "x from", "x to")] == ["0.5", "0.4", "0.7"]
    assert [row["y"] for row in read(FIGURES["forest"])] == [f"'{HOSTILE}", "b"], "the name, not the place in the plot"


def test_a_confusion_table_gives_its_counts() -> None:
    rows = read(FIGURES["confusion"])
    assert [row["n"] for row in rows] == ["3", "1", "0", "4"] and [row["share"] for row in rows][:2] == ["0.75", "0.25"]


@pytest.mark.parametrize("name", FIGURES)
def test_on_paper_letters_are_dark_on_white_and_the_plot_on_the_screen_stays(name: str) -> None:
    figure = FIGURES[name]
    before = figure.to_json()
    made = saving.on_paper(figure)
    assert made.layout.paper_bgcolor == made.layout.plot_bgcolor == saving.PAPER
    assert made.layout.font.color == saving.INK and len(made.data) == len(figure.data)
    assert figure.to_json() == before


@pytest.mark.parametrize("key", ["trust-roc", "../../etc", "answer-ä <b>", "x" * 400])
def test_the_files_name_says_run_and_plot(key: str) -> None:
    name = saving.file_name(key, {"run": "r-1", "cohort": "c"})
    assert name.startswith("r-1-") and re.fullmatch(r"[A-Za-z0-9_-]{4,120}", name)
    assert saving.file_name("data-counts", {"cohort": "c"}) == "c-data-counts"


def test_every_plot_of_a_result_offers_it_and_makes_nothing_before(
    run: str, open_page: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    monkeypatch.setattr(saving, "numbers", lambda figure: made.append(figure) or b"")
    monkeypatch.setattr(saving, "on_paper", lambda figure: made.append(figure) or figure)
    at = open_page("trust", run=run)
    healthy(at)
    saves = [button for button in at.button if button.label == ":small[Save]"]
    assert len(saves) == len(at.get("plotly_chart")) > 3 and not made
    saves[0].click().run()
    healthy(at)
    assert len(made) == 1, "the picture on paper; its numbers wait for a click"


def test_the_table_of_calls_is_saved_as_its_four_counts() -> None:
    counts = {(True, True): 17, (True, False): 1, (False, True): 14, (False, False): 16}
    lines = (
        saving.numbers(plot_calls.table("malignant", "benign", counts, tried=False)).decode("utf-8-sig").splitlines()
    )
    assert len(lines) == 5 and lines[0].endswith("n")
    assert {line.rsplit(",", 1)[1] for line in lines[1:]} == {"17", "1", "14", "16"}
    assert any("malignant" in line and "not called" in line and line.endswith(",1") for line in lines)
