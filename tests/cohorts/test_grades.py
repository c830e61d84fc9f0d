import random

import pytest

from medtl.cohorts.labelling.grades import in_order, plain


@pytest.mark.parametrize(
    "order",
    [
        ("0", "1", "2", "3", "4"),
        ("2", "10", "33"),
        ("G1", "G2", "G3"),
        ("Grad 0", "Grad 1", "Grad 2"),
        ("I", "II", "III", "IV", "V"),
        ("Stage IIa", "Stage IIb", "Stage III"),
        ("BI-RADS 2", "BI-RADS 3", "BI-RADS 4a", "BI-RADS 4b", "BI-RADS 5"),
        ("none", "minimal", "mild", "moderate", "severe"),
        ("Normal", "Mild", "Severe"),
    ],
)
def test_the_order_does_not_depend_on_how_they_come(order):
    draw = random.Random(0)
    for _ in range(10):
        assert in_order(draw.sample(order, len(order))) == order


@pytest.mark.parametrize(
    "names",
    [
        ("cat", "dog"),
        ("1", "grade 2"),
        ("mild", "2"),
        ("normal", "none"),
        ("grade 1", "stage 2"),
        ("1", "01"),
        ("x1y", "2"),
    ],
)
def test_what_is_no_single_scale(names):
    assert in_order(names) is None


@pytest.mark.parametrize(
    ("cell", "name"), [("3.0", "3"), (" 2,0 ", "2"), ("3.5", "3.5"), ("grade 1.0", "grade 1.0"), ("", "")]
)
def test_whole_numbers_from_a_spreadsheet(cell, name):
    assert plain(cell) == name
