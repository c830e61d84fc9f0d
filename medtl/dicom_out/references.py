"""Codes as items of a data set, where highdicom has no word for them."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydicom import Dataset


def coded(concept: Any) -> "Dataset":
    """An item of a code sequence from a pydicom code."""
    from pydicom import Dataset

    item = Dataset()
    item.CodeValue = concept.value
    item.CodingSchemeDesignator = concept.scheme_designator
    item.CodeMeaning = concept.meaning
    return item
