"""What the first paint must not cost, and what no page may do."""

import ast
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
FILES = sorted([PROJECT / "app.py", *(PROJECT / "pages").rglob("*.py")])
HEAVY = ("torch", "torchvision", "sklearn", "cv2", "pytorch_grad_cam")


def test_drawing_every_page_loads_nothing_heavy(tmp_path: Path) -> None:
    """In a fresh interpreter: all pages are drawn with a finished run, then the loaded modules are looked at."""
    code = f"""
import os, sys
os.environ["MEDTL_HOME"] = {str(tmp_path / "home")!r}
sys.path.insert(0, {str(PROJECT)!r})
from pathlib import Path
from streamlit.testing.v1 import AppTest
from medtl.workspace import Workspace
from tests.pages.conftest import make_cohort, make_run
ws = Workspace().ensure()
cohort = make_cohort(ws, Path({str(tmp_path / "brought")!r}), per_class=12)
at = AppTest.from_file({str(PROJECT / "app.py")!r}, default_timeout=60)
at.query_params["run"] = make_run(ws, cohort)
at.run()
for page in ("data", "source", "strategy", "train", "trust", "library"):
    at.switch_page(f"pages/{{page}}.py").run()
    assert not at.exception and not at.error, (page, at.exception, at.error)
print([name for name in {HEAVY!r} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip().splitlines()[-1] == "[]"


def test_no_page_draws_html_of_its_own() -> None:
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text())):
            assert not (isinstance(node, ast.keyword) and node.arg == "unsafe_allow_html"), file
            assert not (isinstance(node, ast.Attribute) and node.attr == "html" and _is(node.value, "st")), file


def test_every_picture_has_an_alt_text() -> None:
    wanted = {"image", "plotly_chart", "dataframe", "table"}
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in wanted:
                drawn = _is(node.func.value, "st") or _is(node.func.value, "place")
                assert not drawn or "alt" in {k.arg for k in node.keywords}, f"{file.name}:{node.lineno}"


def test_pages_are_screenplays() -> None:
    """A page proper asks and shows; arrays, files and networks are somebody else's."""
    for file in (PROJECT / "pages").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not {n.split(".")[0] for n in names} & {"numpy", "PIL", "torch", "pathlib", "os"}, file


def _is(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name
