"""The sources that come with MedTL: whole, described, licensed, and what their cards say they are."""

import tomllib
from pathlib import Path

import numpy as np
import pytest

from medtl.sources import cards
from medtl.sources import library as sources
from medtl.sources.weights import head_of, load_network
from medtl.transferability import seen, statistics
from medtl.vocabulary import Source
from medtl.workspace import SHIPPED_SOURCES, Workspace

IDS = ("blood-cells", "chest-xray", "medical-mix")


@pytest.fixture(params=IDS)
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Source:
    return sources.sources(Workspace(tmp_path))[request.param]


def test_these_are_shipped_and_no_others() -> None:
    assert tuple(sorted(folder.parent.name for folder in SHIPPED_SOURCES.glob(f"*/{cards.CARD}"))) == IDS


def test_the_card_is_complete(source: Source) -> None:
    card = tomllib.loads((SHIPPED_SOURCES / source.id / cards.CARD).read_text())
    assert source.available and source.on_disk and source.origin == "shipped"
    for said in (source.card.says, source.card.reference, source.card.limits, source.trained_on, source.licence,
                 source.attribution, card["recipe"]):  # fmt: skip
        assert len(said) > 20
    assert source.labels and source.figures and all("n = " in figure and " to " in figure for figure in source.figures)
    assert "CC BY" in source.licence and "Apache-2.0" in source.licence
    assert card["recipe"].startswith("python -m medtl train ")
    assert source.better_for and all(" to " in said for said in source.better_for), "for which target, with an interval"


def test_whoever_reads_the_folder_can_make_it_again(source: Source) -> None:
    text = (SHIPPED_SOURCES / source.id / "README.md").read_text()
    assert "labels.py" in text and "export RUN --as-source" in text and source.id in text
    card = tomllib.loads((SHIPPED_SOURCES / source.id / cards.CARD).read_text())
    for setting in card["recipe"].split("--set ")[1:]:
        name, _, value = setting.split()[0].partition("=")
        if f"--set {name}=" in text:
            assert f"--set {name}={value.strip(chr(39))}" in text, "the README and the card name the same recipe"


def test_the_weights_are_the_ones_the_card_names_and_small(source: Source, tmp_path: Path) -> None:
    assert source.size_mb < 8
    network = load_network(source, tmp_path, 3)  # refuses another hash, other shapes, numbers that are none
    assert network.width == source.outline.features


def test_its_last_layer_names_its_labels(source: Source, tmp_path: Path) -> None:
    found = head_of(source, tmp_path)
    assert found is not None
    weight, bias = found
    assert weight.shape == (len(source.labels), source.outline.features) and bias.shape == (len(source.labels),)


def test_it_keeps_what_it_saw_in_numbers_only(source: Source) -> None:
    folder = SHIPPED_SOURCES / source.id
    learned, prints = statistics.load(folder), seen.load(folder)
    count = sum(kind.count for kind in learned)
    # Copies share a fingerprint; what it tuned on may be among them, too.
    assert learned and 0.9 * count < len(prints) < 2 * count and count == int(source.cases.split()[0])
    assert len(learned) == len({label.partition(": ")[0] for label in source.labels if ": " in label} or {""})
    for kind in learned:
        assert len(kind.mean) == source.outline.features and kind.total > 0 and np.isfinite(kind.mean).all()
    assert sum(file.stat().st_size for file in folder.iterdir()) < 10e6
