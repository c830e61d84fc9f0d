"""A card on disk says what it was told, whatever characters a user types."""

from dataclasses import replace
from pathlib import Path

import pytest

from medtl.errors import BadInput
from medtl.sources import cards, optional
from medtl.sources.builders import BUILDERS
from medtl.vocabulary import Card, InputSpec, Outline, Source, StageOutline
from tests.builders import source

ODD = [
    'says "yes"',
    "it's",
    "two\nlines\r\nand\ttabs",
    "back\\slash",
    "Lungenröntgen, 肺, 🫁, \u2028",
    "\x00\x01\x1f\x7f",
    "[table]\nkey = 1",
    '"""',
    "# no comment",
    "${HOME} %s {0}",
]


def written(folder: Path, given: Source) -> Source:
    folder.mkdir(exist_ok=True)
    (folder / cards.WEIGHTS).write_bytes(b"x" * 1_500_000)
    cards.write(folder, given)
    return cards.read(folder, "imported")


@pytest.mark.parametrize("text", ODD)
def test_any_text_survives(text: str, tmp_path: Path) -> None:
    given = source(
        BUILDERS["resnet18"].outline, builder="resnet18",
        card=Card("an-id", text, text, text, text), trained_on=text, cases=text, labels=(text, "other"),
        licence=text, attribution=text, figures=(text,),
    )  # fmt: skip
    got = written(tmp_path / "s", given)
    assert got.card == given.card
    for name in ("trained_on", "cases", "labels", "licence", "attribution", "figures"):
        assert getattr(got, name) == getattr(given, name)


def test_everything_on_the_card_comes_back(tmp_path: Path) -> None:
    spec = InputSpec(channels=1, size=96, mean=(0.4823,), std=(1e-3,))
    given = source(
        BUILDERS["resnet50"].outline, builder="resnet50", input=spec, hidden=512, sha256="ab" * 32,
        labels=("benign", "malignant"), figures=("AUROC 0.9",), attribution="Somebody",
    )  # fmt: skip
    got = written(tmp_path / "s", given)
    assert got == replace(given, weights=str(tmp_path / "s" / cards.WEIGHTS), size_mb=1.5)


def test_a_card_without_its_weights_is_unavailable_and_says_why(tmp_path: Path) -> None:
    written(tmp_path / "s", source())
    (tmp_path / "s" / cards.WEIGHTS).unlink()
    got = cards.read(tmp_path / "s", "imported")
    assert not got.available and not got.on_disk and cards.WEIGHTS in got.why_not


GOOD = 'id = "a"\ntitle = "A"\nsays = "It."\nbuilder = "resnet18"\ntrained_on = "x"\n'
DAMAGED = {
    "empty": "",
    "cut": GOOD[:20],
    "no TOML": "\x00\x01",
    "no title": GOOD.replace('title = "A"\n', ""),
    "unknown network": GOOD.replace("resnet18", "resnet19"),
    "network a number": GOOD.replace('"resnet18"', "18"),
    "network a list": GOOD.replace('"resnet18"', '["resnet18"]'),
    "input a word": GOOD + 'input = "224"\n',
    "labels a number": GOOD + "labels = 5\n",
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_card_is_said(damage: str, tmp_path: Path) -> None:
    (tmp_path / cards.CARD).write_text(DAMAGED[damage])
    with pytest.raises(BadInput) as error:
        cards.read(tmp_path, "imported")
    assert tmp_path.name in error.value.message and error.value.advice


def test_a_card_that_is_not_text_or_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        cards.read(tmp_path, "imported")
    (tmp_path / cards.CARD).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInput):
        cards.read(tmp_path, "imported")


def foreign(folder: Path, **changes: object) -> Source:
    outline = Outline((StageOutline('part "1"', 10, 0.5), StageOutline("part 2", 7, 1e-3, 4, 0, 90)), 16)
    folder.mkdir(exist_ok=True)
    (folder / "model.onnx").write_bytes(b"graph")
    return source(outline, builder="onnx", graph=str(folder / "model.onnx"), **changes)


def test_an_outline_and_an_architecture_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optional, "installed", lambda library: True)
    given = foreign(tmp_path / "from")
    got = written(tmp_path / "to", given)
    assert got.outline == given.outline and got.available and got.needs == "pip install onnx2torch"
    assert Path(got.graph) == tmp_path / "to" / "model.onnx" and Path(got.graph).read_bytes() == b"graph"


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optional, "installed", lambda library: False)
    got = written(tmp_path / "to", foreign(tmp_path / "from"))
    assert not got.available and got.why_not == "Needs an optional library: pip install onnx2torch" and got.on_disk
    (tmp_path / "to" / "model.onnx").unlink()
    assert "model.onnx" in cards.read(tmp_path / "to", "imported").why_not


FOREIGN = (
    'graph = "../../secret"\n[outline]\nfeatures = 4\n[[outline.stages]]\nname = "a"\nparameters = 1\ngflop = 1.0\n'
)


def test_a_card_cannot_point_elsewhere(tmp_path: Path) -> None:
    (tmp_path / cards.CARD).write_text(GOOD.replace("resnet18", "keras") + FOREIGN)
    assert Path(cards.read(tmp_path, "imported").graph) == tmp_path / "model.keras"


@pytest.mark.parametrize("broken", ["features = 4", 'name = "a"', "parameters = 1", "gflop = 1.0", "[outline]"])
def test_a_damaged_outline_is_said(broken: str, tmp_path: Path) -> None:
    (tmp_path / cards.CARD).write_text(GOOD.replace("resnet18", "onnx") + FOREIGN.replace(broken + "\n", ""))
    with pytest.raises(BadInput):
        cards.read(tmp_path, "imported")


def test_a_builder_of_timm_is_known_by_its_list(tmp_path: Path) -> None:
    one = next(iter(optional.TIMM))
    (tmp_path / cards.CARD).write_text(GOOD.replace("resnet18", one.id))
    assert cards.read(tmp_path, "run").outline == one.outline
    (tmp_path / cards.CARD).write_text(GOOD.replace("resnet18", "timm:hf-hub:somebody/network"))
    with pytest.raises(BadInput):
        cards.read(tmp_path, "run")
