"""A document as Markdown: text, lists and tables; drawings and pictures become their words. Every mark of Markdown, of
HTML and of tables that comes from a user is escaped, so that it reads as it was typed wherever it is rendered.
"""

import re

from medtl.reporting.document import Block, Bullets, Document, Figure, Gallery, Table, Text, plain

_MARKS = re.compile(r"([\\`*_{}\[\]<>#|~$^&!])")
_START = re.compile(r"^(\s*)([-+=]|\d+[.)])")  # what would begin a list, a rule or a heading


def write(document: Document) -> str:
    lines = [f"# {said(document.title)}", "", said(document.subtitle)]
    for section in document.sections:
        lines += ["", f"## {said(section.title)}"]
        for block in section.blocks:
            lines += ["", *_block(block)]
    return "\n".join([*lines, "", f"_{said(document.foot)}_", ""])


def said(text: object) -> str:
    escaped = _MARKS.sub(r"\\\1", plain(text))
    return _START.sub(r"\1\\\2", escaped)


def _block(block: Block) -> list[str]:
    match block:
        case Text(text, tone):
            return [f"**{said(text)}**" if tone == "strong" else f"> {said(text)}" if tone == "warning" else said(text)]
        case Bullets(items):
            return [f"- {said(item)}" for item in items]
        case Table():
            return _table(block)
        case Figure(drawing, caption):
            return [f"{said(drawing.alt)} {said(caption)}"]
        case Gallery(photos):
            return [f"- {said(photo.caption)}" for photo in photos]


def _table(table: Table) -> list[str]:
    columns = len(table.head) or (len(table.rows[0]) if table.rows else 1)
    head = table.head or ("",) * columns
    rows = [" | ".join(said(cell) for cell in row) for row in (head, *table.rows)]
    rule = " | ".join(["---"] * columns)
    return [
        *([said(table.caption), ""] if table.caption else []),
        *(f"| {row} |" for row in (rows[0], rule, *rows[1:])),
    ]
