"""The short race: who learns the task better stays in, and nobody trains more than was said."""

from pathlib import Path

import pytest

from medtl.sources.network import Network, reinitialise
from medtl.strategies import make
from medtl.training.checkpoint import Checkpoint
from medtl.training.examples import Listener
from medtl.training.fit import Engine
from medtl.transferability import race
from tests.builders import CPU, PICTURES, Heard, easy_examples, engine, image_network

EXAMPLES = easy_examples(n=160)


def entrant(name: str, rate: float) -> race.Entrant:
    """All the same network; what differs is how well it is taught."""
    plan = make("from-scratch", {"epochs": 4, "rate": rate, "batch": 16, "augmentation": "none"}).plan(
        image_network().outline(), 2
    )

    def network() -> Network:
        made = image_network()
        reinitialise(made)
        return made

    def an_engine(listener: Listener, checkpoint: Checkpoint) -> Engine:
        return Engine(EXAMPLES, PICTURES, CPU, 3, listener, None, checkpoint)

    return race.Entrant(name, network, an_engine, plan)


def test_the_better_taught_one_wins_and_the_rounds_are_as_said(tmp_path: Path) -> None:
    laps = race.run([entrant("slow", 1e-6), entrant("good", 1e-2), entrant("still", 2e-6)], tmp_path)
    assert [lap.epochs for lap in laps] == [1, 1, 1, 2, 2, 4]
    assert laps[-1].source == "good" and laps[-1].auroc > 0.9


def test_a_lap_goes_on_where_the_last_one_ended(tmp_path: Path) -> None:
    heard = Heard()
    engine(EXAMPLES, heard=heard).carry_out(image_network(), entrant("whole", 1e-3).plan)
    whole = {epoch["epoch"]: epoch["tune_loss"] for epoch in heard.epochs}
    laps = race.run([entrant("whole", 1e-3)], tmp_path)
    assert [lap.epochs for lap in laps] == [1, 2, 4]
    assert laps[0].loss == pytest.approx(whole[1]) and laps[1].loss == pytest.approx(whole[2])
    assert laps[2].loss == pytest.approx(min(whole[3], whole[4]))


@pytest.mark.parametrize(("entrants", "epochs"), [(1, 4), (2, 5), (3, 7)])
def test_what_it_costs_is_known_before(entrants: int, epochs: int) -> None:
    assert race.epochs_in_all(entrants) == epochs
