import struct

import numpy as np
import pytest
from pydicom.pixels.processing import _expand_segmented_lut

from medtl.cohorts.formats import lookup
from medtl.errors import BadInput


def words(*values, order="<"):
    return struct.pack(f"{order}{len(values)}H", *values)


def test_values_outside_the_table_get_its_ends():
    table = lookup.table([3, 10, 8], [5, 6, 7], True)
    assert table(np.array([-4, 9, 10, 11, 12, 13, 60_000])).tolist() == [5, 5, 5, 6, 7, 7, 7]


def test_the_first_value_may_be_negative():
    assert lookup.table([2, -1024, 16], [1, 2], True)(np.array([-1024, -1023])).tolist() == [1, 2]


@pytest.mark.parametrize(
    ("data", "little"),
    [
        ([1, 2, 300, 4], True),
        (words(1, 2, 300, 4), True),
        (words(1, 2, 300, 4, order=">"), False),
    ],
)
def test_words_are_read_in_the_order_of_the_file(data, little):
    assert lookup.table([4, 0, 16], data, little).entries.tolist() == [1, 2, 300, 4]


@pytest.mark.parametrize(("data", "little"), [(b"\1\2\3\4", True), (b"\2\1\4\3", False)])
def test_entries_of_one_byte_lie_two_to_a_word(data, little):
    assert lookup.table([4, 0, 8], data, little).entries.tolist() == [1, 2, 3, 4]


def test_none_in_the_descriptor_stands_for_the_most_a_table_can_have():
    assert len(lookup.table([0, 0, 16], bytes(2 * 65_536), True).entries) == 65_536


@pytest.mark.parametrize(
    ("descriptor", "data"),
    [
        (None, b""),
        ([4, 0], b"\0" * 8),
        ([4, 0, 40], b"\0" * 8),
        ([4, 0, 16], b"\0" * 3),
        ([4, 0, 16], [1, 2]),
        ([-1, 0, 16], [1, 2]),
        (["a", 0, 16], [1, 2]),
    ],
)
def test_a_bad_table_is_refused(descriptor, data):
    with pytest.raises(BadInput, match="table"):
        lookup.table(descriptor, data, True)


SEGMENTS = (0, 3, 10, 20, 30, 1, 5, 130, 0, 1, 7, 1, 4, 7, 0, 2, 9, 9)  # stretches and ramps


@pytest.mark.parametrize(("size", "letter", "bits"), [(1, "B", 8), (2, "H", 16)])
def test_segments_unfold_as_pydicom_unfolds_them(size, letter, bits):
    data = struct.pack(f"<{len(SEGMENTS)}{letter}", *SEGMENTS)
    expected = _expand_segmented_lut(SEGMENTS, f"<{len(SEGMENTS)}{letter}")
    assert lookup.segmented([len(expected), 0, bits], data, True).entries.tolist() == expected


def test_an_indirect_segment_repeats_earlier_ones_from_the_byte_it_names():
    """PS3.3 C.7.9.2.3; the ramp of the repetition starts from the entry before it."""
    data = words(0, 2, 5, 9, 1, 2, 13, 2, 2, 0, 0)
    assert lookup.segmented([8, 0, 16], data, True).entries.tolist() == [5, 9, 11, 13, 5, 9, 11, 13]
    data = words(0, 2, 5, 9, 1, 2, 13, 2, 1, 8, 0)
    assert lookup.segmented([6, 0, 16], data, True).entries.tolist() == [5, 9, 11, 13, 13, 13]


@pytest.mark.parametrize(
    "data",
    [
        words(1, 3, 9),  # a ramp from nowhere
        words(2, 1, 0, 0),  # a repetition of nothing
        words(0, 1, 5, 2, 1, 6, 0),  # a repetition of itself
        words(0, 1, 5, 7, 7),  # no such segment
        words(0, 1, 5),  # too few entries
        bytes(lookup.SEGMENT_BYTES + 2),
    ],
)
def test_bad_segments_are_refused(data):
    with pytest.raises(BadInput, match="table"):
        lookup.segmented([8, 0, 16], data, True)
