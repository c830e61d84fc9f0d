"""What was told and what it took: kept, summed up in a sentence, never in the way."""

from dataclasses import replace
from pathlib import Path

import pytest

from medtl.training import hindsight
from medtl.training.hindsight import Hindsight
from medtl.workspace import Workspace

ONE = Hindsight("r-1", "linear-probe", "resnet18", "guess", estimated=12.0, actual=10.0)


@pytest.fixture
def ws(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path).ensure()


def test_the_typical_error_is_the_median_and_says_of_how_many(ws: Workspace) -> None:
    assert "No run" in hindsight.typical(ws)
    hindsight.add(ws, ONE)
    assert hindsight.typical(ws).startswith("The last estimate was off by 20 %")
    hindsight.add(ws, replace(ONE, run="r-2", estimated=5.0))
    hindsight.add(ws, replace(ONE, run="r-3", estimated=50.0))
    assert hindsight.typical(ws) == ("The last 3 estimates were off by 50 % (median); 2 of 3 told more than it took.")


def test_a_run_counts_once_and_the_history_is_short(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hindsight, "KEPT", 6)
    for n in range(hindsight.KEPT + 5):
        hindsight.add(ws, replace(ONE, run=f"r-{n}"))
    hindsight.add(ws, replace(ONE, run="r-7", actual=99.0))
    found = hindsight.history(ws)
    assert len(found) == hindsight.KEPT and found[-1].actual == 99.0
    assert len({one.run for one in found}) == hindsight.KEPT


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"run": "r", "actual": 0}', "\xff"])
def test_damage_is_passed_over(ws: Workspace, text: str) -> None:
    hindsight.add(ws, ONE)
    with ws.estimates_file.open("a", encoding="latin-1") as file:
        file.write(text + "\n")
    assert hindsight.history(ws) in ((ONE,), ())
    hindsight.add(ws, replace(ONE, run="r-2"))
    assert hindsight.history(ws)[-1].run == "r-2"
