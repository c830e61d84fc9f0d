"""The shelf of sources: nothing hides anything else, and only what the user brought can be deleted."""

import shutil
from pathlib import Path

import pytest

from medtl.errors import BadInput, NotFound
from medtl.sources import cards, library
from medtl.sources.builders import BUILDERS
from medtl.vocabulary import Card, Source
from medtl.workspace import Workspace
from tests.builders import source
from tests.sources.test_cards import DAMAGED


@pytest.fixture
def ws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """An empty workspace; what is shipped is of the test's making, too, and so is torch's own cache."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(library, "SHIPPED_SOURCES", tmp_path / "shipped")
    return Workspace(tmp_path / "home").ensure()


def put(parent: Path, id: str) -> Path:
    folder = parent / id
    folder.mkdir(parents=True)
    (folder / cards.WEIGHTS).write_bytes(b"weights")
    cards.write(folder, source(BUILDERS["resnet18"].outline, builder="resnet18", card=Card(id, id.title(), "One.")))
    return folder


def ids(ws: Workspace) -> tuple[str, ...]:
    return library.sources(ws).ids


def test_every_published_network_is_on_the_shelf(ws: Workspace) -> None:
    known = library.sources(ws)
    assert len(known) == len(BUILDERS) and all(s.origin == "torchvision" for s in known)
    for s in known:
        assert s.available and not s.on_disk and "MB" in s.why_not and s.licence and s.card.limits
    file = ws.weights / BUILDERS["resnet18"].file
    file.write_bytes(b"here")
    here = library.sources(ws)["resnet18-imagenet"]
    assert here.on_disk and not here.why_not


def test_what_torch_has_fetched_before_counts_as_here(ws: Workspace, tmp_path: Path) -> None:
    cache = tmp_path / "torch" / "hub" / "checkpoints"
    cache.mkdir(parents=True)
    (cache / BUILDERS["resnet18"].file).write_bytes(b"here")
    assert [s.builder for s in library.sources(ws) if s.on_disk] == ["resnet18"]


def test_where_a_published_file_comes_from_is_on_the_card(ws: Workspace) -> None:
    for s in library.sources(ws):
        assert s.url.startswith("https://download.pytorch.org/models/") and s.url.endswith(s.sha256)
        assert "https://github.com/" in s.attribution and s.input == BUILDERS[s.builder].input


def test_the_order_is_shipped_own_runs_published(ws: Workspace, tmp_path: Path) -> None:
    put(tmp_path / "shipped", "zz-shipped")
    put(ws.sources, "own")
    put(ws.runs / "r-1", "result")
    put(ws.runs / "r-2", "result")
    assert ids(ws)[:4] == ("zz-shipped", "own", "r-2", "r-1")
    assert [s.origin for s in library.sources(ws)][:5] == ["shipped", "imported", "run", "run", "torchvision"]


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_card_is_listed_as_unavailable_and_hides_nothing(ws: Workspace, damage: str) -> None:
    put(ws.sources, "good")
    (put(ws.sources, "bad") / cards.CARD).write_text(DAMAGED[damage])
    (put(ws.runs / "r-1", "result") / cards.CARD).write_text(DAMAGED[damage])
    known = library.sources(ws)
    assert known["good"].available and len(known) == len(BUILDERS) + 2
    assert not known["bad"].available and "cannot be read" in known["bad"].why_not


def test_a_source_can_be_deleted_if_it_is_the_users_own(ws: Workspace, tmp_path: Path) -> None:
    put(tmp_path / "shipped", "given")
    folder = put(ws.sources, "own")
    size = sum(file.stat().st_size for file in folder.iterdir())
    assert library.delete(ws, "own") == size and not folder.exists() and "own" not in library.sources(ws)
    for id in ("given", "resnet18-imagenet", "own", "", "../cohorts", "no such"):
        with pytest.raises(NotFound) as error:
            library.delete(ws, id)
        assert error.value.advice
    assert (tmp_path / "shipped" / "given").is_dir()


def test_a_damaged_source_can_be_deleted(ws: Workspace) -> None:
    (put(ws.sources, "bad") / cards.CARD).write_text("")
    library.delete(ws, "bad")
    assert "bad" not in library.sources(ws)


def test_ids_made_from_titles_are_safe_and_new(ws: Workspace) -> None:
    for title in ("My Model", "my  model!", "../../etc/passwd", "肺", "", "x" * 500, "resnet18 imagenet"):
        id = library.slug(title, library.sources(ws))
        assert id not in library.sources(ws) and 0 < len(id) <= 45
        put(ws.sources, id)
        assert ws.source(id).is_dir()


def test_a_folder_still_being_made_is_no_source(ws: Workspace) -> None:
    put(ws.sources, ".own.part-1234")
    put(ws.runs / ".r-1.part-1234", "result")
    assert all(not id.startswith(".") for id in ids(ws))


def test_a_run_as_a_source_carries_the_id_of_the_run(ws: Workspace) -> None:
    put(ws.runs / "r-7", "result")
    run: Source = library.from_run(ws.runs / "r-7")
    assert run.id == "r-7" and run.origin == "run"
    shutil.rmtree(ws.runs / "r-7" / "result")
    with pytest.raises(BadInput):
        library.from_run(ws.runs / "r-7")


def test_a_shipped_source_of_a_name_already_used_hides_nothing(ws: Workspace, tmp_path: Path) -> None:
    shipped, mine = put(tmp_path / "shipped", "same"), put(ws.sources, "same")
    known = library.sources(ws)
    assert known["same"].origin == "shipped" and known["same-2"].origin == "imported"
    library.delete(ws, "same-2")
    assert shipped.exists() and not mine.exists()
