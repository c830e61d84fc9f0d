"""Unpacks zlib and gzip, but only so far: a few kilobytes can hold gigabytes. It knows nothing of what is inside."""

import gzip
import io
import zlib

from medtl.cohorts import limits
from medtl.errors import BadInput

GZIP = b"\x1f\x8b"


def inflated(packed: bytes, at_most: int | None = None) -> bytes:
    """A raw deflate stream (RFC 1951) unpacked. Bytes after its end are left alone.

    Stops, and raises BadInput, as soon as there is more than `at_most`; without it, more than a sound file can hold.
    """
    most = allowed(len(packed)) if at_most is None else at_most
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        data = unpacker.decompress(packed, most + 1)
    except zlib.error as error:
        raise _damaged() from error
    if len(data) > most:
        raise bomb(most)
    if not unpacker.eof:
        raise _damaged()
    return data


def ungzipped(packed: bytes, at_most: int) -> bytes:
    """The first `at_most` bytes of a gzip file, or all of it when it holds fewer."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(packed)) as file:
            data = file.read(at_most)
            file.read(1)  # where the end is due, it is there and its checksum is right
            return data
    except (OSError, EOFError, zlib.error) as error:
        raise _damaged() from error


def start_of(packed: bytes, size: int) -> bytes:
    """At most `size` bytes from the start of a gzip file; b"" when it is damaged. Looks no further than it has to."""
    try:
        return zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(packed[: 64 * 1024], size)
    except zlib.error:
        return b""


def allowed(packed: int) -> int:
    """How many bytes so many packed ones may become. Deflate reaches 1,032; pictures of patients stay below 200."""
    return min(limits.INFLATED_BYTES, max(limits.INFLATED_FREE, packed * limits.MEMBER_RATIO))


def bomb(most: int) -> BadInput:
    return BadInput(
        f"What is packed in it unfolds to more than {most:,} bytes, which is more than it should hold.",
        "Export it again without compression.",
    )


def _damaged() -> BadInput:
    return BadInput("What is packed in it is damaged or cut short.", "Export or copy it again.")
