import pytest

from medtl.cohorts.deidentify import terms
from medtl.cohorts.deidentify.profile import LOOKS


@pytest.mark.parametrize(
    ("tag", "text"),
    [
        *((0x00185101, text) for text in ("AP", "MLO", "LL", "lateral", "")),
        *((0x00180015, text) for text in ("BREAST", "CHEST", "C SPINE", "Knee", "")),
        *((0x00080060, text) for text in ("CT", "MR", "DX", "OT")),
    ],
)
def test_terms_of_the_standard_are_known(tag, text):
    assert terms.known(tag, text)


@pytest.mark.parametrize("tag", sorted(terms.TERMS))
@pytest.mark.parametrize("text", ["SMITH", "SMITH JOHN", "AP SMITH", "12345", "CHEST 2", "by Dr A"])
def test_other_words_are_not(tag, text):
    assert not terms.known(tag, text)


def test_every_term_has_the_form_of_a_code():
    """A longer one could never stand in a file."""
    for words in terms.TERMS.values():
        assert all(LOOKS["CS"].fullmatch(word.encode()) for word in words if "/" not in word)  # but MM2/S, a unit
