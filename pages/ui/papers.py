"""The papers of a run, each with what it is and how long it takes. Nothing is made before somebody asks for it; what
needs the network is made by a process of its own.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import streamlit as st

from medtl.errors import MedtlError
from medtl.reporting import checklists, content, papers, recipes
from medtl.workspace import PROJECT, Workspace
from pages.ui import report, shelf, show, study_form
from pages.ui.escape import md

Write = Callable[[Workspace, str, Path], object]
MIME = {
    ".html": "text/html",
    ".pdf": "application/pdf",
    ".md": "text/markdown",
    ".xml": "application/xml",
    ".json": "application/json",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
}
LONGEST = 600  # seconds an export may take


@dataclass(frozen=True)
class Paper:
    """`file` names it on the user's disk; `forms` are (button, ending of the file's name)."""

    title: str
    says: str
    file: str
    forms: tuple[tuple[str, str], ...]
    write: Write


def _recipe(ws: Workspace, run: str, out: Path) -> None:
    recipes.write(content.read(ws, run), out)


def _checklist(name: str) -> Write:
    return lambda ws, run, out: papers.write_checklist(ws, run, name, out)


def _all() -> tuple[Paper, ...]:
    report_says = "All numbers with intervals, figures, wrong answers with heat maps, limits. A few seconds."
    card_says = "What it is for, on whom it was tried, where it fails, on a page or two. A second."
    made = [
        Paper("Study report", report_says, "report", (("HTML", ".html"), ("PDF", ".pdf")), papers.write_report),
        Paper(
            "Model card", card_says, "card", (("Markdown", ".md"), ("PDF", ".pdf"), ("CHAI XML", ".xml")),
            papers.write_card,
        ),
    ]  # fmt: skip
    for name in checklists.NAMES:
        title = checklists.named(name).title
        says = "A reporting checklist, each item answered as far as MedTL or you know, with its place in the report."
        forms = (("Word", ".docx"), ("Markdown", ".md"))
        made.append(Paper(title, f"{says} A second.", name, forms, _checklist(name)))
    says = "All choices of this run: `train --recipe` repeats it, on the CPU bit for bit. At once."
    made.append(Paper("Recipe", says, "recipe", (("JSON", ".json"),), _recipe))
    return tuple(made)


def panel(run: str) -> None:
    """The questions first, as their answers stand in every paper."""
    show.section("Papers", help="Each is written from the stored run, so that page and papers agree number for number.")
    if shelf.or_none(shelf.cohort, shelf.result(run).recipe.cohort) is None:
        st.caption("The cohort of this run was deleted, so its papers cannot be written. Its numbers are still there.")
        report.downloads(run)
        return
    study_form.form(run)
    with st.expander("Report, model card, checklists, model and recipe", icon=":material/description:"):
        for paper in _all():
            _offer(run, paper)
        _model(run)
    report.downloads(run)


def _offer(run: str, paper: Paper) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{md(paper.title)}**  \n:small[{paper.says}]", width="stretch")
        for word, ending in paper.forms:
            missing = ending == ".pdf" and find_spec("reportlab") is None
            st.download_button(
                word,
                data=_maker(paper.write, shelf.workspace(), run, ending),
                file_name=f"{run}-{paper.file}{ending}",
                mime=MIME[ending],
                icon=":material/download:",
                on_click="ignore",
                disabled=missing,
                help="A PDF needs the package reportlab." if missing else None,
                key=f"paper-{paper.file}{ending}",
            )


def _maker(write: Write, ws: Workspace, run: str, ending: str) -> Callable[[], bytes]:
    """Runs when clicked, outside the page: no Streamlit in it."""

    def made() -> bytes:
        with tempfile.TemporaryDirectory(dir=ws.ensure().spool) as folder:
            out = Path(folder) / f"paper{ending}"
            write(ws, run, out)
            return out.read_bytes()

    return made


# ---- the model -----------------------------------------------------------------------------------------------------


@st.fragment
@show.guarded
def _model(run: str) -> None:
    """ONNX in a zip, by a process of its own, as it loads the network."""
    ws = shelf.workspace()
    out = shelf.run(run) / "model.zip"  # goes with the run when that is deleted
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            "**The model**  \n:small[ONNX with preprocessing, threshold and calibration, an example to run it, and a "
            "self-test. Up to a minute.]",
            width="stretch",
        )
        asked = st.button("Make the zip", icon=":material/deployed_code:", key="paper-model")
    if asked:
        with st.spinner("Writing the model and asking it about 20 test cases"):
            st.session_state[f"exported-{run}"] = export(ws, run, out)
    said = st.session_state.get(f"exported-{run}")
    if said and out.exists():
        st.caption(md(said))
        st.download_button(
            "Download the zip", data=out.read_bytes, file_name=f"{run}-model.zip", mime="application/zip",
            icon=":material/download:", on_click="ignore", key="paper-model-zip",
        )  # fmt: skip


def export(ws: Workspace, run: str, out: Path) -> str:
    """Write the zip; the sentence of its self-test. Raises MedtlError with what kept it from being written."""
    command = [sys.executable, "-m", "medtl", "--home", str(ws.home), "--json", "export", run, "--out", str(out)]
    try:
        done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=LONGEST, check=False)
        said = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise MedtlError(
            "The model could not be exported.", f"See what happens with: python -m medtl export {run} --out model.zip"
        ) from error
    if done.returncode:
        raise MedtlError(str(said.get("error", "")), str(said.get("advice", "")))
    return str(said["says"])
