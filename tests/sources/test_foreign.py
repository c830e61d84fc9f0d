"""Where a graph may be cut, how pieces become stages, and what a user may state."""

import itertools

import numpy as np
import pytest

from medtl.errors import BadInput
from medtl.sources import foreign
from medtl.sources.foreign import Stated, crossings, into_stages
from medtl.vocabulary import InputSpec

USUAL = (InputSpec.mean, InputSpec.std)


def test_a_chain_can_be_cut_after_every_step() -> None:
    assert crossings([set(), {0}, {1}, {2}]) == [0, 1, 2, 3]


def test_what_a_skip_passes_over_cannot_be_cut() -> None:
    assert crossings([set(), {0}, {1}, {0, 2}, {3}]) == [0, 3, 4]


def test_a_cut_is_where_one_tensor_crosses() -> None:
    """On random graphs, held against the definition."""
    rng = np.random.default_rng(0)
    for _ in range(200):
        needs = [set(rng.choice(i, size=min(i, int(rng.integers(1, 3))), replace=False).tolist()) if i else set()
                 for i in range(9)]  # fmt: skip
        said = [i for i in range(9) if all(k == i for j in range(i + 1, 9) for k in needs[j] if k <= i)]
        assert crossings(needs) == said


@pytest.mark.parametrize("parameters", [[0, 5, 0, 5, 5, 5, 0], [1] * 40, [1, 1, 1, 1000], [0, 0, 7], [7], [1000, 1, 1]])
def test_stages_hold_every_piece_once_and_none_is_empty(parameters: list[int]) -> None:
    groups = into_stages(parameters)
    assert list(itertools.chain(*groups)) == list(range(len(parameters))) and len(groups) <= foreign.STAGES
    assert all(sum(parameters[i] for i in group) > 0 for group in groups)


def test_what_is_stated_becomes_the_input() -> None:
    assert Stated().input(3, 224, USUAL) == InputSpec()
    assert Stated(range="0-255").input(3, 96, USUAL) == InputSpec(3, 96, (0.0,) * 3, (1 / 255,) * 3)
    assert Stated(range="-1-1").input(1, 96, USUAL) == InputSpec(1, 96, (0.5,), (0.5,))
    assert Stated(mean=(0.1,), std=(0.2,)).input(3, 96, USUAL) == InputSpec(3, 96, (0.1,) * 3, (0.2,) * 3)
    assert len(Stated().input(1, 96, USUAL).mean) == 1


@pytest.mark.parametrize(
    "wrong",
    [{"range": "0-7"}, {"range": "0-1", "mean": (0.5,)}, {"std": (0.0,)}, {"size": 4}, {"size": 100_000}],
)
def test_what_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(BadInput) as error:
        Stated(**wrong)  # type: ignore[arg-type]
    assert error.value.message and error.value.advice


def test_two_values_for_three_channels_are_refused() -> None:
    with pytest.raises(BadInput):
        Stated(mean=(0.1, 0.2)).input(3, 96, USUAL)
