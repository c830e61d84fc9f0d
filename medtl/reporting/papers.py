"""Which paper in which form: from a run and the ending of a file's name to the bytes of the file."""

from collections.abc import Callable
from pathlib import Path

from medtl.errors import BadInput
from medtl.reporting import chai, checklists, content, docx, html, markdown, model_card, pdf, report
from medtl.reporting.document import Document
from medtl.workspace import Workspace, write_whole

WRITERS: dict[str, Callable[[Document], bytes]] = {
    ".html": lambda document: html.write(document).encode(),
    ".pdf": pdf.write,
    ".md": lambda document: markdown.write(document).encode(),
    ".docx": docx.write,
}


def write_report(ws: Workspace, run: str, out: Path, pictures: bool = True) -> None:
    """The study report as .html, .pdf, .md or .docx; the last two without drawings and pictures."""
    writer = _writer(out, WRITERS)
    write_whole(out, writer(report.make(content.read(ws, run), ws if pictures else None)))


def write_card(ws: Workspace, run: str, out: Path) -> None:
    """The model card as .md, .html, .pdf or .docx; as .xml in the form of the Coalition for Health AI."""
    if out.suffix.lower() == ".xml":
        write_whole(out, chai.write(content.read(ws, run)))
        return
    writer = _writer(out, WRITERS, ".xml")
    write_whole(out, writer(model_card.make(content.read(ws, run))))


def write_checklist(ws: Workspace, run: str, name: str, out: Path) -> dict[str, int]:
    """A checklist as .md, .docx, .html or .pdf; returns how many items are answered by whom."""
    checklist = checklists.named(name)
    sideways: dict[str, Callable[[Document], bytes]] = {".docx": lambda document: docx.write(document, landscape=True)}
    writer = _writer(out, WRITERS | sideways)
    facts = content.read(ws, run)
    write_whole(out, writer(checklists.make(checklist, facts)))
    return checklists.counts(checklist, facts)


def _writer(out: Path, writers: dict[str, Callable[[Document], bytes]], *more: str) -> Callable[[Document], bytes]:
    ending = out.suffix.lower()
    if ending not in writers:
        raise BadInput(
            f"A file that ends in '{ending[:12]}' is not a form this can be written in.",
            f"End its name in one of {', '.join((*writers, *more))}.",
        )
    if not out.parent.is_dir():
        raise BadInput(f"There is no folder '{out.parent}'.", "Make it first, or name another place.")
    return writers[ending]
