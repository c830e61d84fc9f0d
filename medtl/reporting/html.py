"""A document as one HTML file that works offline: style inside, drawings as SVG inside, no script, nothing fetched.

Everything that comes from a user is escaped here and nowhere else; a policy inside the file forbids scripts besides.
"""

import base64
from html import escape

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
    Section,
    Shape,
    Table,
    Text,
    Words,
    plain,
)

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
STYLE = """
:root{color-scheme:light}
*{box-sizing:border-box}
body{font:15px/1.55 system-ui,"Segoe UI","Helvetica Neue",Arial,sans-serif;color:#16242b;background:#fff;margin:0}
main,nav,header,footer{max-width:50rem;margin:0 auto;padding:0 1.25rem}
header{padding-top:2.2rem;border-bottom:3px solid #0e8690;padding-bottom:1rem}
h1{font-size:1.7rem;line-height:1.25;margin:0 0 .35rem;overflow-wrap:anywhere}
h2{font-size:1.2rem;margin:2.2rem 0 .6rem;padding-top:.6rem;border-top:1px solid #c9d3d8}
header p{margin:0;color:#5e7480}
nav ul{columns:2;column-gap:2.5rem;padding:0;list-style:none;font-size:.92rem;margin:1rem 0 0}
a{color:#0a6a72}
p,li,td,th,figcaption,caption{overflow-wrap:anywhere}
p{margin:.55rem 0}
.strong{font-size:1.12rem;font-weight:600}
.quiet,figcaption,caption{color:#4c606b;font-size:.88rem}
.warning{border-left:4px solid #c77700;background:#fdf5e8;padding:.5rem .8rem}
table{border-collapse:collapse;width:100%;margin:.8rem 0 1.1rem;font-size:.9rem}
caption{text-align:left;padding-bottom:.35rem}
th,td{text-align:left;vertical-align:top;padding:.3rem .55rem .3rem 0;border-bottom:1px solid #dfe6e9}
thead th{border-bottom:2px solid #5e7480}
tbody th{font-weight:600}
.faint td,.faint th{color:#5e7480;font-weight:400;font-style:italic}
figure{margin:1rem 0}
svg{width:100%;max-width:46rem;height:auto;display:block}
.gallery{display:grid;grid-template-columns:repeat(auto-fill,minmax(9.5rem,1fr));gap:.9rem}
.gallery.wide{grid-template-columns:repeat(auto-fill,minmax(19rem,1fr))}
.gallery figure{margin:0}
.gallery img{width:100%;height:9rem;object-fit:contain;background:#10181c}
footer{margin-top:2.5rem;padding-top:.8rem;padding-bottom:2rem;border-top:1px solid #c9d3d8}
footer{color:#4c606b;font-size:.85rem}
@media print{body{font-size:10.5pt}nav{display:none}main,header,footer{max-width:none;padding-left:0;padding-right:0}
h2{break-after:avoid}figure,tr,.warning{break-inside:avoid}@page{margin:18mm 16mm}}
"""


def write(document: Document) -> str:
    """The whole file as text."""
    links = "".join(f'<li><a href="#{said(s.id)}">{said(s.title)}</a></li>' for s in document.sections)
    body = "".join(_section(section) for section in document.sections)
    return (
        f'<!DOCTYPE html>\n<html lang="{said(document.language)}"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><title>{said(document.title)}</title>'
        f"<style>{STYLE}</style></head><body>\n"
        f'<header><h1 dir="auto">{said(document.title)}</h1><p dir="auto">{said(document.subtitle)}</p></header>\n'
        f'<nav aria-label="Contents"><ul>{links}</ul></nav>\n<main>\n{body}</main>\n'
        f"<footer>{said(document.foot)}</footer></body></html>\n"
    )


def said(text: object) -> str:
    return escape(plain(text).replace(" %", "\u00a0%"), quote=True)


def _section(section: Section) -> str:
    blocks = "\n".join(_block(block) for block in section.blocks)
    return f'<section id="{said(section.id)}"><h2>{said(section.title)}</h2>\n{blocks}</section>\n'


def _block(block: Block) -> str:
    match block:
        case Text(text, tone):
            mark = "" if tone == "plain" else f' class="{tone}"'
            return f'<p{mark} dir="auto">{said(text)}</p>'
        case Bullets(items):
            lines = "".join(f'<li dir="auto">{said(item)}</li>' for item in items)
            return f"<ul>{lines}</ul>"
        case Table():
            return _table(block)
        case Figure(drawing, caption):
            return f"<figure>{svg(drawing)}<figcaption>{said(caption)}</figcaption></figure>"
        case Gallery(photos, wide):
            shown = "".join(
                f'<figure><img alt="{said(photo.alt)}" '
                f'src="data:image/jpeg;base64,{base64.b64encode(photo.jpeg).decode()}">'
                f"<figcaption>{said(photo.caption)}</figcaption></figure>"
                for photo in photos
            )
            return f'<div class="gallery{" wide" if wide else ""}">{shown}</div>'


def _table(table: Table) -> str:
    total = sum(table.widths) or 1
    columns = "".join(f'<col style="width:{100 * width / total:.1f}%">' for width in table.widths)
    group = f"<colgroup>{columns}</colgroup>" if columns else ""
    head = "".join(f'<th scope="col">{said(name)}</th>' for name in table.head)
    rows = "".join(_row(row, n in table.faint) for n, row in enumerate(table.rows))
    top = f"<thead><tr>{head}</tr></thead>" if head else ""
    caption = f"<caption>{said(table.caption)}</caption>" if table.caption else ""
    return f"<table>{caption}{group}{top}<tbody>{rows}</tbody></table>"


def _row(row: tuple[str, ...], faint: bool) -> str:
    cells = "".join(f'<td dir="auto">{said(cell)}</td>' for cell in row[1:])
    mark = ' class="faint"' if faint else ""
    return f'<tr{mark}><th scope="row" dir="auto">{said(row[0])}</th>{cells}</tr>'


# ---- drawings ------------------------------------------------------------------------------------------------------


def svg(drawing: Drawing) -> str:
    shapes = "".join(_shape(shape) for shape in drawing.shapes)
    alt = said(drawing.alt)
    return (
        f'<svg role="img" aria-label="{alt}" xmlns="http://www.w3.org/2000/svg" width="{drawing.width:.0f}" '
        f'height="{drawing.height:.0f}" viewBox="0 0 {drawing.width:.0f} {drawing.height:.0f}" '
        f'font-family="system-ui,Segoe UI,Helvetica Neue,Arial,sans-serif"><title>{alt}</title>{shapes}</svg>'
    )


def _shape(shape: Shape) -> str:
    match shape:
        case Box():
            stroke = f' stroke="{shape.stroke}"' if shape.stroke else ""
            return (
                f'<rect x="{shape.x:.1f}" y="{shape.y:.1f}" width="{shape.width:.1f}" height="{shape.height:.1f}" '
                f'rx="{shape.radius:g}" fill="{shape.fill}" fill-opacity="{shape.opacity:g}"{stroke}/>'
            )
        case Dot():
            return f'<circle cx="{shape.x:.1f}" cy="{shape.y:.1f}" r="{shape.radius:g}" fill="{shape.fill}"/>'
        case Path():
            kind = "polygon" if shape.closed else "polyline"
            points = " ".join(f"{x:.1f},{y:.1f}" for x, y in shape.points)
            dashes = ' stroke-dasharray="4 3"' if shape.dashed else ""
            return (
                f'<{kind} points="{points}" fill="{shape.fill or "none"}" '
                f'stroke="{shape.stroke or "none"}" stroke-width="{shape.width:g}" '
                f'opacity="{shape.opacity:g}"{dashes}/>'
            )
        case Words():
            turn = f' transform="rotate(-90 {shape.x:.1f} {shape.y:.1f})"' if shape.turned else ""
            weight = ' font-weight="600"' if shape.bold else ""
            return (
                f'<text x="{shape.x:.1f}" y="{shape.y:.1f}" font-size="{shape.size:g}" fill="{shape.fill}" '
                f'text-anchor="{shape.anchor}"{weight}{turn}>{said(shape.text)}</text>'
            )
