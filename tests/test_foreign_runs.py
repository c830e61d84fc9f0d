"""A network brought as ONNX or Keras from end to end: added, trained, asked, explained, exported; its source goes."""

import dataclasses
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from medtl import start
from medtl.cli import main
from medtl.consulting import Consultant
from medtl.errors import MedtlError
from medtl.prediction import Trained
from medtl.runs import results, status, store
from medtl.sources import cards, library
from medtl.sources.importing import add_file
from medtl.sources.trained import export_as_source
from medtl.sources.weights import load_network, load_trained
from medtl.vocabulary import Cohort
from medtl.workspace import Workspace
from tests import foreign_files
from tests.builders import add_cohort, spawned, told, wait_until, work

KINDS = {"onnx": foreign_files.write_onnx, "keras": foreign_files.write_keras}


@dataclasses.dataclass
class Brought:
    ws: Workspace
    cohort: Cohort
    source: str
    kind: str
    file: Path
    report: str


@pytest.fixture(scope="module", params=KINDS)
def brought(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Brought]:
    kind = request.param
    {"onnx": foreign_files.onnx, "keras": foreign_files.keras}[kind]()
    place = tmp_path_factory.mktemp(f"foreign-{kind}")
    ws = Workspace(place / "home").ensure()
    file = KINDS[kind](place / f"tiny.{kind}")
    source, found = add_file(ws, file, "", "Brought")
    yield Brought(ws, add_cohort(ws, place / "pictures"), source.id, kind, file, found.describe())


def finished(b: Brought, strategy: str, **settings: str) -> Path:
    run = start.start(b.ws, b.cohort.id, b.source, strategy, settings=settings, launch=False)
    assert work(b.ws.run(run)) == 0, (b.ws.run(run) / "log.txt").read_text()
    return b.ws.run(run)


def test_it_is_a_source_with_an_outline_and_a_report(brought: Brought) -> None:
    source = library.sources(brought.ws)[brought.source]
    assert source.available and source.origin == "imported" and source.builder == brought.kind
    assert len(source.outline.stages) >= 2 and source.outline.features == 16 and source.outline.parameters > 1000
    assert "largest difference" in brought.report and brought.report in source.card.limits
    folder = brought.ws.source(source.id)
    assert sorted(f.name for f in folder.iterdir()) == sorted(["card.toml", f"model.{brought.kind}", cards.WEIGHTS])
    network = load_network(source, brought.ws.weights, 2)
    assert [(s.name, s.parameters) for s in network.outline().stages] == [
        (s.name, s.parameters) for s in source.outline.stages
    ]


def test_a_run_outlives_its_source(brought: Brought, tmp_path: Path) -> None:
    folder = finished(brought, "fine-tune", epochs="2")
    shutil.copytree(brought.ws.source(brought.source), tmp_path / "aside")
    library.delete(brought.ws, brought.source)
    try:
        trained = Trained(brought.ws, folder.name)
        row = next(row for row in results.predictions(folder) if row.part == "test")
        case = next(case for case in brought.cohort.cases if case.id == row.case)
        heat = trained.explain_case(case.id, "malignant")
        assert heat.state != "invalid" and trained.source.builder == brought.kind
        picture = next((brought.ws.home.parent / "pictures" / "malignant").iterdir())
        answer = trained.predict([picture], "malignant")[0]
        assert answer.predicted in brought.cohort.classes and answer.explanation is not None
        trained.close()
        exported = export_as_source(folder, tmp_path / "exported")
        assert (tmp_path / "exported" / f"model.{brought.kind}").is_file()
        shutil.rmtree(folder)
        load_network(exported, brought.ws.weights, 5)
    finally:
        shutil.copytree(tmp_path / "aside", brought.ws.source(brought.source))


def test_every_strategy_works_and_frozen_stays_frozen(brought: Brought) -> None:
    start_state = load_network(library.sources(brought.ws)[brought.source], brought.ws.weights, 2).trunk.state_dict()
    for strategy, settings in (("linear-probe", {}), ("freeze-first", {"freeze": "1", "epochs": "1"})):
        folder = finished(brought, strategy, **settings)
        network = load_trained(library.from_run(folder), 2)
        first = {id(p) for p in network.stages[0].parameters()}
        now = network.trunk.state_dict(keep_vars=True)
        frozen = [k for k, v in now.items() if strategy == "linear-probe" or id(v) in first or "moving" in k]
        assert frozen and all(torch.equal(now[key].detach(), start_state[key]) for key in frozen)
    folder = finished(brought, "from-scratch", epochs="1")
    scratch = load_trained(library.from_run(folder), 2).trunk.state_dict()
    weights = [k for k, v in start_state.items() if v.dim() == 4]
    assert weights and not any(torch.allclose(scratch[key], start_state[key]) for key in weights)


def test_killed_and_resumed_it_ends_with_the_same_weights(brought: Brought) -> None:
    def made() -> Path:
        run = start.start(
            brought.ws, brought.cohort.id, brought.source, "fine-tune",
            settings={"epochs": "4", "patience": "10"}, launch=False,
        )  # fmt: skip
        return brought.ws.run(run)

    whole, cut = made(), made()
    assert work(whole) == 0
    with spawned(cut) as worker:
        wait_until(lambda: "epoch" in told(cut))
        worker.kill()
        worker.wait()
    wait_until(lambda: status.status(cut) in ("interrupted", "finished"))
    store.requeue(cut)
    assert work(cut) == 0
    one, other = (load_trained(library.from_run(folder), 2).state_dict() for folder in (whole, cut))
    assert all(torch.equal(one[key], other[key]) for key in one if one[key].is_floating_point())


def test_the_consultant_and_the_shell_add_it_too(brought: Brought, capsys: pytest.CaptureFixture[str]) -> None:
    consultant = Consultant(brought.ws)
    try:
        said = consultant.look_at_source(str(brought.file), "", {"range": "0-1", "size": None})
        assert "largest difference" in said
        added = consultant.add_source(str(brought.file), "", "From the page", {"range": "-1-1", "size": None})
        assert library.sources(brought.ws)[added["id"]].input.mean == (0.5,) * 3
        with pytest.raises(MedtlError):
            consultant.look_at_source(str(brought.file), "", {"range": "?"})
    finally:
        consultant.close()
    words = ["--json", "--home", str(brought.ws.home), "source", "add", str(brought.file), "--title", "Shell"]
    assert main([*words, "--mean", "0.1,0.2,0.3", "--std", "0.5"]) == 0
    id = json.loads(capsys.readouterr().out)["id"]
    assert library.sources(brought.ws)[id].input.mean == (0.1, 0.2, 0.3)
    assert main([*words, "--mean", "a"]) == 2
    assert main([*words, "--range=-1-1"]) == 0
    for id in ("from-the-page", "shell", "shell-2"):
        library.delete(brought.ws, id)


def test_a_source_without_its_architecture_is_said(brought: Brought) -> None:
    graph = Path(library.sources(brought.ws)[brought.source].graph)
    content = graph.read_bytes()
    graph.unlink()
    try:
        source = library.sources(brought.ws)[brought.source]
        assert not source.available and graph.name in source.why_not
    finally:
        graph.write_bytes(content)
