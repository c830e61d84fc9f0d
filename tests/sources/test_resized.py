"""Shown at another size: what it costs, what it looks at, and who cannot."""

import pytest

from medtl.errors import BadInput
from medtl.sources import resized
from medtl.sources.builders import BUILDERS
from medtl.vocabulary import Source
from tests.builders import source


def published(id: str) -> Source:
    return source(BUILDERS[id].outline, builder=id, input=BUILDERS[id].input)


def test_half_the_side_is_a_quarter_of_the_work() -> None:
    one = published("mobilenet_v2")
    half = resized.at(one, 112)
    assert half.input.size == 112 and half.input.mean == one.input.mean
    assert half.outline.gflop == pytest.approx(one.outline.gflop / 4)
    assert half.outline.parameters == one.outline.parameters and half.outline.features == one.outline.features


@pytest.mark.parametrize("size", [0, 224])
def test_its_own_size_is_no_change(size: int) -> None:
    assert resized.at(published("resnet18"), size) == published("resnet18")


@pytest.mark.parametrize("id", ["vit_b_16", "swin_t", "maxvit_t"])
def test_a_network_of_one_size_says_so(id: str) -> None:
    with pytest.raises(BadInput) as error:
        resized.at(published(id), 128)
    assert "224" in error.value.message and error.value.advice


@pytest.mark.parametrize("size", [-1, 31, 1025])
def test_out_of_range_is_refused_with_the_range(size: int) -> None:
    with pytest.raises(BadInput, match="out of range"):
        resized.at(published("resnet18"), size)
