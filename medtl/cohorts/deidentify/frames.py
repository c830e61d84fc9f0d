"""Comments inside compressed DICOM frames become zeros, byte for byte in place: no frame changes length or is decoded.

It knows the marker structure of JPEG, JPEG-LS and JPEG 2000 streams and of the boxes around the last. A stream that is
not what it should be is refused, for nobody can say what is in it. Run lengths and deflated frames hold no comments.
"""

import itertools
import struct
from collections.abc import Iterator

from medtl.cohorts.deidentify.raster import blank_jpeg
from medtl.errors import BadInput

ITEM = b"\xfe\xff\x00\xe0"
JP2 = b"\0\0\0\x0cjP  "
SOT, SOD, EOC = 0xFF90, 0xFF93, 0xFFD9
BARE = {0xFF4F, 0xFF92, 0xFF93, 0xFFD9, *range(0xFF30, 0xFF40)}  # markers without a length (ISO 15444-1, A.1)
# Segments that a decoder of JPEG 2000 needs (ISO 15444-1, A.2, 15444-2 and 15444-15); all others are blanked.
KNOWN = {SOT, *range(0xFF50, 0xFF64), *range(0xFF74, 0xFF79), 0xFF91}
PIECES = 1_000_000
WITHOUT_COMMENTS = {"1.2.840.10008.1.2.5", "1.2.840.10008.1.2.8.1", "1.2.840.10008.1.2.1.98"}  # RLE, deflated, plain


def blank_comments(value: bytes, syntax: str) -> bytes:
    """The pixel data element of an encapsulated image; raises BadInput for a stream that cannot be followed.

    A frame may lie in several fragments and its stream run on through them, so all are looked at as one.
    """
    items = list(_fragments(value))
    if not items:
        raise _broken()
    value = value[: items[-1][1]]  # nothing behind the last fragment
    if syntax in WITHOUT_COMMENTS:
        return value
    places = items[1:]  # the first holds offsets
    joined = bytearray().join(value[start:end] for start, end in places)
    _blank_all(joined, [end - start for start, end in places])
    whole, taken = bytearray(value), 0
    for start, end in places:
        whole[start:end] = joined[taken : taken + end - start]
        taken += end - start
    return bytes(whole)


def _blank_all(stream: bytearray, lengths: list[int]) -> None:
    at = start = 0
    for end in itertools.accumulate(lengths):
        if start >= at and start < end:  # else this fragment goes on with the stream of the one before
            at = _blank(stream, start, end)
        if start < at <= end:
            stream[at:end] = bytes(end - at)  # nothing behind a stream in its last fragment
        start = end


def _fragments(value: bytes) -> Iterator[tuple[int, int]]:
    """Start and end of each item's content (PS3.5 A.4)."""
    at = 0
    while value[at : at + 4] == ITEM and at + 8 <= len(value):
        (length,) = struct.unpack_from("<I", value, at + 4)
        start, at = at + 8, min(len(value), at + 8 + length)
        yield start, at


def _blank(stream: bytearray, start: int, end: int) -> int:
    """Blank the stream that begins at `start`; returns its end, or `end` (the fragment's) where it does not say."""
    head = bytes(stream[start : start + 12])
    try:
        if head.startswith(b"\xff\xd8"):
            return blank_jpeg(stream, start)
        if head.startswith(b"\xff\x4f"):
            return _blank_codestream(stream, start) or end
        if head.startswith(JP2):
            _blank_boxes(stream, start, end)
            return end
    except (struct.error, IndexError) as error:
        raise _broken() from error
    raise _broken()


def _broken() -> BadInput:
    return BadInput("The compressed pixels of the DICOM file are damaged or cut short.", "Export or copy it again.")


def _blank_codestream(stream: bytearray, at: int) -> int:
    """Main and tile-part headers of JPEG 2000 and HTJ2K: the content of comments and of unknown segments.

    Returns where the stream ends; 0 where its last part is said to go on as far as it goes.
    """
    at, tile = at + 2, 0
    for _ in range(PIECES):
        (marker,) = struct.unpack_from(">H", stream, at)
        if marker == EOC:
            return at + 2
        if marker == SOD:
            if tile <= at:
                return 0
            at = tile
            continue
        if marker in BARE:
            at += 2
            continue
        (length,) = struct.unpack_from(">H", stream, at + 2)
        if marker == SOT:
            (size,) = struct.unpack_from(">I", stream, at + 6)
            tile = at + size if size else 0
        if marker < 0xFF00 or length < 2 or at + 2 + length > len(stream):
            raise _broken()
        if marker not in KNOWN and length > 4:  # COM says in two bytes first whether it is text
            stream[at + 6 : at + 2 + length] = bytes(length - 4)
        at += 2 + length
    raise _broken()


def _blank_boxes(stream: bytearray, at: int, end: int) -> None:
    """Boxes of a JP2 file (ISO 15444-1, annex I): those with text or unknown content are blanked and called free."""
    for _ in range(PIECES):
        if at + 8 > end:
            return
        length, kind = struct.unpack_from(">I4s", stream, at)
        after = min(end, at + length) if length >= 8 else end
        if kind == b"jp2c":
            _blank_codestream(stream, at + (16 if length == 1 else 8))
        elif kind not in (b"jP  ", b"ftyp", b"jp2h"):
            stream[at + 4 : after] = b"free".ljust(after - at - 4, b"\0")
        at = after
