"""The cells of a delimited text (CSV, TSV), line by line as people's programs write it. Knows nothing of columns.

Comma, semicolon, tab or |; UTF-8, UTF-16 or Latin-1; with or without a mark. The text is read on demand: only the line
at hand is in memory.
"""

import codecs
import csv
import io
import re
from collections.abc import Iterator

from medtl.cohorts import limits
from medtl.errors import BadInput


def refuse_other_files(data: bytes, title: str) -> None:
    if data.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise BadInput(
            f"{title} is a workbook (Excel or LibreOffice); we read tables as CSV.",
            "Open it, choose 'Save as' and 'CSV UTF-8', and give that file.",
        )
    if len(data) > limits.TABLE_BYTES:
        raise BadInput(
            f"{title} has {len(data) / limits.MB:.0f} MB; a table may have {limits.TABLE_BYTES / limits.MB:.0f}.",
            "Keep the rows of your images and the columns that are of use.",
        )


def lines(data: bytes, title: str) -> Iterator[tuple[int, list[str]]]:
    """Row number and cells of the lines that are not empty, read on demand."""
    encoding = _encoding(data)
    first = next((line for line in _text(data, encoding) if line.strip()), "")
    said = re.fullmatch(r"sep=(.)", first.rstrip("\r\n"), re.IGNORECASE)  # for Excel; it may be a tab
    delimiter = said[1] if said else max(",;\t|", key=first.count)
    number = 0
    try:
        for number, cells in enumerate(csv.reader(_narrow(data, encoding, delimiter, title), delimiter=delimiter), 1):
            if number > limits.TABLE_ROWS + 1:
                raise BadInput(f"{title} has more than {limits.TABLE_ROWS:,} rows.", "Keep the rows of your images.")
            if len(cells) > limits.TABLE_COLUMNS:  # over several lines, within quotes
                raise _too_wide(title)
            if any(cell.strip() for cell in cells) and not (said and number == 1):
                yield number, cells
    except csv.Error as error:
        raise BadInput(f"{title} cannot be read after row {number}.", "Save it again as CSV (UTF-8).") from error


def _narrow(data: bytes, encoding: str, delimiter: str, title: str) -> Iterator[str]:
    """The lines, as long as they are those of a table: a line of millions of cells is refused before it is parted."""
    for line in _text(data, encoding):
        if line.count(delimiter) >= limits.TABLE_COLUMNS:
            raise _too_wide(title)
        yield line


def _too_wide(title: str) -> BadInput:
    return BadInput(f"{title} has more than {limits.TABLE_COLUMNS:,} columns.", "Keep the columns that are of use.")


def _text(data: bytes, encoding: str) -> Iterator[str]:
    with io.TextIOWrapper(io.BytesIO(data), encoding=encoding, errors="replace", newline="") as text:
        for line in text:
            yield line.replace("\0", "")


def _encoding(data: bytes) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    start = data[:200]
    if start.count(0) > len(start) // 3:  # UTF-16 without its mark: every second byte of plain letters is zero
        return "utf-16-be" if start[:1] == b"\0" else "utf-16-le"
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for at in range(0, len(data), limits.MB):
            decoder.decode(data[at : at + limits.MB], final=at + limits.MB >= len(data))
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8-sig"
