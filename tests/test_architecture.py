"""Who may import whom. The list below is the diagram; the imports are read, not run, also those inside functions."""

import ast
import functools
from pathlib import Path

import pytest

from tests.builders import ROOT, python

GROUND = {"medtl", "medtl.vocabulary", "medtl.errors", "medtl.catalogue", "medtl.workspace"}
LEAVES = ("medtl.cohorts", "medtl.evaluation", "medtl.runs")
# Each package, and the packages of ours it may see besides itself and the ground.
MAY_IMPORT = {
    "medtl.cohorts": set(),
    "medtl.evaluation": set(),
    "medtl.runs": set(),
    "medtl.sources": set(),
    "medtl.strategies": set(),
    "medtl.explanation": {"medtl.evaluation", "medtl.sources", "medtl.training"},
    "medtl.training": {"medtl.evaluation", "medtl.sources"},
    "medtl.modalities": {"medtl.cohorts"},
    "medtl.scrutiny": {"medtl.training"},
    "medtl.transferability": {"medtl.evaluation", "medtl.sources", "medtl.training"},
    "medtl.checkup": {
        "medtl.cohorts",
        "medtl.modalities",
        "medtl.rank",
        "medtl.scrutiny",
        "medtl.sources",
        "medtl.strategies",
        "medtl.training",
    },
    "medtl.rank": {
        "medtl.cohorts",
        "medtl.evaluation",
        "medtl.modalities",
        "medtl.runs",
        "medtl.sources",
        "medtl.strategies",
        "medtl.training",
        "medtl.transferability",
    },
    "medtl.start": {
        "medtl.aids",
        "medtl.automatic",
        "medtl.cohorts",
        "medtl.modalities",
        "medtl.rank",
        "medtl.runs",
        "medtl.sources",
        "medtl.strategies",
        "medtl.training",
    },
    "medtl.calibrating": {"medtl.runs", "medtl.sources", "medtl.training"},
    "medtl.aids": {
        "medtl.cohorts",
        "medtl.modalities",
        "medtl.runs",
        "medtl.sources",
        "medtl.training",
    },
    "medtl.automatic": {
        "medtl.cohorts",
        "medtl.evaluation",
        "medtl.rank",
        "medtl.runs",
        "medtl.sources",
        "medtl.start",
        "medtl.strategies",
        "medtl.training",
    },
    "medtl.explaining": {
        "medtl.cohorts",
        "medtl.explanation",
        "medtl.frozen",
        "medtl.modalities",
        "medtl.runs",
        "medtl.training",
    },
    "medtl.showing": {
        "medtl.cohorts",
        "medtl.explaining",
        "medtl.explanation",
        "medtl.modalities",
        "medtl.runs",
    },
    "medtl.comparing": {
        "medtl.automatic",
        "medtl.evaluation",
        "medtl.runs",
        "medtl.sources",
        "medtl.strategies",
    },
    "medtl.trust": {"medtl.cohorts", "medtl.evaluation", "medtl.runs"},
    "medtl.gate": {"medtl.cohorts", "medtl.explanation", "medtl.transferability"},
    "medtl.asking": {
        "medtl.cohorts",
        "medtl.evaluation",
        "medtl.explanation",
        "medtl.gate",
        "medtl.runs",
        "medtl.trust",
    },
    "medtl.watching": {"medtl.cohorts", "medtl.evaluation", "medtl.gate", "medtl.runs"},
    "medtl.batches": {"medtl.cohorts"},
    "medtl.prediction": {
        "medtl.asking",
        "medtl.cohorts",
        "medtl.evaluation",
        "medtl.frozen",
        "medtl.gate",
        "medtl.modalities",
        "medtl.runs",
        "medtl.training",
    },
    "medtl.reporting": {
        "medtl.checkup",
        "medtl.cohorts",
        "medtl.evaluation",
        "medtl.explanation",
        "medtl.gate",
        "medtl.modalities",
        "medtl.runs",
        "medtl.sources",
        "medtl.start",
        "medtl.strategies",
        "medtl.training",
        "medtl.trust",
    },
    "medtl.frozen": {
        "medtl.cohorts",
        "medtl.evaluation",
        "medtl.explanation",
        "medtl.gate",
        "medtl.runs",
        "medtl.sources",
        "medtl.training",
    },
    "medtl.robustness": {
        "medtl.cohorts",
        "medtl.evaluation",
        "medtl.frozen",
        "medtl.modalities",
        "medtl.runs",
        "medtl.sources",
        "medtl.training",
    },
    "medtl.external": {
        "medtl.cohorts",
        "medtl.evaluation",
        "medtl.runs",
        "medtl.sources",
        "medtl.training",
        "medtl.transferability",
    },
    "medtl.elsewhere": {
        "medtl.cohorts",
        "medtl.external",
        "medtl.frozen",
        "medtl.modalities",
        "medtl.runs",
        "medtl.training",
        "medtl.transferability",
    },
    "medtl.dicom_out": {"medtl.cohorts", "medtl.evaluation", "medtl.explanation", "medtl.runs"},
    "medtl.serve": {
        "medtl.cohorts",
        "medtl.consulting",
        "medtl.reporting",
        "medtl.runs",
        "medtl.sources",
    },
    "medtl.pacs": {"medtl.cohorts", "medtl.dicom_out"},
    "medtl.published": {"medtl.cohorts"},
    "medtl.housekeeping": {"medtl.cohorts", "medtl.training"},
    "medtl.demo": {"medtl.cohorts", "medtl.runs", "medtl.start"},
    "medtl.doctor": {"medtl.cohorts", "medtl.sources", "medtl.start", "medtl.training"},
    "medtl.consulting": set(),
    "medtl.augmenting": {"medtl.cohorts", "medtl.training"},
    "medtl.consultant": {
        "medtl.augmenting",
        "medtl.prediction",
        "medtl.showing",
        "medtl.sources",
        "medtl.training",
    },
    "medtl.further": {"medtl.runs", "medtl.sources", "medtl.training", "medtl.transferability"},
    "medtl.followup": {
        "medtl.elsewhere",
        "medtl.evaluation",
        "medtl.explaining",
        "medtl.robustness",
        "medtl.runs",
    },
    "medtl.worker": {
        "medtl.aids",
        "medtl.cohorts",
        "medtl.evaluation",
        "medtl.explanation",
        "medtl.followup",
        "medtl.further",
        "medtl.gate",
        "medtl.modalities",
        "medtl.runs",
        "medtl.sources",
        "medtl.strategies",
        "medtl.training",
        "medtl.transferability",
    },
    "medtl.warm": {"medtl.runs", "medtl.training", "medtl.worker"},
    "medtl.cli": {"medtl.commands", "medtl.printing", "medtl.rank"},
    "medtl.printing": {"medtl.commands", "medtl.evaluation", "medtl.strategies"},
    "medtl.commands": {
        "medtl.asking",
        "medtl.automatic",
        "medtl.calibrating",
        "medtl.checkup",
        "medtl.cohorts",
        "medtl.comparing",
        "medtl.demo",
        "medtl.dicom_out",
        "medtl.doctor",
        "medtl.explaining",
        "medtl.external",
        "medtl.housekeeping",
        "medtl.pacs",
        "medtl.prediction",
        "medtl.published",
        "medtl.rank",
        "medtl.reporting",
        "medtl.robustness",
        "medtl.runs",
        "medtl.serve",
        "medtl.showing",
        "medtl.sources",
        "medtl.start",
        "medtl.strategies",
        "medtl.training",
        "medtl.watching",
    },
    "medtl.__main__": {"medtl.cli"},
    "pages": {
        "medtl.asking",
        "medtl.automatic",
        "medtl.batches",
        "medtl.calibrating",
        "medtl.checkup",
        "medtl.cohorts",
        "medtl.comparing",
        "medtl.consulting",
        "medtl.dicom_out",
        "medtl.evaluation",
        "medtl.explanation",
        "medtl.external",
        "medtl.housekeeping",
        "medtl.pacs",
        "medtl.published",
        "medtl.rank",
        "medtl.reporting",
        "medtl.robustness",
        "medtl.runs",
        "medtl.showing",
        "medtl.sources",
        "medtl.start",
        "medtl.strategies",
        "medtl.training",
        "medtl.transferability",
        "medtl.trust",
        "medtl.watching",
    },
    "app": {"pages"},
}
STARTED_BY_NAME = {
    "medtl.worker",
    "medtl.warm",
    "medtl.consultant",
    "medtl.cli",
    "medtl.cohorts.reader",
    "medtl.sources.receiver",
}  # and imported by nobody but `__main__`, and by the warm process that becomes a worker
HEAVY = ("torch", "torchvision", "sklearn", "cv2", "onnx", "onnx2torch", "keras", "timm", "torchxrayvision")
LIGHT = (
    "medtl.start",
    "medtl.asking.answer",
    "medtl.asking.brought",
    "medtl.asking.pooling",
    "medtl.asking.reading",
    "medtl.asking.settled",
    "medtl.asking.table",
    "medtl.batches",
    "medtl.gate.gate",
    "medtl.gate.learning",
    "medtl.prediction",
    "medtl.watching",
    "medtl.augmenting",
    "medtl.automatic",
    "medtl.comparing",
    "medtl.consulting",
    "medtl.strategies",
    "medtl.sources.library",
    "medtl.sources.cards",
    "medtl.sources.optional",
    "medtl.sources.foreign",
    "medtl.sources.receiving",
    "medtl.sources.shared",
    "medtl.sources.builders",
    "medtl.calibrating",
    "medtl.training.cost",
    "medtl.training.hindsight",
    "medtl.training.machine",
    "medtl.explaining",
    "medtl.showing",
    "medtl.explanation.attention",
    "medtl.explanation.badges",
    "medtl.explanation.examples",
    "medtl.explanation.methods",
    "medtl.explanation.neighbours",
    "medtl.explanation.overlap",
    "medtl.explanation.overlay",
    "medtl.elsewhere",
    "medtl.external",
    "medtl.followup",
    "medtl.frozen",
    "medtl.modalities.perturbations",
    "medtl.robustness",
    "medtl.dicom_out",
    "medtl.dicom_out.region",
    "medtl.dicom_out.secondary_capture",
    "medtl.dicom_out.structured_report",
    "medtl.explanation.states",
    "medtl.published",
    "medtl.reporting",
    "medtl.reporting.content",
    "medtl.reporting.curves",
    "medtl.reporting.report",
    "medtl.reporting.checklists",
    "medtl.reporting.exporting",
    "medtl.reporting.mlflow",
    "medtl.checkup",
    "medtl.rank",
    "medtl.scrutiny.resemblance",
    "medtl.scrutiny.suspects",
    "medtl.demo",
    "medtl.doctor",
    "medtl.serve",
    "medtl.pacs",
    "medtl.housekeeping",
    "medtl.cohorts.reader",
    "medtl.cli",
    "medtl.commands",
    "medtl.printing",
    "medtl.worker",
    "medtl.warm",
)


def files() -> list[Path]:
    return sorted([ROOT / "app.py", *(ROOT / "medtl").rglob("*.py"), *(ROOT / "pages").rglob("*.py")])


def module_of(file: Path) -> str:
    name = ".".join(file.relative_to(ROOT).with_suffix("").parts)
    return name.removesuffix(".__init__")


def package_of(module: str) -> str:
    """ "medtl.training.fit" -> "medtl.training", "pages.ui.show" -> "pages"."""
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] == "medtl" else parts[0]


@functools.cache
def imports(file: Path) -> frozenset[str]:
    """Every module imported anywhere in the file, except where only a type checker looks."""
    found: set[str] = set()
    tree = ast.parse(file.read_text())
    unseen = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in unseen:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} has a relative import"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if exists(inner) else str(node.module))
    return frozenset(found)


def exists(module: str) -> bool:
    path = ROOT.joinpath(*module.split("."))
    return path.is_dir() or path.with_suffix(".py").exists()


@pytest.mark.parametrize("file", files(), ids=module_of)
def test_imports_follow_the_layers(file: Path) -> None:
    module = module_of(file)
    mine = package_of(module)
    if module in GROUND:
        allowed = GROUND
    else:
        assert mine in MAY_IMPORT, f"{mine} has no line in the list of layers"
        allowed = GROUND | MAY_IMPORT[mine] | {mine}
    ours = {name for name in imports(file) if name.split(".")[0] in ("medtl", "pages", "app")}
    assert {package_of(name) for name in ours} <= allowed, f"{module} may not import {sorted(ours)}"


@pytest.mark.parametrize("file", files(), ids=module_of)
def test_streamlit_is_for_the_screen_only(file: Path) -> None:
    module = module_of(file)
    if not module.startswith(("pages", "app")):
        assert not any(name.split(".")[0] == "streamlit" for name in imports(file))


@pytest.mark.parametrize("file", files(), ids=module_of)
def test_some_are_started_by_name_and_imported_by_nobody(file: Path) -> None:
    module = module_of(file)
    allowed = {"medtl.__main__": {"medtl.cli"}, "medtl.warm": {"medtl.worker"}}.get(module, set())
    assert not imports(file) & (STARTED_BY_NAME - allowed - {module})


@pytest.mark.parametrize("package", [*LEAVES, "medtl.strategies"])
def test_leaves_and_strategies_name_no_heavy_library(package: str) -> None:
    for file in ROOT.joinpath(*package.split(".")).rglob("*.py"):
        assert not {name.split(".")[0] for name in imports(file)} & set(HEAVY), file


def test_what_the_server_imports_loads_no_heavy_library(tmp_path: Path) -> None:
    modules = [m for m in map(module_of, files()) if m.startswith((*LEAVES, "pages", "medtl.strategies")) or m in LIGHT]
    code = (
        "import importlib, sys\n"
        f"for name in {modules!r}:\n"
        "    importlib.import_module(name)\n"
        f"    found = [heavy for heavy in {HEAVY!r} if heavy in sys.modules]\n"
        "    assert not found, f'{name} loads {found}'\n"
    )
    answer = python(code, MEDTL_HOME=str(tmp_path))
    assert answer.returncode == 0, answer.stderr[-2000:]


def test_the_page_is_switched_in_one_place() -> None:
    """Which stops the bars first; one that ticks late would empty the next page."""
    assert [module_of(file) for file in files() if "st.switch_page" in file.read_text()] == ["pages.ui.selection"]


@pytest.mark.parametrize("file", files(), ids=module_of)
def test_nothing_that_is_never_right(file: Path) -> None:
    text = file.read_text()
    assert "unsafe_allow_html" not in text
    assert "/" + "work/" not in text
    tree = ast.parse(text)
    called = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    assert not called & {"pickle.load", "pickle.loads", "joblib.load", "eval", "exec", "os.system", "st.html"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("torch.load", "np.load", "numpy.load"):
            said = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            assert said.get("weights_only", "True") == "True" and said.get("allow_pickle", "False") == "False"
            assert "torch" not in ast.unparse(node.func) or "weights_only" in said
