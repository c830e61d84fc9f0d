import pytest

from medtl.cohorts.findings.positives import positive_class
from medtl.errors import BadInput
from tests.cohorts.cases import case, many


@pytest.mark.parametrize(
    ("classes", "positive"),
    [
        (("benign", "malignant"), "malignant"),
        (("NORMAL", "PNEUMONIA"), "PNEUMONIA"),
        (("abnormal", "normal"), "abnormal"),
        (("covid", "non-covid"), "covid"),
        (("no", "yes"), "yes"),
        (("0", "1"), "1"),
        (("fracture", "no_fracture"), "fracture"),
        (("healthy", "xyz"), "xyz"),
    ],
)
def test_the_class_that_counts_as_having_it(classes, positive):
    assert positive_class([case("x", classes[0])], classes) == positive
    assert positive_class([case("x", classes[1])], classes) == positive


def test_without_a_telling_word_the_rarer_class_and_else_the_last():
    rare = [*many("left", 2), *many("right", 5)]
    assert positive_class(rare, ("left", "right")) == "left"
    assert positive_class(many("left", 2) + many("right", 2), ("left", "right")) == "right"


def test_a_wish_is_followed_or_refused():
    cases = many("benign", 2) + many("malignant", 2)
    assert positive_class(cases, ("benign", "malignant"), "benign") == "benign"
    with pytest.raises(BadInput, match="no class 'x'"):
        positive_class(cases, ("benign", "malignant"), "x")
    assert positive_class(cases, ("a", "b", "c")) is None
