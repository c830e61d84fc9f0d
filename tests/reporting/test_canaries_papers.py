"""Nothing of whom the images show reaches a paper or an export, and no name that a user gives becomes markup.

One run on a corpus of planted identifiers, whose classes and title are as hostile as a table lets them be.
"""

import csv
import io
import json
import re
import zipfile
from pathlib import Path

import pytest

from medtl import external
from medtl.cohorts import library
from medtl.reporting import answers, checklists, content, exporting, mlflow, papers, recipes, saying
from medtl.runs import choices, results
from medtl.start import start
from medtl.trust import reader
from medtl.workspace import Workspace
from tests import builders, canaries
from tests.canaries import Corpus

pytestmark = pytest.mark.filterwarnings("ignore")
CLASSES = ('=HYPERLINK("http://evil")<script>alert(1)</script>', "\u202e@SUM(1)**b**[x](javascript:1) " + "ж" * 300)
TITLE = "<img src=x onerror=alert(1)> ]]> =1+1"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    corpus = canaries.build(tmp_path_factory.mktemp("canaries") / "brought", files=40)
    with (corpus.root / "labels.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("file", "label"))
        dicoms = sorted(corpus.people)
        table.writerows((name, CLASSES[n % 2]) for n, name in enumerate(dicoms))
    return corpus


@pytest.fixture(scope="module")
def run(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, str]:
    place = tmp_path_factory.mktemp("papers")
    ws = Workspace(place / "home").ensure()
    ws.salt_file.write_bytes(b"always the same secret of a test")
    cohort = library.add(ws, corpus.root / "labels.csv", name=TITLE)
    assert not cohort.blocks, cohort.blocks
    source = builders.add_source(ws, place / "source")
    made = start(ws, cohort.id, source, "linear-probe", launch=False)
    assert builders.work(ws.run(made)) == 0, (ws.run(made) / "log.txt").read_text()
    answers.save(ws.run(made), {"question": f"{TITLE} =1+1 | **x**"})
    _test_elsewhere(ws, made, corpus)
    _read(ws.run(made), cohort.classes)
    choices.write(ws.run(made), prevalence=dict.fromkeys(cohort.classes, 0.1))
    return ws, made


def _test_elsewhere(ws: Workspace, run: str, corpus: Corpus) -> None:
    """On a cohort of the same people, which has another hostile name; what was learned from is left out."""
    lines = (corpus.root / "labels.csv").read_text().splitlines(keepends=True)
    (corpus.root / "fewer.csv").write_text("".join(lines[:-1]))
    other = library.add(ws, corpus.root / "fewer.csv", name=f"Elsewhere {TITLE}")
    assert external.ask(ws, run, other.id, launch=False)
    assert builders.work(ws.run(run)) == 0, (ws.run(run) / "log.txt").read_text()


def _read(folder: Path, classes: tuple[str, ...]) -> None:
    cases = [row.case for row in results.predictions(folder) if row.part == "test"]
    reader.start(folder, "R1", cases, classes)
    while (case := reader.get(folder, "R1", None).next) is not None:
        reader.record(folder, "R1", None, case, classes[0], 3.0)
    reader.stop(folder, "R1", None)


@pytest.fixture(scope="module")
def written(run: tuple[Workspace, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every paper and export of the run in one folder."""
    ws, id = run
    out = tmp_path_factory.mktemp("out")
    endings = ["html", "md", "docx", *(["pdf"] if _has_reportlab() else [])]
    for ending in endings:
        papers.write_report(ws, id, out / f"report.{ending}")
        papers.write_card(ws, id, out / f"card.{ending}")
        for name in checklists.NAMES:
            papers.write_checklist(ws, id, name, out / f"{name}.{ending}")
    papers.write_card(ws, id, out / "card.xml")
    facts = content.read(ws, id)
    recipes.write(facts, out / "recipe.json")
    mlflow.write(facts, ws, out / "mlruns")
    if exporting.can_write():
        exporting.onnx(ws, id, out / "model.zip")
    return out


def _has_reportlab() -> bool:
    from importlib.util import find_spec

    return find_spec("reportlab") is not None


def contents(folder: Path) -> dict[str, bytes]:
    """Every file, and every file in a zip."""
    found = {}
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            found[str(file.relative_to(folder))] = data = file.read_bytes()
            if data[:2] == b"PK":
                with zipfile.ZipFile(io.BytesIO(data)) as archive:
                    found |= {f"{file.name}/{name}": archive.read(name) for name in archive.namelist()}
    return found


def test_no_paper_and_no_export_holds_a_trace(written: Path, corpus: Corpus) -> None:
    found = contents(written)
    assert len(found) > 30
    traces = {name: canaries.traces(data, corpus.tokens) for name, data in found.items()}
    assert {name: hits for name, hits in traces.items() if hits} == {}
    names = [name for name in found if canaries.traces(name.encode(), corpus.tokens)]
    assert names == []


def test_every_part_of_the_evaluation_is_in_what_was_searched(run: tuple[Workspace, str]) -> None:
    facts = content.read(*run)
    assert facts.abroad and facts.readings and facts.attention is not None and facts.neighbours is not None
    assert all(one.here for one in facts.judgement.views) and facts.judgement.sets and facts.judgement.subgroups
    assert "external test" not in saying.not_done(facts) and "reader study" not in saying.not_done(facts)


def test_the_text_of_a_pdf_holds_no_trace(written: Path, corpus: Corpus) -> None:
    reader = pytest.importorskip("pypdf", reason="reading a PDF's text needs pypdf")
    for file in written.glob("*.pdf"):
        text = "".join(page.extract_text() for page in reader.PdfReader(file).pages)
        assert text and not canaries.traces(text.encode(), corpus.tokens)


def test_no_name_becomes_markup(written: Path) -> None:
    for name, data in contents(written).items():
        if name.endswith(".html"):
            text = data.decode()
            assert "<script" not in text and not re.search(r"<[^>]*\sonerror", text), name
            assert "&lt;script&gt;" in text and "\u202e" not in text
        if name.endswith(".md"):
            assert "<script" not in data.decode().replace("\\<script", "") and "[x](" not in data.decode(), name
        if name.endswith(".csv"):
            cells = [cell for row in csv.reader(io.StringIO(data.decode())) for cell in row]
            assert not any(cell.startswith(results.RISKY[:4]) for cell in cells), name
        if name.endswith(".json"):
            assert json.loads(data)


def test_only_the_title_of_the_run_tells_the_computer_nothing(written: Path, run: tuple[Workspace, str]) -> None:
    """No path of this computer is in any of it."""
    home = str(run[0].home).encode()
    assert [name for name, data in contents(written).items() if home in data] == []
