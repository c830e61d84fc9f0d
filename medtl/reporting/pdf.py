"""A document as PDF, drawn by reportlab: no browser. Drawings stay vectors; letters are DejaVu's, embedded, so that
names in Latin, Greek, Cyrillic and Arabic print (letters of Chinese, Japanese and Korean do not: they become boxes).
"""

import io
import textwrap
from functools import cache
from html import escape
from importlib.util import find_spec
from pathlib import Path as FilePath
from typing import Any

from medtl.errors import NotReady
from medtl.reporting.document import (
    Block,
    Box,
    Bullets,
    Document,
    Dot,
    Drawing,
    Figure,
    Gallery,
    Path,
    Photo,
    Section,
    Shape,
    Table,
    Text,
    Words,
    plain,
)

MARGIN, PADDING = 31.0, 6.0  # points; they leave 521 of A4's 595, as wide as a drawing
ROOM = 80  # points that a heading or a caption wants below it on its page
INNER = 595 - 2 * MARGIN - 2 * PADDING
FONT, BOLD = "MedTL", "MedTL-Bold"


def write(document: Document) -> bytes:
    """The whole file. Raises NotReady where reportlab is not installed."""
    if find_spec("reportlab") is None:
        raise NotReady("A PDF needs the package reportlab.", "Run `pip install reportlab`, or ask for .html.")
    from reportlab.lib.pagesizes import A4
    from reportlab.platypus import SimpleDocTemplate

    fonts()
    styles = _styles()
    flow: list[Any] = [_line(document.title, styles["title"]), _line(document.subtitle, styles["quiet"])]
    for section in document.sections:
        flow += _section(section, styles)
    out = io.BytesIO()
    foot = plain(document.foot)

    def page(canvas: Any, template: Any) -> None:
        canvas.setFont(FONT, 7)
        canvas.setFillColor("#5E7480")
        for line, text in enumerate(textwrap.wrap(foot, 135)[:2]):
            canvas.drawString(MARGIN + PADDING, 28 - 9 * line, text)
        canvas.drawRightString(A4[0] - MARGIN - PADDING, 28, str(canvas.getPageNumber()))

    template = SimpleDocTemplate(
        out, pagesize=A4, leftMargin=MARGIN, rightMargin=MARGIN, topMargin=42, bottomMargin=46,
        title=plain(document.title), author="MedTL", subject=plain(document.subtitle)[:200], lang=document.language,
    )  # fmt: skip
    template.build(flow, onFirstPage=page, onLaterPages=page)
    return out.getvalue()


@cache
def fonts() -> None:
    """Registers the two faces. They come with matplotlib, which grad-cam brings; without it, reportlab's own."""
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    found = find_spec("matplotlib")
    folder = FilePath(found.origin).parent / "mpl-data/fonts/ttf" if found and found.origin else None
    there = folder is not None and (folder / "DejaVuSans.ttf").is_file()
    for name, face, own in ((FONT, "DejaVuSans.ttf", "Vera.ttf"), (BOLD, "DejaVuSans-Bold.ttf", "VeraBd.ttf")):
        pdfmetrics.registerFont(TTFont(name, str(folder / face) if there and folder else own))
    pdfmetrics.registerFontFamily(FONT, normal=FONT, bold=BOLD, italic=FONT, boldItalic=BOLD)


def _styles() -> dict[str, Any]:
    from reportlab.lib.styles import ParagraphStyle

    base = ParagraphStyle("base", fontName=FONT, fontSize=9, leading=13, textColor="#16242B", spaceAfter=4)

    def style(name: str, **changes: Any) -> Any:
        return ParagraphStyle(name, parent=base, **changes)

    return {
        "plain": base,
        "title": style("title", fontName=BOLD, fontSize=17, leading=22, spaceAfter=4),
        "heading": style("heading", fontName=BOLD, fontSize=12, leading=16, spaceBefore=14, spaceAfter=5),
        "strong": style("strong", fontName=BOLD, fontSize=10.5, leading=15),
        "under": style("under", fontSize=8, leading=11, textColor="#4C606B", spaceBefore=2),
        "quiet": style("quiet", fontSize=8, leading=11, textColor="#4C606B"),
        "warning": style("warning", backColor="#FDF5E8", borderColor="#C77700", borderWidth=0.6, borderPadding=5,
                         spaceBefore=6, spaceAfter=9),
        "bullet": style("bullet", leftIndent=12, bulletIndent=2),
        "cell": style("cell", fontSize=8, leading=10.5, spaceAfter=0),
        "faint": style("faint", fontSize=8, leading=10.5, spaceAfter=0, textColor="#5E7480"),
        "head": style("head", fontName=BOLD, fontSize=8, leading=10.5, spaceAfter=0),
        "caption": style("caption", fontSize=8, leading=11, textColor="#4C606B", spaceBefore=3, spaceAfter=3),
    }  # fmt: skip


def _line(text: str, style: Any, **options: Any) -> Any:
    """Text in a paragraph: escaped, because reportlab reads tags in it."""
    from reportlab.platypus import Paragraph

    return Paragraph(escape(plain(text).replace(" %", "\u00a0%"), quote=False), style, **options)


def _heading(text: str, id: str, style: Any) -> Any:
    from reportlab.platypus import Paragraph

    class Heading(Paragraph):
        """Also an entry of the reader's outline."""

        def draw(self) -> None:
            self.canv.bookmarkPage(id)
            self.canv.addOutlineEntry(plain(text), id, 0)
            super().draw()

    return Heading(escape(plain(text), quote=False), style)


def _section(section: Section, styles: dict[str, Any]) -> list[Any]:
    """The heading stays with a figure that follows it."""
    from reportlab.platypus import CondPageBreak, KeepTogether

    heading = _heading(section.title, section.id, styles["heading"])
    first, *rest = [_block(block, styles) for block in section.blocks]
    together = isinstance(section.blocks[0], Figure)
    begins = [KeepTogether([heading, *first])] if together else [heading, *first]
    return [CondPageBreak(ROOM + 50), *begins, *(part for block in rest for part in block)]


def _block(block: Block, styles: dict[str, Any]) -> list[Any]:
    from reportlab.platypus import CondPageBreak

    match block:
        case Text(text, tone):
            return [_line(text, styles[tone])]
        case Bullets(items):
            return [_line(item, styles["bullet"], bulletText="•") for item in items]
        case Table():
            caption = [CondPageBreak(ROOM), _line(block.caption, styles["caption"])] if block.caption else []
            return [*caption, _table(block, styles)]
        case Figure(drawing, caption):
            return [picture(drawing), _line(caption, styles["under"])]
        case Gallery(photos, wide):
            return _gallery(photos, styles, across=2 if wide else 4)


def _table(table: Table, styles: dict[str, Any]) -> Any:
    from reportlab.platypus import LongTable, TableStyle

    shares = table.widths or (1.0,) * len(table.rows[0] if table.rows else table.head)
    widths = [INNER * share / sum(shares) for share in shares]
    rows = [[_line(name, styles["head"]) for name in table.head]] if table.head else []
    for number, (first, *rest) in enumerate(table.rows):
        kind = "faint" if number in table.faint else "cell"
        rows.append([
            _line(first, styles[kind if table.head else "head"]),
            *(_line(cell, styles[kind]) for cell in rest),
        ])
    made = LongTable(rows, colWidths=widths, repeatRows=1 if table.head else 0, spaceAfter=8, hAlign="LEFT")
    made.setStyle(
        TableStyle([
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("LEFTPADDING", (0, 0), (-1, -1), 0),
            ("RIGHTPADDING", (0, 0), (-1, -1), 6),
            ("TOPPADDING", (0, 0), (-1, -1), 2.5),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 3),
            ("LINEBELOW", (0, 0), (-1, -1), 0.3, "#C9D3D8"),
            *([("LINEBELOW", (0, 0), (-1, 0), 0.9, "#5E7480")] if table.head else []),
        ])
    )
    return made


def _gallery(photos: tuple[Photo, ...], styles: dict[str, Any], across: int = 4) -> list[Any]:
    from reportlab.platypus import Image, Spacer, TableStyle
    from reportlab.platypus import Table as Grid

    side = INNER / across - 10
    cells = []
    for photo in photos:
        image = Image(io.BytesIO(photo.jpeg))
        factor = min(side / image.imageWidth, side / image.imageHeight)
        image.drawWidth, image.drawHeight = image.imageWidth * factor, image.imageHeight * factor
        cells.append([image, Spacer(1, 3), _line(photo.caption, styles["quiet"])])
    rows = [cells[at : at + across] for at in range(0, len(cells), across)]
    rows[-1] += [""] * (across - len(rows[-1]))  # type: ignore[list-item]  # an empty cell
    grid = Grid(rows, colWidths=[side + 10] * across, hAlign="LEFT")
    grid.setStyle(TableStyle([("VALIGN", (0, 0), (-1, -1), "TOP"), ("LEFTPADDING", (0, 0), (-1, -1), 0)]))
    return [grid]


# ---- drawings ------------------------------------------------------------------------------------------------------


def picture(drawing: Drawing) -> Any:
    """reportlab counts upwards from the bottom; y is turned over once, here."""
    from reportlab.graphics import shapes

    made = shapes.Drawing(drawing.width, drawing.height)
    for shape in drawing.shapes:
        made.add(_shape(shape, drawing.height))
    return made


def _shape(shape: Shape, height: float) -> Any:
    from reportlab.graphics import shapes
    from reportlab.lib.colors import HexColor

    def ink(colour: str, opacity: float = 1.0) -> Any:
        if not colour:
            return None
        made = HexColor(colour)
        made.alpha = opacity
        return made

    match shape:
        case Box():
            return shapes.Rect(
                shape.x, height - shape.y - shape.height, shape.width, shape.height, rx=shape.radius, ry=shape.radius,
                fillColor=ink(shape.fill, shape.opacity), strokeColor=ink(shape.stroke), strokeWidth=1,
            )  # fmt: skip
        case Dot():
            return shapes.Circle(shape.x, height - shape.y, shape.radius, fillColor=ink(shape.fill), strokeColor=None)
        case Path():
            flat = [value for x, y in shape.points for value in (x, height - y)]
            if shape.closed:
                return shapes.Polygon(
                    flat, fillColor=ink(shape.fill, shape.opacity), strokeColor=ink(shape.stroke, shape.opacity),
                    strokeWidth=shape.width,
                )  # fmt: skip
            return shapes.PolyLine(
                flat, strokeColor=ink(shape.stroke, shape.opacity), strokeWidth=shape.width,
                strokeDashArray=[4, 3] if shape.dashed else None,
            )  # fmt: skip
        case Words():
            text = shapes.String(
                0 if shape.turned else shape.x, 0 if shape.turned else height - shape.y, plain(shape.text),
                fontName=BOLD if shape.bold else FONT, fontSize=shape.size * 0.92, fillColor=ink(shape.fill),
                textAnchor=shape.anchor,
            )  # fmt: skip
            if not shape.turned:
                return text
            group = shapes.Group(text)
            group.translate(shape.x, height - shape.y)
            group.rotate(90)
            return group
