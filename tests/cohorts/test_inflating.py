import gzip
import zlib

import pytest

from medtl.cohorts import limits
from medtl.cohorts.formats import inflating
from medtl.errors import BadInput
from tests.cohorts.made_dicom import deflated


def test_what_was_packed_comes_back():
    data = bytes(range(256)) * 40
    assert inflating.inflated(deflated(data)) == data
    assert inflating.inflated(deflated(data), len(data)) == data
    assert inflating.ungzipped(gzip.compress(data), 10**6) == data
    assert inflating.ungzipped(gzip.compress(data), 7) == data[:7]
    assert inflating.start_of(gzip.compress(data), 300) == data[:300]


def test_a_bomb_is_left_before_it_has_unfolded(monkeypatch):
    """ASVS 5.0, 5.2.3: asked for no more than is allowed, and one byte."""
    asked = []
    real = zlib.decompressobj

    class Watched:
        def __init__(self, bits):
            self.real = real(bits)

        def decompress(self, packed, most):
            asked.append(most)
            return self.real.decompress(packed, most)

    monkeypatch.setattr(inflating.zlib, "decompressobj", Watched)
    bomb = deflated(bytes(40 * limits.MB))
    with pytest.raises(BadInput, match="unfolds"):
        inflating.inflated(bomb)
    assert asked == [limits.INFLATED_FREE + 1]


def test_how_much_a_file_may_hold_grows_with_it_up_to_an_end():
    assert inflating.allowed(10) == limits.INFLATED_FREE
    assert inflating.allowed(limits.MB) == limits.MEMBER_RATIO * limits.MB
    assert inflating.allowed(100 * limits.MB) == limits.INFLATED_BYTES


@pytest.mark.parametrize("cut", [1, 20, -1])
def test_a_stream_that_was_cut_is_refused(cut):
    data = bytes(range(256)) * 9
    with pytest.raises(BadInput):
        inflating.inflated(deflated(data)[:cut])
    with pytest.raises(BadInput):
        inflating.ungzipped(gzip.compress(data)[:cut], 10**6)


def test_what_is_not_packed_is_refused():
    with pytest.raises(BadInput):
        inflating.inflated(b"no such stream")
    with pytest.raises(BadInput):
        inflating.ungzipped(b"no such stream", 9)
    assert inflating.start_of(b"\x1f\x8bno such stream", 9) == b""
