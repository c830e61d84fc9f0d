"""User text stays text in Markdown, Plotly and spreadsheets; numbers come with their intervals."""

import pytest

from medtl.vocabulary import Estimate
from pages.ui import escape, words


@pytest.mark.parametrize(
    "text", ["*b*", "_i_", "`c`", "[a](b)", "![](x)", "<b>", "$x$", ":red[x]", ":smile:", "# h", "~x~"]
)
def test_markdown_is_escaped(text: str) -> None:
    escaped = escape.md(text)
    assert escaped.replace("\\", "") == text
    assert all(escaped[at - 1] == "\\" for at, c in enumerate(escaped) if c in "*_`[]<$:#~!")


def test_direction_overrides_and_control_characters_go() -> None:
    assert escape.plain("a\u202eb\x00c\nd") == "abc d"


def test_plotly_text_is_no_tag() -> None:
    assert escape.plotly("<b>x</b>") == "&lt;b&gt;x&lt;/b&gt;"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", " =1", "\u200b=1"])
def test_a_cell_is_never_a_formula(text: str) -> None:
    assert escape.csv_cell(text).startswith("'")


def test_an_ordinary_cell_stays_as_it_is() -> None:
    assert escape.csv_cell("benign (1).png") == "benign (1).png"


def test_numbers_carry_their_interval() -> None:
    share = Estimate("sensitivity", 0.909, 0.62, 0.98, 11, "Wilson")
    assert words.whole(share) == "91 % (62–98 %)"
    assert words.whole(Estimate("npv", 0.998, 0.9953, 0.9992, 900, "Wilson")) == "99.8 % (99.5–99.9 %)"
    assert words.interval(Estimate("npv", 1.0, 0.9953, 1.0, 900, "Wilson")) == "99.5–100 %"
    assert words.interval(Estimate("ppv", 0.0, 0.0, 0.004, 900, "Wilson")) == "0–0.4 %"
    assert words.whole(Estimate("auroc", 0.91, 0.86, 0.95, 60, "bootstrap")) == "0.91 (0.86–0.95)"


def test_plurals_and_sizes() -> None:
    assert words.count(1, "case") == "1 case"
    assert words.count(20000, "case") == "20,000 cases"
    assert words.size(1_500_000) == "1.5 MB"
    assert words.duration(12.4) == "12 s"
    assert words.duration(600) == "10 min"


def test_names_that_several_share_get_the_id_behind_them() -> None:
    assert words.distinct({"a": "x", "b": "x", "c": "y"}) == {"a": "x (a)", "b": "x (b)", "c": "y"}


def test_short_of_all_is_never_written_as_all() -> None:
    assert words.part(99_999, 100_000) == "99.9 %" and words.part(1, 100_000) == "0.1 %"
    assert words.part(20, 20) == "100 %" and words.part(0, 0) == "0 %"
    nearly = Estimate("sensitivity", 0.996, 0.99, 0.999, 1000, "Wilson")
    assert words.value(nearly) == "99.6 %"
