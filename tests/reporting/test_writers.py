"""One tree, four writers: each holds what the tree says and lets nothing that comes from a user become markup."""

import io
import zipfile
from collections.abc import Callable
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest

from medtl.reporting import docx, html, markdown, pdf
from medtl.reporting.document import (
    Box,
    Bullets,
    Document,
    Dot,
    Drawing,
    Figure,
    Path,
    Section,
    Table,
    Text,
    Words,
    plain,
    short,
)

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    '=HYPERLINK("http://evil")',
    "a\u202egpj.exe",
    "<b>&amp;</b> <para> </para>",
    "| pipe | **bold** [link](javascript:alert(1)) `code`",
    "\x00\x07\ufffe\ud800 end",
    "شيء آخر",
    "x" * 300,
)


def document(text: str) -> Document:
    drawing = Drawing(
        200, 60, (Box(1, 1, 40, 20), Dot(5, 5, 2, "#000000"), Path(((0, 0), (9, 9)), dashed=True),
                  Path(((0, 0), (9, 9), (0, 9)), fill="#FF0000", closed=True), Words(3, 30, text, turned=True)), text,
    )  # fmt: skip
    blocks = (
        *(Text(text, tone) for tone in ("plain", "strong", "quiet", "warning")),  # type: ignore[arg-type]
        Bullets((text, text)),
        Table(text, (text, "b"), ((text, text), ("c", "d")), (1, 2)),
        Table("", (), ((text, "facts"),)),
        Figure(drawing, text),
    )
    return Document(text, text, (Section("one", text, blocks),), text)


WRITERS: dict[str, Callable[[Document], object]] = {
    "html": html.write, "pdf": pdf.write, "markdown": markdown.write, "docx": docx.write,
}  # fmt: skip


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_no_text_breaks_a_writer(writer: str, text: str) -> None:
    if writer == "pdf":
        pytest.importorskip("reportlab", reason="PDF needs reportlab")
    assert WRITERS[writer](document(text))


class _Seen(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attributes}

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_html_has_the_same_tags_whatever_the_text(text: str) -> None:
    seen, harmless = _Seen(), _Seen()
    seen.feed(html.write(document(text)))
    harmless.feed(html.write(document("harmless")))
    assert (seen.tags, seen.attributes) == (harmless.tags, harmless.attributes)
    assert "script" not in seen.tags and not any(name.startswith("on") for name in seen.attributes)
    assert plain(text).replace(" %", "\u00a0%") in seen.text


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_docx_holds_the_text_as_text(text: str) -> None:
    archive = zipfile.ZipFile(io.BytesIO(docx.write(document(text))))
    root = ET.fromstring(archive.read("word/document.xml"))
    parts = [node.text for node in root.iter(f"{{{docx.W}}}t")]
    assert plain(text) in parts
    assert not {node.tag for node in root.iter()} & {
        f"{{{docx.W}}}{name}" for name in ("fldSimple", "instrText", "hyperlink")
    }


def test_docx_is_what_a_word_processor_reads() -> None:
    reader = pytest.importorskip("docx", reason="python-docx is not part of MedTL; it reads what we wrote where it is")
    read = reader.Document(io.BytesIO(docx.write(document("name"), landscape=True)))
    assert [p.style.name for p in read.paragraphs][:1] == ["Title"]
    assert [cell.text for cell in read.tables[0].rows[0].cells] == ["name", "b"]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_markdown_table_keeps_its_columns(text: str) -> None:
    rows = [line for line in markdown.write(document(text)).splitlines() if line.startswith("| ")]
    assert all(line.replace("\\|", "").count("|") == 3 for line in rows)
    assert "<script" not in markdown.write(document(text)).replace("\\<script", "")


def test_pdf_embeds_its_letters_and_draws_vectors() -> None:
    pytest.importorskip("reportlab", reason="PDF needs reportlab")
    made = pdf.write(document("Größe, ψ, Ж"))
    assert made.startswith(b"%PDF") and b"/FontFile2" in made and b"/Subtype /Image" not in made


def test_short_names_keep_both_ends() -> None:
    assert short("abcdefghij", 6) == "ab…hij" and short("abc", 6) == "abc"
