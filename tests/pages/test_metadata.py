"""Filters say what is known in words that can be counted, and let through what was asked for."""

import pytest

from medtl.vocabulary import Case
from pages.ui import metadata


@pytest.mark.parametrize(
    ("field", "facts", "says"),
    [
        ("age", {"age": 7}, "under 18"),
        ("age", {"age": "40"}, "40 to 59"),
        ("age", {"age": "090Y"}, "80 and older"),
        ("age", {"age": "old"}, "not said"),
        ("age", {}, "not said"),
        ("sex", {"sex": "F"}, "female"),
        ("sex", {"sex": "diverse"}, "diverse"),
        ("mode", {"mode": "L"}, "grey"),
        ("mode", {"mode": "RGB"}, "colour"),
        ("size", {"width": 640, "height": 480}, "640 × 480"),
        ("size", {}, "not said"),
        ("site", {"site": "*North*"}, "*North*"),
    ],
)
def test_a_fact_becomes_a_word(field: str, facts: dict[str, object], says: str) -> None:
    assert metadata.value(Case("a", "a.png", "x", "", "s", facts=facts), field) == says


def test_every_fact_the_page_filters_by_has_a_name() -> None:
    assert all(name and name[0].isupper() for name in metadata.FIELDS.values())
