"""A document as DOCX (Office Open XML, ISO/IEC 29500): headings, paragraphs, lists and tables, as a journal wants a
checklist. Written by hand, as it is four small XML files in a zip; drawings become their words.

Every text is written as a text node by an XML writer, so nothing that comes from a user can become a field or a link.
"""

import io
import zipfile
from xml.etree import ElementTree as ET

from medtl.reporting.document import Block, Bullets, Document, Figure, Gallery, Table, Text, plain

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"
RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml"
WIDTH = 9638  # twentieths of a point: A4 upright between margins of 2 cm
FIXED = (1980, 1, 1, 0, 0, 0)  # the same paper twice is the same file

ET.register_namespace("w", W)


def write(document: Document, landscape: bool = False) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, root in (
            ("[Content_Types].xml", _content_types()),
            ("_rels/.rels", _relations("officeDocument", "word/document.xml")),
            ("word/_rels/document.xml.rels", _relations("styles", "styles.xml")),
            ("word/styles.xml", _styles()),
            ("word/document.xml", _document(document, landscape)),
        ):
            entry = zipfile.ZipInfo(name, FIXED)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, ET.tostring(root, "utf-8", xml_declaration=True))
    return out.getvalue()


def _document(document: Document, landscape: bool) -> ET.Element:
    root = ET.Element(_w("document"))
    body = _add(root, "body")
    width = 14570 if landscape else WIDTH
    _paragraph(body, document.title, "Title")
    _paragraph(body, document.subtitle)
    for section in document.sections:
        _paragraph(body, section.title, "Heading1")
        for block in section.blocks:
            _block(body, block, width)
    _paragraph(body, document.foot)
    page = _add(body, "sectPr")
    size = {"w": "16838", "h": "11906", "orient": "landscape"} if landscape else {"w": "11906", "h": "16838"}
    _add(page, "pgSz", **size)
    _add(page, "pgMar", top="1134", right="1134", bottom="1134", left="1134", header="567", footer="567", gutter="0")
    return root


def _block(body: ET.Element, block: Block, width: int) -> None:
    match block:
        case Text(text, tone):
            _paragraph(body, text, bold=tone == "strong")
        case Bullets(items):
            for item in items:
                _paragraph(body, f"• {plain(item)}")
        case Table():
            _table(body, block, width)
        case Figure(drawing, caption):
            _paragraph(body, f"{drawing.alt} {caption}")
        case Gallery(photos):
            for photo in photos:
                _paragraph(body, f"• {plain(photo.caption)}")


def _paragraph(parent: ET.Element, text: str, style: str = "", bold: bool = False) -> None:
    paragraph = _add(parent, "p")
    if style:
        _add(_add(paragraph, "pPr"), "pStyle", val=style)
    run = _add(paragraph, "r")
    if bold:
        _add(_add(run, "rPr"), "b")
    words = _add(run, "t")
    words.set("{http://www.w3.org/XML/1998/namespace}space", "preserve")
    words.text = plain(text)


def _table(body: ET.Element, table: Table, width: int) -> None:
    if table.caption:
        _paragraph(body, table.caption)
    made = _add(body, "tbl")
    about = _add(made, "tblPr")
    _add(about, "tblW", w=str(width), type="dxa")
    borders = _add(about, "tblBorders")
    for side in ("top", "left", "bottom", "right", "insideH", "insideV"):
        _add(borders, side, val="single", sz="4", space="0", color="A0AEB4")
    _add(about, "tblLayout", type="fixed")
    columns = len(table.head) or (len(table.rows[0]) if table.rows else 1)
    shares = table.widths or (1.0,) * columns
    widths = [round(width * share / sum(shares)) for share in shares]
    grid = _add(made, "tblGrid")
    for one in widths:
        _add(grid, "gridCol", w=str(one))
    if table.head:
        _row(made, table.head, widths, head=True)
    for row in table.rows:
        _row(made, row, widths)
    _paragraph(body, "")


def _row(table: ET.Element, cells: tuple[str, ...], widths: list[int], head: bool = False) -> None:
    row = _add(table, "tr")
    about = _add(row, "trPr")
    _add(about, "cantSplit")
    if head:
        _add(about, "tblHeader")
    for text, width in zip(cells, widths, strict=True):
        cell = _add(row, "tc")
        _add(_add(cell, "tcPr"), "tcW", w=str(width), type="dxa")
        _paragraph(cell, text, bold=head)


def _styles() -> ET.Element:
    root = ET.Element(_w("styles"))
    plain_run = _add(_add(_add(root, "docDefaults"), "rPrDefault"), "rPr")
    _add(plain_run, "rFonts", ascii="Calibri", hAnsi="Calibri", cs="Calibri")
    _add(plain_run, "sz", val="20")
    _add(_add(root, "style", type="paragraph", default="1", styleId="Normal"), "name", val="Normal")
    for id, name, size in (("Title", "Title", "32"), ("Heading1", "heading 1", "26")):
        style = _add(root, "style", type="paragraph", styleId=id)
        _add(style, "name", val=name)
        about = _add(style, "pPr")
        _add(about, "keepNext")
        _add(about, "spacing", before="240", after="80")
        if id != "Title":
            _add(about, "outlineLvl", val="0")
        letters = _add(style, "rPr")
        _add(letters, "b")
        _add(letters, "sz", val=size)
    return root


def _content_types() -> ET.Element:
    root = ET.Element(f"{{{TYPES}}}Types")
    for ending, kind in (
        ("rels", "application/vnd.openxmlformats-package.relationships+xml"),
        ("xml", "application/xml"),
    ):
        ET.SubElement(root, f"{{{TYPES}}}Default", Extension=ending, ContentType=kind)
    for part, kind in (("document", "document.main"), ("styles", "styles")):
        ET.SubElement(root, f"{{{TYPES}}}Override", PartName=f"/word/{part}.xml", ContentType=f"{WORD}.{kind}+xml")
    return root


def _relations(kind: str, target: str) -> ET.Element:
    root = ET.Element(f"{{{RELATIONS}}}Relationships")
    ET.SubElement(root, f"{{{RELATIONS}}}Relationship", Id="r1", Type=f"{OFFICE}/{kind}", Target=target)
    return root


def _w(name: str) -> str:
    return f"{{{W}}}{name}"


def _add(parent: ET.Element, name: str, **attributes: str) -> ET.Element:
    return ET.SubElement(parent, _w(name), {_w(key): value for key, value in attributes.items()})
