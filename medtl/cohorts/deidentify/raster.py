"""PNG, JPEG, BMP, TIFF and NIfTI without what was written around the picture: only what decoding needs stays.

It works on the bytes and never decodes or encodes a picture, so that nothing is lost and a small file takes a few
microseconds. What a format may hide inside the compressed picture itself it does not look for.
"""

import gzip
import io
import re
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from medtl.cohorts.formats.inflating import allowed, bomb, ungzipped
from medtl.errors import BadInput

Touched = tuple[tuple[str, str, str], ...]
Answer = tuple[bytes, Touched]  # the file as it may be kept; (place, what it was, action)


def clean(data: bytes, kind: str) -> Answer:
    """Raises BadInput for a kind we do not know and for a file that is not built as its format demands."""
    if kind not in CLEANERS:
        raise BadInput("Files of this kind cannot be cleaned of names.", "Save it as PNG and add it again.")
    return CLEANERS[kind](data)


def _broken(kind: str) -> BadInput:
    return BadInput(f"The {kind} image is damaged or cut short.", "Export or copy it again.")


# ---- PNG ------------------------------------------------------------------------------------------------------------

PNG_MARK = b"\x89PNG\r\n\x1a\n"
PNG_KEPT = {  # chunk -> most bytes; sizes beside IDAT follow the PNG specification (third edition, 11.2 and 11.3)
    b"IHDR": 13, b"PLTE": 768, b"IDAT": 2**31, b"tRNS": 256, b"gAMA": 4, b"cHRM": 32, b"sRGB": 1, b"sBIT": 4,
}  # fmt: skip
PNG_NAMES = {
    b"tEXt": ("PNG text", "Text beside the picture"),
    b"zTXt": ("PNG text", "Text beside the picture"),
    b"iTXt": ("PNG text", "Text beside the picture"),
    b"eXIf": ("PNG EXIF", "Camera or software information"),
    b"tIME": ("PNG time", "Time of the last change"),
    b"iCCP": ("PNG colour profile", "Colour profile, which is described by text"),
}


def _png(data: bytes) -> Answer:
    if not data.startswith(PNG_MARK):
        raise _broken("PNG")
    kept, touched, at = [PNG_MARK], dict[tuple[str, str, str], None](), len(PNG_MARK)
    may_turn = False
    while True:
        if at + 12 > len(data):
            raise _broken("PNG")
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if end > len(data):
            raise _broken("PNG")
        if kind == b"IEND":
            kept.append(_png_chunk(b"IEND"))
            break
        if length <= PNG_KEPT.get(kind, -1):
            kept.append(data[at:end])
        else:
            touched[(*PNG_NAMES.get(kind, ("PNG other", "Further information beside the picture")), "removed")] = None
            may_turn = may_turn or kind == b"eXIf" or _may_hold_exif(data[at + 8 : end - 4])
        at = end
    if length or end < len(data):
        touched["PNG end", "What stood behind the picture", "removed"] = None
    if not touched:
        return data, ()
    turned = _orientation(data, "PNG") if may_turn else 1
    if turned != 1:
        kept.insert(2, _png_chunk(b"eXIf", _exif_of(turned)))
    return b"".join(kept), tuple(touched)


def _png_chunk(kind: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _may_hold_exif(text: bytes) -> bool:
    """Texts in which Pillow looks for the orientation (`Image.getexif`)."""
    return text.startswith((b"XML:com.adobe.xmp", b"Raw profile type"))


# ---- orientation ----------------------------------------------------------------------------------------------------


def _orientation(data: bytes, kind: str) -> int:
    """1 to 8, read by the library that also decodes the picture, so that both see it the same way up."""
    from PIL import Image

    with Image.open(io.BytesIO(data), formats=[kind]) as image:
        turned = image.getexif().get(0x0112, 1)
    return turned if turned in range(1, 9) else 1


def _exif_of(orientation: int) -> bytes:
    """A TIFF header and one directory with one entry: the orientation (EXIF 2.32, 4.6.2)."""
    return struct.pack(">2sHIHHHIHHI", b"MM", 42, 8, 1, 0x0112, 3, 1, orientation, 0, 0)


# ---- JPEG -----------------------------------------------------------------------------------------------------------

JPEG_NAMES = {
    0xE0: ("JPEG thumbnail", "Small copy of the picture"),
    0xE1: ("JPEG EXIF", "Camera, software or patient information"),
    0xE2: ("JPEG colour profile", "Colour profile or further pictures"),
    0xED: ("JPEG text", "Captions and keywords"),
    0xFE: ("JPEG comment", "Comment"),
}
NEXT_MARKER = re.compile(
    rb"\xff[\xc0-\xcf\xd8-\xfe]"
)  # within coded pixels FF is followed by 00 or a restart (D0 to D7)
SOI, EOI, SOS, TEM = 0xD8, 0xD9, 0xDA, 0x01
# Application data, comments and reserved markers (T.81, table B.1), but for those of JPEG-LS (F7, F8).
ASIDE = {*range(0x02, 0xC0), *range(0xE0, 0xF7), *range(0xF9, 0xFF)}


@dataclass(frozen=True)
class Segment:
    """A piece of a JPEG stream: bytes `start` to `end`, its content from `body` on. Of SOS it is the header only."""

    marker: int
    start: int
    body: int
    end: int


def segments(data: bytes | bytearray, at: int = 0) -> Iterator[Segment]:
    """From SOI to EOI, coded pixels left out. Raises BadInput where the stream is not what it should be."""
    if data[at : at + 2] != b"\xff\xd8":
        raise _broken("JPEG")
    yield Segment(SOI, at, at + 2, at + 2)
    at += 2
    while True:
        start = at
        if at + 2 > len(data) or data[at] != 0xFF:
            raise _broken("JPEG")
        while data[at + 1] == 0xFF:  # fill bytes (ITU T.81, B.1.1.2)
            at += 1
        marker = data[at + 1]
        if marker == EOI:
            yield Segment(EOI, start, at + 2, at + 2)
            return
        if marker == TEM or 0xD0 <= marker <= SOI:
            raise _broken("JPEG")
        (length,) = struct.unpack_from(">H", data, at + 2)
        end = at + 2 + length
        if length < 2 or end > len(data):
            raise _broken("JPEG")
        yield Segment(marker, start, at + 4, end)
        at = end
        if marker == SOS:
            following = NEXT_MARKER.search(data, at)
            if not following:
                raise _broken("JPEG")
            at = following.start()


def _jpeg(data: bytes) -> Answer:
    kept, touched, copied = [], dict[tuple[str, str, str], None](), 0
    may_turn = False
    for piece in segments(data):
        if piece.marker == EOI:
            kept.append(data[copied : piece.start] + b"\xff\xd9")
            copied = piece.end
        elif piece.marker in ASIDE:
            body = data[piece.body : piece.end]
            needed = _needed(piece.marker, body)
            if needed != body:
                may_turn = may_turn or piece.marker == 0xE1
                touched[(*JPEG_NAMES.get(piece.marker, ("JPEG other", "Further information")), "removed")] = None
                kept += [data[copied : piece.start], _segment(piece.marker, needed) if needed else b""]
                copied = piece.end
    if copied < len(data):
        touched["JPEG end", "What stood behind the picture", "removed"] = None
    if not touched:
        return data, ()
    turned = _orientation(data, "JPEG") if may_turn else 1
    whole = b"".join(kept)
    if turned != 1:
        whole = whole[:2] + _segment(0xE1, b"Exif\0\0" + _exif_of(turned)) + whole[2:]
    return whole, tuple(touched)


def _needed(marker: int, body: bytes) -> bytes:
    """What a decoder wants to know of an application segment: JFIF without its thumbnail, Adobe's colour transform."""
    if marker == 0xE0 and body.startswith(b"JFIF\0") and len(body) >= 14:
        return body[:12] + b"\0\0"
    if marker == 0xEE and body.startswith(b"Adobe") and len(body) >= 12:
        return body[:12]
    return b""


def _segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def blank_jpeg(stream: bytearray, at: int) -> int:
    """Comments and application data of the JPEG at `at` become zeros, in place; returns where it ends.

    For streams inside other files, whose length must stay. HP's colour transform of JPEG-LS (APP8) stays, too.
    """
    for piece in segments(stream, at):
        if piece.marker in ASIDE:
            held = bytes(stream[piece.body : piece.end])
            needed = held[:5] if piece.marker == 0xE8 and held.startswith(b"mrfx") else _needed(piece.marker, held)
            stream[piece.body : piece.end] = needed.ljust(len(held), b"\0")
    return piece.end


# ---- BMP ------------------------------------------------------------------------------------------------------------


def _bmp(data: bytes) -> Answer:
    """Header, palette and pixels; zeros in the gaps between, nothing behind, no colour profile."""
    (offset,) = struct.unpack_from("<I", data, 10)
    (header,) = struct.unpack_from("<I", data, 14)
    if not (data.startswith(b"BM") and 12 <= header <= 124 and 14 + header <= offset <= len(data)):
        raise _broken("BMP")
    end = offset + _bmp_size(data, header)
    if not offset < end <= len(data):
        raise _broken("BMP")
    palette_end = min(offset, 14 + header + _bmp_table(data, header))
    whole = bytearray(data[:end])
    whole[2:6] = struct.pack("<I", end)
    whole[6:10] = bytes(4)
    whole[palette_end:offset] = bytes(offset - palette_end)
    if header >= 124:  # version 5 may name a file or hold a profile
        whole[14 + 56 : 14 + 60] = b"BGRs"
        whole[14 + 112 : 14 + 124] = bytes(12)
    if whole == data:
        return data, ()
    return bytes(whole), (("BMP other", "What stood around the picture", "removed"),)


def _bmp_size(data: bytes, header: int) -> int:
    """Bytes of the pixels; for run lengths, JPEG and PNG inside as many as the header says."""
    if header == 12:
        width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
        return (width * bits + 31) // 32 * 4 * height
    width, height, _, bits, packing, said = struct.unpack_from("<iiHHII", data, 18)
    if packing in (1, 2, 4, 5):
        return said
    return (abs(width) * bits + 31) // 32 * 4 * abs(height)


def _bmp_table(data: bytes, header: int) -> int:
    """Bytes of the palette or the colour masks, which stand between header and pixels."""
    if header == 12:
        (bits,) = struct.unpack_from("<H", data, 24)
        return 3 << bits if bits <= 8 else 0
    bits, packing = struct.unpack_from("<HI", data, 28)
    colours = struct.unpack_from("<I", data, 46)[0] if header >= 40 else 0
    masks = 16 if header == 40 and packing in (3, 6) else 0
    return masks + 4 * (colours or (1 << bits if bits <= 8 else 0))


# ---- TIFF -----------------------------------------------------------------------------------------------------------

TIFF_SIZES = {1: 1, 3: 2, 4: 4, 5: 8, 6: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 16: 8, 17: 8}  # bytes; 2 and 7 are text
TIFF_KEPT = {  # what the layout and the meaning of the pixels follow from (TIFF 6.0, section 8 and the extensions)
    254, 255, 256, 257, 258, 259, 262, 266, 274, 277, 278, 280, 281, 282, 283, 284, 292, 293, 296, 297, 317, 320,
    322, 323, 332, 334, 336, 338, 339, 340, 341, 529, 530, 531, 532,
}  # fmt: skip
STRIPS, TILES = (273, 279), (324, 325)  # where the pieces lie, how long they are
JPEG_TABLES, OLD_JPEG = 347, 6
PAGES = 10_000


@dataclass(frozen=True)
class Entry:
    tag: int
    type: int
    count: int
    value: bytes


def _tiff(data: bytes) -> Answer:
    """Written anew from its pages: the coded pixels byte for byte, and those tags only that say how to decode them."""
    order = {b"II": "<", b"MM": ">"}[data[:2]]
    big = struct.unpack_from(order + "H", data, 2)[0] == 43
    out = bytearray(data[:2] + struct.pack(order + "HI", 42, 0))
    link, dropped = 4, False
    for number, page in enumerate(_tiff_pages(data, order, big)):
        if number >= PAGES:
            raise BadInput(f"The TIFF holds more than {PAGES:,} pages.", "Split it into several files.")
        dropped = dropped or any(entry.tag not in TIFF_KEPT | {*STRIPS, *TILES, JPEG_TABLES} for entry in page)
        if 700 in {entry.tag for entry in page} and 274 not in {entry.tag for entry in page} and not number:
            page = [*page, Entry(274, 3, 1, struct.pack(order + "H", _orientation(data, "TIFF")))]
        directory = _tiff_page(data, page, order, out)
        struct.pack_into(order + "I", out, link, directory)
        link = len(out) - 4
        if len(out) > 2 * len(data) + 4096:  # pieces that overlap would let a small file grow without end
            raise _broken("TIFF")
    if link == 4:
        raise _broken("TIFF")
    if len(out) >= len(data) and not dropped:
        return bytes(out), ()
    return bytes(out), (("TIFF tag", "Descriptions, names, dates and unused bytes beside the picture", "removed"),)


def _tiff_pages(data: bytes, order: str, big: bool) -> Iterator[list[Entry]]:
    (at,) = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)
    counted, entry, wide = ("Q", "HHQ", 8) if big else ("H", "HHI", 4)
    head, size = struct.calcsize("<" + counted), struct.calcsize("<" + entry) + wide
    seen: set[int] = set()
    while at:
        if at in seen:
            raise _broken("TIFF")
        seen.add(at)
        (count,) = struct.unpack_from(order + counted, data, at)
        if at + head + count * size + wide > len(data):
            raise _broken("TIFF")
        page = []
        for place in range(at + head, at + head + count * size, size):
            tag, type, values = struct.unpack_from(order + entry, data, place)
            length = values * TIFF_SIZES.get(type, 1)
            value = place + size - wide
            if length > wide:
                (value,) = struct.unpack_from(order + ("Q" if big else "I"), data, value)
            page.append(Entry(tag, type, values, data[value : value + length]))
        yield page
        (at,) = struct.unpack_from(order + ("Q" if big else "I"), data, at + head + count * size)


def _tiff_page(data: bytes, page: list[Entry], order: str, out: bytearray) -> int:
    """Append one page; returns where its directory begins. The last four bytes are the place of the next page."""
    known = {entry.tag: entry for entry in page}
    packing = _tiff_numbers(known[259], order)[0] if 259 in known else 1
    if packing == OLD_JPEG:
        raise BadInput("The TIFF is packed in an outdated way (JPEG of 1992).", "Save it again as TIFF or PNG.")
    entries = [
        _tiff_narrow(entry, order)
        for entry in page
        if entry.tag in TIFF_KEPT
        and entry.type in TIFF_SIZES
        and len(entry.value) == entry.count * TIFF_SIZES[entry.type]
    ]
    if JPEG_TABLES in known:
        tables = bytearray(known[JPEG_TABLES].value)
        blank_jpeg(tables, 0)
        entries.append(Entry(JPEG_TABLES, 7, len(tables), bytes(tables)))
    places, lengths = TILES if TILES[0] in known else STRIPS
    offsets = _tiff_numbers(known[places], order)
    sizes = _tiff_numbers(known[lengths], order) if lengths in known else _tiff_strip_sizes(known, order, len(offsets))
    if len(offsets) != len(sizes):
        raise _broken("TIFF")
    moved = []
    for offset, size in zip(offsets, sizes, strict=True):
        if offset + size > len(data):
            raise _broken("TIFF")
        moved.append(len(out))
        out += _tiff_piece(data[offset : offset + size], packing)
        out += bytes(len(out) % 2)
        if len(out) > 2 * len(data) + 4096:
            raise _broken("TIFF")
    entries.append(Entry(places, 4, len(moved), struct.pack(f"{order}{len(moved)}I", *moved)))
    entries.append(Entry(lengths, 4, len(sizes), struct.pack(f"{order}{len(sizes)}I", *sizes)))
    return _tiff_directory({entry.tag: entry for entry in entries}, order, out)


def _tiff_piece(piece: bytes, packing: int) -> bytes:
    """A strip or tile as it was; inside of JPEG ones, comments become zeros."""
    if packing != 7 or not piece:
        return piece
    stream = bytearray(piece)
    end = blank_jpeg(stream, 0)
    stream[end:] = bytes(len(stream) - end)
    return bytes(stream)


def _tiff_narrow(entry: Entry, order: str) -> Entry:
    """Numbers of eight bytes, which only BigTIFF knows, in four."""
    if entry.type != 16:
        return entry
    return Entry(entry.tag, 4, entry.count, struct.pack(f"{order}{entry.count}I", *_tiff_numbers(entry, order)))


def _tiff_numbers(entry: Entry, order: str) -> list[int]:
    letter = {1: "B", 3: "H", 4: "I", 16: "Q"}[entry.type]
    return list(struct.unpack(f"{order}{entry.count}{letter}", entry.value))


def _tiff_strip_sizes(known: dict[int, Entry], order: str, strips: int) -> list[int]:
    """Lengths that some writers leave out, for one strip that is not compressed."""
    width, height = (_tiff_numbers(known[tag], order)[0] for tag in (256, 257))
    bits = sum(_tiff_numbers(known[258], order)) if 258 in known else 1
    if strips != 1 or (259 in known and _tiff_numbers(known[259], order)[0] != 1):
        raise _broken("TIFF")
    return [(width * bits + 7) // 8 * height]


def _tiff_directory(entries: dict[int, Entry], order: str, out: bytearray) -> int:
    places = {}
    for tag, entry in sorted(entries.items()):
        if len(entry.value) > 4:
            places[tag] = len(out)
            out += entry.value + bytes(len(entry.value) % 2)
    directory = len(out)
    out += struct.pack(order + "H", len(entries))
    for tag, entry in sorted(entries.items()):
        value = struct.pack(order + "I", places[tag]) if tag in places else entry.value.ljust(4, b"\0")
        out += struct.pack(order + "HHI", tag, entry.type, entry.count) + value
    out += bytes(4)
    return directory


# ---- NIfTI ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Layout:
    """Where things stand in a NIfTI header: texts as (start, length)."""

    size: int
    texts: tuple[tuple[int, int], ...]
    dims: str
    dims_at: int
    bits_at: int
    offset: str
    offset_at: int
    magic: tuple[int, bytes]


# nifti1.h and nifti2.h: data_type, db_name, descrip, aux_file, intent_name, and bytes nobody uses
NIFTI = (
    Layout(348, ((4, 28), (148, 80), (228, 24), (328, 16)), "8h", 40, 72, "f", 108, (344, b"n+1\0")),
    Layout(540, ((240, 80), (320, 24), (508, 16), (525, 15)), "8q", 16, 14, "q", 168, (4, b"n+2\0\r\n\x1a\n")),
)


def _nifti(data: bytes) -> Answer:
    if data[:2] != b"\x1f\x8b":
        return _nifti_plain(data)
    most = allowed(len(data))
    plain = ungzipped(data, most + 1)
    if len(plain) > most:
        raise bomb(most)
    cleaned, touched = _nifti_plain(plain)
    out = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=out, mtime=0, compresslevel=3) as file:
        file.write(cleaned)
    return out.getvalue(), (*touched, ("NIfTI file name", "Name and time of the packed file", "removed"))


def _nifti_plain(data: bytes) -> Answer:
    order, layout = _nifti_layout(data)
    (offset,) = struct.unpack_from(order + layout.offset, data, layout.offset_at)
    dims = struct.unpack_from(order + layout.dims, data, layout.dims_at)
    (bits,) = struct.unpack_from(order + "h", data, layout.bits_at)
    voxels = 1
    for side in dims[1 : dims[0] + 1] if 1 <= dims[0] <= 7 else (0,):
        voxels *= max(1, side) if side >= 0 else 0
    begin = max(int(offset), layout.size)
    size = voxels * bits // 8
    if voxels <= 0 or bits <= 0 or begin + size > len(data):
        raise _broken("NIfTI")
    head = bytearray(data[: layout.size])
    for start, length in layout.texts:
        head[start : start + length] = bytes(length)
    start = layout.size + 4  # four bytes say whether extensions follow: none do
    struct.pack_into(order + layout.offset, head, layout.offset_at, start)
    whole = bytes(head) + bytes(4) + data[begin : begin + size]
    if whole == data:
        return data, ()
    return whole, (("NIfTI text", "Descriptions, names and extensions beside the picture", "removed"),)


def _nifti_layout(data: bytes) -> tuple[str, Layout]:
    for layout in NIFTI:
        for order in "<>":
            at, magic = layout.magic
            if data[:4] == struct.pack(order + "i", layout.size) and data[at : at + len(magic)] == magic:
                return order, layout
    raise _broken("NIfTI")


CLEANERS: dict[str, Callable[[bytes], Answer]] = {
    "PNG": _png,
    "JPEG": _jpeg,
    "BMP": _bmp,
    "TIFF": _tiff,
    "NIFTI": _nifti,
}
