"""A paper as a tree of plain values, and a drawing as a list of shapes. Every writer takes the same tree, so that HTML,
PDF, Markdown and DOCX say the same. Texts are data: writers escape them, `plain` takes out what no paper can hold.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

INK, QUIET, LINE, PAPER = "#16242B", "#5E7480", "#C9D3D8", "#FFFFFF"
Anchor = Literal["start", "middle", "end"]


# ---- drawings: x to the right, y down, in points -------------------------------------------------------------------


@dataclass(frozen=True)
class Box:
    """A rectangle; with `radius` its corners are round. No `stroke`: no outline."""

    x: float
    y: float
    width: float
    height: float
    fill: str = PAPER
    stroke: str = ""
    radius: float = 0.0
    opacity: float = 1.0


@dataclass(frozen=True)
class Path:
    """Straight lines from point to point; `closed` and filled, or open."""

    points: tuple[tuple[float, float], ...]
    stroke: str = INK
    width: float = 1.0
    fill: str = ""
    dashed: bool = False
    closed: bool = False
    opacity: float = 1.0


@dataclass(frozen=True)
class Dot:
    x: float
    y: float
    radius: float
    fill: str


@dataclass(frozen=True)
class Words:
    """One line of text; `y` is its base line. `turned`: reads upwards, around its own beginning."""

    x: float
    y: float
    text: str
    size: float = 9.0
    fill: str = INK
    anchor: Anchor = "start"
    bold: bool = False
    turned: bool = False


Shape = Box | Path | Dot | Words


@dataclass(frozen=True)
class Drawing:
    """`alt` says in words what it shows, for those who cannot see it."""

    width: float
    height: float
    shapes: tuple[Shape, ...]
    alt: str


# ---- documents -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Text:
    """A paragraph. `strong`: what the reader should see first; `quiet`: a note."""

    text: str
    tone: Literal["plain", "strong", "quiet", "warning"] = "plain"


@dataclass(frozen=True)
class Bullets:
    items: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """Rows under a head; the first column names the row. No head: a list of facts, name and value. `widths` are shares
    of the page (any scale), `faint` the numbers of rows that are for looking up only."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    widths: tuple[float, ...] = ()
    faint: tuple[int, ...] = ()


@dataclass(frozen=True)
class Figure:
    drawing: Drawing
    caption: str


@dataclass(frozen=True)
class Photo:
    """A small picture with its line: `jpeg` are the bytes of a file without metadata."""

    jpeg: bytes
    caption: str
    alt: str


@dataclass(frozen=True)
class Gallery:
    """`wide`: each is a pair of pictures side by side and needs the room of two."""

    photos: tuple[Photo, ...]
    wide: bool = False


Block = Text | Bullets | Table | Figure | Gallery


@dataclass(frozen=True)
class Section:
    """`id` is its place: what a checklist points to and a link leads to."""

    id: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Document:
    title: str
    subtitle: str
    sections: tuple[Section, ...]
    foot: str
    language: str = "en"


def plain(text: object) -> str:
    """One line without control characters, without what turns the reading direction, and without what XML forbids."""
    return "".join(
        " " if c in "\n\r\t" else c
        for c in unicodedata.normalize("NFC", str(text))
        if c in "\n\r\t"
        or not (unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") or ord(c) & 0xFFFE == 0xFFFE)
    ).strip()


def short(text: object, letters: int) -> str:
    """For a drawing, where there is room for one line: the end of a long name is what tells names apart."""
    value = plain(text)
    if len(value) <= letters:
        return value
    head = letters // 3
    return value[:head] + "…" + value[-(letters - head - 1) :]


def listed(items: Sequence[str]) -> str:
    """ "a, b and c"."""
    return " and ".join(filter(None, [", ".join(items[:-1]), *items[-1:]]))
