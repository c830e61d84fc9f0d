"""Lookup tables of DICOM: a value goes in, the table's entry comes out. Grey tables and palettes are made of them.

It knows the descriptor, the packing of the entries and segmented tables (PS3.3 C.11.1.1, C.7.9.2), and not what the
values mean.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medtl.errors import BadInput

ENTRIES = 65_536  # the most a table can have: 0 in the descriptor stands for it
SEGMENT_BYTES = 8 * ENTRIES  # segments are there to save room
DISCRETE, LINEAR, INDIRECT = 0, 1, 2


@dataclass(frozen=True)
class Table:
    """`entries[n]` is what the value `first + n` becomes; smaller values get the first entry, larger ones the last."""

    first: int
    entries: NDArray[np.uint16]  # (n,)
    bits: int  # of an entry: 2**bits - 1 is white

    def __call__(self, values: NDArray[Any]) -> NDArray[np.uint16]:
        place = np.asarray(values, np.float64) - self.first
        return self.entries[np.clip(np.nan_to_num(place), 0, len(self.entries) - 1).astype(np.intp)]


def table(descriptor: Any, data: Any, little_endian: bool) -> Table:
    """From LUT Descriptor and LUT Data; the data are words, or bytes in the order of the file."""
    count, first, bits = _described(descriptor)
    return Table(first, _entries(data, count, little_endian), bits)


def segmented(descriptor: Any, data: bytes, little_endian: bool) -> Table:
    """From a descriptor and Segmented Palette Color Lookup Table Data: stretches of entries, ramps and repetitions."""
    count, first, bits = _described(descriptor)
    if len(data) > SEGMENT_BYTES:
        raise bad("longer than it can be")
    kind = np.dtype(np.uint8) if bits <= 8 else np.dtype(np.uint16).newbyteorder("<" if little_endian else ">")
    size = len(data) // kind.itemsize
    words = [int(word) for word in np.frombuffer(_bytes_in_order(data, kind, little_endian), kind, size)]
    entries: list[int] = []
    _expand(words, kind.itemsize, entries, 0, None)
    if len(entries) < count:
        raise bad("shorter than it says")
    return Table(first, np.array(entries[:count], np.uint16), bits)


def bad(why: str) -> BadInput:
    return BadInput(f"A table of grey values or colours in the DICOM file is {why}.", "Export the image as PNG.")


def _described(descriptor: Any) -> tuple[int, int, int]:
    """(entries, first value, bits of an entry)."""
    try:
        count, first, bits = (int(part) for part in descriptor)
    except (TypeError, ValueError) as error:
        raise bad("not described properly") from error
    if not (0 <= count <= ENTRIES and 1 <= bits <= 16 and -32_768 <= first <= 65_535):
        raise bad("not described properly")
    return count or ENTRIES, first, bits


def _entries(data: Any, count: int, little_endian: bool) -> NDArray[np.uint16]:
    """Words, or bytes two to a word, whichever there are enough of: the bits in the descriptor are often wrong."""
    if isinstance(data, int):
        data = [data]
    if not isinstance(data, bytes):
        words = np.asarray(data, np.int64).ravel()
        if len(words) < count:
            raise bad("shorter than it says")
        return (words[:count] & 0xFFFF).astype(np.uint16)
    wide = len(data) >= 2 * count
    kind = np.dtype(np.uint16).newbyteorder("<" if little_endian else ">") if wide else np.dtype(np.uint8)
    data = _bytes_in_order(data, kind, little_endian)
    if len(data) < count * kind.itemsize:
        raise bad("shorter than it says")
    return np.frombuffer(data, kind, count).astype(np.uint16)


def _bytes_in_order(data: bytes, kind: np.dtype[Any], little_endian: bool) -> bytes:
    """Single bytes in a big endian file lie two to a word, and the second one comes first."""
    if kind.itemsize == 2 or little_endian:
        return data
    even = data[: len(data) // 2 * 2]
    return np.frombuffer(even, np.uint16).byteswap().tobytes()


def _expand(words: Sequence[int], size: int, found: list[int], start: int, segments: int | None) -> None:
    """Append the entries of at most `segments` segments from word `start` on (PS3.3 C.7.9.2.1 to C.7.9.2.3).

    An indirect segment repeats earlier ones with the entry before it as its starting point. The standard forbids one
    inside another, and so does this.
    """
    at, done = start, 0
    while at + 1 < len(words) and len(found) < ENTRIES and done != segments:
        code, length = words[at], words[at + 1]
        at += 2
        if code == DISCRETE:
            found.extend(words[at : at + length])
            at += length
        elif code == LINEAR and found and length and at < len(words):
            found.extend(_ramp(found[-1], words[at], length))
            at += 1
        elif code == INDIRECT and segments is None and found:
            parts = words[at : at + 4 // size]  # 32 bits, the low part first: the byte where the repeated ones begin
            where = sum(part << (8 * size * place) for place, part in enumerate(parts))
            at += 4 // size
            _expand(words, size, found, where // size, length)
        else:
            raise bad("not written as the standard says")
        done += 1


def _ramp(before: int, last: int, length: int) -> list[int]:
    """`length` entries in equal steps from `before`, which is not repeated, to `last`."""
    step = (last - before) / length
    return [round(before + step * (n + 1)) for n in range(length)]
